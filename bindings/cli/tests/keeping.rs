//! Sealing, dropping, archiving, checking, mending and copying a store.

mod common;

use std::fs;

use common::{Place, ids};
use serde_json::json;

/// A store with so many sealed segments of an event each.
fn with_segments(count: usize) -> Place {
    let place = Place::new();
    for at in 0..count {
        let event = json!({"kind": "tick", "id": format!("tick {at}"), "time": at});
        assert_eq!(place.run_with(&["append", "--json"], event.to_string()).code, 0);
        assert_eq!(place.run(&["seal"]).code, 0);
    }
    place
}

#[test]
fn seal_says_what_is_sealed_and_segments_lists_it() {
    let place = Place::with_three_events();
    let sealed = place.json(&["seal"]);
    assert_eq!((&sealed[0]["segments"], &sealed[0]["events"]), (&json!(1), &json!(3)));
    let segments = place.json(&["segments"]);
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[0]["state"], "sealed");
    assert_eq!((&segments[0]["events"], &segments[0]["lost"]), (&json!(3), &json!(0)));
    assert_eq!(segments[0]["from"], "2026-03-01T12:00:00Z");
    assert!(segments[0]["raw_bytes"].as_u64() > Some(0) && segments[0]["ratio"].is_number());
    assert_eq!((&segments[1]["state"], &segments[1]["from"]), (&json!("active"), &json!(null)));
    let said = place.run(&["segments"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!((said.code, lines.len()), (0, 3), "{said:?}");
    assert!(lines[0].starts_with("number") && lines[1].contains("sealed"), "{said:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{said:?}");
    assert!(place.run(&["seal"]).out.starts_with("sealed: 1 segment, 3 events, "));
}

#[test]
fn retain_drops_or_archives_the_oldest() {
    let place = with_segments(4);
    let archive = place.path().join("old.forebear");
    let archive = archive.to_str().expect("is text");
    let said = place.json(&["retain", "--max-events", "3", "--dry-run"]);
    assert_eq!(said[0]["segments"], 1);
    assert_eq!(said[0]["dry_run"], true);
    assert_eq!(ids(&place.json(&["events"])).len(), 4, "a dry run drops nothing");
    let said = place.json(&["retain", "--max-events", "3", "--archive", archive]);
    assert_eq!((&said[0]["segments"], &said[0]["events"]), (&json!(1), &json!(1)));
    assert!(fs::exists(format!("{archive}/0000000001.seg")).expect("asks"));
    assert!(!fs::exists(place.store().join("0000000001.seg")).expect("asks"));
    let said = place.run(&["retain", "--max-age", "1d", "--archive", archive]);
    assert!(said.code == 0 && said.out.starts_with("archived: 3 segments, 3 events, "), "{said:?}");

    assert_eq!(place.run(&["retain"]).code, 2, "it has to be told what to keep");
    assert_eq!(place.run(&["retain", "--max-bytes", "much"]).code, 2);
    assert_eq!(place.run(&["retain", "--max-bytes", "1GiB", "--keep-policy"]).code, 0);
    let manifest = fs::read_to_string(place.store().join("MANIFEST")).expect("is there");
    assert!(manifest.contains("retention max_bytes=1073741824"), "{manifest}");
    assert_eq!(place.run(&["retain", "--forget-policy"]).code, 0);
    let manifest = fs::read_to_string(place.store().join("MANIFEST")).expect("is there");
    assert!(!manifest.contains("retention"), "{manifest}");
}

#[test]
fn a_walk_goes_on_in_an_archive_and_says_so() {
    let place = Place::new();
    for (id, parent, kind) in [
        ("ask", None, "user_message"),
        ("call", Some("ask"), "tool_use"),
        ("failure", Some("call"), "error"),
    ] {
        let event = json!({"kind": kind, "id": id, "parent": parent, "session": "s"});
        assert_eq!(place.run_with(&["append", "--json"], event.to_string()).code, 0);
        assert_eq!(place.run(&["seal"]).code, 0);
    }
    let archive = place.path().join("old.forebear");
    let archive = archive.to_str().expect("is text");
    assert_eq!(place.run(&["retain", "--max-events", "1", "--archive", archive]).code, 0);

    let alone = place.run(&["chain", "failure"]).out;
    assert!(alone.contains("removed by retention") && !alone.contains("user_message"), "{alone}");
    let said = place.run(&["chain", "failure", "--also", archive]).out;
    let goes_on = said.find("goes on in the archive").expect("it says so");
    assert!(said.find("user_message").is_some_and(|at| at > goes_on), "{said}");
    let lines = place.json(&["chain", "failure", "--also", archive]);
    assert_eq!(ids(&lines), ["failure", "call", "ask"]);
    assert_eq!(lines[0]["end"]["kind"], "expired");
    assert_eq!(lines[1]["also"], archive);
    assert_eq!(lines[3]["end"]["kind"], "root");
    assert_eq!(place.run(&["show", "ask"]).code, 3);
    assert!(place.run(&["show", "ask", "--also", archive]).out.starts_with("user_message"));
    assert_eq!(place.run(&["tree", "ask", "--also", archive]).code, 0);
    let why = place.run(&["why", "failure", "--also", archive]).out;
    assert!(why.contains("goes on in the archive"), "{why}");
    assert_eq!(place.run(&["chain", "failure", "--root-first", "--also", archive]).code, 2);
}

#[test]
fn a_parent_that_may_have_been_dropped_is_not_called_never_stored() {
    let place = with_segments(3);
    let add = |id: &str, parent: &str| {
        let event = json!({"kind": "tock", "id": id, "parent": parent});
        assert_eq!(place.run_with(&["append", "--json"], event.to_string()).code, 0);
    };
    add("early", "tick 1");
    add("lost", "gone");
    let said = |id: &str| place.run(&["chain", id]).out;
    assert!(said("lost").contains("the parent gone was never stored"), "{}", said("lost"));
    assert_eq!(place.run(&["retain", "--max-events", "2"]).code, 0);
    add("late", "tick 0");
    assert!(said("early").contains("removed by retention"), "{}", said("early"));
    for id in ["late", "lost"] {
        let said = said(id).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!said.contains("never stored"), "{said}");
        assert!(said.contains("retention dropped or archived it, or it never came in"), "{said}");
    }
    let end = place.json(&["chain", "late"]);
    assert_eq!(end.last().expect("an end")["end"]["kind"], "missing");
}

