//! Files of coding agents: chats of the Gemini CLI, sessions of pi, transcripts of Cursor.

#![allow(clippy::unwrap_used)]

mod support {
    pub(crate) mod files;
}

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;

use forebear::ingest::{Follower, IngestOptions, Registry, import};
use forebear::readings::{Payload, Reading, Role};
use forebear::{EventId, Filter, SessionReads, Store, StoredEvent};
use serde_json::{Value, json};
use support::files::{files, imported};

const SESSION: &str = "0c0ffee0-0000-4000-8000-0000000000aa";

fn header(session: &str) -> Value {
    json!({"sessionId": session, "projectHash": "h", "startTime": "2026-03-01T10:00:00.000Z",
        "lastUpdated": "2026-03-01T10:00:00.000Z", "kind": "main"})
}

fn said(id: &str, second: u32, kind: &str, text: &str) -> Value {
    json!({"id": id, "timestamp": format!("2026-03-01T10:00:{second:02}.000Z"), "type": kind, "content": text})
}

fn lines(values: &[Value]) -> String {
    let lines: Vec<String> = values.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

#[test]
fn a_gemini_message_that_is_written_again_is_one_in_the_chain() {
    let mut done = said("b", 2, "gemini", "ok");
    done["tokens"] = json!({"input": 120, "output": 25, "cached": 20, "thoughts": 5, "total": 150});
    let text = lines(&[
        header(SESSION),
        said("a", 1, "user", "hi"),
        said("b", 2, "gemini", "o"),
        done.clone(),
        json!({"$set": {"lastUpdated": "2026-03-01T10:00:02.000Z", "summary": "A talk"}}),
        said("c", 3, "user", "more"),
        json!({"$rewindTo": "c"}),
        said("d", 4, "user", "other"),
    ]);
    let folder = files(&[("tmp/work/chats/session-2026-03-01T10-00-0c0ffee0.jsonl", &text)]);
    let store = forebear::in_memory().unwrap();
    imported(&store, &folder);
    assert_eq!(imported(&store, &folder).stored, 0);
    let by_text = texts(&store);
    let parent = |text: &str| by_text[text].parent().cloned();
    assert_eq!(parent("ok"), Some(by_text["hi"].id().clone()));
    assert_eq!(parent("more"), Some(by_text["ok"].id().clone()));
    assert_eq!(
        parent("other"),
        Some(by_text["ok"].id().clone()),
        "what was taken back is not its cause"
    );
    let session = store.snapshot().session(SESSION).unwrap().unwrap();
    let tokens = session.tokens;
    assert_eq!((tokens.input, tokens.cache_read, tokens.output), (100, 20, 30));

    // The older document of the same session has the same events.
    let document = json!({"sessionId": SESSION, "projectHash": "h", "startTime": "2026-03-01T10:00:00.000Z",
        "lastUpdated": "2026-03-01T10:00:09.000Z", "messages": [said("a", 1, "user", "hi"), done, said("e", 9, "user", "late")]});
    let pretty = serde_json::to_string_pretty(&document).unwrap();
    let path = folder.path().join("tmp/work/chats/session-2026-03-01T10-00-0c0ffee0.json");
    fs::write(&path, &pretty).unwrap();
    let before = by_text["ok"].id().clone();
    let report = imported(&store, &folder);
    assert_eq!((report.stored, report.read_as.len()), (1, 2), "{report:?}");
    assert_eq!(texts(&store)["late"].parent(), Some(&before));
    assert_eq!(imported(&store, &folder).stored, 0);
}

#[test]
fn a_document_is_followed_as_it_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session-1.json");
    let store = forebear::in_memory().unwrap();
    let mut follower = Follower::new(&store, IngestOptions::new([folder.path()])).unwrap();
    let mut messages = Vec::new();
    for n in 0..5 {
        messages.push(said(&format!("m{n}"), n, "user", &format!("text {n}")));
        let document = json!({"sessionId": SESSION, "projectHash": "h", "startTime": "t", "messages": messages});
        let text = serde_json::to_string_pretty(&document).unwrap();
        // Half of it, as where it is looked at while it is written.
        fs::write(&path, &text[..text.len() / 2]).unwrap();
        while follower.poll_once().unwrap().more {}
        fs::write(&path, &text).unwrap();
        for _ in 0..50 {
            while follower.poll_once().unwrap().more {}
            if texts(&store).len() == messages.len() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(texts(&store).len(), messages.len());
    }
    assert_eq!(store.snapshot().depth(texts(&store)["text 4"].id().clone()).unwrap(), Some(5));
}

#[test]
fn lines_in_a_file_named_as_a_database_are_left_out_and_what_lies_beside_an_agent_is_not_reported()
{
    let line = json!({"type": "user", "uuid": SESSION, "sessionId": SESSION,
        "timestamp": "2026-03-01T10:00:00.000Z", "message": {"role": "user", "content": "hello"}});
    let line = lines(&[line]);
    let folder = files(&[
        ("a.jsonl", &line),
        ("b.db", &line),
        ("c.SQLITE3", &line),
        ("agent-a1.meta.json", "{\"toolUseId\": \"t1\"}"),
    ]);
    let report = imported(&forebear::in_memory().unwrap(), &folder);
    assert_eq!((report.stored, report.read_as.len(), report.left_out_files), (1, 1, 2));
    assert!(report.left_out.iter().all(|(_, why)| why.contains("a database")), "{report:?}");
}

#[test]
fn documents_of_no_tool_in_a_folder_are_left_out_and_named_ones_fail() {
    let folder = files(&[
        ("session-x.json", "{\n \"a\": 1,\n \"b\": 2\n}\n"),
        ("x.jsonl", "{\"id\":\"a\"}\n"),
    ]);
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &folder);
    assert_eq!((report.stored, report.left_out_files, report.read_as.len()), (1, 1, 1));
    assert!(report.left_out[0].1.contains("jq"), "{report:?}");
    let options = IngestOptions::new([folder.path().join("session-x.json")]);
    let report = import(&store, &options, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(report.failed_files.len(), 1);
}

#[test]
fn an_agent_s_chat_hangs_on_the_call_that_names_it() {
    let mut call = said("b", 2, "gemini", "");
    call["toolCalls"] = json!([{"id": "c1", "name": "x", "args": {}, "status": "executing"},
        {"id": "c2", "name": "helper", "args": {}, "status": "success", "agentId": "child"}]);
    let parent = lines(&[header(SESSION), said("a", 1, "user", "go"), call]);
    let mut head = header("child");
    head["kind"] = json!("subagent");
    let child = lines(&[head, said("x", 3, "error", "broke")]);
    let paths =
        ["tmp/w/chats/session-1.jsonl".to_owned(), format!("tmp/w/chats/{SESSION}/child.jsonl")];
    for order in [[0, 1], [1, 0]] {
        let store = forebear::in_memory().unwrap();
        for at in order {
            imported(&store, &files(&[(&paths[at], if at == 0 { &parent } else { &child })]));
        }
        let error = texts(&store)["broke"].id().clone();
        let chain: Vec<_> =
            store.snapshot().chain(error).unwrap().unwrap().map(Result::unwrap).collect();
        assert!(chain.iter().any(|event| event.kind() == "user_message"), "{order:?}");
        assert_eq!(
            store.snapshot().session("child").unwrap().unwrap().parent.as_deref(),
            Some(SESSION)
        );
    }
}

#[test]
fn sessions_of_pi_with_equal_ids_stay_apart() {
    let entries = |session: &str, text: &str, more: Value| {
        let mut head = json!({"type": "session", "version": 3, "id": session, "timestamp": "2026-03-01T10:00:00.000Z", "cwd": "/home/me/work"});
        head.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let usage = json!({"input": 10, "output": 20, "cacheRead": 5, "cacheWrite": 1});
        lines(&[
            head,
            json!({"type": "message", "id": "a1", "parentId": null, "timestamp": "2026-03-01T10:00:01.000Z", "message": {"role": "user", "content": text}}),
            json!({"type": "message", "id": "b1", "parentId": "a1", "timestamp": "2026-03-01T10:00:02.000Z", "message": {"role": "assistant", "content": [{"type": "text", "text": "yo"}], "model": "m", "usage": usage, "stopReason": "stop", "timestamp": 7}}),
            json!({"type": "message", "id": "c1", "parentId": "a1", "timestamp": "2026-03-01T10:00:03.000Z", "message": {"role": "user", "content": "branch"}}),
        ])
    };
    let one = entries("one", "first", json!({}));
    let two = entries("two", "second", json!({}));
    let fork = entries("three", "first", json!({"parentSession": "/x/2026_one.jsonl"}));
    let folder =
        files(&[("s/1_one.jsonl", &one), ("s/2_two.jsonl", &two), ("s/3_three.jsonl", &fork)]);
    let store = forebear::in_memory().unwrap();
    assert_eq!(imported(&store, &folder).stored, 12);
    assert_eq!(imported(&store, &folder).stored, 0);
    let snapshot = store.snapshot();
    for session in ["one", "two"] {
        let tokens = snapshot.session(session).unwrap().unwrap().tokens;
        assert_eq!(
            (tokens.input, tokens.cache_read, tokens.cache_written, tokens.output),
            (10, 5, 1, 20)
        );
        let events = of_session(&store, session);
        let asked = events.iter().find(|event| event.kind() == "user_message").unwrap();
        let children = snapshot.children(asked.id().clone()).page().unwrap().items;
        assert!(children.iter().all(|child| child.session() == Some(session) || session == "one"));
        assert_eq!(children.iter().filter(|child| child.session() == Some(session)).count(), 2);
    }
    let first =
        of_session(&store, "three").into_iter().find(|e| e.kind() == "user_message").unwrap();
    let of_one =
        of_session(&store, "one").into_iter().find(|e| e.kind() == "user_message").unwrap();
    assert_eq!(first.parent(), Some(of_one.id()));
}

#[test]
fn an_agent_of_cursor_is_of_its_session() {
    let asked = |text: &str| json!({"role": "user", "message": {"content": [{"type": "text", "text": format!("<user_query>\n{text}\n</user_query>")}]}});
    let answered = json!({"role": "assistant", "message": {"content": [{"type": "tool_use", "name": "Shell", "input": {"command": "ls"}}]}});
    let folder = files(&[
        ("p/home-me/agent-transcripts/s1/s1.jsonl", &lines(&[asked("go"), answered.clone()])),
        ("p/home-me/agent-transcripts/s1/subagents/s2.jsonl", &lines(&[asked("look"), answered])),
    ]);
    let store = forebear::in_memory().unwrap();
    assert_eq!(imported(&store, &folder).stored, 4);
    assert_eq!(imported(&store, &folder).stored, 0);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.session("s2").unwrap().unwrap().parent.as_deref(), Some("s1"));
    assert!(texts(&store).contains_key("look"));
    assert_eq!(of_session(&store, "s1")[0].label("project"), Some("home-me"));
}

