//! Importing a large file takes little memory: 100 MB suffice for a file of
//! 120 MB. Measured as the peak resident size (`VmHWM` in `/proc/self/status`)
//! of a process that does nothing else: this test, started again.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use forebear::ingest::{IngestOptions, import};

#[test]
fn a_file_of_120_mb_takes_less_than_100_mb_of_memory() {
    if let Some(file) = env::var_os(FILE) {
        return import_and_measure(Path::new(&file));
    }
    let transcripts =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/transcripts");
    if !transcripts.is_dir() {
        eprintln!("skipped: there are no transcripts in {}", transcripts.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.jsonl");
    write_copies(&transcripts, &file);
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_file_of_120_mb_takes_less_than_100_mb_of_memory", "--nocapture"])
        .env(FILE, &file)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}{}", String::from_utf8_lossy(&child.stderr));
    print!("{output}");
    let peak = output.lines().find_map(|line| line.strip_prefix(PEAK)).unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib * 1024 < 100_000_000, "peak resident size: {peak_kib} KiB");
}

fn import_and_measure(file: &Path) {
    let store = forebear::open(file.with_extension("forebear")).unwrap();
    let begin = Instant::now();
    let report =
        import(&store, &IngestOptions::new([file]), |_| ControlFlow::Continue(())).unwrap();
    let elapsed = begin.elapsed();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!(
        "{} events and {} versions from {} MB in {} ms",
        report.events,
        report.versions,
        report.bytes / 1_000_000,
        elapsed.as_millis()
    );
    println!("{PEAK}{peak}");
    assert!(report.bytes >= FILE_BYTES);
    assert!(report.events > 30_000);
}

/// Fills a file with copies of the transcripts, each under uuids of its own.
fn write_copies(transcripts: &Path, file: &Path) {
    let originals: Vec<Vec<u8>> =
        files(transcripts).iter().map(|path| fs::read(path).unwrap()).collect();
    let mut out = BufWriter::new(File::create(file).unwrap());
    let mut written = 0;
    for copy in 0_u32.. {
        for original in &originals {
            let mut text = original.clone();
            renumber_uuids(&mut text, copy);
            out.write_all(&text).unwrap();
            out.write_all(b"\n").unwrap();
            written += text.len() as u64 + 1;
            if written >= FILE_BYTES {
                out.flush().unwrap();
                return;
            }
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some(OsStr::new("jsonl")) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Turns each UUID of a text into another, the same one each time.
fn renumber_uuids(text: &mut [u8], copy: u32) {
    let mut at = 0;
    while at + 36 <= text.len() {
        if !is_uuid(&text[at..at + 36]) {
            at += 1;
            continue;
        }
        let first = std::str::from_utf8(&text[at..at + 8]).unwrap();
        let first = u32::from_str_radix(first, 16).unwrap() ^ copy.wrapping_mul(0x9e37_79b1);
        text[at..at + 8].copy_from_slice(format!("{first:08x}").as_bytes());
        at += 36;
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    })
}

const FILE_BYTES: u64 = 120_000_000;
/// Tells the process that measures what to import.
const FILE: &str = "FOREBEAR_TEST_IMPORT_FILE";
const PEAK: &str = "peak resident size:";
