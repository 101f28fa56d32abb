//! What processes hand in while another one has the store open is taken in exactly
//! once and in order, whatever dies in between, and a bad file holds up nothing.

mod support {
    #[expect(dead_code, reason = "of the listings some are used")]
    pub(crate) mod listing;
}

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use forebear::storage::{SimulatedDisk, Storage};
use forebear::{
    Batch, Decoder, Error, Event, Filter, Foreign, Link, LinkKind, Quarantined, Result, Retention,
    Snapshot, Spool, Store, limits,
};
use support::listing::events;

const SPOOL: &str = "spool";
const LONG: Duration = Duration::from_mins(1);
/// Batches that are handed in between two that the store writes itself.
const TOGETHER: usize = 3;
const ROUNDS: usize = 4;

#[test]
fn a_crash_at_any_operation_takes_no_batch_in_twice_and_loses_none() {
    for crash in 1.. {
        let disk = SimulatedDisk::with_seed(crash);
        disk.crash_at(crash);
        let reached = hand_in_and_write(&disk);
        for (what, after) in [
            ("kill", disk.kill()),
            ("loss", disk.power_loss(crash)),
            ("loss", disk.power_loss(!crash)),
        ] {
            let context = format!("{what} at {crash}, reached {reached}");
            let found = check(&after, &context);
            assert!((reached..=reached + 1).contains(&found), "{context}: found {found}");
            // And once more on the way, during recovery and draining.
            if crash % 7 == 0 {
                for again in 1.. {
                    let disk = after.kill();
                    disk.crash_at(again);
                    let done = open(&disk).and_then(Store::close).is_ok();
                    // What nobody was promised may go with a power loss.
                    let left = check(&disk.power_loss(again), &context);
                    assert!((reached..=found).contains(&left), "{context}: left {left}");
                    if done {
                        break;
                    }
                }
            }
        }
        if disk.operations() < crash {
            assert_eq!(reached, ROUNDS * (TOGETHER + 1));
            return;
        }
    }
}

#[test]
fn several_submitters_at_once_keep_each_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.forebear");
    let store = Store::open(&path).expect("opens");
    thread::scope(|scope| {
        for submitter in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let spool = Spool::open(path).expect("opens");
                let submit = |n| {
                    let event = Event::new("e").id(format!("{submitter} {n:02}"));
                    spool.submit(Batch::from(event).checkpoint(format!("{submitter}"), [n]))
                };
                let tickets: Vec<_> = (0..50).map(|n| submit(n).expect("submits")).collect();
                for ticket in tickets {
                    assert!(ticket.wait(LONG).expect("is taken in"));
                }
            });
        }
        for n in 0..50 {
            store.append(Event::new("e").id(format!("own {n:02}"))).expect("is not held up");
        }
    });
    let snapshot = store.snapshot();
    let ids: Vec<String> = events(&snapshot).iter().map(|event| event.id().to_string()).collect();
    assert_eq!(ids.len(), 250);
    for submitter in ["0", "1", "2", "3", "own"] {
        let prefix = format!("{submitter} ");
        let mut own: Vec<_> = events(&snapshot);
        own.retain(|event| event.id().to_string().starts_with(&prefix));
        own.sort_by_key(forebear::StoredEvent::seq);
        assert!(own.is_sorted_by_key(|event| event.id().to_string()), "{submitter}");
        assert_eq!(own.len(), 50);
    }
    for submitter in 0..4 {
        assert_eq!(snapshot.checkpoint(&format!("{submitter}")).expect("reads"), Some(vec![49]));
    }
    assert_eq!(std::fs::read_dir(path.join(SPOOL)).expect("lists").count(), 0);
    assert!(store.warnings().is_empty());
}

