//! Agents are linked to the calls that started them, by the best evidence there
//! is, in whatever order lines and files come, in one import or in several.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use forebear::ingest::{IngestOptions, import};
use forebear::{LinkKind, Snapshot, Store};
use serde_json::{Value, json};

#[test]
fn the_event_that_the_result_names_is_the_call() {
    let lines = [
        call("named", 1, "t9"),
        call("answered", 0, "t1"),
        result("result", 3, "t1", Some("named")),
        progress("progress", 2, "t1"),
        root("root", 2),
    ];
    check_any_order(&lines, "root", Some("named"));
}

#[test]
fn of_several_results_the_earliest_counts() {
    let lines = [
        result("late", 9, "t2", Some("second")),
        call("second", 5, "t2"),
        result("early", 4, "t1", Some("first")),
        call("first", 1, "t1"),
        root("root", 2),
    ];
    check_any_order(&lines, "root", Some("first"));
}

#[test]
fn a_named_call_may_be_missing() {
    let lines = [root("root", 2), result("result", 3, "t1", Some("gone")), call("other", 1, "t1")];
    check_any_order(&lines, "root", Some("gone"));
}

#[test]
fn else_the_earliest_event_with_the_call_that_the_result_answers() {
    let lines = [
        call("again", 5, "t1"),
        call("first", 1, "t1"),
        result("result", 3, "t1", None),
        progress("progress", 2, "t0"),
        root("root", 2),
    ];
    check_any_order(&lines, "root", Some("first"));
}

#[test]
fn else_the_event_with_the_call_that_progress_names() {
    let lines = [
        call("first", 1, "t1"),
        call("second", 4, "t2"),
        progress("late", 5, "t2"),
        progress("early", 3, "t1"),
        root("root", 2),
    ];
    check_any_order(&lines, "root", Some("first"));
}

#[test]
fn of_the_calls_that_progress_names_the_earliest_counts() {
    let lines = [
        call("later", 5, "t0"),
        progress("early", 1, "t0"),
        call("earlier", 2, "t1"),
        progress("late", 7, "t1"),
        root("root", 6),
    ];
    check_any_order(&lines, "root", Some("earlier"));
}

#[test]
fn a_result_may_answer_several_calls() {
    let mut several = result("result", 4, "t8", None);
    let answer = json!({"type": "tool_result", "tool_use_id": "t2"});
    several["message"]["content"].as_array_mut().unwrap().push(answer);
    let lines = [call("call", 1, "t2"), several, root("root", 2)];
    check_any_order(&lines, "root", Some("call"));
}

#[test]
fn any_of_forty_calls_on_a_line_may_start_an_agent() {
    let mut many = call("many", 1, "t");
    let calls: Vec<_> = (0..40)
        .map(|n| json!({"type": "tool_use", "id": format!("t{n}"), "name": "Task"}))
        .collect();
    many["message"]["content"] = json!(calls);
    let lines = [many, result("result", 4, "t39", None), root("root", 2)];
    check_any_order(&lines, "root", Some("many"));
}

#[test]
fn a_link_that_says_that_an_event_started_itself_does_not_hide_others() {
    let lines = [
        call("call", 1, "t1"),
        result("itself", 3, "t0", Some("root")),
        result("result", 4, "t1", None),
        root("root", 2),
    ];
    check_any_order(&lines, "root", Some("call"));
}

#[test]
fn calls_of_one_time_are_told_apart_in_any_order() {
    let lines = [
        call("a", 1, "t1"),
        call("b", 1, "t1"),
        call("c", 1, "t1"),
        result("result", 4, "t1", None),
        root("root", 2),
    ];
    let (store, _folder) = imported_each_alone(&lines, &[0, 1, 2, 3, 4]);
    let expected = parent(&store.snapshot(), "root");
    assert!(expected.is_some());
    check_any_order(&lines, "root", expected.as_deref());
}

#[test]
fn evidence_is_found_among_thousands_of_others() {
    let mut lines: Vec<_> = (0..2500).map(|n| progress(&format!("p{n}"), 3, "t0")).collect();
    lines.extend((0..1200).map(|n| {
        let mut other = progress(&format!("o{n}"), 3, "t1");
        other["data"]["agentId"] = json!("other");
        other
    }));
    lines.push(progress("last", 5, "t1"));
    lines.extend([call("call", 1, "t1"), root("root", 2)]);
    for reversed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.jsonl");
        let text: Vec<_> = lines.iter().map(ToString::to_string).collect();
        fs::write(&file, text.join("\n")).unwrap();
        let store = forebear::in_memory().unwrap();
        import_files(&store, &[file]);
        assert_eq!(parent(&store.snapshot(), "root").as_deref(), Some("call"), "{reversed}");
        lines.reverse();
    }
}

