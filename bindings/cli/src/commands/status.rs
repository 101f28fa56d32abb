//! `forebear status`: how far files were read, and how whoever follows them is doing.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Args;
use forebear::Snapshot;
use forebear::answers::{AlertRule, FileLag};
use forebear::ingest::{FilePosition, FollowStatus};
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::place;

/// Say how far files were read, and how `forebear watch` is doing
///
/// Asks the store and the files themselves, not the process that follows them. That keeps
/// in the store what only it knows, at least each ten seconds while anything changes and
/// each minute while nothing does.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json, one object: running, process, as_of (when the follower said so), is_notified,
files, files_behind, files_gone, bytes_behind and seconds_behind (of what is written and not
stored, a last line without an end included), events, events_per_second, quarantined,
read_errors, failing, memory_bytes, retention (what is dropped by itself; null where
everything is kept). With --files, then one for each file: path, offset,
lines, size (null if it has gone), bytes_behind, seconds_behind, format.
The exit code is 3 where nothing was ever imported or followed.

Examples:
  forebear status
  forebear status --json | jq -e '.running and .seconds_behind < 60'")]
pub(crate) struct StatusArgs {
    /// List each file that was ever read
    #[arg(long)]
    files: bool,
}

#[derive(Debug, Default, Serialize)]
struct FollowerHealth {
    running: bool,
    process: Option<u32>,
    as_of: Option<String>,
    is_notified: bool,
    files: u64,
    files_behind: u64,
    files_gone: u64,
    bytes_behind: u64,
    seconds_behind: f64,
    events: u64,
    events_per_second: f64,
    quarantined: u64,
    read_errors: u64,
    failing: Vec<(String, String)>,
    memory_bytes: Option<u64>,
    /// What is dropped of the store by itself.
    retention: Option<String>,
}

#[derive(Debug, Serialize)]
struct FollowedFile {
    path: String,
    offset: u64,
    lines: u64,
    size: Option<u64>,
    bytes_behind: u64,
    seconds_behind: f64,
    format: String,
}

impl Run for StatusArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let reader = place::reader(global)?;
        let snapshot = reader.snapshot()?;
        let last = FollowStatus::last(&snapshot)?;
        let mut health = last.as_ref().map(of_follower).unwrap_or_default();
        health.retention = reader.retention()?.map(|policy| policy.to_string());
        each_file(&snapshot, |file| {
            health.add(file);
            Ok(())
        })?;
        if last.is_none() && health.files + health.files_gone == 0 {
            return Err(CommandFailure::NothingFound(
                "nothing was imported or followed yet; `forebear watch` follows transcripts"
                    .to_owned(),
            ));
        }
        let mut out = Out::paged(global);
        if global.json {
            out.json(&health)?;
        } else {
            health.print(&mut out, last.as_ref())?;
        }
        if self.files {
            each_file(&snapshot, |file| {
                if global.json {
                    out.json(file)?;
                } else {
                    let size = file.size.map_or_else(|| "gone".to_owned(), text::bytes);
                    let line = format!("{} of {size}  {}", text::bytes(file.offset), file.path);
                    draw::plain(&mut out, &line, 0)?;
                }
                Ok(())
            })?;
        }
        out.finish()?;
        Ok(())
    }
}

/// What the follower itself reported.
fn of_follower(last: &FollowStatus) -> FollowerHealth {
    let age_ns = now_ns().saturating_sub(last.time_ns);
    let is_recent = u64::try_from(age_ns).is_ok_and(|age| Duration::from_nanos(age) < SILENCE_TIME);
    let failing = last.failing.iter();
    FollowerHealth {
        running: !last.has_ended && is_recent && is_alive(last.process),
        process: Some(last.process),
        as_of: Some(time::rfc3339(last.time_ns)),
        is_notified: last.is_notified,
        events: last.events,
        events_per_second: last.events_per_second,
        quarantined: last.quarantined,
        read_errors: last.read_errors,
        failing: failing.map(|(path, why)| (path.display().to_string(), why.clone())).collect(),
        memory_bytes: last.memory_bytes,
        ..FollowerHealth::default()
    }
}

