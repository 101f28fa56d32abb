//! What a follower follows, and how.

use forebear_core::Durability;
use std::path::PathBuf;
use std::time::Duration;

use crate::formats::{Choice, Format, Mapping};

/// What to follow, and how.
///
/// ```
/// use std::time::Duration;
/// use forebear::ingest::FollowOptions;
///
/// let options = FollowOptions::new(["/home/me/.claude/projects"]).poll_every(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
pub struct FollowOptions {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) durability: Durability,
    pub(crate) poll_interval: Duration,
    pub(crate) poll_only: bool,
    pub(crate) choice: Choice,
}

impl FollowOptions {
    /// Follows these files, and the `*.jsonl` and `*.ndjson` files under these folders.
    /// What is not there is followed once it is.
    ///
    /// ```
    /// use forebear::ingest::{FollowOptions, Follower};
    ///
    /// # let store = forebear::Store::in_memory()?;
    /// let mut follower = Follower::new(&store, FollowOptions::new(["/not/there/yet"]));
    /// assert_eq!(follower.poll_once()?.events, 0);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            durability: Durability::Flush,
            poll_interval: Duration::from_secs(2),
            poll_only: false,
            choice: Choice::default(),
        }
    }

    /// Sets what each batch has reached once a poll ends; [`Durability::Flush`] unless
    /// set, and at least that. Whatever a power loss takes is read again.
    ///
    /// ```
    /// use forebear::Durability;
    /// use forebear::ingest::FollowOptions;
    ///
    /// let options = FollowOptions::new(["/home/me/.claude/projects"]).durability(Durability::Sync);
    /// ```
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how often all files are looked at where the system does not tell of
    /// changes: every two seconds unless set.
    ///
    /// ```
    /// use std::time::Duration;
    /// use forebear::ingest::FollowOptions;
    ///
    /// let options = FollowOptions::new(["/home/me/.claude/projects"]).poll_every(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Sets whether files are looked at in turn even where the system would tell of
    /// changes, which it may not do for files that another machine writes.
    ///
    /// ```
    /// use forebear::ingest::FollowOptions;
    ///
    /// let options = FollowOptions::new(["/home/me/.claude/projects"]).poll_only(true);
    /// ```
    #[must_use]
    pub fn poll_only(mut self, poll_only: bool) -> Self {
        self.poll_only = poll_only;
        self
    }

    /// Reads all files as of this format, whatever they look like; see
    /// [`ImportOptions::format`](crate::ImportOptions::format). A file that was
    /// read as of another is read from its start.
    ///
    /// ```
    /// use forebear::ingest::{FollowOptions, Format};
    ///
    /// let options = FollowOptions::new(["/home/me/.codex/sessions"]).format(Format::Codex);
    /// ```
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.choice.format = Some(format);
        self
    }

    /// Reads all files as lines of JSON whose fields this mapping names, whatever they
    /// look like; see [`ImportOptions::mapping`](crate::ImportOptions::mapping).
    ///
    /// ```
    /// use forebear::ingest::{FollowOptions, Mapping};
    ///
    /// let mapping: Mapping = r#"{"id": "key", "parent": "why.key"}"#.parse()?;
    /// let options = FollowOptions::new(["/var/log/spans"]).mapping(mapping);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.choice = Choice { format: Some(Format::Ndjson), mapping };
        self
    }
}
