//! Instructions executed by fixed work, counted by callgrind: unlike times, the counts
//! hardly depend on what else the machine does, so that a rise of a few percent shows.
//!
//! Each section runs in a process of its own, once without and once with the measured
//! part; the difference is what that part costs on all threads. System calls are not
//! counted.

mod callgrind;
mod record;
mod sections;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use callgrind::Valgrind;
use record::CountRecord;
use sections::CountedSection;

/// Count the instructions of appends, sealing and chains under callgrind
#[derive(Debug, Parser)]
struct CountOptions {
    #[command(subcommand)]
    command: Option<CountCommand>,
    /// Runs of each section, an odd number; their median is reported
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only these sections
    #[arg(long, value_delimiter = ',')]
    section: Vec<CountedSection>,
    /// Count those of another build of this program
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Compare with the counts of this file
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Fail where a count is this many percent above the file's
    #[arg(long, value_name = "PERCENT", requires = "record")]
    most: Option<f64>,
    /// Write the counts to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum CountCommand {
    /// What runs under callgrind: a section's preparation and, if told so, its measured part
    #[command(hide = true)]
    Work {
        section: CountedSection,
        #[arg(action = clap::ArgAction::Set)]
        measured: bool,
    },
}

/// Runs the program's command line.
pub fn run() -> Result<(), Box<dyn Error>> {
    let options = CountOptions::parse();
    if let Some(CountCommand::Work { section, measured }) = options.command {
        return section.work(measured);
    }
    let program = options.program.map_or_else(std::env::current_exe, Ok)?;
    let earlier = options.record.map(|path| CountRecord::read(&path)).transpose()?;
    let valgrind = Valgrind::new(program)?;
    let mut record = CountRecord::default();
    let mut risen = Vec::new();
    println!("{:<18} {:>14} {:>9} {:>14} {:>8}", "section", "instructions", "spread", "each", "");
    for section in CountedSection::ALL {
        if !options.section.is_empty() && !options.section.contains(&section) {
            continue;
        }
        let mut counts = Vec::new();
        for _ in 0..options.runs.max(1) {
            counts.push(valgrind.count(section)?);
        }
        counts.sort_unstable();
        let median = counts[counts.len() / 2];
        let spread = percent(counts[0], counts[counts.len() - 1]);
        let change = earlier.as_ref().and_then(|record| record.count(section.name()));
        let change = change.map(|earlier| percent(earlier, median));
        println!(
            "{:<18} {median:>14} {spread:>8.2}% {:>14} {:>8}",
            section.name(),
            format!("{} {}", median / section.parts(), section.part()),
            change.map(|change| format!("{change:+.2}%")).unwrap_or_default(),
        );
        record.set(section.name(), median);
        if let (Some(change), Some(most)) = (change, options.most)
            && change > most
        {
            risen.push(format!("{} by {change:.2} %", section.name()));
        }
    }
    if let Some(path) = options.write {
        record.write(&path)?;
    }
    if risen.is_empty() {
        return Ok(());
    }
    let most = options.most.unwrap_or_default();
    Err(format!(
        "expected no count to rise by more than {most} %, found that these did: {}; find out why, \
         and where the rise is wanted, write the counts with --write and argue it in the commit",
        risen.join(", ")
    )
    .into())
}

/// By how much `after` is above `before`.
#[allow(clippy::cast_precision_loss)] // Counts are far below 2^52.
fn percent(before: u64, after: u64) -> f64 {
    (after as f64 - before as f64) * 100.0 / before.max(1) as f64
}
