//! Deciding what each record of a batch comes to: new, known, or another version.

use crate::batch::{AppendStatus, Appended, Linked, Written};
use crate::error::{Error, Result};
use crate::id::EventId;
use crate::log::block::HEADER_BYTES;
use crate::log::fields::ArchivedEventMeta;
use crate::log::index::{Entered, same_fields};
use crate::log::reader::Via;
use crate::log::record::{ALIGN, Encoded, FRAME_BYTES, Frame, quarantine_key};
use crate::writer::Writer;

impl Writer {
    /// Puts the records that say something new into the block and the index,
    /// where no snapshot sees them until the block is published.
    pub(super) fn resolve(
        &mut self,
        events: Vec<Encoded>,
        links: Vec<Encoded>,
        quarantined: Vec<Encoded>,
    ) -> Result<Written> {
        let mut written = Written::default();
        if self.log.end > MAX_LOG_BYTES {
            return Err(Error::limit("the log", MAX_LOG_BYTES as usize, self.log.end as usize));
        }
        for event in events {
            written.events.push(self.resolve_event(event)?);
        }
        for link in links {
            written.links.push(self.resolve_link(&link)?);
        }
        for input in quarantined {
            written.quarantined.push(self.resolve_quarantined(&input)?);
        }
        Ok(written)
    }

    fn resolve_event(&mut self, mut event: Encoded) -> Result<Appended> {
        let id = EventId::from(&event.as_event()?.id);
        let known = self.find_equal(&id, &event)?;
        let status = match known {
            Known::Equal(row) => {
                return Ok(Appended { id, seq: u64::from(row) + 1, status: AppendStatus::Repeat });
            }
            Known::Other => {
                event.set_version();
                AppendStatus::Version
            }
            Known::Not => AppendStatus::New,
        };
        let entered = self.push(&event);
        let row =
            self.shared.index.write().add_event(event.as_event()?, event.payload(), entered)?;
        Ok(Appended { id, seq: u64::from(row) + 1, status })
    }

    fn resolve_link(&mut self, link: &Encoded) -> Result<Linked> {
        let claim = link.as_link()?.to_link()?;
        let verdict = self.shared.index.read().judge(&claim);
        if verdict == Linked::Repeat {
            return Ok(verdict);
        }
        let entered = self.push(link);
        Ok(self.shared.index.write().claim(claim, entered.commit))
    }

    fn resolve_quarantined(&mut self, input: &Encoded) -> Result<bool> {
        let key = quarantine_key(input.as_quarantined()?, input.payload().unwrap_or_default());
        if self.shared.index.read().knows_quarantined(&key) {
            return Ok(false);
        }
        let entered = self.push(input);
        Ok(self.shared.index.write().add_quarantined(key, entered))
    }

    /// Adds a record to the block.
    fn push(&mut self, record: &Encoded) -> Entered {
        let offset = self.log.end + self.block.push(record) as u64;
        Entered { offset, commit: self.published.commit + 1 }
    }

    /// Whether an event, or a version of it, has just this content.
    fn find_equal(&self, id: &EventId, event: &Encoded) -> Result<Known> {
        let index = self.shared.index.read();
        let Some(first) = index.find(id) else {
            return Ok(Known::Not);
        };
        let fields = event.as_event()?;
        let candidates = index.candidates(first, index.fingerprint(fields, event.payload()));
        let places: Vec<(u32, u64)> =
            candidates.iter().map(|&row| (row, index.row(row).offset)).collect();
        drop(index);
        // Equal fingerprints are nearly always equal content: one comparison.
        for (row, offset) in places {
            match self.has_content(offset, fields, event.payload()) {
                Ok(true) => return Ok(Known::Equal(row)),
                Ok(false) => {}
                // What can't be compared is kept beside it: nothing is lost.
                Err(error) if error.is_damaged() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Known::Other)
    }

    /// Whether the record at `offset` has this content: the same payload, or
    /// where there is none the same fields.
    fn has_content(
        &self,
        offset: u64,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<bool> {
        if offset < self.log.end {
            let record = self.shared.reader.event(offset, self.log.end, true, Via::Reads)?;
            return Ok(match (record.payload(), payload) {
                (Some(a), Some(b)) => a == b,
                (None, None) => same_fields(record.fields(), fields),
                _ => false,
            });
        }
        // The record is still in the block that is being filled.
        let at = (offset - self.log.end) as usize;
        debug_assert!(at >= HEADER_BYTES);
        let bytes = &self.block.bytes()[at..];
        let frame = Frame::parse(bytes, bytes.len() as u64)?;
        Ok(match (frame.payload_len, payload) {
            (Some(length), Some(payload)) => {
                let start = frame.payload_start();
                bytes[start..start + length] == *payload
            }
            (None, None) => {
                let mut meta = rkyv::util::AlignedVec::<ALIGN>::new();
                meta.extend_from_slice(&bytes[FRAME_BYTES..FRAME_BYTES + frame.meta_len]);
                same_fields(ArchivedEventMeta::read(&meta)?, fields)
            }
            _ => false,
        })
    }
}

/// Whether a content is stored under an id.
enum Known {
    Not,
    Equal(u32),
    Other,
}

/// More bytes than a log can have: offsets beyond could not be told from damage.
const MAX_LOG_BYTES: u64 = 1 << 46;
