//! A read that fails once does not end writing for good.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forebear::storage::{Intercepted, Operation, SimulatedDisk};
use forebear::*;

#[test]
fn a_failed_read_refuses_one_batch_and_not_all_later_ones() {
    let fail = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fail);
    let disk = Intercepted::new(SimulatedDisk::new(), move |operation, perform| match operation {
        Operation::Read if failing.swap(false, Ordering::SeqCst) => {
            Err(io::Error::other("a read failed"))
        }
        _ => perform(),
    });
    let store = Store::builder().open_on(Arc::new(disk)).unwrap();
    store.append(Event::new("k").id("a").payload("x")).unwrap();
    fail.store(true, Ordering::SeqCst);
    assert!(store.append(Event::new("k").id("a").payload("x")).is_err());
    let next = store.append(Event::new("k").id("b"));
    assert!(next.is_ok());
}
