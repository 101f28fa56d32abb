//! What fails behind the scenes is seen: in the store's health and in its warnings.

use std::io;
use std::sync::Arc;

use forebear::storage::{Fault, SimulatedDisk};
use forebear::{Event, Spool, Store, Warning, WarningKind};

#[test]
fn a_failed_write_shows_with_its_cause() {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone())).expect("opens");
    assert!(store.health().is_well());
    disk.fail_at(disk.operations() + 1, Fault::Io);
    store.append(Event::new("lost")).expect_err("the write fails");
    let refused = store.append(Event::new("refused")).expect_err("it is poisoned");

    let health = store.health();
    assert!(!health.is_well());
    let poisoned = health.poisoned.expect("it says why");
    assert!(poisoned.io_kind().is_some() && !poisoned.is_poisoned(), "{poisoned:?}");
    assert_eq!(refused.io_kind(), poisoned.io_kind());
    let warning = health.last_warning.expect("there is one");
    assert_eq!(warning.kind(), WarningKind::Poisoned);
    assert_eq!(warning.error().and_then(forebear::Error::io_kind), poisoned.io_kind());
    let text = warning.to_string();
    assert_eq!(text.matches(&poisoned.to_string()).count(), 1, "each thing once: {text}");
    assert_eq!(store.warnings().len(), 1, "what fails because of it is not reported again");
}

#[test]
fn a_log_that_can_not_be_sealed_shows_until_it_is() {
    for operation in 1..40 {
        let disk = SimulatedDisk::new();
        let builder = Store::builder().seal_in_background(false);
        let store = builder.open_on(Arc::new(disk.clone())).expect("opens");
        store.append(Event::new("tick")).expect("appends");
        disk.fail_at(disk.operations() + operation, Fault::Io);
        let outcome = store.seal();
        let sealing = store.health().sealing;
        let Some(error) = sealing.last_error else { continue };
        assert_eq!(outcome.map_err(|error| error.kind()), Err(error.kind()));
        if sealing.logs == 0 {
            // It was sealed, and what failed is removing the log.
            continue;
        }
        assert!(sealing.bytes > 0 && !store.health().is_well());
        let kinds: Vec<_> = store.warnings().iter().map(Warning::kind).collect();
        assert_eq!(kinds, [WarningKind::SealFailed]);

        store.append(Event::new("meanwhile")).expect("appends go on");
        store.seal().expect("the fault struck once");
        assert!(store.health().is_well());
        assert_eq!((store.health().sealing.logs, store.snapshot().segments().len()), (0, 3));
        return;
    }
    panic!("no operation of sealing failed");
}

#[test]
fn what_waits_in_the_spool_is_counted() {
    let disk = SimulatedDisk::new();
    Spool::open_on(&disk)
        .expect("opens")
        .submit_foreign("letters", b"a".as_slice(), 1)
        .expect("in");
    let name = format!("{:016x}-{:016x}-{:08x}.batch", 7, 7, 7);
    disk.in_folder("spool").write(&name, "nothing of ours");
    let store = Store::builder().open_on(Arc::new(disk.clone())).expect("opens");
    let spool = store.health().spool.expect("the disk has folders");
    assert_eq!((spool.waiting, spool.refused), (1, 1));
    assert!(store.health().is_well(), "a file for another process is no failure");
    let kinds: Vec<_> = store.warnings().iter().map(Warning::kind).collect();
    assert_eq!(kinds, [WarningKind::DecoderMissing]);
}

#[test]
fn the_queue_is_counted_while_the_writer_is_busy() {
    let store = Store::builder().queue_bytes(1 << 20).in_memory().expect("opens");
    let receipts: Vec<_> = (0..50)
        .map(|_| store.submit(Event::new("tick").payload(vec![b' '; 1000])).expect("submits"))
        .collect();
    let queue = store.health().queue;
    assert_eq!(queue.capacity_bytes, 1 << 20);
    assert!(queue.batches <= 50 && queue.bytes <= queue.capacity_bytes, "{queue:?}");
    for receipt in receipts {
        receipt.wait().expect("writes");
    }
    let queue = store.health().queue;
    assert_eq!((queue.batches, queue.bytes), (0, 0));
}

/// Each consumer reads warnings from its own position, and the source of an error is the
/// system's.
#[test]
fn two_consumers_each_see_all_warnings() {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone())).expect("opens");
    disk.set_room(Some(0));
    store.append(Event::new("lost")).expect_err("a full disk");
    let (one, other) = (store.warnings_after(0), store.warnings_after(0));
    assert_eq!((one.len(), other.len()), (1, 1));
    assert!(store.warnings_after(one[0].number()).is_empty());
    let kind = one[0].error().and_then(forebear::Error::io_kind);
    assert_eq!(kind, Some(io::ErrorKind::StorageFull));
}
