//! A lost or damaged manifest is made again from segments and logs, and nothing is removed.

use std::sync::Arc;

use forebear::storage::{SimulatedDisk, Storage};
use forebear::{Event, Filter, Retention, Store, StoredEvent};

const MANIFEST: &str = "MANIFEST";

fn open(disk: &SimulatedDisk) -> forebear::Result<Store> {
    Store::builder().seal_in_background(false).open_on(Arc::new(disk.clone()))
}

fn append(store: &Store, events: std::ops::Range<usize>) {
    for n in events {
        store
            .append(Event::new("e").id(format!("event {n}")).payload("x".repeat(n)))
            .expect("appends");
    }
}

/// Three segments of ten events, and five in the log.
fn written() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let store = open(&disk).expect("opens");
    for segment in 0..3 {
        append(&store, segment * 10..segment * 10 + 10);
        store.seal().expect("seals");
    }
    append(&store, 30..35);
    store.set_retention(Some(Retention::new().max_events(1_000))).expect("is kept");
    store.close().expect("closes");
    disk
}

fn seqs(store: &Store) -> Vec<u64> {
    let page = store.snapshot().events(Filter::new()).oldest_first().page().expect("lists");
    page.items.iter().map(StoredEvent::seq).collect()
}

/// Repairs, opens, appends, seals and verifies; returns the sequence numbers that were
/// there before.
fn goes_on(disk: &SimulatedDisk, what: &str) -> Vec<u64> {
    let before = disk.list().expect("lists");
    let repaired = Store::builder().repair_on(disk).expect(what);
    let kept = disk.list().expect("lists");
    for name in &before {
        let moved = repaired.moved.contains(name);
        assert!(kept.contains(name) != moved, "{what}: {name}, {repaired:?}");
    }
    let again = Store::builder().repair_on(disk).expect(what);
    assert!(again.manifest.is_none(), "{what}: a second one does nothing");
    let store = open(disk).expect(what);
    let found = seqs(&store);
    let next = store.append(Event::new("e").id("after")).expect(what).seq;
    assert!(found.iter().all(|&seq| seq < next), "{what}");
    store.seal().expect(what);
    store.close().expect(what);
    let store = open(disk).expect(what);
    assert_eq!(seqs(&store).len(), found.len() + 1, "{what}");
    found
}

#[test]
fn any_damage_to_the_manifest_is_mended_and_opening_alone_mends_none() {
    let sound = written();
    let manifest = sound.read(MANIFEST).expect("is there");
    let all: Vec<u64> = (1..=35).collect();
    let changed = (0..manifest.len()).step_by(3).map(|at| {
        let mut bytes = manifest.clone();
        bytes[at] ^= 4;
        bytes
    });
    let cut =
        [0, 1, 40, manifest.len() / 2, manifest.len() - 2].map(|end| manifest[..end].to_vec());
    for (number, bytes) in changed.chain(cut).enumerate() {
        let disk = sound.kill();
        disk.write(MANIFEST, bytes);
        let before = disk.list().expect("lists");
        let Err(error) = open(&disk) else { panic!("harm {number}: expected to be refused") };
        if error.is_foreign() {
            // Its first words are another program's.
            continue;
        }
        assert!(error.to_string().contains("forebear repair"), "{error}");
        assert_eq!(disk.list().expect("lists"), before, "nothing is changed by opening");
        assert_eq!(goes_on(&disk, &format!("harm {number}")), all);
    }
    let disk = sound.kill();
    disk.remove(MANIFEST).expect("removes");
    assert_eq!(goes_on(&disk, "removed"), all);
}

