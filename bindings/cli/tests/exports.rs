//! What is exported is what was stored.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Place, ids};
use serde_json::{Value, json};

/// Events of each form: versions, revisions, payloads that are no line of JSON, usage.
const EVENTS: &str = concat!(
    r#"{"kind":"user_message","id":"ask","time":"2026-03-01T12:00:00.000000007Z","instance":"main","session":"s1","payload":{"text":"why, \"so\"?"}}"#,
    "\n",
    r#"{"kind":"answer","id":"say","derived_id":true,"parent":"ask","time":"2026-03-01T12:00:01Z","instance":"a","session":"s1","scope":"own","usage":{"message":"m1","input":3,"output":5,"cache_read":7,"cache_written":11},"payload_type":"own","payload_text":" {\"a\":1}\n"}"#,
    "\n",
    r#"{"kind":"answer","id":"say","parent":"ask","time":"2026-03-01T12:00:02Z","instance":"a","session":"s2","payload_base64":"/wA="}"#,
    "\n",
    r#"{"kind":"span","id":"run","parent":"gone","link":"spawned","time":"2026-03-01T12:00:03Z","labels":{"n":"1","state":"open"}}"#,
    "\n",
    r#"{"kind":"span","id":"run","parent":"gone","link":"spawned","time":"2026-03-01T12:00:03Z","revision":true,"labels":{"n":"1","state":"a,b"},"payload":1.50}"#,
    "\n",
);

fn filled() -> Place {
    let place = Place::new();
    let said = place.run_with(&["append", "--json"], EVENTS);
    assert_eq!(said.code, 0, "{said:?}");
    place
}

/// The same events in another store.
fn copied(place: &Place) -> Place {
    let copy = Place::new();
    let records = place.run(&["export", "--format", "jsonl"]);
    assert_eq!(records.code, 0, "{records:?}");
    let said = copy.run_with(&["append", "--json"], &records.raw);
    assert_eq!(said.code, 0, "{said:?}");
    let again = copy.run(&["export", "--format", "jsonl"]);
    assert!(records.raw == again.raw, "{}\n{}", records.out, again.out);
    copy
}

#[test]
fn records_are_read_back_without_loss() {
    let place = filled();
    let copy = copied(&place);
    let all = ["events", "--payload", "--oldest-first", "--superseded"];
    assert_eq!(place.json(&all), copy.json(&all));
    assert_eq!(place.json(&["sessions"]), copy.json(&["sessions"]));
    let records = place.run(&["export", "--format", "jsonl"]).lines();
    assert_eq!(ids(&records), ["ask", "say", "say", "run", "run"]);
    assert_eq!(records[1]["usage"]["cache_written"], 11);
    assert_eq!(records[1]["payload_text"], " {\"a\":1}\n");
    assert_eq!(records[2]["payload_base64"], "/wA=");
}

#[test]
fn records_of_a_transcript_are_read_back_without_loss() {
    let Some(folder) = transcripts() else { return };
    let place = Place::new();
    let path = folder.join("episodic-memory");
    assert_eq!(place.run(&["import", path.to_str().expect("UTF-8")]).code, 0);
    let copy = copied(&place);
    let payloads = |place: &Place| place.run(&["export"]).raw;
    assert!(payloads(&place) == payloads(&copy));
}

/// The transcripts, where they are; they are not part of the project.
fn transcripts() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/transcripts");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: there are no transcripts in {}", folder.display());
    None
}

#[test]
fn rows_of_csv_are_quoted_as_the_rfc_has_it() {
    let said = filled().run(&["export", "--format", "csv"]);
    assert!(said.out.starts_with("id,parent,link,time,kind,"), "{}", said.out);
    let ask = "ask,,,2026-03-01T12:00:00.000000007Z,user_message,main,s1,,{},,\
               \"{\"\"text\"\":\"\"why, \\\"\"so\\\"\"?\"\"}\",\r\n";
    assert!(said.out.contains(ask), "{}", said.out);
    assert!(said.out.contains(",own,\" {\"\"a\"\":1}\n\",\r\n"), "{}", said.out);
    assert!(said.out.contains(",,,/wA=\r\n"), "{}", said.out);
}

