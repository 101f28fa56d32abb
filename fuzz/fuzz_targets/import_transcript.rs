//! Imports arbitrary bytes as a transcript. `serde_json` decides what on a line
//! is an object and what its uuid is; the import must find the same events,
//! versions and repeats, and every other byte must be in quarantine. Importing
//! again must change nothing.

#![no_main]

use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use forebear::ingest::{ImportReport, IngestOptions, import};
use forebear::storage::SimulatedDisk;
use forebear::{Quarantined, Result, Snapshot, Stats, Store};
use libfuzzer_sys::fuzz_target;

mod oracle;

fuzz_target!(|input: &[u8]| {
    // Packed files and databases are read by what is in them, which the oracle can't.
    if [&b"\x28\xb5\x2f\xfd"[..], b"SQLite format 3\0"].iter().any(|start| input.starts_with(start))
    {
        return;
    }
    fs::write(&FILE.1, input).expect("the temporary folder can be written");
    let store = forebear::builder()
        .max_payload_bytes(LINE_BYTES_MAX)
        .open_on(Arc::new(SimulatedDisk::new()))
        .expect("an empty disk");
    let expected = oracle::read(input, LINE_BYTES_MAX);

    let report = run(&store, false);
    let snapshot = store.snapshot();
    let quarantined = quarantined(&snapshot);
    let mut found = ImportReport::default();
    found.files = report.files;
    found.bytes = report.bytes;
    found.lines = report.lines;
    found.events = report.events;
    found.repeats = report.repeats;
    found.versions = report.versions;
    found.without_id = report.without_id;
    found.glued_lines = report.glued_lines;
    found.bad_lines = report.bad_lines;
    found.waiting_lines = report.waiting_lines;
    assert_eq!(found, expected.report());
    assert_eq!(report.quarantined, quarantined.len() as u64);
    account_for_every_byte(input, &expected, &quarantined);
    let mut stats: Stats = snapshot.stats().expect("a store in memory");
    assert_eq!(stats.events, report.events);
    assert_eq!(stats.versions, report.versions);

    let again = run(&store, true);
    assert_eq!((again.events, again.versions, again.quarantined, again.links), (0, 0, 0, 0));
    assert_eq!(again.repeats, report.events + report.versions + report.repeats);
    let now = store.snapshot().stats().expect("a store in memory");
    // Of bytes there are some more: how far the file was read.
    stats.bytes = now.bytes;
    assert_eq!(now, stats);
});

/// The transcript's folder, which goes when the process ends, and its path.
static FILE: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("transcript.jsonl");
    (folder, path)
});

fn run(store: &Store, again: bool) -> ImportReport {
    let options = IngestOptions::new([FILE.1.as_path()]).format("claude-code").again(again);
    let report = import(store, &options, |_| ControlFlow::Continue(())).expect("it can be read");
    assert_eq!(report.failed_files, []);
    report
}

/// Every byte that is not space lies in an object, in a piece of quarantined
/// input, or in a byte order mark; none in two of them.
fn account_for_every_byte(input: &[u8], expected: &oracle::Expected, found: &[Quarantined]) {
    let mut seen = vec![false; input.len()];
    let mut see = |from: usize, to: usize, what: &str| {
        for (at, seen) in seen.iter_mut().enumerate().take(to).skip(from) {
            assert!(!*seen, "byte {at} is in two pieces, the second {what}");
            *seen = true;
        }
    };
    for span in expected.objects.iter().chain(&expected.marks).chain(&expected.waiting) {
        see(span.start, span.end, "an object");
    }
    for piece in found {
        let (from, to) = (piece.offset as usize, (piece.offset + piece.length) as usize);
        see(from, to, "quarantined");
        if !piece.bytes.is_empty() {
            assert_eq!(piece.bytes, input[from..to], "quarantined bytes");
        }
        let line = 1 + input[..from].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(piece.line, line as u64, "quarantined line");
    }
    let lost: HashSet<usize> =
        (0..input.len()).filter(|&at| !seen[at] && !input[at].is_ascii_whitespace()).collect();
    assert!(lost.is_empty(), "bytes {lost:?} are nowhere");
}

fn quarantined(snapshot: &Snapshot) -> Vec<Quarantined> {
    snapshot.quarantined().iter().collect::<Result<_>>().expect("a store in memory")
}

/// A line of more bytes is not loaded. Short, so that short inputs have some.
const LINE_BYTES_MAX: usize = 240;
