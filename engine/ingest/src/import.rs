//! The import: each file once, from where it was left.

use crate::clock::system_time_ns;
use forebear_core::{Result, Snapshot, Spool, Store};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

use crate::files::{FileToRead, Files};
use crate::follow::moved::Moved;
use crate::follow::position::{Position, source_name};
use crate::follow::seen::Seen;
use crate::follow::source::{LastLine, Source, Turn};
use crate::intake::Intake;
use crate::target::Target;
use crate::{ImportOptions, ImportProgress, ImportReport};

/// Imports transcripts. `progress` is called at least after each file and each
/// 256 KiB, and stops the import by returning [`ControlFlow::Break`]; what was
/// read until then is stored, and the next import goes on.
///
/// How far each file was read is kept in the store, in one block with its events:
/// importing again reads what is new, whoever read the file before, an import or a
/// [`Follower`](crate::Follower). A file that changed in what was read is
/// read from its start again, in which events known already are repeats, and so is
/// every file with [`ImportOptions::again`].
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
/// println!("{} events, {} files unchanged", report.events, report.unchanged_files);
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn import(
    store: &Store,
    options: &ImportOptions,
    progress: impl FnMut(&ImportProgress) -> ControlFlow<()>,
) -> Result<ImportReport> {
    let files = Files::find(&options.paths)?;
    run(Target::Store(store.clone()), options, &files, progress)
}

/// As [`import`], into a store that another process has open for writing: what is read
/// is handed in through the [`Spool`], some 4 MiB at a time, and each batch is waited for
/// before the next one goes, so that the store has exactly what it would have from
/// [`import`]. What of it was new only that process knows: see
/// [`ImportReport::handed_in`].
///
/// If that process ends meanwhile, the store is opened here and the import goes on into
/// it. An error if a batch is refused, as where the store takes only shorter payloads, or
/// if that process takes nothing in for [`ImportOptions::patience`]; the next import goes
/// on where this one ended. Only for a store on disk.
///
/// ```
/// use std::ops::ControlFlow;
/// use forebear::ingest::{ImportOptions, import_through};
/// use forebear::{Spool, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// # let file = folder.path().join("session.jsonl");
/// # std::fs::write(&file, "{\"uuid\":\"a\"}\n").expect("writes");
/// let store = Store::open(&path)?; // Mostly in another process.
/// let options = ImportOptions::new([&file]);
/// let report = import_through(&Spool::open(&path)?, &options, |_| ControlFlow::Continue(()))?;
/// assert_eq!(report.handed_in.map(|handed_in| handed_in.events), Some(1));
/// assert!(store.snapshot().contains("a")?);
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn import_through(
    spool: &Spool,
    options: &ImportOptions,
    progress: impl FnMut(&ImportProgress) -> ControlFlow<()>,
) -> Result<ImportReport> {
    let files = Files::find(&options.paths)?;
    run(Target::through(spool, options.patience)?, options, &files, progress)
}

fn run(
    target: Target,
    options: &ImportOptions,
    files: &Files,
    progress: impl FnMut(&ImportProgress) -> ControlFlow<()>,
) -> Result<ImportReport> {
    let mut import = Import {
        intake: Intake::new(target, options.durability, options.choice.clone()),
        on_progress: progress,
        progress: ImportProgress {
            files_total: files.found.len() as u64,
            bytes_total: files.found.iter().map(|file| file.seen.size).sum(),
            ..ImportProgress::default()
        },
        bytes_told: 0,
    };
    for (path, error) in &files.failed {
        import.failed(path, error);
    }
    let moved = if options.again {
        Moved::default()
    } else {
        import.intake.ask(|snapshot| moved(snapshot, &files.found))?
    };
    for file in &files.found {
        let positions = if options.again {
            Vec::new()
        } else {
            let name = source_name(&file.path);
            let own = import.intake.ask(|snapshot| Position::of(snapshot, &name))?;
            moved.positions(own, file.seen.file)
        };
        if import.file(file, positions)?.is_break() {
            import.intake.report.interrupted = true;
            break;
        }
    }
    import.finish()
}