#[test]
fn verify_finds_damage_and_rebuild_mends_indexes() {
    let place = with_segments(2);
    let said = place.run(&["verify"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("sound: 2 sealed segments, "), "{said:?}");
    assert_eq!(place.json(&["verify"])[0]["findings"], 0);

    let index = place.store().join("0000000002.idx");
    let sound = fs::read(&index).expect("is there");
    fs::write(&index, &sound[..100]).expect("writes");
    let said = place.run(&["verify", "--json"]);
    let lines = said.lines();
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(lines[0]["file"], "0000000002.idx");
    assert!(lines.last().is_some_and(|line| line["findings"].as_u64() > Some(0)));
    assert!(said.err.contains("not as written"), "{said:?}");
    assert_eq!(place.json(&["rebuild"])[0]["made"], json!(["0000000002.idx"]));
    assert_eq!(fs::read(&index).expect("is there"), sound);
    assert_eq!(place.run(&["rebuild"]).out, "2 segments, 0 files made again\n");

    let segment = place.store().join("0000000001.seg");
    let mut bytes = fs::read(&segment).expect("is there");
    bytes[5] ^= 1;
    fs::remove_file(&segment).expect("removes");
    fs::write(&segment, bytes).expect("writes");
    let said = place.run(&["verify"]);
    assert!(said.code == 1 && said.out.contains("0000000001.seg: chunk 0"), "{said:?}");
    let said = place.run(&["rebuild"]);
    assert!(said.code == 1 && said.err.contains("1 segment is damaged"), "{said:?}");
}

/// On a mount that is read-only, where this machine lets one be made.
#[cfg(target_os = "linux")]
#[test]
fn every_command_that_reads_works_on_a_read_only_mount() {
    let place = with_segments(2);
    assert_eq!(place.run_with(&["append", "--json"], r#"{"kind":"tick","id":"last"}"#).code, 0);
    let script =
        "mount --bind \"$STORE\" \"$STORE\" && mount -o remount,bind,ro \"$STORE\" || exit 77
        touch \"$STORE/file\" 2> /dev/null && exit 78
        for command in events recent 'show last' roots stats segments verify tail 'count kind'; do
            \"$PROGRAM\" $command > /dev/null 2> \"$SAID\" || { cat \"$SAID\" >&2; exit 1; }
        done
        \"$PROGRAM\" backup \"$COPY\" && ! \"$PROGRAM\" seal 2> /dev/null";
    let before = names(&place.store());
    let said = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .env("STORE", place.store())
        .env("FOREBEAR_STORE", place.store())
        .env("COPY", place.path().join("copy"))
        .env("SAID", place.path().join("said"))
        .env("PROGRAM", env!("CARGO_BIN_EXE_forebear"))
        .output();
    let Ok(said) = said else { return println!("skipped: there is no unshare") };
    let err = String::from_utf8_lossy(&said.stderr);
    match said.status.code() {
        Some(0) => {}
        Some(1) if err.contains("unshare") => return println!("skipped: {err}"),
        Some(77) => return println!("skipped: {err}"),
        code => panic!("{code:?}: {err}"),
    }
    assert_eq!(names(&place.store()), before);
}

#[cfg(target_os = "linux")]
fn names(folder: &std::path::Path) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(folder).expect("lists");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("lists").file_name()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_is_a_store_of_its_own() {
    let place = with_segments(2);
    assert_eq!(place.run_with(&["append", "--json"], r#"{"kind":"tick","id":"last"}"#).code, 0);
    let copy = place.path().join("copy.forebear");
    let copy = copy.to_str().expect("is text");
    let said = place.json(&["backup", copy]);
    assert_eq!((&said[0]["segments"], &said[0]["events"]), (&json!(3), &json!(3)));
    assert_eq!(ids(&place.json(&["events", "--store", copy])), ids(&place.json(&["events"])));
    assert_eq!(place.run(&["verify", "--store", copy]).code, 0);
    let said = place.run(&["backup", copy]);
    assert!(said.code == 1 && said.err.contains("expected an empty folder"), "{said:?}");
}

/// Three events of a chain in two segments and a log, and a changed byte in the records of
/// the first.
#[test]
fn commands_give_what_can_be_read_and_exit_1_where_something_can_not() {
    let place = Place::new();
    for (id, parent) in [("ask", "null"), ("call", "\"ask\""), ("failure", "\"call\"")] {
        let event = format!(
            r#"{{"kind":"step","id":"{id}","parent":{parent},"time":5,"payload":{{"of":"{id}"}}}}"#
        );
        assert_eq!(place.run_with(&["append", "--json"], event).code, 0);
        if id != "failure" {
            assert_eq!(place.run(&["seal"]).code, 0);
        }
    }
    let segment = place.store().join("0000000001.seg");
    let mut bytes = fs::read(&segment).expect("is there");
    bytes[5] ^= 1;
    fs::write(&segment, bytes).expect("writes");

    let said = place.run(&["chain", "failure", "--json", "--payload"]);
    assert_eq!((said.code, ids(&said.lines())), (1, vec!["failure", "call", "ask"]), "{said:?}");
    assert!(said.lines()[2]["damaged"].to_string().contains("0000000001.seg: chunk 0"), "{said:?}");
    assert!(said.err.contains("0000000001.seg: chunk 0"), "{said:?}");
    let said = place.run(&["export"]);
    assert_eq!((said.code, said.out.lines().count()), (1, 2), "{said:?}");
    assert!(said.err.contains("1 event is damaged and was left out"), "{said:?}");
    let said = place.run(&["events", "--json"]);
    assert_eq!((said.code, ids(&said.lines()).len()), (1, 3), "{said:?}");
    let said = place.run(&["show", "ask"]);
    assert!(
        said.code == 1 && said.out.contains("step") && said.out.contains("children"),
        "{said:?}"
    );
    for command in ["stats", "count kind", "timeline", "missing", "children ask"] {
        let args: Vec<&str> = command.split(' ').collect();
        assert_eq!(place.run(&args).code, 0, "{command} needs no record");
    }
    let said = place.run(&["verify", "--json"]);
    let told =
        said.lines().iter().filter(|line| line["reason"].to_string().contains("chunk 0")).count();
    assert_eq!((said.code, told), (1, 1), "{said:?}");

    let copy = place.path().join("copy.forebear");
    let copy = copy.to_str().expect("is text");
    let said = place.run(&["backup", copy, "--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(said.lines()[0]["damaged"][0]["file"], "0000000001.seg", "{said:?}");
    assert_eq!(place.run(&["events", "--store", copy]).code, 1, "the copy is as damaged");

    fs::remove_file(&segment).expect("removes");
    let said = place.run(&["chain", "failure", "--json"]);
    let lines = said.lines();
    assert_eq!((said.code, ids(&lines)), (1, vec!["failure", "call"]), "{said:?}");
    assert_eq!(lines[1]["end"]["kind"], "damaged", "{said:?}");
    let said = place.run(&["export"]);
    assert!(said.code == 1 && said.out.lines().count() == 2, "{said:?}");
    assert!(said.err.contains("0000000001.seg"), "{said:?}");
}

#[test]
fn a_policy_that_is_kept_is_said_and_a_new_store_keeps_out_of_git() {
    let place = Place::with_three_events();
    let ignored = fs::read_to_string(place.store().join(".gitignore")).expect("it was written");
    assert_eq!(ignored, "*\n");
    assert_eq!(place.run(&["verify"]).code, 0);
    let file = place.path().join("session.jsonl");
    fs::write(&file, "{\"kind\":\"note\",\"id\":\"n\"}\n").expect("writes");
    assert_eq!(place.run(&["import", file.to_str().expect("is UTF-8")]).code, 0);
    assert!(place.run(&["status"]).out.contains("Everything is kept."));
    assert!(place.json(&["status"])[0]["retention"].is_null());
    let said = place.run(&["retain", "--max-age", "90d", "--max-events", "1000", "--keep-policy"]);
    let policy = "older than 90d; more than 1000 events";
    assert!(said.out.contains(&format!("whenever a log is full: {policy}")), "{said:?}");
    let said = place.run(&["status"]);
    assert!(said.out.contains(&format!("Dropped whenever a log is full: {policy}.")), "{said:?}");
    assert_eq!(place.json(&["status"])[0]["retention"], policy);
    assert_eq!(place.run(&["retain", "--forget-policy"]).code, 0);
    assert!(place.json(&["status"])[0]["retention"].is_null());
}
