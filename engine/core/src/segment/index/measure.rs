//! Figures, not promises:
//! `cargo test --release -p forebear --lib index::measure -- --ignored --nocapture`

#![expect(clippy::cast_precision_loss, reason = "figures for people to read")]

use std::sync::Arc;
use std::time::Duration;

use super::tests::{FIRST_SEQ, IndexedLog, Plain, add};
use super::*;
use crate::base::event::Event;
use crate::base::random::Random;
use crate::base::row::Place;

/// Events of 64 instances in turn, each a chain; three labels of few values.
fn usual(count: u32, seed: u64) -> IndexedLog {
    let mut random = Random::new(seed);
    let mut index = Index::default();
    let mut last = vec![None; 64];
    for n in 0..count {
        let id = random.id();
        let instance = random.below(64) as usize;
        let mut event = Event::new(["message", "call", "result", "note"][random.below(4) as usize])
            .id(&id)
            .time_ns(i64::from(n) * 1_000_000)
            .instance(format!("instance {instance}"))
            .session(format!("session {instance} {}", n / 40_000))
            .label("model", ["large", "small", "tiny"][random.below(3) as usize])
            .label("status", ["good", "bad"][usize::from(random.below(10) == 0)])
            .label("queue", ["read", "write", "run", "find", "ask"][random.below(5) as usize]);
        if let Some(parent) = &last[instance] {
            event = event.parent(parent);
        }
        last[instance] = if random.below(100) == 0 { None } else { Some(id) };
        add(&mut index, event, n / 100 + 1, None);
    }
    IndexedLog::of(index)
}

pub(crate) fn per(elapsed: Duration, count: u32) -> f64 {
    elapsed.as_secs_f64() * 1e9 / f64::from(count)
}

/// How long this thread has been running: what others do on the machine is left out.
pub(crate) fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("reads");
    let ns = stat.split_whitespace().next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.expect("a number"))
}

/// Memory of the process's own, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("reads");
    let line = status.lines().find(|line| line.starts_with("RssAnon")).expect("is there");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number")
        * 1024
}

#[test]
#[ignore = "prints figures"]
fn figures_of_an_index() {
    for count in [100, 10_000, 131_072] {
        let sealed = usual(count, 1);
        let started = busy();
        let bytes = sealed.build(&[]);
        println!("{count} events: {:.0} ns to build", per(busy().saturating_sub(started), count));
        let started = busy();
        store::build(|table| ids::write(&sealed.entries, &sealed.slots(), table)).expect("builds");
        println!("  ids alone: {:.0} ns", per(busy().saturating_sub(started), count));
        println!("  {} bytes, {:.1} an event", bytes.len(), bytes.len() as f64 / f64::from(count));
        let index = sealed.open(bytes.clone()).expect("opens");
        let mut sizes = [(0, 0); 16];
        index
            .tree
            .walk(&[], |key, value| {
                let size = &mut sizes[usize::from(key[0])];
                *size = (size.0 + 1, size.1 + key.len() + value.len());
                Ok(std::ops::ControlFlow::Continue(()))
            })
            .expect("reads");
        for (kind, (entries, bytes)) in sizes.iter().enumerate().filter(|(_, size)| size.0 > 0) {
            println!(
                "  table {kind}: {entries} entries, {:.2} bytes an event",
                *bytes as f64 / f64::from(count)
            );
        }
        lookups(&sealed, &index);
        opening(&sealed, bytes);
    }
}

fn lookups(sealed: &IndexedLog, index: &SegmentIndex) {
    let mut random = Random::new(5);
    let rounds = 100_000;
    let count = sealed.entries.len() as u64;
    let keys: Vec<[u8; 16]> =
        (0..rounds).map(|_| sealed.entries[random.below(count) as usize].key).collect();
    let others: Vec<[u8; 16]> = (0..rounds).map(|_| random.id().key()).collect();
    for (what, keys) in [("hit", &keys), ("miss", &others)] {
        let started = busy();
        let mut found = 0;
        for key in keys {
            found += index.rows_of(key, None, 1, sealed.in_slot()).expect("reads").len();
        }
        println!(
            "  id, {what}: {:.0} ns ({found} found)",
            per(busy().saturating_sub(started), rounds)
        );
    }
    let started = busy();
    for _ in 0..rounds {
        index.children(random.below(count) as u32).expect("reads");
    }
    println!("  children: {:.0} ns", per(busy().saturating_sub(started), rounds));
    let started = busy();
    for _ in 0..rounds / 10 {
        let list = index.list(Dim::Kind("call")).expect("reads").expect("is there");
        let row = random.below(count) as u32;
        let from = Place { time_ns: sealed.entries[row as usize].time_ns, row };
        index.backwards(&list, from, 50, sealed.time_of()).expect("reads");
    }
    println!("  50 of a kind: {:.0} ns", per(busy().saturating_sub(started), rounds / 10));
}

fn opening(sealed: &IndexedLog, bytes: Vec<u8>) {
    let bytes = Arc::new(bytes);
    let rows = sealed.entries.len() as u32;
    let open = || SegmentIndex::open("1.idx", Plain(Arc::clone(&bytes)), 2, FIRST_SEQ, rows);
    let before = resident();
    let started = busy();
    let many: Vec<_> = (0..256).map(|_| open().expect("opens")).collect();
    println!("  open: {:.0} ns", per(busy().saturating_sub(started), 256));
    for index in &many {
        index.rows_of(&sealed.entries[9].key, None, 1, sealed.in_slot()).expect("reads");
    }
    println!("  memory of each that is open: {} bytes", (resident() - before) / 256);
    let started = busy();
    drop(many);
    println!("  close: {:.0} ns", per(busy().saturating_sub(started), 256));
}