impl FollowerHealth {
    fn add(&mut self, file: &FollowedFile) {
        if file.size.is_none() {
            self.files_gone += 1;
            return;
        }
        self.files += 1;
        self.files_behind += u64::from(file.bytes_behind > 0);
        self.bytes_behind += file.bytes_behind;
        self.seconds_behind = self.seconds_behind.max(file.seconds_behind);
    }

    fn print(&self, out: &mut Out, last: Option<&FollowStatus>) -> CommandResult {
        let state = match (last, self.running) {
            (None, _) => "Never followed, imported only.".to_owned(),
            (Some(last), true) => {
                format!("Process {} follows: {}.", last.process, line(last))
            }
            (Some(last), false) => {
                format!("Nobody follows. The last did until {}.", time::rfc3339(last.time_ns))
            }
        };
        draw::plain(out, &state, 0)?;
        let files = text::counted(self.files, "file", "files");
        let behind = if self.files_behind == 0 {
            format!("{files} read, all to the end.")
        } else {
            format!(
                "{files} read, {} of them not to the end: {} to go, the first written {} ago.",
                text::thousands(self.files_behind),
                text::bytes(self.bytes_behind),
                time::took(Duration::from_secs_f64(self.seconds_behind)),
            )
        };
        draw::plain(out, &behind, 0)?;
        for (path, why) in &self.failing {
            draw::plain(out, &format!("{path}: {why}"), 0)?;
        }
        let kept = match &self.retention {
            None => "Everything is kept.".to_owned(),
            Some(policy) => format!("Dropped whenever a log is full: {policy}."),
        };
        draw::plain(out, &kept, 0)?;
        Ok(())
    }
}

fn each_file(
    snapshot: &Snapshot,
    mut visit: impl FnMut(&FollowedFile) -> Result<(), CommandFailure>,
) -> CommandResult {
    for position in FilePosition::list(snapshot) {
        visit(&FollowedFile::new(position?))?;
    }
    Ok(())
}

impl FollowedFile {
    fn new(position: FilePosition) -> Self {
        let metadata = fs::metadata(&position.path).ok();
        let size = metadata.as_ref().map(fs::Metadata::len);
        let bytes_behind = size.unwrap_or(0).saturating_sub(position.offset);
        let age = metadata.and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
        let seconds_behind =
            if bytes_behind > 0 { age.unwrap_or_default().as_secs_f64() } else { 0.0 };
        Self {
            path: position.path.display().to_string(),
            offset: position.offset,
            lines: position.lines,
            size,
            bytes_behind,
            seconds_behind,
            format: position.format,
        }
    }
}

/// How far behind each file is that is followed; none where no rule asks, which each file is
/// looked at for, or nobody ever followed.
pub(crate) fn lags(
    snapshot: &Snapshot,
    rules: &[AlertRule],
) -> Result<Vec<FileLag>, CommandFailure> {
    let mut lags = Vec::new();
    let asks = rules.iter().any(|rule| matches!(rule, AlertRule::Lag { .. }));
    if !asks || FollowStatus::last(snapshot)?.is_none() {
        return Ok(lags);
    }
    each_file(snapshot, |file| {
        if file.bytes_behind > 0 {
            lags.push(FileLag {
                file: file.path.clone(),
                offset: file.offset,
                behind: Duration::from_secs_f64(file.seconds_behind),
            });
        }
        Ok(())
    })?;
    Ok(lags)
}

/// Whether a process is there, as far as the system says.
fn is_alive(process: u32) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(process.to_string()).exists()
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

/// A follower that was silent for longer has ended without a word.
const SILENCE_TIME: Duration = Duration::from_secs(150);

/// How it is doing, in a line.
pub(crate) fn line(status: &FollowStatus) -> String {
    let mut line = format!(
        "{}, {} stored, {:.0} a second",
        text::counted(status.files, "file", "files"),
        text::counted(status.events, "event", "events"),
        status.events_per_second
    );
    if status.bytes_behind > 0 {
        line = format!("{line}, {} to read", text::bytes(status.bytes_behind));
    }
    if status.quarantined > 0 {
        let pieces = text::counted(status.quarantined, "piece", "pieces");
        line = format!("{line}, {pieces} quarantined");
    }
    line
}
