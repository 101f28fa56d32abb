//! Bounding what a store keeps: old segments go, or move to an archive, and what they
//! caused is still answered for.
//!
//! `cargo run --example retention`

use std::time::Duration;

use forebear::{Event, Result, Retention};

fn main() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let archive = folder.path().join("archive.forebear");
    // Small segments for the example: whole ones go, so they bound how exact retention is.
    let store =
        forebear::builder().segment_events(100).open(folder.path().join("events.forebear"))?;

    // Kept with the store and applied whenever a log is full.
    store.set_retention(Some(
        Retention::new().max_age(Duration::from_hours(30 * 24)).max_events(100_000),
    ))?;

    let mut cause = None;
    for number in 0..1000 {
        let event = Event::new("step").id(format!("step {number}")).parent_opt(cause);
        cause = Some(store.append(event)?.id);
    }
    store.seal()?;

    // Once, by hand: all but the newest 300 go to the archive, a store of its own to read.
    let retained = store.retain(&Retention::new().max_events(300).archive(&archive))?;
    println!("{} segments with {} events are archived", retained.segments, retained.events);

    let snapshot = store.snapshot();
    let mut chain = snapshot.chain("step 999")?.expect("the newest event is there");
    let walked = chain.by_ref().count();
    println!(
        "the newest is {:?} deep; {walked} events of its chain are left",
        snapshot.depth("step 999")?
    );
    println!("the walk ended: {}", chain.end().map_or("not yet", |end| end.as_str()));
    println!(
        "the archive has the oldest: {}",
        forebear::read(&archive)?.snapshot()?.contains("step 0")?
    );
    store.close()
}