#[test]
fn what_failed_and_who_spoke_reads_alike_in_all_formats() {
    for (format, line, role, is_error, exit_code) in [
        (
            "gemini",
            json!({"id": "a", "type": "gemini", "content": "", "toolCalls": [{"id": "c", "name": "run_shell_command", "status": "success",
            "result": [{"functionResponse": {"id": "c", "name": "run_shell_command", "response": {"output": "Output: Exit Code: 7\nExit Code: 2\n"}}}]}]}),
            Role::Assistant,
            false,
            Some(2),
        ),
        (
            "gemini",
            json!({"id": "a", "type": "gemini", "content": "", "toolCalls": [{"id": "c", "name": "x", "status": "error"}]}),
            Role::Assistant,
            true,
            None,
        ),
        (
            "pi",
            json!({"type": "message", "id": "a", "message": {"role": "toolResult", "toolCallId": "c", "isError": true,
            "content": [{"type": "text", "text": "Command exited with code 9\n\nCommand exited with code 3"}]}}),
            Role::Tool,
            true,
            Some(3),
        ),
        (
            "pi",
            json!({"type": "message", "id": "a", "message": {"role": "toolResult", "toolCallId": "c", "isError": false,
            "content": "Command exited with code 9"}}),
            Role::Tool,
            false,
            None,
        ),
        (
            "codex-exec",
            json!({"type": "item.completed", "item": {"id": "i", "type": "command_execution", "status": "failed", "exit_code": 4}}),
            Role::Tool,
            true,
            Some(4),
        ),
    ] {
        let line = line.to_string();
        let reading = read(format, &line);
        let result = &reading.results[0];
        assert_eq!(
            (reading.role, result.is_error, result.exit_code),
            (Some(role), is_error, exit_code),
            "{line}"
        );
    }
    for (format, line) in [
        (
            "gemini",
            json!({"id": "a", "type": "gemini", "content": "", "toolCalls": [{"id": "c", "name": "x", "status": "cancelled"}]}),
        ),
        ("gemini", json!({"id": "a", "type": "info", "content": "Request cancelled."})),
        (
            "pi",
            json!({"type": "message", "id": "a", "message": {"role": "assistant", "content": [], "stopReason": "aborted"}}),
        ),
        ("cursor", json!({"type": "turn_ended", "status": "aborted"})),
        (
            "codex-exec",
            json!({"type": "item.completed", "item": {"id": "i", "type": "command_execution", "status": "declined"}}),
        ),
    ] {
        assert!(read(format, &line.to_string()).is_interrupted(), "{format}: {line}");
    }
}