#[test]
fn what_is_left_is_taken_in_by_the_next_to_open_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.forebear");
    let spool = Spool::open(&path).expect("a store need not be there");
    let input = Quarantined {
        source: "file".into(),
        line: 1,
        offset: 0,
        length: 1,
        reason: "no object".into(),
        bytes: b"x".to_vec(),
    };
    let batch = Batch::new()
        .event(Event::new("child").id("child").payload(vec![7; 100_000]).label("key", "value"))
        .event(Event::new("parent").id("parent").session("s").instance("i").time_ns(5))
        .link(Link::new("child", "parent", LinkKind::Spawned))
        .quarantine(input.clone())
        .checkpoint("file", "1");
    let ticket = spool.submit(batch).expect("submits");
    assert_eq!(ticket.ids(), ["child".into(), "parent".into()]);
    assert!(!ticket.wait(Duration::from_millis(10)).expect("waits"), "nobody takes it in");
    let other = spool.submit(Event::new("e").id("other")).expect("submits");
    assert!(other.wait(LONG).expect("waits"), "who waits opens the store after a while");
    assert!(ticket.is_drained().expect("reads"), "in order");
    let ticket = spool.submit(Event::new("e").id("third")).expect("submits");
    // However short a time it is open.
    Store::open(&path).expect("opens").close().expect("closes");
    assert!(ticket.is_drained().expect("reads"));
    let store = Store::open(&path).expect("opens");
    let snapshot = store.snapshot();
    assert_eq!(snapshot.root("child").expect("reads"), Some("parent".into()));
    let child = snapshot.get("child").expect("reads").expect("is stored");
    assert_eq!(child.payload(), Some(vec![7; 100_000].as_slice()));
    assert_eq!(child.labels().collect::<Vec<_>>(), [("key", "value")]);
    let parent = snapshot.get("parent").expect("reads").expect("is stored");
    assert_eq!((parent.session(), parent.instance(), parent.time_ns()), (Some("s"), "i", 5));
    assert_eq!(quarantined(&store), [input]);
    assert_eq!(snapshot.checkpoint("file").expect("reads"), Some(b"1".to_vec()));
}

#[test]
fn bad_files_are_kept_and_listed_and_hold_up_nothing() {
    let disk = SimulatedDisk::new();
    let folder = disk.in_folder(SPOOL);
    let spool = Spool::open_on(&disk).expect("opens");
    let submit = |id: &str| spool.submit(Event::new("e").id(id)).expect("submits");
    let tickets = ["a", "b", "c", "d"].map(submit);
    let names = folder.list().expect("lists");
    folder.flip_bit(&names[1], 100, 3).expect("flips");
    folder.truncate(&names[2], 70).expect("cuts");
    let foreign = "0000000000000000-0000000000000000-00000000.batch";
    folder.write(foreign, "a letter");
    folder.write("letter.txt", "another");
    let stale = "0000000000000001-0000000000000000-00000000.batch.next";
    folder.write(stale, "not finished");
    let fresh = format!("{}.next", names[3]);
    folder.write(&fresh, "in the middle of being written");

    let store = open(&disk).expect("opens");
    let ids: Vec<String> =
        events(&store.snapshot()).iter().map(|event| event.id().to_string()).collect();
    assert_eq!(ids, ["a", "d"]);
    let mut left = vec!["letter.txt".to_owned(), fresh];
    left.extend([foreign, &names[1], &names[2]].map(|name| format!("{name}.refused")));
    left.sort_unstable();
    assert_eq!(folder.list().expect("lists"), left);
    let sources: Vec<String> = quarantined(&store).into_iter().map(|input| input.source).collect();
    let expected = [foreign, &names[1], &names[2]].map(|name| format!("spool/{name}.refused"));
    assert_eq!(sources, expected);
    assert_eq!(quarantined(&store)[0].bytes, b"a letter");
    assert!(tickets[0].is_drained().expect("was taken in"));
    let error = tickets[1].wait(LONG).expect_err("was refused");
    assert!(error.is_invalid() && error.to_string().contains("quarantined"), "{error}");
    let operations = disk.operations();
    assert_eq!(store.drain_spool().expect("drains"), 0);
    assert_eq!(disk.operations(), operations, "they are not looked at again");
}

#[test]
fn what_breaks_a_limit_is_refused_by_the_submitter_or_else_by_the_store() {
    let disk = SimulatedDisk::new();
    let spool = Spool::open_on(&disk).expect("opens");
    let error = spool.submit(Event::new("")).expect_err("an empty kind");
    assert!(error.is_invalid(), "{error}");
    let large = Event::new("e").payload(vec![0; limits::MAX_BATCH_BYTES]);
    assert!(spool.submit(large).expect_err("too large").is_invalid());
    assert!(spool.submit(Batch::new().checkpoint("spool:", "x")).expect_err("ours").is_invalid());
    assert_eq!(spool.waiting().expect("lists"), 0);

    let ticket = spool.submit(Event::new("e").payload("too long for it")).expect("submits");
    let builder = Store::builder().max_payload_bytes(4);
    let store = builder.open_on(Arc::new(disk.clone())).expect("opens");
    assert!(ticket.is_drained().expect_err("is refused").is_invalid());
    assert!(quarantined(&store)[0].reason.contains("at most 4 bytes"));
    assert!(events(&store.snapshot()).is_empty());
}