#[test]
fn every_event_of_an_agent_that_names_no_parent_is_linked() {
    let mut resumed = root("resumed", 8);
    resumed["parentUuid"] = json!("");
    let mut child = root("child", 3);
    child["parentUuid"] = json!("root");
    let lines =
        [call("call", 1, "t1"), result("result", 4, "t1", None), root("root", 2), resumed, child];
    check_any_order(&lines, "root", Some("call"));
    check_any_order(&lines, "resumed", Some("call"));
    check_any_order(&lines, "child", Some("root"));
}

#[test]
fn agents_of_other_sessions_have_nothing_to_do_with_it() {
    let mut other = result("result", 3, "t1", Some("call"));
    other["sessionId"] = json!("another");
    check_any_order(&[call("call", 1, "t1"), other, root("root", 2)], "root", None);
}

#[test]
fn a_forked_session_tells_the_same() {
    let forked = |mut line: Value| {
        line["sessionId"] = json!("fork");
        line
    };
    let lines = [
        call("call", 1, "t1"),
        root("root", 2),
        forked(call("call", 1, "t1")),
        forked(root("root", 2)),
        forked(result("result", 3, "t1", None)),
    ];
    check_any_order(&lines, "root", Some("call"));
}

#[test]
fn a_call_may_be_any_of_several_on_its_line() {
    let mut several = call("several", 1, "t1");
    several["message"]["content"] = json!([
        {"type": "tool_use", "id": "t0", "name": "Read"},
        {"type": "text", "text": "and"},
        {"type": "tool_use", "id": "t2"},
        {"type": "tool_use", "id": "t1", "name": "Task"},
    ]);
    let lines = [several, result("result", 3, "t1", None), root("root", 2)];
    check_any_order(&lines, "root", Some("several"));
}

#[test]
fn without_an_agent_id_the_prompt_tells_the_call() {
    let prompted = |id: &str, second: u32, prompt: &str| {
        let mut line = call(id, second, id);
        line["message"]["content"][0]["input"] = json!({ "prompt": prompt });
        line
    };
    let mut sidechain = root("root", 5);
    sidechain.as_object_mut().unwrap().remove("agentId");
    sidechain["message"] = json!({"content": [{"type": "text", "text": "look \u{e9}"}]});
    let lines = [
        prompted("early", 1, "look \u{e9}"),
        prompted("latest", 4, "look \u{e9}"),
        prompted("later", 6, "look \u{e9}"),
        prompted("other", 5, "something else"),
        sidechain,
    ];
    for order in permutations(lines.len()) {
        let folder = tempfile::tempdir().unwrap();
        let ordered: Vec<_> = order.iter().map(|at| lines[*at].to_string()).collect();
        let file = folder.path().join("one.jsonl");
        fs::write(&file, ordered.join("\n").replace('\u{e9}', "\\u00e9")).unwrap();
        let store = forebear::in_memory().unwrap();
        import_files(&store, &[file]);
        assert_eq!(parent(&store.snapshot(), "root").as_deref(), Some("latest"), "{order:?}");
    }
}

#[test]
fn an_agent_that_nothing_calls_is_a_root() {
    check_any_order(&[root("root", 2), call("call", 1, "t1")], "root", None);
    let mut sidechain = root("root", 2);
    sidechain.as_object_mut().unwrap().remove("agentId");
    check_any_order(&[sidechain, call("call", 1, "t1")], "root", None);
}

#[test]
fn an_agent_started_by_an_agent_goes_back_to_the_request() {
    let mut inner_call = call("inner call", 3, "t2");
    inner_call["agentId"] = json!("a1");
    inner_call["parentUuid"] = json!("root");
    let mut inner_result = result("inner result", 5, "t2", Some("inner call"));
    inner_result["toolUseResult"] = json!({"agentId": "a2"});
    let mut inner = root("inner", 4);
    inner["agentId"] = json!("a2");
    let lines = [
        call("call", 1, "t1"),
        result("result", 6, "t1", Some("call")),
        root("root", 2),
        inner_call,
        inner_result,
        inner,
    ];
    let (store, _folder) = imported_each_alone(&lines, &[5, 4, 3, 2, 1, 0]);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.root("inner").unwrap().unwrap().to_string(), "call");
    assert_eq!(snapshot.depth("inner").unwrap(), Some(3));
}

