//! What the store promises to those who write to it and read from it.

mod support {}

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use forebear::storage::{Intercepted, Operation, SimulatedDisk};
use forebear::{
    AppendStatus, Batch, Durability, Event, Filter, Link, LinkKind, Linked, Quarantined, Reader,
    Result, Store, WhenFull, limits,
};

#[test]
fn an_append_says_whether_it_was_new_a_repeat_or_a_version() -> Result<()> {
    let store = Store::in_memory()?;
    let first = store.append(Event::new("error").id("a").payload("1"))?;
    let repeat = store.append(Event::new("error").id("a").payload("1").label("other", "field"))?;
    let version = store.append(Event::new("error").id("a").payload("2"))?;
    let again = store.append(Event::new("error").id("a").payload("2"))?;
    let statuses = [&first, &repeat, &version, &again].map(|appended| appended.status);
    assert_eq!(
        statuses,
        [AppendStatus::New, AppendStatus::Repeat, AppendStatus::Version, AppendStatus::Repeat,]
    );
    assert_eq!([first.seq, repeat.seq, version.seq, again.seq], [1, 1, 2, 2]);
    Ok(())
}

#[test]
fn without_a_payload_equal_fields_make_a_repeat() -> Result<()> {
    let store = Store::in_memory()?;
    let event = Event::new("tool_use").id("a").time_ns(7).label("tool", "Bash");
    store.append(event.clone())?;
    assert_eq!(store.append(event.clone())?.status, AppendStatus::Repeat);
    let relabelled = store.append(event.clone().label("tool", "Read"))?;
    assert_eq!(relabelled.status, AppendStatus::Version);
    let with_payload = store.append(event.payload(""))?;
    assert_eq!(with_payload.status, AppendStatus::Version, "an empty payload is one");
    Ok(())
}

#[test]
fn submitted_batches_are_answered_to_a_waiting_thread_and_to_a_task() -> Result<()> {
    let store = Store::in_memory()?;
    let waited = store.submit(Event::new("a").id("waited"))?.wait()?;
    let awaited = block_on(store.submit(Event::new("a").id("awaited"))?)?;
    assert_eq!([waited.events[0].seq, awaited.events[0].seq], [1, 2]);
    // Both at once, answered in the order they were submitted.
    let receipts: Vec<_> =
        (0..100).map(|_| store.submit(Event::new("a"))).collect::<Result<_>>()?;
    for (receipt, seq) in receipts.into_iter().zip(3..) {
        assert_eq!(block_on(receipt)?.events[0].seq, seq);
    }
    Ok(())
}

#[test]
fn a_dropped_receipt_changes_nothing_for_the_batch() -> Result<()> {
    let store = Store::in_memory()?;
    drop(store.submit(Event::new("a").id("dropped"))?);
    store.flush()?;
    assert!(store.snapshot().contains("dropped")?);
    Ok(())
}