#[test]
fn a_full_disk_is_an_error_of_the_submitter_and_leaves_nothing() {
    let disk = SimulatedDisk::new();
    let spool = Spool::open_on(&disk).expect("opens");
    disk.set_room(Some(50));
    let error = spool.submit(Event::new("e")).expect_err("no room");
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::StorageFull));
    assert!(disk.in_folder(SPOOL).list().expect("lists").is_empty());
    disk.set_room(None);
    spool.submit(Event::new("e").id("later")).expect("submits");
    assert!(open(&disk).expect("opens").snapshot().contains("later").expect("reads"));
}

#[test]
fn what_was_taken_in_stays_so_when_retention_drops_it() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).expect("opens");
    let spool = Spool::open_on(&disk).expect("opens");
    spool.submit(Event::new("e").id("once")).expect("submits");
    let folder = disk.in_folder(SPOOL);
    let name = folder.list().expect("lists").remove(0);
    let bytes = folder.read(&name).expect("reads");
    assert_eq!(store.drain_spool().expect("drains"), 1);
    store.seal().expect("seals");
    store.retain(&Retention::new().max_events(0)).expect("drops");
    // As after a power loss that took the removal back.
    folder.write(&name, bytes);
    store.drain_spool().expect("drains");
    assert!(folder.list().expect("lists").is_empty());
    assert!(!store.snapshot().contains("once").expect("reads"), "it does not come back");
}

/// Hands batches in, has them taken in, and writes one beside, all of which move one
/// checkpoint on by one. Returns how far it is known to be.
fn hand_in_and_write(disk: &SimulatedDisk) -> usize {
    let mut reached = 0;
    let mut run = || -> Result<()> {
        let store = open(disk)?;
        let spool = Spool::open_on(disk)?;
        for _ in 0..ROUNDS {
            for _ in 0..TOGETHER {
                spool.submit(numbered(reached + 1))?;
                reached += 1;
            }
            store.drain_spool()?;
            store.write(numbered(reached + 1))?;
            reached += 1;
        }
        Ok(())
    };
    // A crash is what it is about.
    let _ = run();
    reached
}

fn numbered(number: usize) -> Batch {
    let event = Event::new("e").id(format!("{number}"));
    Batch::from(event).checkpoint("count", format!("{number}"))
}

/// Opens the store, which takes in what is left; returns how far it is.
fn check(disk: &SimulatedDisk, context: &str) -> usize {
    let disk = disk.kill();
    let store = open(&disk).expect(context);
    assert!(store.warnings().is_empty(), "{context}");
    let snapshot = store.snapshot();
    let found = snapshot.checkpoint("count").expect("reads");
    let found = found.map_or(0, |text| String::from_utf8_lossy(&text).parse().expect("a number"));
    let mut stored: Vec<_> = events(&snapshot);
    stored.sort_by_key(forebear::StoredEvent::seq);
    let ids: Vec<String> = stored.iter().map(|event| event.id().to_string()).collect();
    let expected: Vec<String> = (1..=found).map(|number: usize| number.to_string()).collect();
    assert_eq!(ids, expected, "{context}");
    let left = disk.in_folder(SPOOL).list().expect("lists");
    let whole = |name: &&String| Path::new(name).extension().is_some_and(|end| end != "next");
    assert_eq!(left.iter().find(whole), None, "{context}");
    found
}

fn quarantined(store: &Store) -> Vec<Quarantined> {
    let snapshot = store.snapshot();
    snapshot.quarantined().iter().collect::<Result<_>>().expect("lists")
}

fn open(disk: &SimulatedDisk) -> Result<Store> {
    let builder = Store::builder().segment_events(5).seal_in_background(false);
    builder.open_on(Arc::new(disk.clone()))
}

#[test]
fn a_folder_in_place_of_a_batch_holds_up_neither_appends_nor_what_is_behind_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.forebear");
    Store::open(&path).and_then(Store::close).expect("makes a store");
    let bad = path.join(SPOOL).join("0000000000000004-0000000000000001-00000001.batch");
    std::fs::create_dir_all(&bad).expect("makes a folder");
    let spool = Spool::open(&path).expect("opens");
    let ticket = spool.submit(Event::new("note").id("behind")).expect("hands in");
    let (done, ended) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let store = Store::open(&path).expect("opens");
        store.append(Event::new("note").id("direct")).expect("appends");
        let begun = std::time::Instant::now();
        while store.warnings().is_empty() && begun.elapsed() < LONG {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(ticket.is_drained().expect("looks"), "what is behind it is taken in");
        assert!(store.snapshot().contains("behind").expect("reads"));
        while bad.exists() && begun.elapsed() < LONG {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!bad.exists(), "it is set aside");
        assert_eq!(store.snapshot().quarantined().page().expect("reads").items.len(), 1);
        drop(store);
        done.send(()).expect("somebody waits");
    });
    ended.recv_timeout(LONG).expect("neither append nor drop hangs");
}

