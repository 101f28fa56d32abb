//! Which errors there are, and what a service does about each.
//!
//! `cargo run --example errors`

use std::error::Error as _;
use std::io;

use forebear::{Event, Filter, Store, WhenFull};

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("events.forebear");

    // Opening: somebody else has it, it is no store, it is of a newer program.
    let store =
        forebear::builder().when_full(WhenFull::Return).queue_bytes(64 << 10).open(&path)?;
    let error = Store::open(&path).expect_err("it is open already");
    println!("locked {}: {error}", error.is_locked());

    // An error of the system is the source; `{:#}` prints it, too.
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way")?;
    let error = forebear::open(file.join("events.forebear")).expect_err("a file is in the way");
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    println!("io {:?}: {error:#}", source.map(io::Error::kind));

    // What can be told before anything is written: limits, and what makes no sense.
    let long = Event::new("k".repeat(10_000));
    println!("invalid: {}", store.append(long).expect_err("its kind is too long"));
    let none = store.snapshot().events(Filter::new()).limit(0).page();
    println!("invalid: {}", none.expect_err("a page of nothing"));

    // A queue that is full: wait, drop the event, or fail the request.
    let mut dropped = 0;
    for _ in 0..200 {
        match store.submit(Event::new("sample").payload(vec![0; 4 << 10])) {
            Ok(receipt) => drop(receipt),
            Err(error) if error.is_full() => dropped += 1,
            Err(error) => return Err(error.into()),
        }
    }
    println!("full: {dropped} samples were dropped");

    // What happens behind the scenes is no error of a call: warnings and health tell.
    for warning in store.warnings() {
        println!("{}: {warning}", warning.kind().as_str());
    }
    println!("well: {}", store.health().is_well());
    store.close()?;
    Ok(())
}
