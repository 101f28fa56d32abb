//! On a disk that loses what disks lose, nothing that was acknowledged is lost,
//! and what is left is a prefix of what was submitted, batches whole.
//!
//! `FOREBEAR_CRASH_SEEDS` sets from how many seeds scripts are made for the first
//! of the tests; 4 unless set.

mod support {
    pub(crate) mod listing;
    pub(crate) mod random;
    pub(crate) mod script;
    pub(crate) mod view;
}

use std::env;
use std::ops::RangeInclusive;
use std::thread;

use forebear::storage::{Fault, SimulatedDisk};
use forebear::{Batch, Durability, Event, Store};
use support::script::{Progress, Script, on};
use support::view::view;

const LEVELS: [Durability; 3] = [Durability::Sync, Durability::Flush, Durability::Buffered];
/// Outcomes of a power loss that are tried at each crash.
const LOSSES: u64 = 3;
const THREADS: usize = 4;
const THREAD_EVENTS: usize = 12;

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    let seeds = env::var("FOREBEAR_CRASH_SEEDS")
        .map_or(4, |seeds| seeds.parse().expect("FOREBEAR_CRASH_SEEDS is a number"));
    for (seed, level) in (0..seeds).flat_map(|seed| LEVELS.map(|level| (seed, level))) {
        let script = Script::generate(seed, level, 24);
        let prefixes = Prefixes::of(&script);
        each_crash(&script, seed, |crash, disk, progress| {
            let context = format!("seed {seed}, {level:?}, crash at {crash}");
            for loss in 0..LOSSES {
                let after = disk.power_loss(crash * LOSSES + loss);
                let store = prefixes.reopen(&after, progress.durable(), &context);
                new_writes_survive(&after, store, &context);
            }
            let after = disk.kill();
            let store = prefixes.reopen(&after, progress.handed_over(), &context);
            new_writes_survive(&after, store, &context);
        });
    }
}

#[test]
fn a_crash_while_threads_share_the_store_loses_nothing_acknowledged() {
    for crash in 1.. {
        let disk = SimulatedDisk::with_seed(crash);
        disk.crash_at(crash);
        let Ok(store) = Store::builder().open_on(on(&disk)) else {
            continue;
        };
        let counts: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let store = &store;
                    scope.spawn(move || append_until_error(store, thread))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("ends")).collect()
        });
        drop(store);
        let finished = disk.operations() < crash;
        for (thread, (flushed, synced)) in counts.into_iter().enumerate() {
            for after in (0..LOSSES).map(|loss| disk.power_loss(loss)) {
                assert_thread_held(&after, thread, synced, crash);
            }
            assert_thread_held(&disk.kill(), thread, flushed, crash);
        }
        if finished {
            break;
        }
    }
}

#[test]
fn a_crash_at_any_operation_of_recovery_loses_nothing_either() {
    for (seed, level) in LEVELS.into_iter().enumerate() {
        let seed = seed as u64 + 100;
        let script = Script::generate(seed, level, 10);
        let prefixes = Prefixes::of(&script);
        each_crash(&script, seed, |crash, disk, progress| {
            let context = format!("seed {seed}, {level:?}, crash at {crash}");

            // What survived a power loss is on the disk: however often recovery
            // is cut short, it comes to the same.
            let lost = disk.power_loss(crash);
            let expected = view(&open(&lost.kill(), &context).snapshot());
            each_crash_of_recovery(&lost, |again, disk| {
                let context = format!("{context}, then at {again} of recovery");
                for after in [disk.power_loss(again), disk.kill()] {
                    let store = open(&after, &context);
                    assert_same(&view(&store.snapshot()), &expected, &context);
                    new_writes_survive(&after, store, &context);
                }
            });

            // What a killed process left may not be on the disk yet.
            let killed = disk.kill();
            each_crash_of_recovery(&killed, |again, disk| {
                let context = format!("{context}, then at {again} of recovery");
                prefixes.reopen(&disk.power_loss(again), progress.durable(), &context);
                let after = disk.kill();
                let store = prefixes.reopen(&after, progress.handed_over(), &context);
                new_writes_survive(&after, store, &context);
            });
        });
    }
}

