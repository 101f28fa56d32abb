//! What the objects of each format mean: one adapter each.

pub(crate) mod claude;
pub(crate) mod labels;
mod values;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::event::{Event, Link};
use crate::snapshot::Snapshot;

/// A format that files are imported from.
///
/// ```
/// use forebear::ingest::Format;
///
/// assert_eq!("claude-code".parse::<Format>()?, Format::ClaudeCode);
/// assert_eq!(Format::ClaudeCode.to_string(), "claude-code");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Transcripts of Claude Code, `claude-code`.
    ClaudeCode,
}

/// From the objects of one file, in order, to events.
///
/// What it keeps from one object to the next follows from the objects before it
/// alone: whoever goes on in the middle of a file shows it those again.
pub(crate) trait Adapter: fmt::Debug + Send {
    /// The event that an object stands for, or why it stands for none.
    fn event(&mut self, object: &str) -> std::result::Result<ReadEvent, String>;

    /// Whether [`links`](Self::links) may have something to say.
    fn has_links(&self) -> bool {
        false
    }

    /// Links that follow from what was read since this was last asked, and are not
    /// stored yet. The snapshot must show all events read.
    fn links(&mut self, _snapshot: &Snapshot) -> Result<Vec<Link>> {
        Ok(Vec::new())
    }
}

/// An event as it was read.
#[derive(Debug)]
pub(crate) struct ReadEvent {
    pub(crate) event: Event,
    /// Whether the object bears no time of its own.
    pub(crate) time_made_up: bool,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 1] = [Format::ClaudeCode];

    /// The format's name: `claude-code`.
    ///
    /// ```
    /// use forebear::ingest::Format;
    ///
    /// assert_eq!(Format::ClaudeCode.as_str(), "claude-code");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Format::ClaudeCode => "claude-code",
        }
    }

    /// What reads a file of this format, which was last modified then.
    pub(crate) fn adapter(self, path: &Path, modified_ns: i64) -> Box<dyn Adapter> {
        match self {
            Format::ClaudeCode => Box::new(claude::ClaudeCode::new(path, modified_ns)),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("expected a format ({names}), found {name:?}"))
        })
    }
}
