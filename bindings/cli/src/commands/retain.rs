//! `forebear seal` and `forebear retain`: closing segments, and dropping old ones.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use forebear::{Retained, Retention, SegmentState};
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::place;

/// Go on to the next log, and wait until everything before is sealed
#[derive(Debug, Args)]
#[command(after_help = "\
Sealed segments are packed, indexed and never change again. Logs are sealed by themselves
once they are full; this is for before a backup, or before `forebear retain`.
With --json: {\"segments\", \"events\", \"bytes\"}, of all that is sealed.

Example:
  forebear seal")]
pub(crate) struct SealArgs {}

/// Drop the oldest segments, or move them to an archive
#[derive(Debug, Args)]
#[command(after_help = "\
Whole segments go, the oldest first, up to the first that is not yet due; what is still
in a log stays (`forebear seal` first). An archive is a store of its own, to be read with
`forebear --store DIR`; several runs go to one.
`forebear status` shows the policy that is kept.
With --json: {\"segments\", \"events\", \"bytes\", \"dry_run\"}.

Examples:
  forebear retain --max-age 90d --dry-run
  forebear retain --max-age 90d --archive /backup/old.forebear
  forebear retain --max-bytes 20GiB --keep-policy")]
pub(crate) struct RetainArgs {
    /// Drop segments whose newest event is older (`90d`, `12h`)
    #[arg(long, value_name = "TIME", value_parser = time::parse_length)]
    max_age: Option<Duration>,
    /// Drop segments while the store's files have more bytes (`20GiB`, `500MB`)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    max_bytes: Option<u64>,
    /// Drop segments while the store has more events and versions
    #[arg(long, value_name = "N")]
    max_events: Option<u64>,
    /// Keep what is dropped in this folder
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Say what would be dropped, and drop nothing
    #[arg(long)]
    dry_run: bool,
    /// Keep the policy with the store too, to be applied whenever a log is full
    #[arg(long, conflicts_with = "dry_run")]
    keep_policy: bool,
    /// Forget the policy that is kept with the store, and drop nothing
    #[arg(long, conflicts_with_all = ["max_age", "max_bytes", "max_events", "archive", "dry_run", "keep_policy"])]
    forget_policy: bool,
}

impl Run for SealArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        #[derive(Serialize)]
        struct SealedTotals {
            segments: u64,
            events: u64,
            bytes: u64,
        }

        let store = place::open_existing(global)?;
        store.seal()?;
        let mut line = SealedTotals { segments: 0, events: 0, bytes: 0 };
        let segments = store.snapshot().segments();
        for segment in segments.iter().filter(|segment| segment.state == SegmentState::Sealed) {
            line.segments += 1;
            line.events += segment.events;
            line.bytes += segment.stored_bytes;
        }
        place::close(store)?;
        let mut out = Out::new();
        if global.json {
            out.json(&line)?;
        } else {
            totals(&mut out, "sealed", line.segments, line.events, line.bytes)?;
        }
        out.finish()?;
        Ok(())
    }
}

impl Run for RetainArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        #[derive(Serialize)]
        struct RetentionLine {
            #[serde(flatten)]
            retained: Retained,
            dry_run: bool,
        }

        let limited =
            self.max_age.is_some() || self.max_bytes.is_some() || self.max_events.is_some();
        if !limited && !self.forget_policy {
            return Err(CommandFailure::Usage(
                "say what is to be kept: --max-age, --max-bytes or --max-events".to_owned(),
            ));
        }
        let store = place::open_existing(global)?;
        let mut out = Out::new();
        if self.forget_policy {
            store.set_retention(None)?;
            place::close(store)?;
            if !global.json {
                writeln!(out, "from now on everything is kept")?;
            }
            out.finish()?;
            return Ok(());
        }
        let policy = policy(self);
        let retained = store.retain(&policy)?;
        if self.keep_policy {
            store.set_retention(Some(policy.clone()))?;
        }
        place::close(store)?;
        if global.json {
            out.json(&RetentionLine { retained, dry_run: self.dry_run })?;
        } else {
            let done = match (self.dry_run, &self.archive) {
                (true, _) => "would go",
                (false, Some(_)) => "archived",
                (false, None) => "dropped",
            };
            totals(&mut out, done, retained.segments, retained.events, retained.bytes)?;
            if self.keep_policy {
                let words = format!("from now on dropped whenever a log is full: {policy}");
                draw::plain(&mut out, &words, 0)?;
            }
        }
        out.finish()?;
        Ok(())
    }
}

/// Says what was done with how much.
fn totals(out: &mut Out, done: &str, segments: u64, events: u64, bytes: u64) -> CommandResult {
    writeln!(
        out,
        "{done}: {}, {}, {}",
        text::counted(segments, "segment", "segments"),
        text::counted(events, "event", "events"),
        text::bytes(bytes)
    )?;
    Ok(())
}

fn policy(args: &RetainArgs) -> Retention {
    let mut policy = Retention::new().dry_run(args.dry_run);
    if let Some(age) = args.max_age {
        policy = policy.max_age(age);
    }
    if let Some(bytes) = args.max_bytes {
        policy = policy.max_bytes(bytes);
    }
    if let Some(events) = args.max_events {
        policy = policy.max_events(events);
    }
    if let Some(folder) = &args.archive {
        policy = policy.archive(folder);
    }
    policy
}

/// Reads a number of bytes: `1048576`, `1MiB`, `500MB`.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()));
    match (number.parse::<u64>(), factor) {
        (Ok(number), Some((_, factor))) => {
            number.checked_mul(*factor).ok_or_else(|| format!("{text} is too much"))
        }
        _ => Err(format!("expected bytes such as 1048576, 500MB or 20GiB, found {text:?}")),
    }
}

const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
];