#[test]
fn what_the_old_manifest_says_is_evidence() {
    let sound = written();
    let mut manifest = sound.read(MANIFEST).expect("is there");
    let last = manifest.len() - 3;
    manifest[last] ^= 1;
    // A segment that can't be read keeps its place by its entry.
    let disk = sound.kill();
    disk.write(MANIFEST, manifest.clone());
    let footer = disk.read("0000000002.seg").expect("is there").len() - 800;
    disk.flip_bit("0000000002.seg", footer, 2).expect("flips");
    let repaired = Store::builder().repair_on(&disk).expect("repairs");
    assert_eq!((repaired.segments, repaired.unreadable.len()), (3, 1), "{repaired:?}");
    assert_eq!(seqs(&open(&disk).expect("opens")).len(), 25);

    // Without it what is older is out of reach: kept, and not part of the store.
    let disk = sound.kill();
    disk.remove(MANIFEST).expect("removes");
    disk.flip_bit("0000000002.seg", footer, 2).expect("flips");
    assert_eq!(goes_on(&disk, "a gap"), (21..=35).collect::<Vec<u64>>());

    // What was dropped stays out, though its files are there.
    let disk = sound.kill();
    let first = disk.read("0000000001.seg").expect("is there");
    let store = open(&disk).expect("opens");
    assert_eq!(store.retain(&Retention::new().max_events(25)).expect("drops").segments, 1);
    store.close().expect("closes");
    disk.write("0000000001.seg", first);
    let mut manifest = disk.read(MANIFEST).expect("is there");
    let last = manifest.len() - 3;
    manifest[last] ^= 1;
    disk.write(MANIFEST, manifest);
    assert_eq!(goes_on(&disk, "dropped"), (11..=35).collect::<Vec<u64>>());
}

/// The line of the policy in the manifest.
fn policy(disk: &SimulatedDisk) -> Option<String> {
    let text = String::from_utf8(disk.read(MANIFEST).expect("is there")).expect("is text");
    text.lines().find(|line| line.starts_with("retention")).map(str::to_owned)
}

/// Damages the last block of a log that has a policy.
fn lose_policy(disk: &SimulatedDisk, log: &str) {
    let (bytes, words) = (disk.read(log).expect("is there"), b"max_events=1000");
    let at = bytes.windows(words.len()).rposition(|found| found == words);
    disk.flip_bit(log, at.expect("is in the log"), 1).expect("flips");
}

#[test]
fn the_policy_is_that_of_the_newest_blocks() {
    let sound = written();
    let is_given_back = |disk: &SimulatedDisk| {
        let repaired = Store::builder().repair_on(disk).expect("repairs");
        assert_eq!(policy(disk).as_deref(), Some("retention max_events=1000"));
        repaired.notes
    };
    let disk = sound.kill();
    disk.remove(MANIFEST).expect("removes");
    assert_eq!(is_given_back(&disk), [""; 0]);

    // A changed digit could drop what is to be kept.
    let disk = sound.kill();
    let text = String::from_utf8(disk.read(MANIFEST).expect("is there")).expect("is text");
    disk.write(MANIFEST, text.replace("max_events=1000", "max_events=1").into_bytes());
    assert!(is_given_back(&disk)[0].contains("max_events=1"));

    // An empty log says nothing: then the newest segment does.
    let disk = sound.kill();
    let store = open(&disk).expect("opens");
    store.seal().expect("seals");
    store.close().expect("closes");
    disk.remove(MANIFEST).expect("removes");
    assert_eq!(is_given_back(&disk), [""; 0]);

    // What was lost before it can't be newer.
    let disk = sound.kill();
    disk.flip_bit("0000000004.log", 200, 1).expect("flips");
    disk.remove(MANIFEST).expect("removes");
    assert_eq!(is_given_back(&disk), [""; 0]);

    // Lost blocks may have had another.
    let disk = sound.kill();
    lose_policy(&disk, "0000000004.log");
    let mut bytes = disk.read(MANIFEST).expect("is there");
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    disk.write(MANIFEST, bytes);
    let repaired = Store::builder().repair_on(&disk).expect("repairs");
    assert!(repaired.notes[0].contains("may have been: max_events=1000"), "{repaired:?}");
    assert_eq!(policy(&disk), None);
}

#[test]
fn a_log_that_was_sealed_says_nothing_any_more() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).expect("opens");
    store.set_retention(Some(Retention::new().max_events(5))).expect("is kept");
    append(&store, 0..10);
    store.flush().expect("flushes");
    let first = disk.read("0000000001.log").expect("is there");
    store.set_retention(Some(Retention::new().max_events(1_000))).expect("is kept");
    store.seal().expect("seals");
    store.close().expect("closes");
    // A crash before it was removed leaves it.
    disk.write("0000000001.log", first.clone());
    disk.remove(MANIFEST).expect("removes");
    Store::builder().repair_on(&disk).expect("repairs");
    assert_eq!(policy(&disk).as_deref(), Some("retention max_events=1000"));

    let disk = written();
    let store = open(&disk).expect("opens");
    store.retain(&Retention::new().max_events(15).archive("/archive")).expect("archives");
    let archive = disk.in_folder("/archive");
    archive.write("0000000001.log", first);
    let manifest = String::from_utf8(archive.read(MANIFEST).expect("is there")).expect("is text");
    archive.write(MANIFEST, manifest.replace("digest ", "digest 0").into_bytes());
    Store::builder().repair_on(&archive).expect("repairs");
    assert!(open(&archive).is_err(), "it stays an archive");
}

