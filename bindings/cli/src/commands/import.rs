//! `forebear import`: transcripts and logs into the store.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anstyle::Style;
use clap::Args;
use forebear::ingest::{self, HandedIn, ImportProgress, ImportReport, IngestOptions};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::command::Run;
use crate::commands::format::{FormatArgs, NamedFormat};
use crate::failure::{CommandFailure, CommandResult, warn};
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::place::{self, WriteTarget};
use crate::usual_folders::found_folders;

/// Import transcripts and logs
///
/// Reads files of lines (`*.jsonl`, `*.ndjson`, also packed by zstd), documents and databases
/// of coding agents: Claude Code, Codex, Copilot, Gemini, OpenCode, Cursor, pi, Qwen Code,
/// Droid and Claude Desktop; payloads of Claude Code's hooks, the folder of an Engram store,
/// and any other lines of JSON, as generic events. Which it is shows in how a file begins.
/// Without a path it takes the folders in which these tools usually keep them, and says
/// which it found; `CLAUDE_CONFIG_DIR`, `CODEX_HOME` and their like are heeded. How far each
/// file was read is kept in the store: importing again reads what is new, and a file
/// that was rewritten from its start. Ctrl-C stops it cleanly, and the next import
/// goes on. `forebear watch` goes on by itself.
///
/// Where another process has the store open for writing, what is read is handed in
/// through the store's spool, and each 4 MiB or so is waited for until that process has
/// taken it in; where it has ended, the import goes on by itself.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json, one object in the end: files, unchanged_files (with nothing new since they
were read last), bytes, lines, events and versions (newly stored), repeats (known
already), without_id (objects that name no id, new or not), glued_lines, bad_lines,
quarantined, times_made_up, links, seconds, interrupted, failed_files, and handed_in: null, or where another process
had the store open an object of events, without_id, links and quarantined that it took in,
known before or not; of those, only without_id is counted above, too. stored and known are
what was newly stored and what was known already in all, those without an id among them;
waiting_lines are last lines that end within a record, whose rest is read once it is written;
read_as names for each file the format it was taken for (`ndjson`: of no known tool, read as
generic events); left_out has the files of folders that no format takes, and why, the first
1000 of left_out_files. Stopped, with files that can't be read, or where no line could be
read, the exit code is 1; where there was no file to read it is 3.

A mapping is a JSON object: id, parent, kind, time, instance and session name a field
each, or several in an array of which the first that is there counts; time_unit is s,
ms, us or ns; labels is an object of fields by the labels' keys. A path with dots names
a field inside others. What it leaves out has its usual names (id, parent_id, type,
timestamp, agent, session_id and their like).

Examples:
  forebear import
  forebear import ~/.claude/projects/my-project session.jsonl
  forebear import ~/.codex/sessions ~/.copilot/session-state .engram
  forebear import --mapping spans.json traces.ndjson")]
pub(crate) struct ImportArgs {
    /// Files, and folders with files of known formats
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Read files from their start, wherever they were left; what `forebear retain` has
    /// dropped of them comes back
    #[arg(long)]
    again: bool,

    #[command(flatten)]
    format: FormatArgs,

    /// Where another process has the store open: wait however long it takes nothing in; else the
    /// import fails after a minute, and goes on from there when called again
    #[arg(long)]
    wait: bool,
}

impl Run for ImportArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        let paths = if self.paths.is_empty() { found()? } else { self.paths.clone() };
        for path in &paths {
            path.metadata().map_err(|error| {
                CommandFailure::Failed(format!("importing {}: {error}", path.display()))
            })?;
        }
        let mut options = IngestOptions::new(paths).again(self.again);
        options = match self.format.read()? {
            NamedFormat::Nothing => options,
            NamedFormat::Format(format) => options.format(format),
            NamedFormat::Mapping(mapping) => options.mapping(mapping),
        };
        if self.wait {
            options = options.patience(Duration::MAX);
        }
        import(place::open_or_hand_in(global)?, &options, global)
    }
}

