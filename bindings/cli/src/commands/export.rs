//! `forebear export`: events in the formats of other programs.

use std::fs::{DirBuilder, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use forebear::{Detail, EventId, Filter, StoredEvent, limits};
use forebear_export::{EventWriter, Format, Options};

use crate::command::Run;
use crate::commands::chain_picture::{note_lost, walk};
use crate::failure::{CommandFailure, CommandResult, UnreadParts, warn};
use crate::formats;
use crate::global::Global;
use crate::output::{Out, page_size, text};
use crate::place::{self, Paging};
use crate::select::FilterArgs;

/// Write events in the formats of other programs
///
/// All events, or those that the filters take, the oldest first, versions included; or a chain
/// or a tree. As payloads, what was imported from a transcript comes out as the very objects that
/// went in, byte for byte, a line each. As jsonl, `forebear append --json` makes the same events
/// of it. Goes on behind what is damaged, says what was left out, and exits 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Formats:
  payloads  the payloads as they came in, a line each
  jsonl     records without loss, as `forebear append --json` takes them
  csv       rows by RFC 4180, with a line of names
  dot       a graph for Graphviz
  mermaid   a flowchart for Mermaid
  otlp      spans for OpenTelemetry, lines of its protocol in JSON: a session is a trace, in
            which a call with its result is a span, agents within the calls that started them
  perfetto  a trace for ui.perfetto.dev: a session is a process, an agent a thread
  engram    a folder with items.jsonl, edges.jsonl and events.jsonl: a session is a task

Secrets of known shapes are taken out of dot, mermaid, otlp and perfetto.

Examples:
  forebear export -o everything.jsonl
  forebear export --session 5f0c8a4e-… --without-versions | jq .type
  forebear export --format jsonl | forebear --store copy append --json
  forebear export --format otlp --session 5f0c -o session.jsonl
  forebear export --format dot --chain 5f0c | dot -Tsvg > why.svg")]
pub(crate) struct ExportArgs {
    /// The format, one of those below
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Payloads)]
    format: Format,
    #[command(flatten)]
    filter: FilterArgs,
    /// All events: what is meant where there is no filter
    #[arg(long)]
    all: bool,
    /// What caused an event, from it up to its root: its id, or the beginning of it
    #[arg(long, value_name = "ID", conflicts_with_all = ["FilterArgs", "tree", "all"])]
    chain: Option<String>,
    /// An event and all that came of it: its id, or the beginning of it
    #[arg(long, value_name = "ID", conflicts_with_all = ["FilterArgs", "all"])]
    tree: Option<String>,
    /// Leave secrets as they are in formats that they are taken out of
    #[arg(long)]
    no_redact: bool,
    /// The file (of engram the folder) to write to, instead of standard output; it must not exist
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Run for ExportArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let pages = place::pages(global)?;
        let source = self.source(&pages)?;
        let counts = if self.format.is_folder() {
            self.export_folder(&pages, &source)?
        } else if let Some(path) = &self.output {
            let failed = |error: io::Error| {
                CommandFailure::Failed(format!("writing {}: {error}", path.display()))
            };
            let mut file = BufWriter::new(create(path).map_err(failed)?);
            let counts =
                self.export(&pages, &source, &mut file).map_err(|failure| match failure {
                    CommandFailure::Output(error) => failed(error),
                    failure => failure,
                })?;
            let file = file.into_inner().map_err(io::IntoInnerError::into_error);
            file.and_then(|file| file.sync_all()).map_err(failed)?;
            counts
        } else {
            let mut out = Out::paged(global);
            if self.format.is_binary() && out.is_terminal() {
                return Err(CommandFailure::Usage(format!(
                    "{} is no text for a terminal; name a file with -o FILE",
                    self.format
                )));
            }
            let counts = self.export(&pages, &source, &mut Raw(&mut out))?;
            out.finish()?;
            counts
        };
        counts.finish()
    }
}

/// Which events are written.
enum ExportSource {
    Filter(Filter),
    Chain(EventId),
    Tree(EventId),
}

impl ExportArgs {
    fn source(&self, pages: &Paging) -> Result<ExportSource, CommandFailure> {
        if let Some(id) = &self.chain {
            return Ok(ExportSource::Chain(place::find(&pages.now(), id)?));
        }
        if let Some(id) = &self.tree {
            return Ok(ExportSource::Tree(place::find(&pages.now(), id)?));
        }
        let filter = self.filter.filter(&pages.now())?;
        let all = self.format.takes_superseded();
        Ok(ExportSource::Filter(if all { filter.with_superseded() } else { filter }))
    }

    /// Writes a format of several files into a folder that is made.
    fn export_folder(
        &self,
        pages: &Paging,
        source: &ExportSource,
    ) -> Result<ExportCounts, CommandFailure> {
        let Some(path) = &self.output else {
            return Err(CommandFailure::Usage(format!(
                "{} is a folder of files; name one with -o FOLDER",
                self.format
            )));
        };
        let failed = |error: io::Error| {
            CommandFailure::Failed(format!("writing {}: {error}", path.display()))
        };
        make_folder(path).map_err(failed)?;
        let writer = self.format.folder_writer(path, self.options(pages)).map_err(failed)?;
        self.hand_to(writer, pages, source)
    }

