//! How the program behaves: exit codes, streams, colours, and what it does with
//! input that means no good.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use common::{Place, ids};
use serde_json::json;

#[test]
fn exit_codes_say_what_happened() {
    let place = Place::with_three_events();
    for (args, code) in [
        (&["chain", "failure"][..], 0),
        (&["--help"], 0),
        (&["chain", "nothing"], 3),
        (&["show", "nothing", "--json"], 3),
        (&["events", "--kind", "nothing"], 3),
        (&["recent", "nobody"], 3),
        (&["quarantine", "show", "1"], 3),
        (&["count", "kind", "--kind", "nothing"], 3),
        (&["export", "--kind", "nothing"], 3),
        (&["timeline", "--kind", "nothing"], 3),
        (&["tree", "nothing"], 3),
        (&["children", "nothing"], 3),
        (&["siblings", "nothing"], 3),
        (&["events", "--root", "nothing"], 3),
        (&["chain"], 2),
        (&["chain", "a", "b"], 2),
        (&["fly"], 2),
        (&["events", "--since", "soon"], 2),
        (&["events", "--after", "nowhere"], 2),
        (&["events", "--limit", "0"], 2),
        (&["recent", "-n", "0"], 2),
        (&["tree", "ask", "--limit", "0"], 2),
        (&["append", ""], 2),
        (&["import", "/no/such/folder"], 1),
        (&["missing"], 0),
        (&["quarantine"], 0),
        (&["links"], 0),
        (&["children", "failure"], 0),
        (&["siblings", "failure"], 0),
        (&["tree", "failure"], 0),
    ] {
        let said = place.run(args);
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        assert!(code == 0 || !said.err.is_empty(), "{args:?} says nothing");
    }
}

#[test]
fn reading_never_makes_a_store() {
    let place = Place::new();
    for args in [&["chain", "a"][..], &["recent"], &["stats"], &["export"], &["count", "kind"]] {
        let said = place.run(args);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains("there is no store at"), "{}", said.err);
        assert!(said.err.contains("forebear import"), "{}", said.err);
    }
    assert!(!place.store().exists());
    assert_eq!(place.run(&["import", "/no/such/folder"]).code, 1);
    assert!(!place.store().exists());
}

#[test]
fn options_of_every_command_stand_before_or_after_it() {
    let place = Place::with_three_events();
    let store = place.store();
    let store = store.to_str().unwrap();
    let before = place.run(&["--store", store, "--json", "show", "ask"]);
    let after = place.run(&["show", "ask", "--json", "--store", store]);
    assert_eq!(before.out, after.out);
    assert_eq!(before.code, 0);
}

#[test]
fn the_store_is_kept_in_the_data_folder_unless_named() {
    let place = Place::new();
    let said = place
        .command(&["append", "k", "--id", "a"])
        .env_remove("FOREBEAR_STORE")
        .env("XDG_DATA_HOME", place.path().join("data"))
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    if cfg!(all(unix, not(target_os = "macos"))) {
        assert!(place.path().join("data/forebear/events.forebear").is_dir());
    }
}

#[test]
fn a_uuid_can_be_shortened_and_an_ambiguous_one_is_listed() {
    let place = Place::new();
    let input = [
        "5f0c8a4e-0000-4000-8000-000000000001",
        "5f0c8a4e-0000-4000-8000-000000000002",
        "7a000000-0000-4000-8000-000000000003",
    ]
    .map(|id| format!("{{\"kind\":\"k\",\"id\":\"{id}\",\"payload\":\"says {id}\"}}\n"))
    .concat();
    assert_eq!(place.run_with(&["append", "--json"], input).code, 0);
    let shown = place.json(&["show", "7a"]);
    assert_eq!(ids(&shown), ["7a000000-0000-4000-8000-000000000003"]);
    let said = place.run(&["show", "5f0c"]);
    assert_eq!(said.code, 2);
    assert_eq!(said.out, "");
    for digit in ["1", "2"] {
        let line = format!("5f0c8a4e-0000-4000-8000-00000000000{digit}");
        let line = said.err.lines().find(|l| l.contains(&line)).expect("it is listed");
        assert!(line.contains(" k ") && line.contains("says 5f0c"), "{line}");
    }
    let linked = place.json(&["link", "7a00", "5f0c8a4e-0000-4000-8000-000000000001"]);
    assert_eq!(linked[0]["child"], "7a000000-0000-4000-8000-000000000003");
    assert_eq!(place.run(&["link", "7a00", "5f0c"]).code, 2);
}