#[test]
fn many_threads_share_a_store() -> Result<()> {
    const THREADS: usize = 8;
    const EVENTS: usize = 200;
    let store = Store::in_memory()?;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let store = store.clone();
                scope.spawn(move || -> Result<()> {
                    for at in 1..=EVENTS {
                        let mut event = Event::new("step").id(format!("{worker}/{at}"));
                        if at > 1 {
                            event = event.parent(format!("{worker}/{}", at - 1));
                        }
                        store.write(Batch::from(event).durability(Durability::Flush))?;
                        assert!(store.snapshot().contains(format!("{worker}/{at}"))?);
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    let snapshot = store.snapshot();
    assert_eq!(snapshot.stats()?.events, (THREADS * EVENTS) as u64);
    for worker in 0..THREADS {
        let depth = snapshot.depth(format!("{worker}/{EVENTS}"))?;
        assert_eq!(depth, Some(EVENTS as u64 - 1));
    }
    Ok(())
}

#[test]
fn a_full_queue_returns_or_waits_as_asked() -> Result<()> {
    let store = Store::builder().queue_bytes(64 << 10).open_on(Arc::new(slow_disk()))?;
    let event = || Event::new("large").payload(vec![0; 30 << 10]);
    let mut receipts = Vec::new();
    let refused = loop {
        match store.submit(Batch::from(event()).when_full(WhenFull::Return)) {
            Ok(receipt) => receipts.push(receipt),
            Err(error) => break error,
        }
        assert!(receipts.len() < 10_000, "the queue never fills");
    };
    assert!(refused.is_full(), "{refused}");
    // The same batch waits where that is asked for.
    receipts.push(store.submit(Batch::from(event()).when_full(WhenFull::Block))?);
    let accepted = receipts.len() as u64;
    for receipt in receipts {
        receipt.wait()?;
    }
    assert_eq!(store.snapshot().stats()?.events, accepted);
    Ok(())
}

#[test]
fn a_batch_larger_than_the_queue_is_taken_alone() -> Result<()> {
    let store = Store::builder().queue_bytes(1 << 10).open_on(Arc::new(SimulatedDisk::new()))?;
    store.append(Event::new("large").id("large").payload(vec![1; 1 << 20]))?;
    let stored = store.snapshot().get("large")?.expect("it was acknowledged");
    assert_eq!(stored.payload().map(<[u8]>::len), Some(1 << 20));
    Ok(())
}

#[test]
fn an_invalid_record_rejects_its_whole_batch() -> Result<()> {
    let store = Store::in_memory()?;
    let sound = || Event::new("a").id("sound");
    let too_long = "x".repeat(limits::MAX_ID_BYTES + 1);
    let input = Quarantined {
        source: "x".repeat(limits::MAX_SOURCE_BYTES + 1),
        line: 1,
        offset: 0,
        length: 0,
        reason: String::new(),
        bytes: Vec::new(),
    };
    for batch in [
        Batch::new().event(sound()).event(Event::new("")),
        Batch::new().event(sound()).event(Event::new("a").id("")),
        Batch::new().event(sound()).link(Link::new("sound", too_long.as_str(), LinkKind::Caused)),
        Batch::new().event(sound()).quarantine(input),
    ] {
        let error = store.write(batch).expect_err("it holds an invalid record");
        assert!(error.is_invalid(), "{error}");
    }
    let stats = store.snapshot().stats()?;
    assert_eq!((stats.events, stats.quarantined), (0, 0));
    Ok(())
}

#[test]
fn each_limit_is_named_with_its_size() -> Result<()> {
    let store = Store::builder().max_payload_bytes(100).open_on(Arc::new(SimulatedDisk::new()))?;
    let long = |bytes: usize| "x".repeat(bytes);
    let event = || Event::new("a");
    let labelled =
        |labels: usize| (0..labels).fold(event(), |event, at| event.label(at.to_string(), ""));
    let over: [(&str, usize, Event); 9] = [
        ("id", limits::MAX_ID_BYTES, event().id(long(256))),
        ("parent", limits::MAX_ID_BYTES, event().parent(long(256))),
        ("kind", limits::MAX_KIND_BYTES, Event::new(long(129))),
        ("instance", limits::MAX_NAME_BYTES, event().instance(long(1025))),
        ("session", limits::MAX_NAME_BYTES, event().session(long(1025))),
        ("labels", limits::MAX_LABELS, labelled(65)),
        ("label key", limits::MAX_LABEL_KEY_BYTES, event().label(long(129), "")),
        ("label \"k\"", limits::MAX_LABEL_VALUE_BYTES, event().label("k", long(1025))),
        ("payload", 100, event().payload(vec![0; 101])),
    ];
    for (field, limit, event) in over {
        let error = store.append(event).expect_err("it is over the limit");
        assert!(error.is_invalid());
        let text = error.to_string();
        assert!(text.starts_with(field), "{field}: {text}");
        for number in [limit, limit + 1] {
            assert!(text.contains(&number.to_string()), "{field}, {number}: {text}");
        }
    }
    let many = (0..=limits::MAX_BATCH_RECORDS).map(|_| Event::new("a"));
    let error = store.append_batch(many).expect_err("too many records");
    assert!(error.to_string().contains("65536"), "{error}");
    // At the limits all is well.
    let widest = labelled(limits::MAX_LABELS)
        .id(long(limits::MAX_ID_BYTES))
        .parent(long(limits::MAX_ID_BYTES - 1))
        .instance(long(limits::MAX_NAME_BYTES))
        .session(long(limits::MAX_NAME_BYTES))
        .label("0", long(limits::MAX_LABEL_VALUE_BYTES))
        .payload(vec![0; 100]);
    assert_eq!(store.append(widest)?.status, AppendStatus::New);
    Ok(())
}

#[test]
fn sync_survives_a_power_loss_and_flush_a_killed_process() -> Result<()> {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone()))?;
    let write = |id: &str, durability| {
        store.write(Batch::from(Event::new("a").id(id)).durability(durability))
    };
    write("synced", Durability::Sync)?;
    write("flushed", Durability::Flush)?;
    for seed in 0..20 {
        let after = Store::builder().open_on(Arc::new(disk.power_loss(seed)))?;
        assert!(after.snapshot().contains("synced")?, "power loss {seed}");
    }
    let after = Store::builder().open_on(Arc::new(disk.kill()))?;
    for id in ["synced", "flushed"] {
        assert!(after.snapshot().contains(id)?, "{id}");
    }
    Ok(())
}

#[test]
fn the_stores_durability_holds_where_a_batch_sets_none() -> Result<()> {
    let disk = SimulatedDisk::new();
    let store = Store::builder().durability(Durability::Sync).open_on(Arc::new(disk.clone()))?;
    store.append(Event::new("a").id("a"))?;
    store.link("a", "b", LinkKind::Spawned)?;
    for seed in 0..20 {
        let after = Store::builder().open_on(Arc::new(disk.power_loss(seed)))?;
        assert!(after.snapshot().asserted_link("a")?.is_some(), "power loss {seed}");
    }
    Ok(())
}

#[test]
fn what_was_buffered_is_written_within_the_stated_time() -> Result<()> {
    let store = Store::in_memory()?;
    store.write(Batch::from(Event::new("a").id("a")).durability(Durability::Buffered))?;
    // Much more than the time, since the machine may be busy.
    for _ in 0..200 {
        if store.snapshot().contains("a")? {
            return Ok(());
        }
        thread::sleep(limits::BUFFER_TIME);
    }
    panic!("it was never written");
}

#[test]
fn flush_makes_everything_accepted_durable() -> Result<()> {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone()))?;
    for at in 0..50 {
        let batch = Batch::from(Event::new("a").id(format!("{at}")));
        drop(store.submit(batch.durability(Durability::Buffered))?);
    }
    store.flush()?;
    let after = Store::builder().open_on(Arc::new(disk.power_loss(7)))?;
    assert_eq!(after.snapshot().stats()?.events, 50);
    Ok(())
}

