//! What the commands that read print, for scripts and for people.

mod common;

use common::{Place, each, ids};
use serde_json::json;

#[test]
fn an_event_is_printed_with_all_its_keys() {
    let place = Place::with_three_events();
    let shown = place.json(&["show", "call", "--payload"]);
    assert_eq!(
        shown,
        [json!({
            "id": "call", "parent": "ask", "link": "caused", "root": "ask", "depth": 1, "seq": 2,
            "time": "2026-03-01T12:00:03.2Z", "kind": "tool_use", "instance": "main",
            "session": "s1", "labels": {"tool": "Bash"}, "payload": {"command": "make"},
        })]
    );
    let root = &place.json(&["show", "ask"])[0];
    assert!(root["parent"].is_null() && root["link"].is_null());
    assert!(root.get("payload").is_none());
    assert!(place.json(&["show", "failure"])[0]["session"].is_null());
}

#[test]
fn a_chain_ends_with_how_it_ended() {
    let place = Place::with_three_events();
    let chain = place.json(&["chain", "failure"]);
    assert_eq!(ids(&chain), ["failure", "call", "ask"]);
    assert_eq!(chain[2]["end"], json!({"kind": "root", "parent": null, "id": "ask"}));
    assert!(chain.iter().all(|event| event["kind"].is_string()), "one shape: {chain:?}");

    let chain = place.json(&["chain", "failure", "--root-first", "--payload"]);
    assert_eq!(ids(&chain), ["ask", "call", "failure"]);
    assert_eq!(chain[2]["payload"], "it broke");
    assert_eq!(chain[2]["end"]["id"], "ask");

    let chain = place.json(&["chain", "failure", "--max-depth", "1"]);
    assert_eq!(ids(&chain), ["failure", "call"]);
    assert_eq!(chain[1]["end"], json!({"kind": "depth_limit", "parent": "ask", "id": "call"}));

    let chain = place.json(&["chain", "failure", "--stop-at", "spawned"]);
    assert_eq!(chain[0]["end"], json!({"kind": "stopped", "parent": "call", "id": "failure"}));
}

#[test]
fn a_chain_without_its_beginning_says_so() {
    let place = Place::with_three_events();
    let said = place.run(&["append", "note", "--id", "orphan", "--parent", "gone"]);
    assert_eq!((said.code, said.out.as_str()), (0, "orphan\n"));
    let chain = place.json(&["chain", "orphan"]);
    assert_eq!(chain[0]["end"], json!({"kind": "missing", "parent": "gone", "id": "orphan"}));
    assert_eq!(
        place.json(&["missing"]),
        [json!({"id": "gone", "children": 1, "first_child": "orphan"})]
    );
    let drawn = place.run(&["chain", "orphan"]).out;
    assert!(drawn.contains("missing: the parent gone was never stored"), "{drawn}");
}

#[test]
fn a_chain_is_drawn() {
    let place = Place::with_three_events();
    let drawn = place.run(&["chain", "failure"]).out;
    assert_eq!(
        drawn,
        "\
2026-03-01 12:00:05 UTC  helper
┌ error             failure     +1.8s  it broke
╞═ spawned by  in main
├ tool_use          call        +3.2s  make
├ user_message      ask                why?
└ root: it began here, 2 steps back, at 2026-03-01 12:00:00 UTC
"
    );
    let drawn = place.run(&["chain", "failure", "--root-first"]).out;
    assert_eq!(
        drawn,
        "\
2026-03-01 12:00:00 UTC  main
┌ root: it began here, 2 steps back, at 2026-03-01 12:00:00 UTC
├ user_message      ask                why?
├ tool_use          call        +3.2s  make
╞═ spawned  in helper
└ error             failure     +1.8s  it broke
"
    );
}

#[test]
fn a_tree_is_drawn_with_only_children_straight_below() {
    let place = Place::with_three_events();
    place.run(&[
        "append",
        "note",
        "--id",
        "n",
        "--parent",
        "ask",
        "--time",
        "2026-03-01T12:00:01Z",
    ]);
    let said = place.run(&["tree", "ask"]);
    assert_eq!(
        said.out,
        "\
2026-03-01 12:00:00 UTC  main
● user_message           ask                why?
├─● note                 n           +1.0s
● tool_use               call        +3.2s  make
└─● error                failure     +1.8s  spawned: it broke
3 events below
"
    );
    let tree = place.json(&["tree", "ask", "--max-depth", "1"]);
    assert_eq!(ids(&tree), ["ask", "call", "n"]);
    assert_eq!(each(&tree, "below"), [0, 1, 1]);
    let tree = place.json(&["tree", "ask", "--limit", "1"]);
    let cursor = tree[1]["next"].as_str().expect("there is more");
    let rest = place.json(&["tree", "ask", "--after", cursor]);
    assert_eq!(ids(&rest), ["failure", "n"]);
}

