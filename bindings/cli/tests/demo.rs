//! The demo, and importing transcripts of one's own.

mod common;

use std::fs;

use common::{Place, ids};

#[test]
fn the_demo_shows_the_chain_from_the_failure_to_the_request() {
    let place = Place::new();
    let said = place.run(&["demo"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    for shown in [
        "What went wrong?",
        "spawned by",
        "continues from",
        "root: it began here",
        "events below",
        "again",
        "forebear import",
    ] {
        assert!(said.out.contains(shown), "{shown}: {}", said.out);
    }
    assert!(!place.store().exists(), "the demo keeps to a folder of its own");
}

#[test]
fn the_demo_answers_scripts_too() {
    let place = Place::new();
    let lines = place.json(&["demo"]);
    assert_eq!(lines[0]["imported"]["files"], 2);
    let chain = &lines[1..lines.len() - 1];
    assert_eq!(chain[0]["labels"]["is_error"], "true");
    let request = chain.last().expect("a chain");
    assert_eq!(request["kind"], "user_message");
    assert_eq!(request["depth"], 0);
    let kinds: Vec<_> = chain.iter().filter_map(|event| event["link"].as_str()).collect();
    assert!(kinds.contains(&"spawned") && kinds.contains(&"continues"), "{kinds:?}");
    assert_eq!(lines[lines.len() - 2]["end"]["kind"], "root");
    for answer in lines[lines.len() - 1]["answers"].as_array().expect("answers") {
        assert!(answer["again_ns"].as_u64() > Some(0), "{answer}");
    }
}

const LINE: &str = concat!(
    r#"{"type":"user","uuid":"00000000-0000-4000-8000-000000000001","parentUuid":null,"#,
    r#""sessionId":"s","timestamp":"2026-03-01T12:00:00Z","message":{"role":"user","content":"hello"}}"#,
);

#[test]
fn an_import_reports_in_figures() {
    let place = Place::new();
    let file = place.path().join("session.jsonl");
    fs::write(&file, format!("{LINE}\nnot json\n{{\"type\":\"summary\",\"summary\":\"x\"}}"))
        .unwrap();
    let report = place.json(&["import", file.to_str().unwrap()]).remove(0);
    for (key, value) in [
        ("files", 1),
        ("lines", 3),
        ("events", 1),
        ("repeats", 0),
        ("versions", 0),
        ("without_id", 1),
        ("glued_lines", 0),
        ("bad_lines", 1),
        ("quarantined", 1),
        ("links", 0),
    ] {
        assert_eq!(report[key], value, "{key}");
    }
    assert!(report["seconds"].is_f64());
    assert_eq!(report["interrupted"], false);
    let again = place.json(&["import", file.to_str().unwrap()]).remove(0);
    assert_eq!((&again["events"], &again["quarantined"]), (&0.into(), &0.into()));

    let listed = place.json(&["quarantine"]);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["n"], &listed[0]["line"]), (&1.into(), &2.into()));
    assert_eq!(place.run(&["quarantine", "show", "1"]).out.trim_end(), "not json");
    assert!(place.run(&["quarantine"]).out.contains("session.jsonl"));
    assert_eq!(ids(&place.json(&["show", "0000"])).len(), 1);
}

#[test]
fn an_import_without_a_path_takes_the_usual_folder() {
    let place = Place::new();
    let said = place.run(&["import"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("there are no transcripts in"), "{}", said.err);

    let usual = place.path().join(".claude/projects/p");
    fs::create_dir_all(&usual).unwrap();
    fs::write(usual.join("s.jsonl"), LINE).unwrap();
    let report = place.json(&["import"]).remove(0);
    assert_eq!(report["events"], 1);

    let other = place.path().join("elsewhere");
    fs::create_dir_all(other.join("projects")).unwrap();
    let said =
        place.command(&["import", "--json"]).env("CLAUDE_CONFIG_DIR", &other).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(report["files"], 0);
}
