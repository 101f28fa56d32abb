//! One process writes, rotates, seals, archives and drops while eight others read the
//! store and its archive, each checking every answer against the rule that generated
//! the data.
//!
//! `FOREBEAR_SOAK_SECONDS` sets for how long; a minute unless set.

mod support {
    pub(crate) mod random;
}

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use forebear::{
    Batch, ChainEnd, Durability, Event, Filter, Reader, Result, Retention, Snapshot, StartFrom,
    Store,
};
use support::random::Random;

const FOLDER: &str = "FOREBEAR_SOAK_FOLDER";
const SEED: &str = "FOREBEAR_SOAK_SEED";
const SECONDS: &str = "FOREBEAR_SOAK_SECONDS";
const DEFAULT_SECONDS: u64 = 60;
const READERS: u64 = 8;
/// Events in a segment, and events that retention leaves.
const SEGMENT_EVENTS: u32 = 50;
const KEPT_EVENTS: u64 = 2_000;
/// Every chain has so many events: then a new one begins.
const CHAIN_EVENTS: u64 = 40;
const INSTANCES: u64 = 5;

#[test]
fn readers_in_other_processes_see_what_the_rule_says() {
    let length = Duration::from_secs(seconds());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let store = Store::builder().segment_events(SEGMENT_EVENTS).open(&path).expect("opens");
    let retention = Retention::new().max_events(KEPT_EVENTS).archive(archive_of(&path));
    let readers: Vec<_> = (0..READERS).map(|seed| start_reader(&path, seed)).collect();
    let (begun, mut random, mut number) = (Instant::now(), Random::new(7), 0);
    while begun.elapsed() < length {
        let count = 1 + random.below(20);
        let durability = if random.below(10) == 0 { Durability::Sync } else { Durability::Flush };
        let batch = (number..number + count).map(event).collect::<Batch>();
        store.write(batch.durability(durability)).expect("writes");
        number += count;
        match random.below(200) {
            0 => store.seal().expect("seals"),
            1 => {
                store.retain(&retention).expect("retains");
            }
            2..20 => thread::sleep(Duration::from_millis(random.below(30))),
            _ => {}
        }
    }
    store.close().expect("closes");
    for mut reader in readers {
        assert!(reader.wait().expect("ends").success(), "a reader found something wrong");
    }
    let archived = check_archive(&archive_of(&path), 1);
    println!("{number} events in {:?}, {archived} of them archived", begun.elapsed());
    let snapshot = Reader::open(&path).expect("opens").snapshot().expect("reads");
    assert!(snapshot.contains(id(number - 1)).expect("answers"));
    let first = snapshot.events(Filter::new()).oldest_first().limit(1).page().expect("lists").items;
    assert_eq!(first.first().map(|event| event.seq() - 1), Some(archived), "each is in one");
    snapshot.verify(&mut |finding| panic!("{finding}")).expect("reads");
}

/// Runs in a process of its own.
#[test]
fn read_and_check() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let seed: u64 = env::var(SEED).expect("is set with the folder").parse().expect("is a number");
    let length = Duration::from_secs(seconds());
    let begun = Instant::now();
    let reader = Reader::open(&folder).expect("opens");
    // Half of them follow, the others ask.
    let asked = if seed.is_multiple_of(2) {
        follow(&reader, begun, length)
    } else {
        ask(&folder, reader, seed, begun, length)
    };
    assert!(asked > 0, "reader {seed} came to see nothing");
    println!("reader {seed}: {asked} answers");
}

/// Every event comes once, in order, as it was written.
fn follow(reader: &Reader, begun: Instant, length: Duration) -> u64 {
    let mut events = reader.subscribe(Filter::new(), StartFrom::Start).expect("begins");
    let (mut next, mut told) = (None, 0);
    while begun.elapsed() < length {
        match events.next_timeout(Duration::from_millis(50)) {
            None => {}
            Some(Ok(event)) => {
                let number = event.seq() - 1;
                assert!(next.is_none_or(|next| next == number), "{next:?}, found {number}");
                assert_eq!(event.id().to_string(), id(number));
                assert_eq!(event.payload(), Some(payload(number).as_bytes()));
                (next, told) = (Some(number + 1), told + 1);
            }
            Some(Err(error)) => {
                assert!(error.is_expired(), "{error}");
                next = None;
            }
        }
    }
    told
}

