//! What files say of sessions beside their events: tasks and what joins them, how a
//! session is doing, whose it is, what it took and where it comes from.

#![allow(clippy::unwrap_used)]

mod support {
    pub(crate) mod files;
    #[path = "../../../core/tests/support/random.rs"]
    pub(crate) mod random;
}

use std::collections::{BTreeMap, BTreeSet};

use forebear::ingest::append_hook;
use forebear::{
    CountBy, Filter, RelationshipType, SessionFilter, SessionReads, SessionStatus, SessionType,
    SessionWrites, Snapshot, SpawnReason, Tokens,
};
use serde_json::{Value, json};

use support::files::{files, imported};
use support::random::Random;

const DAY_NS: i64 = 86_400_000_000_000;

/// The files of a folder, as a program of tasks may have written them.
struct Folder {
    items: Vec<Value>,
    edges: Vec<Value>,
    events: Vec<Value>,
}

impl Folder {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut random = |bound: u64| random.below(bound);
        let task = |n: u64| format!("eg-{n}");
        // Times are milliseconds, so that they are read without a calendar.
        let mut clock = 1_700_000_000_000_u64;
        let mut now = || {
            clock += 1000;
            clock
        };
        let mut items: Vec<Value> = Vec::new();
        for n in 0..120 {
            let id = task(if n < 30 { n } else { random(30) });
            let status = ["open", "in_progress", "closed", "done", "failed", "cancelled", "odd"]
                [random(7) as usize];
            let mut item = json!({
                "id": id, "title": format!("Task {id}"), "status": status, "priority": random(5),
                "labels": ["a", "b"], "created_at": 1_600_000_000_000_u64 + n, "updated_at": now(),
            });
            if random(9) == 0 {
                item["deleted"] = json!(true);
            }
            items.push(item);
        }
        let mut edges: Vec<Value> = Vec::new();
        for _ in 0..200 {
            let kind = ["blocks", "parent_child", "related"][random(3) as usize];
            let mut edge = json!({
                "from_id": task(random(8)), "to_id": task(8 + random(8)), "kind": kind,
                "created_at": now(),
            });
            if random(3) == 0 {
                edge["deleted"] = json!(true);
            }
            edges.push(edge);
        }
        let events = (0..300).map(|n| {
            let mut event = json!({
                "id": format!("evt-{n}"), "kind": format!("kind-{}", random(4)),
                "timestamp": now(), "payload": {"n": n},
            });
            for (field, bound) in [("source_task", 40), ("target_task", 60)] {
                let task = random(bound);
                if task < 30 {
                    event[field] = json!(format!("eg-{task}"));
                }
            }
            event
        });
        let events = events.collect();
        Self { items, edges, events }
    }

    fn texts(&self) -> [(&'static str, String); 3] {
        [
            (".engram/items.jsonl", joined(&self.items)),
            (".engram/edges.jsonl", joined(&self.edges)),
            (".engram/events.jsonl", joined(&self.events)),
        ]
    }

    /// What the items' last lines say: status, whether it is a tombstone, title, start.
    fn tasks(&self) -> BTreeMap<String, (Option<SessionStatus>, bool, Value, i64)> {
        let mut tasks = BTreeMap::new();
        for item in &self.items {
            let status = match item["status"].as_str().unwrap() {
                "open" | "in_progress" => Some(SessionStatus::Active),
                "closed" | "done" => Some(SessionStatus::Completed),
                "failed" => Some(SessionStatus::Failed),
                "cancelled" => Some(SessionStatus::Cancelled),
                _ => None,
            };
            let gone = item["deleted"] == true;
            let status = match status {
                None | Some(SessionStatus::Active) if gone => Some(SessionStatus::Cancelled),
                status => status,
            };
            let start = item["created_at"].as_i64().unwrap() * 1_000_000;
            let id = item["id"].as_str().unwrap().to_owned();
            tasks.insert(id, (status, gone, item.clone(), start));
        }
        tasks
    }

    /// Of each two tasks (what `to` and `from` name) the last edge of each kind.
    fn pairs(&self) -> BTreeMap<(String, String), BTreeMap<String, Value>> {
        let mut pairs: BTreeMap<_, BTreeMap<String, Value>> = BTreeMap::new();
        for edge in &self.edges {
            let end = |field: &str| edge[field].as_str().unwrap().to_owned();
            let kinds = pairs.entry((end("to_id"), end("from_id"))).or_default();
            kinds.insert(end("kind"), edge.clone());
        }
        pairs
    }
}

