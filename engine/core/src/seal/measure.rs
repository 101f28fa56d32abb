//! What the heap's parameters cost and give, as a table; figures, not promises.
//! `cargo test --release -p forebear-core --lib -- --ignored --nocapture measure_synthetic`,
//! and with `FILES`, a folder of what can be imported, `measure_files`.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::format_push_string,
    reason = "figures for people"
)]

use std::ops::ControlFlow;
use std::sync::Arc;

use forebear::ingest::{IngestOptions, import};

use super::tests::FrozenLog;
use crate::base::random::Random;
use crate::base::sync::Instant;
use crate::seal::file::Packing;
use crate::segment::file::SegFile;
use crate::segment::footer::{CHUNKS, DICTIONARY, HEAP};
use crate::segment::heap::{ChunkCache, LastChunk};
use crate::storage::Disk;
use crate::{Batch, Durability, Event, EventId, Store};

const KIB: usize = 1 << 10;

#[test]
#[ignore = "measures for minutes"]
fn measure_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::env::var("FILES").expect("FILES, a folder");
    // By the crate above, which imports: what it writes is read here.
    let store = forebear::Store::open(folder.path().join("store")).expect("opens");
    import(&store, &IngestOptions::new([&source]), |_| ControlFlow::Continue(())).expect("imports");
    store.close().expect("closes");
    let raw = raw_bytes(source.as_ref());
    report("files", &folder.path().join("store"), raw);
}

#[test]
#[ignore = "measures for minutes"]
fn measure_synthetic() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::builder()
        .durability(Durability::Flush)
        .open(folder.path().join("store"))
        .expect("opens");
    let (mut random, mut prose) = (Random::new(7), Prose::new());
    let (mut raw, mut batch) = (0, Batch::new());
    let mut tips: Vec<Option<EventId>> = vec![None; 64];
    for number in 0..100_000_usize {
        let instance = number % 64;
        let id = EventId::from(uuid::Uuid::from_u64_pair(random.next(), random.next()));
        let payload = prose.payload();
        raw += payload.len() as u64;
        let mut event = Event::new("job")
            .id(&id)
            .instance(format!("worker-{instance}"))
            .session("session")
            .label("project", ["engine", "bindings", "website"][number % 3])
            .label("queue", ["mail", "slow", "edit", "write", "search"][number % 5])
            .time_ns(1_700_000_000_000_000_000 + 1_000_003 * number as i64)
            .payload(payload);
        if let Some(parent) = tips[instance].take().filter(|_| number / 64 % 500 > 0) {
            event = event.parent(parent);
        }
        tips[instance] = Some(id);
        batch = batch.event(event);
        if batch.len() == 1000 {
            store.write(std::mem::take(&mut batch)).expect("writes");
        }
    }
    store.write(batch).expect("writes");
    store.close().expect("closes");
    report("synthetic", &folder.path().join("store"), raw);
}

fn report(what: &str, folder: &std::path::Path, raw: u64) {
    let disk = Disk::open(folder).expect("opens");
    let log = FrozenLog::of(Arc::new(disk));
    let rows = log.index.rows().len() as f64;
    println!("{what}: {rows} events, {raw} bytes of input, a log of {} bytes\n", log.end);
    println!("| chunk | dictionary | level | heap | `.seg` | of input | sealing | chain |");
    println!("|---|---|---|---|---|---|---|---|");
    for (chunk, dictionary) in PACKINGS {
        for level in [1, 2, 3, 6] {
            let ran = cpu();
            let packing =
                Packing { level, chunk_bytes: chunk * KIB, dictionary_bytes: dictionary * KIB };
            let footer = log.seal("seg", packing);
            let ran = cpu() - ran;
            let segment = SegFile::open(&*log.disk, "seg", None).expect("opens");
            let total = log.disk.open("seg").and_then(|file| file.len()).expect("a length") as f64;
            let heap = [HEAP, CHUNKS, DICTIONARY].map(|section| footer.sections[section].length);
            let heap = heap.iter().sum::<u64>() as f64;
            println!(
                "| {chunk} KiB | {dictionary} KiB | {level} | {:.1} B | {:.1} B | {:.3} | {:.2} µs | {:.0} µs |",
                heap / rows,
                total / rows,
                total / raw as f64,
                ran * 1e6 / rows,
                chain(&segment),
            );
        }
    }
}

