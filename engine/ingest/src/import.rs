//! Importing: each file once, from where it was left.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::Path;

use forebear_core::{Result, Snapshot, Spool, Store};

use crate::adapter::takes_lines;
use crate::choice::Choice;
use crate::importer::Importer;
use crate::options::IngestOptions;
use crate::read::find::{FileToRead, FilesFound};
use crate::read::moved::Moved;
use crate::read::position::{ReadPosition, source_name};
use crate::read::reader::{FileReader, LastLine, ReadFailure, ReadResult, Turn, open};
use crate::read::rows::{DatabaseRows, RowsPosition};
use crate::read::source::FileSource;
use crate::report::{ImportProgress, ImportReport};
use crate::target::Target;

/// Imports files. `progress` is called at least after each file and each
/// 256 KiB, and stops the import by returning [`ControlFlow::Break`]; what was
/// read until then is stored, and the next import reads on.
///
/// How far each file was read is kept in the store, in one block with its events:
/// importing again reads what is new, whether the file was read before by an import or a
/// [`Follower`](crate::Follower). A file that changed in what was read is
/// read from its start again, in which events known already are repeats, and so is
/// every file with [`IngestOptions::again`].
///
/// Memory does not grow with the files, only with their longest line. An error
/// if one of the paths is not there, before anything is read, or if the store
/// fails; a file that can't be read is passed over and reported.
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use forebear::{Store, ingest};
///
/// let store = forebear::open("events.forebear")?;
/// let options = ingest::IngestOptions::new(["/home/me/.claude/projects"]);
/// let report = ingest::import(&store, &options, |_| ControlFlow::Continue(()))?;
/// println!("{} events, {} files unchanged", report.events, report.unchanged_files);
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn import(
    store: &Store,
    options: &IngestOptions,
    progress: impl FnMut(&ImportProgress) -> ControlFlow<()>,
) -> Result<ImportReport> {
    let choice = Choice::new(options)?;
    let files = FilesFound::find(&options.paths, &choice)?;
    run(Target::Store(store.clone()), options, choice, &files, progress)
}

/// As [`import`], into a store that another process has open for writing: what is read
/// is handed in through the [`Spool`], some 4 MiB at a time, and each batch is waited for
/// before the next one goes, so that the store has exactly what it would have from
/// [`import`]. What of it was new only that process knows: see
/// [`ImportReport::handed_in`].
///
/// If that process ends meanwhile, the store is opened here and the import writes to it. An error if a batch is refused, as where the store takes only shorter payloads, or
/// if that process takes nothing in for [`IngestOptions::patience`]; the next import
/// resumes where this one ended. Only for a store on disk.
///
/// ```
/// use std::ops::ControlFlow;
/// use forebear::ingest::{IngestOptions, import_through};
/// use forebear::{Spool, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// # let file = folder.path().join("session.jsonl");
/// # std::fs::write(&file, "{\"uuid\":\"a\"}\n").expect("writes");
/// let store = forebear::open(&path)?; // Mostly in another process.
/// let options = IngestOptions::new([&file]);
/// let report = import_through(&forebear::spool(&path)?, &options, |_| ControlFlow::Continue(()))?;
/// assert_eq!(report.handed_in.map(|handed_in| handed_in.events), Some(1));
/// assert!(store.snapshot().contains("a")?);
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn import_through(
    spool: &Spool,
    options: &IngestOptions,
    progress: impl FnMut(&ImportProgress) -> ControlFlow<()>,
) -> Result<ImportReport> {
    let choice = Choice::new(options)?;
    let files = FilesFound::find(&options.paths, &choice)?;
    run(Target::through(spool, options.patience)?, options, choice, &files, progress)
}

fn run(
    target: Target,
    options: &IngestOptions,
    choice: Choice,
    files: &FilesFound,
    progress: impl FnMut(&ImportProgress) -> ControlFlow<()>,
) -> Result<ImportReport> {
    let mut import = Import {
        importer: Importer::new(target, options.durability, choice),
        on_progress: progress,
        progress: ImportProgress {
            files_total: files.found.len() as u64,
            bytes_total: files.found.iter().map(|file| file.seen.size).sum(),
            ..ImportProgress::default()
        },
        bytes_reported: 0,
        again: options.again,
    };
    for (path, error) in &files.failed {
        import.failed(path, error);
    }
    let report = &mut import.importer.report;
    report.left_out.clone_from(&files.left_out.named);
    report.left_out_files = files.left_out.files;
    let moved = if options.again {
        Moved::default()
    } else {
        import.importer.ask(|snapshot| moved(snapshot, &files.found))?
    };
    for file in &files.found {
        let positions = if options.again {
            Vec::new()
        } else {
            let name = source_name(&file.path);
            let own = import.importer.ask(|snapshot| ReadPosition::of(snapshot, &name))?;
            moved.positions(own, file.seen.file)
        };
        if import.file(file, positions)?.is_break() {
            import.importer.report.interrupted = true;
            break;
        }
    }
    import.finish()
}

/// Where files that are new under their name were read to under another.
fn moved(snapshot: &Snapshot, files: &[FileToRead]) -> Result<Moved> {
    let mut wanted = HashSet::new();
    for file in files {
        let known = ReadPosition::of(snapshot, &source_name(&file.path))?;
        if known.is_none_or(|position| position.seen.file != file.seen.file) {
            wanted.insert(file.seen.file);
        }
    }
    Moved::find(snapshot, &wanted)
}

struct Import<P> {
    importer: Importer,
    on_progress: P,
    progress: ImportProgress,
    /// Bytes read when progress was last reported.
    bytes_reported: u64,
    /// Whether all is read from its start.
    again: bool,
}

