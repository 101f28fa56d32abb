//! What the machine itself does: the yardstick for all other figures.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use crate::data::Random;
use crate::scale::figures::Figures;
use crate::scale::options::ScaleOptions;
use crate::scale::text::TextSource;
use crate::scale::{Result, child};

pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    figures.take("machine", child::run(options, "machine")?);
    Ok(())
}

pub(crate) fn measure(options: &ScaleOptions) -> Result<Figures> {
    let mut figures = Figures::default();
    figures.set("processors", std::thread::available_parallelism()?.get() as f64);
    figures.set("load_ns", load_ns());
    zstd(&mut figures)?;
    let path = options.dir().join("sync");
    let file = File::create(&path)?;
    let mut times = Vec::new();
    for number in 0..SYNCS {
        let begun = Instant::now();
        file.write_all_at(&[number as u8; SYNC_BYTES], number * SYNC_BYTES as u64)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    figures.spread("fdatasync", times);
    std::fs::remove_file(path)?;
    Ok(figures)
}

/// Nanoseconds of a load whose address the load before gave, all over memory.
fn load_ns() -> f64 {
    let mut order: Vec<u32> = (0..LINES).collect();
    let mut random = Random::new(1);
    // Sattolo's shuffle: one cycle through all of them.
    for last in (1..order.len()).rev() {
        order.swap(last, (random.draw() % last as u64) as usize);
    }
    let mut lines = vec![CacheLine(0); LINES as usize];
    for (from, to) in order.iter().zip(order.iter().cycle().skip(1)) {
        lines[*from as usize].0 = *to;
    }
    drop(order);
    let mut at = 0;
    let mut rounds: Vec<f64> = (0..LOAD_ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..LOADS {
                at = lines[at as usize].0;
            }
            black_box(at);
            begun.elapsed().as_nanos() as f64 / f64::from(LOADS)
        })
        .collect();
    rounds.sort_unstable_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// How fast and how small zstd makes the payloads, at level 3 in chunks of 64 KiB.
fn zstd(figures: &mut Figures) -> Result<()> {
    let texts = TextSource::new();
    let raw: Vec<u8> = (0..ZSTD_PAYLOADS).flat_map(|number| texts.payload(number)).collect();
    let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    let mut stored = Vec::with_capacity(zstd::zstd_safe::compress_bound(ZSTD_CHUNK));
    let mut rates = Vec::new();
    let mut bytes = 0;
    for _ in 0..ZSTD_ROUNDS {
        bytes = 0;
        let begun = Instant::now();
        for chunk in raw.chunks(ZSTD_CHUNK) {
            stored.clear();
            bytes += compressor.compress_to_buffer(chunk, &mut stored)?;
        }
        rates.push(raw.len() as f64 / begun.elapsed().as_secs_f64());
    }
    rates.sort_unstable_by(f64::total_cmp);
    figures.set("zstd_bytes_per_s", rates[rates.len() / 2]);
    figures.set("zstd_ratio", raw.len() as f64 / bytes as f64);
    Ok(())
}

/// A cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct CacheLine(u32);

/// 512 MiB of them, far more than any cache.
const LINES: u32 = 8 << 20;
const LOADS: u32 = 100_000;
const LOAD_ROUNDS: usize = 21;

const ZSTD_LEVEL: i32 = 3;
const ZSTD_CHUNK: usize = 64 << 10;
const ZSTD_PAYLOADS: u64 = 80_000;
const ZSTD_ROUNDS: usize = 5;

const SYNCS: u64 = 300;
const SYNC_BYTES: usize = 4096;
