//! Importing transcripts, beside a straightforward importer for SQLite and beside
//! what reading, parsing and writing so many bytes takes at least.

mod data;
mod floors;
mod ours;
mod sqlite;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::process;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Imports copies of real transcripts into forebear and into SQLite.
#[derive(Debug, Parser)]
struct ImportBenchOptions {
    /// Bytes of transcripts to import
    #[arg(long, default_value_t = 1_000_000_000)]
    bytes: u64,
    /// Where the transcripts are that are copied, under new ids and with other words
    #[arg(long, value_name = "FOLDER", default_value = "../shared/data/transcripts")]
    transcripts: PathBuf,
    /// Where the copies and the stores go for a while [default: the system's folder for that]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Does one part and prints its figures: for the processes started for that
    #[arg(long, hide = true)]
    part: Option<ImportPart>,
}

/// What is measured, each in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ImportPart {
    Read,
    Parse,
    Write,
    Forebear,
    Sqlite,
}

/// What a part took.
#[derive(Clone, Copy, Debug)]
struct Took {
    clock: Duration,
    /// Time that its threads ran.
    processor: Duration,
    rows: u64,
    /// Most memory resident at a time, pages of files included.
    peak_bytes: u64,
    /// Most memory at a time that was not a file's, as far as it was looked at.
    anonymous_bytes: u64,
}

/// Runs everything, or the part that the parent process asked for.
pub fn run() -> Result<()> {
    let options = ImportBenchOptions::parse();
    match (options.part, &options.dir) {
        (Some(part), Some(dir)) => {
            let took = measure(part, dir)?;
            println!("{}", took.to_line());
            Ok(())
        }
        (Some(_), None) => Err("expected --dir with --part".into()),
        (None, _) => compare(&options),
    }
}

fn compare(options: &ImportBenchOptions) -> Result<()> {
    let folder = match &options.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let source = folder.path().join("source");
    fs::create_dir(&source)?;
    let bytes = data::write_copies(&options.transcripts, &source, options.bytes)?;
    println!(
        "{} MB of transcripts; load average {:.1}\n",
        bytes / 1_000_000,
        process::load_average()?
    );
    println!("| | MB/s | s | processor s | thousand rows/s | peak MB | of it not files' |");
    println!("|---|---|---|---|---|---|---|");
    let mut sides = Vec::new();
    for part in [
        ImportPart::Read,
        ImportPart::Parse,
        ImportPart::Write,
        ImportPart::Forebear,
        ImportPart::Sqlite,
    ] {
        let took = in_a_child(part, folder.path())?;
        took.print(part, bytes);
        sides.push(took);
    }
    if let [.., ours, sqlite] = &sides[..] {
        println!(
            "\nforebear is {:.1} times faster by the clock, {:.1} times by processor time",
            sqlite.clock.as_secs_f64() / ours.clock.as_secs_f64(),
            sqlite.processor.as_secs_f64() / ours.processor.as_secs_f64()
        );
    }
    Ok(())
}

fn in_a_child(part: ImportPart, folder: &Path) -> Result<Took> {
    let name = format!("{part:?}").to_lowercase();
    let output = Command::new(std::env::current_exe()?)
        .args(["--part", &name, "--dir"])
        .arg(folder)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{name}: the child ended with {}", output.status).into());
    }
    Took::from_line(String::from_utf8(output.stdout)?.trim())
}

fn measure(part: ImportPart, folder: &Path) -> Result<Took> {
    let source = folder.join("source");
    let begun = Instant::now();
    let (rows, anonymous_bytes) = match part {
        ImportPart::Read => (floors::read(&source)?, 0),
        ImportPart::Parse => (floors::parse(&source)?, 0),
        ImportPart::Write => (floors::write(&source, folder)?, 0),
        ImportPart::Forebear => ours::import(&source, folder)?,
        ImportPart::Sqlite => (sqlite::import(&source, folder)?, 0),
    };
    let clock = begun.elapsed();
    Ok(Took {
        clock,
        processor: process::processor_time()?,
        rows,
        peak_bytes: process::peak_bytes()?,
        anonymous_bytes,
    })
}

impl Took {
    fn to_line(self) -> String {
        let Self { clock, processor, rows, peak_bytes, anonymous_bytes } = self;
        let (clock, processor) = (clock.as_micros(), processor.as_micros());
        format!("{clock} {processor} {rows} {peak_bytes} {anonymous_bytes}")
    }

    fn from_line(line: &str) -> Result<Self> {
        let numbers: std::result::Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        match numbers?[..] {
            [clock, processor, rows, peak_bytes, anonymous_bytes] => Ok(Self {
                clock: Duration::from_micros(clock),
                processor: Duration::from_micros(processor),
                rows,
                peak_bytes,
                anonymous_bytes,
            }),
            _ => Err(format!("expected five figures, found {line:?}").into()),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "figures are rounded to be printed")]
    fn print(&self, part: ImportPart, bytes: u64) {
        let name = match part {
            ImportPart::Read => "reading the lines",
            ImportPart::Parse => "and their top-level fields by serde_json",
            ImportPart::Write => "writing the bytes, one sync",
            ImportPart::Forebear => "forebear, `Flush`",
            ImportPart::Sqlite => "SQLite, WAL, `NORMAL`",
        };
        let seconds = self.clock.as_secs_f64();
        println!(
            "| {name} | {:.0} | {seconds:.1} | {:.1} | {:.0} | {} | {} |",
            bytes as f64 / 1e6 / seconds,
            self.processor.as_secs_f64(),
            self.rows as f64 / 1e3 / seconds,
            self.peak_bytes / 1_000_000,
            self.anonymous_bytes / 1_000_000,
        );
    }
}