    fn export(
        &self,
        pages: &Paging,
        source: &ExportSource,
        out: &mut dyn Write,
    ) -> Result<ExportCounts, CommandFailure> {
        self.hand_to(self.format.writer(out, self.options(pages)), pages, source)
    }

    fn options<'p>(&self, pages: &'p Paging) -> Options<'p> {
        let find = move |id: &EventId| pages.now().get_lossy(id).ok().flatten();
        let options = Options::default().readings(formats::readings().clone()).find(find);
        if self.no_redact { options.without_redaction() } else { options }
    }

    fn hand_to<'w>(
        &self,
        writer: Box<dyn EventWriter + 'w>,
        pages: &Paging,
        source: &ExportSource,
    ) -> Result<ExportCounts, CommandFailure> {
        let counts = ExportCounts {
            exported: 0,
            left_out: 0,
            lacks: match self.format {
                Format::Payloads => "no payload",
                _ => "no step to show",
            },
            damaged: 0,
            unread: UnreadParts::default(),
        };
        let takes_damaged = matches!(self.format, Format::Payloads);
        let mut export = Export { writer, counts, takes_damaged };
        match source {
            ExportSource::Filter(filter) => export.listed(pages, filter)?,
            ExportSource::Chain(id) => export.chain(pages, id)?,
            ExportSource::Tree(id) => export.tree(pages, id)?,
        }
        // Of nothing not even what every file begins with.
        if export.counts.exported > 0 {
            export.writer.finish()?;
        }
        Ok(export.counts)
    }
}

/// Hands events to a writer.
struct Export<'w> {
    writer: Box<dyn EventWriter + 'w>,
    counts: ExportCounts,
    /// Whether payloads of damaged events are written.
    takes_damaged: bool,
}

impl Export<'_> {
    fn listed(&mut self, pages: &Paging, filter: &Filter) -> CommandResult {
        let (mut size, mut after) = (page_size::FIRST, None);
        loop {
            let page = pages.ask(|snapshot| {
                snapshot.events(filter).oldest_first().limit(size).after(after).page()
            })?;
            size = page_size::next(page.items.iter());
            self.counts.unread.add(&page.damaged);
            page.items.iter().try_for_each(|event| self.take(event))?;
            match page.next {
                Some(cursor) => after = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    fn chain(&mut self, pages: &Paging, id: &EventId) -> CommandResult {
        let chain = walk(&pages.now(), id)?.max_depth(u64::MAX).detail(Detail::Payload);
        // Writers take causes before what came of them.
        let events = chain.root_first()?;
        self.counts.unread.add(events.damage());
        note_lost(Some(events.end()), &mut self.counts.unread);
        for event in events {
            self.take(&event?)?;
        }
        Ok(())
    }

    fn tree(&mut self, pages: &Paging, id: &EventId) -> CommandResult {
        let top = pages.now().get(id)?;
        let top =
            top.ok_or_else(|| CommandFailure::NothingFound(format!("no event has the id {id}")))?;
        self.take(&top)?;
        let mut after = None;
        loop {
            let page = pages.ask(|snapshot| {
                let below = snapshot.descendants(id).max_depth(u64::MAX).detail(Detail::Payload);
                below.limit(limits::MAX_PAGE).after(after).page()
            })?;
            self.counts.unread.add(&page.damaged);
            page.items.iter().try_for_each(|below| self.take(&below.event))?;
            match page.next {
                Some(cursor) => after = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    fn take(&mut self, event: &StoredEvent) -> CommandResult {
        self.counts.unread.add(event.damage());
        // Of a damaged event part is there; a record of that part would be another event. A
        // payload that can be read is whole.
        let is_whole = self.takes_damaged && event.payload().is_some();
        if event.damage().is_some() && !is_whole {
            self.counts.damaged += 1;
        } else if self.writer.event(event)? {
            self.counts.exported += 1;
        } else {
            self.counts.left_out += 1;
        }
        Ok(())
    }
}

struct ExportCounts {
    exported: u64,
    /// Events that the format has nothing of, and what they lack for it.
    left_out: u64,
    lacks: &'static str,
    /// Events that are there and can't be read whole.
    damaged: u64,
    unread: UnreadParts,
}

impl ExportCounts {
    fn finish(self) -> CommandResult {
        if self.left_out > 0 {
            let skipped = text::counted(self.left_out, "event has", "events have");
            warn(&format!("forebear: {skipped} {}: left out", self.lacks));
        }
        if self.damaged > 0 {
            let skipped = text::counted(
                self.damaged,
                "event is damaged and was left out",
                "events are damaged and were left out",
            );
            warn(&format!("forebear: {skipped}"));
        }
        if self.exported + self.left_out == 0 && self.unread.is_empty() {
            return Err(CommandFailure::NothingFound("no event matches".to_owned()));
        }
        self.unread.finish()
    }
}

/// Standard output, bytes as they are; made harmless on a terminal.
struct Raw<'o>(&'o mut Out);

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.raw(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // What nobody has seen yet can be taken back, and is passed on in the end.
        Ok(())
    }
}

/// A new folder that only the owner may read.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Payloads hold secrets, so only the owner may read them.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
