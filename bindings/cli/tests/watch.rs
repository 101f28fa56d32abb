//! Following transcripts from the program, asking how far it is, and ending it.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Place, ids};

#[test]
fn watch_stores_what_is_written_and_ends_within_a_second_of_sigterm() {
    let place = Place::new();
    assert_eq!(place.run(&["status"]).code, 1, "there is no store");
    let file = transcript(&place);
    append(&file, "{\"uuid\":\"a\"}\n{\"uuid\":\"b\",");
    // The usual folder.
    let mut watch = start(&place, &["watch", "--json"]);
    wait_for(&place, "a");
    append(&file, "\"parentUuid\":\"a\"}\nrubbish\n");
    wait_for(&place, "b");
    let status = place.json(&["status", "--files"]);
    assert_eq!(status[0]["running"], true, "{status:?}");
    assert_eq!((&status[0]["process"], &status[0]["files"]), (&watch.id().into(), &1.into()));
    assert_eq!(status[1]["path"], file.canonicalize().unwrap().to_str().unwrap());

    let begun = Instant::now();
    terminate(&watch);
    let ended = watch.wait().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(ended.code(), Some(0));
    let health = place.json(&["status"]).remove(0);
    assert_eq!((&health["running"], &health["bytes_behind"]), (&false.into(), &0.into()));
    assert_eq!((&health["events"], &health["quarantined"]), (&2.into(), &1.into()));
    assert!(place.run(&["status"]).out.contains("Nobody follows"));

    // What is written meanwhile is behind, and an import reads just that.
    append(&file, "{\"uuid\":\"c\"}\n");
    let health = place.json(&["status"]).remove(0);
    assert_eq!((&health["bytes_behind"], &health["files_behind"]), (&13.into(), &1.into()));
    let report = place.json(&["import"]).remove(0);
    assert_eq!((&report["lines"], &report["events"]), (&1.into(), &1.into()));
    let report = place.json(&["import", "--again"]).remove(0);
    assert_eq!((&report["events"], &report["repeats"]), (&0.into(), &3.into()));
}

#[test]
fn a_watch_that_is_killed_goes_on_where_it_was() {
    let place = Place::new();
    let file = transcript(&place);
    for round in 0..4 {
        let mut watch = start(&place, &["watch", "--poll", "--interval", "50ms"]);
        for n in 0..20 {
            append(&file, &format!("{{\"uuid\":\"{round}-{n}\",\"x\":"));
            thread::sleep(Duration::from_millis(2));
            append(&file, "1}\n");
        }
        wait_for(&place, &format!("{round}-10"));
        watch.kill().unwrap();
        watch.wait().unwrap();
    }
    place.json(&["import"]);
    let stats = place.json(&["stats"]).remove(0);
    assert_eq!((&stats["events"], &stats["versions"]), (&80.into(), &0.into()), "{stats:?}");
}

#[test]
fn a_watch_reads_by_the_mapping_that_it_is_given() {
    let place = Place::new();
    let (file, mapping) = (transcript(&place), place.path().join("mapping.json"));
    fs::write(&mapping, r#"{"id":"k","parent":"why.k"}"#).unwrap();
    append(&file, "{\"k\":\"a\"}\n");
    let mapping = mapping.to_str().unwrap();
    let mut watch = start(&place, &["watch", "--poll", "--interval", "50ms", "--mapping", mapping]);
    wait_for(&place, "a");
    append(&file, "{\"k\":\"b\",\"why\":{\"k\":\"a\"}}\n");
    wait_for(&place, "b");
    terminate(&watch);
    watch.wait().unwrap();
    assert_eq!(ids(&place.json(&["chain", "b"])), ["b", "a"]);
    let both = place.run(&["watch", "--mapping", mapping, "--format", "codex"]);
    assert_eq!(both.code, 2, "{both:?}");
}

#[test]
fn quarantined_input_can_be_listed_shown_and_read_again() {
    let place = Place::new();
    let file = transcript(&place);
    append(&file, "{\"uuid\":\"a\"}\n{\"uuid\":\n");
    place.json(&["import"]);
    assert_eq!(place.run(&["quarantine"]).out, place.run(&["quarantine", "list"]).out);
    assert_eq!(place.run(&["quarantine", "show", "1"]).out.trim_end(), "{\"uuid\":");
    assert_eq!(place.run(&["quarantine", "retry", "2"]).code, 3);
    fs::write(&file, "{\"uuid\":\"a\"}\n{\"uuid\":\"b\"}\n").unwrap();
    let report = place.json(&["quarantine", "retry", "1"]).remove(0);
    assert_eq!((&report["events"], &report["repeats"]), (&1.into(), &1.into()));
    fs::remove_file(file).unwrap();
    let said = place.run(&["quarantine", "retry"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("not there any more"), "{}", said.err);
}

/// A transcript to be, in the usual folder.
fn transcript(place: &Place) -> PathBuf {
    let folder = place.path().join(".claude/projects/p");
    fs::create_dir_all(&folder).unwrap();
    folder.join("s.jsonl")
}

fn append(file: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn start(place: &Place, args: &[&str]) -> Child {
    let mut command = place.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until an event is stored.
fn wait_for(place: &Place, id: &str) {
    let begun = Instant::now();
    while place.run(&["show", id]).code != 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "event {id} is not there");
        thread::sleep(Duration::from_millis(20));
    }
}

fn terminate(child: &Child) {
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}