#[test]
fn streams_and_audits_are_of_the_session_that_they_name() {
    let line = |kind: &str, n: u32, more: Value| {
        let mut line = json!({"type": kind, "session_id": SESSION, "parent_tool_use_id": null,
            "uuid": format!("00000000-0000-4000-8000-0000000000{n:02}")});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    };
    let usage = json!({"input_tokens": 5, "output_tokens": 7});
    let run = [
        line(
            "system",
            1,
            json!({"subtype": "init", "cwd": "/home/me/work", "model": "m", "tools": []}),
        ),
        line(
            "assistant",
            2,
            json!({"message": {"id": "m1", "role": "assistant", "usage": usage,
            "content": [{"type": "tool_use", "id": "t1", "name": "Task", "input": {"prompt": "x"}}]}}),
        ),
        line(
            "user",
            3,
            json!({"parent_tool_use_id": "t1", "message": {"role": "user", "content": "x"}}),
        ),
        line(
            "assistant",
            4,
            json!({"parent_tool_use_id": "t1", "message": {"id": "m2", "role": "assistant", "content": "y", "usage": usage}}),
        ),
        line(
            "user",
            5,
            json!({"message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1",
            "is_error": true, "content": "Exit code 3\nno"}]}}),
        ),
        line(
            "result",
            6,
            json!({"subtype": "error_max_turns", "is_error": true, "num_turns": 2, "usage": usage}),
        ),
    ];
    let audit = run.clone().map(|mut line| {
        line["_audit_timestamp"] = json!("2026-03-01T10:00:01.000Z");
        line
    });
    for (format, lines_of, made_up) in [("claude-stream", &run, 6), ("cowork", &audit, 0)] {
        let store = forebear::in_memory().unwrap();
        let folder = files(&[("x/audit.jsonl", &lines(lines_of))]);
        let report = imported(&store, &folder);
        assert_eq!(
            (report.stored, report.times_made_up, &*report.read_as[0].1),
            (6, made_up, format)
        );
        assert_eq!(imported(&store, &folder).stored, 0);
        let found = events(&store);
        assert!(found.iter().all(|event| event.session() == Some(SESSION)), "{format}");
        assert_eq!(
            found[2].parent(),
            Some(found[1].id()),
            "an agent's first line hangs on its call"
        );
        assert_eq!(found[4].parent(), Some(found[1].id()), "the main line goes on from its own");
        let answered = lines_of[4].to_string();
        let result = read(format, &answered).results.remove(0);
        assert_eq!((result.is_error, result.exit_code), (true, Some(3)));
        let all = store.snapshot().session(SESSION).unwrap().unwrap();
        assert_eq!(all.status, forebear::SessionStatus::Failed);
        assert!(read(format, &lines_of[5].to_string()).usage.is_none(), "the sum is no message");
    }
}

