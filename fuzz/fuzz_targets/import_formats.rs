//! Imports arbitrary bytes as each of the formats, and as the one they look like.
//! Every object must come in or be in quarantine, and importing again must change
//! nothing. The first byte says which format.

#![no_main]

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use forebear::ingest::{ImportReport, IngestOptions, Mapping, import};
use forebear::storage::SimulatedDisk;
use forebear::{Stats, Store};
use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "its report is that of transcripts")]
mod oracle;

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    fs::write(&FILE.1, input).expect("the temporary folder can be written");
    let mut options = IngestOptions::new([FILE.1.as_path()]).again(true);
    match usize::from(choice % 16) {
        6 => {}
        7 => options = options.mapping(mapping()),
        format @ 0..6 => options = options.format(FORMATS[format]),
        format => options = options.format(LATER_FORMATS[(format - 8) % LATER_FORMATS.len()]),
    }
    let store = forebear::builder()
        .max_payload_bytes(LINE_BYTES_MAX)
        .open_on(Arc::new(SimulatedDisk::new()))
        .expect("an empty disk");
    let report = run(&store, &options);
    // Such a file is read by what is in it, which the oracle can't, or fails as a whole.
    let is_packed = [&b"\x28\xb5\x2f\xfd"[..], b"SQLite format 3\0"]
        .iter()
        .any(|start| input.starts_with(start));
    if !report.failed_files.is_empty() {
        let is_document = input.trim_ascii_start().starts_with(b"{");
        let is_told = choice % 16 < 8 && choice % 16 != 6;
        assert!(
            !is_told || is_document || is_packed,
            "only what is not told is looked at: {report:?}"
        );
        return;
    }
    // Of these a line may be several events, and an event be told again as it goes on.
    let is_later = |format: &str| LATER_FORMATS.contains(&format);
    if is_packed || report.read_as.iter().any(|(_, format)| is_later(format)) {
        let again = run(&store, &options.again(true));
        assert_eq!((again.stored, again.versions, again.quarantined, again.links), (0, 0, 0, 0));
        return;
    }
    let expected = oracle::read_any(input, LINE_BYTES_MAX);
    let objects = expected.objects.len() as u64;
    let came_in = stored(&report);
    assert!(came_in <= objects, "{came_in} of {objects} objects");
    // What stands in a last line that isn't whole yet may be part of it, and waits with it.
    let within_last = expected.within_last.map_or(0, |first| objects - first as u64);
    let waiting = within_last * report.waiting_lines;
    assert!(
        objects - came_in <= report.bad_lines * 64 + report.quarantined + waiting,
        "{report:?}"
    );

    let mut stats: Stats = store.snapshot().stats().expect("a store in memory");
    assert_eq!((stats.events, stats.versions), (report.events, report.versions));
    let again = run(&store, &options.again(true));
    assert_eq!((again.events, again.versions, again.quarantined, again.links), (0, 0, 0, 0));
    assert_eq!(stored(&again), came_in);
    let now = store.snapshot().stats().expect("a store in memory");
    // Of bytes there are some more: how far the file was read.
    stats.bytes = now.bytes;
    assert_eq!(now, stats);
});

const LATER_FORMATS: [&str; 9] = [
    "codex-exec",
    "gemini",
    "pi",
    "cursor",
    "opencode",
    "claude-stream",
    "cowork",
    "qwen",
    "droid",
];
const FORMATS: [&str; 6] = ["claude-code", "ndjson", "codex", "copilot", "hook", "engram"];

fn stored(report: &ImportReport) -> u64 {
    report.events + report.repeats + report.versions + report.without_id
}

fn mapping() -> Mapping {
    let json = r#"{"id":"a.b","parent":["p","a.p"],"kind":"k","time":"t","time_unit":"us",
        "labels":{"l":"x.y.z"}}"#;
    json.parse().expect("a sound mapping")
}

fn run(store: &Store, options: &IngestOptions) -> ImportReport {
    import(store, options, |_| ControlFlow::Continue(())).expect("it can be read")
}

/// The file's folder, which goes when the process ends, and its path.
static FILE: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file.jsonl");
    (folder, path)
});

/// A line of more bytes is not loaded.
const LINE_BYTES_MAX: usize = 4096;
