//! The payloads as they came in.

use std::io::{self, Write};

use forebear::StoredEvent;

use crate::EventWriter;

/// Writes payloads byte for byte, a line each.
pub(crate) struct PayloadWriter<W>(pub(crate) W);

impl<W: Write> EventWriter for PayloadWriter<W> {
    fn event(&mut self, event: &StoredEvent) -> io::Result<bool> {
        let Some(payload) = event.payload() else { return Ok(false) };
        self.0.write_all(payload)?;
        self.0.write_all(b"\n")?;
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
