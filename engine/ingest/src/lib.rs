//! Reading transcripts and logs into a store. The only place that knows their formats.
//!
//! All are files of lines with an object each, or several glued together. Each object
//! becomes an event, its bytes the payload. Which [`Format`] a file has is known by
//! how it begins; a file that is one JSON document and not lines is passed over and
//! reported.
//!
//! | format | ids | parents |
//! |---|---|---|
//! | `claude-code` | the lines' | as they name them; agents hang on their calls |
//! | `codex` (rollouts of the Codex CLI) | of session, bytes and number among equal lines | the line before; of a call's output the call |
//! | `copilot` (event logs of the Copilot CLI) | the lines' | as they name them |
//! | `hook` (payloads of Claude Code's hooks) | of the call, or as `codex` | of a call's result the call, of an agent's start its call, else the last event |
//! | `engram` (the folder of an Engram store) | the lines'; of edges their ends and kind | the task |
//! | `ndjson` (anything else) | a field, else as `codex` | a field; see [`Mapping`] |
//!
//! Of a transcript of Claude Code,
//!
//! | of the event | is, of the object |
//! |---|---|
//! | id | `uuid`; without one, a `UUIDv8` of its bytes |
//! | parent | `parentUuid` (`caused`), else `logicalParentUuid` (`continues`), else the call that started its agent (`spawned`); without a `uuid`, `leafUuid` or `messageId` |
//! | kind | `user_message`, `tool_result`, `assistant_message`, `thinking`, `tool_use`, `error`, else its `type` |
//! | time | `timestamp`, else `snapshot.timestamp`, else that of the line before, else when the file was modified |
//! | session | `sessionId`, else the file's name |
//! | instance | `agentId`, else the session |
//!
//! The labels, each where there is something to say: `type`, `subtype`,
//! `project` (the folder that the session's file lies in), `branch`, `version`,
//! `model`, `agent`, `sidechain` (`true`), `is_error` (`true`), `tool` on calls,
//! `tool_use_id` on calls and results; where a line holds several, `tool.2`,
//! `tool_use_id.2` and so on. By `agent_root`, `agent_result`, `agent_progress`,
//! `agent_call` and `source_call` agents are linked to the calls that started
//! them, in whatever order the ends come.
//!
//! An event has room for 64 labels: of one line, the first 8 tools and results
//! and the first 40 calls get theirs. An agent that a later call of the line
//! started is linked only where a result names the event (`source_call`).
//!
//! An id seen before with the same bytes is a repeat; with others, a version.
//! What is not a JSON object is quarantined with the place it came from.

mod clock;
mod files;
mod follow;
mod formats;
mod import;
mod intake;
mod json;
mod lines;
mod objects;
mod target;
mod trail;

use forebear_core::Durability;
use std::path::PathBuf;
use std::time::Duration;

use crate::formats::Choice;

pub use follow::{FilePosition, FollowOptions, FollowStatus, Follower, Polled, StopHandle};
pub use formats::{Format, HookDecoder, Mapping, append_hook, submit_hook};
pub use import::{import, import_through};

/// What to import, and how.
///
/// ```no_run
/// use forebear::Durability;
/// use forebear::ingest::ImportOptions;
///
/// let options = ImportOptions::new(["session.jsonl", "more/sessions"]).durability(Durability::Sync);
/// ```
#[derive(Clone, Debug)]
pub struct ImportOptions {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) durability: Durability,
    pub(crate) again: bool,
    pub(crate) choice: Choice,
    pub(crate) patience: Duration,
}

