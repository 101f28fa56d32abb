//! A log that is destroyed in part or as a whole is noticed, and no number that its events
//! may have had is given again.

use std::collections::BTreeSet;
use std::sync::Arc;

use forebear::storage::SimulatedDisk;
use forebear::{Event, Filter, Finding, Reader, Store};

const LOG: &str = "0000000001.log";
const CHECKPOINT: &str = "0000000001.ckp";

fn open(disk: &SimulatedDisk) -> Store {
    let builder = Store::builder().seal_in_background(false);
    builder.open_on(Arc::new(disk.clone())).expect("opens")
}

/// A store of so many events in a log, closed or not.
fn written(events: usize, closed: bool) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    for n in 0..events {
        store
            .append(Event::new("e").id(format!("event {n}")).payload("x".repeat(n % 90)))
            .expect("appends");
    }
    if closed {
        store.close().expect("closes");
        return disk;
    }
    disk.kill()
}

fn findings(disk: &SimulatedDisk) -> Vec<Finding> {
    let mut found = Vec::new();
    let reader = Reader::open_on(Arc::new(disk.clone())).expect("opens");
    let snapshot = reader.snapshot().expect("reads");
    let verified = snapshot.verify(&mut |finding| found.push(finding)).expect("reads");
    assert_eq!(verified.findings, found.len() as u64);
    found
}

/// What a log can suffer as a whole.
fn harms(log: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let half = log.len() / 2 / 16 * 16;
    let mut zeros_behind = log[..half].to_vec();
    zeros_behind.resize(log.len(), 0);
    let foreign = written(7, true).read(LOG).expect("is there");
    vec![
        ("emptied", Vec::new()),
        ("zeroed", vec![0; log.len()]),
        ("zeroed and longer", vec![0; log.len() + 4096]),
        ("one byte left", log[..1].to_vec()),
        ("half of it left", log[..half].to_vec()),
        ("half of it left, at no block's end", log[..half + 5].to_vec()),
        ("half of it zeroed", zeros_behind),
        ("of another store", foreign),
        ("random", (0..log.len()).map(|at| (at * 7919 % 251) as u8).collect()),
    ]
}

#[test]
fn a_destroyed_log_is_found_and_its_numbers_are_not_given_again() {
    for closed in [true, false] {
        let events = 40;
        let sound = written(events, closed);
        assert!(findings(&sound).is_empty(), "{:?}", findings(&sound));
        for (harm, bytes) in harms(&sound.read(LOG).expect("is there")) {
            let disk = sound.kill();
            disk.write(LOG, bytes);
            assert!(!findings(&disk).is_empty(), "{harm}: verify finds it");
            let reader = Reader::open_on(Arc::new(disk.clone())).expect("opens");
            reader.snapshot().expect("reads");
            assert!(!reader.warnings().is_empty(), "{harm}: a reader says so");

            let store = open(&disk);
            assert!(!store.recovery().is_clean(), "{harm}: opening says so");
            let left = store.snapshot().events(Filter::new()).page().expect("lists").items;
            let seq = store.append(Event::new("e").id("one more")).expect("appends").seq;
            assert!(seq > events as u64, "{harm}, closed {closed}: number {seq} is given again");
            assert!(seq <= 41 || !closed, "{harm}: {seq}, none was left out for nothing");
            // The same once more, by what the log says alone.
            store.close().expect("closes");
            disk.remove(CHECKPOINT).expect("is there");
            let store = open(&disk);
            assert!(store.append(Event::new("e").id("and more")).expect("appends").seq > seq);
            let items = store.snapshot().events(Filter::new()).page().expect("lists").items;
            assert_eq!(items.len(), left.len() + 2, "{harm}");
            let seqs: BTreeSet<u64> = items.iter().map(forebear::StoredEvent::seq).collect();
            assert_eq!(seqs.len(), items.len());
            store.seal().expect("a log with lost events is sealed");
            assert_eq!(
                store.snapshot().events(Filter::new()).page().expect("lists").items.len(),
                left.len() + 2
            );
            store.append(Event::new("e").id("in the next")).expect("appends");
        }
    }
}

#[test]
fn a_checkpoint_that_can_not_be_used_is_done_without() {
    let sound = written(20, true);
    let checkpoint = sound.read(CHECKPOINT).expect("is there");
    assert!(checkpoint.len() <= 256);
    for byte in 0..checkpoint.len() {
        let disk = sound.kill();
        disk.flip_bit(CHECKPOINT, byte, 3).expect("flips");
        assert!(findings(&disk).is_empty(), "byte {byte}");
        let store = open(&disk);
        assert_eq!(store.append(Event::new("e").id("next")).expect("appends").seq, 21);
    }
    for bytes in [Vec::new(), vec![7; 5], vec![0; 4096]] {
        let disk = sound.kill();
        disk.write(CHECKPOINT, bytes);
        assert!(findings(&disk).is_empty());
        let store = open(&disk);
        assert_eq!(store.append(Event::new("e").id("next")).expect("appends").seq, 21);
    }
    let disk = sound.kill();
    disk.remove(CHECKPOINT).expect("removes");
    assert_eq!(open(&disk).append(Event::new("e").id("next")).expect("appends").seq, 21);
}

#[test]
fn a_torn_tail_behind_the_last_checkpoint_is_cut_as_ever_and_verify_names_it() {
    let disk = written(20, false);
    let log = disk.read(LOG).expect("is there");
    let torn = [log.as_slice(), b"frbrBLK\nnot a block"].concat();
    disk.write(LOG, torn);
    let found = findings(&disk);
    assert!(
        found.len() == 1 && found[0].reason.contains("behind the last sound block"),
        "{found:?}"
    );
    let store = open(&disk);
    assert_eq!(store.recovery().cut.len(), 1);
    assert_eq!(store.append(Event::new("e").id("next")).expect("appends").seq, 21, "dense");
}

#[test]
fn what_a_log_had_is_known_at_its_next_opening_only_as_far_as_it_was_synced() {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    for n in 0..10 {
        store.append(Event::new("e").id(format!("event {n}"))).expect("appends");
    }
    for seed in 0..50 {
        let after = disk.power_loss(seed);
        let store = open(&after);
        assert!(store.recovery().skipped.is_empty(), "seed {seed}: {:?}", store.recovery());
        assert_eq!(store.append(Event::new("e").id("next")).expect("appends").seq, 11, "dense");
    }
}
