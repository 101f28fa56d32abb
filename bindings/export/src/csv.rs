//! Comma-separated values, as RFC 4180 has them.

use std::fmt::Write as _;
use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use forebear::{Scope, StoredEvent};
use forebear_wire::time;
use serde_json::{Map, Value};

use crate::EventWriter;

/// The names of the columns. A payload that is no UTF-8 is in the last.
const COLUMNS: [&str; 12] = [
    "id",
    "parent",
    "link",
    "time",
    "kind",
    "instance",
    "session",
    "scope",
    "labels",
    "payload_type",
    "payload",
    "payload_base64",
];

/// Writes a row an event.
pub(crate) struct CsvWriter<W> {
    out: W,
    is_begun: bool,
}

impl<W: Write> CsvWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, is_begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.is_begun {
            return Ok(());
        }
        self.is_begun = true;
        self.row(&COLUMNS.map(str::to_owned))
    }

    fn row(&mut self, cells: &[String; COLUMNS.len()]) -> io::Result<()> {
        let mut row = String::new();
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                row.push(',');
            }
            if cell.contains(['"', ',', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ')
            {
                // Writing to a string can't fail.
                let _ = write!(row, "\"{}\"", cell.replace('"', "\"\""));
            } else {
                row.push_str(cell);
            }
        }
        row.push_str("\r\n");
        self.out.write_all(row.as_bytes())
    }
}

impl<W: Write> EventWriter for CsvWriter<W> {
    fn event(&mut self, event: &StoredEvent) -> io::Result<bool> {
        self.begin()?;
        let labels: Map<String, Value> =
            event.labels().map(|(key, value)| (key.to_owned(), value.into())).collect();
        let (text, base64) = match event.payload().map(std::str::from_utf8) {
            None => (String::new(), String::new()),
            Some(Ok(text)) => (text.to_owned(), String::new()),
            Some(Err(_)) => {
                (String::new(), BASE64_STANDARD.encode(event.payload().unwrap_or_default()))
            }
        };
        self.row(&[
            event.id().to_string(),
            event.parent().map(ToString::to_string).unwrap_or_default(),
            event.link().map(|link| link.to_string()).unwrap_or_default(),
            time::rfc3339(event.time_ns()),
            event.kind().to_owned(),
            event.instance().to_owned(),
            event.session().unwrap_or_default().to_owned(),
            if event.scope() == Scope::Own { "own".to_owned() } else { String::new() },
            Value::Object(labels).to_string(),
            event.payload_type().unwrap_or_default().to_owned(),
            text,
            base64,
        ])?;
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.out.flush()
    }
}