#[test]
fn a_chain_and_a_tree_are_drawn_as_graphs() {
    let place = Place::with_three_events();
    let dot = place.run(&["export", "--format", "dot", "--chain", "failure"]);
    assert_eq!(dot.code, 0, "{dot:?}");
    assert!(dot.out.starts_with("digraph forebear {") && dot.out.ends_with("}\n"), "{}", dot.out);
    assert!(dot.out.contains("\"call\" -> \"failure\" [label=spawned"), "{}", dot.out);
    assert!(dot.out.contains("\"ask\" -> \"call\";"), "{}", dot.out);
    let mermaid = place.run(&["export", "--format", "mermaid", "--tree", "ask"]);
    assert!(mermaid.out.starts_with("flowchart TD\n"), "{}", mermaid.out);
    assert!(mermaid.out.contains("  eask --> ecall\n"), "{}", mermaid.out);
    assert!(mermaid.out.contains("  ecall ==>|spawned| efailure\n"), "{}", mermaid.out);
    let nothing = place.run(&["export", "--format", "dot", "--kind", "none"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (3, ""));
    // Causes come before what came of them, as writers of spans need it.
    let chain = place.run(&["export", "--format", "jsonl", "--chain", "failure"]).lines();
    let walked = place.json(&["chain", "failure", "--root-first"]);
    assert_eq!(ids(&chain), ids(&walked));
    assert_eq!(place.run(&["export", "--chain", "ask", "--errors"]).code, 2);
    assert_eq!(place.run(&["export", "--format", "xml"]).code, 2);
}

#[test]
fn secrets_are_taken_out_of_graphs_unless_told_otherwise() {
    let place = Place::new();
    let url = "git clone https://me:hunter2secret@example.com/x.git";
    place.run(&["append", "note", "--id", "n", "--payload", url]);
    let said = place.run(&["export", "--format", "dot"]);
    assert!(!said.out.contains("hunter2secret") && said.out.contains("[redacted"), "{}", said.out);
    let said = place.run(&["export", "--format", "dot", "--no-redact"]);
    assert!(said.out.contains("hunter2secret"), "{}", said.out);
}

#[test]
fn an_engram_folder_goes_out_as_it_came_and_sessions_become_tasks() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engine/ingest/tests/samples");
    let samples = samples.join("engram/.engram");
    let place = Place::new();
    assert_eq!(place.run(&["import", samples.to_str().expect("UTF-8")]).code, 0);
    let out = place.path().join("out");
    let said = place.run(&["export", "--format", "engram", "-o", out.to_str().expect("UTF-8")]);
    assert_eq!(said.code, 0, "{said:?}");
    for name in ["items.jsonl", "edges.jsonl", "events.jsonl"] {
        let [was, is] = [&samples, &out].map(|folder| fs::read_to_string(folder.join(name)));
        assert_eq!(was.expect("it is there"), is.expect("it is there"), "{name}");
    }
    assert_eq!(place.run(&["export", "--format", "engram"]).code, 2);

    // Of other formats, what is read back is a task a session with its events.
    let place = filled();
    let out = place.path().join(".engram");
    let out = out.to_str().expect("UTF-8");
    assert_eq!(place.run(&["export", "--format", "engram", "-o", out]).code, 0);
    let back = Place::new();
    assert_eq!(back.run(&["import", out]).code, 0);
    let names = |place: &Place| {
        let mut names: Vec<String> = place
            .json(&["sessions", "--all"])
            .iter()
            .map(|session| session["id"].as_str().expect("a name").to_owned())
            .filter(|name| !name.contains('/'))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&place), names(&back));
    assert_eq!(back.json(&["show", "ask"])[0]["parent"], "s1");
}

#[test]
fn spans_are_read_back_with_their_calls_agents_errors_tokens_and_times() {
    let Some(folder) = transcripts() else { return };
    for name in ["claude-code-viewer", "episodic-memory", "spotter"] {
        let place = Place::new();
        let path = folder.join(name);
        assert_eq!(place.run(&["import", path.to_str().expect("UTF-8")]).code, 0);
        let file = place.path().join("spans.jsonl");
        let file = file.to_str().expect("UTF-8");
        let said = place.run(&["export", "--format", "otlp", "-o", file]);
        assert_eq!(said.code, 0, "{said:?}");
        let back = Place::new();
        let said = back.run(&["import", file]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(figures(&place), figures(&back), "{name}");
    }
}

/// Of each session and agent the tokens, errors and open calls, and of each call the rest.
fn figures(place: &Place) -> BTreeMap<String, Value> {
    let mut figures = BTreeMap::new();
    for session in place.json(&["sessions", "--all"]) {
        let id = session["id"].as_str().expect("a name").to_owned();
        let [tokens, errors, open] = ["tokens", "errors", "open_calls"].map(|key| &session[key]);
        figures.insert(id, json!([tokens, errors, open]));
    }
    let mut calls: BTreeMap<String, Value> = BTreeMap::new();
    let filter = ["events", "--all", "--kind", "tool_use", "--without-versions"];
    for event in place.json(&filter) {
        let labels = &event["labels"];
        let id = labels["tool_use_id"].as_str().unwrap_or_default().to_owned();
        calls.insert(id, json!([labels["tool"], event["time"], event["instance"]]));
    }
    figures.insert("calls".to_owned(), json!(calls));
    figures
}
