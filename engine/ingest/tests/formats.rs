//! Each format comes in whole, once and as it says, in whatever order its files and
//! lines come, and is known by its content.

#![allow(clippy::unwrap_used)]

mod support {
    pub(crate) mod files;
}

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;

use forebear::ingest::{Follower, IngestOptions, Mapping, append_hook, import};
use forebear::{CountBy, EventId, Filter, LinkKind, Snapshot, Store};
use serde_json::{Value, json};

use support::files::{files, imported, imported_with};

#[test]
fn lines_of_json_are_what_their_fields_say_in_any_order() {
    let mut lines = Vec::new();
    let mut expected = BTreeMap::new();
    for n in 0..400_u64 {
        let parent = (n % 7 != 0).then(|| format!("span-{}", n * 31 % 400));
        let object = json!({
            "span_id": format!("span-{n}"), "caused_by": parent, "event": format!("kind-{}", n % 5),
            "ts": 1_700_000_000_000 + n, "worker": format!("w{}", n % 3), "trace_id": "t",
            "level": if n % 2 == 0 { "info" } else { "warn" }, "body": {"n": n},
        });
        let named = parent.unwrap_or_default();
        let row = (named, format!("kind-{}", n % 5), (1_700_000_000_000 + n) * 1_000_000);
        expected.insert(format!("span-{n}"), row);
        lines.push(object.to_string());
    }
    for order in orders(&lines) {
        let folder = files(&[("log.ndjson", &order)]);
        let store = forebear::in_memory().unwrap();
        assert_eq!(imported(&store, &folder).events, 400);
        assert_eq!(imported(&store, &folder).repeats, 400);
        let found = rows(&store).into_iter().map(|row| {
            let time = u64::try_from(row.time_ns).unwrap();
            (row.id, (row.parent.unwrap_or_default(), row.kind, time))
        });
        assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
        let warnings = Filter::new().label("level", "warn").instance("w1").session("t");
        assert_eq!(count(&store.snapshot(), &warnings), 67);
    }
}

#[test]
fn a_mapping_says_which_field_is_what() {
    let folder = files(&[(
        "log.jsonl",
        "{\"uuid\":\"not it\",\"key\":{\"id\":\"a\"},\"at\":5,\"what\":\"boot\"}\n\
         {\"key\":{\"id\":\"b\"},\"why\":{\"id\":\"a\"},\"at\":6,\"svc.name\":\"web\"}\n",
    )]);
    let mapping: Mapping = r#"{"id":"key.id","parent":"why.id","time":"at","time_unit":"ms",
        "kind":["what"],"labels":{"service":"svc.name"}}"#
        .parse()
        .unwrap();
    let store = forebear::in_memory().unwrap();
    let options = IngestOptions::new([folder.path()]).mapping(mapping);
    import(&store, &options, |_| ControlFlow::Continue(())).unwrap();
    let found = rows(&store);
    let [a, b] = &found[..] else { panic!("two events, not {found:?}") };
    assert_eq!((&*a.id, &*a.kind, a.time_ns), ("a", "boot", 5_000_000));
    assert_eq!((&*b.id, b.parent.as_deref(), &*b.kind), ("b", Some("a"), "unknown"));
    assert_eq!(b.labels, [("service".to_owned(), "web".to_owned())]);
}

#[test]
fn equal_lines_without_an_id_are_all_kept_once() {
    let folder = files(&[("log.jsonl", "{\"kind\":\"tick\",\"ts\":1}\n".repeat(5).as_str())]);
    let store = forebear::in_memory().unwrap();
    assert_eq!(imported(&store, &folder).without_id, 5);
    imported(&store, &folder);
    assert_eq!(count(&store.snapshot(), &Filter::new()), 5);
}

