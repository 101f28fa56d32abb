//! A full disk never locks anybody out: what was acknowledged stays, opening and dropping
//! need no room, and the store goes on by itself once there is some.

mod support {
    pub(crate) mod listing;
    pub(crate) mod random;
    #[expect(dead_code, reason = "of the scripts the batches are used")]
    pub(crate) mod script;
    pub(crate) mod view;
}

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use forebear::storage::{Fault, SimulatedDisk, Storage};
use forebear::{Batch, Durability, Event, Retention, SegmentState, Store, StoreBuilder};
use support::script::{Script, on};
use support::view::view;

const LEVELS: [Durability; 3] = [Durability::Sync, Durability::Flush, Durability::Buffered];

#[test]
fn a_store_that_was_full_goes_on_without_being_opened_again() {
    for capacity in (2_000..30_000).step_by(977) {
        let disk = SimulatedDisk::new();
        let store = open(&disk);
        disk.set_capacity(Some(capacity));
        let mut stored = 0;
        let error = loop {
            match store.append(event(stored)) {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
        };
        assert!(error.is_disk_full() && !error.is_poisoned(), "{error:#}");
        for level in LEVELS {
            let late = Batch::from(event(1_000_000)).durability(level);
            let error = store.write(late).expect_err("there is no room");
            assert!(error.is_disk_full(), "{error:#}");
            assert!(error.to_string().contains("forebear retain"), "{error}");
        }
        assert!(store.flush().expect_err("there is no room").is_disk_full());
        assert_events(&store, stored);
        let health = store.health();
        assert!(!health.is_well() && health.stalled.is_some_and(|error| error.is_disk_full()));
        disk.set_capacity(None);
        store.append(event(stored)).expect("there is room");
        assert!(store.health().is_well());
        assert_events(&store, stored + 1);
        verify(&store);
        let lost = disk.power_loss(capacity);
        drop(store);
        for after in [lost, disk.kill()] {
            let store = open(&after);
            assert_events(&store, stored + 1);
            verify(&store);
        }
    }
}

#[test]
fn no_room_at_any_operation_is_an_error_then_and_no_loss_later() {
    for forever in [false, true] {
        for operation in 1.. {
            let script = Script::generate(31, Durability::Sync, 16);
            let disk = SimulatedDisk::with_seed(operation);
            let Ok(store) = small().open_on(on(&disk)) else { continue };
            let begun = disk.operations();
            if forever {
                disk.fail_from(begun + operation, Fault::Full);
            } else {
                disk.fail_at(begun + operation, Fault::Full);
            }
            let context = format!("no room at {operation}, from then on: {forever}");
            let (mut failed, mut kept) = (0, Vec::new());
            for (at, batch) in script.batches().enumerate() {
                // What is buffered is acknowledged before it is written.
                match store.write(batch.clone().durability(LEVELS[at % 2])) {
                    Ok(_) => kept.push(batch.clone()),
                    Err(error) => {
                        assert!(!error.is_poisoned(), "{context}: {error:#}");
                        failed += 1;
                        disk.end_faults();
                    }
                }
            }
            assert!(failed <= 1, "{context}: it goes on once there is room");
            let expected = Store::in_memory().expect("opens");
            for batch in kept {
                expected.write(batch).expect("writes");
            }
            expected.flush().expect("flushes");
            let expected = view(&expected.snapshot());
            assert_same(&store, &expected, &context);
            disk.end_faults();
            store.flush().unwrap_or_else(|error| panic!("{context}: {error:#}"));
            let lost = disk.power_loss(operation);
            let over = disk.operations() < begun + operation;
            store.close().unwrap_or_else(|error| panic!("{context}: {error:#}"));
            for after in [lost, disk.kill()] {
                let store = small().open_on(on(&after)).expect(&context);
                assert_same(&store, &expected, &context);
                verify(&store);
            }
            if over {
                break;
            }
        }
    }
}

#[test]
fn without_a_free_byte_a_store_opens_and_drops_what_it_is_told_to() {
    for torn in [false, true] {
        let disk = SimulatedDisk::new();
        let store = small().open_on(on(&disk)).expect("opens");
        for number in 0..200 {
            let event = event(number).session(format!("session {}", number % 7));
            let checkpoint = format!("line {number}");
            let source = format!("log {}", number % 11);
            store.write(Batch::from(event).checkpoint(source, checkpoint)).expect("writes");
        }
        store.seal().expect("seals");
        store.append(event(200)).expect("appends");
        let checkpoints = checkpoints(&store);
        store.close().expect("closes");
        if torn {
            let log = disk.list().expect("lists").into_iter().find(|name| name.contains(".log"));
            let log = log.expect("there is one");
            let mut bytes = disk.read(&log).expect("reads");
            bytes.extend_from_slice(&[7; 3000]);
            disk.write(&log, bytes);
        }
        let disk = disk.kill();
        disk.set_capacity(Some(0));
        let store = small().open_on(on(&disk)).expect("opens without a free byte");
        assert_eq!(store.recovery().cut.len(), usize::from(torn));
        assert!(store.snapshot().contains("event 7").expect("answers"));
        assert!(store.append(event(201)).expect_err("there is no room").is_disk_full());
        disk.set_capacity(Some(used(&disk)));
        let gone = store.retain(&Retention::new().max_events(100)).expect("needs no room");
        assert!(gone.events >= 100, "{gone:?}");
        store.append(event(201)).expect("there is room now");
        assert_eq!(self::checkpoints(&store), checkpoints, "they outlive the events");
        verify(&store);
        let kept = disk.list().expect("lists").iter().filter(|name| name.contains(".cut-")).count();
        assert_eq!(kept, usize::from(torn), "what was cut off is kept");
        let after = disk.power_loss(1);
        store.close().expect("closes");
        for after in [after, disk.kill()] {
            let store = small().open_on(on(&after)).expect("opens");
            assert!(store.recovery().is_clean(), "{:?}", store.recovery());
            assert!(store.snapshot().contains("event 201").expect("answers"));
            assert_eq!(self::checkpoints(&store), checkpoints);
            verify(&store);
        }
    }
}

#[test]
fn a_crash_at_any_operation_of_dropping_on_a_full_disk_loses_nothing() {
    let full = SimulatedDisk::new();
    let store = small().open_on(on(&full)).expect("opens");
    for number in 0..100 {
        let batch = Batch::from(event(number)).checkpoint(format!("log {}", number % 5), "at");
        store.write(batch).expect("writes");
    }
    store.seal().expect("seals");
    let checkpoints = checkpoints(&store);
    store.close().expect("closes");
    for crash in 1.. {
        let disk = full.kill();
        let store = small().open_on(on(&disk)).expect("opens");
        disk.set_capacity(Some(used(&disk)));
        disk.crash_at(disk.operations() + crash);
        let done = store.retain(&Retention::new().max_events(0)).is_ok();
        for after in [disk.kill(), disk.power_loss(crash)] {
            let store = small().open_on(on(&after)).expect("opens");
            assert_eq!(self::checkpoints(&store), checkpoints, "crash at {crash}");
            verify(&store);
            store.append(event(100)).expect("appends");
        }
        if done {
            break;
        }
    }
}

#[test]
fn a_sealing_that_lacks_room_says_how_much_and_is_done_once_there_is_some() {
    let disk = SimulatedDisk::new();
    let builder = || Store::builder().seal_again(Duration::from_millis(20));
    let store = builder().open_on(on(&disk)).expect("opens");
    (0..500).for_each(|number| drop(store.append(event(number)).expect("appends")));
    disk.set_capacity(Some(used(&disk) + 3000));
    let error = store.seal().expect_err("there is no room");
    assert!(error.is_disk_full() && !error.is_poisoned(), "{error:#}");
    assert!(error.to_string().contains("lacks about"), "{error}");
    store.append(event(500)).expect("the next log has room");
    assert_eq!(states(&store), [SegmentState::Full, SegmentState::Active]);
    disk.set_capacity(None);
    let begun = Instant::now();
    while states(&store) != [SegmentState::Sealed, SegmentState::Active] {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is tried again");
        thread::sleep(Duration::from_millis(5));
    }
    assert_events(&store, 501);
    verify(&store);
}

#[test]
fn dropping_segments_has_a_sealing_tried_again_that_lacked_room() {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(on(&disk)).expect("opens");
    (0..500).for_each(|number| drop(store.append(event(number)).expect("appends")));
    store.seal().expect("seals");
    (500..900).for_each(|number| drop(store.append(event(number)).expect("appends")));
    disk.set_capacity(Some(used(&disk) + 3000));
    assert!(store.seal().expect_err("there is no room").is_disk_full());
    let gone = store.retain(&Retention::new().max_events(400)).expect("needs no room");
    assert_eq!((gone.segments, gone.events), (1, 500));
    let begun = Instant::now();
    while states(&store) != [SegmentState::Sealed, SegmentState::Active] {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is tried at once");
        thread::sleep(Duration::from_millis(5));
    }
    verify(&store);
}

#[test]
fn a_log_that_is_full_while_the_one_before_lacks_room_holds_appends_up_and_no_longer() {
    let disk = SimulatedDisk::new();
    let builder = Store::builder().segment_events(50).seal_again(Duration::from_millis(20));
    let store = builder.open_on(on(&disk)).expect("opens");
    (0..49).for_each(|number| drop(store.append(event(number)).expect("appends")));
    disk.set_capacity(Some(used(&disk) + 20_000));
    let mut stored = 49;
    let error = loop {
        match store.append(event(stored)) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 200, "the index in memory is bounded");
    };
    assert!(!error.is_poisoned() && error.is_disk_full(), "{error:#}");
    disk.set_capacity(None);
    let begun = Instant::now();
    while store.append(event(stored)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it goes on");
        thread::sleep(Duration::from_millis(5));
    }
    store.seal().expect("seals");
    assert_events(&store, stored + 1);
    verify(&store);
}

