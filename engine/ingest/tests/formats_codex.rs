//! Rollouts of newer versions of the Codex CLI: items, packed files, forks and agents.

#![allow(clippy::unwrap_used)]

mod support {
    pub(crate) mod files;
}

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;

use forebear::ingest::{Follower, IngestOptions, import};
use forebear::{Filter, LinkKind, SessionReads, Store, StoredEvent};
use serde_json::{Value, json};
use support::files::{files, imported};

const A: &str = "0199a213-81c0-7800-8aa1-00000000000a";
const B: &str = "0199a213-81c0-7800-8aa1-00000000000b";

#[test]
fn items_are_the_steps_that_they_complete_and_what_says_them_again_is_none() {
    let lines = [
        meta(A, &json!({"history_mode": "paginated"})),
        item(
            1,
            &json!({"type": "UserMessage", "id": "u", "content": [{"type": "text", "text": "go"}]}),
        ),
        response(
            1,
            &json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}),
        ),
        response(
            2,
            &json!({"type": "function_call", "name": "exec_command", "call_id": "c", "arguments": "{}"}),
        ),
        item(
            3,
            &json!({"type": "CommandExecution", "id": "c", "command": "x", "exit_code": 1, "status": "failed"}),
        ),
        response(3, &json!({"type": "function_call_output", "call_id": "c", "output": "no"})),
        response(
            4,
            &json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "so"}]}),
        ),
        item(4, &json!({"type": "AgentMessage", "id": "m", "text": "so"})),
        item(5, &json!({"type": "Reasoning", "id": "r", "summary_text": []})),
        item(6, &json!({"type": "ContextCompaction", "id": "x"})),
    ];
    let folder = files(&[(&rollout(A), &lines.concat())]);
    let store = forebear::in_memory().unwrap();
    assert_eq!(imported(&store, &folder).stored, 10);
    assert_eq!(imported(&store, &folder).stored, 0);
    let found: Vec<_> = events(&store).iter().map(|event| event.kind().to_owned()).collect();
    assert_eq!(
        found,
        [
            "session_meta",
            "user_message",
            "response_item",
            "tool_use",
            "tool_result",
            "response_item",
            "assistant_message",
            "event_msg",
            "thinking",
            "event_msg",
        ]
    );
    let result = &events(&store)[4];
    assert_eq!(result.parent(), Some(events(&store)[3].id()), "it hangs on its call");
    assert_eq!(result.label("is_error"), Some("true"));
}

#[test]
fn a_packed_rollout_is_the_rollout() {
    let text =
        [meta(A, &json!({})), message(1, "user", "go"), message(2, "assistant", "so")].concat();
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let folder = files(&[(&rollout(A), &text)]);
    let plain = folder.path().join(rollout(A));
    let path = folder.path().join(format!("{}.zst", rollout(A)));
    let store = forebear::in_memory().unwrap();
    assert_eq!(imported(&store, &folder).stored, 3);
    let before = events(&store).len();

    // Packed beside it, then alone: nothing is new.
    fs::write(&path, &packed).unwrap();
    let report = imported(&store, &folder);
    assert_eq!((report.stored, report.files, report.left_out_files), (0, 1, 1));
    fs::remove_file(&plain).unwrap();
    let report = imported(&store, &folder);
    assert_eq!((report.stored, report.known, report.read_as.len()), (0, 3, 1));
    assert_eq!(events(&store).len(), before);

    // Alone, in a store of its own: the same events.
    let other = forebear::in_memory().unwrap();
    let mut follower = Follower::new(&other, IngestOptions::new([folder.path()])).unwrap();
    while follower.poll_once().unwrap().more {}
    let ids = |store: &Store| events(store).iter().map(|e| e.id().to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&other), ids(&store));
    while follower.poll_once().unwrap().more {}
    assert_eq!(follower.status().failing, []);

    // Cut off: what comes before, and why no more.
    fs::write(&path, &packed[..packed.len() - 6]).unwrap();
    let options = IngestOptions::new([&path]);
    let cut = forebear::in_memory().unwrap();
    let report = import(&cut, &options, |_| ControlFlow::Continue(())).unwrap();
    assert!(report.failed_files[0].1.contains("cut off"), "{report:?}");
    fs::write(&path, &packed).unwrap();
    assert!(import(&cut, &options, |_| ControlFlow::Continue(())).unwrap().failed_files.is_empty());
    assert_eq!(events(&cut).len(), 3);
}

#[test]
fn an_agent_s_rollout_hangs_on_the_call_that_started_it_in_any_order() {
    let spawn = |call: &str| {
        response(
            2,
            &json!({"type": "function_call", "name": "spawn_agent", "call_id": call, "arguments": "{}"}),
        )
    };
    let output = |call: &str, thread: &str| {
        let output = json!({"agent_id": thread}).to_string();
        response(3, &json!({"type": "function_call_output", "call_id": call, "output": output}))
    };
    let by_item = |call: &str, thread: &str| {
        item(
            3,
            &json!({"type": "SubAgentActivity", "id": call, "kind": "started", "agent_thread_id": thread}),
        )
    };
    let child = [
        line(3, "session_meta", &json!({"id": B, "parent_thread_id": A})),
        message(4, "user", "look"),
        line(5, "event_msg", &json!({"type": "error", "message": "broke"})),
    ]
    .concat();
    let other = "0199a213-81c0-7800-8aa1-0000000000ff";
    for evidence in [
        [output("c1", other), output("c2", B)].concat(),
        [by_item("c2", B), by_item("c1", other)].concat(),
        // What is known of the other call leaves one for this agent.
        output("c1", other),
    ] {
        let parent =
            [meta(A, &json!({})), message(1, "user", "go"), spawn("c1"), spawn("c2"), evidence]
                .concat();
        for order in [[A, B], [B, A]] {
            let store = forebear::in_memory().unwrap();
            for thread in order {
                let text = if thread == A { &parent } else { &child };
                imported(&store, &files(&[(&rollout(thread), text)]));
            }
            let snapshot = store.snapshot();
            let error = events(&store).into_iter().find(|event| event.kind() == "error").unwrap();
            let chain: Vec<_> =
                snapshot.chain(error.id()).unwrap().unwrap().map(Result::unwrap).collect();
            let call = chain.iter().find(|event| event.label("tool").is_some()).unwrap();
            assert_eq!(call.label("tool_use_id"), Some("c2"), "{order:?}");
            assert!(chain.iter().any(|event| event.link() == Some(LinkKind::Spawned)));
            let asked =
                |event: &StoredEvent| event.kind() == "user_message" && event.session() == Some(A);
            assert!(chain.iter().any(asked), "it leads to the user");
        }
    }
}

