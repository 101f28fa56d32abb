//! Sessions, their trees, waves and relationships, as people and scripts ask for them.

mod common;

use common::{Place, ids};
use serde_json::json;

/// A session with an agent, and one that goes on from it.
fn with_sessions() -> Place {
    let place = Place::new();
    let events = [
        json!({"kind": "tool_use", "id": "call", "time": 1_000_000_000, "session": "s",
               "instance": "s", "labels": {"tool": "Task", "wave_id": "w1"}}),
        json!({"kind": "error", "id": "agent", "parent": "call", "link": "spawned",
               "time": 3_000_000_000_i64, "session": "s", "instance": "helper",
               "scope": "own"}),
        json!({"kind": "note", "id": "more", "parent": "call", "link": "continues",
               "time": 5_000_000_000_i64, "session": "next"}),
    ];
    let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
    let said = place.run_with(&["append", "--json"], lines.join("\n"));
    assert_eq!(said.code, 0, "{said:?}");
    place
}

#[test]
fn the_workers_of_a_session_are_one_session_and_a_scope_comes_back_as_it_went_in() {
    let place = Place::new();
    for worker in ["worker-1", "worker-2"] {
        let said = place.run(&["append", "step", "--session", "checkout-42", "--instance", worker]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let sessions = place.json(&["sessions"]);
    assert_eq!((ids(&sessions), &sessions[0]["events"]), (vec!["checkout-42"], &json!(2)));
    let own = ["append", "step", "--session", "checkout-42", "--instance", "auditor", "--scope"];
    assert_eq!(place.run(&[&own[..], &["own"]].concat()).code, 0);
    assert_eq!(place.run(&[&own[..], &["mine"]].concat()).code, 2);
    let sessions = ["checkout-42", "checkout-42/auditor"];
    assert_eq!(ids(&place.json(&["sessions"])), sessions);
    let events = place.json(&["events", "--all", "--oldest-first"]);
    let scopes: Vec<_> = events.iter().map(|event| event.get("scope")).collect();
    assert_eq!(scopes, [None, None, Some(&json!("own"))]);
    let copy = Place::new();
    let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
    assert_eq!(copy.run_with(&["append", "--json"], lines.join("\n")).code, 0);
    assert_eq!(ids(&copy.json(&["sessions"])), sessions);
}

#[test]
fn sessions_are_listed_by_what_they_are() {
    let place = with_sessions();
    let sessions = place.json(&["sessions"]);
    assert_eq!(ids(&sessions), ["next", "s", "s/helper"]);
    assert_eq!(sessions[0]["type"], "continuation");
    assert_eq!((&sessions[1]["agents"], &sessions[1]["wave_id"]), (&json!(1), &json!("w1")));
    assert_eq!(sessions[2]["status"], "failed");
    assert_eq!(sessions[2]["start"], "1970-01-01T00:00:03Z");
    assert_eq!(ids(&place.json(&["sessions", "--status", "failed"])), ["s/helper"]);
    assert_eq!(ids(&place.json(&["sessions", "--type", "main"])), ["s"]);
    assert_eq!(ids(&place.json(&["sessions", "--until", "2000000000"])), ["s"]);
    assert_eq!(place.run(&["sessions", "--app", "none"]).code, 3);
    assert_eq!(place.run(&["sessions", "--status", "asleep"]).code, 2);
    let said = place.run(&["sessions"]);
    assert!(said.out.lines().count() == 3 && said.out.contains("failed"), "{said:?}");
    let waves = place.json(&["waves"]);
    assert_eq!((&waves[0]["id"], &waves[0]["events"]), (&json!("w1"), &json!(1)));
}

#[test]
fn a_session_says_where_it_comes_from_and_what_came_of_it() {
    let place = with_sessions();
    let session = &place.json(&["session", "s"])[0];
    assert_eq!(session["children"][1]["child"], "s/helper");
    assert_eq!(session["children"][1]["spawn_reason"], "task_tool");
    assert_eq!(session["children"][1]["created"], "1970-01-01T00:00:01Z");
    let session = &place.json(&["session", "s/helper"])[0];
    assert_eq!((&session["depth"], &session["path"]), (&json!(1), &json!("s.s/helper")));
    assert_eq!(place.run(&["session", "unknown"]).code, 3);
    assert!(place.run(&["session", "next"]).out.contains("continuation"));
}

#[test]
fn the_tree_is_drawn_and_relationships_grow_it() {
    let place = with_sessions();
    let related = &place.json(&["relate", "next", "last", "--reason", "wave_orchestration"])[0];
    assert_eq!((&related["child"], &related["type"]), (&json!("last"), &json!("parent/child")));
    let tree = place.json(&["session-tree", "s"]);
    assert_eq!(ids(&tree), ["s", "next", "last", "s/helper"]);
    assert_eq!(tree[0]["total"]["events"], 3);
    assert_eq!(tree[2]["path"], "s.next.last");
    let said = place.run(&["session-tree"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 5, "{said:?}");
    assert!(lines[0].starts_with("● s  "), "{said:?}");
    assert!(lines[1].starts_with("├─● next  ") && lines[1].contains("(continuation)"), "{said:?}");
    assert!(lines[2].starts_with("│ └─● last  "), "{said:?}");
    assert!(lines[3].starts_with("└─● helper  failed"), "{said:?}");
    assert!(lines[4].contains("3 events, 1 error in all"), "{said:?}");
    assert_eq!(place.run(&["session-tree", "unknown"]).code, 3);
    assert_eq!(place.run(&["relate", "a", "b", "--metadata", "{"]).code, 2);
    // A session has no relationship to itself, and is not made by asking for one.
    assert_eq!(place.run(&["relate", "alone", "alone"]).code, 2);
    assert_eq!(place.run(&["session-tree", "alone"]).code, 3);
}

/// Two sessions of projects, one with errors, named by UUIDs.
fn with_projects() -> Place {
    let place = Place::new();
    let mut lines = Vec::new();
    for (at, (session, project, errors)) in [
        ("0fae0449-64d3-4788-8622-d3a47d82c14b", "/home/me/shop", 2),
        ("1b7c5a20-0000-4000-8000-000000000001", "/home/me/blog", 0),
        ("2c7c5a20-0000-4000-8000-000000000002", "/home/me/shop", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let mut event = |kind: &str, id: &str, extra: serde_json::Value| {
            let mut event = json!({
                "kind": kind, "id": format!("{at}-{id}"), "session": session, "instance": session,
                "time": (at as u64 * 100 + lines.len() as u64) * 1_000_000_000,
            });
            event["labels"] = extra;
            lines.push(event.to_string());
        };
        event("user_message", "ask", json!({"project": project, "cwd": project}));
        for number in 0..errors {
            event("error", &format!("e{number}"), json!({"tool": "Bash", "cwd": project}));
        }
    }
    let said = place.run_with(&["append", "--json"], lines.join("\n"));
    assert_eq!(said.code, 0, "{said:?}");
    place
}

#[test]
fn sessions_are_found_by_project_errors_and_order() {
    let place = with_projects();
    let begins = |args: &[&str]| -> Vec<String> {
        let sessions = place.json(&[&["sessions"], args].concat());
        ids(&sessions).iter().map(|id| id[..1].to_owned()).collect()
    };
    assert_eq!(begins(&[]), ["2", "1", "0"]);
    assert_eq!(begins(&["--errors"]), ["2", "0"]);
    assert_eq!(begins(&["--sort", "errors"]), ["0", "2", "1"]);
    assert_eq!(begins(&["--sort", "start", "--limit", "1"]), ["2"]);
    assert_eq!(begins(&["--limit", "2"]), ["2", "1"]);
    assert_eq!(place.run(&["sessions", "--sort", "beauty"]).code, 2);
    let said = place.run(&["sessions", "--errors"]);
    assert!(said.out.contains("0fae0449  ") && said.out.contains("2 errors"), "{said:?}");
    assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{said:?}");
}

#[test]
fn a_short_name_of_a_session_is_taken_everywhere() {
    let place = with_projects();
    let id = "0fae0449-64d3-4788-8622-d3a47d82c14b";
    assert_eq!(place.json(&["session", "0fae"])[0]["id"], id);
    assert_eq!(place.json(&["session-tree", "0fae0449"])[0]["id"], id);
    assert_eq!(place.json(&["events", "--session", "0fae0449"]).len(), 3);
    assert_eq!(place.run(&["events", "--session", "ffff"]).code, 3);
    assert_eq!(place.run(&["session", "ffff"]).code, 3);
}

#[test]
fn errors_say_whose_they_are() {
    let place = with_projects();
    let said = place.run(&["events", "--errors"]);
    assert!(said.out.contains("0fae0449 shop Bash:"), "{said:?}");
    assert_eq!(place.run(&["events", "--since", "yesterday"]).code, 3);
    let said = place.run(&["events", "--until", "today", "--utc"]);
    assert_eq!(said.code, 0, "{said:?}");
}

/// The queries of sessions that a table of events with their sessions would answer, on rows
/// whose answers are plain.
#[test]
fn waves_depths_and_relationships_are_told_as_a_table_of_the_rows_has_them() {
    let place = Place::new();
    let event = |id: &str, session: &str, second: i64, labels: serde_json::Value| {
        json!({"kind": "note", "id": id, "session": session, "instance": session,
               "time": second * 1_000_000_000, "labels": labels})
        .to_string()
    };
    let failed = json!({"kind": "error", "id": "e", "session": "sB", "instance": "sB",
                        "time": 4_000_000_000_i64, "labels": {"wave_id": "w2"}});
    let lines = [
        event("a1", "sA", 1, json!({"wave_id": "w1"})),
        event("b1", "sB", 2, json!({"wave_id": "w1"})),
        event("a2", "sA", 3, json!({"wave_id": "w2", "queue": "mail"})),
        failed.to_string(),
        event("c1", "sC", 5, json!({})),
    ];
    assert_eq!(place.run_with(&["append", "--json"], lines.join("\n")).code, 0);
    let waves = place.json(&["waves"]);
    let told = |at: usize| {
        let wave = &waves[at];
        ["id", "sessions", "events", "running", "done", "failed"].map(|key| wave[key].clone())
    };
    let w2 = [json!("w2"), json!(2), json!(2), json!(0), json!(1), json!(1)];
    let w1 = [json!("w1"), json!(2), json!(2), json!(0), json!(1), json!(1)];
    assert_eq!([told(0), told(1)], [w2, w1]);
    assert_eq!(waves[1]["end"], "1970-01-01T00:00:02Z");
    for wave in ["w1", "w2"] {
        assert_eq!(ids(&place.json(&["sessions", "--wave", wave])), ["sB", "sA"]);
    }

    let related = ["relate", "sA", "sB", "--reason", "wave_orchestration", "--type", "wave_member"];
    assert_eq!(place.run(&related).code, 0);
    assert_eq!(place.run(&["relate", "sB", "sC"]).code, 0);
    assert_ne!(place.run(&["relate", "sA", "sA"]).code, 0);
    let events = place.json(&["events", "--oldest-first"]);
    let above: Vec<_> =
        events.iter().map(|event| (&event["parent_session"], &event["session_depth"])).collect();
    let (none, of_a, of_b) = (json!(null), json!("sA"), json!("sB"));
    let [zero, one, two] = [0, 1, 2].map(|depth| json!(depth));
    let expected = [(&none, &zero), (&of_a, &one), (&none, &zero), (&of_a, &one), (&of_b, &two)];
    assert_eq!(above, expected);
    assert_eq!(ids(&place.json(&["events", "--depth", "1"])), ["e", "b1"]);
    assert_eq!(ids(&place.json(&["events", "--depth", "1", "--not-kind", "error"])), ["b1"]);
    assert_eq!(ids(&place.json(&["events", "--not-label", "wave_id=w1"])), ["c1", "e", "a2"]);
    let without = ["events", "--not-label", "wave_id=w1", "--not-label", "queue=mail"];
    assert_eq!(ids(&place.json(&without)), ["c1", "e"]);
    let kinds = place.json(&["count", "kind", "--not-kind", "note"]);
    assert_eq!((kinds.len(), &kinds[0]["count"]), (1, &json!(1)));

    let all = place.json(&["relationships"]);
    let ends: Vec<_> = all.iter().map(|one| (&one["parent"], &one["child"])).collect();
    assert_eq!(ends, [(&json!("sB"), &json!("sC")), (&json!("sA"), &json!("sB"))]);
    assert_eq!(all[1]["child_duration_ms"], 2000);
    for (option, value) in [("--type", "wave_member"), ("--reason", "wave_orchestration")] {
        assert_eq!(place.json(&["relationships", option, value]), all[1..]);
    }
    assert_eq!(place.run(&["relationships", "--reason", "task_tool"]).code, 3);
    let began = place.json(&["sessions", "--started-since", "2000000000"]);
    assert_eq!(ids(&began), ["sC", "sB"]);
    assert_eq!((&began[0]["depth"], &began[0]["path"]), (&json!(2), &json!("sA.sB.sC")));

    assert_eq!(place.run(&["check"]).code, 0);
    assert_eq!(place.run(&["relate", "sC", "sA"]).code, 0);
    assert_eq!(place.run(&["relate", "sC", "gone"]).code, 0);
    let said = place.run(&["check", "--json"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains(r#"{"problem":"cycle","session":"sA"}"#), "{said:?}");
    assert!(
        said.out.contains(r#"{"problem":"unknown_child","parent":"sC","child":"gone"}"#),
        "{said:?}"
    );
}
