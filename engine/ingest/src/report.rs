//! What an import found and did.

use std::path::PathBuf;

/// How far an import has come.
///
/// ```
/// use std::ops::ControlFlow;
/// use forebear::ingest::{IngestOptions, ImportProgress, import};
///
/// # let store = forebear::in_memory()?;
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let file = folder.path().join("session.jsonl");
/// # std::fs::write(&file, "{\"type\":\"summary\"}\n").expect("writes");
/// let show = |progress: &ImportProgress| {
///     println!("{} of {} bytes", progress.bytes, progress.bytes_total);
///     ControlFlow::Continue(())
/// };
/// import(&store, &IngestOptions::new([file]), show)?;
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportProgress {
    /// Files that were read to their end.
    pub files: u64,
    /// Files there are.
    pub files_total: u64,
    /// Bytes read, now or before.
    pub bytes: u64,
    /// Bytes there were when the import began.
    pub bytes_total: u64,
    /// Events stored so far; of those that were handed in, known ones too.
    pub events: u64,
}

/// What an import found and did.
///
/// ```
/// use std::ops::ControlFlow;
/// use forebear::ingest::{IngestOptions, import};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let file = folder.path().join("session.jsonl");
/// std::fs::write(&file, "{\"uuid\":\"a\",\"type\":\"user\"}\nnot an object\n").expect("writes");
/// let store = forebear::in_memory()?;
/// let options = IngestOptions::new([&file]);
/// let report = import(&store, &options, |_| ControlFlow::Continue(()))?;
/// assert_eq!((report.lines, report.events, report.bad_lines), (2, 1, 1));
/// let again = import(&store, &options, |_| ControlFlow::Continue(()))?;
/// assert_eq!((again.files, again.unchanged_files), (0, 1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportReport {
    /// Files read to their end, in which there was something new to read.
    pub files: u64,
    /// Files in which there was nothing new since they were read last.
    pub unchanged_files: u64,
    /// Bytes read that were not read before.
    pub bytes: u64,
    /// Lines read; blank ones do not count.
    pub lines: u64,
    /// Events newly stored, from objects with a uuid.
    pub events: u64,
    /// Events newly stored in all, those from objects without a uuid among them.
    pub stored: u64,
    /// Objects that were known already, with a uuid or without.
    pub known: u64,
    /// Objects with a uuid that were known already.
    pub repeats: u64,
    /// Versions newly stored of events that were known with other content.
    pub versions: u64,
    /// Objects without a uuid, stored before or not.
    pub without_id: u64,
    /// Lines that held more than one object.
    pub glued_lines: u64,
    /// Lines with something on them that is not an object.
    pub bad_lines: u64,
    /// Last lines that end within an object: the rest is read once it is written.
    pub waiting_lines: u64,
    /// Pieces of input newly quarantined.
    pub quarantined: u64,
    /// Events that bear no time of their own and were given one.
    pub times_made_up: u64,
    /// Links found between agents and the calls that started them, newly stored.
    pub links: u64,
    /// What each file was taken for that was read now or before: the format's name.
    pub read_as: Vec<(PathBuf, String)>,
    /// Files that could not be read, and why.
    pub failed_files: Vec<(PathBuf, String)>,
    /// Files in the folders named that are of no format, and why: the first 1000.
    pub left_out: Vec<(PathBuf, String)>,
    /// How many there are in all.
    pub left_out_files: u64,
    /// Whether the import was stopped before its end.
    pub interrupted: bool,
    /// What [`import_through`](crate::import_through) handed in, and the process that has the store open took
    /// in. What of it was new that process alone knows, so that none of it is among
    /// `events`, `repeats`, `versions`, `links` and `quarantined`. None if nothing was.
    pub handed_in: Option<HandedIn>,
}

/// What was handed in and taken in, stored before or not.
///
/// An example is at [`import_through`](crate::import_through).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandedIn {
    /// Objects with a uuid.
    pub events: u64,
    /// Objects without one.
    pub without_id: u64,
    /// Links between agents and the calls that started them.
    pub links: u64,
    /// Pieces of input that are no object.
    pub quarantined: u64,
}