const ROLLOUT: &str = r#"{"timestamp":"2026-03-01T10:00:00.000Z","type":"session_meta","payload":{"id":"0199a213-81c0-7800-8aa1-bbab2a035a53","cwd":"/home/me/work","cli_version":"0.99.0","git":{"branch":"main"}}}
{"timestamp":"2026-03-01T10:00:01.000Z","type":"turn_context","payload":{"cwd":"/home/me/work","model":"m-1"}}
{"timestamp":"2026-03-01T10:00:02.000Z","type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"go"}]}}
{"timestamp":"2026-03-01T10:00:03.000Z","type":"response_item","payload":{"type":"function_call","name":"exec_command","arguments":"{}","call_id":"c1"}}
{"timestamp":"2026-03-01T10:00:03.000Z","type":"response_item","payload":{"type":"custom_tool_call","name":"apply_patch","input":"x","call_id":"c2"}}
{"timestamp":"2026-03-01T10:00:04.000Z","type":"response_item","payload":{"type":"function_call_output","call_id":"c1","output":"done"}}
{"timestamp":"2026-03-01T10:00:04.000Z","type":"event_msg","payload":{"type":"token_count","info":null}}
{"timestamp":"2026-03-01T10:00:04.000Z","type":"event_msg","payload":{"type":"token_count","info":null}}
{"timestamp":"2026-03-01T10:00:05.000Z","type":"response_item","payload":{"type":"custom_tool_call_output","call_id":"c2","output":{"success":false}}}
{"timestamp":"2026-03-01T10:00:06.000Z","type":"compacted","payload":{"message":"so far"}}
{"timestamp":"2026-03-01T10:00:07.000Z","type":"response_item","payload":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"done"}]}}
"#;
const OLD_ROLLOUT: &str = r#"{"id":"c3c4b301-27c8-4c70-b6e4-46b99fdf0236","timestamp":"2025-08-18T01:16:13.522Z","instructions":null,"git":{"branch":"old"}}
{"record_type":"state"}
{"type":"message","id":null,"role":"user","content":[{"type":"input_text","text":"go"}]}
{"type":"function_call","id":"fc","name":"shell","arguments":"{}","call_id":"c1"}
{"record_type":"state"}
{"type":"function_call_output","call_id":"c1","output":"done"}
"#;

#[test]
fn rollouts_are_chained_and_outputs_hang_on_their_calls() {
    for (text, session) in [
        (ROLLOUT, "0199a213-81c0-7800-8aa1-bbab2a035a53"),
        (OLD_ROLLOUT, "c3c4b301-27c8-4c70-b6e4-46b99fdf0236"),
    ] {
        let folder = files(&[("rollout-2026-03-01T10-00-00-x.jsonl", text)]);
        let store = forebear::in_memory().unwrap();
        let report = imported(&store, &folder);
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(report.without_id as usize, lines.len());
        let again = imported(&store, &folder);
        assert_eq!(
            (again.without_id as usize, again.times_made_up),
            (lines.len(), report.times_made_up)
        );
        let found = rows(&store);
        assert_eq!(found.len(), lines.len());
        // Each line's own event: the first of equal ones not yet taken.
        let mut taken = BTreeSet::new();
        let mut ids: Vec<String> = Vec::new();
        let mut calls = BTreeMap::new();
        for (line, text) in lines.iter().zip(text.lines()) {
            let parts = line.get("payload").unwrap_or(line);
            let call = parts["call_id"].as_str();
            let is_output = parts["type"].as_str().is_some_and(|t| t.ends_with("_output"));
            let parent = match call {
                Some(call) if is_output => calls.get(call).cloned(),
                _ => ids.last().cloned(),
            };
            let row = found.iter().find(|row| {
                row.payload == text.as_bytes() && row.parent == parent && !taken.contains(&row.id)
            });
            let row = row.unwrap_or_else(|| panic!("{text} is there and hangs on {parent:?}"));
            assert_eq!(row.session.as_deref(), Some(session));
            taken.insert(row.id.clone());
            ids.push(row.id.clone());
            if let Some(call) = call
                && !is_output
            {
                calls.insert(call.to_owned(), row.id.clone());
            }
        }
    }
}