#[test]
fn after_a_failed_write_or_sync_the_store_refuses_writes_and_still_reads() {
    for (seed, level) in LEVELS.into_iter().enumerate() {
        let seed = seed as u64 + 200;
        let script = Script::generate(seed, level, 16);
        let prefixes = Prefixes::of(&script);
        for operation in 1.. {
            let disk = SimulatedDisk::with_seed(seed);
            disk.fail_at(operation, Fault::Io);
            let mut progress = script.run(&disk);
            let context = format!("seed {seed}, {level:?}, error at {operation}");
            if let Some(store) = progress.store.take() {
                if progress.error.is_some() {
                    assert_poisoned(&disk, &store, &context);
                    view(&store.snapshot());
                }
                drop(store);
            }
            if disk.operations() < operation {
                break;
            }
            for loss in 0..LOSSES {
                let after = disk.power_loss(loss);
                prefixes.reopen(&after, progress.durable(), &context);
            }
            // The system takes what failed to sync for clean: only writing it
            // again makes it durable before what is appended after it.
            let killed = disk.kill();
            let store = prefixes.reopen(&killed, progress.handed_over(), &context);
            new_writes_survive(&killed, store, &context);
        }
    }
}

#[test]
fn a_recovery_that_failed_can_be_tried_again() {
    for (seed, level) in LEVELS.into_iter().enumerate() {
        let seed = seed as u64 + 300;
        let script = Script::generate(seed, level, 8);
        let prefixes = Prefixes::of(&script);
        each_crash(&script, seed, |crash, disk, progress| {
            let context = format!("seed {seed}, {level:?}, crash at {crash}");
            for (before, held) in [
                (disk.kill(), progress.handed_over()),
                (disk.power_loss(crash), progress.durable()),
            ] {
                for operation in 1.. {
                    let disk = before.kill();
                    disk.fail_at(operation, Fault::Io);
                    let opened = Store::builder().open_on(on(&disk));
                    if disk.operations() < operation {
                        break;
                    }
                    let error = opened.map(drop).expect_err(&context);
                    assert!(error.io_kind().is_some(), "{context}: {error}");
                    let context = format!("{context}, then error at {operation} of recovery");
                    let store = prefixes.reopen(&disk, held.clone(), &context);
                    new_writes_survive(&disk, store, &context);
                }
            }
        });
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_what_was_acknowledged_stays() {
    let script = Script::generate(400, Durability::Sync, 16);
    let prefixes = Prefixes::of(&script);
    let mut full = 0;
    for room in (0..60_000).step_by(617) {
        let disk = SimulatedDisk::with_seed(room);
        disk.set_room(Some(room));
        let mut progress = script.run(&disk);
        let context = format!("room for {room} bytes");
        let Some(error) = progress.error.take() else {
            continue;
        };
        full += 1;
        assert!(error.is_disk_full(), "{context}: {error:#}");
        assert!(format!("{error:#}").contains("full"), "{context}: {error:#}");
        if let Some(store) = progress.store.take() {
            assert_full(&store, &context);
        }
        let after = disk.power_loss(room);
        let store = prefixes.reopen(&after, progress.durable(), &context);
        new_writes_survive(&after, store, &context);
    }
    assert!(full > 3, "the script needs more room than was taken away");
}

#[test]
fn the_scripts_hold_every_kind_of_record() {
    let script = Script::generate(0, Durability::Sync, 100);
    let Prefixes(views) = Prefixes::of(&script);
    let last = views.last().expect("there is one").join("\n");
    for kind in ["missing", "refused", "cycle edge", "quarantined", " Cycle(", " true "] {
        assert!(last.contains(kind), "{kind}");
    }
    let unchanged = views.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(unchanged > 0, "some batches hold repeats alone");
}

/// What can be seen of a store that holds the first 0, 1, 2, … batches.
struct Prefixes(Vec<Vec<String>>);

impl Prefixes {
    fn of(script: &Script) -> Self {
        let store = Store::in_memory().expect("opens");
        let mut views = vec![view(&store.snapshot())];
        for batch in script.batches() {
            let batch = batch.clone().durability(Durability::Flush);
            store.write(batch).expect("writes");
            views.push(view(&store.snapshot()));
        }
        Self(views)
    }

    /// Opens the store and checks that it holds as many batches, whole and in order.
    fn reopen(&self, disk: &SimulatedDisk, held: RangeInclusive<usize>, context: &str) -> Store {
        let store = open(disk, context);
        let found = view(&store.snapshot());
        if !self.0[held.clone()].contains(&found) {
            if let Some(other) = self.0.iter().position(|prefix| *prefix == found) {
                panic!("{context}: expected {held:?} batches, found {other}");
            }
            eprintln!("recovery: {:?}", store.recovery());
            assert_same(&found, &self.0[*held.start()], context);
        }
        store
    }
}

impl Progress {
    fn durable(&self) -> RangeInclusive<usize> {
        self.synced..=self.submitted
    }

    fn handed_over(&self) -> RangeInclusive<usize> {
        self.flushed..=self.submitted
    }
}

/// Appends as one of several threads. Returns how many events must survive a
/// killed process, and how many a power loss.
fn append_until_error(store: &Store, thread: usize) -> (usize, usize) {
    let (mut flushed, mut synced) = (0, 0);
    for position in 0..THREAD_EVENTS {
        let durability = LEVELS[(thread + position) % LEVELS.len()];
        let event = Event::new("step").id(thread_event(thread, position));
        if store.write(Batch::from(event).durability(durability)).is_err() {
            break;
        }
        if durability >= Durability::Flush {
            flushed = position + 1;
        }
        if durability == Durability::Sync {
            synced = position + 1;
        }
    }
    (flushed, synced)
}

/// The thread's first events are there, at least as many as were acknowledged,
/// and none after them.
fn assert_thread_held(disk: &SimulatedDisk, thread: usize, acknowledged: usize, crash: u64) {
    let store = open(disk, &format!("crash at {crash}"));
    let snapshot = store.snapshot();
    let held: Vec<bool> = (0..THREAD_EVENTS)
        .map(|position| snapshot.contains(thread_event(thread, position)))
        .collect::<Result<_, _>>()
        .expect("answers");
    let count = held.iter().take_while(|&&held| held).count();
    assert!(
        count >= acknowledged && !held[count..].contains(&true),
        "crash at {crash}, thread {thread}: {acknowledged} acknowledged, found {held:?}"
    );
}

fn thread_event(thread: usize, position: usize) -> String {
    format!("thread {thread} event {position}")
}

/// Runs the script once for each operation it takes, crashing there.
fn each_crash(script: &Script, seed: u64, mut check: impl FnMut(u64, &SimulatedDisk, &Progress)) {
    for crash in 1.. {
        let disk = SimulatedDisk::with_seed(seed.rotate_left(32) ^ crash);
        disk.crash_at(crash);
        let mut progress = script.run(&disk);
        // Dropped on a dead disk, it can't write what the check would then see.
        drop(progress.store.take());
        check(crash, &disk, &progress);
        if disk.operations() < crash {
            assert!(progress.error.is_none(), "{:?}", progress.error);
            assert!(crash > 10, "the script writes");
            return;
        }
    }
}

/// Opens the disk once for each operation that recovery takes, crashing there.
fn each_crash_of_recovery(disk: &SimulatedDisk, mut check: impl FnMut(u64, &SimulatedDisk)) {
    for crash in 1.. {
        let disk = disk.kill();
        disk.crash_at(crash);
        let opened = Store::builder().open_on(on(&disk));
        let finished = disk.operations() < crash;
        drop(opened);
        if finished {
            return;
        }
        check(crash, &disk);
    }
}

fn open(disk: &SimulatedDisk, context: &str) -> Store {
    Store::builder().open_on(on(disk)).unwrap_or_else(|error| panic!("{context}: {error}"))
}

/// A store that was recovered takes new events and keeps them, and with them
/// everything it showed.
fn new_writes_survive(disk: &SimulatedDisk, store: Store, context: &str) {
    store
        .append(Event::new("after").id("after the crash").time_ns(1))
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let expected = view(&store.snapshot());
    let losses: Vec<_> = (0..LOSSES).map(|loss| disk.power_loss(loss)).collect();
    drop(store);
    for after in losses {
        let store = open(&after, context);
        assert_same(&view(&store.snapshot()), &expected, context);
    }
}

/// The store refuses writes, says why, and leaves the disk alone.
fn assert_poisoned(disk: &SimulatedDisk, store: &Store, context: &str) {
    let before = disk.operations();
    for level in LEVELS {
        let batch = Batch::from(Event::new("late")).durability(level);
        let error = store.write(batch).expect_err(context);
        assert!(error.is_poisoned(), "{context}: {error}");
    }
    let error = store.flush().expect_err(context);
    assert!(error.is_poisoned(), "{context}: {error}");
    store.clone().close().expect_err(context);
    assert_eq!(disk.operations(), before, "{context}: it wrote or synced");
}

/// The store refuses writes as long as there is no room, and says so.
fn assert_full(store: &Store, context: &str) {
    for level in LEVELS {
        let batch = Batch::from(Event::new("late")).durability(level);
        let error = store.write(batch).expect_err(context);
        assert!(error.is_disk_full(), "{context}: {error:#}");
    }
    let error = store.flush().expect_err(context);
    assert!(error.is_disk_full(), "{context}: {error:#}");
}

fn assert_same(found: &[String], expected: &[String], context: &str) {
    let differs = found.iter().zip(expected).find(|(a, b)| a != b);
    assert!(
        differs.is_none() && found.len() == expected.len(),
        "{context}: expected {} lines, found {}; the first that differs: {differs:#?}",
        expected.len(),
        found.len(),
    );
}
