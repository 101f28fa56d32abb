//! The whole engine at size, beside SQLite on the same data in the same run and
//! beside what the machine itself does.
//!
//! Whatever must have a process of its own, for its memory or its caches, runs in
//! a child: this program again, with `--child`.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures have three digits that count, and none is negative"
)]

mod arrivals;
mod cgroup;
mod child;
pub(crate) mod disk;
mod engine;
mod figures;
mod history;
mod machine;
mod open;
mod options;
mod ours;
mod read;
mod report;
mod retain;
mod segments;
mod side;
mod sqlite;
mod table;
mod text;
mod timed;
mod transcripts;
mod walks;
mod write;

use std::error::Error;
use std::fs;

use clap::Parser;

use figures::Figures;
use options::{ScaleOptions, ScalePart};

/// All that can go wrong ends the program.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Runs what the command line asks for.
pub fn run() -> Result<()> {
    let options = ScaleOptions::parse();
    match options.child() {
        Some(task) => child::serve(&options, task),
        None => measure(&options),
    }
}

/// Runs all parts, one after the other, and prints what came of them.
fn measure(options: &ScaleOptions) -> Result<()> {
    fs::create_dir_all(options.dir())?;
    report::heading(options);
    let measured = disk::check(options).and_then(|()| run_parts(options));
    if !options.keep() {
        disk::remove_all(options)?;
    }
    measured.map(|figures| report::print(options, &figures))
}

fn run_parts(options: &ScaleOptions) -> Result<Figures> {
    let mut figures = Figures::default();
    for part in ScalePart::ALL.into_iter().filter(|&part| options.has(part)) {
        eprintln!("{}: begun", part.name());
        let run = match part {
            ScalePart::Machine => machine::run,
            ScalePart::Write => write::run,
            ScalePart::Sqlite => sqlite::run,
            ScalePart::Open => open::run,
            ScalePart::Read => read::run,
            ScalePart::Walks => walks::run,
            ScalePart::Disk => disk::run,
            ScalePart::Transcripts => transcripts::run,
            ScalePart::Segments => segments::run,
            ScalePart::Retain => retain::run,
        };
        run(options, &mut figures)?;
    }
    Ok(figures)
}
