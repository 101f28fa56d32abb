//! A caller that waits writes its batch itself where nobody else is at it: what that must not
//! change, and who does what.

mod support {
    pub(crate) mod random;
}

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use forebear::storage::{Fault, Intercepted, Operation, SimulatedDisk};
use forebear::{Batch, Durability, Event, Filter, StartFrom, Store};
use support::random::Random;

/// Which thread did what, in order.
type Doers = Arc<Mutex<Vec<(Operation, Option<String>)>>>;

fn watched() -> (Intercepted<SimulatedDisk>, Doers) {
    let doers = Doers::default();
    let noted = Arc::clone(&doers);
    let disk = Intercepted::new(SimulatedDisk::new(), move |operation, perform| {
        let name = thread::current().name().map(str::to_owned);
        noted.lock().expect("notes").push((operation, name));
        perform()
    });
    (disk, doers)
}

fn batch(event: Event, durability: Durability) -> Batch {
    Batch::from(event).durability(durability)
}

#[test]
fn whoever_waits_alone_writes_itself_and_the_thread_does_the_rest() {
    let (disk, doers) = watched();
    let store = Store::builder().segment_events(4).seal_in_background(false);
    let store = store.open_on(Arc::new(disk)).expect("opens");
    // The first makes the store one of this format, which is the thread's.
    store.write(batch(Event::new("first"), Durability::Flush)).expect("writes");
    // Whoever is answered comes before the thread lets go of the lock.
    thread::sleep(Duration::from_millis(200));
    doers.lock().expect("notes").clear();
    thread::Builder::new()
        .name("caller".to_owned())
        .spawn(move || {
            for durability in [Durability::Flush, Durability::Sync, Durability::Flush] {
                store.write(batch(Event::new("next"), durability)).expect("writes");
            }
            // The log is full with the last: the next log is the thread's, and this event.
            store.write(batch(Event::new("behind"), Durability::Flush)).expect("writes");
            store
        })
        .expect("starts")
        .join()
        .expect("ends");
    let doers = doers.lock().expect("notes");
    let of = |name: &str| -> Vec<Operation> {
        doers.iter().filter(|(_, doer)| doer.as_deref() == Some(name)).map(|(op, _)| *op).collect()
    };
    let caller = of("caller");
    assert_eq!(caller.iter().filter(|&&op| op == Operation::Sync).count(), 1, "{doers:?}");
    assert!(!caller.contains(&Operation::SyncDir), "{doers:?}");
    assert!(caller.len() >= 4, "three writes and a sync: {doers:?}");
    assert!(of("forebear-writer").contains(&Operation::SyncDir), "{doers:?}");
}

#[test]
fn what_a_caller_submitted_before_comes_before() {
    let store = Store::in_memory().expect("opens");
    for round in 0..300 {
        for durability in [Durability::Buffered, Durability::Flush] {
            store.submit(batch(Event::new("submitted"), durability)).expect("takes it");
        }
        let written = store.write(batch(Event::new("written"), Durability::Flush));
        assert_eq!(written.expect("writes").events[0].seq, 3 * round + 3);
    }
}

/// Threads that write, submit and flush while logs are rotated, sealed and dropped around
/// them: nothing is lost or doubled, and each thread's events keep their order.
#[test]
fn many_threads_keep_their_order_whoever_writes() {
    const THREADS: u64 = 6;
    const EACH: u64 = 400;
    let store = Store::builder().segment_events(150);
    let store = store.open_on(Arc::new(SimulatedDisk::new())).expect("opens");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = store.clone();
            scope.spawn(move || {
                let mut random = Random::new(thread);
                let mut receipts = Vec::new();
                for number in 0..EACH {
                    let event = Event::new("step").instance(format!("{thread}"));
                    let event = event.id(format!("{thread} {number}"));
                    let durability = match random.below(8) {
                        0 => Durability::Sync,
                        1..3 => Durability::Buffered,
                        _ => Durability::Flush,
                    };
                    match random.below(4) {
                        0 => receipts.push(store.submit(batch(event, durability)).expect("takes")),
                        _ => drop(store.write(batch(event, durability)).expect("writes")),
                    }
                    match random.below(40) {
                        0 => thread::yield_now(),
                        1 => store.flush().expect("flushes"),
                        2 => store.seal().expect("seals"),
                        _ => {}
                    }
                }
                for receipt in receipts {
                    receipt.wait().expect("is written");
                }
            });
        }
    });
    store.flush().expect("flushes");
    let snapshot = store.snapshot();
    let all = snapshot.events(Filter::new()).iter().count();
    assert_eq!(all as u64, THREADS * EACH);
    for thread in 0..THREADS {
        let events = snapshot.events(Filter::new().instance(format!("{thread}")));
        let ids: Vec<_> =
            events.iter().map(|event| event.expect("reads").id().to_string()).collect();
        let expected: Vec<_> = (0..EACH).rev().map(|number| format!("{thread} {number}")).collect();
        assert_eq!(ids, expected);
    }
}

