//! The import itself: read, batch, submit, count.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

use crate::batch::{AppendStatus, Batch, Linked, Written};
use crate::error::Result;
use crate::event::{Link, Quarantined, system_time_ns};
use crate::ingest::files::{FileToRead, Files};
use crate::ingest::formats::claude::spawn::Clues;
use crate::ingest::formats::{Adapter, ReadEvent, Recognised, read_head, recognise};
use crate::ingest::lines::{Line, LineContent, Lines};
use crate::ingest::objects::{PieceContent, Pieces};
use crate::ingest::{ImportOptions, ImportProgress, ImportReport};
use crate::limits;
use crate::options::{Durability, WhenFull};
use crate::store::Store;
use crate::writer::receipt::Receipt;

/// Imports transcripts. `progress` is called at least after each file and each
/// 256 KiB, and stops the import by returning [`ControlFlow::Break`]; what was
/// read until then is stored, and the next import goes on. Importing the same
/// files again changes nothing.
///
/// Memory does not grow with the files, only with their longest line. An error
/// if one of the paths is not there, before anything is read, or if the store
/// fails; a file that can't be read is passed over and reported.
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use forebear::{Store, ingest};
///
/// let store = Store::open("events.forebear")?;
/// let options = ingest::ImportOptions::new(["/home/me/.claude/projects"]);
/// let report = ingest::import(&store, &options, |_| ControlFlow::Continue(()))?;
/// println!("{} events, {} known before", report.events, report.repeats);
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn import(
    store: &Store,
    options: &ImportOptions,
    progress: impl FnMut(&ImportProgress) -> ControlFlow<()>,
) -> Result<ImportReport> {
    let files = Files::find(&options.paths)?;
    let mut import = Import {
        store,
        options,
        // Agents are linked to their calls as snapshots show them.
        durability: options.durability.max(Durability::Flush),
        on_progress: progress,
        progress: ImportProgress {
            files_total: files.found.len() as u64,
            bytes_total: files.found.iter().map(|file| file.bytes).sum(),
            ..ImportProgress::default()
        },
        bytes_told: 0,
        report: ImportReport::default(),
        filling: Filling::default(),
        in_flight: VecDeque::new(),
    };
    for (path, error) in &files.failed {
        import.failed(path, error);
    }
    for file in &files.found {
        if import.file(file)?.is_break() {
            import.report.interrupted = true;
            break;
        }
    }
    import.finish()
}

struct Import<'s, P> {
    store: &'s Store,
    options: &'s ImportOptions,
    durability: Durability,
    on_progress: P,
    progress: ImportProgress,
    /// Bytes read when progress was last told.
    bytes_told: u64,
    report: ImportReport,
    filling: Filling,
    /// Batches that were submitted, the oldest first.
    in_flight: VecDeque<InFlight>,
}

/// A batch that is being filled.
#[derive(Default)]
struct Filling {
    batch: Batch,
    bytes: usize,
    clues: Clues,
}

/// A batch that was submitted.
struct InFlight {
    receipt: Receipt,
    /// For each of its events, whether its object has a uuid.
    has_uuid: Vec<bool>,
    clues: Clues,
}

/// A file that is being read.
struct Source {
    /// Its path, as quarantined input names it.
    name: String,
    adapter: Box<dyn Adapter>,
}