fn ask(folder: &str, mut reading: Reader, seed: u64, since: Instant, length: Duration) -> u64 {
    let (mut random, mut answers, mut newest) = (Random::new(seed), 0, 0);
    while since.elapsed() < length {
        if random.below(100) == 0 {
            reading = Reader::open(folder).expect("opens");
            check_archive(&archive_of(folder.as_ref()), random.next());
        }
        let choice = random.next();
        let rows = reading.ask(|snapshot| check(snapshot, choice)).expect("answers");
        assert!(rows >= newest, "{newest} events were there, now {rows}");
        newest = rows;
        answers += 1;
        thread::sleep(Duration::from_millis(2));
    }
    if newest > 0 { answers } else { 0 }
}

/// Asks a snapshot a few things; returns how many events were ever stored.
fn check(snapshot: &Snapshot, choice: u64) -> Result<u64> {
    let mut random = Random::new(choice);
    let instance = random.below(INSTANCES);
    let newest = snapshot.events(Filter::new()).limit(1).page()?.items;
    let Some(newest) = newest.first() else { return Ok(0) };
    let last = newest.seq() - 1;
    assert_eq!(newest.id().to_string(), id(last));
    // No gap: what is listed by instance is every fifth one, newest first.
    let of_instance = snapshot.events(Filter::new().instance(name(instance)));
    let listed = of_instance.limit(30).page()?.items;
    let mut expected = last - (last + INSTANCES - instance) % INSTANCES;
    for event in &listed {
        assert_eq!(event.seq() - 1, expected);
        assert_eq!(event.payload(), Some(payload(expected).as_bytes()));
        expected = expected.wrapping_sub(INSTANCES);
    }
    let oldest = snapshot.events(Filter::new()).oldest_first().limit(1).page()?.items;
    let first = oldest.first().map_or(last, |event| event.seq() - 1);
    let number = first + random.below(last - first + 1);
    let Some(found) = snapshot.get(id(number))? else {
        panic!("{number} is missing, between {first} and {last}");
    };
    assert_eq!(found.seq(), number + 1);
    assert_eq!(found.payload(), Some(payload(number).as_bytes()));
    assert_eq!(found.depth(), number % CHAIN_EVENTS);
    let chain = snapshot.chain(id(number))?;
    let mut chain = chain.expect("it is there");
    let mut expected = number;
    for event in chain.by_ref() {
        assert_eq!(event?.id().to_string(), id(expected));
        expected = expected.wrapping_sub(1);
    }
    let end = chain.end();
    if number - number % CHAIN_EVENTS >= first {
        assert_eq!(end, Some(&ChainEnd::Root), "of {number}");
    } else {
        assert_ne!(end, Some(&ChainEnd::Root), "of {number}, the first being {first}");
    }
    assert!(snapshot.get(id(last + 1))?.is_none(), "nothing later shows");
    Ok(last + 1)
}

/// Asks an archive a few things, where it has come to be; returns how many events it
/// holds, which are all from the first on.
fn check_archive(archive: &Path, choice: u64) -> u64 {
    if !archive.join("MANIFEST").exists() {
        return 0;
    }
    let snapshot = Reader::open(archive).expect("opens").snapshot().expect("reads");
    let newest = snapshot.events(Filter::new()).limit(1).page().expect("lists").items;
    let count = newest.first().expect("it has some").seq();
    let number = Random::new(choice).below(count);
    let found = snapshot.get(id(number)).expect("answers").expect("it was archived");
    assert_eq!(found.seq(), number + 1);
    assert_eq!(found.payload(), Some(payload(number).as_bytes()));
    assert_eq!(found.depth(), number % CHAIN_EVENTS);
    let chain = snapshot.chain(id(number)).expect("answers");
    assert_eq!(chain.expect("it is there").count() as u64, number % CHAIN_EVENTS + 1);
    count
}

fn archive_of(store: &Path) -> PathBuf {
    store.with_extension("archive")
}

fn start_reader(path: &Path, seed: u64) -> Child {
    Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "read_and_check", "--nocapture"])
        .env(FOLDER, path)
        .env(SEED, seed.to_string())
        .spawn()
        .expect("starts")
}

fn event(number: u64) -> Event {
    let event = Event::new("step")
        .id(id(number))
        .time_ns(number.cast_signed())
        .instance(name(number % INSTANCES))
        .payload(payload(number));
    if number.is_multiple_of(CHAIN_EVENTS) { event } else { event.parent(id(number - 1)) }
}

fn id(number: u64) -> String {
    format!("event {number}")
}

fn name(instance: u64) -> String {
    format!("instance {instance}")
}

fn payload(number: u64) -> String {
    let length = Random::new(number).below(600) as usize;
    format!("{number} {}", "x".repeat(length))
}

fn seconds() -> u64 {
    env::var(SECONDS).map_or(DEFAULT_SECONDS, |seconds| seconds.parse().expect("a number"))
}
