//! What an import can be told about the files' formats.

mod common;

use std::fs;

use common::{Place, ids};

#[test]
fn files_are_known_by_what_is_in_them_unless_a_format_is_named() {
    let place = Place::new();
    let file = place.path().join("log.jsonl");
    let text = "{\"id\":\"a\",\"type\":\"boot\",\"ts\":1700000000}\n\
                {\"id\":\"b\",\"parent\":\"a\",\"type\":\"tick\",\"ts\":1700000001}\n";
    fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let report = place.json(&["import", path]).remove(0);
    assert_eq!((&report["events"], &report["without_id"]), (&2.into(), &0.into()));
    assert_eq!(ids(&place.json(&["chain", "b"])), ["b", "a"]);

    let other = Place::new();
    let report = other.json(&["import", "--format", "claude-code", path]).remove(0);
    assert_eq!((&report["events"], &report["without_id"]), (&0.into(), &2.into()));
    let said = other.run(&["import", "--format", "morse", path]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("claude-code, ndjson, codex"), "{}", said.err);
}

#[test]
fn a_mapping_names_the_fields() {
    let place = Place::new();
    let (file, mapping) = (place.path().join("log.ndjson"), place.path().join("mapping.json"));
    fs::write(&file, "{\"k\":\"a\"}\n{\"k\":\"b\",\"why\":{\"k\":\"a\"},\"host\":\"h\"}\n")
        .unwrap();
    fs::write(&mapping, r#"{"id":"k","parent":"why.k","labels":{"where":"host"}}"#).unwrap();
    let (path, mapping_path) = (file.to_str().unwrap(), mapping.to_str().unwrap());
    let report = place.json(&["import", "--mapping", mapping_path, path]).remove(0);
    assert_eq!(report["events"], 2);
    assert_eq!(ids(&place.json(&["chain", "b"])), ["b", "a"]);
    assert_eq!(ids(&place.json(&["events", "--label", "where=h"])), ["b"]);

    let both = ["import", "--mapping", mapping_path, "--format", "codex", path];
    assert_eq!(place.run(&both).code, 2);
    fs::write(&mapping, r#"{"id":7}"#).unwrap();
    let said = place.run(&["import", "--mapping", mapping_path, path]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("mapping.json") && said.err.contains("`id`"), "{}", said.err);
    let said = place.run(&["import", "--mapping", "/not/there.json", path]);
    assert!(said.code == 1 && said.err.contains("/not/there.json"), "{}", said.err);
}

#[test]
fn a_document_fails_and_the_other_files_come_in() {
    let place = Place::new();
    let folder = place.path().join("logs");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("whole.jsonl"), "[\n  {\n    \"uuid\": \"a\"\n  }\n]\n").unwrap();
    fs::write(folder.join("lines.jsonl"), "{\"uuid\":\"b\"}\n").unwrap();
    let said = place.run(&["import", folder.to_str().unwrap()]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("whole.jsonl") && said.err.contains("an array"), "{}", said.err);
    assert_eq!(ids(&place.json(&["events"])), ["b"]);
    assert!(place.json(&["quarantine"]).is_empty());
}

#[test]
fn the_events_of_a_task_are_one_query() {
    let place = Place::new();
    let folder = place.path().join(".engram");
    fs::create_dir(&folder).unwrap();
    let events = [
        r#"{"id":"e1","kind":"started","source_task":"t1","timestamp":"2026-01-01T00:00:00Z"}"#,
        r#"{"id":"e2","kind":"nudged","source_task":"t2","target_task":"t1","timestamp":"2026-01-01T00:00:01Z"}"#,
        r#"{"id":"e3","kind":"started","source_task":"t2","timestamp":"2026-01-01T00:00:02Z"}"#,
    ];
    fs::write(folder.join("events.jsonl"), events.join("\n")).unwrap();
    place.json(&["import", folder.to_str().unwrap()]);
    assert_eq!(ids(&place.json(&["events", "--task", "t1"])), ["e2", "e1"]);
}