impl ImportOptions {
    /// Imports these files, and the `*.jsonl` and `*.ndjson` files under these folders.
    ///
    /// A path that is not there is an error of the import, before anything is read.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use forebear::ingest::{ImportOptions, import};
    ///
    /// # let store = forebear::Store::in_memory()?;
    /// let options = ImportOptions::new(["/not/there.jsonl"]);
    /// assert!(import(&store, &options, |_| ControlFlow::Continue(())).is_err());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            durability: Durability::Flush,
            again: false,
            choice: Choice::default(),
            patience: Duration::from_mins(1),
        }
    }

    /// Sets whether files are read from their start, wherever an earlier import or a
    /// follower left them. What is known already are repeats; what retention has
    /// removed since comes back.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use forebear::ingest::{ImportOptions, import};
    ///
    /// # let store = forebear::Store::in_memory()?;
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let file = folder.path().join("session.jsonl");
    /// std::fs::write(&file, "{\"uuid\":\"a\"}\n").expect("writes");
    /// let options = ImportOptions::new([file]);
    /// import(&store, &options, |_| ControlFlow::Continue(()))?;
    /// let report = import(&store, &options, |_| ControlFlow::Continue(()))?;
    /// assert_eq!((report.unchanged_files, report.repeats), (1, 0));
    /// let report = import(&store, &options.again(true), |_| ControlFlow::Continue(()))?;
    /// assert_eq!((report.unchanged_files, report.repeats), (0, 1));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn again(mut self, again: bool) -> Self {
        self.again = again;
        self
    }

    /// Reads all files as of this format, whatever they look like. Unless set, each
    /// file is known by how it begins, and one that is a single JSON document, not
    /// lines, is passed over and reported.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use forebear::ingest::{Format, ImportOptions, import};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let file = folder.path().join("log.jsonl");
    /// std::fs::write(&file, "{\"id\":\"a\"}\n{\"id\":\"b\",\"caused_by\":\"a\"}\n").expect("writes");
    /// let store = forebear::Store::in_memory()?;
    /// let options = ImportOptions::new([&file]).format(Format::Ndjson);
    /// import(&store, &options, |_| ControlFlow::Continue(()))?;
    /// assert_eq!(store.snapshot().root("b")?, Some("a".into()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.choice.format = Some(format);
        self
    }

    /// Reads all files as lines of JSON whose fields this mapping names, whatever
    /// they look like.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use forebear::ingest::{ImportOptions, Mapping, import};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let file = folder.path().join("log.jsonl");
    /// std::fs::write(&file, "{\"key\":\"a\"}\n{\"key\":\"b\",\"why\":{\"key\":\"a\"}}\n").expect("writes");
    /// let store = forebear::Store::in_memory()?;
    /// let mapping: Mapping = r#"{"id": "key", "parent": "why.key"}"#.parse()?;
    /// let options = ImportOptions::new([&file]).mapping(mapping);
    /// import(&store, &options, |_| ControlFlow::Continue(()))?;
    /// assert_eq!(store.snapshot().root("b")?, Some("a".into()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.choice = Choice { format: Some(Format::Ndjson), mapping };
        self
    }

    /// Sets what each batch has reached before the next but one is read;
    /// [`Durability::Flush`] unless set, and at least that. An import always ends
    /// with a sync.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long [`import_through`] waits for a batch to be taken in before it gives
    /// up: a minute unless set.
    ///
    /// ```
    /// use std::time::Duration;
    /// use forebear::ingest::ImportOptions;
    ///
    /// let options = ImportOptions::new(["session.jsonl"]).patience(Duration::MAX);
    /// ```
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// How far an import has come.
///
/// ```
/// use std::ops::ControlFlow;
/// use forebear::ingest::{ImportOptions, ImportProgress, import};
///
/// # let store = forebear::Store::in_memory()?;
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let file = folder.path().join("session.jsonl");
/// # std::fs::write(&file, "{\"type\":\"summary\"}\n").expect("writes");
/// let show = |progress: &ImportProgress| {
///     println!("{} of {} bytes", progress.bytes, progress.bytes_total);
///     ControlFlow::Continue(())
/// };
/// import(&store, &ImportOptions::new([file]), show)?;
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
/// use forebear::Store;
/// use forebear::ingest::{ImportOptions, import};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let file = folder.path().join("session.jsonl");
/// std::fs::write(&file, "{\"uuid\":\"a\",\"type\":\"user\"}\nnot an object\n").expect("writes");
/// let store = Store::in_memory()?;
/// let options = ImportOptions::new([&file]);
/// let report = import(&store, &options, |_| ControlFlow::Continue(()))?;
/// assert_eq!((report.lines, report.events, report.bad_lines), (2, 1, 1));
/// let again = import(&store, &options, |_| ControlFlow::Continue(()))?;
/// assert_eq!((again.files, again.unchanged_files), (0, 1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Pieces of input newly quarantined.
    pub quarantined: u64,
    /// Events that bear no time of their own and were given one.
    pub times_made_up: u64,
    /// Links found between agents and the calls that started them, newly stored.
    pub links: u64,
    /// Files that could not be read, and why.
    pub failed_files: Vec<(PathBuf, String)>,
    /// Whether the import was stopped before its end.
    pub interrupted: bool,
    /// What [`import_through`] handed in, and the process that has the store open took
    /// in. What of it was new that process alone knows, so that none of it is among
    /// `events`, `repeats`, `versions`, `links` and `quarantined`. None if nothing was.
    pub handed_in: Option<HandedIn>,
}

/// What was handed in and taken in, stored before or not.
///
/// An example is at [`import_through`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
