//! What an event costs in memory and at opening: `memory [EVENTS]`.

use std::error::Error;
use std::time::Instant;

use forebear::{Batch, Durability, Event, EventId};
use forebear_benches::process::anonymous_bytes;

fn main() -> Result<(), Box<dyn Error>> {
    let events = std::env::args().nth(1).map_or(Ok(400_000), |count| count.parse())?;
    // Each in a process of its own, whose memory nothing has used before.
    match std::env::args().nth(2) {
        Some(folder) => open(folder.as_ref(), events),
        None => [0, 1].into_iter().try_for_each(|own_values| {
            let folder = tempfile::tempdir()?;
            build(folder.path(), events, own_values)?;
            println!("{events} events, two labels that repeat, {own_values} of its own:");
            let program = std::env::current_exe()?;
            let path = folder.path().display().to_string();
            std::process::Command::new(program).args([events.to_string(), path]).status()?;
            Ok(())
        }),
    }
}

fn build(folder: &std::path::Path, events: usize, own_values: usize) -> forebear::Result<()> {
    let store = forebear::builder().durability(Durability::Flush).open(folder.join("store"))?;
    let mut parent: Option<EventId> = None;
    let mut batch = Batch::new();
    for number in 0..events {
        let id = EventId::new();
        let mut event = Event::new("tool_use")
            .id(&id)
            .instance(format!("agent-{}", number % 64))
            .session("session")
            .label("type", "assistant")
            .label("project", "project")
            .payload(format!("{{\"number\":{number}}}"));
        if own_values > 0 {
            event = event.label("tool_use_id", format!("toolu_{number:024}"));
        }
        if let Some(parent) = parent.take().filter(|_| number % 1000 > 0) {
            event = event.parent(&parent);
        }
        parent = Some(id);
        batch = batch.event(event);
        if batch.len() == 1000 || number + 1 == events {
            store.write(std::mem::take(&mut batch))?;
        }
    }
    store.close()
}

fn open(folder: &std::path::Path, events: usize) -> Result<(), Box<dyn Error>> {
    let before = anonymous_bytes()?;
    let start = Instant::now();
    let store = forebear::open(folder.join("store"))?;
    let took = start.elapsed();
    let bytes = anonymous_bytes()?.saturating_sub(before);
    println!(
        "  {} bytes an event in memory, {} ns an event to open",
        bytes as usize / events,
        took.as_nanos() / events as u128
    );
    drop(store);
    Ok(())
}
