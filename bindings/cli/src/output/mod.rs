//! What commands print, and where.

pub(crate) mod draw;
pub(crate) mod gist;
pub(crate) mod json;
pub(crate) mod json_scan;
pub(crate) mod json_text;
pub(crate) mod page_size;
pub(crate) mod pager;
pub(crate) mod session;
pub(crate) mod text;
pub(crate) mod time;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};

use anstyle::Style;
use serde::Serialize;

use crate::args::Global;
use crate::output::pager::Pager;

/// Columns where the output is no terminal and `COLUMNS` is not set.
const DEFAULT_COLUMNS: usize = 120;

/// Columns below which a picture makes no sense.
const MIN_COLUMNS: usize = 40;

/// Where a command prints: the terminal, its pager, a pipe or a file.
pub(crate) struct Out {
    writer: BufWriter<Box<dyn Write + Send>>,
    color: bool,
    terminal: bool,
    columns: usize,
}

impl Out {
    /// Standard output.
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        Self {
            color: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            terminal: stdout.is_terminal(),
            columns: columns(),
            writer: BufWriter::new(Box::new(stdout)),
        }
    }

    /// Standard output through the pager, where a person looks at a terminal.
    pub(crate) fn paged(global: &Global) -> Self {
        let mut out = Self::new();
        if out.terminal
            && !global.no_pager
            && let Some(pager) = Pager::start()
        {
            out.writer = BufWriter::new(Box::new(pager));
        }
        out
    }

    /// Whether a person looks at it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Width in columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The text in this style, where colours are wanted.
    pub(crate) fn paint<T: fmt::Display>(&self, style: Style, text: T) -> Painted<T> {
        Painted { style: if self.color { style } else { Style::new() }, text }
    }

    /// Prints a JSON object on a line of its own.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        if self.terminal {
            let line = serde_json::to_string(value).map_err(io::Error::from)?;
            writeln!(self.writer, "{}", json_text::shown(&line))
        } else {
            serde_json::to_writer(&mut self.writer, value).map_err(io::Error::from)?;
            self.writer.write_all(b"\n")
        }
    }

    /// Prints bytes as they are; on a terminal made harmless.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.terminal {
            let shown: Cow<'_, str> = String::from_utf8_lossy(bytes);
            self.writer.write_all(text::clean_lines(&shown).as_bytes())
        } else {
            self.writer.write_all(bytes)
        }
    }

    /// Writes what is buffered and waits until the pager is closed. Dropping
    /// does the same, but keeps quiet about errors.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Write for Out {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writer.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Text and the style to show it in.
pub(crate) struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { style, text } = self;
        let shown = text.to_string();
        if shown.trim().is_empty() {
            return f.write_str(&shown);
        }
        write!(f, "{style}{shown}{style:#}")
    }
}

fn columns() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
        .unwrap_or(DEFAULT_COLUMNS)
        .max(MIN_COLUMNS)
}
