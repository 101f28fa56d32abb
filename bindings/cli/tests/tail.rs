//! `forebear tail`, and reading while another process writes.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Place, ids};
use forebear::{Event, Retention};

#[test]
fn commands_read_a_store_that_is_open_for_writing() {
    let place = Place::with_three_events();
    let store = forebear::open(place.store()).expect("opens");
    store.append(Event::new("late").id("late").parent("failure")).expect("appends");
    assert_eq!(ids(&place.json(&["chain", "late"])), ["late", "failure", "call", "ask"]);
    for command in [
        &["events"][..],
        &["recent"],
        &["show", "late"],
        &["tree", "ask"],
        &["children", "call"],
        &["siblings", "late"],
        &["common", "late", "call"],
        &["roots"],
        &["missing"],
        &["links"],
        &["count", "kind"],
        &["timeline"],
        &["export"],
        &["quarantine"],
        &["stats"],
        &["tail"],
    ] {
        let said = place.run(command);
        assert_eq!(said.code, 0, "{command:?}: {said:?}");
    }
    let said = place.run(&["seal"]);
    assert_eq!(said.code, 1, "one writer at a time: {said:?}");
    drop(store);
}

#[test]
fn commands_answer_while_segments_expire_under_them() {
    let place = Place::new();
    let store = forebear::builder().segment_events(20).open(place.store()).expect("opens");
    let event = |n: u64| {
        let event = Event::new("step").id(format!("event {n}")).payload(vec![b'x'; 400]);
        event.parent(format!("event {}", n.saturating_sub(1)))
    };
    store.append_batch((0..2000).map(event)).expect("appends");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let policy = Retention::new().max_events(500);
            for n in (2000..).step_by(20) {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                store.append_batch((n..n + 20).map(event)).expect("appends");
                store.retain(&policy).expect("drops");
            }
        });
        let _over = Over(&done);
        for _ in 0..10 {
            for command in [
                &["events", "--all", "--oldest-first", "--json"][..],
                &["export"],
                &["roots", "--all"],
                &["missing"],
                &["stats"],
                &["count", "kind"],
                &["timeline"],
                &["tail"],
                &["segments"],
                &["verify"],
            ] {
                let said = place.run(command);
                assert_eq!(said.code, 0, "{command:?}: {}{}", said.out, said.err);
            }
            let copy = tempfile::tempdir().expect("a folder");
            let said = place.run(&["backup", copy.path().to_str().expect("is text")]);
            assert_eq!(said.code, 0, "{}", said.err);
        }
    });
}

/// Ends the writing thread, also where a command has failed.
struct Over<'d>(&'d AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn tail_shows_what_is_stored_from_where_it_is_told() {
    let place = Place::with_three_events();
    assert_eq!(ids(&place.json(&["tail"])), ["ask", "call", "failure"]);
    assert_eq!(ids(&place.json(&["tail", "--from", "2"])), ["call", "failure"]);
    let from = ["tail", "--from", "2026-03-01T12:00:04Z"];
    assert_eq!(ids(&place.json(&from)), ["failure"]);
    assert_eq!(ids(&place.json(&["tail", "--kind", "tool_use"])), ["call"]);
    assert_eq!(ids(&place.json(&["tail", "--durable"])), ["ask", "call", "failure"]);
    assert_eq!(place.run(&["tail", "--from", "now"]).code, 3);
    assert_eq!(place.run(&["tail", "--from", "yesteryear"]).code, 2);
}

#[test]
fn tail_follows_and_ends_cleanly() {
    let place = Place::with_three_events();
    let store = forebear::open(place.store()).expect("opens");
    let mut tail = place
        .command(&["tail", "-f", "--json", "--from", "3"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(tail.stdout.take().expect("is piped")).lines();
    let mut next = || lines.next().expect("goes on").expect("is text");
    assert!(next().contains(r#""id":"failure""#));
    let mut delays = Vec::new();
    for n in 0..20 {
        let id = format!("later {n}");
        store.append(Event::new("step").id(id.as_str())).expect("appends");
        let begun = Instant::now();
        assert!(next().contains(&id));
        delays.push(begun.elapsed());
    }
    delays.sort_unstable();
    println!("shown after {:?}, at most {:?}", delays[10], delays[19]);
    // The best of them: the machine may be busy with other things.
    assert!(delays[0] < Duration::from_millis(100), "{delays:?}");
    interrupt(&mut tail);
    assert!(tail.wait().expect("ends").success());
    std::io::stdout().flush().expect("flushes");
}

#[test]
fn tail_follows_what_a_filter_takes_and_if_durable_what_is_on_disk() {
    let place = Place::with_three_events();
    let store = forebear::open(place.store()).expect("opens");
    let mut tail = place
        .command(&["tail", "-f", "--json", "--errors", "--durable", "--from", "start"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(tail.stdout.take().expect("is piped")).lines();
    let mut next = || lines.next().expect("goes on").expect("is text");
    assert!(next().contains(r#""id":"failure""#));
    let mut delays = Vec::new();
    for n in 0..5 {
        store.append(Event::new("step").id(format!("step {n}"))).expect("appends");
        let id = format!("error {n}");
        store.append(Event::new("error").id(id.as_str())).expect("appends");
        // No block comes after it that would say it is on disk.
        let begun = Instant::now();
        assert!(next().contains(&id));
        delays.push(begun.elapsed());
    }
    // The best of them: the machine may be busy with other things.
    assert!(delays.iter().min() < Some(&Duration::from_millis(100)), "{delays:?}");
    interrupt(&mut tail);
    assert!(tail.wait().expect("ends").success());
}

#[cfg(unix)]
fn interrupt(child: &mut std::process::Child) {
    let pid = child.id().to_string();
    let kill = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.expect("kill runs").success());
}

#[cfg(not(unix))]
fn interrupt(child: &mut std::process::Child) {
    child.kill().expect("ends");
}