/// Makes an event of each letter, caused by the letter before; refuses what is no letter.
#[derive(Debug)]
struct Letters;

impl Decoder for Letters {
    fn decode(&self, foreign: &Foreign<'_>, snapshot: &Snapshot) -> Result<Batch> {
        assert_ne!(foreign.bytes, b"panic");
        let text = str::from_utf8(foreign.bytes)
            .map_err(|error| Error::invalid(format!("expected a letter: {error}")))?;
        let event = Event::new("letter").id(text).instance("post").time_ns(foreign.time_ns);
        let of_post = snapshot.events(Filter::new().instance("post"));
        let last = of_post.limit(1).page()?;
        Ok(Batch::from(match last.items.first() {
            Some(last) => event.parent(last.id()),
            None => event,
        }))
    }
}

#[test]
fn foreign_contents_wait_for_a_process_with_their_decoder_and_hold_up_nothing() {
    let disk = SimulatedDisk::new();
    let spool = Spool::open_on(&disk).expect("opens");
    let first = spool.submit_foreign("letters", "first", 1).expect("submits");
    let behind = spool.submit(Event::new("e").id("behind")).expect("submits");
    let second = spool.submit_foreign("letters", "second", 2).expect("submits");
    assert!(first.ids().is_empty());

    let store = open(&disk).expect("opens");
    assert!(behind.is_drained().expect("reads"));
    assert!(!first.is_drained().expect("reads") && !second.is_drained().expect("reads"));
    assert_eq!(spool.waiting().expect("lists"), 2);
    let warnings = store.warnings();
    assert!(warnings.len() == 1 && warnings[0].to_string().contains("\"letters\""), "{warnings:?}");
    let operations = disk.operations();
    assert_eq!(store.drain_spool().expect("drains"), 0);
    assert_eq!(disk.operations(), operations, "they are not looked at again");
    store.close().expect("closes");

    let builder = Store::builder().decoder("letters", Arc::new(Letters));
    let store = builder.open_on(Arc::new(disk.clone())).expect("opens");
    assert!(first.is_drained().expect("reads") && second.is_drained().expect("reads"));
    let event = store.snapshot().get("second").expect("reads").expect("is stored");
    assert_eq!((event.parent(), event.time_ns()), (Some(&"first".into()), 2));
    assert!(store.warnings().is_empty());
}

#[test]
fn what_a_decoder_refuses_is_kept_and_listed() {
    let disk = SimulatedDisk::new();
    let spool = Spool::open_on(&disk).expect("opens");
    let tickets = [&b"\xff"[..], b"panic", b"good"]
        .map(|bytes| spool.submit_foreign("letters", bytes, 1).expect("submits"));
    let builder = Store::builder().decoder("letters", Arc::new(Letters));
    let store = builder.open_on(Arc::new(disk.clone())).expect("opens");
    assert!(tickets[0].is_drained().expect_err("is refused").is_invalid());
    assert!(tickets[1].is_drained().expect_err("is refused").is_invalid());
    assert!(tickets[2].is_drained().expect("is taken in"));
    let reasons: Vec<String> = quarantined(&store).into_iter().map(|input| input.reason).collect();
    assert!(reasons[0].contains("expected a letter") && reasons[1].contains("panicked"));
    assert!(store.snapshot().contains("good").expect("reads"));
}

#[test]
fn a_file_of_a_newer_release_stays_where_it_is() {
    let disk = SimulatedDisk::new();
    let spool = Spool::open_on(&disk).expect("opens");
    let ticket = spool.submit(Event::new("e").id("newer")).expect("submits");
    let folder = disk.in_folder(SPOOL);
    let name = folder.list().expect("lists").remove(0);
    let bytes = folder.read(&name).expect("reads");
    let mut newer = bytes.clone();
    newer[8..12].copy_from_slice(&1000_u32.to_le_bytes());
    let mut digest = blake3::Hasher::new();
    digest.update(&newer[..32]).update(&newer[64..]);
    newer[32..64].copy_from_slice(digest.finalize().as_bytes());
    folder.write(&name, newer);
    let store = open(&disk).expect("opens");
    assert!(!ticket.is_drained().expect("reads"));
    assert!(quarantined(&store).is_empty());
    assert!(store.warnings()[0].to_string().contains("newer release"));
    store.close().expect("closes");
    folder.write(&name, bytes);
    assert!(open(&disk).expect("opens").snapshot().contains("newer").expect("reads"));
}