#[test]
fn tasks_are_sessions_and_edges_relationships() {
    for seed in 0..5 {
        let folder = Folder::new(seed);
        let texts = folder.texts();
        let texts = texts.each_ref().map(|(name, text)| (*name, text.as_str()));
        let store = forebear::in_memory().unwrap();
        let together = files(&texts);
        imported(&store, &together);
        check_tasks(&store.snapshot(), &folder);
        // The same again, and each file by itself, the last first.
        imported(&store, &together);
        check_tasks(&store.snapshot(), &folder);
        let alone = forebear::in_memory().unwrap();
        for text in texts.into_iter().rev() {
            imported(&alone, &files(&[text]));
        }
        check_tasks(&alone.snapshot(), &folder);
    }
}

fn check_tasks(snapshot: &Snapshot, folder: &Folder) {
    let tasks = folder.tasks();
    let filter = SessionFilter::new().session_type(SessionType::Task);
    let found = snapshot.sessions(filter).limit(1000).page().unwrap();
    assert!(found.next.is_none());
    let names: BTreeSet<String> = found.items.iter().map(|session| session.id.clone()).collect();
    assert!(names.iter().eq(tasks.keys()));
    for session in &found.items {
        let (status, gone, item, start) = &tasks[&session.id];
        // A status that says nothing leaves it to the events, which are old.
        assert_eq!(session.status, status.unwrap_or(SessionStatus::Completed), "{session:?}");
        assert_eq!(
            (session.source_app.as_deref(), session.start_ns),
            (Some("engram"), Some(*start))
        );
        let mut metadata: Value = serde_json::from_str(session.metadata.as_ref().unwrap()).unwrap();
        let tombstone = metadata.as_object_mut().unwrap().remove("tombstone");
        assert_eq!((metadata, tombstone), (item.clone(), gone.then_some(json!(true))));
        let over = !matches!(status, None | Some(SessionStatus::Active));
        if over {
            let updated = item["updated_at"].as_i64().unwrap() * 1_000_000;
            assert_eq!(session.end_ns, Some(updated));
        }
    }
    let mut pairs = folder.pairs();
    for parent in 0..30 {
        let parent = format!("eg-{parent}");
        for found in snapshot.session_children(&parent).page().unwrap().items {
            let kinds = pairs.remove(&(parent.clone(), found.child.clone())).unwrap();
            let is_there = |kind: &str| kinds.get(kind).is_some_and(|edge| edge["deleted"] != true);
            let expected = if is_there("parent_child") {
                RelationshipType::ParentChild
            } else {
                RelationshipType::Sibling
            };
            assert_eq!(found.relationship_type, expected);
            let gone = !kinds.keys().any(|kind| is_there(kind));
            assert_eq!(found.completed_ns.is_some(), gone);
            let mut metadata: BTreeMap<String, Value> =
                serde_json::from_str(found.metadata.as_ref().unwrap()).unwrap();
            assert_eq!(metadata.remove("tombstone").is_some(), gone);
            let kind = metadata.remove("kind").unwrap();
            assert!(gone || is_there(kind.as_str().unwrap()), "{kind} of {kinds:?}");
            assert_eq!(metadata, kinds);
        }
    }
    assert_eq!(pairs, BTreeMap::new(), "each edge is in a relationship");
    for task in tasks.keys() {
        let lines = folder.events.iter();
        let of_task = |line: &&Value| {
            [&line["source_task"], &line["target_task"]].contains(&&Value::from(task.as_str()))
        };
        let mut expected = BTreeMap::new();
        for line in lines.filter(of_task) {
            *expected.entry(line["kind"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        let filter = Filter::new().label_of_any(["source_task", "target_task"], task.as_str());
        let counts = snapshot.counts(CountBy::Kind, &filter).page().unwrap().items.into_iter();
        let counts = counts.filter(|count| count.value.starts_with("kind-"));
        let found: BTreeMap<_, _> = counts.map(|count| (count.value, count.count)).collect();
        assert_eq!(found, expected, "{task}");
    }
}

#[test]
fn what_can_not_be_metadata_or_a_session_is_an_event_all_the_same() {
    let long = "x".repeat(100_000);
    let lines = [
        json!({"id": "eg-1", "title": "Long", "status": "open", "body": long}),
        json!({"id": "eg-\u{0}", "title": "NUL", "status": "open"}),
        json!({"from_id": "", "to_id": "eg-1", "kind": "blocks"}),
        json!({"from_id": "eg-1", "to_id": "eg-1", "kind": "unheard of"}),
    ];
    let text = joined(&lines);
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &files(&[(".engram/items.jsonl", &text)]));
    // An edge that names no task is an event as any other, and has no id.
    assert_eq!((report.events, report.without_id, report.bad_lines), (3, 1, 0));
    let snapshot = store.snapshot();
    let session = snapshot.session("eg-1").unwrap().unwrap();
    let metadata: Value = serde_json::from_str(&session.metadata.unwrap()).unwrap();
    assert_eq!((&metadata["title"], &metadata["status"]), (&json!("Long"), &json!("open")));
    assert!(metadata["bytes_left_out"].as_u64().unwrap() > 100_000);
    let children = snapshot.session_children("eg-1").page().unwrap().items;
    assert_eq!(children.len(), 1);
    assert!(children[0].metadata.as_ref().unwrap().contains("unheard of"));
}

fn joined(lines: &[impl ToString]) -> String {
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

fn hook(name: &str, more: &str) -> String {
    format!(r#"{{"session_id":"s","hook_event_name":"{name}"{more}}}"#)
}

#[test]
fn hooks_say_how_a_session_and_its_agents_are_doing() {
    let store = forebear::in_memory().unwrap();
    let began_ns = forebear::Time::now().ns() - 1000;
    let agent = r#","agent_id":"a","agent_type":"explore""#;
    let session = |name: &str| store.snapshot().session(name).unwrap().unwrap();
    let says = |time_ns: i64, name: &str, more: &str| {
        append_hook(&store, &hook(name, more), time_ns).unwrap();
    };

    says(began_ns, "SessionStart", r#","source":"startup""#);
    let started = session("s");
    assert_eq!((started.status, started.start_ns), (SessionStatus::Active, Some(began_ns)));
    assert_eq!(started.source_app.as_deref(), Some("claude-code"));
    says(began_ns + 1, "SubagentStart", agent);
    says(began_ns + 2, "SubagentStop", agent);
    let stopped = session("s/a");
    assert_eq!((stopped.status, stopped.end_ns), (SessionStatus::Completed, Some(began_ns + 2)));
    assert_eq!(stopped.source_app.as_deref(), Some("claude-code"));
    says(began_ns + 3, "Stop", "");
    assert_eq!(session("s").status, SessionStatus::Active, "a turn's end is not the session's");

    store.upsert_session(forebear::SessionPatch::new("s").metadata(r#"{"mine":1}"#)).unwrap();
    let end = r#","reason":"prompt_input_exit""#;
    says(began_ns + 4, "SessionEnd", end);
    let ended = session("s");
    assert_eq!((ended.status, ended.end_ns), (SessionStatus::Completed, Some(began_ns + 4)));
    let metadata: Value = serde_json::from_str(&ended.metadata.unwrap()).unwrap();
    assert_eq!(metadata, json!({"mine": 1, "end_reason": "prompt_input_exit"}));

    // Going on, it has neither an end nor a reason for one, and keeps its start.
    says(began_ns + 5, "SessionStart", r#","source":"resume""#);
    says(began_ns + 6, "UserPromptSubmit", "");
    let resumed = session("s");
    assert_eq!((resumed.status, resumed.start_ns), (SessionStatus::Active, Some(began_ns)));
    assert_eq!(resumed.end_ns, Some(began_ns + 6));
    assert_eq!(resumed.metadata.as_deref(), Some(r#"{"mine":1}"#));
    // What is said twice is not said anew.
    says(began_ns + 4, "SessionEnd", end);
    assert_eq!(session("s").status, SessionStatus::Active);
}

#[test]
fn hooks_of_a_file_say_the_same_but_no_times_that_are_made_up() {
    let lines = [
        hook("SessionStart", ""),
        hook("SubagentStop", r#","agent_id":"a""#),
        hook("SessionEnd", r#","reason":"clear","timestamp":"1970-01-02T00:00:00Z""#),
    ];
    let text = joined(&lines);
    let store = forebear::in_memory().unwrap();
    let folder = files(&[("hooks.jsonl", &text)]);
    for _ in 0..2 {
        imported(&store, &folder);
        let snapshot = store.snapshot();
        let session = snapshot.session("s").unwrap().unwrap();
        assert_eq!((session.status, session.end_ns), (SessionStatus::Completed, Some(DAY_NS)));
        assert_eq!(session.metadata.as_deref(), Some(r#"{"end_reason":"clear"}"#));
        let agent = snapshot.session("s/a").unwrap().unwrap();
        assert_eq!((agent.status, agent.end_ns), (SessionStatus::Completed, agent.start_ns));
    }
}

#[test]
fn every_session_of_a_format_says_whose_it_is() {
    let claude = "{\"type\":\"user\",\"uuid\":\"u1\",\"sessionId\":\"c\"}\n\
                  {\"type\":\"user\",\"uuid\":\"u2\",\"sessionId\":\"c\",\"agentId\":\"a\"}\n\
                  {\"type\":\"user\",\"uuid\":\"u3\",\"sessionId\":\"d\"}\n";
    let copilot = "{\"type\":\"session.start\",\"data\":{\"sessionId\":\"p\"},\"id\":\"e1\",\"parentId\":null}\n";
    let store = forebear::in_memory().unwrap();
    let folder = files(&[
        ("c.jsonl", claude),
        ("p/events.jsonl", copilot),
        ("rollout-x.jsonl", &rollout("x", "", &[])),
        (
            "a.ndjson",
            "{\"id\":\"n1\",\"session\":\"m\",\"source_app\":\"mine\"}\n{\"id\":\"n2\",\"session\":\"n\"}\n",
        ),
    ]);
    imported(&store, &folder);
    let sessions = store.snapshot().sessions(SessionFilter::new()).page().unwrap().items;
    let apps: BTreeMap<_, _> =
        sessions.iter().map(|session| (&*session.id, session.source_app.as_deref())).collect();
    let expected = [
        ("c", Some("claude-code")),
        ("c/a", Some("claude-code")),
        ("d", Some("claude-code")),
        ("m", Some("mine")),
        ("n", None),
        ("p", Some("copilot-cli")),
        ("x", Some("codex-cli")),
    ];
    assert_eq!(apps, BTreeMap::from(expected));
}

/// A rollout whose first line says more, and whose turns took so many tokens.
fn rollout(session: &str, more: &str, turns: &[[u64; 3]]) -> String {
    let mut text = format!(
        "{{\"timestamp\":\"2026-03-01T10:00:00Z\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"{session}\"{more}}}}}\n"
    );
    let mut total = [0; 3];
    let usage = |[input, cached, output]: [u64; 3]| {
        json!({"input_tokens": input, "cached_input_tokens": cached, "output_tokens": output,
            "reasoning_output_tokens": output / 2, "total_tokens": input + output})
    };
    for turn in turns {
        for (total, turn) in total.iter_mut().zip(turn) {
            *total += turn;
        }
        let line = |limits: u64| {
            json!({"timestamp": "2026-03-01T10:00:01Z", "type": "event_msg", "payload": {
                "type": "token_count",
                "info": {"total_token_usage": usage(total), "last_token_usage": usage(*turn)},
                "rate_limits": {"used_percent": limits},
            }})
        };
        // Said again with other limits, it is the same turn.
        text += &joined(&[line(1), line(2)]);
        text += "{\"type\":\"event_msg\",\"payload\":{\"type\":\"token_count\",\"info\":null}}\n";
    }
    text
}

#[test]
fn the_tokens_of_rollouts_are_those_of_their_turns() {
    let turns = [[1000, 400, 50], [1000, 400, 50], [3000, 0, 7]];
    let store = forebear::in_memory().unwrap();
    let folder = files(&[("rollout-a.jsonl", &rollout("a", "", &turns))]);
    for _ in 0..2 {
        imported(&store, &folder);
        let session = store.snapshot().session("a").unwrap().unwrap();
        let expected = Tokens { input: 4200, output: 107, cache_read: 800, cache_written: 0 };
        assert_eq!(session.tokens, expected);
    }
}

#[test]
fn rollouts_say_which_session_they_come_from() {
    let spawned = r#","source":{"subagent":{"thread_spawn":{"parent_thread_id":"a","depth":1}}}"#;
    let all = [
        ("rollout-a.jsonl", rollout("a", "", &[])),
        ("rollout-b.jsonl", rollout("b", spawned, &[])),
        ("rollout-c.jsonl", rollout("c", r#","forked_from_id":"a""#, &[]) + &rollout("a", "", &[])),
        ("rollout-d.jsonl", rollout("d", r#","parent_thread_id":"b","forked_from_id":"a""#, &[])),
    ];
    let store = forebear::in_memory().unwrap();
    imported(&store, &files(&all.each_ref().map(|(name, text)| (*name, text.as_str()))));
    let snapshot = store.snapshot();
    for (id, session_type, parent) in [
        ("a", SessionType::Main, None),
        ("b", SessionType::Subagent, Some("a")),
        ("c", SessionType::Continuation, Some("a")),
        ("d", SessionType::Subagent, Some("b")),
    ] {
        let session = snapshot.session(id).unwrap().unwrap();
        assert_eq!((session.session_type, session.parent.as_deref()), (session_type, parent));
    }
    let children = snapshot.session_children("a").page().unwrap().items;
    let [b, c] = &children[..] else { panic!("two children, not {children:?}") };
    let kinds = |found: &forebear::StoredRelationship| {
        (found.relationship_type, found.spawn_reason, found.created_ns.is_some())
    };
    let spawned = (RelationshipType::ParentChild, Some(SpawnReason::SubagentDelegation), true);
    let forked = (RelationshipType::Continuation, Some(SpawnReason::Continuation), true);
    assert_eq!((kinds(b), kinds(c)), (spawned, forked));
    assert_eq!(snapshot.session_place("d").unwrap().depth, 2);
}

#[test]
fn hooks_and_the_transcript_of_a_session_name_one_project() {
    let session = "5e55104e-0000-4000-8000-000000000001";
    let line = |uuid: &str, cwd: &str| {
        json!({"type": "user", "uuid": uuid, "sessionId": session, "cwd": cwd,
            "timestamp": "2026-03-01T10:00:00Z", "message": {"role": "user", "content": "go"}})
    };
    let started = "/home/me/my.work";
    let deeper = format!("{started}/src/deep");
    let lines = joined(&[line("a", started), line("b", &deeper)]);
    let folder = files(&[(&format!("projects/-home-me-my-work/{session}.jsonl"), &*lines)]);
    let store = forebear::in_memory().unwrap();
    imported(&store, &folder);
    let path = format!("/home/me/.claude/projects/-home-me-my-work/{session}.jsonl");
    for (time_ns, cwd) in [(1, started), (2, &*deeper)] {
        let hook = json!({"session_id": session, "hook_event_name": "Notification", "cwd": cwd,
            "transcript_path": path, "message": "waits"});
        // Some systems' shells put a mark before it.
        append_hook(&store, &format!("\u{feff}{hook}"), time_ns).unwrap();
    }
    let other = json!({"session_id": "s", "hook_event_name": "Stop", "cwd": "/home/me/other"});
    append_hook(&store, &other.to_string(), 3).unwrap();
    let snapshot = store.snapshot();
    let count = |project: &str| {
        let filter = Filter::new().label("project", project);
        snapshot.events(filter).page().unwrap().items.len()
    };
    assert_eq!((count("my.work"), count("other")), (4, 1));
    assert_eq!(snapshot.session(session).unwrap().unwrap().project.as_deref(), Some("my.work"));
}
