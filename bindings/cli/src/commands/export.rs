//! `forebear export`: the payloads as they came in.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use forebear::Filter;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult, UnreadParts, warn};
use crate::global::Global;
use crate::output::{Out, page_size, text};
use crate::place::{self, Paging};
use crate::select::FilterArgs;

/// Write the payloads of events out again, byte for byte, a line each
///
/// All events, or those that the filters take, the oldest first, versions
/// included. What was imported from a transcript comes out as the very objects
/// that went in. Goes on behind what is damaged, says what was left out, and exits 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forebear export -o everything.jsonl
  forebear export --session 5f0c8a4e-… --without-versions | jq .type")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// All events: what is meant where there is no filter
    #[arg(long)]
    all: bool,
    /// The file to write to, instead of standard output; it must not exist
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Run for ExportArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let pages = place::pages(global)?;
        // Each line of a file that says an event again as it goes on comes out again.
        let filter = self.filter.filter(&pages.now())?.with_superseded();
        let counts = if let Some(path) = &self.output {
            export_to(path, &pages, &filter)?
        } else {
            let mut out = Out::paged(global);
            let counts =
                export(&pages, &filter, |payload| out.raw(payload).map_err(CommandFailure::from))?;
            out.finish()?;
            counts
        };
        if counts.without_payload > 0 {
            let skipped = text::counted(counts.without_payload, "event has", "events have");
            warn(&format!("forebear: {skipped} no payload and were left out"));
        }
        if counts.damaged > 0 {
            let skipped = text::counted(
                counts.damaged,
                "event is damaged and was left out",
                "events are damaged and were left out",
            );
            warn(&format!("forebear: {skipped}"));
        }
        if counts.exported + counts.without_payload == 0 && counts.unread.is_empty() {
            return Err(CommandFailure::NothingFound("no event matches".to_owned()));
        }
        counts.unread.finish()
    }
}

fn export_to(path: &Path, pages: &Paging, filter: &Filter) -> Result<ExportCounts, CommandFailure> {
    let failed =
        |error: io::Error| CommandFailure::Failed(format!("writing {}: {error}", path.display()));
    let mut file = BufWriter::new(create(path).map_err(failed)?);
    let counts = export(pages, filter, |payload| file.write_all(payload).map_err(failed))?;
    file.into_inner()
        .map_err(io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    Ok(counts)
}

#[derive(Default)]
struct ExportCounts {
    exported: u64,
    without_payload: u64,
    /// Events that are there and whose payload can't be read.
    damaged: u64,
    unread: UnreadParts,
}

fn export(
    pages: &Paging,
    filter: &Filter,
    mut write: impl FnMut(&[u8]) -> CommandResult,
) -> Result<ExportCounts, CommandFailure> {
    let (mut size, mut after) = (page_size::FIRST, None);
    let mut counts = ExportCounts::default();
    loop {
        let page = pages.ask(|snapshot| {
            snapshot.events(filter).oldest_first().limit(size).after(after).page()
        })?;
        size = page_size::next(page.items.iter());
        counts.unread.add(&page.damaged);
        for event in page.items {
            let Some(payload) = event.payload() else {
                match event.damage() {
                    Some(_) => counts.damaged += 1,
                    None => counts.without_payload += 1,
                }
                continue;
            };
            write(payload)?;
            write(b"\n")?;
            counts.exported += 1;
        }
        match page.next {
            Some(cursor) => after = Some(cursor),
            None => return Ok(counts),
        }
    }
}

/// Payloads hold secrets, so only the owner may read them.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
