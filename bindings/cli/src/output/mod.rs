//! What commands print, and where.

pub(crate) mod draw;
pub(crate) mod page_size;
pub(crate) mod pager;
pub(crate) mod places;
pub(crate) mod session;
pub(crate) mod text;
pub(crate) mod time;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use anstyle::Style;
pub(crate) use forebear_wire::{gist, json, json_text};
use serde::Serialize;

use crate::global::Global;
use crate::output::pager::Pager;

/// Columns where the output is no terminal and `COLUMNS` is not set.
const DEFAULT_COLUMNS: usize = 120;

/// Columns below which a picture makes no sense.
const MIN_COLUMNS: usize = 40;

/// Bytes that are held back at most. What was not passed on when a command fails
/// can be taken back, and the command tried again.
const HELD_BYTES: usize = 64 << 10;

/// Whether anything was passed on to where the output goes.
static PASSED_ON: AtomicBool = AtomicBool::new(false);

/// What a command that failed had printed, where none of it was passed on.
static HELD: Mutex<Option<(Vec<u8>, Sink)>> = Mutex::new(None);

/// Where a command prints: the terminal, its pager, a pipe or a file.
pub(crate) struct Out {
    buffer: Vec<u8>,
    /// The last object, held back in case that something is to be said in it of the stream.
    object: Option<String>,
    sink: Sink,
    color: bool,
    terminal: bool,
    columns: usize,
}

/// Where output goes to, opened with the first of it.
#[derive(Default)]
struct Sink {
    paged: bool,
    open: Option<Box<dyn Write + Send>>,
}

impl Out {
    /// Standard output.
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        Self {
            buffer: Vec::new(),
            object: None,
            sink: Sink::default(),
            color: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            terminal: stdout.is_terminal(),
            columns: columns(),
        }
    }

    /// Standard output through the pager, where a person looks at a terminal.
    pub(crate) fn paged(global: &Global) -> Self {
        let mut out = Self::new();
        out.sink.paged = out.terminal && !global.no_pager;
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
        let line = Self::one_line(value)?;
        self.write_object()?;
        self.object = Some(line);
        Ok(())
    }

    /// Says in the last object how the stream ends, or where it goes on: all objects of a stream
    /// have one shape. Where there is none, what is said is an object of its own.
    pub(crate) fn json_end(&mut self, members: &impl Serialize) -> io::Result<()> {
        let members = Self::one_line(members)?;
        self.object = Some(match self.object.take() {
            Some(object) if object.len() > 2 => {
                format!("{},{}", &object[..object.len() - 1], &members[1..])
            }
            _ => members,
        });
        Ok(())
    }

    fn one_line(value: &impl Serialize) -> io::Result<String> {
        let line = serde_json::to_string(value).map_err(io::Error::from)?;
        // A payload is printed as it came in. In JSON a line can end between the parts
        // only, not in a string.
        if line.contains(['\n', '\r']) { Ok(json_text::compact(&line)) } else { Ok(line) }
    }

    fn write_object(&mut self) -> io::Result<()> {
        let Some(mut line) = self.object.take() else { return Ok(()) };
        if self.terminal {
            line = json_text::shown(&line).to_string();
        }
        line.push('\n');
        self.hold(line.as_bytes())
    }

    /// Puts bytes behind what is held back.
    fn hold(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > HELD_BYTES {
            self.pass_on()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Prints bytes as they are; on a terminal made harmless.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.terminal {
            let shown: Cow<'_, str> = String::from_utf8_lossy(bytes);
            self.write_all(text::clean_lines(&shown).as_bytes())
        } else {
            self.write_all(bytes)
        }
    }

    /// Writes what is buffered and waits until the pager is closed. Dropping holds
    /// back what nobody has seen yet.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_object()?;
        self.hold(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_object()?;
        self.pass_on()?;
        self.sink.flush()
    }
}

impl Out {
    fn pass_on(&mut self) -> io::Result<()> {
        // What can't be written is not tried again when this is dropped.
        self.sink.write_all(&mem::take(&mut self.buffer))
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        // Written to memory, or to what can't be written to any more.
        let _ = self.write_object();
        if self.buffer.is_empty() {
            return;
        }
        if self.sink.open.is_some() {
            // The command has failed, and says of what.
            let _ = self.flush();
            return;
        }
        let held = (mem::take(&mut self.buffer), mem::take(&mut self.sink));
        *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }
}

/// Takes back what a command that failed had printed; whether all of it could be.
pub(crate) fn take_back() -> bool {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    !PASSED_ON.load(Ordering::Relaxed)
}

/// Prints what a command that failed had printed and held back.
pub(crate) fn let_go() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((bytes, mut sink)) = held {
        // The command has failed, and says of what.
        let _ = sink.write_all(&bytes).and_then(|()| sink.flush());
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        PASSED_ON.store(true, Ordering::Relaxed);
        let may_page = self.paged;
        let open = self.open.get_or_insert_with(|| match may_page.then(Pager::start).flatten() {
            Some(pager) => Box::new(pager),
            None => Box::new(io::stdout()),
        });
        open.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), Write::flush)
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
