//! Appending events: one at a time at each durability, and in batches, beside
//! SQLite with an index on the id and one on the parent.

use std::error::Error;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use forebear::{Batch, Durability};
use forebear_benches::data::{Item, Random};
use forebear_benches::ours::event;
use forebear_benches::sqlite::Sqlite;
use tempfile::TempDir;

/// Events in a batch.
const BATCHES: [usize; 2] = [100, 10_000];

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("append");
    for durability in [Durability::Buffered, Durability::Flush, Durability::Sync] {
        ours(&mut group, durability, 1)?;
    }
    sqlite(&mut group, "SQLite, NORMAL", 1, false)?;
    sqlite(&mut group, "SQLite, FULL", 1, true)?;
    for size in BATCHES {
        ours(&mut group, Durability::Flush, size)?;
        ours(&mut group, Durability::Sync, size)?;
        sqlite(&mut group, "SQLite, NORMAL", size, false)?;
        sqlite(&mut group, "SQLite, FULL", size, true)?;
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

fn ours(
    group: &mut BenchmarkGroup<'_, WallTime>,
    durability: Durability,
    size: usize,
) -> Result<(), Box<dyn Error>> {
    let folder = TempDir::new()?;
    let store = forebear::open(folder.path())?;
    let mut chain = Growing::new();
    group.throughput(Throughput::Elements(size as u64));
    let name = format!("forebear, {durability:?}");
    group.bench_function(BenchmarkId::new(name, size), |bencher| {
        bencher.iter_batched(
            || -> Batch {
                let batch: Batch = chain.next(size).iter().map(event).collect();
                batch.durability(durability)
            },
            |batch| store.write(batch).expect("the folder can be written"),
            BatchSize::LargeInput,
        );
    });
    store.close()?;
    Ok(())
}

fn sqlite(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    size: usize,
    sync_each: bool,
) -> Result<(), Box<dyn Error>> {
    let folder = TempDir::new()?;
    let mut sqlite = Sqlite::open(folder.path())?;
    sqlite.index_parents()?;
    if sync_each {
        sqlite.sync_each()?;
    }
    let mut chain = Growing::new();
    group.throughput(Throughput::Elements(size as u64));
    group.bench_function(BenchmarkId::new(name, size), |bencher| {
        bencher.iter_batched(
            || chain.next(size),
            |items| sqlite.insert(&items).expect("the folder can be written"),
            BatchSize::LargeInput,
        );
    });
    Ok(())
}

/// A chain that never ends.
struct Growing {
    random: Random,
    tip: Option<[u8; 16]>,
}

impl Growing {
    fn new() -> Self {
        Self { random: Random::new(1), tip: None }
    }

    fn next(&mut self, size: usize) -> Vec<Item> {
        (0..size)
            .map(|_| {
                let item = Item::new(self.tip, &mut self.random);
                self.tip = Some(item.id);
                item
            })
            .collect()
    }
}
