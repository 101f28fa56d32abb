//! What other processes do while a service has its store open: read it without a lock, and
//! hand in events through its spool. Here the service and the other process are one
//! program that starts itself.
//!
//! `cargo run --example other_process`

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use forebear::{Event, Filter, Store};

fn main() -> anyhow::Result<()> {
    match env::args_os().nth(1) {
        Some(path) => other(path.as_ref()),
        None => service(),
    }
}

fn service() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("events.forebear");
    let store = forebear::open(&path)?;
    store.append(Event::new("request").id("ask").instance("service"))?;

    let status = Command::new(env::current_exe()?).arg(&path).status()?;
    anyhow::ensure!(status.success(), "the other process failed");

    // What was handed in went through the writer's queue like everything else.
    let event = store.snapshot().get("note")?.expect("the other process waited for it");
    println!("service: has {:?} of {}, depth {}", event.id(), event.instance(), event.depth());
    store.close()?;
    Ok(())
}

fn other(path: &Path) -> anyhow::Result<()> {
    // One process writes; the message names it.
    match Store::open(path) {
        Err(error) if error.is_locked() => println!("other: {error}"),
        _ => anyhow::bail!("expected the service to have the store open"),
    }

    let reader = forebear::read(path)?;
    let newest = reader.ask(|snapshot| snapshot.events(Filter::new()).limit(1).page())?;
    let cause = newest.items.first().expect("the service stored one").id().clone();
    println!("other: the newest event is {cause}");

    let spool = forebear::spool(path)?;
    let note = Event::new("note").id("note").instance("other").parent(cause);
    let ticket = spool.submit(note)?;
    // It is durable by now; the service takes it in within a moment. Where none runs, the
    // next process that opens the store does.
    while !ticket.wait(Duration::from_secs(10))? {}
    println!("other: it can be read now: {}", reader.snapshot()?.contains("note")?);
    Ok(())
}
