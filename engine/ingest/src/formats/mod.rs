//! What the objects of each format mean: one adapter each.

mod apps;
pub(crate) mod claude;
mod codex;
mod copilot;
mod engram;
mod equal;
mod hook;
pub(crate) mod labels;
mod mapping;
mod ndjson;
mod recognise;
mod said;
mod values;

use forebear_core::{Error, Link, Result, Snapshot};
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

pub use hook::{HookDecoder, append_hook, submit_hook};
pub use mapping::Mapping;
pub(crate) use recognise::read_head;
use recognise::{Recognised, recognise};
pub(crate) use said::ReadEvent;

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
    /// Lines of JSON in no format of their own, read by a [`Mapping`], `ndjson`.
    Ndjson,
    /// Rollouts of the Codex CLI, `codex`.
    Codex,
    /// Event logs of the Copilot CLI, `copilot`.
    Copilot,
    /// Payloads of Claude Code's hooks, `hook`.
    Hook,
    /// The files of an Engram folder, `engram`.
    Engram,
}

/// How it is decided what reads a file: by how it begins, unless a format is named.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) format: Option<Format>,
    pub(crate) mapping: Mapping,
}

impl Choice {
    /// The format of a file with this name that begins so; an error if it is none.
    pub(crate) fn format_of(&self, path: &Path, head: &[u8]) -> io::Result<Format> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        match recognise(path, head) {
            Recognised::Lines(format) => Ok(format),
            Recognised::Document(reason) => Err(io::Error::new(io::ErrorKind::InvalidData, reason)),
        }
    }
}

/// From the objects of one file, in order, to events.
///
/// What it keeps from one object to the next follows from the objects before it
/// alone: whoever goes on in the middle of a file shows it those again.
pub(crate) trait Adapter: fmt::Debug + Send {
    /// The event that an object stands for, or why it stands for none.
    fn event(&mut self, object: &str) -> std::result::Result<ReadEvent, String>;

    /// Whether labels of its events say which calls started which agents.
    fn has_clues(&self) -> bool {
        false
    }

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

impl Format {
    /// All formats.
    pub const ALL: [Format; 6] = [
        Format::ClaudeCode,
        Format::Ndjson,
        Format::Codex,
        Format::Copilot,
        Format::Hook,
        Format::Engram,
    ];

    /// The format's name, as each has it.
    ///
    /// ```
    /// use forebear::ingest::Format;
    ///
    /// assert_eq!(Format::ClaudeCode.as_str(), "claude-code");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Format::ClaudeCode => "claude-code",
            Format::Ndjson => "ndjson",
            Format::Codex => "codex",
            Format::Copilot => "copilot",
            Format::Hook => "hook",
            Format::Engram => "engram",
        }
    }

    /// The program that files of this format are of, where it is one.
    fn source_app(self) -> Option<&'static str> {
        match self {
            Format::ClaudeCode | Format::Hook => Some("claude-code"),
            Format::Codex => Some("codex-cli"),
            Format::Copilot => Some("copilot-cli"),
            Format::Engram => Some("engram"),
            Format::Ndjson => None,
        }
    }

    /// What reads a file of this format, which was last modified then.
    pub(crate) fn adapter(
        self,
        path: &Path,
        modified_ns: i64,
        mapping: &Mapping,
    ) -> Box<dyn Adapter> {
        let adapter: Box<dyn Adapter> = match self {
            Format::ClaudeCode => Box::new(claude::ClaudeCode::new(path, modified_ns)),
            Format::Ndjson => Box::new(ndjson::Ndjson::new(mapping.clone(), modified_ns)),
            Format::Codex => Box::new(codex::Codex::new(path, modified_ns)),
            Format::Copilot => Box::new(copilot::Copilot::new(path, modified_ns)),
            Format::Hook => Box::new(hook::Hooks::new(modified_ns)),
            Format::Engram => Box::new(engram::Engram::new(modified_ns)),
        };
        match self.source_app() {
            Some(app) => Box::new(apps::Apps::new(adapter, app)),
            None => adapter,
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