/// Imports, shows how far it is and says what came of it.
pub(crate) fn import(
    target: WriteTarget,
    options: &IngestOptions,
    global: &Global,
) -> CommandResult {
    let stop = stop_on_ctrl_c();
    let bar = progress_bar();
    let begun = Instant::now();
    let on_progress = |progress: &ImportProgress| {
        show_progress(&bar, progress);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let imported = match &target {
        WriteTarget::Store(store) => ingest::import(store, options, on_progress),
        WriteTarget::Spool(spool) => ingest::import_through(spool, options, on_progress),
    };
    let seconds = begun.elapsed();
    bar.finish_and_clear();
    let report = imported?;
    if let WriteTarget::Store(store) = target {
        place::close(store)?;
    }

    let mut out = Out::new();
    if global.json {
        out.json(&ImportFigures::new(&report, seconds))?;
    } else {
        summary(&mut out, &report, seconds)?;
        if out.is_terminal() && !report.interrupted {
            draw::remark(
                &mut out,
                "\u{2192} next: try `forebear events --errors`, then `forebear chain ID`",
            )?;
        }
    }
    out.finish()?;
    for (path, why) in &report.failed_files {
        warn(&format!("forebear: {}: {why}", path.display()));
    }
    if report.interrupted {
        return Err(CommandFailure::Failed(
            "stopped; what was read until then is stored, and the same import goes on from there"
                .to_owned(),
        ));
    }
    if !global.json {
        note_left_out(&report);
    }
    if !report.failed_files.is_empty() {
        let files = report.failed_files.len() as u64;
        return Err(CommandFailure::Failed(format!(
            "{} not be read",
            text::counted(files, "file could", "files could")
        )));
    }
    if report.files + report.unchanged_files == 0 {
        return Err(CommandFailure::NothingFound(
            "there was nothing to read: name files, or folders with files of a known format"
                .to_owned(),
        ));
    }
    if report.lines > 0 && report.lines == report.bad_lines && is_empty(&report) {
        let lines = text::counted(report.lines, "line", "lines");
        return Err(CommandFailure::Failed(format!(
            "nothing of {lines} could be read: `forebear quarantine` says why"
        )));
    }
    Ok(())
}

/// Whether nothing came in, and nothing of what was read was known.
fn is_empty(report: &ImportReport) -> bool {
    let found = report.stored + report.known + report.versions + report.unchanged_files;
    found == 0 && report.handed_in.is_none()
}

/// Says which files of folders were left out and why, in sum where they are many.
fn note_left_out(report: &ImportReport) {
    if report.left_out_files <= MAX_TOLD {
        for (path, why) in &report.left_out {
            warn(&format!("forebear: left out {}: {why}", path.display()));
        }
        return;
    }
    let mut endings = BTreeMap::<String, u64>::new();
    for (path, _) in &report.left_out {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        *endings.entry(ending).or_default() += 1;
    }
    let mut endings: Vec<_> = endings.into_iter().collect();
    endings.sort_by_key(|(_, files)| Reverse(*files));
    endings.truncate(MAX_ENDINGS);
    let endings: Vec<_> = endings
        .iter()
        .map(|(ending, files)| match ending.as_str() {
            "" => format!("{} without an ending", text::thousands(*files)),
            _ => format!("{} .{ending}", text::thousands(*files)),
        })
        .collect();
    warn(&format!(
        "forebear: left out {} that no format takes (most: {}); --json names them and why",
        text::counted(report.left_out_files, "file", "files"),
        endings.join(", ")
    ));
}

/// What the files were taken for, in a line.
fn taken_for(report: &ImportReport) -> Option<String> {
    let mut formats = BTreeMap::<&str, u64>::new();
    for (_, format) in &report.read_as {
        *formats.entry(format).or_default() += 1;
    }
    let formats: Vec<_> = formats
        .iter()
        .map(|(format, files)| {
            let files = text::counted(*files, "file", "files");
            match *format {
                GENERIC => format!("{files} of no known tool, read as generic events ({format})"),
                _ => format!("{files} of {format}"),
            }
        })
        .collect();
    (!formats.is_empty()).then(|| formats.join(", "))
}

/// Prints what an import found and did.
pub(crate) fn summary(out: &mut Out, report: &ImportReport, took: Duration) -> CommandResult {
    let new = report.stored + report.versions + report.links + report.quarantined;
    let is_known = report.known + report.unchanged_files > 0 && report.handed_in.is_none();
    let head = if new == 0 && is_known && !report.interrupted {
        let files = text::counted(report.files + report.unchanged_files, "file", "files");
        format!(
            "Nothing new in {files}, looked at in {}: all was stored already.",
            time::took(took)
        )
    } else {
        format!(
            "Imported {}, {} in {}.",
            text::counted(report.files, "file", "files"),
            text::bytes(report.bytes),
            time::took(took)
        )
    };
    draw::plain(out, &head, 0)?;
    if let Some(taken_for) = taken_for(report) {
        draw::remark(out, &taken_for)?;
    }
    let handed_in = report.handed_in.unwrap_or_default();
    let rows = [
        (report.stored, "event", "events", "newly stored"),
        (handed_in.events, "event", "events", "handed in and taken in, known before or not"),
        (handed_in.links, "link", "links", "handed in, between agents and their calls"),
        (handed_in.quarantined, "piece", "pieces", "handed in to be quarantined"),
        (
            report.versions,
            "version",
            "versions",
            "newly stored, of events known with other content",
        ),
        (report.unchanged_files, "file", "files", "unchanged since they were read last"),
        (report.known, "repeat", "repeats", "of what was known already"),
        (report.without_id, "object", "objects", "with no id of their own; kept too"),
        (report.links, "link", "links", "between agents and the calls that started them"),
        (report.times_made_up, "time", "times", "made up for events that bear none"),
        (report.glued_lines, "line", "lines", "with several objects on them"),
        (
            report.waiting_lines,
            "line",
            "lines",
            "with half a record; the rest is read once it is written",
        ),
        (report.bad_lines, "line", "lines", "with something on them that was skipped (not JSON)"),
        (report.quarantined, "piece", "pieces", "newly quarantined: `forebear quarantine`"),
    ];
    for (at, (figure, one, many, remark)) in rows.into_iter().enumerate() {
        if figure > 0 || at == 0 && new == 0 && !is_known && report.handed_in.is_none() {
            let what = if figure == 1 { one } else { many };
            let lead = format!("{:>12}  {what:<8}  ", text::thousands(figure));
            let beneath = " ".repeat(text::width(&lead));
            draw::beside(out, (Style::new(), &lead), &beneath, draw::DIM, remark)?;
        }
    }
    Ok(())
}

/// What an import found and did, for scripts.
#[derive(Serialize)]
pub(crate) struct ImportFigures {
    files: u64,
    unchanged_files: u64,
    bytes: u64,
    lines: u64,
    events: u64,
    repeats: u64,
    versions: u64,
    without_id: u64,
    glued_lines: u64,
    bad_lines: u64,
    quarantined: u64,
    times_made_up: u64,
    links: u64,
    seconds: f64,
    interrupted: bool,
    failed_files: Vec<FailedFile>,
    stored: u64,
    known: u64,
    waiting_lines: u64,
    read_as: Vec<ReadAs>,
    left_out: Vec<LeftOutFile>,
    left_out_files: u64,
    handed_in: Option<HandedInFigures>,
}

#[derive(Serialize)]
struct HandedInFigures {
    events: u64,
    without_id: u64,
    links: u64,
    quarantined: u64,
}

impl From<HandedIn> for HandedInFigures {
    fn from(handed_in: HandedIn) -> Self {
        let HandedIn { events, without_id, links, quarantined, .. } = handed_in;
        Self { events, without_id, links, quarantined }
    }
}

#[derive(Serialize)]
struct ReadAs {
    path: String,
    format: String,
}

#[derive(Serialize)]
struct LeftOutFile {
    path: String,
    why: String,
}

#[derive(Serialize)]
struct FailedFile {
    path: String,
    error: String,
}

impl ImportFigures {
    /// The figures of a report.
    pub(crate) fn new(report: &ImportReport, took: Duration) -> Self {
        Self {
            files: report.files,
            unchanged_files: report.unchanged_files,
            bytes: report.bytes,
            lines: report.lines,
            events: report.events,
            repeats: report.repeats,
            versions: report.versions,
            without_id: report.without_id,
            glued_lines: report.glued_lines,
            bad_lines: report.bad_lines,
            quarantined: report.quarantined,
            times_made_up: report.times_made_up,
            links: report.links,
            seconds: took.as_secs_f64(),
            interrupted: report.interrupted,
            handed_in: report.handed_in.map(Into::into),
            stored: report.stored,
            known: report.known,
            waiting_lines: report.waiting_lines,
            read_as: report
                .read_as
                .iter()
                .map(|(path, format)| ReadAs {
                    path: path.display().to_string(),
                    format: format.clone(),
                })
                .collect(),
            left_out: report
                .left_out
                .iter()
                .map(|(path, why)| LeftOutFile {
                    path: path.display().to_string(),
                    why: why.clone(),
                })
                .collect(),
            left_out_files: report.left_out_files,
            failed_files: report
                .failed_files
                .iter()
                .map(|(path, error)| FailedFile {
                    path: path.display().to_string(),
                    error: error.clone(),
                })
                .collect(),
        }
    }
}

/// The usual folders that are there, which are said to whoever asks.
fn found() -> Result<Vec<PathBuf>, CommandFailure> {
    let folders = found_folders()?;
    let said: Vec<_> = folders
        .iter()
        .map(|folder| format!("{} ({})", folder.path.display(), folder.tool))
        .collect();
    warn(&format!("forebear: found {}", said.join(", ")));
    Ok(folders.into_iter().map(|folder| folder.path).collect())
}

/// A flag that the first ctrl-C sets. The second ends the program at once, which
/// loses nothing that an import would not find again.
fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let set = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            process::exit(1);
        }
    });
    if let Err(error) = set {
        warn(&format!("forebear: ctrl-C will not stop the import cleanly: {error}"));
    }
    stop
}

/// Shown on stderr, and only if that is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    let template = "{bar:20.cyan/dim} {bytes}/{total_bytes}  {binary_bytes_per_sec}  {eta} left  {wide_msg:.dim}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar
}

fn show_progress(bar: &ProgressBar, progress: &ImportProgress) {
    bar.set_length(progress.bytes_total);
    bar.set_position(progress.bytes);
    bar.set_message(format!(
        "file {} of {}, {}",
        progress.files,
        progress.files_total,
        text::counted(progress.events, "event", "events")
    ));
}

/// What lines of no known tool are read as.
const GENERIC: &str = "ndjson";
/// Files that are left out are told of one by one up to so many.
const MAX_TOLD: u64 = 20;
/// Endings of their names that are told of where they are more.
const MAX_ENDINGS: usize = 6;