#[test]
fn each_line_is_answered_in_order_and_errors_do_not_stop_it() {
    let place = Place::new();
    let said = place.run_with(
        &["append", "--json"],
        "{\"kind\":\"k\",\"id\":\"a\",\"time\":1}\nnot json\n\n{\"id\":\"b\"}\n{\"kind\":\"k\",\"kin\":1}\n\
         {\"kind\":\"k\",\"id\":\"a\",\"time\":1}\r\n{\"kind\":\"other\",\"id\":\"a\",\"time\":1}\n{\"kind\":\"k\"}",
    );
    assert_eq!(said.code, 1);
    assert!(said.err.contains("3 of 8 lines were refused"), "{}", said.err);
    let lines = said.lines();
    assert_eq!(lines[0], json!({"id": "a", "seq": 1, "status": "new"}));
    for (at, line) in [(1, 2), (2, 4), (3, 5)] {
        assert_eq!(lines[at]["line"], line);
        assert!(lines[at]["error"].is_string());
    }
    assert_eq!(lines[4], json!({"id": "a", "seq": 1, "status": "repeat"}));
    assert_eq!(lines[5], json!({"id": "a", "seq": 2, "status": "version"}));
    assert_eq!(lines[6]["status"], "new");
    assert_eq!(lines[6]["id"].as_str().map(str::len), Some(36));
    assert_eq!(lines.len(), 7);
}

