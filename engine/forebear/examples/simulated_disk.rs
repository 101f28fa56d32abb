//! Testing a service on a simulated disk: does it bear a power loss, a full disk, a disk
//! that fails? Needs the feature `testing`, as a dev-dependency.
//!
//! `cargo run --example simulated_disk --features testing`

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forebear::storage::{Intercepted, Operation, SimulatedDisk};
use forebear::{Batch, Durability, Event, Result};

fn main() -> Result<()> {
    power_loss()?;
    failing_sync()
}

/// What was acknowledged as synced survives any power loss; what was flushed may.
fn power_loss() -> Result<()> {
    let disk = SimulatedDisk::new();
    let store = forebear::builder().open_on(Arc::new(disk.clone()))?;
    store.append(Event::new("payment").id("synced"))?;
    let flushed = Batch::from(Event::new("heartbeat").id("flushed"));
    store.write(flushed.durability(Durability::Flush))?;

    let mut survived = 0;
    for seed in 0..100 {
        // Which unsynced bytes are lost follows from the seed.
        let after = forebear::builder().open_on(Arc::new(disk.power_loss(seed)))?;
        let snapshot = after.snapshot();
        assert!(snapshot.contains("synced")?, "seed {seed}");
        survived += u32::from(snapshot.contains("flushed")?);
    }
    println!("100 power losses: the synced event survived all, the flushed one {survived}");
    Ok(())
}

/// After a failed sync nobody knows what is on disk: the store refuses to write until it
/// is opened anew, and goes on answering.
fn failing_sync() -> Result<()> {
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    let disk = Intercepted::new(SimulatedDisk::new(), move |operation, perform| match operation {
        Operation::Sync if is_broken.load(Ordering::Relaxed) => {
            Err(io::Error::other("the cable came off"))
        }
        _ => perform(),
    });
    let store = forebear::builder().open_on(Arc::new(disk))?;
    broken.store(true, Ordering::Relaxed);
    let error = store.append(Event::new("payment")).expect_err("its sync fails");
    println!("first: {error:#}");
    let error = store.append(Event::new("payment")).expect_err("nothing is written any more");
    println!("then: {error:#} (poisoned: {})", error.is_poisoned());
    println!("well: {}", store.health().is_well());
    Ok(())
}