impl<P: FnMut(&ImportProgress) -> ControlFlow<()>> Import<P> {
    /// Reads a file from where one of the positions says.
    fn file(&mut self, file: &FileToRead, positions: Vec<ReadPosition>) -> Result<ControlFlow<()>> {
        let is_current = positions.first().is_some_and(|known| known.is_current(&file.seen));
        if is_current {
            let format = positions.into_iter().next().map(|known| known.format);
            self.read_as(&file.path, format.unwrap_or_default());
            self.unchanged(file.seen.size);
            return Ok(self.report_progress());
        }
        let (mut opened, seen, now_ns) = match open(&file.path) {
            Ok(opened) => opened,
            Err(error) => {
                self.failed(&file.path, &error);
                return Ok(ControlFlow::Continue(()));
            }
        };
        if opened.is_database()
            && let Some(flow) = self.database(file)?
        {
            return Ok(flow);
        }
        let mut reader = FileReader::new(&file.path, seen, positions);
        reader.opened(seen, now_ns);
        let lines_before = self.importer.report.lines;
        let mut flow = match self.read(&mut reader, &mut opened) {
            Ok(flow) => {
                self.read_as(&file.path, reader.format().to_owned());
                let begun = reader.resumed();
                if begun.is_some() && self.importer.report.lines == lines_before {
                    self.importer.report.unchanged_files += 1;
                } else {
                    self.importer.report.files += u64::from(flow.is_continue());
                    self.importer.report.bytes += reader.scanned - begun.unwrap_or(0);
                }
                self.progress.files += u64::from(flow.is_continue());
                flow
            }
            // What a folder has may be of any tool; only files of lines are surely meant.
            Err(ReadFailure::File(error))
                if error.kind() == ErrorKind::InvalidData
                    && !file.named
                    && reader.format().is_empty()
                    && !takes_lines(&file.path) =>
            {
                self.importer.report.left_out.push((file.path.clone(), format!("{error:#}")));
                self.importer.report.left_out_files += 1;
                ControlFlow::Continue(())
            }
            Err(ReadFailure::File(error)) => {
                self.failed(&file.path, &error);
                ControlFlow::Continue(())
            }
            Err(ReadFailure::Store(error)) => return Err(error),
        };
        reader.link(&mut self.importer)?;
        if self.importer.links_are_due() {
            self.importer.settle_links()?;
        }
        if flow.is_continue() {
            flow = self.report_progress();
        }
        Ok(flow)
    }

    /// Reads what is new in a database; none where it is of no known format.
    fn database(&mut self, file: &FileToRead) -> Result<Option<ControlFlow<()>>> {
        let path = &file.path;
        let rows = match DatabaseRows::of(&self.importer, path) {
            Ok(Some(rows)) => rows,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.failed(path, &error);
                return Ok(Some(ControlFlow::Continue(())));
            }
        };
        self.read_as(path, rows.adapter.name().to_owned());
        let known = if self.again {
            None
        } else {
            self.importer.ask(|snapshot| RowsPosition::of(snapshot, path))?
        };
        if known.as_ref().is_some_and(|known| known.is_current(&file.seen)) {
            self.unchanged(file.seen.size);
            return Ok(Some(self.report_progress()));
        }
        let (was_known, lines) = (known.is_some(), self.importer.report.lines);
        match rows.read(&mut self.importer, path, known, false) {
            Ok((seen, _)) => {
                let is_unchanged = was_known && self.importer.report.lines == lines;
                self.importer.report.unchanged_files += u64::from(is_unchanged);
                self.importer.report.files += u64::from(!is_unchanged);
                self.importer.report.bytes += if is_unchanged { 0 } else { seen.size };
                self.progress.files += 1;
                self.progress.bytes += seen.size;
            }
            Err(ReadFailure::File(error)) => self.failed(path, &error),
            Err(ReadFailure::Store(error)) => return Err(error),
        }
        self.importer.submit()?;
        Ok(Some(self.report_progress()))
    }

    /// Reads a file to its end.
    fn read(
        &mut self,
        reader: &mut FileReader,
        file: &mut FileSource,
    ) -> ReadResult<ControlFlow<()>> {
        let bytes_before = self.progress.bytes;
        loop {
            let mut lines = reader.lines(file, &self.importer)?;
            loop {
                let turn =
                    reader.turn(&mut lines, &mut self.importer, TURN_BYTES, LastLine::Counts)?;
                if turn == Turn::Again {
                    break;
                }
                self.progress.bytes = bytes_before + reader.scanned;
                self.progress.events = self.importer.stored;
                if turn == Turn::End {
                    return Ok(ControlFlow::Continue(()));
                }
                if self.progress.bytes.saturating_sub(self.bytes_reported) >= TURN_BYTES
                    && self.report_progress().is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
    }

    fn read_as(&mut self, path: &Path, format: String) {
        self.importer.report.read_as.push((path.to_owned(), format));
    }

    fn unchanged(&mut self, bytes: u64) {
        self.importer.report.unchanged_files += 1;
        self.progress.files += 1;
        self.progress.bytes += bytes;
    }

    fn report_progress(&mut self) -> ControlFlow<()> {
        self.bytes_reported = self.progress.bytes;
        (self.on_progress)(&self.progress)
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        self.importer.report.failed_files.push((path.to_owned(), format!("{error:#}")));
    }

    fn finish(mut self) -> Result<ImportReport> {
        self.importer.settle_links()?;
        self.importer.flush()?;
        Ok(self.importer.report)
    }
}

/// Progress is reported at least each so many bytes.
const TURN_BYTES: u64 = 256 << 10;