#[test]
fn rollouts_say_their_kinds_models_and_failures() {
    let folder = files(&[("rollout-x.jsonl", ROLLOUT)]);
    let store = forebear::in_memory().unwrap();
    imported(&store, &folder);
    let snapshot = store.snapshot();
    let kinds = snapshot.counts(CountBy::Kind, Filter::new()).page().unwrap().items;
    let kinds: BTreeMap<_, _> = kinds.iter().map(|count| (&*count.value, count.count)).collect();
    let expected = [
        ("assistant_message", 1),
        ("compacted", 1),
        ("event_msg", 2),
        ("session_meta", 1),
        ("tool_result", 2),
        ("tool_use", 2),
        ("turn_context", 1),
        ("user_message", 1),
    ];
    assert_eq!(kinds, BTreeMap::from(expected));
    for (key, value, expected) in [
        ("model", "m-1", 10),
        ("project", "work", 11),
        ("branch", "main", 1),
        // The call, and its result.
        ("tool", "exec_command", 2),
        ("tool_use_id", "c2", 2),
        ("subtype", "token_count", 2),
    ] {
        let filter = Filter::new().label(key, value);
        assert_eq!(count(&snapshot, &filter), expected, "{key}={value}");
    }
    assert_eq!(count(&snapshot, &Filter::new().errors()), 1);
    let continued = rows(&store).into_iter().filter(|row| row.link == Some(LinkKind::Continues));
    assert_eq!(continued.map(|row| row.kind).collect::<Vec<_>>(), ["compacted"]);
}

const COPILOT: &str = r#"{"type":"session.start","data":{"sessionId":"s-1","copilotVersion":"0.0.407","context":{"cwd":"/home/me/work","branch":"main"}},"id":"e1","timestamp":"2026-03-01T10:00:00Z","parentId":null}
{"type":"user.message","data":{"content":"go"},"id":"e2","timestamp":"2026-03-01T10:00:01Z","parentId":"e1"}
{"type":"assistant.message","data":{"content":"","toolRequests":[{"toolCallId":"c1","name":"bash"}]},"id":"e3","timestamp":"2026-03-01T10:00:02Z","parentId":"e2"}
{"type":"tool.execution_start","data":{"toolCallId":"c1","toolName":"bash","arguments":{}},"id":"e4","timestamp":"2026-03-01T10:00:03Z","parentId":"e3"}
{"type":"tool.execution_complete","data":{"toolCallId":"c1","success":false},"id":"e5","timestamp":"2026-03-01T10:00:04Z","parentId":"e4"}
{"type":"subagent.started","agentId":"a1","data":{"toolCallId":"c2","agentName":"explore"},"id":"e6","timestamp":1772359205000,"parentId":"e5"}
{"type":"assistant.turn_end","data":{},"id":"e7","timestamp":"2026-03-01T10:00:06Z","parentId":"e6"}
"#;

#[test]
fn copilot_logs_keep_their_ids_and_parents_in_any_order() {
    let lines: Vec<String> = COPILOT.lines().map(str::to_owned).collect();
    for order in orders(&lines) {
        let folder = files(&[("session-state/s-1/events.jsonl", &order)]);
        let store = forebear::in_memory().unwrap();
        assert_eq!(imported(&store, &folder).events, 7);
        assert_eq!(imported(&store, &folder).repeats, 7);
        for (row, line) in rows(&store).iter().zip(&lines) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(row.id, line["id"].as_str().unwrap());
            assert_eq!(row.parent.as_deref(), line["parentId"].as_str());
            assert_eq!(row.session.as_deref(), Some("s-1"));
        }
        let kinds: Vec<_> = rows(&store).into_iter().map(|row| row.kind).collect();
        let expected = [
            "session.start",
            "user_message",
            "assistant_message",
            "tool_use",
            "tool_result",
            "subagent.started",
            "assistant.turn_end",
        ];
        assert_eq!(kinds, expected);
        assert_eq!(rows(&store)[5].time_ns, 1_772_359_205_000_000_000);
        let snapshot = store.snapshot();
        assert_eq!(count(&snapshot, &Filter::new().errors()), 1);
        assert_eq!(count(&snapshot, &Filter::new().instance("a1")), 1);
        assert_eq!(count(&snapshot, &Filter::new().label("tool_use_id", "c1")), 2);
    }
}

