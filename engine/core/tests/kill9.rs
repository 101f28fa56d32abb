//! A process killed at any moment loses nothing that was acknowledged as `Sync`
//! or `Flush`, and no batch is half there.
//!
//! `FOREBEAR_KILL_ROUNDS` sets how often a process is killed; 25 times unless set.

mod support {
    pub(crate) mod random;
}

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use forebear::{Batch, Durability, Event, Store};
use support::random::Random;

const FOLDER: &str = "FOREBEAR_KILL9_FOLDER";
const FIRST_BATCH: &str = "FOREBEAR_KILL9_FIRST_BATCH";
const ROUNDS: &str = "FOREBEAR_KILL_ROUNDS";
const DEFAULT_ROUNDS: u64 = 25;
/// What begins a line that acknowledges a batch, before its number.
const ACKNOWLEDGED: &str = "acknowledged ";
/// The process is killed sooner than this after its first acknowledgement.
const DELAY_MS_MAX: u64 = 60;

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let rounds = env::var(ROUNDS)
        .map_or(DEFAULT_ROUNDS, |rounds| rounds.parse().expect("FOREBEAR_KILL_ROUNDS is a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let mut random = Random::new(rounds);
    let mut held = 0;
    for round in 0..rounds {
        let delay = Duration::from_millis(random.below(DELAY_MS_MAX));
        let acknowledged = run_and_kill(&path, held, delay);
        let store = Store::open(&path).expect("opens");
        let context = format!("round {round}, after {delay:?}");
        held = check(&store, held, acknowledged, &context);
        // Now and then the next process starts from a clean close.
        if random.below(100) < 30 {
            store.close().expect("closes");
        }
    }
}

/// Runs in a process of its own, which the test above kills.
#[test]
fn append_until_killed() {
    let Ok(folder) = env::var(FOLDER) else {
        return;
    };
    let first: u64 =
        env::var(FIRST_BATCH).expect("is set with the folder").parse().expect("is a number");
    let store = Store::open(folder).expect("opens");
    let mut next = first;
    loop {
        let together = 1 + Random::new(next).below(6);
        let receipts: Vec<_> = (next..next + together)
            .map(|number| (number, store.submit(batch(number)).expect("submits")))
            .collect();
        for (number, receipt) in receipts {
            receipt.wait().expect("is written");
            if durability(number) >= Durability::Flush {
                // One write to the pipe, so that a line is there whole or not.
                let line = format!("{ACKNOWLEDGED}{number}\n");
                std::io::stdout().write_all(line.as_bytes()).expect("writes");
            }
        }
        next += together;
    }
}

/// Has a process append from this batch on, kills it, and returns the last batch
/// it acknowledged.
fn run_and_kill(path: &Path, next: u64, delay: Duration) -> Option<u64> {
    let mut process = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "append_until_killed", "--nocapture"])
        .env(FOLDER, path)
        .env(FIRST_BATCH, next.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let output = process.stdout.take().expect("is piped");
    let mut acknowledgements = BufReader::new(output).lines().filter_map(|line| {
        // The test harness begins its own line just before the first of ours.
        let line = line.expect("is text");
        let (_, number) = line.split_once(ACKNOWLEDGED)?;
        Some(number.parse().expect("is a number"))
    });
    let first = acknowledgements.next();
    let later = thread::scope(|scope| {
        let reader = scope.spawn(|| acknowledgements.last());
        thread::sleep(delay);
        process.kill().expect("kills");
        process.wait().expect("ends");
        reader.join().expect("reads")
    });
    later.or(first)
}

/// Checks that the store holds the batches up to some number, whole, the
/// acknowledged one among them. Returns how many.
fn check(store: &Store, held: u64, acknowledged: Option<u64>, context: &str) -> u64 {
    let snapshot = store.snapshot();
    let is_there = |id: String| snapshot.contains(id).expect("answers");
    let mut now_held = held;
    while is_there(name(now_held, 0)) {
        now_held += 1;
    }
    if let Some(acknowledged) = acknowledged {
        assert!(
            now_held > acknowledged,
            "{context}: batch {acknowledged} was acknowledged, {now_held} are there"
        );
    }
    for number in held..now_held {
        for position in 0..events(number) {
            let found = snapshot
                .get(name(number, position))
                .expect("is read")
                .unwrap_or_else(|| panic!("{context}: batch {number} lacks event {position}"));
            let expected = payload(number, position);
            assert_eq!(found.payload(), Some(expected.as_bytes()), "{context}");
        }
    }
    let expected: u64 = (0..now_held).map(events).sum();
    assert_eq!(snapshot.stats().expect("counts").events, expected, "{context}");
    now_held
}

fn batch(number: u64) -> Batch {
    (0..events(number))
        .map(|position| {
            let event =
                Event::new("step").id(name(number, position)).payload(payload(number, position));
            match number {
                0 => event,
                _ => event.parent(name(number - 1, 0)),
            }
        })
        .collect::<Batch>()
        .durability(durability(number))
}

fn durability(number: u64) -> Durability {
    match Random::new(number ^ 0xd).below(8) {
        0 => Durability::Sync,
        1..3 => Durability::Buffered,
        _ => Durability::Flush,
    }
}

fn events(number: u64) -> u64 {
    1 + Random::new(number ^ 0xe).below(8)
}

fn name(number: u64, position: u64) -> String {
    format!("batch {number} event {position}")
}

fn payload(number: u64, position: u64) -> String {
    let length = Random::new(number << 8 ^ position).below(2000) as usize;
    format!("{number} {position} {}", "x".repeat(length))
}