#[test]
fn opening_a_store_of_one_log_gives_its_policy_back() {
    let sound = SimulatedDisk::new();
    let store = open(&sound).expect("opens");
    append(&store, 0..5);
    store.set_retention(Some(Retention::new().max_events(1_000))).expect("is kept");
    append(&store, 5..9);
    store.close().expect("closes");
    for lost in [false, true] {
        let disk = sound.kill();
        if lost {
            disk.remove(MANIFEST).expect("removes");
        } else {
            disk.truncate(MANIFEST, 60).expect("cuts");
        }
        let store = open(&disk).expect("opens");
        assert!(store.recovery().manifest.is_some());
        assert_eq!(seqs(&store).len(), 9);
        assert_eq!(policy(&disk).as_deref(), Some("retention max_events=1000"));
    }
    let disk = sound.kill();
    disk.remove(MANIFEST).expect("removes");
    lose_policy(&disk, "0000000001.log");
    let store = open(&disk).expect("opens");
    let mended = store.recovery().manifest.as_ref().expect("was lost").to_string();
    assert!(mended.contains("retention policy"), "{mended}");
    assert_eq!(policy(&disk), None);
}

#[test]
fn an_archive_stays_one_and_a_store_does() {
    let disk = written();
    let store = open(&disk).expect("opens");
    let policy = Retention::new().max_events(15).archive("/archive");
    assert_eq!(store.retain(&policy).expect("archives").segments, 2);
    store.close().expect("closes");
    let archive = disk.in_folder("/archive");
    let sound = String::from_utf8(archive.read(MANIFEST).expect("is there")).expect("is text");
    let is_archive = |text: Option<String>| {
        match text {
            Some(text) => archive.write(MANIFEST, text.into_bytes()),
            None => archive.remove(MANIFEST).expect("removes"),
        }
        let repaired = Store::builder().repair_on(&archive).expect("repairs");
        let text = String::from_utf8(archive.read(MANIFEST).expect("is there")).expect("is text");
        assert_eq!(text.lines().any(|line| line == "archive"), open(&archive).is_err());
        (open(&archive).is_err(), repaired.notes.len())
    };
    assert_eq!(is_archive(Some(sound.replace("digest ", "digest 0"))), (true, 0));
    assert_eq!(is_archive(Some(sound.replace("\narchive\n", "\narchivf\n"))), (true, 1));
    assert_eq!(is_archive(None), (true, 1));
    // One whose every line can be read, and which is none, has lost its log.
    assert_eq!(is_archive(Some(sound.replace("\narchive\n", "\n"))), (false, 1));
}

#[test]
fn a_lost_log_beside_a_lost_manifest_costs_the_log() {
    let disk = written();
    disk.remove(MANIFEST).expect("removes");
    disk.write("0000000004.log", Vec::new());
    assert_eq!(goes_on(&disk, "emptied"), (1..=30).collect::<Vec<u64>>());
    let nothing = SimulatedDisk::new();
    nothing.write("0000000007.seg", vec![0; 5_000]);
    let error = Store::builder().repair_on(&nothing).expect_err("nothing to go by");
    assert!(error.is_damaged(), "{error}");
}

#[test]
fn a_crash_at_any_operation_of_a_repair_leaves_all_to_the_next() {
    let sound = written();
    let mut manifest = sound.read(MANIFEST).expect("is there");
    manifest[200] ^= 1;
    sound.write(MANIFEST, manifest);
    sound.write("0000000009.idx", vec![1; 100]);
    for operation in 1.. {
        let disk = sound.kill();
        disk.crash_at(operation);
        let outcome = Store::builder().repair_on(&disk);
        for after in [disk.kill(), disk.power_loss(operation)] {
            if open(&after).is_err() {
                Store::builder().repair_on(&after).expect("repairs what a crash left");
            }
            assert_eq!(seqs(&open(&after).expect("opens")).len(), 35, "operation {operation}");
        }
        if outcome.is_ok() {
            break;
        }
    }
}
