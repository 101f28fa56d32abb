//! A damaged or missing segment is taken whole from a backup or an archive.

mod support {
    pub(crate) mod random;
}

use std::sync::Arc;

use forebear::storage::{SimulatedDisk, Storage};
use forebear::{Event, Filter, Repaired, Retention, Store};
use support::random::Random;

const FIRST: &str = "0000000001.seg";
const BACKUP: &str = "/backup";

fn open(disk: &SimulatedDisk) -> Store {
    let store = Store::builder().seal_in_background(false).open_on(Arc::new(disk.clone()));
    store.expect("opens")
}

fn repair(disk: &SimulatedDisk, from: &SimulatedDisk) -> forebear::Result<Repaired> {
    Store::builder().repair_from_on(disk, from)
}

/// Two segments and a log, and a backup of them.
fn written() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    for number in 0..90_usize {
        let event = Event::new("step").id(format!("event {number}")).payload(payload(number));
        let parent = format!("event {}", number.saturating_sub(3));
        store.append(if number < 3 { event } else { event.parent(parent) }).expect("appends");
        if number % 40 == 39 {
            store.seal().expect("seals");
        }
    }
    store.snapshot().backup(BACKUP).expect("copies");
    store.close().expect("closes");
    disk
}

/// Bytes that don't become fewer by compression.
fn payload(seed: usize) -> Vec<u8> {
    let mut random = Random::new(seed as u64);
    (0..100).map(|_| random.below(256) as u8).collect()
}

fn ids(store: &Store) -> Vec<String> {
    let snapshot = store.snapshot();
    let events = snapshot.events(Filter::new()).oldest_first();
    events.iter().map(|event| event.expect("reads").id().to_string()).collect()
}

fn assert_sound(store: &Store, what: &str) {
    let verified = store.snapshot().verify(&mut |finding| panic!("{what}: {finding}"));
    assert!(verified.expect("reads").is_sound(), "{what}");
    let chain = store.snapshot().chain("event 89").expect("walks").expect("is there");
    let events: Vec<_> = chain.collect::<Result<_, _>>().expect(what);
    assert_eq!(events.len(), 30, "{what}");
}

/// The file with a byte changed, under a node of its own: the backup has a link to the old one.
fn harm(disk: &SimulatedDisk, at: Option<usize>) {
    let mut bytes = disk.read(FIRST).expect("is there");
    disk.remove(FIRST).expect("removes");
    if let Some(at) = at {
        bytes[at] ^= 4;
        disk.write(FIRST, bytes);
    }
}

#[test]
fn a_copy_brings_back_all_of_a_segment() {
    let sound = written();
    let all = ids(&open(&sound.kill()));
    let length = sound.read(FIRST).expect("is there").len();
    for at in [Some(300), Some(length / 2), Some(length - 300), Some(length - 1), None] {
        let what = format!("harm at {at:?}");
        let disk = sound.kill();
        harm(&disk, at);
        let repaired = repair(&disk, &disk.in_folder(BACKUP)).expect(&what);
        assert_eq!(repaired.restored, [FIRST], "{what}: {repaired:?}");
        assert!(repaired.unreadable.is_empty() && repaired.notes.is_empty(), "{repaired:?}");
        let kept = disk.in_folder("damaged").list().expect("lists");
        assert_eq!(kept.len(), usize::from(at.is_some()), "{what}: the old one is kept");
        let store = open(&disk);
        assert_eq!(ids(&store), all, "{what}");
        assert_sound(&store, &what);
        store.close().expect(&what);
        let again = repair(&disk, &disk.in_folder(BACKUP)).expect(&what);
        assert!(again.restored.is_empty() && again.moved.is_empty(), "{what}: {again:?}");
    }
}

#[test]
fn an_archive_serves_and_a_stranger_or_a_damaged_copy_does_not() {
    let sound = written();
    let store = open(&sound);
    store.retain(&Retention::new().max_events(0).archive("/archive")).expect("archives");
    store.close().expect("closes");
    // The store from before the drop, with a damaged segment: the archive has it.
    let backup = sound.in_folder(BACKUP);
    harm(&backup, Some(500));
    let repaired = repair(&backup, &sound.in_folder("/archive")).expect("repairs");
    assert_eq!(repaired.restored, [FIRST]);
    assert_sound(&open(&backup), "from the archive");

    let disk = written();
    harm(&disk, Some(500));
    let damaged = disk.read(FIRST).expect("is there");
    let copies = [written().in_folder(BACKUP), SimulatedDisk::new(), disk.kill()];
    for (number, copies) in copies.iter().enumerate() {
        let repaired = repair(&disk, copies).expect("repairs what it can");
        assert!(repaired.restored.is_empty(), "folder {number}: {repaired:?}");
        assert!(repaired.notes[0].contains(FIRST), "folder {number}: {repaired:?}");
        assert_eq!(disk.read(FIRST).expect("is there"), damaged, "folder {number}");
    }
}

#[test]
fn a_lost_manifest_and_a_lost_segment_come_back_together() {
    let disk = written();
    harm(&disk, None);
    let mut manifest = disk.read("MANIFEST").expect("is there");
    let last = manifest.len() - 3;
    manifest[last] ^= 1;
    disk.write("MANIFEST", manifest);
    let repaired = repair(&disk, &disk.in_folder(BACKUP)).expect("repairs");
    assert!(repaired.manifest.is_some() && repaired.unreadable.is_empty(), "{repaired:?}");
    assert_eq!((repaired.segments, repaired.restored.len()), (2, 1), "{repaired:?}");
    assert_sound(&open(&disk), "both");
}

#[test]
fn a_crash_at_any_operation_of_it_leaves_all_to_the_next() {
    let sound = written();
    let all = ids(&open(&sound.kill()));
    harm(&sound, Some(500));
    for operation in 1.. {
        let disk = sound.kill();
        disk.crash_at(operation);
        let outcome = repair(&disk, &disk.in_folder(BACKUP));
        for after in [disk.kill(), disk.power_loss(operation)] {
            let what = format!("operation {operation}");
            repair(&after, &after.in_folder(BACKUP)).expect(&what);
            let store = open(&after);
            assert_eq!(ids(&store), all, "{what}");
            assert_sound(&store, &what);
            assert!(after.in_folder("damaged").read(FIRST).is_ok(), "{what}");
        }
        if outcome.is_ok() {
            break;
        }
    }
}
