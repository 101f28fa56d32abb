//! What is told of sessions whose files say it in the ways that tools do: errors, tokens,
//! statuses, titles and links, on small files of our own making.

#![allow(clippy::unwrap_used)]

use forebear::ingest::append_hook;
use forebear::{
    CountBy, Filter, LinkKind, Liveness, Session, SessionReads, SessionStatus, SessionType, Store,
    Tokens, WaitsFor,
};

mod support {
    pub(crate) mod files;
}

use support::files::{files, imported};

const A: &str = "0199a213-81c0-7800-8aa1-0000000000a1";
const B: &str = "0199a213-81c0-7800-8aa1-0000000000b2";
const C: &str = "0199a213-81c0-7800-8aa1-0000000000c3";

/// A store with these files.
fn store_of(contents: &[(&str, &str)]) -> Store {
    let folder = files(contents);
    let store = forebear::in_memory().unwrap();
    imported(&store, &folder);
    store
}

fn session(store: &Store, id: &str) -> Session {
    store.snapshot().session(id).unwrap().unwrap_or_else(|| panic!("{id} is there"))
}

fn total(store: &Store, root: &str) -> Tokens {
    store.snapshot().session_tree(root).page().unwrap().items[0].total.tokens
}

/// A line of a transcript, at so many seconds.
fn line(kind: &str, session: &str, uuid: &str, parent: &str, second: u32, more: &str) -> String {
    let parent = if parent.is_empty() { "null".to_owned() } else { format!("\"{parent}\"") };
    format!(
        "{{\"type\":\"{kind}\",\"uuid\":\"{uuid}\",\"parentUuid\":{parent},\"sessionId\":\"{session}\",\
         \"timestamp\":\"2026-01-01T10:{:02}:{:02}Z\"{more}}}\n",
        second / 60,
        second % 60
    )
}