#[test]
fn qwen_is_told_from_claude_code_and_droid_s_settings_have_its_tokens() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let tokens = |format: &str, session: &str| {
        let store = forebear::in_memory().unwrap();
        let options = IngestOptions::new([samples.join(format)]);
        let report = import(&store, &options, |_| ControlFlow::Continue(())).unwrap();
        assert!(report.read_as.iter().all(|(_, read_as)| read_as == format), "{report:?}");
        let tokens = store.snapshot().session(session).unwrap().unwrap().tokens;
        (tokens.input, tokens.output, tokens.cache_read, tokens.cache_written)
    };
    assert_eq!(tokens("qwen", "0000a0e0-0000-4000-8000-000000000001"), (60, 15, 40, 0));
    assert_eq!(tokens("droid", "0000d0d0-0000-4000-8000-000000000001"), (10, 23, 5, 1));

    let start = |id: &str, more: Value| {
        let mut line =
            json!({"type": "session_start", "id": id, "cwd": "/home/me/work", "title": "x"});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    };
    let entry = |id: &str, message: Value| json!({"type": "message", "id": id, "timestamp": "2026-03-01T10:00:01.000Z", "message": message});
    let call = json!([{"type": "tool_use", "id": "t7", "name": "Task", "input": {"prompt": "x"}}]);
    let parent = lines(&[
        start("p", json!({})),
        entry("m", json!({"role": "user", "content": "go"})),
        entry("m2", json!({"role": "assistant", "content": call})),
    ]);
    let child = lines(&[
        start("c", json!({"callingSessionId": "p", "callingToolUseId": "t7"})),
        entry("m", json!({"role": "user", "content": "x"})),
    ]);
    for order in [["p", "c"], ["c", "p"]] {
        let store = forebear::in_memory().unwrap();
        for name in order {
            let text = if name == "p" { &parent } else { &child };
            imported(&store, &files(&[(&format!("{name}.jsonl"), text)]));
        }
        let last = of_session(&store, "c").pop().unwrap();
        let chain: Vec<_> = store
            .snapshot()
            .chain(last.id().clone())
            .unwrap()
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(
            chain
                .iter()
                .any(|event| event.session() == Some("p") && event.kind() == "user_message")
        );
    }
}

