//! Whether looking an id up stays flat as segments grow in number, and what else a
//! store of many segments costs: `lookups [--segments 10,100,1000,10000]`.

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use forebear::{Batch, Durability, Event, EventId, Store};
use forebear_benches::data::Random;

/// How lookups, opening and rotation fare with many small segments
#[derive(Debug, Parser)]
struct LookupOptions {
    /// Numbers of segments to measure at, ascending
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1000, 10_000])]
    segments: Vec<u64>,
    /// Events in a segment
    #[arg(long, default_value_t = 64)]
    events: u32,
    /// The folder to make the store in, which is removed afterwards [default: a temporary one]
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = LookupOptions::parse();
    let folder = match &options.folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let path = folder.path().join("store");
    println!("{} events a segment; medians, in brackets the 99th of 100", options.events);
    println!(
        "| segments | known | known, segment not used lately | unknown | append, parent unknown | \
         rotate and seal | refresh after it | open | open to read | MANIFEST |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut made = 0;
    for &segments in &options.segments {
        let store = open(&path, options.events)?;
        while made + ROTATIONS < segments {
            fill(&store, made, options.events)?;
            made += 1;
        }
        store.close()?;
        println!("{}", measure(&path, &options, &mut made)?);
    }
    Ok(())
}

fn open(path: &Path, events: u32) -> forebear::Result<Store> {
    forebear::builder().segment_events(events).durability(Durability::Flush).open(path)
}

/// Appends a segment's events. Each is caused by the one before, and every tenth by
/// one of an earlier segment.
fn fill(store: &Store, segment: u64, events: u32) -> forebear::Result<()> {
    let first = segment * u64::from(events);
    let batch = (first..first + u64::from(events)).map(|number| {
        let event = Event::new("step").id(id(number)).instance(format!("agent-{}", number % 8));
        match number {
            0 => event,
            _ if number.is_multiple_of(10) => event.parent(id(random(number) % number)),
            _ => event.parent(id(number - 1)),
        }
    });
    store.write(batch.collect::<Batch>()).map(drop)
}

/// A line of the table.
fn measure(path: &Path, options: &LookupOptions, made: &mut u64) -> Result<String, Box<dyn Error>> {
    let begun = Instant::now();
    let store = open(path, options.events)?;
    let opened = begun.elapsed();
    let reader = forebear::read(path)?;
    let (mut rotated, mut refreshed) = (Vec::new(), Vec::new());
    for _ in 0..ROTATIONS {
        let begun = Instant::now();
        fill(&store, *made, options.events)?;
        store.seal()?;
        rotated.push(begun.elapsed());
        *made += 1;
        let begun = Instant::now();
        reader.refresh()?;
        refreshed.push(begun.elapsed());
    }
    let events = *made * u64::from(options.events);
    let mut appended = Vec::new();
    for number in 0..u64::from(options.events / 2) {
        let event = Event::new("late").id(id(!number)).parent(id(!number - 1_000_000));
        let begun = Instant::now();
        store.write(event)?;
        appended.push(begun.elapsed());
    }
    store.close()?;
    let begun = Instant::now();
    let reader = forebear::read(path)?;
    let opened_to_read = begun.elapsed();
    let snapshot = reader.snapshot()?;
    // Where the machine has not read a segment before, that is what is measured.
    let of = |number: &dyn Fn(u64) -> u64, expected: bool| -> Result<Vec<Duration>, _> {
        (0..LOOKUPS)
            .map(|turn| {
                let id = id(number(turn));
                let begun = Instant::now();
                let found = snapshot.contains(black_box(&id))?;
                let took = begun.elapsed();
                if found == expected { Ok(took) } else { Err(wrong(turn)) }
            })
            .collect::<Result<_, Box<dyn Error>>>()
    };
    let spread = |turn: u64| random(turn) % events;
    let mut first = of(&spread, true)?;
    let mut unknown = of(&|turn| u64::MAX / 2 + turn, false)?;
    // The same few segments again and again.
    let mut known = of(&|turn| random(turn % 8) % events, true)?;
    let manifest = std::fs::metadata(path.join("MANIFEST"))?.len();
    Ok(format!(
        "| {made} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        both(&mut known),
        both(&mut first),
        both(&mut unknown),
        both(&mut appended),
        both(&mut rotated),
        both(&mut refreshed),
        short(opened),
        short(opened_to_read),
        kib(manifest),
    ))
}

fn wrong(turn: u64) -> Box<dyn Error> {
    format!("lookup {turn} gave a wrong answer").into()
}

/// The median, and the value that one in a hundred is above.
fn both(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    format!("{} ({})", short(at(50)), short(at(99)))
}

fn short(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    match us {
        ..10.0 => format!("{us:.1} µs"),
        ..10_000.0 => format!("{us:.0} µs"),
        _ => format!("{:.0} ms", us / 1000.0),
    }
}

fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

/// The id of an event: random, and the same every time.
fn id(number: u64) -> EventId {
    let (high, low) = (random(number), random(!number));
    uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
        .into_uuid()
        .into()
}

/// The number of this place in a row of random ones.
fn random(number: u64) -> u64 {
    Random::nth(number).draw()
}

/// Lookups of each kind that are timed.
const LOOKUPS: u64 = 2000;
/// Segments that are made one by one, and timed.
const ROTATIONS: u64 = 9;
