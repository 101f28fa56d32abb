//! Subscriptions in the process that writes: woken by what is published, stopped from
//! elsewhere, ended with the store.

use std::thread;
use std::time::{Duration, Instant};

use forebear::{Batch, Durability, Event, Filter, StartFrom, Store};

const LONG: Duration = Duration::from_mins(1);

#[test]
fn every_event_is_told_once_and_in_order_however_writes_and_seals_fall() {
    let store = Store::in_memory().expect("opens");
    let mut events = store.subscribe(Filter::new(), StartFrom::Start).expect("begins");
    let writer = store.clone();
    let writing = thread::spawn(move || {
        for n in 0..2_000 {
            writer.append(Event::new("tick").id(format!("e{n}"))).expect("appends");
            if n % 500 == 499 {
                writer.seal().expect("seals");
            }
        }
    });
    for n in 0..2_000 {
        let event = events.next_timeout(LONG).expect("it comes").expect("reads");
        assert_eq!((event.seq(), event.id().to_string()), (n + 1, format!("e{n}")));
    }
    writing.join().expect("writes");
    assert!(events.next_timeout(Duration::ZERO).is_none());
    assert!(!events.has_ended());
}

#[test]
fn it_is_stopped_from_another_thread_while_it_waits() {
    let store = Store::in_memory().expect("opens");
    let mut events = store.subscribe(Filter::new(), StartFrom::Now).expect("begins");
    let handle = events.handle();
    let waiting = thread::spawn(move || {
        let begun = Instant::now();
        assert!(events.next().is_none());
        assert!(events.has_ended() && begun.elapsed() < LONG);
        assert!(events.next().is_none(), "and stays so");
    });
    thread::sleep(Duration::from_millis(20));
    handle.stop();
    waiting.join().expect("ends");
    assert!(handle.is_stopped());
}

#[test]
fn what_was_stored_is_told_before_it_ends_with_the_store() {
    let store = Store::in_memory().expect("opens");
    let mut events = store.subscribe(Filter::new(), StartFrom::Start).expect("begins");
    let mut lasting = store.subscribe(Filter::new(), StartFrom::Start).expect("begins");
    let waiting = thread::spawn(move || lasting.by_ref().count());
    store.append(Event::new("tick")).expect("appends");
    store.append(Event::new("tick")).expect("appends");
    drop(store);
    assert_eq!(events.by_ref().count(), 2);
    assert_eq!(waiting.join().expect("ends"), 2);
}

#[test]
fn a_durable_one_waits_for_the_sync_and_asks_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path().join("events.forebear")).expect("opens");
    let events = store.subscribe(Filter::new(), StartFrom::Start).expect("begins");
    let mut events = events.durable(true);
    let batch = Batch::from(Event::new("tick")).durability(Durability::Flush);
    store.write(batch).expect("writes");
    let event = events.next_timeout(LONG).expect("a sync is asked for").expect("reads");
    assert_eq!(event.seq(), 1);
    store.append(Event::new("tick")).expect("appends");
    assert_eq!(events.next_timeout(LONG).expect("it comes").expect("reads").seq(), 2);
}