#[test]
fn a_closed_store_refuses_writes_and_still_answers() -> Result<()> {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone()))?;
    let other = store.clone();
    let accepted = store.submit(Event::new("a").id("a"))?;
    store.close()?;
    accepted.wait()?;
    for error in [
        other.append(Event::new("b")).map(drop),
        other.submit(Event::new("b")).map(drop),
        other.link("a", "b", LinkKind::Caused).map(drop),
    ] {
        let error = error.expect_err("the store is closed");
        assert!(error.is_closed(), "{error}");
    }
    assert!(other.snapshot().contains("a")?);
    let after = Store::builder().open_on(Arc::new(disk))?;
    assert!(after.snapshot().contains("a")?, "closing let go of the lock");
    assert!(after.recovery().is_clean(), "{:?}", after.recovery());
    Ok(())
}

#[test]
fn dropping_the_last_handle_writes_what_was_accepted() -> Result<()> {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone()))?;
    for at in 0..100 {
        let batch = Batch::from(Event::new("a").id(format!("{at}")));
        drop(store.submit(batch.durability(Durability::Buffered))?);
    }
    drop(store);
    let after = Store::builder().open_on(Arc::new(disk))?;
    assert_eq!(after.snapshot().stats()?.events, 100);
    Ok(())
}

#[test]
fn a_snapshot_never_changes() -> Result<()> {
    let store = Store::in_memory()?;
    store.append(Event::new("a").id("child").parent("parent"))?;
    let before = store.snapshot();
    store.append(Event::new("a").id("parent"))?;
    store.append(Event::new("a").id("sibling").parent("parent"))?;
    store.append(Event::new("a").id("child").payload("a version"))?;

    assert_eq!(before.root("child")?, Some("child".into()));
    assert_eq!(before.depth("child")?, Some(0));
    assert!(!before.contains("parent")?);
    assert!(before.siblings("child").page()?.items.is_empty());
    assert_eq!(before.versions("child").page()?.items.len(), 1);
    assert_eq!(before.events(Filter::new()).page()?.items.len(), 1);
    assert_eq!(before.missing_parents().page()?.items.len(), 1);
    let mut chain = before.chain("child")?.expect("it is stored");
    assert_eq!(chain.by_ref().count(), 1);
    assert_eq!(chain.end().map(forebear::ChainEnd::as_str), Some("missing"));

    let after = store.snapshot();
    assert_eq!(after.root("child")?, Some("parent".into()));
    assert_eq!(after.depth("child")?, Some(1));
    assert_eq!(after.versions("child").page()?.items.len(), 2);
    assert!(after.missing_parents().page()?.items.is_empty());
    Ok(())
}

