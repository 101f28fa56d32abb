//! What goes on behind the scenes fails without harm: sealing, removing what was sealed or
//! dropped, merging filters and draining the spool. It is reported, tried again, and refuses no
//! write.

use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use forebear::storage::{Fault, SimulatedDisk, Storage as _};
use forebear::{Event, Retention, SegmentState, Spool, Store, StoreBuilder, Warning, WarningKind};

const EVENTS: u32 = 30;

fn builder() -> StoreBuilder {
    Store::builder().segment_events(EVENTS)
}

fn open(builder: StoreBuilder, disk: &SimulatedDisk) -> Store {
    builder.open_on(Arc::new(disk.clone())).expect("opens")
}

fn append(store: &Store, events: Range<u32>) {
    for number in events {
        let event = Event::new("tick").id(format!("event {number}")).payload("x".repeat(40));
        store.append(event).expect("background work refuses no write");
    }
}

fn assert_has(store: &Store, events: u32, what: &str) {
    let snapshot = store.snapshot();
    for number in 0..events {
        assert!(snapshot.contains(format!("event {number}")).expect("answers"), "{what}: {number}");
    }
    let verified = snapshot.verify(&mut |finding| panic!("{what}: {finding}"));
    assert!(verified.expect("reads").is_sound(), "{what}");
}

fn is_sealed(store: &Store) -> bool {
    let segments = store.snapshot().segments();
    segments.iter().all(|segment| segment.state != SegmentState::Full)
}

/// How many operations a store takes to be opened and filled, before its log is sealed.
fn before_sealing() -> u64 {
    let disk = SimulatedDisk::new();
    let store = open(builder().seal_in_background(false), &disk);
    append(&store, 0..EVENTS);
    // A full log is left behind the batch that filled it.
    store.flush().expect("is written");
    assert!(!is_sealed(&store));
    disk.operations()
}

#[test]
fn a_sealing_that_fails_anywhere_is_tried_again_and_refuses_no_write() {
    let before = before_sealing();
    for fault in [Fault::Io, Fault::Full] {
        for operation in 1.. {
            let what = format!("{fault:?} at operation {operation} of sealing");
            let disk = SimulatedDisk::new();
            disk.fail_at(before + operation, fault);
            let store = open(builder().seal_again(Duration::from_millis(10)), &disk);
            append(&store, 0..EVENTS);
            store.flush().expect("is written");
            let begun = Instant::now();
            let log = String::from("0000000001.log");
            let is_kept = |warning: &Warning| warning.kind() == WarningKind::FileNotRemoved;
            while !is_sealed(&store)
                || disk.list().expect("lists").contains(&log)
                    && !store.warnings().iter().any(is_kept)
            {
                assert!(begun.elapsed() < Duration::from_secs(30), "{what}: tried again");
                thread::sleep(Duration::from_millis(1));
            }
            let struck = disk.operations() >= before + operation;
            disk.end_faults();
            append(&store, EVENTS..EVENTS + 5);
            assert_has(&store, EVENTS + 5, &what);
            store.close().expect("closes");
            let store = open(builder(), &disk);
            assert_has(&store, EVENTS + 5, &what);
            if !struck {
                break;
            }
        }
    }
}

#[test]
fn two_tries_to_seal_that_fail_and_a_crash_lose_nothing() {
    let before = before_sealing();
    for first in 1.. {
        for second in (1..).step_by(3) {
            let what = format!("operations {first} and {second} of sealing");
            let disk = SimulatedDisk::new();
            disk.fail_at(before + first, Fault::Io);
            let store = open(builder().seal_in_background(false), &disk);
            append(&store, 0..EVENTS);
            // Fails, unless the fault comes later.
            let sealed = store.seal().is_ok();
            if sealed && disk.operations() < before + first {
                return;
            }
            disk.fail_at(disk.operations() + second, Fault::Io);
            let again = disk.operations();
            // Nobody asks what became of it.
            let _ = store.seal();
            for after in [disk.kill(), disk.power_loss(first * 31 + second)] {
                assert_has(&open(builder(), &after), EVENTS, &what);
            }
            if disk.operations() < again + second {
                break;
            }
        }
    }
}

#[test]
fn files_that_can_not_be_removed_after_a_drop_go_with_the_next_opening() {
    let sound = SimulatedDisk::new();
    let store = open(builder().seal_in_background(false), &sound);
    append(&store, 0..EVENTS * 3);
    store.seal().expect("seals");
    store.close().expect("closes");
    for operation in 1.. {
        let what = format!("operation {operation}");
        let disk = sound.kill();
        let store = open(builder(), &disk);
        let begun = disk.operations();
        disk.fail_at(begun + operation, Fault::Io);
        let retained = store.retain(&Retention::new().max_events(EVENTS.into()));
        drop(store);
        let struck = disk.operations() >= begun + operation;
        disk.end_faults();
        let store = open(builder(), &disk);
        let segments = store.snapshot().segments();
        let sealed = segments.iter().filter(|segment| segment.state == SegmentState::Sealed);
        let sealed = sealed.count();
        assert!(retained.is_err() || sealed == 1, "{what}");
        let files = disk.list().expect("lists");
        let files = files.iter().filter(|name| name.contains(".seg")).count();
        assert_eq!(files, sealed, "{what}: {segments:?}");
        let verified = store.snapshot().verify(&mut |finding| panic!("{what}: {finding}"));
        assert!(verified.expect("reads").is_sound(), "{what}");
        if !struck {
            break;
        }
    }
}

#[test]
fn a_spool_that_fails_anywhere_is_drained_once_it_can_be() {
    for fault in [Fault::Io, Fault::Full] {
        for operation in 1.. {
            let disk = SimulatedDisk::new();
            let spool = Spool::open_on(&disk).expect("opens");
            for number in 0..4 {
                let event = Event::new("tick").id(format!("event {number}"));
                spool.submit(event).expect("submits");
            }
            let before = disk.operations();
            disk.fail_at(before + operation, fault);
            let Ok(store) = builder().open_on(Arc::new(disk.clone())) else {
                // It struck the store itself.
                continue;
            };
            let what = format!("{fault:?} at operation {operation}");
            let struck = disk.operations() >= before + operation;
            drop(store);
            let store = open(builder(), &disk);
            store.drain_spool().expect("drains");
            assert_has(&store, 4, &what);
            assert_eq!(store.snapshot().stats().expect("counts").events, 4, "{what}");
            if !struck {
                break;
            }
        }
    }
}