impl<P: FnMut(&ImportProgress) -> ControlFlow<()>> Import<'_, P> {
    fn file(&mut self, file: &FileToRead) -> Result<ControlFlow<()>> {
        let (opened, mut source) = match self.open(&file.path) {
            Ok(opened) => opened,
            Err(error) => {
                self.failed(&file.path, &error);
                return Ok(ControlFlow::Continue(()));
            }
        };
        let mut lines = Lines::new(opened, self.store.max_payload_bytes());
        let bytes_before = self.progress.bytes;
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            match lines.next() {
                Ok(Some(line)) => self.line(&mut source, &line)?,
                Ok(None) => {
                    self.progress.files += 1;
                    break;
                }
                Err(error) => {
                    self.failed(&file.path, &error);
                    break;
                }
            }
            self.progress.bytes = bytes_before + lines.offset();
            if self.progress.bytes - self.bytes_told >= PROGRESS_BYTES {
                flow = self.tell();
            }
        }
        self.link(source.adapter.as_mut())?;
        if flow.is_continue() {
            flow = self.tell();
        }
        Ok(flow)
    }

    /// Opens a file and finds out what reads it.
    fn open(&self, path: &Path) -> io::Result<(File, Source)> {
        let mut file = File::open(path)?;
        let modified = file.metadata()?.modified().unwrap_or_else(|_| SystemTime::now());
        let recognised = match self.options.format {
            Some(format) => Recognised::Lines(format),
            None => recognise(path, &read_head(&mut file)?),
        };
        file.seek(SeekFrom::Start(0))?;
        let format = match recognised {
            Recognised::Lines(format) => format,
            Recognised::Document(reason) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
        };
        let modified_ns = system_time_ns(modified);
        let adapter = format.adapter(path, modified_ns, &self.options.mapping);
        Ok((file, Source::new(path, adapter)))
    }

    fn line(&mut self, source: &mut Source, line: &Line<'_>) -> Result<()> {
        let bytes = match line.content {
            LineContent::Bytes(bytes) => bytes,
            LineContent::TooLong(length) => {
                self.report.lines += 1;
                self.report.bad_lines += 1;
                let max = self.store.max_payload_bytes();
                let reason = format!("expected a line of at most {max} bytes, found {length}");
                return self.quarantine(Quarantined {
                    length,
                    ..source.quarantined(line, 0, &[], reason)
                });
            }
        };
        let (mut objects, mut bad) = (0, 0);
        for piece in Pieces::new(bytes) {
            let (bytes, reason) = match piece.content {
                PieceContent::Object(object) => {
                    objects += 1;
                    match source.adapter.event(object) {
                        Ok(read) => {
                            self.event(read, source.adapter.has_clues())?;
                            continue;
                        }
                        Err(reason) => (object.as_bytes(), reason),
                    }
                }
                PieceContent::Rubbish { bytes, reason } => (bytes, reason),
            };
            bad += 1;
            self.quarantine(source.quarantined(line, piece.at, bytes, reason))?;
        }
        self.report.lines += u64::from(objects + bad > 0);
        self.report.glued_lines += u64::from(objects > 1);
        self.report.bad_lines += u64::from(bad > 0);
        Ok(())
    }

    fn event(&mut self, read: ReadEvent, has_clues: bool) -> Result<()> {
        self.report.times_made_up += u64::from(read.time_made_up);
        self.make_room(read.event.payload.as_ref().map_or(0, Vec::len))?;
        if has_clues {
            self.filling.clues.note(&read.event);
        }
        self.filling.batch.events.push(read.event);
        Ok(())
    }

    fn quarantine(&mut self, input: Quarantined) -> Result<()> {
        self.make_room(input.bytes.len())?;
        self.filling.batch.quarantined.push(input);
        Ok(())
    }

    /// Submits the batch if a record with so many bytes would make it too large.
    fn make_room(&mut self, bytes: usize) -> Result<()> {
        let bytes = bytes + RECORD_BYTES;
        let filling = &self.filling;
        let full = filling.batch.len() >= BATCH_RECORDS || filling.bytes + bytes > BATCH_BYTES;
        if full {
            self.submit()?;
        }
        self.filling.bytes += bytes;
        Ok(())
    }

    /// Submits the batch that is being filled, and settles the oldest ones until
    /// few are left in flight.
    fn submit(&mut self) -> Result<()> {
        let Filling { batch, clues, .. } = std::mem::take(&mut self.filling);
        if !batch.is_empty() {
            self.send(batch, clues)?;
        }
        while self.in_flight.len() > MAX_IN_FLIGHT {
            self.settle_oldest()?;
        }
        Ok(())
    }

    fn send(&mut self, batch: Batch, clues: Clues) -> Result<()> {
        let has_uuid = batch.events.iter().map(|event| !event.derived_id).collect();
        let batch = batch.durability(self.durability).when_full(WhenFull::Block);
        let receipt = self.store.submit(batch)?;
        self.in_flight.push_back(InFlight { receipt, has_uuid, clues });
        Ok(())
    }

    fn send_links(&mut self, links: &[Link]) -> Result<()> {
        for links in links.chunks(BATCH_RECORDS) {
            let batch = Batch { links: links.to_vec(), ..Batch::default() };
            self.send(batch, Clues::default())?;
        }
        Ok(())
    }

    /// Waits for the oldest batch in flight, counts what became of it and links
    /// the agents that it says something about.
    fn settle_oldest(&mut self) -> Result<()> {
        let Some(oldest) = self.in_flight.pop_front() else {
            return Ok(());
        };
        let written = oldest.receipt.wait()?;
        self.count(&written, &oldest.has_uuid);
        if oldest.clues.is_empty() {
            return Ok(());
        }
        let links = oldest.clues.resolve(&self.store.snapshot())?;
        self.send_links(&links)
    }

    fn settle_all(&mut self) -> Result<()> {
        self.submit()?;
        while !self.in_flight.is_empty() {
            self.settle_oldest()?;
        }
        Ok(())
    }

    fn count(&mut self, written: &Written, has_uuid: &[bool]) {
        let report = &mut self.report;
        for (event, has_uuid) in written.events.iter().zip(has_uuid) {
            match event.status {
                _ if !has_uuid => report.without_id += 1,
                AppendStatus::New => report.events += 1,
                AppendStatus::Repeat => report.repeats += 1,
                AppendStatus::Version => report.versions += 1,
            }
        }
        let stored = written.events.iter().filter(|event| event.status != AppendStatus::Repeat);
        self.progress.events += stored.count() as u64;
        let new = |link: &&Linked| matches!(link, Linked::Accepted | Linked::Closing);
        report.links += written.links.iter().filter(new).count() as u64;
        report.quarantined += written.quarantined.iter().filter(|new| **new).count() as u64;
    }

    /// Adds the links that follow from a file that was read.
    fn link(&mut self, adapter: &mut dyn Adapter) -> Result<()> {
        if adapter.has_links() {
            self.settle_all()?;
            let links = adapter.links(&self.store.snapshot())?;
            self.send_links(&links)?;
        }
        Ok(())
    }

    fn tell(&mut self) -> ControlFlow<()> {
        self.bytes_told = self.progress.bytes;
        (self.on_progress)(&self.progress)
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        self.report.failed_files.push((path.to_owned(), error.to_string()));
    }

    fn finish(mut self) -> Result<ImportReport> {
        self.settle_all()?;
        self.store.flush()?;
        self.report.files = self.progress.files;
        self.report.bytes = self.progress.bytes;
        Ok(self.report)
    }
}

impl Source {
    fn new(path: &Path, adapter: Box<dyn Adapter>) -> Self {
        let mut name = path.to_string_lossy().into_owned();
        name.truncate(name.floor_char_boundary(limits::MAX_SOURCE_BYTES));
        Self { name, adapter }
    }

    fn quarantined(&self, line: &Line<'_>, at: usize, bytes: &[u8], reason: String) -> Quarantined {
        Quarantined {
            source: self.name.clone(),
            line: line.number,
            offset: line.offset + at as u64,
            length: bytes.len() as u64,
            reason,
            bytes: bytes.to_vec(),
        }
    }
}

/// A batch is one block of the log: large enough that its header and the answer
/// cost little, small enough that few bytes wait in memory.
const BATCH_BYTES: usize = 512 << 10;
const BATCH_RECORDS: usize = 1000;
/// Roughly what a record takes beside its payload.
const RECORD_BYTES: usize = 400;
/// Batches that are written while the next one is read.
const MAX_IN_FLIGHT: usize = 2;
/// Progress is told at least each so many bytes.
const PROGRESS_BYTES: u64 = 256 << 10;