#[test]
fn what_a_fork_repeats_is_marked_and_took_its_tokens_before() {
    let tokens = |second: u32, total: u64, last: u64| {
        let usage =
            |n: u64| json!({"input_tokens": n, "cached_input_tokens": 0, "output_tokens": 1});
        let info = json!({"total_token_usage": usage(total), "last_token_usage": usage(last)});
        line(second, "event_msg", &json!({"type": "token_count", "info": info}))
    };
    let call =
        json!({"type": "function_call", "name": "spawn_agent", "call_id": "c", "arguments": "{}"});
    let fork = [
        meta(B, &json!({"forked_from_id": A})),
        meta(A, &json!({"cwd": "/elsewhere"})),
        message(0, "user", "go"),
        response(0, &call),
        line(0, "event_msg", &json!({"type": "error", "message": "broke"})),
        tokens(0, 10, 10),
        message(50, "user", "own"),
        tokens(51, 17, 7),
    ];
    let folder = files(&[(&rollout(B), &fork.concat())]);
    let store = forebear::in_memory().unwrap();
    imported(&store, &folder);
    let found = events(&store);
    let copies: Vec<_> = found.iter().map(|event| event.label("copy_of").is_some()).collect();
    assert_eq!(copies, [false, true, true, true, true, true, false, false]);
    assert!(found.iter().all(|event| event.session() == Some(B) && event.kind() != "error"));
    let session = store.snapshot().session(B).unwrap().unwrap();
    assert_eq!(session.tokens.input, 7);
    assert_eq!(found[7].label("project"), Some("work"));
}

#[test]
fn a_run_of_codex_exec_is_its_thread_s() {
    let run = |first: u64| {
        let usage = |n: u64| json!({"input_tokens": n * 100, "cached_input_tokens": n * 40, "output_tokens": n * 10});
        [
            json!({"type": "thread.started", "thread_id": A}),
            json!({"type": "item.started", "item": {"id": "item_0", "type": "command_execution", "command": "x", "status": "in_progress"}}),
            json!({"type": "item.completed", "item": {"id": "item_0", "type": "command_execution", "command": "x", "exit_code": 1, "status": "failed"}}),
            json!({"type": "turn.completed", "usage": usage(first)}),
        ]
        .map(|line| format!("{line}\n"))
        .concat()
    };
    let folder = files(&[("out.jsonl", &(run(1) + &run(3)))]);
    let store = forebear::in_memory().unwrap();
    assert_eq!(imported(&store, &folder).stored, 8);
    assert_eq!(imported(&store, &folder).stored, 0);
    let tokens = store.snapshot().session(A).unwrap().unwrap().tokens;
    assert_eq!((tokens.input, tokens.cache_read, tokens.output), (180, 120, 30));
    let found = events(&store);
    let by_id: BTreeMap<_, _> = found.iter().map(|event| (event.id().clone(), event)).collect();
    let results: Vec<_> = found.iter().filter(|event| event.kind() == "tool_result").collect();
    assert_eq!(results.len(), 2);
    for result in results {
        let call = by_id[result.parent().unwrap()];
        assert_eq!(call.kind(), "tool_use");
        assert_eq!(call.label("tool_use_id"), result.label("tool_use_id"));
    }
    // Without its first line a run is of no session, and not called after its file.
    let folder = files(&[("out.jsonl", "{\"type\":\"turn.started\"}\n")]);
    let store = forebear::in_memory().unwrap();
    imported(&store, &folder);
    assert_eq!(events(&store)[0].session(), None);
}

fn rollout(thread: &str) -> String {
    format!("rollout-2026-09-01T10-00-00-{thread}.jsonl")
}

fn meta(thread: &str, more: &Value) -> String {
    let mut payload = json!({"id": thread, "cwd": "/home/me/work", "cli_version": "0.150.0"});
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    line(0, "session_meta", &payload)
}

fn message(second: u32, role: &str, text: &str) -> String {
    let kind = if role == "user" { "input_text" } else { "output_text" };
    response(
        second,
        &json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]}),
    )
}

fn response(second: u32, payload: &Value) -> String {
    line(second, "response_item", payload)
}

fn item(second: u32, item: &Value) -> String {
    line(second, "event_msg", &json!({"type": "item_completed", "turn_id": "t", "item": item}))
}

fn line(second: u32, line_type: &str, payload: &Value) -> String {
    let timestamp = format!("2026-09-01T10:00:{second:02}.000Z");
    format!("{}\n", json!({"timestamp": timestamp, "type": line_type, "payload": payload}))
}

/// All events, in the order they came in.
fn events(store: &Store) -> Vec<StoredEvent> {
    let snapshot = store.snapshot();
    let mut events: Vec<_> =
        snapshot.events(Filter::new()).into_iter().map(Result::unwrap).collect();
    events.sort_by_key(StoredEvent::seq);
    events
}
