//! `why`, `resume` and `search` as people and scripts run them.

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

/// A session in which a build failed, and the model gave up.
fn session() -> Place {
    let place = Place::new();
    let line = |rest: &str| format!("{{\"session\":\"s1\",\"instance\":\"s1\",{rest}}}\n");
    let input = [
        r#""kind":"user_message","id":"ask","time":"2026-03-01T12:00:00Z","payload":{"text":"build it"}"#,
        r#""kind":"tool_use","id":"call","parent":"ask","time":"2026-03-01T12:00:03Z","payload":{"command":"make"}"#,
        r#""kind":"error","id":"failure","parent":"call","time":"2026-03-01T12:00:05Z","payload":"it broke\non line 2""#,
    ]
    .map(line)
    .concat();
    let said = place.run_with(&["append", "--json"], input);
    assert_eq!(said.code, 0, "{said:?}");
    place
}

#[test]
fn why_names_the_failure_and_says_what_came_of_it() {
    let place = session();
    for args in [vec!["why"], vec!["why", "s1"], vec!["why", "failure"]] {
        let said = place.run(&args);
        assert_eq!(said.code, 0, "{said:?}");
        for expected in ["session s1", "it broke", "on line 2", "open: nothing came after it"] {
            assert!(said.out.contains(expected), "{args:?} {expected}:\n{}", said.out);
        }
    }
    let lines = place.json(&["why", "s1"]);
    assert_eq!(lines.len(), 1);
    let keys = [
        "session",
        "failure",
        "call",
        "decision",
        "request",
        "earlier",
        "outcome",
        "decided_by",
        "repaired_by",
        "retries",
        "end",
        "errors",
        "counts",
        "complete",
    ];
    for key in keys {
        assert!(lines[0].get(key).is_some(), "{key} in {}", lines[0]);
    }
    assert_eq!(lines[0]["failure"]["id"], "failure");
    assert_eq!(lines[0]["failure"]["text"], "it broke\non line 2");
    assert_eq!(lines[0]["outcome"], "open");
    assert_eq!(lines[0]["counts"]["open"], 1);
}

#[test]
fn where_nothing_mattered_why_says_so_and_exits_3() {
    let place = Place::new();
    assert_eq!(place.run_with(&["append", "--json"], r#"{"kind":"note","session":"s"}"#).code, 0);
    let said = place.run(&["why"]);
    assert_eq!((said.code, said.out.as_str()), (3, ""), "{said:?}");
    assert!(said.err.contains("nothing failed"), "{said:?}");
    let said = place.run(&["why", "--json"]);
    assert_eq!(said.code, 3);
    assert!(said.lines()[0]["failure"].is_null(), "{said:?}");
    let said = place.run(&["why", "nobody"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("no event and no session"), "{said:?}");
}

#[test]
fn a_picture_of_why_fits_the_columns() {
    let place = session();
    for columns in ["40", "80", "100", "160"] {
        let mut command = place.command(&["why", "s1"]);
        let output = command.env("COLUMNS", columns).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let most = columns.parse().unwrap();
        assert!(shown.lines().all(|line| line.chars().count() <= most), "{columns}:\n{shown}");
    }
}

#[test]
fn resume_stays_within_its_tokens() {
    let place = session();
    let said = place.run(&["resume", "s1"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("# Session s1\n") && said.out.contains("it broke"), "{said:?}");
    assert_eq!(said.out, place.run(&["resume", "call"]).out, "by an event of it, too");
    let said = place.run(&["resume", "s1", "--tokens", "100"]);
    assert!(said.out.len() <= 400, "{said:?}");
    let lines = place.json(&["resume", "s1"]);
    assert_eq!(lines[0]["session"], "s1");
    assert_eq!(lines[0]["complete"], true);
    assert_eq!(place.run(&["resume", "nobody"]).code, 3);
}

#[test]
fn search_finds_what_was_said() {
    let place = session();
    let said = place.run(&["search", "BROKE"]);
    assert_eq!(said.code, 3, "{said:?}");
    let said = place.run(&["search", "broke"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("failure") && said.out.contains("it broke on line 2"), "{said:?}");
    let lines = place.json(&["search", "b[ru]", "--regex", "--limit", "1"]);
    assert_eq!(
        (&lines[0]["id"], &lines[0]["snippet"]),
        (&"failure".into(), &"it broke on line 2".into())
    );
    assert_eq!(lines[0]["match"], serde_json::json!([3, 5]));
    let next = lines[0]["next"].as_str().unwrap();
    let rest = place.json(&["search", "b[ru]", "--regex", "--after", next]);
    assert_eq!((rest.len(), &rest[0]["id"]), (1, &"ask".into()));
    assert_eq!(place.run(&["search", "(", "--regex"]).code, 2);
    assert_eq!(place.run(&["search", "broke", "--kind", "tool_use"]).code, 3);
}
