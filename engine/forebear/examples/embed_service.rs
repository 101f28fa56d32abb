//! A service that keeps its lineage: it opens the store, says what recovery
//! found, writes without waiting, and closes in order.
//!
//! `cargo run --example embed_service [FOLDER]`

use std::collections::VecDeque;
use std::path::PathBuf;

use forebear::{Batch, Durability, Event, EventId, Receipt, Result, Store, WhenFull};

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("forebear-service-{}", std::process::id())),
        PathBuf::from,
    );
    let store = match forebear::builder().when_full(WhenFull::Return).open(&folder) {
        Ok(store) => store,
        // The message names the process that has it.
        Err(error) if error.is_locked() => {
            eprintln!("{error:#}");
            std::process::exit(1);
        }
        Err(error) => return Err(error),
    };
    report(&store);

    let mut service = Service { store, unacknowledged: VecDeque::new() };
    for request in 0..100 {
        service.handle(request)?;
    }
    let Service { store, unacknowledged } = service;
    for receipt in unacknowledged {
        receipt.wait()?;
    }
    println!("{} events in {}", store.snapshot().stats()?.events, folder.display());
    // Dropping the last handle does the same, without telling whether it worked.
    store.close()
}

struct Service {
    store: Store,
    unacknowledged: VecDeque<Receipt>,
}

impl Service {
    /// Handles a request; its two events are on disk together or not at all.
    fn handle(&mut self, number: u32) -> Result<()> {
        let request = Event::new("request").instance("api").label("path", format!("/{number}"));
        let answer = Event::new("answer").instance("api").parent(&request);
        self.record(Batch::new().event(request).event(answer), number)
    }

    fn record(&mut self, batch: Batch, number: u32) -> Result<()> {
        // Most events need only survive the process; now and then one syncs them all.
        let durability =
            if number.is_multiple_of(10) { Durability::Sync } else { Durability::Flush };
        let batch = batch.durability(durability);
        match self.store.submit(batch.clone()) {
            Ok(receipt) => self.unacknowledged.push_back(receipt),
            // The disk is slower than the requests: this one waits for it.
            Err(error) if error.is_full() => {
                self.store.write(batch.when_full(WhenFull::Block))?;
            }
            Err(error) => return Err(error),
        }
        while self.unacknowledged.front().is_some_and(Receipt::is_ready) {
            if let Some(receipt) = self.unacknowledged.pop_front() {
                let written = receipt.wait()?;
                let last: Option<&EventId> = written.events.last().map(|event| &event.id);
                debug_assert!(last.is_some(), "a request has two events");
            }
        }
        Ok(())
    }
}

/// Tells the operator what opening found: nothing is lost in silence.
fn report(store: &Store) {
    let report = store.recovery();
    if report.is_clean() {
        println!("opened: {} records in {} blocks", report.records, report.blocks);
        return;
    }
    for damage in report.cut.iter().chain(&report.skipped) {
        println!(
            "{} bytes of {} from {} on are damaged ({}); they are kept in {}",
            damage.length, damage.file, damage.offset, damage.reason, damage.kept_in
        );
    }
    if let Some(repair) = &report.manifest {
        println!("{repair}");
    }
}
