//! Pictures keep to the width there is.

mod common;

use std::fmt::Write;

use common::{Place, Said};
use serde_json::json;

const COLUMNS: usize = 60;

#[test]
fn no_picture_is_wider_than_the_terminal() {
    let place = place();
    for args in [
        &["demo"][..],
        &["stats"],
        &["show", "call"],
        &["show", "call", "--versions"],
        &["show", LONG],
        &["chain", LONG],
        &["chain", LONG, "--root-first", "--payload"],
        &["chain", LONG, "--max-depth", "1"],
        &["chain", "orphan"],
        &["chain", "orphan", "--root-first"],
        &["tree", "ask"],
        &["tree", "ask", "--limit", "2"],
        &["events", "--payload"],
        &["events", "--limit", "1"],
        &["recent"],
        &["roots"],
        &["children", "ask"],
        &["common", LONG, "call"],
        &["missing"],
        &["links"],
        &["count", "kind"],
        &["count", "instance"],
        &["timeline"],
        &["quarantine"],
    ] {
        let said = narrow(&place, args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        assert!(!said.out.is_empty(), "{args:?}");
        for line in said.out.lines() {
            assert!(line.chars().count() <= COLUMNS, "{args:?}: {line}\n{}", said.out);
        }
    }
}

#[test]
fn words_are_wrapped_and_not_lost() {
    let place = place();
    let words = |said: &Said| said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = words(&narrow(&place, &["chain", "orphan"]));
    assert!(said.contains("was never stored; import what holds it (`forebear missing`"), "{said}");
    let said = words(&narrow(&place, &["demo"]));
    assert!(said.contains("Its conversation was compacted, it started a second agent"), "{said}");
    // What is to be typed is whole, and what is drawn is cut.
    let said = narrow(&place, &["chain", LONG, "--max-depth", "0"]).out;
    assert!(said.contains("a-very-long-name-of…"), "{said}");
    assert!(said.lines().any(|line| line.contains(PARENT)), "{said}");
}

fn narrow(place: &Place, args: &[&str]) -> Said {
    let output = place.command(args).env("COLUMNS", COLUMNS.to_string()).output();
    Said::from(output.expect("the program runs"))
}

const LONG: &str =
    "a-very-long-name-of-an-event-that-is-no-uuid-and-goes-on-and-on-and-on-to-no-end";

const PARENT: &str = "another-long-name-without-end";

/// Long names everywhere, and every kind of link.
fn place() -> Place {
    let place = Place::with_three_events();
    let long = "word ".repeat(40);
    let mut input = String::new();
    let mut parent = "failure".to_owned();
    for n in 0..12 {
        let link = ["continues", "spawned", "caused"][n % 3];
        for id in [format!("e{n}"), format!("branch-of-the-tree-number-{n}")] {
            let event = json!({
                "kind": format!("a_kind_with_a_long_name_{n}"), "id": id, "parent": parent,
                "link": link, "instance": format!("instance-{n}-{}", "x".repeat(80)),
                "session": long, "payload": {"text": long}, "labels": {"a_label": long},
            });
            writeln!(input, "{event}").expect("a string takes all");
        }
        parent = format!("e{n}");
    }
    for event in [
        json!({"kind": "k", "id": PARENT, "parent": parent, "payload_text": "x".repeat(300)}),
        json!({"kind": "k", "id": LONG, "parent": PARENT, "link": "continues", "instance": LONG}),
        json!({"kind": "k", "id": format!("root-{LONG}"), "payload": {"text": long}}),
        json!({"kind": "k", "id": "orphan", "parent": format!("gone-{LONG}")}),
        json!({"kind": "tool_use", "id": "call", "time": 1, "payload": "another version"}),
    ] {
        writeln!(input, "{event}").expect("a string takes all");
    }
    let said = place.run_with(&["append", "--json", "--durability", "flush"], input);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(place.run(&["link", "ask", LONG]).code, 0);

    let folder = place.path().join("a-folder-with-a-long-name-in-which-transcripts-lie-and-more");
    std::fs::create_dir(&folder).expect("a folder");
    let line = r#"{"type":"summary","summary":"x"}"#;
    std::fs::write(folder.join("session.jsonl"), format!("{line}\nnot json\n")).expect("a file");
    let said = narrow(&place, &["import", folder.to_str().expect("plain text")]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.lines().all(|line| line.chars().count() <= COLUMNS), "{}", said.out);
    place
}
