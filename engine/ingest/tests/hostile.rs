//! Files that are made to break the import, or that a program wrote in another way than
//! usual: each costs itself, and what can be stored of the others is.

#![allow(clippy::unwrap_used)]

mod support {
    pub(crate) mod files;
}

use std::fs;
use std::ops::ControlFlow;

use forebear::ingest::{Follower, ImportReport, IngestOptions, Registry, import};
use forebear::{Filter, Store, StoredEvent, limits};
use serde_json::{Value, json};
use support::files::{files, imported};

fn lines(values: &[Value]) -> String {
    let lines: Vec<String> = values.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

fn events(store: &Store) -> Vec<StoredEvent> {
    store.snapshot().events(Filter::new()).into_iter().map(Result::unwrap).collect()
}

fn import_once(store: &Store, folder: &tempfile::TempDir) -> ImportReport {
    import(store, &IngestOptions::new([folder.path()]), |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn what_is_over_a_limit_of_the_store_is_quarantined_and_all_else_is_read() {
    let long = "x".repeat(limits::MAX_NAME_BYTES + 10);
    let chat = |id: &str| json!({"id": id, "timestamp": "2026-03-01T10:00:00Z", "type": "user", "content": "hi"});
    let header = json!({"sessionId": "s", "projectHash": "h", "startTime": "2026-03-01T10:00:00Z",
        "directories": [format!("/home/{long}")]});
    let meta = json!({"timestamp": "2026-03-01T10:00:00Z", "type": "session_meta", "payload": {"id": "t"}});
    let response = |id: &str| {
        json!({"timestamp": "2026-03-01T10:00:01Z", "type": "token_usage_record",
            "payload": {"response_id": id, "usage": {"input_tokens": 9, "output_tokens": 1}}})
    };
    let labels: serde_json::Map<String, Value> =
        (0..80).map(|n| (format!("k{n}"), json!("v"))).collect();
    let many = json!({"id": "many", "kind": "note", "labels": labels});
    let folder = files(&[
        ("gemini.jsonl", &lines(&[header, chat("a"), chat("b")])),
        ("codex.jsonl", &lines(&[meta, response(&long), response("short")])),
        (
            "other.jsonl",
            &lines(&[
                json!({"id": "one", "kind": "note"}),
                many,
                json!({"id": "two", "kind": "note"}),
            ]),
        ),
    ]);
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &folder);
    assert_eq!(report.read_as.len(), 3);
    let quarantined = store.snapshot().quarantined().page().unwrap().items;
    assert_eq!(quarantined.len() as u64, report.bad_lines, "{report:?}");
    let reasons: Vec<&str> = quarantined.iter().map(|one| &*one.reason).collect();
    assert!(reasons.iter().all(|why| why.contains("expected")), "{reasons:?}");
    assert!(reasons.iter().any(|why| why.contains("usage message")), "{reasons:?}");
    for id in ["one", "two"] {
        assert!(store.snapshot().contains(id).unwrap(), "{id}");
    }
    // Its folder's name is cut; the messages are there.
    assert_eq!(events(&store).iter().filter(|event| event.kind() == "user_message").count(), 2);
    assert_eq!(imported(&store, &folder).stored, 0);
}

#[test]
fn results_nested_in_each_other_take_no_stack() {
    let deep = format!("{}1{}", "{\"Ok\":".repeat(200_000), "}".repeat(200_000));
    let item = |result: &str| {
        format!(
            "{{\"timestamp\":\"2026-03-01T10:00:01Z\",\"type\":\"event_msg\",\"payload\":{{\"type\":\
             \"mcp_tool_call_end\",\"call_id\":\"c\",\"result\":{result}}}}}\n"
        )
    };
    let meta = json!({"timestamp": "2026-03-01T10:00:00Z", "type": "session_meta", "payload": {"id": "t"}});
    let failed = item(r#"{"Ok":{"content":[{"type":"text","text":"no"}],"isError":true}}"#);
    let folder = files(&[("codex.jsonl", &format!("{meta}\n{}{failed}", item(&deep)))]);
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &folder);
    assert_eq!((report.without_id, report.bad_lines), (3, 0), "{report:?}");
    let errors = store.snapshot().events(Filter::new().errors()).page().unwrap().items;
    assert_eq!(errors.len(), 1, "the one level that there is, is read");
}

#[test]
fn a_document_that_changed_is_read_again() {
    let chat = |texts: &[&str]| {
        let messages: Vec<Value> = texts
            .iter()
            .map(|text| json!({"id": format!("m-{text}"), "timestamp": "2026-03-01T10:00:00Z", "type": "user", "content": text}))
            .collect();
        let chat = json!({"sessionId": "s", "projectHash": "h",
            "startTime": "2026-03-01T10:00:00Z", "messages": messages});
        serde_json::to_string_pretty(&chat).unwrap()
    };
    let folder = files(&[("chats/session-1.json", &chat(&["a", "b"]))]);
    let path = folder.path().join("chats/session-1.json");
    let store = forebear::in_memory().unwrap();
    let mut follower = Follower::new(&store, IngestOptions::new([folder.path()])).unwrap();
    assert_eq!(import_once(&store, &folder).failed_files, []);
    let messages =
        |store: &Store| events(store).iter().filter(|one| one.kind() == "user_message").count();
    assert_eq!(messages(&store), 2);
    for (texts, expected) in
        [(&["a", "b", "c"][..], 3), (&["z", "b", "c"], 4), (&["a"], 4), (&["y"], 5)]
    {
        fs::write(&path, chat(texts)).unwrap();
        let report = import_once(&store, &folder);
        assert_eq!(report.failed_files, [], "{texts:?}");
        assert_eq!(messages(&store), expected, "{texts:?}");
        while follower.poll_once().unwrap().more {}
        assert_eq!(follower.status().failing, [], "{texts:?}");
    }
}

#[test]
fn a_file_of_lines_is_no_document_whatever_its_lines_hold() {
    let message =
        |id: &str| json!({"id": id, "sessionID": "ses_1", "role": "user", "time": {"created": 1}});
    let one = format!("{}\n", message("msg_1"));
    let two = format!("{}\n{}\n", message("msg_1"), message("msg_2"));
    let cut =
        format!("{{\"id\":\"msg_1\",\"sessionID\":\"ses_1\",\"role\":\"{}", "x".repeat(70_000));
    let registry = Registry::default();
    let of = |path: &str, head: &str| {
        let found = registry.recognise(path.as_ref(), head.as_bytes());
        found.map(|adapter| adapter.name().to_owned()).ok()
    };
    for head in [&one, &two, &cut] {
        assert_eq!(of("/x/log.jsonl", head).as_deref(), Some("ndjson"), "{head:.80}");
    }
    assert_eq!(of("/x/message/ses_1/msg_1.json", &one).as_deref(), Some("opencode"));
    assert_ne!(of("/x/message/ses_1/msg_1.json", &two).as_deref(), Some("opencode"));
    let pretty = serde_json::to_string_pretty(&message("msg_1")).unwrap();
    assert_eq!(of("/x/log.jsonl", &pretty).as_deref(), Some("opencode"));
}

#[test]
fn runs_that_name_their_items_alike_keep_their_failures_apart() {
    let failed = json!({"type": "item.completed", "item": {"id": "item_0", "type": "command_execution",
        "command": "make", "aggregated_output": "no", "exit_code": 2, "status": "failed"}});
    let begun = |thread: &str| json!({"type": "thread.started", "thread_id": thread});
    for threads in [["a", "b"], ["a", "a"]] {
        let [first, second] = threads.map(begun);
        let text = lines(&[first, failed.clone(), second, failed.clone()]);
        let folder = files(&[("run.jsonl", &text)]);
        let store = forebear::in_memory().unwrap();
        imported(&store, &folder);
        let errors = Filter::new().errors().label("tool", "command_execution");
        assert_eq!(store.snapshot().events(errors).page().unwrap().items.len(), 2, "{threads:?}");
    }
}

#[test]
fn a_stream_is_known_though_its_hooks_speak_before_it_begins() {
    let line = |subtype: &str| {
        json!({"type": "system", "subtype": subtype, "uuid": "u", "session_id": "s",
        "hook_name": "SessionStart:startup", "hook_event": "SessionStart"})
    };
    for subtype in ["hook_started", "hook_progress", "hook_response"] {
        let head = line(subtype).to_string();
        let found = Registry::default().recognise("/x/run.jsonl".as_ref(), head.as_bytes());
        assert_eq!(found.unwrap().name(), "claude-stream", "{subtype}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_never_opened() {
    let folder = files(&[("a.jsonl", "{\"id\":\"a\",\"kind\":\"note\"}\n")]);
    for name in ["pipe.db", "pipe.jsonl"] {
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(name)).status();
        assert!(made.unwrap().success());
    }
    std::os::unix::fs::symlink(folder.path().join("pipe.db"), folder.path().join("link.db"))
        .unwrap();
    let store = forebear::in_memory().unwrap();
    assert_eq!(imported(&store, &folder).events, 1);
    let mut follower = Follower::new(&store, IngestOptions::new([folder.path()])).unwrap();
    while follower.poll_once().unwrap().more {}
    assert_eq!(follower.status().failing, []);
}
