//! What a format is: the traits that one's own format implements.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use forebear_core::{Event, Link, Snapshot};
use forebear_readings::PayloadReader;

use crate::parsed::Parsed;
use crate::read::source::unpacked_path;

/// A format: how its files are recognised, and what reads one.
///
/// Everything that import and follow need to know of a format stands here; a
/// [`Registry`](crate::Registry) holds the formats that a process has. A format of one's
/// own is as good as those that come with the crate:
///
/// ```
/// use std::ops::ControlFlow;
/// use std::path::Path;
///
/// use forebear::ingest::{
///     Adapter, Confidence, IngestOptions, Parsed, Parser, Registry, SourceFile, Unit, import,
/// };
/// use forebear::{Event, EventId};
///
/// /// Logs of a build: `LEVEL TARGET: TEXT`, each line caused by the one before.
/// #[derive(Debug)]
/// struct BuildLog;
///
/// #[derive(Debug)]
/// struct BuildLogParser {
///     session: String,
///     time_ns: i64,
///     line: u64,
///     last: Option<EventId>,
/// }
///
/// impl Adapter for BuildLog {
///     fn name(&self) -> &'static str {
///         "build-log"
///     }
///
///     fn unit(&self) -> Unit {
///         Unit::Line
///     }
///
///     fn takes_file(&self, path: &Path) -> bool {
///         path.extension().is_some_and(|extension| extension == "log")
///     }
///
///     fn recognise(&self, line: &str) -> Confidence {
///         let is_ours = ["INFO ", "WARN ", "ERROR "].iter().any(|level| line.starts_with(level));
///         if is_ours { Confidence::Likely } else { Confidence::No }
///     }
///
///     fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
///         Box::new(BuildLogParser {
///             session: file.stem(),
///             time_ns: file.modified_ns,
///             line: 0,
///             last: None,
///         })
///     }
/// }
///
/// impl Parser for BuildLogParser {
///     fn parse(&mut self, line: &str) -> Result<Parsed, String> {
///         let (level, text) = line.split_once(' ').ok_or("expected a level and a text")?;
///         self.line += 1;
///         let content = format!("{} {}", self.session, self.line);
///         let mut event = Event::new(level.to_lowercase())
///             .derived_id("build log", content.as_bytes())
///             .session(&self.session)
///             .time_ns(self.time_ns)
///             .payload(text);
///         if let Some(last) = self.last.replace(event.as_id().clone()) {
///             event = event.parent(last);
///         }
///         Ok(Parsed::new(event).time_made_up(true))
///     }
/// }
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// std::fs::write(folder.path().join("42.log"), "INFO engine: compiles\nERROR engine: no such type\n")
///     .expect("writes");
/// let store = forebear::in_memory()?;
/// let options = IngestOptions::new([folder.path()]).formats(Registry::default().with(BuildLog));
/// let report = import(&store, &options, |_| ControlFlow::Continue(()))?;
/// assert_eq!(report.without_id, 2);
/// let errors = store.snapshot().events(forebear::Filter::new().kind("error")).page()?;
/// assert_eq!(errors.items[0].depth(), 1);
/// # Ok::<(), forebear::Error>(())
/// ```
pub trait Adapter: Debug + Send + Sync {
    /// The name that the format is chosen by and that is kept with how far a file was
    /// read: short, and never changed, or files are read from their start again.
    fn name(&self) -> &str;

    /// The program that its files are of, where it is one: said of their sessions.
    fn source_app(&self) -> Option<&str> {
        None
    }

    /// What a file of the format consists of.
    fn unit(&self) -> Unit {
        Unit::Object
    }

    /// Whether a file that is found in a folder may be of the format, by its path; files
    /// that are named are read whatever they are called. Unless the format says otherwise,
    /// `*.jsonl` and `*.ndjson`, also packed by zstd (`*.jsonl.zst`).
    fn takes_file(&self, path: &Path) -> bool {
        takes_lines(path)
    }

    /// Whether a file belongs to another of the format, with which it is read if at all:
    /// nobody is told that it is left out.
    fn is_companion(&self, _path: &Path) -> bool {
        false
    }

    /// What reads databases of the format, where it is kept in such.
    fn database(&self) -> Option<Arc<dyn Database>> {
        None
    }

    /// Whether a file is of the format by its path alone, whatever is in it.
    fn recognise_path(&self, _path: &Path) -> Confidence {
        Confidence::No
    }

    /// Whether a line from the beginning of a file says that it is of the format. It may
    /// be any text, and cut off.
    fn recognise(&self, line: &str) -> Confidence;

    /// Whether an object is a whole record, and not a part of one: asked where a crash cut
    /// a record off and the object behind it may be the value that was due.
    fn is_record(&self, object: &str) -> bool {
        self.recognise(object) >= Confidence::Likely
    }

    /// Whether a file that is one JSON document is of the format, by its beginning, which
    /// may be cut off.
    fn recognise_document(&self, _head: &str) -> Confidence {
        Confidence::No
    }

