//! When a log is full, what goes on while it is sealed, and what is left where that
//! fails.

mod support {}

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use forebear::storage::{Intercepted, Operation, SimulatedDisk, Storage};
use forebear::{Batch, Durability, Event, Filter, SegmentState, Store, limits};
use parking_lot::Mutex;

fn event(number: u64) -> Event {
    Event::new("step").id(format!("event {number}")).payload(vec![b'x'; 1000])
}

fn write(store: &Store, event: Event) {
    store.write(Batch::from(event).durability(Durability::Flush)).expect("writes");
}

#[test]
fn a_log_is_full_at_so_many_bytes_or_events_or_bytes_of_index() {
    let store = Store::builder().segment_bytes(64 << 10).seal_in_background(false);
    let store = store.open_on(Arc::new(SimulatedDisk::new())).expect("opens");
    (0..500).for_each(|number| write(&store, event(number)));
    let segments = store.snapshot().segments();
    assert!(segments.len() > 5);
    for segment in &segments[..segments.len() - 1] {
        assert!((64 << 10..68 << 10).contains(&segment.raw_bytes), "{segment:?}");
    }

    let store = Store::builder().segment_events(30).seal_in_background(false);
    let store = store.open_on(Arc::new(SimulatedDisk::new())).expect("opens");
    (0..100).for_each(|number| write(&store, event(number)));
    let events: Vec<u64> = store.snapshot().segments().iter().map(|s| s.events).collect();
    assert_eq!(events, [30, 30, 30, 10]);

    // Far from the other two bounds, but every label is kept in memory.
    let store = Store::builder().memory_budget(1 << 20).seal_in_background(false);
    let store = store.open_on(Arc::new(SimulatedDisk::new())).expect("opens");
    for number in 0..200 {
        let labels = (0..limits::MAX_LABELS).map(|label| (label, number));
        let labelled = labels.fold(event(number), |event, (label, number)| {
            event.label(format!("{label}"), format!("{number} {label}"))
        });
        write(&store, labelled);
    }
    let segments = store.snapshot().segments();
    assert!(segments.len() > 1, "{segments:?}");
    assert!(segments[0].raw_bytes < 1 << 20, "{segments:?}");
}

/// Appends go on beside one log that is being sealed. When the next is full too, they
/// wait, so that there are never more than two.
#[test]
fn one_full_log_waits_to_be_sealed_and_then_appends_wait() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let disk = Intercepted::new(SimulatedDisk::new(), move |operation, perform| {
        if operation == Operation::Sync && thread::current().name() == Some("forebear-sealer") {
            // Nobody is left to release it once the test is over.
            let _ = released.lock().recv();
        }
        perform()
    });
    let store = Store::builder().segment_events(10).open_on(Arc::new(disk.clone()));
    let store = store.expect("opens");
    (0..19).for_each(|number| write(&store, event(number)));
    let logs = || {
        let names = disk.list().expect("lists");
        names
            .into_iter()
            .filter(|name| Path::new(name).extension().is_some_and(|e| e == "log"))
            .collect::<Vec<_>>()
    };
    assert_eq!(logs(), ["0000000001.log", "0000000002.log"]);
    let states: Vec<_> = store.snapshot().segments().iter().map(|s| s.state).collect();
    assert_eq!(states, [SegmentState::Full, SegmentState::Active]);
    // This one is written, and rotation is what then waits.
    write(&store, event(19));
    let batch = Batch::from(event(20)).durability(Durability::Flush);
    let mut receipt = Some(store.submit(batch).expect("takes it"));
    thread::scope(|scope| {
        let (told, answer) = mpsc::channel();
        let receipt = receipt.take().expect("is there");
        scope.spawn(move || told.send(receipt.wait()).expect("is awaited"));
        assert!(answer.recv_timeout(Duration::from_millis(200)).is_err(), "it waits");
        assert_eq!(logs().len(), 2);
        drop(release);
        answer.recv().expect("is told").expect("writes");
    });
    store.seal().expect("seals");
    let events = store.snapshot().events(Filter::new()).limit(100);
    assert_eq!(events.page().expect("lists").items.len(), 21);
}

#[test]
fn a_sealing_that_fails_leaves_no_files_behind_and_is_done_again() {
    for room in (0..60_000).step_by(3001) {
        let disk = SimulatedDisk::new();
        let store = Store::builder().seal_in_background(false).open_on(Arc::new(disk.clone()));
        let store = store.expect("opens");
        (0..50).for_each(|number| write(&store, event(number)));
        disk.set_room(Some(room));
        store.seal().expect_err("there is no room");
        let names = disk.list().expect("lists");
        let left = names.iter().find(|name| name.contains(".seg") || name.contains(".idx"));
        assert_eq!(left, None, "room for {room} bytes");
        drop(store);
        disk.set_room(None);
        let store = Store::builder().open_on(Arc::new(disk.kill())).expect("opens");
        store.seal().expect("seals");
        assert!(store.snapshot().contains("event 49").expect("answers"));
        store.snapshot().verify(&mut |finding| panic!("{finding}")).expect("reads");
    }
}
