//! What the program is asked to measure.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::scale::history::History;

/// Events in a batch, and in a transaction of SQLite.
pub(crate) const BATCH: u64 = 1_000;

/// Builds the same events in forebear and in SQLite and measures both.
///
/// At 10 million events it needs about 15 GB of disk and, most of it for SQLite,
/// some tens of minutes.
#[derive(Clone, Debug, Parser)]
#[command(name = "scale")]
pub(crate) struct ScaleOptions {
    /// Events; everything is measured at a tenth of them too
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(20_000..))]
    events: u64,
    /// Events in SQLite, if fewer
    #[arg(long)]
    sqlite_events: Option<u64>,
    /// Events in a segment
    #[arg(long, default_value_t = 131_072, value_parser = clap::value_parser!(u32).range(2_000..))]
    segment_events: u32,
    /// The folder to work in, on the disk that is to be measured
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leaves the stores in the folder, for further runs with other parts
    #[arg(long)]
    keep: bool,
    /// What to measure; all of it unless given. Without `write` and `sqlite` it
    /// takes what an earlier run has kept
    #[arg(long, value_delimiter = ',')]
    parts: Vec<ScalePart>,
    /// Real transcripts, to measure how small they get
    #[arg(long, default_value = "../shared/data/transcripts")]
    transcripts: PathBuf,
    /// Numbers of segments to find ids in
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 10_000])]
    segment_counts: Vec<u64>,
    /// What this process is to do for the one that started it
    #[arg(long, hide = true)]
    child: Option<String>,
}

/// What is measured, each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScalePart {
    /// The machine: memory latency, zstd, fdatasync
    Machine,
    /// Ingest, and the memory of the process that writes
    Write,
    /// SQLite's ingest
    Sqlite,
    /// Opening a store whose active log is full
    Open,
    /// All questions, to forebear and to SQLite
    Read,
    /// Ten thousand walks and what memory they take, also within 128 MB
    Walks,
    /// Bytes on disk
    Disk,
    /// Bytes on disk of real transcripts
    Transcripts,
    /// Finding ids in many segments
    Segments,
    /// Dropping the oldest segments, the last part as it spoils the stores
    Retain,
}

/// A store of one of the sizes that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Small,
    Big,
}

impl ScaleOptions {
    pub(crate) fn history(&self, size: Size) -> History {
        let events = if size == Size::Big { self.events } else { self.events / 10 };
        History { events }
    }

    pub(crate) fn sqlite_history(&self) -> History {
        History { events: self.sqlite_events.unwrap_or(self.events).min(self.events) }
    }

    pub(crate) fn segment_events(&self) -> u32 {
        self.segment_events
    }

    pub(crate) fn segment_counts(&self) -> &[u64] {
        &self.segment_counts
    }

    pub(crate) fn transcripts(&self) -> &Path {
        &self.transcripts
    }

    pub(crate) fn keep(&self) -> bool {
        self.keep
    }

    pub(crate) fn has(&self, part: ScalePart) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    pub(crate) fn child(&self) -> Option<&str> {
        self.child.as_deref()
    }

    /// The folder of everything that is written.
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| std::env::temp_dir().join("forebear-scale"))
    }

    /// The folder of forebear's store of this size: its name says what is in it.
    pub(crate) fn store(&self, size: Size) -> PathBuf {
        self.dir().join(format!("{}-{}.forebear", self.history(size).events, self.segment_events))
    }

    /// The folder of SQLite's database.
    pub(crate) fn database(&self) -> PathBuf {
        let events = self.sqlite_history().events;
        self.dir().join(format!("{events}-{}.sqlite", self.segment_events))
    }

    /// The command line of a child that does `task`.
    pub(crate) fn child_args(&self, task: &str) -> Vec<std::ffi::OsString> {
        let counts: Vec<String> = self.segment_counts.iter().map(u64::to_string).collect();
        let mut args: Vec<std::ffi::OsString> = vec![
            "--child".into(),
            task.into(),
            "--events".into(),
            self.events.to_string().into(),
            "--sqlite-events".into(),
            self.sqlite_history().events.to_string().into(),
            "--segment-events".into(),
            self.segment_events.to_string().into(),
            "--segment-counts".into(),
            counts.join(",").into(),
            "--transcripts".into(),
            self.transcripts.clone().into(),
        ];
        args.extend(["--dir".into(), self.dir().into()]);
        args
    }
}

impl ScalePart {
    pub(crate) const ALL: [Self; 10] = [
        ScalePart::Machine,
        ScalePart::Write,
        ScalePart::Sqlite,
        ScalePart::Open,
        ScalePart::Read,
        ScalePart::Walks,
        ScalePart::Disk,
        ScalePart::Transcripts,
        ScalePart::Segments,
        ScalePart::Retain,
    ];

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Size {
    pub(crate) const ALL: [Self; 2] = [Size::Small, Size::Big];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Size::Small => "small",
            Size::Big => "big",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.name() == name)
    }
}
