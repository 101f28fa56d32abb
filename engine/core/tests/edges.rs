//! Promises at the edges: where two rare things meet.

use std::sync::Arc;
use std::time::Duration;

use forebear::storage::SimulatedDisk;
use forebear::*;

/// An asserted link that says what the event itself says is no refused link, in either order.
#[test]
fn an_asserted_link_that_agrees_with_the_event_is_not_refused_in_either_order() {
    let a = Store::in_memory().unwrap();
    a.append(Event::new("k").id("child").parent("p")).unwrap();
    assert_eq!(a.link("child", "p", LinkKind::Caused).unwrap(), Linked::Repeat);
    let b = Store::in_memory().unwrap();
    b.link("child", "p", LinkKind::Caused).unwrap();
    b.append(Event::new("k").id("child").parent("p")).unwrap();
    let refused = |s: &Store| s.snapshot().refused_links().page().unwrap().items;
    assert_eq!(refused(&a), refused(&b));
}

/// A page without room is refused: it could only lead to itself.
#[test]
fn a_limit_of_zero_is_an_error() {
    let store = Store::in_memory().unwrap();
    store.append(Event::new("k").id("a")).unwrap();
    store.append(Event::new("k").id("b").parent("a")).unwrap();
    let s = store.snapshot();
    assert!(s.events(Filter::new()).limit(0).page().unwrap_err().is_invalid());
    for order in [TreeOrder::DepthFirst, TreeOrder::BreadthFirst] {
        let page = s.descendants("a").order(order).limit(0).page();
        assert!(page.unwrap_err().is_invalid(), "{order:?}");
    }
}

/// Any option gives a store or an error, never a panic.
#[test]
fn options_do_not_panic() {
    for cache in [0, 1, 1 << 45, usize::MAX] {
        let done = std::panic::catch_unwind(|| {
            let store = Store::builder().cache_bytes(cache).open_on(Arc::new(SimulatedDisk::new()));
            let store = store.unwrap();
            store.append(Event::new("k").id("a").payload("x")).unwrap();
            store.snapshot().get("a").unwrap().unwrap();
        });
        assert!(done.is_ok(), "cache_bytes {cache}");
    }
}

/// flush writes and syncs what was accepted whatever the store does when full.
#[test]
fn flush_waits_for_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::builder()
        .when_full(WhenFull::Return)
        .durability(Durability::Flush)
        .queue_bytes(64 << 10)
        .open(folder.path().join("s"))
        .unwrap();
    let mut failed = None;
    for _ in 0..50 {
        while store.submit(Event::new("k").payload(vec![1; 100 << 10])).is_ok() {}
        if let Err(error) = store.flush() {
            failed = Some(error);
            break;
        }
    }
    assert!(failed.is_none(), "{failed:?}");
}

/// Numbers of events lost to rot stay unused, and walks to them end `damaged`,
/// also where the sound block that proves the rot is itself cut off.
#[test]
fn rot_that_meets_the_torn_end_is_still_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let store = Store::open(&path).unwrap();
    let log = path.join("0000000001.log");
    let len = || std::fs::metadata(&log).unwrap().len();
    store.append(Event::new("k").id("zero")).unwrap();
    let a = len();
    store.append(Event::new("k").id("lost")).unwrap(); // synced
    let b = len();
    let flush = |id: &str| {
        store
            .write(Batch::new().event(Event::new("k").id(id)).durability(Durability::Flush))
            .unwrap()
    };
    flush("unsynced 1");
    flush("unsynced 2");
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for name in ["MANIFEST", "0000000001.log"] {
        std::fs::copy(path.join(name), copy.join(name)).unwrap();
    }
    drop(store);
    let mut bytes = std::fs::read(copy.join("0000000001.log")).unwrap();
    bytes[a as usize + 150] ^= 1;
    bytes[b as usize + 150] ^= 1;
    std::fs::write(copy.join("0000000001.log"), bytes).unwrap();
    let store = Store::open(&copy).unwrap();
    let seq = store.append(Event::new("k").id("child").parent("lost")).unwrap().seq;
    let snapshot = store.snapshot();
    let mut chain = snapshot.chain("child").unwrap().unwrap();
    chain.by_ref().for_each(drop);
    store.close().unwrap();
    let again = Store::open(&copy).unwrap();
    // The second number was lost to rot; that of the third was never on disk.
    assert!(seq > 2, "{seq}");
    assert_eq!(chain.end().unwrap().as_str(), "damaged");
    assert_eq!(again.recovery().skipped.len(), 1);
    assert!(again.recovery().cut.is_empty());
}

