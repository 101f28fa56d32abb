//! Importing real transcripts through the program gives the figures that an
//! independent reading of them found.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Place, ids};
use serde_json::{Value, json};

/// The transcripts, where they are; they are not part of the project.
fn transcripts() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/transcripts");
    if folder.join("expected.json").is_file() {
        Some(folder)
    } else {
        println!("skipped: there are no transcripts in {}", folder.display());
        None
    }
}

fn expected(folder: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(folder.join("expected.json")).expect("it is there");
    serde_json::from_str(&text).expect("it is JSON")
}

fn figure(expected: &Value, key: &str) -> Value {
    expected.get(key).cloned().unwrap_or(json!(0))
}

#[test]
fn an_import_gives_the_figures_of_an_independent_reading() {
    let Some(folder) = transcripts() else { return };
    for (name, expected) in expected(&folder) {
        let place = Place::new();
        let path = folder.join(&name);
        let path = path.to_str().expect("UTF-8");
        let report = place.json(&["import", path]).remove(0);
        for (key, of_expected) in [
            ("files", "files"),
            ("lines", "lines"),
            ("events", "events"),
            ("versions", "repeats_other_content"),
            ("repeats", "repeats_same"),
            ("without_id", "without_uuid"),
            ("glued_lines", "glued_lines"),
            ("bad_lines", "bad_lines"),
        ] {
            assert_eq!(report[key], figure(&expected, of_expected), "{name}: {key}");
        }

        let stats = place.json(&["stats"]).remove(0);
        for (key, of_expected) in [
            ("events", "events"),
            ("versions", "repeats_other_content"),
            ("roots", "roots"),
            ("max_depth", "max_depth"),
            ("max_children", "max_children"),
            ("missing_parents", "parent_missing"),
            ("cycles", "cycles"),
            ("parents_by_field", "parents_by_field"),
            ("types", "types"),
            ("sessions", "sessions"),
        ] {
            assert_eq!(stats[key], figure(&expected, of_expected), "{name}: {key}");
        }

        let listed = |command: &str| json!(place.json(&[command, "--all"]).len());
        assert_eq!(listed("roots"), figure(&expected, "roots"), "{name}");
        assert_eq!(listed("missing"), figure(&expected, "parent_missing"), "{name}");

        let deepest = expected["deepest"].as_str().expect("an id");
        let chain = place.json(&["chain", deepest]);
        let depth = expected["max_depth"].as_u64().expect("a number");
        assert_eq!(
            chain.len() as u64,
            depth + 1,
            "{name}: its events, in the last of them the end"
        );
        assert_eq!(ids(&chain).last().copied(), expected["deepest_root"].as_str(), "{name}");
        assert_eq!(chain[0]["depth"], depth, "{name}");
        assert_eq!(chain[0]["root"], expected["deepest_root"], "{name}");
    }
}

#[test]
fn importing_again_changes_nothing() {
    let Some(folder) = transcripts() else { return };
    for name in expected(&folder).into_keys() {
        let place = Place::new();
        let path = folder.join(&name);
        let path = path.to_str().expect("UTF-8");
        place.json(&["import", path]);
        let state = || {
            ["stats", "quarantine", "links", "missing"]
                .map(|command| place.run(&[command, "--json"]).out)
        };
        let before = state();
        let report = place.json(&["import", path]).remove(0);
        assert_eq!(state(), before, "{name}");
        for key in ["events", "versions", "quarantined", "links"] {
            assert_eq!(report[key], 0, "{name}: {key}");
        }
    }
}

#[test]
fn an_export_gives_back_each_objects_bytes() {
    let Some(folder) = transcripts() else { return };
    for name in expected(&folder).into_keys() {
        let place = Place::new();
        let path = folder.join(&name);
        place.json(&["import", path.to_str().expect("UTF-8")]);
        let exported = place.run(&["export"]);
        assert_eq!(exported.code, 0, "{}", exported.err);

        let mut given: Vec<String> = objects(&path);
        let mut back: Vec<String> = exported.out.lines().map(str::to_owned).collect();
        given.sort_unstable();
        // Objects that came several times with the same bytes are stored once.
        given.dedup();
        back.sort_unstable();
        assert!(given == back, "{name}: {} objects in, {} out", given.len(), back.len());
    }
}

/// The bytes of each object in the transcripts of a folder.
fn objects(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(objects(&path));
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            for line in text.lines() {
                let mut values = serde_json::Deserializer::from_str(line)
                    .into_iter::<&serde_json::value::RawValue>();
                while let Some(Ok(value)) = values.next() {
                    if value.get().starts_with('{') {
                        found.push(value.get().to_owned());
                    }
                }
            }
        }
    }
    found
}