#[test]
fn what_is_not_asked_for_is_folded_and_counted() {
    let place = Place::new();
    let mut lines = String::new();
    for n in 0..12 {
        let kind = ["user_message", "progress", "assistant_message", "tool_use"][n % 4];
        let labels = if kind == "progress" { json!({"bookkeeping": "true"}) } else { json!({}) };
        let mut line = json!({"kind": kind, "id": format!("e{n:02}"), "labels": labels,
            "time": 1_772_366_400_000_000_000_u64 + n as u64 * 1_000_000_000});
        if n > 0 {
            line["parent"] = format!("e{:02}", n - 1).into();
        }
        lines = format!("{lines}{line}\n");
    }
    assert_eq!(place.run_with(&["append", "--json"], lines).code, 0);
    let shown = |args: &[&str]| -> Vec<String> {
        let said = place.run(args);
        assert_eq!(said.code, 0, "{said:?}");
        let words = said.out.split_whitespace().filter(|word| {
            word.len() == 3 && word.starts_with('e') && word[1..].parse::<u8>().is_ok()
        });
        words.map(str::to_owned).collect()
    };
    // The tools' own notes are counted, unless asked for.
    let said = place.run(&["chain", "e11"]).out;
    assert_eq!(said.matches("┊ 1 event not shown").count(), 3, "{said}");
    assert!(said.contains("11 steps back"), "{said}");
    assert_eq!(shown(&["chain", "e11"]).len(), 9);
    assert_eq!(shown(&["chain", "e11", "--root-first"]).len(), 9);
    assert_eq!(shown(&["chain", "e11", "--bookkeeping"]).len(), 12);
    assert_eq!(shown(&["chain", "e11", "--kind", "progress"]), ["e11", "e09", "e05", "e01"]);
    assert_eq!(shown(&["chain", "e11", "--short"]), ["e11", "e08", "e04", "e00"]);
    assert_eq!(shown(&["chain", "e11", "--errors"]), ["e11"]);
    assert_eq!(shown(&["tree", "e00"]).len(), 9);
    assert_eq!(shown(&["tree", "e00", "--short"]), ["e00", "e04", "e08"]);
    let said = place.run(&["tree", "e00", "--short"]).out;
    assert!(said.contains("11 events below, 9 of them not shown"), "{said}");
    // In JSON all of it comes unless it is asked for less.
    assert_eq!(place.json(&["chain", "e11"]).len(), 12);
    let some = place.json(&["chain", "e11", "--kind", "progress"]);
    assert_eq!(ids(&some), ["e09", "e05", "e01"]);
    assert_eq!(some[2]["end"]["kind"], "root");
}

#[test]
fn every_listing_takes_a_limit_and_says_in_its_last_object_where_it_goes_on() {
    let place = Place::new();
    let mut lines = String::new();
    for n in 0..9 {
        let line = json!({"kind": "note", "id": format!("e{n}"), "parent": "r0",
            "session": format!("s{n}"), "labels": {"wave_id": format!("w{n}")},
            "time": 1_772_366_400_000_000_000_u64 + n * 3_600_000_000_000});
        lines = format!("{lines}{line}\n{}\n", json!({"kind": "root", "id": format!("r{n}")}));
    }
    assert_eq!(place.run_with(&["append", "--json"], lines).code, 0);
    for listing in [
        vec!["events"],
        vec!["events", "--oldest-first"],
        vec!["children", "r0"],
        vec!["siblings", "e1"],
        vec!["roots"],
        vec!["timeline"],
        vec!["sessions"],
    ] {
        let page = place.json(&[&listing[..], &["--limit", "3"]].concat());
        assert_eq!(page.len(), 3, "{listing:?}: {page:?}");
        let next = page[2]["next"].as_str().unwrap_or_else(|| panic!("{listing:?}: {page:?}"));
        assert!(page[0].get("next").is_none(), "{listing:?}");
        let rest = place.json(&[&listing[..], &["-n", "3", "--after", next]].concat());
        assert_eq!(rest.len(), 3, "{listing:?}: {rest:?}");
        assert_ne!(rest[0], page[0], "{listing:?}");
    }
    assert_eq!(place.json(&["recent", "--limit", "2"]).len(), 2);
    assert_eq!(place.json(&["count", "--by", "session", "--limit", "4"]).len(), 4);
    assert_eq!(place.json(&["count", "session"]), place.json(&["count", "--by", "session"]));
    assert_eq!(place.run(&["count"]).code, 2);
}