fn open(disk: &SimulatedDisk) -> Store {
    Store::builder().open_on(Arc::new(disk.clone())).expect("opens")
}

/// Segments of a few events, sealed by the writer.
fn small() -> StoreBuilder {
    let builder = Store::builder().segment_events(20).seal_in_background(false);
    builder.seal_again(Duration::ZERO)
}

fn event(number: u64) -> Event {
    Event::new("tick").id(format!("event {number}")).time_ns(1).payload("x".repeat(40))
}

fn used(disk: &SimulatedDisk) -> u64 {
    let names = disk.list().expect("lists");
    names.iter().map(|name| disk.read(name).expect("reads").len() as u64).sum()
}

fn states(store: &Store) -> Vec<SegmentState> {
    store.snapshot().segments().iter().map(|segment| segment.state).collect()
}

fn checkpoints(store: &Store) -> Vec<String> {
    let page = store.snapshot().checkpoints().page().expect("lists");
    page.items.iter().map(|checkpoint| format!("{checkpoint:?}")).collect()
}

fn assert_events(store: &Store, count: u64) {
    let snapshot = store.snapshot();
    assert_eq!(snapshot.stats().expect("counts").events, count);
    for number in 0..count {
        assert!(snapshot.contains(format!("event {number}")).expect("answers"), "{number}");
    }
}

fn assert_same(store: &Store, expected: &[String], context: &str) {
    let found = view(&store.snapshot());
    let only = |a: &[String], b: &[String]| a.iter().find(|line| !b.contains(line)).cloned();
    let differs = (only(&found, expected), only(expected, &found));
    assert_eq!(differs, (None, None), "{context}");
    assert_eq!(found.len(), expected.len(), "{context}");
}

fn verify(store: &Store) {
    store.snapshot().verify(&mut |finding| panic!("{finding}")).expect("reads");
}