fn user(session: &str, uuid: &str, parent: &str, second: u32, text: &str) -> String {
    let more = format!(r#","message":{{"role":"user","content":"{text}"}}"#);
    line("user", session, uuid, parent, second, &more)
}

/// What the model said, with what it took.
fn answer(session: &str, uuid: &str, parent: &str, second: u32, id: &str, output: u64) -> String {
    let id = if id.is_empty() { String::new() } else { format!(r#""id":"{id}","#) };
    let more = format!(
        r#","message":{{{id}"role":"assistant","model":"m","content":[{{"type":"text","text":"ok"}}],"usage":{{"input_tokens":10,"output_tokens":{output}}}}}"#
    );
    line("assistant", session, uuid, parent, second, &more)
}

fn call(session: &str, uuid: &str, parent: &str, second: u32, tool: &str, input: &str) -> String {
    let more = format!(
        r#","message":{{"content":[{{"type":"tool_use","id":"t{uuid}","name":"{tool}","input":{input}}}]}}"#
    );
    line("assistant", session, uuid, parent, second, &more)
}

fn result(session: &str, uuid: &str, call: &str, second: u32, failed: bool, text: &str) -> String {
    let more = format!(
        r#","message":{{"content":[{{"type":"tool_result","tool_use_id":"t{call}","is_error":{failed},"content":"{text}"}}]}}"#
    );
    line("user", session, uuid, call, second, &more)
}

#[test]
fn a_message_counts_once_however_often_it_is_told() {
    let original = [
        user(A, "a1", "", 0, "go"),
        answer(A, "a2", "a1", 1, "m1", 5),
        // It is told as it grows.
        answer(A, "a3", "a2", 2, "m1", 100),
        answer(A, "a4", "a3", 3, "m2", 200),
    ];
    // A resume with the same ids, one with new ones, and a fork of the latter.
    let resumed = original.concat().replace(A, B) + &answer(B, "b5", "a4", 60, "m3", 300);
    let fork = original.concat().replace(A, C).replace("\"a", "\"c");
    let store = store_of(&[
        (&format!("p/{A}.jsonl"), &original.concat()),
        (&format!("p/{B}.jsonl"), &resumed),
        (&format!("p/{C}.jsonl"), &fork.replace("\"parentUuid\":null", &format!(
            "\"forkedFrom\":{{\"sessionId\":\"{B}\",\"messageUuid\":\"a1\"}},\"parentUuid\":null"
        ))),
    ]);
    assert_eq!(session(&store, A).tokens.output, 300);
    assert_eq!(session(&store, B).session_type, SessionType::Continuation);
    assert_eq!(session(&store, C).parent.as_deref(), Some(B));
    assert_eq!(total(&store, A), Tokens { input: 30, output: 600, ..Tokens::default() });
}

#[test]
fn a_message_without_an_id_and_one_of_two_requests_count_by_themselves() {
    let two_requests = |request: &str, uuid: &str| {
        answer(A, uuid, "a1", 5, "m1", 7).replacen(
            '{',
            &format!("{{\"requestId\":\"{request}\","),
            1,
        )
    };
    let lines = [
        user(A, "a1", "", 0, "go"),
        answer(A, "a2", "a1", 1, "", 3),
        answer(A, "a3", "a2", 2, "", 3),
        two_requests("r1", "a4"),
        two_requests("r1", "a5"),
        two_requests("r2", "a6"),
    ];
    let store = store_of(&[(&format!("p/{A}.jsonl"), &lines.concat())]);
    assert_eq!(session(&store, A).tokens.output, 3 + 3 + 7 + 7);
}

#[test]
fn agents_that_sum_up_count_only_what_is_their_own() {
    let main = user(A, "a1", "", 0, "go") + &answer(A, "a2", "a1", 1, "m1", 100);
    let agent = |n: u32| {
        let own = |line: String| line.replacen('{', &format!("{{\"agentId\":\"acompact-{n}\","), 1);
        own(user(A, &format!("c{n}1"), "", 0, "go"))
            + &own(answer(A, &format!("c{n}2"), &format!("c{n}1"), 1, "m1", 100))
            + &own(answer(A, &format!("c{n}3"), &format!("c{n}2"), 2, &format!("own{n}"), 10))
    };
    let store = store_of(&[
        (&format!("p/{A}.jsonl"), &main),
        (&format!("p/{A}/subagents/agent-acompact-1.jsonl"), &agent(1)),
        (&format!("p/{A}/subagents/agent-acompact-2.jsonl"), &agent(2)),
    ]);
    assert_eq!(session(&store, A).agents, 0, "no call started them");
    let summing = session(&store, &format!("{A}/acompact-1"));
    assert_eq!(summing.session_type, SessionType::Continuation);
    assert_eq!(total(&store, A).output, 120);
}

#[test]
fn a_result_counts_as_an_error_of_its_tool_unless_somebody_refused_it() {
    let lines = [
        user(A, "a1", "", 0, "go"),
        call(A, "a2", "a1", 1, "Bash", r#"{"command":"make"}"#),
        result(A, "a3", "a2", 2, true, "Exit code 2\\nboom"),
        call(A, "a4", "a3", 3, "Bash", r#"{"command":"rm -r x"}"#),
        result(A, "a5", "a4", 4, true, "The user doesn't want to proceed with this tool use."),
        call(A, "a6", "a5", 5, "Edit", r#"{"file_path":"/w/a.rs"}"#),
        result(A, "a7", "a6", 6, true, "<tool_use_error>File has not been read yet."),
    ];
    let store = store_of(&[(&format!("p/{A}.jsonl"), &lines.concat())]);
    let snapshot = store.snapshot();
    let errors = |tool: &str| {
        let filter = Filter::new().label("tool", tool).errors();
        snapshot.events(filter).page().unwrap().items.len()
    };
    assert_eq!((errors("Bash"), errors("Edit")), (1, 1));
    let failed = snapshot.get("a3").unwrap().unwrap();
    assert_eq!((failed.label("exit_code"), failed.label("minor")), (Some("2"), None));
    assert_eq!(snapshot.get("a5").unwrap().unwrap().label("interrupted"), Some("refused"));
    assert_eq!(snapshot.get("a7").unwrap().unwrap().label("minor"), Some("true"));
    assert_eq!(session(&store, A).status, SessionStatus::Completed, "the last one is minor");
}

/// The status of a session with these lines, long after, and what decided it.
fn status(lines: &[String]) -> (SessionStatus, Option<String>) {
    let store = store_of(&[(&format!("p/{A}.jsonl"), &lines.concat())]);
    let found = session(&store, A);
    (found.status, found.decided_by.map(|id| id.to_string()))
}

#[test]
fn the_last_step_decides_the_status_and_notes_of_the_program_don_t() {
    let failing = vec![
        user(A, "a1", "", 0, "go"),
        call(A, "a2", "a1", 1, "Bash", r#"{"command":"make"}"#),
        result(A, "a3", "a2", 2, true, "boom"),
    ];
    let with = |more: &[String]| [failing.clone(), more.to_vec()].concat();
    let failed = (SessionStatus::Failed, Some("a3".to_owned()));
    assert_eq!(status(&failing), failed);
    let notes = [
        format!("{{\"type\":\"last-prompt\",\"lastPrompt\":\"go\",\"sessionId\":\"{A}\"}}\n"),
        line("system", A, "n1", "a3", 9, r#","subtype":"turn_duration","durationMs":5"#),
        line("progress", A, "n2", "a3", 10, r#","data":{"type":"hook_progress"}"#),
    ];
    assert_eq!(status(&with(&notes)), failed);
    assert_eq!(status(&with(&[answer(A, "a4", "a3", 5, "m", 1)])).0, SessionStatus::Completed);
    let stopped = user(A, "a4", "a3", 5, "[Request interrupted by user]");
    assert_eq!(status(&with(&[stopped])), (SessionStatus::Cancelled, Some("a4".to_owned())));
}

#[test]
fn an_open_call_waits_for_somebody_until_the_model_goes_on() {
    let open = |tool: &str| vec![user(A, "a1", "", 0, "go"), call(A, "a2", "a1", 1, tool, "{}")];
    let waits = |lines: Vec<String>| {
        let store = store_of(&[(&format!("p/{A}.jsonl"), &lines.concat())]);
        let found = session(&store, A);
        (found.status, found.waits_for)
    };
    assert_eq!(waits(open("Bash")), (SessionStatus::Timeout, Some(WaitsFor::Tool)));
    assert_eq!(waits(open("AskUserQuestion")), (SessionStatus::Timeout, Some(WaitsFor::User)));
    let mut given_up = open("Bash");
    given_up.push(user(A, "a3", "a2", 5, "go on"));
    given_up.push(answer(A, "a4", "a3", 6, "m", 1));
    assert_eq!(waits(given_up), (SessionStatus::Completed, None));
    // An agent's call: the session that started the agent waits too.
    let store = store_of(&[
        (
            &format!("p/{A}.jsonl"),
            &(user(A, "a1", "", 0, "go") + &answer(A, "a2", "a1", 9, "m", 1)),
        ),
        (
            &format!("p/{A}/subagents/agent-x.jsonl"),
            &call(A, "x1", "", 2, "Bash", "{}").replacen('{', r#"{"agentId":"x","#, 1),
        ),
    ]);
    assert_eq!(session(&store, A).status, SessionStatus::Timeout);
}

#[test]
fn a_made_up_time_makes_no_session_active_or_long() {
    let lines =
        format!("{{\"type\":\"summary\",\"summary\":\"Mended it\",\"sessionId\":\"{A}\"}}\n")
            + &user(A, "a1", "", 0, "mend  it,\\nplease")
            + &answer(A, "a2", "a1", 5, "m", 1);
    let store = store_of(&[(&format!("p/{A}.jsonl"), &lines)]);
    let found = session(&store, A);
    assert_eq!(found.status, SessionStatus::Completed);
    assert_eq!(found.duration(), Some(std::time::Duration::from_secs(5)));
    assert_eq!(found.title.as_deref(), Some("Mended it"));
    let as_of = Liveness::as_of(found.end_ns.unwrap() + 1);
    let then = store.snapshot().session_as_of(A, as_of).unwrap().unwrap();
    assert_eq!(then.status, SessionStatus::Active);
    let ahead = Liveness::as_of(found.end_ns.unwrap() - 600_000_000_000);
    let before = store.snapshot().session_as_of(A, ahead).unwrap().unwrap();
    assert_eq!(before.status, SessionStatus::Completed, "a clock that is ten minutes ahead");
}

#[test]
fn a_session_is_called_by_its_user_else_what_sums_it_up_else_its_first_words() {
    let named = |title: &str, by: &str| {
        format!("{{\"type\":\"{by}\",\"{title}\",\"sessionId\":\"{A}\"}}\n")
    };
    let custom = |title: &str| named(&format!("customTitle\":\"{title}"), "custom-title");
    let generated = named("aiTitle\":\"Made up", "ai-title");
    let title = |lines: &[String]| {
        let lines = [&[user(A, "a1", "", 0, "mend it")], lines].concat();
        session(&store_of(&[(&format!("p/{A}.jsonl"), &lines.concat())]), A).title
    };
    assert_eq!(title(&[]).as_deref(), Some("mend it"));
    assert_eq!(title(std::slice::from_ref(&generated)).as_deref(), Some("Made up"));
    let back = [custom("Alpha"), custom("Beta"), generated, custom("Alpha")];
    assert_eq!(title(&back).as_deref(), Some("Alpha"));
}

#[test]
fn an_agent_s_agent_is_below_the_agent() {
    let own =
        |agent: &str, line: String| line.replacen('{', &format!("{{\"agentId\":\"{agent}\","), 1);
    let started = |call: &str, agent: &str, uuid: &str, second| {
        result(A, uuid, call, second, false, "done").replacen(
            '{',
            &format!("{{\"toolUseResult\":{{\"agentId\":\"{agent}\"}},\"sourceToolAssistantUUID\":\"{call}\","),
            1,
        )
    };
    let main = user(A, "a1", "", 0, "go")
        + &call(A, "a2", "a1", 1, "Agent", "{}")
        + &started("a2", "outer", "a3", 20);
    let outer = own("outer", user(A, "o1", "", 2, "outer"))
        + &own("outer", call(A, "o2", "o1", 3, "Agent", "{}"))
        + &own("outer", started("o2", "inner", "o3", 15));
    let inner = own("inner", user(A, "i1", "", 4, "inner"));
    let store = store_of(&[
        (&format!("p/{A}/subagents/agent-inner.jsonl"), &inner),
        (&format!("p/{A}/subagents/agent-outer.jsonl"), &outer),
        (&format!("p/{A}.jsonl"), &main),
    ]);
    let tree = store.snapshot().session_tree(A).page().unwrap().items;
    let below: Vec<_> = tree.iter().map(|node| (node.session.id.as_str(), node.below)).collect();
    let (outer, inner) = (format!("{A}/outer"), format!("{A}/inner"));
    assert_eq!(below, [(A, 0), (outer.as_str(), 1), (inner.as_str(), 2)]);
    assert_eq!(session(&store, &inner).parent, Some(outer));
    assert_eq!(tree[0].total.sessions, 3);
}

/// Whether the first event of another session or agent leads to the request `a1`.
fn leads_to_the_request(store: &Store, first: &str) -> bool {
    store.snapshot().root(first).unwrap() == Some("a1".into())
}

#[test]
fn workflows_teams_and_notes_beside_agents_name_their_calls() {
    let with_result = |report: &str| {
        user(A, "a1", "", 0, "go")
            + &call(A, "a2", "a1", 1, "Agent", "{}")
            + &result(A, "a3", "a2", 2, false, "started").replacen(
                '{',
                &format!("{{\"toolUseResult\":{report},"),
                1,
            )
    };
    let agent = user(A, "x1", "", 4, "look").replacen('{', r#"{"agentId":"x","#, 1);
    let main = format!("p/{A}.jsonl");
    let workflow = store_of(&[
        (&main, &with_result(r#"{"taskType":"local_workflow","runId":"wf_1"}"#)),
        (&format!("p/{A}/subagents/workflows/wf_1/agent-x.jsonl"), &agent),
    ]);
    assert!(leads_to_the_request(&workflow, "x1"));
    let killed = store_of(&[
        (&format!("p/{A}/subagents/agent-x.jsonl"), &agent),
        (&format!("p/{A}/subagents/agent-x.meta.json"), r#"{"toolUseId":"ta2"}"#),
        (&main, &(user(A, "a1", "", 0, "go") + &call(A, "a2", "a1", 1, "Agent", "{}"))),
    ]);
    assert!(leads_to_the_request(&killed, "x1"));
    let member =
        user(B, "x1", "", 4, "review").replacen('{', r#"{"teamName":"crew","agentName":"rev","#, 1);
    let spawned = r#"{"status":"teammate_spawned","name":"rev","team_name":"crew"}"#;
    let team = store_of(&[(&format!("p/{B}.jsonl"), &member), (&main, &with_result(spawned))]);
    assert!(leads_to_the_request(&team, "x1"));
    let member = session(&team, B);
    assert_eq!((member.parent.as_deref(), member.wave_id.as_deref()), (Some(A), Some("crew")));
    assert_eq!(member.session_type, SessionType::Subagent);
}

#[test]
fn lines_that_come_again_are_events_and_the_same_file_adds_nothing() {
    let mode = |mode: &str| {
        format!(
            "{{\"type\":\"permission-mode\",\"permissionMode\":\"{mode}\",\"sessionId\":\"{A}\"}}\n"
        )
    };
    let lines = user(A, "a1", "", 0, "go")
        + &mode("default")
        + &mode("plan")
        + &mode("default")
        + &mode("default");
    let folder = files(&[(&format!("p/{A}.jsonl"), &lines)]);
    let store = forebear::in_memory().unwrap();
    imported(&store, &folder);
    assert_eq!(session(&store, A).events, 5);
    let newest = store.snapshot().events(Filter::new().kind("permission-mode")).page().unwrap();
    assert_eq!(newest.items[0].label("permission_mode"), Some("default"));
    imported(&store, &folder);
    assert_eq!(session(&store, A).events, 5);
}

#[test]
fn a_file_s_name_is_no_session() {
    let line = "{\"type\":\"user\",\"uuid\":\"u1\",\"message\":{\"content\":\"x\"}}\n";
    let store = store_of(&[("data/full.jsonl", line)]);
    assert_eq!(store.snapshot().get("u1").unwrap().unwrap().session(), None);
    let lines = line.to_owned() + &user(A, "a1", "", 0, "go") + &line.replace("u1", "u2");
    let store = store_of(&[("data/full.jsonl", &lines)]);
    assert_eq!(store.snapshot().get("u2").unwrap().unwrap().session(), Some(A));
}

const CODEX: &str = "rollout-2026-01-01T10-00-00";

/// A line of a rollout, at so many seconds.
fn rollout(kind: &str, second: u32, payload: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-01-01T10:00:{second:02}.000Z\",\"type\":\"{kind}\",\"payload\":{payload}}}\n"
    )
}

fn count(input: u64, output: u64, total: u64) -> String {
    format!(
        r#"{{"type":"token_count","info":{{"last_token_usage":{{"input_tokens":{input},"output_tokens":{output}}},"total_token_usage":{{"input_tokens":{total},"output_tokens":{output}}}}}}}"#
    )
}

#[test]
fn a_fork_of_codex_counts_its_own_and_siblings_of_equal_size_both() {
    let own = |id: &str, from: &str| format!(r#"{{"id":"{id}","forked_from_id":"{from}"}}"#);
    let original = rollout("session_meta", 0, &format!(r#"{{"id":"{A}"}}"#))
        + &rollout("event_msg", 5, &count(100, 10, 100));
    let fork = |id: &str| {
        rollout("session_meta", 20, &own(id, A))
            + &rollout("session_meta", 20, &format!(r#"{{"id":"{A}"}}"#))
            + &rollout("event_msg", 20, &count(100, 10, 100))
            + &rollout("event_msg", 40, &count(30, 3, 130))
    };
    let all = [
        (format!("{CODEX}-{A}.jsonl"), original),
        (format!("{CODEX}-{B}.jsonl"), fork(B)),
        (format!("{CODEX}-{C}.jsonl"), fork(C)),
    ];
    let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (&**name, &**text)).collect();
    let store = store_of(&all);
    assert_eq!(session(&store, B).tokens.input, 30);
    assert_eq!(total(&store, A), Tokens { input: 160, output: 16, ..Tokens::default() });
    // Without the original what was copied of it counts once all the same.
    let store = store_of(&all[1..2]);
    assert_eq!(session(&store, B).tokens.input, 30);
    assert_eq!(total(&store, B).input, 130);
}

#[test]
fn what_is_written_to_a_command_gives_the_command_s_result() {
    let call = |second, id: &str, name: &str, arguments: &str| {
        let arguments = serde_json::Value::from(arguments);
        rollout(
            "response_item",
            second,
            &format!(
                r#"{{"type":"function_call","name":"{name}","call_id":"{id}","arguments":{arguments}}}"#
            ),
        )
    };
    let output = |second, id: &str, text: &str| {
        rollout(
            "response_item",
            second,
            &format!(r#"{{"type":"function_call_output","call_id":"{id}","output":"{text}"}}"#),
        )
    };
    let lines = rollout("session_meta", 0, &format!(r#"{{"id":"{A}"}}"#))
        + &call(1, "c1", "exec_command", r#"{"cmd":"make"}"#)
        + &output(2, "c1", "Wall time: 1 seconds\\nProcess running with session ID 7\\nOutput:\\n")
        + &call(3, "c2", "write_stdin", r#"{"session_id":7,"chars":"y"}"#)
        + &output(4, "c2", "Wall time: 1 seconds\\nProcess exited with code 1\\nOutput:\\n")
        + &call(5, "c3", "exec_command", r#"{"cmd":"sleep 9"}"#)
        + &output(6, "c3", "Wall time: 1 seconds\\nProcess running with session ID 8\\nOutput:\\n")
        + &call(7, "c4", "write_stdin", r#"{"session_id":8,"chars":"\u0003"}"#)
        + &output(8, "c4", "Wall time: 1 seconds\\nProcess exited with code 130\\nOutput:\\n")
        + &output(9, "c5", "Exit code: 0\\nOutput:\\nProcess exited with code 1");
    let store = store_of(&[(&format!("{CODEX}-{A}.jsonl"), &lines)]);
    let errors = store.snapshot().events(Filter::new().errors()).page().unwrap().items;
    let found: Vec<_> =
        errors.iter().map(|event| (event.label("tool"), event.label("exit_code"))).collect();
    assert_eq!(found, [(Some("exec_command"), Some("1"))]);
}

#[test]
fn copilot_s_shutdowns_stand_for_what_messages_reported() {
    let event = |n: u32, kind: &str, data: &str| {
        format!(
            "{{\"type\":\"{kind}\",\"id\":\"e{n}\",\"parentId\":null,\"timestamp\":\"2026-01-01T10:00:{n:02}Z\",\"data\":{data}}}\n"
        )
    };
    let message = |n, output: u64| {
        event(n, "assistant.message", &format!(r#"{{"content":"x","outputTokens":{output}}}"#))
    };
    let shutdown = |n, input: u64, output: u64| {
        event(
            n,
            "session.shutdown",
            &format!(
                r#"{{"shutdownType":"routine","modelMetrics":{{"m":{{"usage":{{"inputTokens":{input},"outputTokens":{output},"cacheReadTokens":1}}}}}}}}"#
            ),
        )
    };
    let start = event(0, "session.start", &format!(r#"{{"sessionId":"{A}"}}"#));
    let of = |lines: &[String]| {
        let text = start.clone() + &lines.concat();
        session(&store_of(&[(&format!("session-state/{A}/events.jsonl"), &text)]), A).tokens
    };
    let crashed = of(&[message(1, 5), message(2, 6)]);
    assert_eq!((crashed.input, crashed.output), (0, 11));
    let two_legs =
        of(&[message(1, 5), shutdown(2, 11, 5), message(3, 4), shutdown(4, 9, 4), message(5, 2)]);
    assert_eq!((two_legs.input, two_legs.output, two_legs.cache_read), (18, 11, 2));
}

/// What hooks say of the session that [`steps`] has, each in a line.
fn hooks() -> Vec<String> {
    let hook = |name: &str, more: &str| {
        format!(r#"{{"session_id":"{A}","cwd":"/w/demo","hook_event_name":"{name}"{more}}}"#)
    };
    let of_call = |name: &str, call: &str| {
        hook(name, &format!(r#","tool_name":"Bash","tool_use_id":"t{call}","tool_input":{{}}"#))
    };
    vec![
        hook("SessionStart", r#","source":"startup""#),
        hook("UserPromptSubmit", r#","prompt":" go on\n""#),
        of_call("PreToolUse", "c1"),
        of_call("PostToolUseFailure", "c1"),
        hook("UserPromptSubmit", r#","prompt":"go on""#),
        of_call("PreToolUse", "c2"),
        of_call("PreToolUse", "c3"),
        of_call("PostToolUse", "c2"),
        of_call("PostToolUse", "c3"),
        hook("Stop", ""),
    ]
}

/// The same session as its transcript has it: each step of the hooks, and what the model says.
fn steps() -> String {
    let both = r#","message":{"content":[{"type":"tool_use","id":"tc2","name":"Bash","input":{}},{"type":"tool_use","id":"tc3","name":"Bash","input":{}}]}"#;
    [
        user(A, "u1", "", 1, "go on"),
        call(A, "c1", "u1", 2, "Bash", r#"{"command":"make"}"#),
        result(A, "r1", "c1", 3, true, "Exit code 2"),
        user(A, "u2", "r1", 4, "go on"),
        line("assistant", A, "c23", "u2", 5, both),
        result(A, "r2", "c2", 6, false, "ok"),
        result(A, "r3", "c3", 7, false, "ok"),
        answer(A, "a1", "r3", 8, "m1", 5),
    ]
    .concat()
    .replace("\"sessionId\"", "\"cwd\":\"/w/demo\",\"sessionId\"")
}

fn hook_by_hook(store: &Store) {
    for (hook, second) in hooks().iter().zip(0..) {
        let start_ns = 1_767_261_600_000_000_000;
        append_hook(store, hook, start_ns + second * 1_000_000_000 + 500_000_000).unwrap();
    }
}

#[test]
fn hooks_and_the_transcript_of_a_session_are_one_story() {
    type Filled = fn(&Store);
    let transcript: Filled = |store| {
        imported(store, &files(&[("w/p/a.jsonl", &steps())]));
    };
    let hook_file: Filled = |store| {
        imported(store, &files(&[("hooks.jsonl", &(hooks().join("\n") + "\n"))]));
    };
    let both_in_one: Filled = |store| {
        let hooks = hooks().join("\n") + "\n";
        imported(store, &files(&[("a.jsonl", &steps()), ("hooks.jsonl", &hooks)]));
    };
    let both_reversed: Filled = |store| {
        let hooks = hooks().join("\n") + "\n";
        imported(store, &files(&[("a-hooks.jsonl", &hooks), ("z.jsonl", &steps())]));
    };
    let nothing: Filled = |_| {};
    let ways: [(&str, Filled, Filled); 6] = [
        ("hooks, then the transcript", hook_by_hook, transcript),
        ("the transcript, then hooks", transcript, hook_by_hook),
        ("a file of hooks first", hook_file, transcript),
        ("a file of hooks last", transcript, hook_file),
        ("in one import", both_in_one, nothing),
        ("in one import, hooks first", both_reversed, nothing),
    ];
    for (way, first, second) in ways {
        for sealed in [false, true] {
            let store = forebear::in_memory().unwrap();
            first(&store);
            if sealed {
                store.seal().unwrap();
            }
            second(&store);
            if sealed {
                store.seal().unwrap();
            }
            // Its start and the end of its turn are told by hooks alone.
            let found = session(&store, A);
            assert_eq!((found.events, found.errors), (8 + 2, 1), "{way}, sealed: {sealed}");
            assert_eq!((found.open_calls, found.tokens.output), (0, 5), "{way}");
            assert_eq!(found.status, SessionStatus::Completed, "{way}");
            assert_eq!(found.project.as_deref(), Some("demo"), "{way}");
            let snapshot = store.snapshot();
            let listed = snapshot.events(Filter::new().session(A)).page().unwrap().items;
            assert_eq!(listed.len(), 10, "{way}");
            let errors = Filter::new().session(A).errors();
            let by_tool = snapshot.counts(CountBy::Label("tool".into()), errors);
            let by_tool = by_tool.page().unwrap().items;
            assert_eq!(
                by_tool.iter().map(|of| (&*of.value, of.count)).collect::<Vec<_>>(),
                [("Bash", 1)]
            );
            let stats = snapshot.stats().unwrap();
            assert_eq!(stats.events + stats.derived_ids, 10, "{way}");
            let all = snapshot.events(Filter::new().with_superseded()).page().unwrap().items;
            assert_eq!(all.len(), 18, "{way}: nothing is lost");
        }
    }
}

/// Calls for which a transcript's events stand by then still say who started which agent.
#[test]
fn agents_are_linked_to_calls_that_a_transcript_has_told_meanwhile() {
    let hook = |name: &str, more: &str| {
        format!(r#"{{"session_id":"{A}","cwd":"/w/demo","hook_event_name":"{name}",{more}}}"#)
    };
    let of_call = |name: &str, call: &str, more: &str| {
        let about = r#""tool_input":{"subagent_type":"x"}"#;
        hook(name, &format!(r#""tool_name":"Agent","tool_use_id":"t{call}",{about}{more}"#))
    };
    let begins =
        |agent: &str| hook("SubagentStart", &format!(r#""agent_id":"{agent}","agent_type":"x""#));
    let named = |agent: &str| {
        of_call("PostToolUse", agent, &format!(r#","tool_response":{{"agentId":"{agent}"}}"#))
    };
    let input = r#"{"subagent_type":"x"}"#;
    let lines = [
        user(A, "u1", "", 1, "go"),
        call(A, "ca", "u1", 2, "Agent", input),
        call(A, "cb", "ca", 3, "Agent", input),
    ];
    let lines = lines.concat().replace("\"sessionId\"", "\"cwd\":\"/w/demo\",\"sessionId\"");
    let store = forebear::in_memory().unwrap();
    let said = |second: i64, hook: &str| {
        append_hook(&store, hook, 1_767_261_600_000_000_000 + second * 1_000_000_000).unwrap();
    };
    said(2, &of_call("PreToolUse", "ca", ""));
    said(3, &of_call("PreToolUse", "cb", ""));
    imported(&store, &files(&[("w/p/a.jsonl", &lines)]));
    said(4, &begins("cb"));
    said(5, &begins("ca"));
    said(6, &named("cb"));
    said(7, &named("ca"));
    let snapshot = store.snapshot();
    let starts = Filter::new().session(A).kind("SubagentStart");
    let starts = snapshot.events(starts).page().unwrap().items;
    assert_eq!(starts.len(), 2);
    for start in starts {
        let parent = start.parent().expect("a call").clone();
        let by = snapshot.get(parent).unwrap().unwrap();
        let agent = start.label("agent").unwrap();
        assert_eq!(by.label("tool_use_id"), Some(&*format!("t{agent}")), "{}", by.kind());
        assert_eq!(start.link(), Some(LinkKind::Spawned));
    }
}

#[test]
fn hooks_alone_tell_what_a_session_waits_for() {
    let told = |names: &[(&str, &str)]| {
        let store = forebear::in_memory().unwrap();
        for ((name, call), second) in names.iter().zip(1_i64..) {
            let hook = format!(
                r#"{{"session_id":"s","hook_event_name":"{name}","tool_use_id":"{call}","prompt":"{call}"}}"#
            );
            append_hook(&store, &hook, second * 1_000_000_000).unwrap();
        }
        let found = session(&store, "s");
        (found.status, found.waits_for, found.events)
    };
    let (asked, before, after) = ("UserPromptSubmit", "PreToolUse", "PostToolUse");
    assert_eq!(
        told(&[(asked, "go"), (before, "t"), ("Notification", "")]),
        (SessionStatus::Timeout, Some(WaitsFor::Tool), 3)
    );
    let failed = [(asked, "go"), (before, "t"), ("PostToolUseFailure", "t"), ("Notification", "")];
    assert_eq!(told(&failed), (SessionStatus::Failed, None, 4));
    let done = [(asked, "go"), (before, "t"), (after, "t"), ("Stop", ""), ("Notification", "")];
    assert_eq!(told(&done), (SessionStatus::Completed, None, 5));
    assert_eq!(
        told(&[(before, "t"), (asked, "something else"), ("Stop", "")]),
        (SessionStatus::Completed, None, 3),
        "given up"
    );
}