/// Where files that are new under their name were read to under another.
fn moved(snapshot: &Snapshot, files: &[FileToRead]) -> Result<Moved> {
    let mut wanted = HashSet::new();
    for file in files {
        let known = Position::of(snapshot, &source_name(&file.path))?;
        if known.is_none_or(|position| position.seen.file != file.seen.file) {
            wanted.insert(file.seen.file);
        }
    }
    Moved::find(snapshot, &wanted)
}

struct Import<P> {
    intake: Intake,
    on_progress: P,
    progress: ImportProgress,
    /// Bytes read when progress was last told.
    bytes_told: u64,
}

impl<P: FnMut(&ImportProgress) -> ControlFlow<()>> Import<P> {
    /// Reads a file from where one of the positions says.
    fn file(&mut self, file: &FileToRead, positions: Vec<Position>) -> Result<ControlFlow<()>> {
        let is_current = positions.first().is_some_and(|known| known.is_current(&file.seen));
        if is_current {
            self.unchanged(file.seen.size);
            return Ok(self.tell());
        }
        let (mut opened, seen, now_ns) = match open(&file.path) {
            Ok(opened) => opened,
            Err(error) => {
                self.failed(&file.path, &error);
                return Ok(ControlFlow::Continue(()));
            }
        };
        let mut source = Source::new(&file.path, seen, positions);
        source.opened(seen, now_ns);
        let lines_before = self.intake.report.lines;
        let mut flow = match self.read(&mut source, &mut opened)? {
            Ok(flow) => {
                let begun = source.resumed();
                if begun.is_some() && self.intake.report.lines == lines_before {
                    self.intake.report.unchanged_files += 1;
                } else {
                    self.intake.report.files += u64::from(flow.is_continue());
                    self.intake.report.bytes += source.looked - begun.unwrap_or(0);
                }
                self.progress.files += u64::from(flow.is_continue());
                flow
            }
            Err(error) => {
                self.failed(&file.path, &error);
                ControlFlow::Continue(())
            }
        };
        source.link(&mut self.intake)?;
        if self.intake.links_are_due() {
            self.intake.settle_links()?;
        }
        if flow.is_continue() {
            flow = self.tell();
        }
        Ok(flow)
    }

    /// Reads a file to its end.
    fn read(
        &mut self,
        source: &mut Source,
        file: &mut File,
    ) -> Result<io::Result<ControlFlow<()>>> {
        let bytes_before = self.progress.bytes;
        loop {
            let mut lines = match source.lines(&mut *file, &self.intake) {
                Ok(lines) => lines,
                Err(error) => return Ok(Err(error)),
            };
            loop {
                match source.turn(&mut lines, &mut self.intake, TURN_BYTES, LastLine::Counts)? {
                    Ok(Turn::More) => {}
                    Ok(Turn::Again) => break,
                    Ok(Turn::End) => {
                        self.progress.bytes = bytes_before + source.looked;
                        self.progress.events = self.intake.stored;
                        return Ok(Ok(ControlFlow::Continue(())));
                    }
                    Err(error) => return Ok(Err(error)),
                }
                self.progress.bytes = bytes_before + source.looked;
                self.progress.events = self.intake.stored;
                if self.progress.bytes.saturating_sub(self.bytes_told) >= TURN_BYTES
                    && self.tell().is_break()
                {
                    return Ok(Ok(ControlFlow::Break(())));
                }
            }
        }
    }

    fn unchanged(&mut self, bytes: u64) {
        self.intake.report.unchanged_files += 1;
        self.progress.files += 1;
        self.progress.bytes += bytes;
    }

    fn tell(&mut self) -> ControlFlow<()> {
        self.bytes_told = self.progress.bytes;
        (self.on_progress)(&self.progress)
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        self.intake.report.failed_files.push((path.to_owned(), format!("{error:#}")));
    }

    fn finish(mut self) -> Result<ImportReport> {
        self.intake.settle_links()?;
        self.intake.flush()?;
        Ok(self.intake.report)
    }
}

/// Opens a file, and says how it looks and when that was asked.
pub(crate) fn open(path: &Path) -> io::Result<(File, Seen, i64)> {
    let file = File::open(path)?;
    let now_ns = system_time_ns(SystemTime::now());
    let seen = Seen::of(&file.metadata()?);
    Ok((file, seen, now_ns))
}

/// Progress is told at least each so many bytes.
const TURN_BYTES: u64 = 256 << 10;