#[test]
fn a_link_tells_what_became_of_it() -> Result<()> {
    let store = Store::in_memory()?;
    store.append_batch([
        Event::new("a").id("a"),
        Event::new("a").id("b"),
        Event::new("a").id("c").parent("a"),
    ])?;
    assert_eq!(store.link("b", "a", LinkKind::Spawned)?, Linked::Accepted);
    assert_eq!(store.link("b", "a", LinkKind::Spawned)?, Linked::Repeat);
    assert_eq!(store.link("b", "c", LinkKind::Spawned)?, Linked::Refused);
    assert_eq!(store.link("c", "b", LinkKind::Caused)?, Linked::Refused);
    assert_eq!(store.link("a", "c", LinkKind::Caused)?, Linked::CycleEdge);
    assert_eq!(store.link("later", "a", LinkKind::Caused)?, Linked::Accepted);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.asserted_link("b")?, Some(Link::new("b", "a", LinkKind::Spawned)));
    assert_eq!(snapshot.refused_links().page()?.items.len(), 2);
    assert_eq!(snapshot.cycle_edges().page()?.items.len(), 1);
    store.append(Event::new("a").id("later"))?;
    assert_eq!(store.snapshot().root("later")?, Some("a".into()));
    Ok(())
}

#[test]
fn payloads_come_back_byte_for_byte() -> Result<()> {
    let store = Store::in_memory()?;
    let large = vec![b'x'; 300_001];
    let payloads: [&[u8]; 5] = [b"", b"{\"a\": 1}", b"\xff\x00\n\r\n", &[0; 4096], &large];
    for (at, payload) in payloads.iter().enumerate() {
        store.append(Event::new("a").id(at.to_string()).payload(*payload))?;
    }
    store.append(Event::new("a").id("none"))?;
    let snapshot = store.snapshot();
    for (at, payload) in payloads.iter().enumerate() {
        let stored = snapshot.get(at.to_string())?.expect("it was stored");
        assert!(stored.payload() == Some(*payload), "payload {at}");
    }
    let stored = snapshot.get("none")?.expect("it was stored");
    assert_eq!(stored.payload(), None);
    Ok(())
}

/// A disk whose syncs take their time, so that a queue in front of it fills.
fn slow_disk() -> Intercepted<SimulatedDisk> {
    Intercepted::new(SimulatedDisk::new(), |operation, perform| {
        if operation == Operation::Sync {
            thread::sleep(Duration::from_millis(20));
        }
        perform()
    })
}

#[test]
fn what_a_service_prints_of_its_handles_is_short_whatever_the_store_holds() -> Result<()> {
    let disk = Arc::new(SimulatedDisk::new());
    let store = Store::builder().open_on(disk.clone())?;
    store.append_batch((0..1_000).map(|n| Event::new("tick").id(format!("tick {n}"))))?;
    let (reader, snapshot) = (Reader::open_on(disk)?, store.snapshot());
    let printed = [format!("{store:?}"), format!("{reader:?}"), format!("{snapshot:?}")];
    for text in printed {
        assert!(text.len() < 300 && !text.contains("tick"), "{text}");
    }
    let listing = format!("{:?}", snapshot.events(Filter::new()));
    assert!(!listing.contains("tick"), "{listing}");
    Ok(())
}

/// A task that runs on the calling thread until it is done.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_payload_type_is_kept_and_makes_no_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let order = |id: &str| Event::new("order").id(id).payload(format!("{{\"id\":\"{id}\"}}"));
    let store = Store::open(folder.path()).expect("opens");
    for number in 0..300 {
        let event = order(&format!("o{number}")).label("number", number.to_string());
        let event = match number % 3 {
            0 => event,
            kind => event.payload_type(format!("acme.order.v{kind}")),
        };
        store.append(event).expect("appends");
    }
    let check = |store: &Store| {
        let snapshot = store.snapshot();
        for number in 0..300 {
            let event = snapshot.get(format!("o{number}")).expect("reads").expect("is stored");
            let wanted = (number % 3 > 0).then(|| format!("acme.order.v{}", number % 3));
            assert_eq!(event.payload_type(), wanted.as_deref());
            assert_eq!(event.labels().count(), 1);
        }
        assert!(snapshot.verify(&mut |_| {}).expect("reads").is_sound());
    };
    check(&store);
    store.seal().expect("seals");
    check(&store);
    let again = order("o1").payload_type("acme.order.v3");
    assert_eq!(store.append(again).expect("appends").status, AppendStatus::Repeat);
    store.close().expect("closes");
    check(&Store::open(folder.path()).expect("opens"));
    let too_long = order("long").payload_type("x".repeat(129));
    let store = Store::open(folder.path()).expect("opens");
    assert!(store.append(too_long).is_err_and(|error| error.is_invalid()));
    assert!(store.append(order("none").payload_type("")).is_err_and(|error| error.is_invalid()));
}
