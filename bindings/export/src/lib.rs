//! Events of a store in the formats of other programs.
//!
//! A [`Format`] makes an [`EventWriter`], which is given the events one after the other, the
//! oldest first, and writes each as soon as it can: what it holds is bounded, however many come.
//!
//! ```
//! use forebear::{Event, Filter};
//! use forebear_export::{Format, Options};
//!
//! let store = forebear::in_memory()?;
//! store.append(Event::new("note").id("n").time_ns(0).instance("main").payload("2, 3"))?;
//! let mut csv = Vec::new();
//! let mut writer = Format::Csv.writer(&mut csv, Options::default());
//! for event in &store.snapshot().events(Filter::new()).oldest_first() {
//!     writer.event(&event?).expect("a vector takes everything");
//! }
//! writer.finish().expect("the same");
//! drop(writer);
//! let csv = String::from_utf8(csv).expect("it is text");
//! assert!(csv.ends_with("n,,,1970-01-01T00:00:00Z,note,main,,,{},,\"2, 3\",\r\n"), "{csv}");
//! # Ok::<(), forebear::Error>(())
//! ```

#![warn(missing_docs)]

mod actor;
mod csv;
mod dot;
mod engram;
mod mermaid;
mod node;
mod otlp;
mod payloads;
mod perfetto;
mod proto;
mod records;
mod span;
mod spans;
mod trace;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use forebear::readings::Readings;
use forebear::{EventId, StoredEvent};
use forebear_wire::redact::Redactor;

/// Writes events, the oldest first, with their payloads.
pub trait EventWriter {
    /// Takes an event; whether the format has anything of it.
    fn event(&mut self, event: &StoredEvent) -> io::Result<bool>;

    /// Writes what waited for events to come. To be called once, behind the last event.
    fn finish(&mut self) -> io::Result<()>;
}

/// A format of another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The payloads as they came in, a line each.
    Payloads,
    /// Records as `forebear append --json` takes them: nothing of an event is lost.
    Jsonl,
    /// Comma-separated values by RFC 4180, with a line of names.
    Csv,
    /// A graph for Graphviz.
    Dot,
    /// A flowchart for Mermaid.
    Mermaid,
    /// Spans for `OpenTelemetry`, lines of its protocol in JSON: a session is a trace, in which
    /// turns are within the session, calls with their results within turns, agents within the
    /// calls that started them.
    Otlp,
    /// Slices for Perfetto: a session is a process, an agent a thread.
    Perfetto,
    /// The files of an Engram folder: tasks, edges and events.
    Engram,
}

/// How events are written.
#[derive(Default)]
pub struct Options<'w> {
    redactor: Redactor,
    readings: Readings,
    find: Option<Box<Find<'w>>>,
}

type Find<'w> = dyn Fn(&EventId) -> Option<StoredEvent> + 'w;

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Payloads,
        Self::Jsonl,
        Self::Csv,
        Self::Dot,
        Self::Mermaid,
        Self::Otlp,
        Self::Perfetto,
        Self::Engram,
    ];

    /// Its name: `payloads`, `jsonl`, `csv`, `dot`, `mermaid`, `otlp`,
    /// `perfetto`, `engram`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Payloads => "payloads",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Dot => "dot",
            Self::Mermaid => "mermaid",
            Self::Otlp => "otlp",
            Self::Perfetto => "perfetto",
            Self::Engram => "engram",
        }
    }

    /// Whether it has each line of a file that says an event again as it goes on.
    pub fn takes_superseded(self) -> bool {
        matches!(self, Self::Payloads | Self::Jsonl | Self::Csv | Self::Engram)
    }

    /// Whether it is bytes and no text.
    pub fn is_binary(self) -> bool {
        self == Self::Perfetto
    }

    /// Whether it is a folder of files, which [`folder_writer`](Self::folder_writer) writes.
    pub fn is_folder(self) -> bool {
        self == Self::Engram
    }

    /// What writes the format into a folder that is there, none of whose files may be. Of a
    /// format of one file there is nothing to write so: `unsupported`.
    pub fn folder_writer<'w>(
        self,
        folder: &Path,
        options: Options<'w>,
    ) -> io::Result<Box<dyn EventWriter + 'w>> {
        match self {
            Self::Engram => Ok(Box::new(engram::EngramWriter::new(folder, options)?)),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// What writes the format; of one that [is a folder](Self::is_folder) its records, as
    /// [`Jsonl`](Self::Jsonl) has them.
    pub fn writer<'w>(
        self,
        out: impl Write + 'w,
        options: Options<'w>,
    ) -> Box<dyn EventWriter + 'w> {
        match self {
            Self::Payloads => Box::new(payloads::PayloadWriter(out)),
            Self::Jsonl | Self::Engram => Box::new(records::RecordWriter(out)),
            Self::Csv => Box::new(csv::CsvWriter::new(out)),
            Self::Dot => Box::new(dot::DotWriter::new(out, options)),
            Self::Mermaid => Box::new(mermaid::MermaidWriter::new(out, options)),
            Self::Otlp => Box::new(spans::SpanWriter::new(otlp::OtlpWriter::new(out), options)),
            Self::Perfetto => {
                Box::new(spans::SpanWriter::new(perfetto::PerfettoWriter::new(out), options))
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            format!("expected one of {}, found {text:?}", names.join(", "))
        })
    }
}

impl<'w> Options<'w> {
    /// Says what payloads read as, for formats that go by that; nothing but their texts unless
    /// set.
    #[must_use]
    pub fn readings(mut self, readings: Readings) -> Self {
        self.readings = readings;
        self
    }

    /// Says how events are found that others name and that are not among those written, for
    /// links from one session to another; none is found unless set.
    #[must_use]
    pub fn find(mut self, find: impl Fn(&EventId) -> Option<StoredEvent> + 'w) -> Self {
        self.find = Some(Box::new(find));
        self
    }

    /// Leaves secrets as they are, where the format takes them out: what is to be read back as it is has them.
    #[must_use]
    pub fn without_redaction(mut self) -> Self {
        self.redactor = Redactor::off();
        self
    }

    pub(crate) fn found(&self, id: &EventId) -> Option<StoredEvent> {
        self.find.as_ref().and_then(|find| find(id))
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("redactor", &self.redactor).finish_non_exhaustive()
    }
}