/// Each payload, and which one it hangs on.
const HOOKS: &[(&str, Option<usize>)] = &[
    (
        r#"{"session_id":"s","hook_event_name":"SessionStart","source":"startup","cwd":"/p/work"}"#,
        None,
    ),
    (r#"{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"go"}"#, Some(0)),
    (
        r#"{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"Task","tool_use_id":"t1","tool_input":{"subagent_type":"explore"}}"#,
        Some(1),
    ),
    (
        r#"{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"Agent","tool_use_id":"t2","tool_input":{"subagent_type":"review"}}"#,
        Some(2),
    ),
    (
        r#"{"session_id":"s","hook_event_name":"SubagentStart","agent_id":"a2","agent_type":"review"}"#,
        Some(3),
    ),
    (
        r#"{"session_id":"s","hook_event_name":"SubagentStart","agent_id":"a1","agent_type":"explore"}"#,
        Some(2),
    ),
    (
        r#"{"session_id":"s","hook_event_name":"PreToolUse","agent_id":"a1","tool_name":"Bash","tool_use_id":"t3","tool_input":{}}"#,
        Some(5),
    ),
    (r#"{"session_id":"other","hook_event_name":"Stop"}"#, None),
    (
        r#"{"session_id":"s","hook_event_name":"PreToolUse","agent_id":"a2","tool_name":"Read","tool_use_id":"t4","tool_input":{}}"#,
        Some(4),
    ),
    (
        r#"{"session_id":"s","hook_event_name":"PostToolUseFailure","agent_id":"a1","tool_name":"Bash","tool_use_id":"t3","error":"no"}"#,
        Some(6),
    ),
    (
        r#"{"session_id":"s","hook_event_name":"PostToolUse","agent_id":"a2","tool_name":"Read","tool_use_id":"t4"}"#,
        Some(8),
    ),
    (r#"{"session_id":"s","hook_event_name":"SubagentStop","agent_id":"a1"}"#, Some(9)),
    (
        r#"{"session_id":"s","hook_event_name":"PostToolUse","tool_name":"Task","tool_use_id":"t1"}"#,
        Some(2),
    ),
    (r#"{"session_id":"s","hook_event_name":"Stop"}"#, Some(12)),
    (r#"{"session_id":"s","hook_event_name":"Stop"}"#, Some(13)),
];

#[test]
fn hooks_hang_on_their_calls_and_on_what_came_before() {
    let text = hook_lines();
    let folder = files(&[("hooks.jsonl", &text)]);
    let of_file = forebear::in_memory().unwrap();
    assert_eq!(imported(&of_file, &folder).without_id as usize, HOOKS.len());
    imported(&of_file, &folder);
    check_hooks(&of_file);

    let one_by_one = forebear::in_memory().unwrap();
    for ((payload, _), time_ns) in HOOKS.iter().zip(0..) {
        append_hook(&one_by_one, payload, time_ns).unwrap();
    }
    for ((payload, _), n) in HOOKS.iter().zip(0_u32..) {
        let again = append_hook(&one_by_one, payload, i64::from(n)).unwrap();
        assert_eq!(again.seq, u64::from(n) + 1);
    }
    check_hooks(&one_by_one);
}

/// The payloads, each on a line.
fn hook_lines() -> String {
    let lines: Vec<&str> = HOOKS.iter().map(|(payload, _)| *payload).collect();
    lines.join("\n") + "\n"
}

fn check_hooks(store: &Store) {
    let mut found = rows(store);
    assert_eq!(found.len(), HOOKS.len());
    found.sort_by_key(|row| row.seq);
    for (row, (payload, parent)) in found.iter().zip(HOOKS) {
        assert_eq!(row.payload, payload.as_bytes());
        let expected = parent.map(|at| found[at].id.clone());
        assert_eq!(row.parent, expected, "{payload}");
        let spawned = row.kind == "SubagentStart";
        assert_eq!(row.link == Some(LinkKind::Spawned), spawned, "{payload}");
    }
    let snapshot = store.snapshot();
    assert_eq!(count(&snapshot, &Filter::new().errors()), 1);
    assert_eq!(count(&snapshot, &Filter::new().label("tool_use_id", "t3")), 2);
}

#[test]
fn what_is_no_hook_is_refused_and_says_why() {
    let store = forebear::in_memory().unwrap();
    for payload in ["", "[]", "{\"session_id\":\"s\"", "{\"hook_event_name\":\"Stop\"}", "7"] {
        let error = append_hook(&store, payload, 0).unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("hook"), "{payload}: {error}");
    }
}

const ITEMS: &str = r#"{"id":"eg-1","title":"Build","status":"open","priority":2,"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}
{"id":"eg-2","title":"Test","status":"open","priority":1,"created_at":"2026-01-01T00:00:01Z","updated_at":"2026-01-01T00:00:01Z"}
{"id":"eg-1","title":"Build","status":"closed","priority":2,"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-02T00:00:00Z"}
"#;
const EDGES: &str = r#"{"from_id":"eg-2","to_id":"eg-1","kind":"blocks","created_at":"2026-01-01T00:00:02Z"}
{"from_id":"eg-2","to_id":"eg-1","kind":"blocks","created_at":"2026-01-01T00:00:02Z","deleted":true}
{"from_id":"eg-2","to_id":"eg-1","kind":"related","created_at":"2026-01-01T00:00:03Z"}
"#;
const EVENTS: &str = r#"{"id":"eg-evt-1","kind":"task_started","source_task":"eg-1","timestamp":"2026-01-01T01:00:00Z"}
{"id":"eg-evt-2","kind":"nudge_sent","source_task":"eg-2","target_task":"eg-1","payload":{"n":1},"timestamp":"2026-01-01T02:00:00Z"}
{"id":"eg-evt-3","kind":"nudge_sent","source_task":"eg-1","target_task":"eg-2","payload":{"n":2},"timestamp":"2026-01-01T03:00:00Z"}
{"id":"eg-evt-4","kind":"main_updated","timestamp":"2026-01-01T04:00:00Z"}
{"id":"eg-evt-5","kind":"sync_relayed","target_task":"eg-2","timestamp":"2026-01-01T05:00:00Z"}
"#;

#[test]
fn the_events_of_a_task_are_found_as_source_and_as_target() {
    let folder = files(&[
        (".engram/items.jsonl", ITEMS),
        (".engram/edges.jsonl", EDGES),
        (".engram/events.jsonl", EVENTS),
    ]);
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &folder);
    assert_eq!((report.events, report.versions), (9, 2));
    let again = imported(&store, &folder);
    assert_eq!((again.events, again.versions, again.repeats), (0, 0, 11));

    let snapshot = store.snapshot();
    for task in ["eg-1", "eg-2"] {
        let of_task = |field: &str, value: &Value| value[field].as_str() == Some(task);
        let lines = EVENTS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let expected: BTreeSet<String> = lines
            .filter(|line| of_task("source_task", line) || of_task("target_task", line))
            .map(|line| line["id"].as_str().unwrap().to_owned())
            .collect();
        let filter = Filter::new().label_of_any(["source_task", "target_task"], task);
        let mut found = BTreeSet::new();
        for event in snapshot.events(&filter).limit(1) {
            let id = event.unwrap().id().to_string();
            if id.starts_with("eg-evt-") {
                assert!(found.insert(id), "each comes once");
            }
        }
        assert_eq!(found, expected);
        let nudges = filter.kind("nudge_sent");
        assert_eq!(count(&snapshot, &nudges), 2);
    }
    let sources = CountBy::Label("source_task".to_owned());
    let counts = snapshot.counts(sources, Filter::new().kind("nudge_sent")).page().unwrap().items;
    let counts: BTreeMap<_, _> =
        counts.into_iter().map(|count| (count.value, count.count)).collect();
    assert_eq!(counts, BTreeMap::from([("eg-1".to_owned(), 1), ("eg-2".to_owned(), 1)]));
    let parent = snapshot.get("eg-evt-2").unwrap().unwrap().parent().cloned();
    assert_eq!(parent, Some(EventId::from("eg-2")));
    let removed = Filter::new().label("removed", "true").label("edge", "blocks");
    assert_eq!(count(&snapshot, &removed), 1);
}

#[test]
fn files_of_all_formats_come_in_together_each_as_its_own() {
    let claude = "{\"type\":\"user\",\"uuid\":\"u1\",\"sessionId\":\"c\",\"timestamp\":\"2026-01-01T00:00:00Z\"}\n\
                  {\"type\":\"assistant\",\"uuid\":\"u2\",\"parentUuid\":\"u1\",\"sessionId\":\"c\"}\n";
    let hooks = hook_lines();
    let all = [
        (".engram/events.jsonl", EVENTS),
        ("claude/c.jsonl", claude),
        ("codex/rollout-a.jsonl", ROLLOUT),
        ("codex/rollout-b.jsonl", OLD_ROLLOUT),
        ("copilot/s-1/events.jsonl", COPILOT),
        ("hooks.jsonl", &hooks),
        ("other.ndjson", "{\"id\":\"n1\"}\n{\"id\":\"n2\",\"parent\":\"n1\"}\n"),
    ];
    let together = forebear::in_memory().unwrap();
    let report = imported(&together, &files(&all));
    assert_eq!(report.bad_lines, 0);
    let lines: usize = all.iter().map(|(_, text)| text.lines().count()).sum();
    assert_eq!((report.events + report.without_id) as usize, lines);

    let alone = forebear::in_memory().unwrap();
    for file in all.iter().rev() {
        imported(&alone, &files(&[*file]));
    }
    let without_seq = |store: &Store| {
        let rows = rows(store).into_iter().map(|row| Row { seq: 0, time_ns: 0, ..row });
        rows.collect::<Vec<_>>()
    };
    assert_eq!(without_seq(&together), without_seq(&alone));
}

#[test]
fn a_document_is_refused_whole_and_not_line_by_line() {
    let pretty = serde_json::to_string_pretty(&json!([{"uuid": "a"}, {"uuid": "b"}])).unwrap();
    let object = serde_json::to_string_pretty(&json!({"uuid": "a", "x": [1, 2]})).unwrap();
    let array = json!([{"uuid": "a"}, {"uuid": "b"}]).to_string();
    for text in [&pretty, &object, &array, &pretty.repeat(20_000)] {
        let folder = files(&[("whole.jsonl", text), ("lines.jsonl", "{\"uuid\":\"c\"}\n")]);
        let store = forebear::in_memory().unwrap();
        let report = imported_with(&store, IngestOptions::new([folder.path()]));
        assert_eq!((report.events, report.bad_lines), (1, 0));
        let [(path, reason)] = &report.failed_files[..] else { panic!("one failed file") };
        assert!(path.ends_with("whole.jsonl") && reason.contains("an object each"), "{reason}");
    }
    // Told to, it is read line by line all the same.
    let folder = files(&[("whole.jsonl", &object)]);
    let store = forebear::in_memory().unwrap();
    let options = IngestOptions::new([folder.path()]).format("claude-code");
    let report = imported_with(&store, options);
    assert_eq!(report.bad_lines as usize, object.lines().count());
}

#[test]
fn files_are_followed_as_they_are_imported() {
    let span = |n: u64| {
        let why = (!n.is_multiple_of(7)).then(|| format!("span-{}", n - 1));
        json!({"key": format!("span-{n}"), "why": why, "at": n, "what": "span"}).to_string()
    };
    let spans = (0..40).map(span).collect::<Vec<_>>().join("\n") + "\n";
    let mapping: Mapping =
        r#"{"id":"key","parent":"why","time":"at","kind":"what"}"#.parse().unwrap();
    check_followed("spans.ndjson", &spans, |options| options.mapping(mapping.clone()));
    let name = "rollout-2026-03-01T10-00-00-x.jsonl";
    check_followed(name, ROLLOUT, |options| options);
    check_followed(name, ROLLOUT, |options| options.format("codex"));
    // What is named goes before what it looks like, then as well.
    check_followed(name, ROLLOUT, |options| options.format("ndjson"));
}

/// Follows a file that grows by parts of lines, by a follower that goes on and by one
/// that is begun anew each time.
fn check_followed(name: &str, text: &str, set: impl Fn(IngestOptions) -> IngestOptions) {
    // By the folder's name too, where lines name no session.
    let folder = files(&[(name, text)]);
    let store = forebear::in_memory().unwrap();
    imported_with(&store, set(IngestOptions::new([folder.path()])));
    let expected = rows(&store);
    assert!(expected.len() > 5);
    for anew in [false, true] {
        let file = folder.path().join(name);
        fs::remove_file(&file).unwrap();
        let store = forebear::in_memory().unwrap();
        let begin = || Follower::new(&store, set(IngestOptions::new([folder.path()]))).unwrap();
        let mut follower = begin();
        for part in text.as_bytes().chunks(text.len() / 9 + 1) {
            let mut file = OpenOptions::new().create(true).append(true).open(&file).unwrap();
            file.write_all(part).unwrap();
            if anew {
                follower = begin();
            }
            while follower.poll_once().unwrap().more {}
        }
        assert_eq!(rows(&store), expected, "{name}, anew: {anew}");
    }
}

fn count(snapshot: &Snapshot, filter: &Filter) -> u64 {
    let counts = snapshot.counts(CountBy::Kind, filter).page().unwrap().items;
    counts.iter().map(|count| count.count).sum()
}

/// What is kept of an event.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    id: String,
    parent: Option<String>,
    link: Option<LinkKind>,
    kind: String,
    time_ns: i64,
    instance: String,
    session: Option<String>,
    labels: Vec<(String, String)>,
    payload: Vec<u8>,
    seq: u64,
}

/// All events, in order of their ids.
fn rows(store: &Store) -> Vec<Row> {
    let snapshot = store.snapshot();
    let mut rows = Vec::new();
    let events = snapshot.events(Filter::new()).oldest_first().iter();
    for event in events.map(Result::unwrap) {
        rows.push(Row {
            id: event.id().to_string(),
            parent: event.parent().map(ToString::to_string),
            link: event.link(),
            kind: event.kind().to_owned(),
            time_ns: event.time_ns(),
            instance: event.instance().to_owned(),
            session: event.session().map(str::to_owned),
            labels: event.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            payload: event.payload().unwrap_or_default().to_vec(),
            seq: event.seq(),
        });
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows
}

/// Lines as they are, the last first, and the odd ones before the even ones.
fn orders(lines: &[String]) -> [String; 3] {
    let mut reversed = lines.to_vec();
    reversed.reverse();
    let odd = lines.iter().skip(1).step_by(2);
    let mixed: Vec<String> = odd.chain(lines.iter().step_by(2)).cloned().collect();
    [lines.to_vec(), reversed, mixed].map(|lines| lines.join("\n"))
}

#[test]
fn a_call_s_result_says_which_agent_it_started_whatever_was_guessed() {
    let hook = |name: &str, more: Value| {
        let mut payload = json!({"session_id": "s", "hook_event_name": name, "cwd": "/w/demo"});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        payload.to_string()
    };
    let call = |id: &str| {
        hook(
            "PreToolUse",
            json!({"tool_name": "Agent", "tool_use_id": id, "tool_input": {"subagent_type": "x"}}),
        )
    };
    let begins = |agent: &str| hook("SubagentStart", json!({"agent_id": agent, "agent_type": "x"}));
    let named = |id: &str, agent: &str| {
        hook(
            "PostToolUse",
            json!({"tool_name": "Agent", "tool_use_id": id, "tool_response": {"agentId": agent}}),
        )
    };
    // The agent `b` is of the call `tb`, and so on, in whatever order and however much is said.
    for lines in [
        vec![call("ta"), call("tb"), begins("b"), begins("a"), named("tb", "b"), named("ta", "a")],
        vec![call("ta"), call("tb"), begins("b"), begins("a"), named("tb", "b")],
        vec![call("ta"), call("tb"), begins("b"), begins("a"), named("ta", "a")],
        vec![call("ta"), call("tb"), named("tb", "b"), begins("b"), begins("a")],
        vec![call("ta"), call("tb"), begins("a"), begins("b")],
        vec![call("tb"), begins("b"), call("ta"), begins("a"), named("ta", "a"), named("tb", "b")],
    ] {
        let live = forebear::in_memory().unwrap();
        for (time_ns, line) in (1..).zip(&lines) {
            append_hook(&live, &format!("\u{feff}{line}"), time_ns).unwrap();
        }
        let store = forebear::in_memory().unwrap();
        imported(&store, &files(&[("hooks.jsonl", &format!("\u{feff}{}\n", lines.join("\n")))]));
        for store in [live, store] {
            let snapshot = store.snapshot();
            let of = Filter::new().session("s").kind("SubagentStart");
            let starts = snapshot.events(of).page().unwrap().items;
            assert_eq!(starts.len(), 2);
            for start in starts {
                let call = snapshot.get(start.parent().unwrap().clone()).unwrap().unwrap();
                let agent = start.label("agent").unwrap();
                assert_eq!(call.label("tool_use_id").unwrap(), format!("t{agent}"), "{lines:#?}");
                assert_eq!(start.link(), Some(LinkKind::Spawned));
            }
        }
    }
}
