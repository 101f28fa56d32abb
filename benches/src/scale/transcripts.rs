//! Bytes on disk of real transcripts, against what their distinct lines take.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;

use forebear::ingest::{IngestOptions, import};

use crate::scale::figures::Figures;
use crate::scale::options::ScaleOptions;
use crate::scale::{Result, child, disk, engine};

pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    if options.transcripts().is_dir() {
        figures.take("transcripts", child::run(options, "transcripts")?);
    } else {
        let folder = options.transcripts().display();
        figures.remark("transcripts", format!("there is no folder {folder}"));
    }
    Ok(())
}

pub(crate) fn measure(options: &ScaleOptions) -> Result<Figures> {
    let mut figures = Figures::default();
    let folder = options.dir().join("transcripts.forebear");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let store = engine::open(&folder, options.segment_events())?;
    let import_options = IngestOptions::new([options.transcripts()]);
    let report = import(&store, &import_options, |_| ControlFlow::Continue(()))?;
    engine::seal(&store)?;
    store.close()?;
    figures.set("raw_bytes", report.bytes as f64);
    figures.set("distinct_bytes", distinct_bytes(options)? as f64);
    figures.set("disk_bytes", disk::bytes(&folder, "")? as f64);
    fs::remove_dir_all(folder)?;
    Ok(figures)
}

/// The bytes of all lines, each counted once in however many files it stands.
fn distinct_bytes(options: &ScaleOptions) -> Result<u64> {
    let mut seen = HashSet::new();
    let mut bytes = 0;
    for file in disk::files(options.transcripts())? {
        if file.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        for line in BufReader::new(File::open(file)?).split(b'\n') {
            let line = line?;
            let length = line.len() as u64 + 1;
            if seen.insert(line) {
                bytes += length;
            }
        }
    }
    Ok(bytes)
}