#[test]
fn a_write_of_a_caller_that_fails_is_poison_for_all() {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone())).expect("opens");
    store.write(batch(Event::new("first"), Durability::Sync)).expect("writes");
    disk.fail_at(disk.operations() + 1, Fault::Io);
    let failed = store.write(batch(Event::new("second"), Durability::Sync));
    assert!(failed.is_err());
    let refused = store.write(batch(Event::new("third"), Durability::Flush));
    assert!(refused.is_err_and(|error| error.is_poisoned()));
    let refused = store.submit(Event::new("fourth")).expect("takes it").wait();
    assert!(refused.is_err_and(|error| error.is_poisoned()));
}

/// A caller that panics while it writes leaves no writer behind, and the store says so at once.
#[test]
fn a_caller_that_panics_closes_the_store() {
    let panics = Arc::new(AtomicBool::new(false));
    let armed = Arc::clone(&panics);
    let disk = SimulatedDisk::new();
    let watched = Intercepted::new(disk.clone(), move |operation, perform| {
        let is_caller = thread::current().name() == Some("caller");
        assert!(!(is_caller && operation == Operation::Write && armed.load(Ordering::Relaxed)));
        perform()
    });
    let store = Store::builder().open_on(Arc::new(watched)).expect("opens");
    store.write(batch(Event::new("first"), Durability::Flush)).expect("writes");
    let mut subscription = store.subscribe(Filter::new(), StartFrom::Now).expect("subscribes");
    thread::sleep(Duration::from_millis(200));
    panics.store(true, Ordering::Relaxed);
    let caller = store.clone();
    let work = move || caller.write(batch(Event::new("second"), Durability::Flush));
    let outcome = thread::Builder::new().name("caller".to_owned()).spawn(work).expect("starts");
    assert!(outcome.join().is_err(), "it panicked");
    assert!(subscription.next().is_none(), "it ends though the store is open still");
    let refused = store.write(batch(Event::new("third"), Durability::Flush));
    assert!(refused.is_err_and(|error| error.is_closed()));
    // Nobody holds the lock any more.
    let again = Store::builder().open_on(Arc::new(disk)).expect("opens");
    assert_eq!(again.snapshot().events(Filter::new()).iter().count(), 1);
}

/// The index in memory reaches its bound while records wait in the block: they are written to
/// their log before it is rotated.
#[test]
fn what_waits_in_a_block_is_written_before_the_log_is_rotated() {
    const EVENTS: usize = 8_000;
    let store = Store::builder().memory_budget(1 << 20).seal_in_background(false);
    let store = store.open_on(Arc::new(SimulatedDisk::new())).expect("opens");
    for number in 0..EVENTS {
        let labels = (0..4).map(|label| (format!("{label}"), format!("{number} {label}")));
        let event = labels.fold(Event::new("step"), |event, (key, value)| event.label(key, value));
        // Answered before it is written: the thread sleeps with it in the block.
        store.write(batch(event, Durability::Buffered)).expect("takes it");
    }
    store.flush().expect("flushes");
    let snapshot = store.snapshot();
    assert!(snapshot.segments().len() > 2, "it was rotated");
    assert_eq!(snapshot.events(Filter::new()).iter().count(), EVENTS);
}

/// Nobody else writes: the thread is told that something is due, though it may be asleep until a
/// sealing is looked at, a minute later.
#[test]
fn a_lone_buffered_write_is_soon_seen() {
    let store = Store::builder().segment_events(4).open_on(Arc::new(SimulatedDisk::new()));
    let store = store.expect("opens");
    let mut best = Duration::MAX;
    for number in 0..12 {
        let event = Event::new("step").id(format!("{number}"));
        store.write(batch(event, Durability::Buffered)).expect("takes it");
        let begun = Instant::now();
        while !store.snapshot().contains(format!("{number}")).expect("answers") {
            assert!(begun.elapsed() < SEEN_AFTER_MAX, "event {number} is not seen");
            thread::sleep(Duration::from_millis(1));
        }
        best = best.min(begun.elapsed());
        // So that it sleeps, whatever it had to do.
        thread::sleep(Duration::from_millis(20));
    }
    assert!(best < Duration::from_millis(50), "it waits for 10 ms: {best:?}");
    assert!(store.snapshot().segments().len() > 1, "logs were sealed in between");
}

/// Far less than a minute, and more than a busy machine takes.
const SEEN_AFTER_MAX: Duration = Duration::from_secs(2);
