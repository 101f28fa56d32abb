//! What to read, and how.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use forebear_core::{Durability, Error, Result};

use crate::adapter::Adapter;
use crate::registry::Registry;

/// What to import or to follow, and how.
///
/// ```
/// use std::time::Duration;
/// use forebear::Durability;
/// use forebear::ingest::IngestOptions;
///
/// let options = IngestOptions::new(["session.jsonl", "/home/me/.claude/projects"])
///     .durability(Durability::Sync)
///     .poll_every(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
pub struct IngestOptions {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) registry: Registry,
    pub(crate) named: Option<ChosenAdapter>,
    pub(crate) durability: Durability,
    pub(crate) again: bool,
    pub(crate) patience: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) poll_only: bool,
}

/// What all files are read as.
#[derive(Clone, Debug)]
pub(crate) enum ChosenAdapter {
    Format(String),
    Adapter(Arc<dyn Adapter>),
}

impl IngestOptions {
    /// Reads these files, and those under these folders that a format
    /// [takes](Adapter::takes_file): of those that come with the crate the `*.jsonl` and
    /// `*.ndjson` ones.
    ///
    /// An import fails, before anything is read, where a path is not there; a follower
    /// reads what is not there once it is.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use forebear::ingest::{Follower, IngestOptions, import};
    ///
    /// # let store = forebear::in_memory()?;
    /// let options = IngestOptions::new(["/not/there/yet.jsonl"]);
    /// assert!(import(&store, &options, |_| ControlFlow::Continue(())).is_err());
    /// assert_eq!(Follower::new(&store, options)?.poll_once()?.events, 0);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            registry: Registry::default(),
            named: None,
            durability: Durability::Flush,
            again: false,
            patience: Duration::from_mins(1),
            poll_interval: Duration::from_secs(2),
            poll_only: false,
        }
    }

    /// Sets the formats that files may have; unless set, all that were compiled in.
    ///
    /// An example is at [`Adapter`].
    #[must_use]
    pub fn formats(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Reads all files as of the format of this name, whatever they look like. Unless
    /// set, each file is recognised by its path and its beginning, and one that is a single
    /// JSON document, not lines, is passed over and reported. A file that was read as of
    /// another format is read from its start.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use forebear::ingest::{IngestOptions, import};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let file = folder.path().join("log.jsonl");
    /// std::fs::write(&file, "{\"id\":\"a\"}\n{\"id\":\"b\",\"caused_by\":\"a\"}\n").expect("writes");
    /// let store = forebear::in_memory()?;
    /// let options = IngestOptions::new([&file]).format("ndjson");
    /// import(&store, &options, |_| ControlFlow::Continue(()))?;
    /// assert_eq!(store.snapshot().root("b")?, Some("a".into()));
    ///
    /// let options = IngestOptions::new([&file]).format("cobol");
    /// assert!(import(&store, &options, |_| ControlFlow::Continue(())).is_err());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn format(mut self, name: impl Into<String>) -> Self {
        self.named = Some(ChosenAdapter::Format(name.into()));
        self
    }

    /// Reads all files by this adapter, whatever they look like; see
    /// [`format`](Self::format).
    ///
    /// ```
    /// use forebear::ingest::{IngestOptions, formats};
    ///
    /// let options = IngestOptions::new(["rollout.jsonl"]).read_as(formats::Codex);
    /// ```
    #[must_use]
    pub fn read_as(mut self, adapter: impl Adapter + 'static) -> Self {
        self.named = Some(ChosenAdapter::Adapter(Arc::new(adapter)));
        self
    }

    /// Reads all files as lines of JSON whose fields this mapping names, whatever they
    /// look like.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use forebear::ingest::{IngestOptions, Mapping, import};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let file = folder.path().join("log.jsonl");
    /// std::fs::write(&file, "{\"key\":\"a\"}\n{\"key\":\"b\",\"why\":{\"key\":\"a\"}}\n").expect("writes");
    /// let store = forebear::in_memory()?;
    /// let mapping: Mapping = r#"{"id": "key", "parent": "why.key"}"#.parse()?;
    /// let options = IngestOptions::new([&file]).mapping(mapping);
    /// import(&store, &options, |_| ControlFlow::Continue(()))?;
    /// assert_eq!(store.snapshot().root("b")?, Some("a".into()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[cfg(feature = "ndjson")]
    #[must_use]
    pub fn mapping(self, mapping: crate::Mapping) -> Self {
        self.read_as(crate::formats::Ndjson::new(mapping))
    }

    /// Sets what each batch has reached before the next but one is read;
    /// [`Durability::Flush`] unless set, and at least that. An import always ends with a
    /// sync. What a power loss takes of what was followed is read again.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets whether an import reads files from their start, wherever an earlier import or
    /// a follower left them. What is known already are repeats; what retention has
    /// removed since comes back.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use forebear::ingest::{IngestOptions, import};
    ///
    /// # let store = forebear::in_memory()?;
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let file = folder.path().join("session.jsonl");
    /// std::fs::write(&file, "{\"uuid\":\"a\"}\n").expect("writes");
    /// let options = IngestOptions::new([file]);
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

    /// Sets how long [`import_through`](crate::import_through) waits for a batch to be
    /// taken in before it gives up: a minute unless set.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how often a follower polls all files where the system does not report changes:
    /// every two seconds unless set.
    ///
    /// ```
    /// use std::time::Duration;
    /// use forebear::ingest::{Follower, IngestOptions};
    ///
    /// # let store = forebear::in_memory()?;
    /// let options = IngestOptions::new(["/home/me/.claude/projects"]).poll_every(Duration::ZERO);
    /// assert!(Follower::new(&store, options).is_err_and(|error| error.is_invalid()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Sets whether a follower polls files even where the system would report changes,
    /// which it may not do for files that another machine writes.
    #[must_use]
    pub fn poll_only(mut self, poll_only: bool) -> Self {
        self.poll_only = poll_only;
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.poll_interval.is_zero() {
            return Err(Error::invalid("expected poll_every of more than 0, found 0"));
        }
        Ok(())
    }
}