    /// The lines of objects that a JSON document of the format stands for, each ended by a
    /// line feed: they are read as those of a file of lines are. The document is well formed
    /// and of at most 64 MiB. What belongs to it may lie beside its path.
    fn unfold(&self, _path: &Path, _document: &str) -> Result<Vec<u8>, String> {
        Err("expected lines with an object each, found a document".to_owned())
    }

    /// What reads a file from its start.
    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser>;

    /// What reads the payloads of its events once they are stored: from each alone,
    /// without what the parser knew of the file. Without one, a payload gives its text.
    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        None
    }

    /// What finds links between events of several files, where the format has such.
    fn linker(&self) -> Option<Box<dyn Linker>> {
        None
    }
}

/// Whether files of lines are usually called so.
pub(crate) fn takes_lines(path: &Path) -> bool {
    ["jsonl", "ndjson"].iter().any(|suffix| {
        let extension = unpacked_path(path).extension();
        extension.is_some_and(|extension| extension.eq_ignore_ascii_case(suffix))
    })
}

/// Reads the records of one file, in order.
///
/// What it keeps from one record to the next follows from the records before it alone:
/// to resume in the middle of a file, a reader shows it those again.
pub trait Parser: Debug + Send {
    /// What a record stands for: of a format of [objects](Unit::Object) a well-formed JSON
    /// object without the space around it, of [lines](Unit::Line) a line. `Err` says why it
    /// stands for nothing ("expected …, found …"): it is quarantined with that reason.
    fn parse(&mut self, record: &str) -> Result<Parsed, String>;

    /// Whether [`links`](Self::links) may have something to say.
    fn has_links(&self) -> bool {
        false
    }

    /// Links that follow from what was read since this was last asked, and are not
    /// stored yet. The snapshot shows all events read. May be asked again after an error.
    fn links(&mut self, _snapshot: &Snapshot) -> forebear_core::Result<Vec<Link>> {
        Ok(Vec::new())
    }
}

/// Reads the databases that a format is kept in: rows as lines of objects for its parser.
pub trait Database: Debug + Send + Sync {
    /// Whether a database of `SQLite` is of the format.
    fn is_of(&self, path: &Path) -> io::Result<bool>;

    /// Hands on the rows that are new or changed since it was read last, an object each, or
    /// why a row is none, and
    /// returns up to where it was read, to be given back as `since` the next time; empty the
    /// first time, and where another file lies there now. What is handed on again is a
    /// repeat, what isn't is lost.
    fn read(
        &self,
        path: &Path,
        since: &[u8],
        read: &RowsRead,
        row: &mut dyn FnMut(Result<&str, String>) -> io::Result<()>,
    ) -> io::Result<Vec<u8>>;
}

/// How rows are read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RowsRead {
    /// A row of more bytes is not taken.
    pub max_bytes: usize,
    /// Whether it will be read again soon: then what is about to change can wait.
    pub waits: bool,
}

impl RowsRead {
    /// Of rows of at most so many bytes.
    pub fn new(max_bytes: usize, waits: bool) -> Self {
        Self { max_bytes, waits }
    }
}

/// Finds links between events of several files, a batch at a time: each batch gets a
/// linker of its own, so what joins one batch's events to another's is in the store, for
/// example as labels.
pub trait Linker: Debug + Send {
    /// Observes an event of the batch, or one that is stored already and whose links may be
    /// missing; returns whether links may follow from it.
    fn observe(&mut self, event: &Event) -> bool;

    /// Links that follow from the events observed and are not stored yet. The snapshot shows
    /// all of them. May be asked again after an error.
    fn links(&self, snapshot: &Snapshot) -> forebear_core::Result<Vec<Link>>;
}

/// A file that is about to be read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SourceFile<'f> {
    /// Its canonical path.
    pub path: &'f Path,
    /// When it was last modified, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
}

impl<'f> SourceFile<'f> {
    /// A file for a test of a [`Parser`].
    pub fn new(path: &'f Path, modified_ns: i64) -> Self {
        Self { path, modified_ns }
    }

    /// Its name without what follows the last dot (of a packed file, `.zst` too), cut to what a session's name may have.
    pub fn stem(&self) -> String {
        let mut name =
            unpacked_path(self.path).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        name.truncate(name.floor_char_boundary(forebear_core::limits::MAX_NAME_BYTES));
        name
    }
}

/// What the files of a format consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// JSON objects: one on a line, or several glued together, with anything around them.
    Object,
    /// Lines of UTF-8, blank ones left out. A last one without a line feed waits for it
    /// when the file is followed, and counts as a line when it is imported.
    Line,
}

/// How surely a file is of a format. Of several that are sure of a line, the surest reads
/// the file, and of equally sure ones the first in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Confidence {
    /// It is not, or the line says nothing.
    No,
    /// It looks like it, as it may like others.
    Possible,
    /// It has what no other known format has together.
    Likely,
    /// It says so.
    Certain,
}
