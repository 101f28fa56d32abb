//! Bytes on disk: what there is room for, and what was used.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scale::Result;
use crate::scale::figures::Figures;
use crate::scale::options::{ScaleOptions, ScalePart, Size};

/// Fails where the disk has no room for what is about to be written.
pub(crate) fn check(options: &ScaleOptions) -> Result<()> {
    let writes = |part, events: u64, bytes| if options.has(part) { events * bytes } else { 0 };
    let ours = options.history(Size::Big).events + options.history(Size::Small).events;
    let needed = writes(ScalePart::Write, ours, OUR_EVENT_BYTES)
        + writes(ScalePart::Sqlite, options.sqlite_history().events, SQLITE_EVENT_BYTES)
        + RESERVE_BYTES;
    let dir = options.dir();
    let output = Command::new("df").args(["-Pk", "--"]).arg(&dir).output()?;
    let table = String::from_utf8(output.stdout)?;
    let free = table.lines().nth(1).and_then(|line| line.split_whitespace().nth(3));
    let free: u64 = free.ok_or("expected df to say what is free")?.parse::<u64>()? * 1024;
    println!("disk: {} GB needed, {} GB free in {}", gb(needed), gb(free), dir.display());
    if free < needed {
        return Err("there isn't room: choose another --dir or fewer --events".into());
    }
    Ok(())
}

/// Measures what both sides take.
pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    for size in Size::ALL {
        let used = bytes(&options.store(size), "")?;
        figures.set(format!("{}.disk_bytes", size.name()), used as f64);
    }
    if options.database().exists() {
        let used = bytes(&options.database(), "")?;
        figures.set("sqlite.disk_bytes", used as f64);
        figures.set("sqlite.disk_events", options.sqlite_history().events as f64);
    }
    Ok(())
}

/// The bytes that files whose names end so take on disk.
pub(crate) fn bytes(folder: &Path, ending: &str) -> Result<u64> {
    files(folder)?.iter().filter(|file| file.to_string_lossy().ends_with(ending)).try_fold(
        0,
        |sum, file| {
            let blocks = fs::metadata(file)?.blocks();
            Ok(sum + blocks * BLOCK_BYTES)
        },
    )
}

/// The files below a folder.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// Removes what was written.
pub(crate) fn remove_all(options: &ScaleOptions) -> Result<()> {
    let stores = Size::ALL.into_iter().map(|size| options.store(size));
    for folder in stores.chain([options.database()]) {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    // Left where it holds something else.
    let _ = fs::remove_dir(options.dir());
    Ok(())
}

fn gb(bytes: u64) -> f64 {
    (bytes as f64 / 1e8).round() / 10.0
}

/// What an event takes at most, its log included while it is not sealed, and in
/// SQLite, its WAL included.
const OUR_EVENT_BYTES: u64 = 700;
const SQLITE_EVENT_BYTES: u64 = 850;
const RESERVE_BYTES: u64 = 500_000_000;
/// The unit in which the system counts a file's blocks.
const BLOCK_BYTES: u64 = 512;
