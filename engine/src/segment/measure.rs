//! What the heap's parameters cost and give; figures, not promises.
//! `cargo test --release -p forebear --lib -- --ignored --nocapture measure`

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::format_push_string,
    reason = "figures for people"
)]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::tests::Log;
use crate::ingest::{ImportOptions, import};
use crate::segment::file::SegFile;
use crate::segment::footer::{BLOCKS, CHUNKS, HEAP, PARENTS, SPINE, STRINGS, TEXT_IDS};
use crate::segment::heap::{ChunkCache, LastChunk};
use crate::segment::seal::Packing;
use crate::storage::Disk;
use crate::{Batch, Durability, Event, EventId, Store};

const KIB: usize = 1 << 10;

#[test]
#[ignore = "measures for minutes"]
fn measure_transcripts() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::env::var("TRANSCRIPTS").expect("TRANSCRIPTS, a folder");
    let store = Store::open(folder.path().join("store")).expect("opens");
    import(&store, &ImportOptions::new([&source]), |_| ControlFlow::Continue(())).expect("imports");
    store.close().expect("closes");
    let raw = raw_bytes(source.as_ref());
    report("transcripts", &folder.path().join("store"), raw);
}

#[test]
#[ignore = "measures for minutes"]
fn measure_synthetic() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::builder()
        .durability(Durability::Flush)
        .open(folder.path().join("store"))
        .expect("opens");
    let mut random = Random(7);
    let (mut raw, mut batch) = (0, Batch::new());
    let mut tips: Vec<Option<EventId>> = vec![None; 64];
    for number in 0..131_072_usize {
        let instance = number % 64;
        let id = EventId::from(uuid::Uuid::from_u64_pair(random.draw(), random.draw()));
        let payload = payload(&mut random);
        raw += payload.len() as u64;
        let mut event = Event::new("tool_use")
            .id(&id)
            .instance(format!("agent-{instance}"))
            .session("session")
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
    let log = Log::of(Arc::new(disk));
    let rows = log.index.rows().len();
    println!("== {what}: {rows} rows, {raw} bytes of input, log of {} bytes", log.end);
    for (chunk, dictionary) in PACKINGS {
        for level in [1, 3, 6] {
            let (start, ran) = (Instant::now(), cpu());
            let packing =
                Packing { level, chunk_bytes: chunk * KIB, dictionary_bytes: dictionary * KIB };
            let footer = log.seal("seg", packing);
            let (took, ran) = (start.elapsed(), cpu() - ran);
            let segment = SegFile::open(&*log.disk, "seg", None).expect("opens");
            let total = log.disk.open("seg").and_then(|file| file.len()).expect("a length");
            let [heap, table, spine, parents, texts, strings, blocks] =
                [HEAP, CHUNKS, SPINE, PARENTS, TEXT_IDS, STRINGS, BLOCKS]
                    .map(|section| footer.sections[section].length);
            let (cold, warm) = chain(&segment);
            println!(
                "{chunk:>4} KiB, dictionary {dictionary:>3} KiB, level {level}: {total} bytes, {:.3} of input with index, {:.1} an event; \
                 heap {:.1} chunks {:.1} spine {:.1} parents {:.1} texts {:.1} strings {strings} blocks {:.1}; \
                 {:.2} us an event to seal ({:.2} of processor time); chain of 100: {cold:.1} us cold, {warm:.1} us cached",
                (total + 25 * rows as u64) as f64 / raw as f64,
                (total + 25 * rows as u64) as f64 / rows as f64,
                heap as f64 / rows as f64,
                table as f64 / rows as f64,
                spine as f64 / rows as f64,
                parents as f64 / rows as f64,
                texts as f64 / rows as f64,
                blocks as f64 / rows as f64,
                took.as_secs_f64() * 1e6 / rows as f64,
                ran * 1e6 / rows as f64,
            );
        }
    }
}

/// Chunks and dictionaries that are tried, in KiB.
const PACKINGS: [(usize, usize); 10] = [
    (16, 0),
    (16, 64),
    (16, 256),
    (32, 0),
    (32, 64),
    (64, 0),
    (64, 64),
    (256, 0),
    (256, 64),
    (256, 256),
];

/// Time of reading 100 records up a chain with payloads, with an
/// empty cache and with one that has them, in microseconds:
/// that of the tenth fastest in a hundred, since others use the processors too.
fn chain(segment: &SegFile) -> (f64, f64) {
    let rows = segment.footer().rows;
    let tips: Vec<u32> =
        (0..rows).filter(|&row| segment.entry(row).is_ok_and(|entry| entry.depth >= 100)).collect();
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for tip in tips.iter().step_by((tips.len() / 200).max(1)) {
        let cache = ChunkCache::new(16 << 20);
        for times in [&mut cold, &mut warm] {
            let (start, mut last) = (Instant::now(), LastChunk::default());
            let (mut row, mut sum) = (*tip, 0);
            for _ in 0..100 {
                let entry = segment.entry(row).expect("an entry");
                let record =
                    segment.record(entry.record, true, &cache, &mut last).expect("a record");
                sum += record.payload().map_or(0, <[u8]>::len);
                let Some(parent) = entry.parent.checked_sub(1) else { break };
                row = parent as u32;
            }
            std::hint::black_box(sum);
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    let tenth = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 10).copied().unwrap_or_default()
    };
    (tenth(&mut cold), tenth(&mut warm))
}

/// Time that this thread ran, in seconds: others may have the processors meanwhile.
/// Linux alone tells.
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

struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// As the benchmarks' events: about 400 bytes of JSON.
fn payload(random: &mut Random) -> Vec<u8> {
    const TOOLS: [&str; 4] = ["read", "write", "search", "run"];
    const WORDS: [&str; 8] =
        ["build", "failed", "retry", "branch", "module", "found", "nothing", "passed"];
    let mut text = format!(
        r#"{{"tool":"{}","line":{},"digest":"{:016x}","output":""#,
        TOOLS[random.draw() as usize % 4],
        random.draw() % 1000,
        random.draw(),
    );
    let length = 330 + (random.draw() % 100) as usize;
    while text.len() < length {
        text.push_str(WORDS[random.draw() as usize % 8]);
        text.push_str(&format!(" {} ", random.draw() % 100));
    }
    text.push_str("\"}");
    text.into_bytes()
}