/// A task that is woken may drop the last handle.
#[test]
fn a_waker_may_drop_the_last_handle() {
    use std::future::Future;
    struct Holds(std::sync::Mutex<Option<Store>>);
    impl std::task::Wake for Holds {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let store = Store::open(&path).unwrap();
    let mut first =
        Box::pin(store.submit(Event::new("k").id("a").payload(vec![1; 1 << 20])).unwrap());
    let second = store.submit(Event::new("k").id("b")).unwrap();
    let waker = Arc::new(Holds(std::sync::Mutex::new(None)));
    let task = std::task::Waker::from(Arc::clone(&waker));
    let polled = first.as_mut().poll(&mut std::task::Context::from_waker(&task));
    *waker.0.lock().unwrap() = Some(store);
    if polled.is_ready() {
        // The writer was faster, and wakes nobody.
        drop(waker.0.lock().unwrap().take());
    }
    assert_eq!(second.wait().unwrap().events.len(), 1);
    // The writer lets go of the store once it has nothing left to do.
    let again = (0..1000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        Store::open(&path).ok()
    });
    let again = again.expect("the writer ends within ten seconds");
    assert_eq!(again.recovery().rewritten_bytes, 144, "closed cleanly");
    assert!(again.snapshot().contains("b").unwrap());
}

/// A folder of another program that also calls a file MANIFEST.
#[test]
fn another_programs_manifest_is_foreign_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("MANIFEST"), "Manifest-Version: 1.0\n").unwrap();
    std::fs::write(folder.path().join("LOCK"), "theirs").unwrap();
    std::fs::write(folder.path().join("data.db"), "x").unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert_eq!(std::fs::read(folder.path().join("LOCK")).unwrap(), b"theirs");
    assert!(error.is_foreign());
}

/// To tell whether an event closes a cycle the writer remembers where fragments led: not
/// where they ended before more was learnt above them, nor where an asserted link led that gave
/// way to a stronger one.
#[test]
fn a_cycle_through_segments_is_marked_where_the_way_up_has_changed() {
    let store = Store::builder().seal_in_background(false);
    let store = store.open_on(Arc::new(SimulatedDisk::new())).expect("opens");
    let write = |event: Event| {
        store.append(event).expect("appends");
        store.seal().expect("seals");
    };
    let named = |id: &str, parent: &str| write(Event::new("step").id(id).parent(parent));
    let asserted = |parent, strength| {
        let link = Link::new("free", parent, LinkKind::Caused).strength(strength);
        store.write(link).expect("writes");
        store.seal().expect("seals");
    };
    let cycle_edges = || {
        let links = store.snapshot().cycle_edges().page().expect("lists").items;
        links.iter().map(|link| format!("{} {}", link.child, link.parent)).collect::<Vec<_>>()
    };

    named("top", "above top");
    named("anchor", "joined late");
    named("joined late", "top");
    named("below", "anchor");
    named("waits", "late");
    named("late", "below");
    named("above top", "last");
    assert!(cycle_edges().is_empty());
    named("last", "below");
    assert_eq!(cycle_edges(), ["above top last"]);

    named("weak top", "above weak");
    named("strong top", "above strong");
    write(Event::new("step").id("free"));
    asserted("weak top", 10);
    named("below free", "free");
    named("waits too", "late too");
    named("late too", "below free");
    asserted("strong top", 20);
    named("above weak", "below free");
    assert_eq!(cycle_edges(), ["above top last"]);
    named("above strong", "below free");
    assert_eq!(cycle_edges(), ["above top last", "strong top above strong"]);
}
