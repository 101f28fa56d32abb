//! What is the matter: listed without a write, and told once by whoever follows.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::Place;
use serde_json::json;

/// A session that failed twenty minutes ago, one that waits for a call since then, and an agent
/// that nobody is known to have started.
fn filled() -> Place {
    let place = Place::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let at = now - 1_200_000_000_000;
    let event = |id: &str, kind: &str, session: &str, rest: serde_json::Value| {
        let mut event = json!({"id": id, "kind": kind, "session": session, "time": at as u64});
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        format!("{event}\n")
    };
    let events = [
        event("broke", "error", "failed-one", json!({"labels": {"is_error": "true"}})),
        event(
            "call",
            "tool_use",
            "waiting",
            json!({"labels": {"tool": "Bash", "tool_use_id": "t1"},
                "usage": {"message": "m", "output": 20_000_000}}),
        ),
        event("alone", "note", "waiting", json!({"instance": "helper", "scope": "own"})),
    ];
    let said = place.run_with(&["append", "--json"], events.concat());
    assert_eq!(said.code, 0, "{said:?}");
    place
}

#[test]
fn what_is_the_matter_is_listed_and_nothing_is_written() {
    let place = filled();
    let before = place.json(&["stats"]);
    let found = place.json(&["alerts"]);
    let mut told: Vec<_> = found
        .iter()
        .map(|alert| {
            [&alert["rule"], &alert["about"], &alert["event"]].map(|v| v.as_str().unwrap())
        })
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ["failed", "failed-one", "broke"],
            ["open-call=600s", "waiting", "call"],
            ["orphan-agent", "waiting/helper", "alone"],
            ["timeout", "waiting", "call"],
            ["tokens=10000000", "waiting", "call"],
        ]
    );
    assert_eq!(before, place.json(&["stats"]));
    assert_eq!(place.json(&["alerts", "--rule", "open-call=15m"]).len(), 1);
    assert_eq!(place.run(&["alerts", "--rule", "open-call=1h"]).code, 3);
    assert_eq!(place.run(&["alerts", "--rule", "error-rate"]).code, 3);
    assert_eq!(place.run(&["alerts", "--since", "1m"]).code, 3);
    assert_eq!(place.run(&["alerts", "--rule", "soon"]).code, 2);
}

#[test]
#[cfg(unix)]
fn an_alert_is_told_once_over_three_restarts() {
    let place = filled();
    let (folder, file) = (place.path().join("followed"), place.path().join("told"));
    fs::create_dir(&folder).unwrap();
    let command = format!(
        "echo \"$FOREBEAR_ALERT_RULE $FOREBEAR_ALERT_ABOUT $FOREBEAR_ALERT_EVENT\" >> {}",
        file.display()
    );
    let sessions = place.json(&["sessions", "--all"]);
    let args = ["watch", "--poll", "--interval", "50ms", "--alert", "failed", "--alert", "timeout"];
    for round in 0..3 {
        let mut watch = place
            .command(&[&args[..], &["--run", &command, folder.to_str().unwrap()]].concat())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        wait_for_lines(&file, 2, &mut watch);
        // Its state is stored once it heeds signals and has read, and looked, once.
        while place.json(&["status"])[0]["process"] != watch.id() {
            assert_eq!(watch.try_wait().unwrap(), None, "the follower ended");
            thread::sleep(Duration::from_millis(20));
        }
        // Looked at again, it must find nothing new.
        thread::sleep(Duration::from_millis(300 * round));
        let stopped = std::process::Command::new("kill").arg(watch.id().to_string()).status();
        assert!(stopped.unwrap().success());
        assert_eq!(watch.wait().unwrap().code(), Some(0));
    }
    let told = fs::read_to_string(&file).unwrap();
    let mut told: Vec<&str> = told.lines().collect();
    told.sort_unstable();
    assert_eq!(told, ["failed failed-one broke", "timeout waiting call"]);
    let alerts = place.json(&["events", "--kind", "alert"]);
    assert_eq!(alerts.len(), 2);
    assert!(alerts.iter().all(|alert| alert["session"].is_null() && alert["version"].is_null()));
    assert_eq!(sessions, place.json(&["sessions", "--all"]), "an alert counts in no session");
    // The two that were told have the alerts' events below them.
    assert_eq!(place.json(&["children", "broke"])[0]["kind"], "alert");
    assert_eq!(place.json(&["alerts", "--rule", "failed"]).len(), 1, "an alert is no failure");
}

#[cfg(unix)]
fn wait_for_lines(file: &std::path::Path, lines: usize, watch: &mut Child) {
    let begun = Instant::now();
    while fs::read_to_string(file).map_or(0, |told| told.lines().count()) < lines {
        assert!(begun.elapsed() < Duration::from_secs(20), "it was not told");
        assert_eq!(watch.try_wait().unwrap(), None, "the follower ended");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_agent_whose_call_has_expired_is_no_orphan() {
    let place = Place::new();
    for (id, more) in [
        ("call", json!({})),
        ("first", json!({"parent": "call", "link": "spawned", "instance": "a", "scope": "own"})),
    ] {
        let mut event = json!({"kind": "note", "id": id, "session": "s", "instance": "s"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let said = place.run_with(&["append", "--json"], event.to_string());
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(place.run(&["seal"]).code, 0);
    }
    let asked = ["alerts", "--rule", "orphan-agent"];
    assert_eq!(place.run(&asked).code, 3);
    assert_eq!(place.run(&["retain", "--max-events", "1"]).code, 0);
    let said = place.run(&asked);
    assert_eq!(said.code, 3, "{said:?}");
}
