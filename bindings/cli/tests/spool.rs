//! While another process has the store open, what is written is handed in through the
//! spool and stands in the store a moment later.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use common::{Place, Said, each, ids};
use serde_json::Value;

/// A process that has the store open until it is dropped.
struct Holder {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Holder {
    /// `append --json` holds the store as long as its input is open.
    fn of(place: &Place) -> Self {
        let mut child = place
            .command(&["append", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut holder = Self { child, input, output };
        holder.append("holder");
        holder
    }

    /// Has it append an event, and waits for the answer.
    fn append(&mut self, id: &str) -> Value {
        let input = self.input.as_mut().expect("is open");
        writeln!(input, r#"{{"kind":"e","id":"{id}","time":1}}"#).expect("it reads");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("it answers");
        serde_json::from_str(&answer).expect("is JSON")
    }

    fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().expect("it ends").success());
    }
}

fn assert_handed_in(said: &Said) {
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("handing in through its spool"), "{said:?}");
}

#[test]
fn events_are_handed_in_while_the_store_is_held() {
    let place = Place::new();
    let mut holder = Holder::of(&place);
    let said = place.run(&[
        "append",
        "tool_use",
        "--id",
        "one",
        "--parent",
        "holder",
        "--payload",
        "ls",
        "--wait",
    ]);
    assert_handed_in(&said);
    let to = format!("handed to process {} (forebear), which took it in", holder.child.id());
    assert!(said.err.contains(&to), "{to}: {said:?}");
    assert_eq!(said.out, "one\n");
    let chain = place.json(&["chain", "one"]);
    assert_eq!(ids(&chain), ["one", "holder"]);

    let line = |n| format!("{{\"kind\":\"e\",\"id\":\"line {n}\",\"time\":{n}}}");
    let lines = (0..2500).map(line).collect::<Vec<_>>().join("\n");
    let lines =
        format!("{lines}\nno object\n{{\"kind\":\"\"}}\n{{\"kind\":\"last\",\"id\":\"last\"}}\n");
    let said = place.run_with(&["append", "--json", "--wait"], &lines);
    assert_eq!(said.code, 1, "two lines are refused: {}", said.err);
    let answers = said.lines();
    assert_eq!(answers.len(), 2503);
    assert_eq!(ids(&answers).len(), 2501);
    assert!(each(&answers, "status").iter().all(|status| *status == "handed_in"));
    assert_eq!(each(&answers, "line"), [2501, 2502]);
    let found = place.json(&["events", "--all", "--oldest-first"]);
    assert_eq!(found.len(), 2503);
    assert_eq!(place.json(&["show", "last"])[0]["kind"], "last");
    // The holder was not held up, and goes on.
    assert_eq!(holder.append("holder again")["status"], "new");
    holder.end();
}

#[test]
fn without_waiting_what_was_handed_in_is_there_once_the_holder_has_ended() {
    let place = Place::new();
    let holder = Holder::of(&place);
    for id in ["a", "b", "c"] {
        assert_handed_in(&place.run(&["append", "e", "--id", id]));
    }
    holder.end();
    // It took them in, or the next one to open the store does.
    assert_eq!(place.run(&["append", "e", "--id", "d"]).code, 0);
    let found = place.json(&["events", "--all"]);
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn relationships_are_handed_in_and_answered() {
    let place = Place::new();
    let holder = Holder::of(&place);
    let said = place.run(&["relate", "a", "b", "--type", "continuation"]);
    assert_handed_in(&said);
    assert_eq!(said.out, "a → b: continuation\n");
    assert_eq!(place.run(&["relate", "", "b"]).code, 2);
    holder.end();
}

#[test]
fn links_are_handed_in_and_say_what_became_of_them() {
    let place = Place::new();
    let mut holder = Holder::of(&place);
    holder.append("child");
    for (child, parent, became) in [
        ("child", "holder", "accepted"),
        ("child", "holder", "repeat"),
        ("child", "elsewhere", "refused"),
        ("holder", "child", "cycle-edge"),
        ("yet to come", "child", "accepted"),
    ] {
        let said = place.run(&["link", child, parent, "--json"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(said.lines().remove(0)["status"], became, "{child} by {parent}");
    }
    assert_eq!(ids(&place.json(&["chain", "child"])), ["child", "holder"]);
    holder.append("yet to come");
    assert_eq!(ids(&place.json(&["chain", "yet to come"])), ["yet to come", "child", "holder"]);
    holder.end();
}

#[test]
fn a_quarantined_line_is_read_again_while_the_store_is_held() {
    let place = Place::new();
    let holder = Holder::of(&place);
    let file = place.store().with_file_name("lines.jsonl");
    std::fs::write(&file, "{\"torn\n").expect("writes");
    let path = file.to_str().expect("is text");
    assert_handed_in(&place.run(&["import", path, "--wait"]));
    assert_eq!(place.json(&["quarantine"]).len(), 1);
    std::fs::write(&file, "{\"uuid\":\"mended\",\"type\":\"user\"}\n").expect("writes");
    assert_handed_in(&place.run(&["quarantine", "retry"]));
    holder.end();
    assert_eq!(ids(&place.json(&["show", "mended"])), ["mended"]);
}

#[test]
fn answers_come_line_by_line_also_through_the_spool() {
    let place = Place::new();
    let holder = Holder::of(&place);
    let mut second = Holder::of(&place);
    assert_eq!(second.append("through the spool")["status"], "handed_in");
    second.end();
    holder.end();
}

#[test]
fn an_import_is_handed_in_and_leaves_what_it_would_leave_by_itself() {
    let (held, direct) = (Place::new(), Place::new());
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/demo");
    let mut holder = Holder::of(&held);
    let said = held.run(&["import", demo, "--json", "--wait"]);
    assert_handed_in(&said);
    let figures = said.lines().remove(0);
    Holder::of(&direct).end();
    let expected = direct.json(&["import", demo]).remove(0);
    assert_eq!(expected["handed_in"], Value::Null);
    for figure in ["events", "links", "quarantined"] {
        assert_eq!(figures["handed_in"][figure], expected[figure], "{figure}");
        assert_eq!(figures[figure], 0, "only the holder knows what was new");
    }
    for figure in ["files", "bytes", "lines", "without_id", "bad_lines"] {
        assert_eq!(figures[figure], expected[figure], "{figure}");
    }
    let stats = |place: &Place| {
        let mut stats = place.json(&["stats"]).remove(0);
        stats.as_object_mut().expect("is an object").remove("bytes");
        stats
    };
    assert_eq!(stats(&held), stats(&direct));
    let failure = held.json(&["events", "--errors"]).remove(0);
    let chain = ["chain", failure["id"].as_str().expect("has an id")];
    assert_eq!(ids(&held.json(&chain)), ids(&direct.json(&chain)));
    assert!(ids(&held.json(&chain)).len() > 5);

    let again = held.run(&["import", demo]);
    assert_handed_in(&again);
    assert!(again.out.contains("unchanged"), "{again:?}");
    let again = held.json(&["import", demo, "--again"]).remove(0);
    assert_eq!(again["handed_in"]["events"], expected["events"]);
    assert_eq!(stats(&held), stats(&direct), "they are repeats");
    // The holder was not held up, and goes on.
    assert_eq!(holder.append("holder again")["status"], "new");
    holder.end();
    let last = held.json(&["import", demo]).remove(0);
    assert_eq!((&last["unchanged_files"], &last["lines"]), (&2.into(), &0.into()));
    assert_eq!(last["handed_in"], Value::Null);
}

#[test]
fn hooks_are_handed_in_whatever_happens() {
    let place = Place::new();
    let hook = |input: &str| place.run_with(&["hook"], input);
    let payload = |name: &str, more: &str| {
        format!("{{\"session_id\":\"s\",\"hook_event_name\":\"{name}\"{more}}}")
    };
    let call = r#","tool_name":"Bash","tool_use_id":"t""#;
    // Nobody has the store open, there is none as yet.
    for name in ["SessionStart", "UserPromptSubmit"] {
        let said = hook(&payload(name, ""));
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    }
    // Whoever looks takes in what waits.
    assert_eq!(place.json(&["events"]).len(), 2);
    let holder = Holder::of(&place);
    for name in ["PreToolUse", "PostToolUse", "Stop"] {
        assert_eq!(hook(&payload(name, if name == "Stop" { "" } else { call })).code, 0);
    }
    holder.end();
    let found = place.json(&["events", "--session", "s", "--oldest-first", "--payload"]);
    let kinds: Vec<_> = each(&found, "kind");
    assert_eq!(kinds, ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"]);
    let parents: Vec<_> = found[1..].iter().map(|event| event["parent"].as_str()).collect();
    let expected: Vec<_> = found[..4].iter().map(|event| event["id"].as_str()).collect();
    assert_eq!(parents, expected);
    assert_eq!(found[2]["payload"]["tool_name"], "Bash");

    // What is none is quarantined, and what is wrong is no concern of the caller's.
    let said = hook("no object");
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    let listed = place.run(&["quarantine"]);
    assert!(listed.out.contains("hook"), "{listed:?}");
    let said = place.run_with(&["hook", "--no-such-option"], "{}");
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert!(!said.err.is_empty());
    std::fs::remove_dir_all(place.store()).expect("removes");
    std::fs::write(place.store(), "a file in the way").expect("writes");
    let said = hook(&payload("Stop", ""));
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert!(said.err.contains("events.forebear"), "{said:?}");
}

#[test]
fn a_batch_that_cannot_be_read_is_warned_of_and_holds_up_nothing() {
    let place = Place::new();
    assert_eq!(place.run(&["append", "note", "--id", "a"]).code, 0);
    let bad = "spool/0000000000000004-0000000000000001-00000001.batch";
    std::fs::create_dir_all(place.store().join(bad)).expect("makes a folder");
    let said = place.run(&["append", "note", "--id", "b"]);
    assert_eq!((said.code, said.out.trim()), (0, "b"), "{said:?}");
    assert!(said.err.contains(bad), "{said:?}");
}
