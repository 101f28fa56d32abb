use super::*;
use forebear_readings::{CallFamily, failure};

fn read(line: &str) -> Reading<'_> {
    RolloutReader.read(&Payload::new("any", line.as_bytes()))
}

fn item(item: &str) -> String {
    format!(
        r#"{{"type":"event_msg","payload":{{"type":"item_completed","turn_id":"t","item":{item}}}}}"#
    )
}

fn response(payload: &str) -> String {
    format!(r#"{{"type":"response_item","payload":{payload}}}"#)
}

#[test]
fn what_the_user_typed_and_what_was_put_in() {
    for (text, expected) in [
        ("fix it", Role::User),
        ("<environment_context>x", Role::System),
        ("# AGENTS.md instructions for /w", Role::System),
        ("<user_shell_command>ls", Role::User),
    ] {
        let line = response(&format!(
            r#"{{"type":"message","role":"user","content":[{{"type":"input_text","text":"{text}"}}]}}"#
        ));
        assert_eq!(read(&line).role, Some(expected), "{text}");
    }
    let developer = response(r#"{"type":"message","role":"developer","content":[]}"#);
    assert!(read(&developer).bookkeeping);
    let stopped = response(
        r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"<turn_aborted>x"}]}"#,
    );
    assert_eq!(read(&stopped).interruption, Some(Interruption::Stopped));
}

#[test]
fn calls_of_all_shapes() {
    for (payload, tool, family, target) in [
        (
            r#"{"type":"function_call","name":"shell","arguments":"{\"command\":[\"bash\",\"-lc\",\"make \\\"x\\\"\"]}","call_id":"c"}"#,
            "shell",
            CallFamily::Shell,
            "make \"x\"",
        ),
        (
            r#"{"type":"local_shell_call","call_id":"c","status":"completed","action":{"type":"exec","command":["ls"]}}"#,
            "local_shell",
            CallFamily::Shell,
            "ls",
        ),
        (
            r#"{"type":"custom_tool_call","name":"apply_patch","call_id":"c","input":"*** Begin Patch\n*** Update File: a.rs\n"}"#,
            "apply_patch",
            CallFamily::Edit,
            "a.rs",
        ),
        (
            r#"{"type":"web_search_call","id":"c","status":"completed","action":{"type":"search","query":"q"}}"#,
            "web_search",
            CallFamily::Web,
            "q",
        ),
    ] {
        let line = response(payload);
        let reading = read(&line);
        let call = &reading.calls[0];
        assert_eq!(call.tool, Some(Text::from(tool)), "{line}");
        assert_eq!((call.family, &call.target), (family, &Some(Text::from(target))), "{line}");
        assert_eq!(call.id, Some(Text::from("c")), "{line}");
    }
}

#[test]
fn items_of_a_turn() {
    let user = item(r#"{"type":"UserMessage","id":"u","content":[{"type":"text","text":"fix"}]}"#);
    assert_eq!((read(&user).role, read(&user).text.to_string()), (Some(Role::User), "fix".into()));
    for words in [r#""text":"done""#, r#""content":[{"type":"Text","text":"done"}]"#] {
        let line = item(&format!(r#"{{"type":"AgentMessage","id":"a",{words}}}"#));
        assert_eq!(
            (read(&line).role, read(&line).text.to_string()),
            (Some(Role::Assistant), "done".into())
        );
    }
    for (fields, expected) in [
        (r#""command":"make","exit_code":3,"status":"failed""#, Some(Some(3))),
        (r#""command":["make"],"exitCode":2"#, Some(Some(2))),
        (r#""command":"make","exit_code":0,"status":"completed""#, None),
        (r#""command":"make","status":"declined""#, None),
        (r#""command":"make","status":"failed""#, Some(None)),
        (
            r#""command":"make","status":"failed","aggregated_output":"aborted by user after 2s""#,
            None,
        ),
    ] {
        let line = item(&format!(r#"{{"type":"CommandExecution","id":"c",{fields}}}"#));
        let found = failure("tool_result", &read(&line)).map(|failure| failure.exit_code);
        assert_eq!(found, expected, "{line}");
    }
    let changed = item(
        r#"{"type":"FileChange","id":"c","changes":{"a.rs":{"type":"add"}},"status":"completed"}"#,
    );
    assert_eq!(read(&changed).files[0].path, Text::from("a.rs"));
    let mcp = item(
        r#"{"type":"McpToolCall","id":"c","server":"s","tool":"t","arguments":{},"error":{"message":"no"},"status":"failed"}"#,
    );
    assert_eq!(read(&mcp).calls[0].tool, Some(Text::from("mcp__s__t")));
    assert_eq!(read(&mcp).results[0].text.to_string(), "no");
    assert!(read(&item(r#"{"type":"ContextCompaction","id":"c"}"#)).bookkeeping);
}

#[test]
fn ends_of_calls_are_told_again_unless_they_alone_say_that_one_failed() {
    let end =
        |fields: &str| format!(r#"{{"type":"event_msg","payload":{{"call_id":"c",{fields}}}}}"#);
    let fine = end(r#""type":"mcp_tool_call_end","result":{"Ok":{"content":[]}}"#);
    assert!(read(&fine).bookkeeping && failure("event_msg", &read(&fine)).is_none());
    for failed in [
        end(r#""type":"mcp_tool_call_end","result":{"Err":"no"}"#),
        end(r#""type":"mcp_tool_call_end","result":{"Ok":{"isError":true,"content":[]}}"#),
        end(r#""type":"exec_command_end","exit_code":2"#),
        end(r#""type":"patch_apply_end","success":false"#),
    ] {
        assert!(
            !read(&failed).bookkeeping && failure("event_msg", &read(&failed)).is_some(),
            "{failed}"
        );
    }
}

#[test]
fn turns_that_end() {
    let aborted = |reason: &str| {
        format!(r#"{{"type":"event_msg","payload":{{"type":"turn_aborted","reason":"{reason}"}}}}"#)
    };
    for (reason, stopped) in [
        ("interrupted", true),
        ("replaced", true),
        ("review_ended", false),
        ("budget_limited", false),
    ] {
        let line = aborted(reason);
        assert_eq!(read(&line).interruption.is_some(), stopped, "{reason}");
    }
    let named =
        r#"{"type":"event_msg","payload":{"type":"thread_name_updated","thread_name":"N"}}"#;
    assert_eq!(read(named).title.unwrap().text, Text::from("N"));
    let compacted = r#"{"type":"compacted","payload":{"message":"so far"}}"#;
    assert_eq!(read(compacted).summary, Some(Text::from("so far")));
    let context =
        r#"{"type":"turn_context","payload":{"cwd":"/w","model":"m","approval_policy":"never"}}"#;
    assert_eq!(read(context).cwd, Some(Text::from("/w")));
}

#[test]
fn older_files_have_items_alone() {
    let reading =
        read(r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}"#);
    assert_eq!((reading.role, reading.text.to_string()), (Some(Role::User), "hi".into()));
}