/// Chunks and dictionaries that are tried, in KiB.
const PACKINGS: [(usize, usize); 8] =
    [(8, 256), (16, 0), (16, 64), (16, 256), (32, 256), (64, 256), (256, 0), (256, 256)];

/// Time of reading 100 records up a chain with payloads, none of them in the cache, in
/// microseconds: that of the tenth fastest in a hundred, since others use the processors
/// too.
fn chain(segment: &SegFile) -> f64 {
    let rows = segment.footer().rows;
    let tips: Vec<u32> =
        (0..rows).filter(|&row| segment.entry(row).is_ok_and(|entry| entry.depth >= 100)).collect();
    let mut times = Vec::new();
    for tip in tips.iter().step_by((tips.len() / 200).max(1)) {
        let cache = ChunkCache::new(16 << 20);
        let (start, mut last) = (Instant::now(), LastChunk::default());
        let (mut row, mut sum) = (*tip, 0);
        for _ in 0..100 {
            let entry = segment.entry(row).expect("an entry");
            let record = segment.record(entry.record, true, &cache, &mut last).expect("a record");
            sum += record.payload().map_or(0, <[u8]>::len);
            let Some(parent) = entry.parent.checked_sub(1) else { break };
            row = parent as u32;
        }
        std::hint::black_box(sum);
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 10).copied().unwrap_or_default()
}

/// Time that this thread ran, in seconds: others may have the processors meanwhile.
/// Known on Linux alone.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

fn raw_bytes(path: &std::path::Path) -> u64 {
    let metadata = std::fs::metadata(path).expect("is there");
    if metadata.is_dir() {
        return std::fs::read_dir(path)
            .expect("lists")
            .map(|e| raw_bytes(&e.expect("an entry").path()))
            .sum();
    }
    if path.extension().is_some_and(|extension| extension == "jsonl") { metadata.len() } else { 0 }
}

/// As the benchmarks' events: about 400 bytes of JSON, most of it prose.
struct Prose {
    random: Random,
    text: String,
}

impl Prose {
    fn new() -> Self {
        const SYLLABLES: [&str; 16] = [
            "ba", "con", "der", "fi", "gu", "leas", "mo", "na", "pen", "rit", "stu", "tra", "sho",
            "plan", "ce", "do",
        ];
        let mut random = Random::new(3);
        let words: Vec<String> = (0..4000)
            .map(|_| {
                let count = 1 + random.next() % 4;
                (0..count).map(|_| SYLLABLES[random.next() as usize % SYLLABLES.len()]).collect()
            })
            .collect();
        let mut text = String::new();
        while text.len() < PROSE_BYTES {
            // The logarithm of a word's rank is spread evenly, as in any language.
            let uniform = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
            let rank = (words.len() as f64).powf(uniform) - 1.0;
            text.push_str(&words[rank as usize]);
            match random.next() % 24 {
                0 => text.push_str(&format!(" {}. ", random.next() % 10_000)),
                1 => text.push_str(&format!(" {:08x}, ", random.next() as u32)),
                _ => text.push(' '),
            }
        }
        Self { random, text }
    }

    fn payload(&mut self) -> Vec<u8> {
        const VERBS: [&str; 4] = ["read", "write", "search", "run"];
        let random = &mut self.random;
        let mut payload = format!(
            r#"{{"verb":"{}","line":{},"digest":"{:016x}","output":""#,
            VERBS[random.next() as usize % 4],
            random.next() % 1000,
            random.next(),
        );
        let length = 290 + random.next() as usize % 100;
        let from = random.next() as usize % (self.text.len() - length);
        payload.push_str(&self.text[from..from + length]);
        payload.push_str("\"}");
        payload.into_bytes()
    }
}

/// So much that the cuts in a chunk hardly overlap.
const PROSE_BYTES: usize = 8 << 20;