#[test]
fn relatives_are_listed() {
    let place = Place::with_three_events();
    place.run(&["append", "note", "--id", "n", "--parent", "ask"]);
    assert_eq!(ids(&place.json(&["children", "ask"])), ["call", "n"]);
    assert_eq!(ids(&place.json(&["siblings", "call"])), ["n"]);
    assert_eq!(ids(&place.json(&["common", "failure", "n"])), ["ask"]);
    assert_eq!(ids(&place.json(&["common", "failure", "call"])), ["call"]);
    assert_eq!(ids(&place.json(&["roots"])), ["ask"]);
    assert!(place.json(&["children", "n"]).is_empty());

    place.run(&["append", "note", "--id", "other"]);
    let none = place.run(&["common", "failure", "other", "--json"]);
    assert_eq!(none.code, 3);
    assert_eq!(none.lines(), [json!({"end": {"kind": "none"}})]);
}

#[test]
fn events_are_filtered_and_paged() {
    let place = Place::with_three_events();
    let found = |args: &[&str]| -> Vec<String> {
        let lines = place.json(&[&["events"], args].concat());
        ids(&lines).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(found(&[]), ["failure", "call", "ask"]);
    assert_eq!(found(&["--oldest-first"]), ["ask", "call", "failure"]);
    assert_eq!(found(&["--errors"]), ["failure"]);
    assert_eq!(found(&["--kind", "error", "--kind", "tool_use"]), ["failure", "call"]);
    assert_eq!(found(&["--label", "tool=Bash"]), ["call"]);
    assert_eq!(found(&["--session", "s1"]), ["call", "ask"]);
    assert_eq!(found(&["--instance", "helper"]), ["failure"]);
    assert_eq!(found(&["--root", "ask", "--limit", "5"]).len(), 3);
    assert_eq!(found(&["--since", "2026-03-01T12:00:03Z"]), ["failure", "call"]);
    assert_eq!(found(&["--until", "2026-03-01T12:00:03Z"]), ["ask"]);
    assert_eq!(found(&["--since", "1772366405000000000"]), ["failure"]);

    let page = place.json(&["events", "--limit", "2"]);
    assert_eq!(ids(&page), ["failure", "call"]);
    let cursor = page[1]["next"].as_str().expect("there is more");
    let rest = place.json(&["events", "--limit", "2", "--after", cursor]);
    assert_eq!(ids(&rest), ["ask"]);

    assert_eq!(ids(&place.json(&["recent", "-n", "1"])), ["failure"]);
    assert_eq!(ids(&place.json(&["recent", "main"])), ["call", "ask"]);
}

#[test]
fn all_of_many_events_are_listed_across_pages() {
    let place = Place::new();
    let mut input = String::new();
    for n in 0..2500 {
        use std::fmt::Write;
        writeln!(input, r#"{{"kind":"k","id":"e{n}","time":{n}}}"#).unwrap();
    }
    let said = place.run_with(&["append", "--json", "--durability", "flush"], input);
    assert_eq!(said.lines().len(), 2500);
    let listed = place.json(&["events", "--all", "--oldest-first"]);
    assert_eq!(listed.len(), 2500);
    assert_eq!(listed[2499]["id"], "e2499");
    let some = place.json(&["events", "--limit", "1200"]);
    assert!(some.len() == 1200 && some[1199]["next"].is_string());
    assert_eq!(ids(&place.json(&["roots", "--all"])).len(), 2500);
}

#[test]
fn counts_and_timelines_add_up() {
    let place = Place::with_three_events();
    let mut kinds = place.json(&["count", "kind"]);
    kinds.sort_by_key(|line| line["value"].to_string());
    assert_eq!(
        kinds,
        [
            json!({"value": "error", "count": 1}),
            json!({"value": "tool_use", "count": 1}),
            json!({"value": "user_message", "count": 1}),
        ]
    );
    assert_eq!(place.json(&["count", "label:tool"]), [json!({"value": "Bash", "count": 1})]);
    assert_eq!(
        place.json(&["timeline", "--bucket", "4s"]),
        [
            json!({"start": "2026-03-01T12:00:00Z", "count": 2}),
            json!({"start": "2026-03-01T12:00:04Z", "count": 1}),
        ]
    );
    assert!(place.run(&["timeline"]).out.contains('█'));
    assert_eq!(place.run(&["count", "colour"]).code, 2);
}

#[test]
fn stats_have_the_promised_keys() {
    let place = Place::with_three_events();
    let stats = &place.json(&["stats"])[0];
    for (key, value) in [
        ("events", json!(3)),
        ("versions", json!(0)),
        ("without_id", json!(0)),
        ("segments", json!(1)),
        ("roots", json!(1)),
        ("max_depth", json!(2)),
        ("deepest", json!("failure")),
        ("deepest_root", json!("ask")),
        ("max_children", json!(1)),
        ("missing_parents", json!(0)),
        ("cycles", json!(0)),
        ("refused_links", json!(0)),
        ("quarantined", json!(0)),
        ("parents_by_field", json!({"parent": 1, "spawned": 1})),
        ("types", json!({})),
        ("sessions", json!(1)),
    ] {
        assert_eq!(stats[key], value, "{key}");
    }
    assert!(stats["bytes"].as_u64() > Some(0));
    assert!(place.run(&["stats"]).out.contains("max depth"));
}

#[test]
fn refused_links_and_cycle_edges_are_listed() {
    let place = Place::with_three_events();
    let linked = |child: &str, parent: &str| {
        place.json(&["link", child, parent])[0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(linked("call", "failure"), "refused");
    assert_eq!(linked("ask", "failure"), "cycle-edge");
    let links = place.json(&["links"]);
    assert_eq!(
        links,
        [
            json!({"status": "refused", "child": "call", "parent": "failure", "kind": "caused", "instead": "ask"}),
            json!({"status": "cycle-edge", "child": "ask", "parent": "failure", "kind": "caused"}),
        ]
    );
    assert_eq!(place.json(&["links", "--cycles"]).len(), 1);
    let chain = place.json(&["chain", "failure"]);
    assert_eq!(chain.last().unwrap()["end"]["kind"], "cycle");

    place.run(&["append", "note", "--id", "late"]);
    assert_eq!(linked("late", "ask"), "accepted");
    assert_eq!(linked("late", "ask"), "repeat");
    assert_eq!(place.json(&["show", "late"])[0]["parent"], "ask");
}

#[test]
fn payloads_that_are_no_json_are_printed_all_the_same() {
    let place = Place::new();
    let append = |id: &str, payload: &[u8]| {
        let said = place.run_with(&["append", "k", "--id", id, "--payload", "-"], payload);
        assert_eq!(said.code, 0, "{said:?}");
    };
    append("pretty", b"{\n  \"a b\": [1,\n 2.50]\n}\n");
    append("text", "not json: \u{1b}[31m".as_bytes());
    append("bytes", b"\xff\xfe\x00");
    let payload = |id: &str| place.json(&["show", id, "--payload"]).remove(0);
    let out = place.run(&["show", "pretty", "--payload", "--json"]).out;
    assert!(out.trim_end().ends_with(r#""payload":{"a b":[1,2.50]}}"#), "{out}");
    assert_eq!(payload("text")["payload_text"], "not json: \u{1b}[31m");
    assert_eq!(payload("bytes")["payload_base64"], "//4A");
    assert_eq!(place.run(&["show", "bytes", "--raw"]).raw, b"\xff\xfe\x00");

    // What one store prints, another takes.
    let all = place.run(&["events", "--all", "--oldest-first", "--payload", "--json"]).out;
    let other = Place::new();
    assert_eq!(other.run_with(&["append", "--json"], all).code, 0);
    assert_eq!(other.run(&["show", "bytes", "--raw"]).raw, b"\xff\xfe\x00");
}

#[test]
fn versions_are_shown() {
    let place = Place::with_three_events();
    let said = place.run(&["append", "tool_use", "--id", "call", "--payload", "other"]);
    assert_eq!((said.code, said.out.as_str()), (0, "call\n"));
    assert!(said.err.contains("version"), "{}", said.err);
    let shown = place.json(&["show", "call", "--versions", "--payload"]);
    assert_eq!(shown.len(), 2);
    assert!(shown[0].get("version").is_none());
    assert_eq!(shown[1]["version"], true);
    assert_eq!(shown[1]["parent"], "ask");
    assert_eq!(shown[1]["payload_text"], "other");
    assert_eq!(place.json(&["events", "--without-versions"]).len(), 3);
    assert!(place.run(&["show", "call"]).out.contains("--versions"));
}

#[test]
fn payloads_are_exported_byte_for_byte() {
    let place = Place::with_three_events();
    place.run(&["append", "note", "--id", "bare"]);
    let said = place.run(&["export"]);
    assert_eq!(said.out, "{\"text\":\"why?\"}\n{\"command\":\"make\"}\n\"it broke\"\n");
    assert!(said.err.contains("1 event has no payload"), "{}", said.err);

    let file = place.path().join("out.jsonl");
    let path = file.to_str().unwrap();
    let said = place.run(&["export", "--errors", "-o", path]);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert_eq!(std::fs::read(&file).unwrap(), b"\"it broke\"\n");
    let again = place.run(&["export", "-o", path]);
    assert_eq!(again.code, 1, "an existing file is not overwritten");
}