fn read<'p>(format: &str, line: &'p str) -> Reading<'p> {
    let reader = Registry::default().find(format).unwrap().payloads().unwrap();
    reader.read(&Payload::new("", line.as_bytes()))
}

/// The newest version of each event that says something, by what it says.
fn texts(store: &Store) -> BTreeMap<String, StoredEvent> {
    let readings = Registry::default().readings();
    let mut found = BTreeMap::new();
    let mut of_id = BTreeMap::<EventId, String>::new();
    for event in events(store) {
        let format = if event.label("project") == Some("home-me") { "cursor" } else { "gemini" };
        let reading = readings.read(Some(format), &Payload::of_stored(&event));
        let text = reading.text.to_string();
        if !text.is_empty() {
            if let Some(before) = of_id.insert(event.id().clone(), text.clone()) {
                found.remove(&before);
            }
            found.insert(text, event);
        }
    }
    found
}

fn of_session(store: &Store, session: &str) -> Vec<StoredEvent> {
    events(store).into_iter().filter(|event| event.session() == Some(session)).collect()
}

/// All events, in the order they came in.
fn events(store: &Store) -> Vec<StoredEvent> {
    let snapshot = store.snapshot();
    let mut events: Vec<_> =
        snapshot.events(Filter::new()).into_iter().map(Result::unwrap).collect();
    events.sort_by_key(StoredEvent::seq);
    events
}