/// Imports the lines as files of their own, in every order: in one import and in
/// several, and a second time. The event must have this parent each time.
fn check_any_order(lines: &[Value], id: &str, expected: Option<&str>) {
    for order in permutations(lines.len()) {
        let (store, folder) = imported_each_alone(lines, &order);
        let snapshot = store.snapshot();
        assert_eq!(parent(&snapshot, id).as_deref(), expected, "{order:?}");
        let before = (snapshot.stats().unwrap(), snapshot.refused_links().page().unwrap().items);
        import_files(&store, &[folder.path().to_owned()]);
        let snapshot = store.snapshot();
        let after = (snapshot.stats().unwrap(), snapshot.refused_links().page().unwrap().items);
        assert_eq!(before, after, "{order:?}");

        let at_once = forebear::in_memory().unwrap();
        import_files(&at_once, &[folder.path().to_owned()]);
        assert_eq!(parent(&at_once.snapshot(), id).as_deref(), expected, "{order:?} at once");
    }
}

/// Imports each line from a file and in an import of its own, in this order,
/// which is also that of the files' names.
fn imported_each_alone(lines: &[Value], order: &[usize]) -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = forebear::in_memory().unwrap();
    for (n, at) in order.iter().enumerate() {
        let file = folder.path().join(format!("{n}.jsonl"));
        fs::write(&file, lines[*at].to_string()).unwrap();
        import_files(&store, &[file]);
    }
    (store, folder)
}

fn import_files(store: &Store, paths: &[PathBuf]) {
    let options = IngestOptions::new(paths.iter().map(|path: &PathBuf| -> &Path { path }));
    import(store, &options, |_| ControlFlow::Continue(())).unwrap();
}

/// The parent of an event; checks the kind of its link.
fn parent(snapshot: &Snapshot, id: &str) -> Option<String> {
    let event = snapshot.get(id).unwrap().unwrap();
    let parent = event.parent().map(ToString::to_string);
    if id != "child" {
        assert_eq!(event.link(), parent.as_ref().map(|_| LinkKind::Spawned));
    }
    parent
}

fn permutations(length: usize) -> Vec<Vec<usize>> {
    (0..length).fold(vec![Vec::new()], |orders, next| {
        let insert = |order: &Vec<usize>| {
            let places = 0..=order.len();
            let order = order.clone();
            places
                .map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, next);
                    order
                })
                .collect::<Vec<_>>()
        };
        orders.iter().flat_map(insert).collect()
    })
}

fn line(id: &str, second: u32, line_type: &str) -> Value {
    json!({
        "uuid": id,
        "parentUuid": null,
        "sessionId": "session",
        "type": line_type,
        "timestamp": format!("2026-01-02T03:04:{second:02}.000Z"),
    })
}

fn call(id: &str, second: u32, tool_use: &str) -> Value {
    let mut line = line(id, second, "assistant");
    line["message"] = json!({"content": [{"type": "tool_use", "id": tool_use, "name": "Task"}]});
    line
}

fn result(id: &str, second: u32, tool_use: &str, source: Option<&str>) -> Value {
    let mut line = line(id, second, "user");
    line["message"] = json!({"content": [{"type": "tool_result", "tool_use_id": tool_use}]});
    line["toolUseResult"] = json!({"status": "completed", "agentId": "a1"});
    if let Some(source) = source {
        line["sourceToolAssistantUUID"] = json!(source);
    }
    line
}

fn progress(id: &str, second: u32, tool_use: &str) -> Value {
    let mut line = line(id, second, "progress");
    line["data"] = json!({"type": "agent_progress", "agentId": "a1"});
    line["parentToolUseID"] = json!(tool_use);
    line
}

fn root(id: &str, second: u32) -> Value {
    let mut line = line(id, second, "user");
    line["agentId"] = json!("a1");
    line["isSidechain"] = json!(true);
    line["message"] = json!({"content": "go"});
    line
}