#[test]
fn lines_that_may_be_sent_again_need_an_id_and_a_time() {
    let place = Place::new();
    let statuses = |line: &str| -> Vec<String> {
        let said = place.run_with(&["append", "--json"], format!("{line}\n{line}\n"));
        said.lines().iter().map(|line| line["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(statuses(r#"{"kind":"k","time":1}"#), ["new", "new"]);
    assert_eq!(statuses(r#"{"kind":"k","id":"a"}"#), ["new", "version"]);
    assert_eq!(statuses(r#"{"kind":"k","id":"b","time":1}"#), ["new", "repeat"]);
}

#[test]
fn times_are_never_guessed() {
    let place = Place::with_three_events();
    let said = place.run(&["events", "--since", "2026-03-01T12:00:04"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("offset"), "{}", said.err);
    assert_eq!(place.run(&["events", "--since", "2026-03-01"]).code, 0);

    let times = ["\"2h\"", "\"17\"", "\"2026-03-01\"", "\"2026-03-01T12:00:00\"", "1.5", "17"];
    let input = times.map(|time| format!("{{\"kind\":\"k\",\"time\":{time}}}\n")).concat();
    let lines = place.run_with(&["append", "--json"], input).lines();
    for line in &lines[..5] {
        assert!(line["error"].as_str().unwrap().contains("RFC 3339"), "{line}");
    }
    assert_eq!(lines[5]["status"], "new");

    let fine = r#"{"kind":"k","id":"fine","time":"2026-03-01T12:00:00.1234567891Z"}"#;
    assert_eq!(place.run_with(&["append", "--json"], fine).code, 0);
    assert_eq!(place.json(&["show", "fine"])[0]["time"], "2026-03-01T12:00:00.123456789Z");
}

#[test]
fn a_field_over_its_limit_is_named() {
    let place = Place::new();
    let line = format!("{{\"kind\":\"{}\"}}\n{{\"kind\":\"k\"}}\n", "k".repeat(129));
    let said = place.run_with(&["append", "--json"], line);
    assert_eq!(said.code, 1);
    let lines = said.lines();
    let error = lines[0]["error"].as_str().unwrap();
    assert_eq!(error, "kind: expected at most 128 bytes, found 129");
    assert_eq!(lines[1]["status"], "new");
}

#[test]
fn a_writer_that_waits_for_its_answer_gets_it() {
    let place = Place::new();
    let mut child = place
        .command(&["append", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for seq in 1..=20 {
        writeln!(input, "{{\"kind\":\"k\"}}").unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["seq"], seq);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_second_writer_is_told_who_has_the_store() {
    let place = Place::with_three_events();
    let mut child = place
        .command(&["append", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{{\"kind\":\"k\"}}").unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    answers.read_line(&mut String::new()).unwrap();

    let said = place.run(&["seal"]);
    assert_eq!(said.code, 1);
    assert_eq!(place.run(&["stats"]).code, 0, "reading takes no lock");
    assert!(said.err.contains(&child.id().to_string()), "{}", said.err);
    drop(input);
    assert!(child.wait().unwrap().success());
    assert_eq!(place.run(&["append", "k"]).code, 0);
}

#[test]
fn a_listed_id_leads_to_its_event() {
    let place = Place::new();
    for _ in 0..3 {
        assert_eq!(place.run(&["append", "k"]).code, 0);
    }
    let listed = place.run(&["recent"]).out;
    for line in listed.lines().skip(1) {
        let id = line.split_whitespace().nth(1).expect("an id");
        assert_eq!(place.run(&["chain", id]).code, 0, "{id}: {listed}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = Place::new();
    let input =
        "{\"kind\":\"k\",\"payload\":\"0123456789012345678901234567890123456789\"}\n".repeat(5000);
    let appended = place.run_with(&["append", "--json", "--durability", "flush"], &input);
    assert_eq!(appended.code, 0);
    for args in [
        &["events", "--all", "--json"][..],
        &["events", "--all"],
        &["export"],
        &["completions", "bash"],
    ] {
        let mut child =
            place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 100];
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut first).unwrap();
        drop(out);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}: {err}");
        assert_eq!(err, "", "{args:?}");
    }
}

#[test]
fn a_reader_that_leaves_fails_what_it_should_have_heard_of() {
    let place = Place::new();
    let input = "{\"kind\":\"k\"}\n".repeat(20_000);
    let mut child = place
        .command(&["append", "--json", "--durability", "flush"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    feeder.join().unwrap();
    let said = "forebear: nobody reads the answers; stopped after line ";
    let line = err.lines().find_map(|line| line.strip_prefix(said)).expect("it says so");
    let line: u64 = line.parse().expect("a number");
    let stored = place.json(&["stats"])[0]["events"].as_u64().expect("a number");
    assert_eq!(stored, line);
}

#[test]
fn a_store_is_made_by_what_brings_events_alone_and_said_so() {
    let place = Place::new();
    let said = place.run(&["link", "a", "b"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("there is no store at"), "{}", said.err);
    assert!(!place.store().exists());

    let said = place.run(&["append", "k", "--id", "a"]);
    assert_eq!(said.code, 0);
    assert!(said.err.contains("made a new store at"), "{}", said.err);
    assert!(said.err.contains(place.store().to_str().unwrap()), "{}", said.err);
    let said = place.run(&["append", "k", "--id", "b"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(place.run(&["link", "a", "b"]).code, 0);

    let other = Place::new();
    std::fs::write(other.path().join("t.jsonl"), "").unwrap();
    let said = other.run(&["import", "--json", other.path().to_str().unwrap()]);
    assert_eq!((said.code, said.lines().len()), (0, 1));
    assert!(said.err.contains("made a new store at"), "{}", said.err);
}

#[test]
fn colours_are_used_when_wanted() {
    let place = Place::with_three_events();
    let escapes = |args: &[&str], variable: Option<(&str, &str)>| {
        let mut command = place.command(args);
        if let Some((name, value)) = variable {
            command.env(name, value);
        }
        command.output().unwrap().stdout.contains(&0x1b)
    };
    assert!(!escapes(&["chain", "failure"], None));
    assert!(escapes(&["chain", "failure", "--color", "always"], None));
    assert!(escapes(&["chain", "failure"], Some(("CLICOLOR_FORCE", "1"))));
    assert!(!escapes(&["chain", "failure"], Some(("NO_COLOR", "1"))));
    assert!(!escapes(&["chain", "failure", "--color", "never"], Some(("CLICOLOR_FORCE", "1"))));
}

#[test]
fn nothing_from_an_event_reaches_a_terminal_as_a_command() {
    let place = Place::new();
    let nasty = "x\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\ny";
    let line = json!({
        "kind": nasty, "id": nasty, "parent": format!("p{nasty}"), "instance": nasty,
        "session": nasty, "labels": {nasty: nasty}, "payload": {"text": nasty},
    });
    let text = json!({"kind": "k", "id": "t", "payload_text": nasty});
    assert_eq!(place.run_with(&["append", "--json"], format!("{line}\n{text}\n")).code, 0);
    for args in [
        &["chain", nasty][..],
        &["chain", nasty, "--payload", "--root-first"],
        &["show", nasty],
        &["show", "t"],
        &["tree", nasty],
        &["events", "--payload"],
        &["recent"],
        &["missing"],
        &["roots"],
        &["count", "kind"],
        &["count", "instance"],
        &["stats"],
        &["link", nasty, "t"],
        &["links"],
        &["children", "t"],
        &["show", &format!("{nasty}?")],
        &["import", nasty],
        &["events", "--since", nasty],
        &["chain", "t", "--stop-at", nasty],
        &[nasty],
    ] {
        let said = place.run(args);
        for shown in [&said.out, &said.err] {
            assert!(
                !shown.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')),
                "{args:?}: {shown:?}"
            );
        }
    }
}

#[test]
fn completions_and_manual_pages_are_made() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = place.run(&["completions", shell]);
        assert_eq!(said.code, 0);
        assert!(said.out.contains("timeline"), "{shell}");
    }
    assert!(place.run(&["man"]).out.contains("forebear"));
    let pages = place.path().join("man1");
    assert_eq!(place.run(&["man", pages.to_str().unwrap()]).code, 0);
    assert!(pages.join("forebear.1").is_file());
    assert!(pages.join("forebear-chain.1").is_file());
}

#[test]
fn help_says_what_scripts_rely_on() {
    let place = Place::new();
    let help = place.run(&["--help"]).out;
    assert!(help.lines().count() < 80, "long matter is for the manual page: {help}");
    for said in ["Look", "Sessions", "Write", "Keep", "  why ", "forebear man"] {
        assert!(help.contains(said), "{said}: {help}");
    }
    let help = place.run(&["man"]).out + &help;
    for said in [
        "Exit codes:",
        "nothing found",
        "list what there is",
        "derived_id",
        "payload_base64",
        "FOREBEAR_STORE",
    ] {
        assert!(help.contains(said), "{said}");
    }
    for (command, said) in [
        ("append", "gets a new one each time"),
        ("append", "forebear export --format jsonl | forebear append --json --store other"),
        ("append", "the parents that they have are in it"),
        ("stats", "equal objects being one"),
    ] {
        let help = place.run(&[command, "--help"]).out;
        assert!(help.contains(said), "{command}: {said}");
    }
    for command in [
        "demo",
        "import",
        "append",
        "link",
        "show",
        "chain",
        "children",
        "tree",
        "siblings",
        "common",
        "recent",
        "events",
        "roots",
        "missing",
        "links",
        "count",
        "timeline",
        "export",
        "quarantine",
        "stats",
        "completions",
        "man",
    ] {
        let help = place.run(&[command, "--help"]);
        assert_eq!(help.code, 0, "{command}");
        assert!(help.out.contains("Usage: forebear"), "{command}");
    }
}
