//! Records in the heap of a sealed segment.
//!
//! A record has an address: where it begins before compression, in units of [`ALIGN`]. The
//! chunk table leads from there to a compressed chunk; a record larger than a chunk goes on
//! in continuation chunks that hold nothing else.

mod cache;
mod chunk;

use std::sync::Arc;

use rkyv::util::AlignedVec;

use crate::base::error::{Error, Result};
use crate::base::event::Quarantined;
use crate::base::row::NONE;
use crate::log::reader::LogBytes;
use crate::log::record::{ALIGN, Frame, RecordKind, RecordView, padded, quarantined, state_value};
use crate::segment::file::SegFile;
use crate::segment::packed::{KnownColumns, PackedView, Shape, unpack_front};
use crate::segment::spine::Entry;

use cache::Decoded;

pub(crate) use cache::{ChunkCache, LastChunk};
pub(crate) use chunk::Heap;

/// A record that begins at `start` of some bytes: those of a chunk, or its own.
#[derive(Clone, Debug)]
struct HeapRecord {
    bytes: LogBytes,
    start: usize,
    shape: Shape,
}

/// An event or a version.
#[derive(Clone, Debug)]
pub(crate) enum EventRecord {
    /// As it was in the log.
    Plain(RecordView),
    Packed(PackedView),
}

impl SegFile {
    /// The event or version at this address, with or without its payload.
    pub(crate) fn record(
        &self,
        record: u32,
        payload: bool,
        cache: &ChunkCache,
        last: &mut LastChunk,
    ) -> Result<EventRecord> {
        let HeapRecord { bytes, start, shape } = self.find(record, payload, cache, last)?;
        let view = if shape.packed {
            PackedView::new(bytes, start, shape, payload).map(EventRecord::Packed)
        } else {
            plain(bytes, start, payload).map(EventRecord::Plain)
        };
        view.map_err(|error| self.located(record, &error))
    }

    /// The record of a row with its payload, as the log had it.
    pub(crate) fn whole_record(&self, row: u32, cache: &ChunkCache) -> Result<RecordView> {
        let mut bytes = AlignedVec::new();
        self.copy_row(row, usize::MAX, cache, &mut bytes)?;
        plain(LogBytes::Read(Arc::new(bytes)), 0, true)
            .map_err(|error| self.damaged(&format!("the record of row {row}: {error:#}")))
    }

    /// The quarantined input at this address.
    pub(crate) fn quarantined(&self, record: u32, cache: &ChunkCache) -> Result<Quarantined> {
        let HeapRecord { bytes, start, .. } = self.find_once(record, true, cache)?;
        let bytes = &bytes[start..];
        Frame::parse(bytes, bytes.len() as u64)
            .and_then(|frame| quarantined(bytes, frame))
            .map_err(|error| self.located(record, &error))
    }

    /// The value of the state record at this address.
    pub(crate) fn state_value(&self, record: u32, cache: &ChunkCache) -> Result<Vec<u8>> {
        let HeapRecord { bytes, start, .. } = self.find_once(record, true, cache)?;
        let bytes = &bytes[start..];
        Frame::parse(bytes, bytes.len() as u64)
            .and_then(|frame| state_value(bytes, frame))
            .map_err(|error| self.located(record, &error))
    }

    /// The addresses of the records that are neither events nor versions, in the order
    /// of the log.
    #[cfg(test)]
    pub(crate) fn others<'a>(
        &'a self,
        cache: &'a ChunkCache,
    ) -> impl Iterator<Item = Result<u32>> + 'a {
        let mut at = self.footer().others_at;
        std::iter::from_fn(move || {
            if at >= self.footer().raw_bytes {
                return None;
            }
            let record = (at / ALIGN as u64) as u32;
            let found = self.find_once(record, false, cache);
            // After damage there is no telling where the next one begins.
            at = match &found {
                Ok(found) => at + found.shape.len() as u64,
                Err(_) => u64::MAX,
            };
            Some(found.map(|_| record))
        })
    }

    /// Appends the record of a row, byte for byte as the log had it. Fails where that is
    /// more than `room` bytes.
    pub(crate) fn copy_row(
        &self,
        row: u32,
        room: usize,
        cache: &ChunkCache,
        to: &mut AlignedVec<ALIGN>,
    ) -> Result<()> {
        let begin = to.len();
        let entry = self.entry(row)?;
        let HeapRecord { bytes, start, shape } = self.find_once(entry.record, true, cache)?;
        self.check_room(entry.record, shape.len(), room)?;
        if !shape.packed {
            to.extend_from_slice(&bytes[start..start + shape.len()]);
            return Ok(());
        }
        let front = &bytes[start..start + shape.payload_start];
        unpack_front(front, &self.known(row, &entry)?, |number| self.text(number), to)
            .map_err(|error| self.located(entry.record, &error))?;
        let payload = start + shape.payload_start;
        to.extend_from_slice(&bytes[payload..payload + shape.payload_len.unwrap_or(0)]);
        to.resize(begin + padded(to.len() - begin), 0);
        self.check_room(entry.record, to.len() - begin, room)
    }

    /// Appends a record that no row has and returns its length. Fails where that is more
    /// than `room` bytes.
    pub(crate) fn copy_other(
        &self,
        record: u32,
        room: usize,
        cache: &ChunkCache,
        to: &mut AlignedVec<ALIGN>,
    ) -> Result<usize> {
        let HeapRecord { bytes, start, shape } = self.find_once(record, true, cache)?;
        self.check_room(record, shape.len(), room)?;
        to.extend_from_slice(&bytes[start..start + shape.len()]);
        Ok(shape.len())
    }

    fn check_room(&self, record: u32, length: usize, room: usize) -> Result<()> {
        if length <= room {
            return Ok(());
        }
        let found = Error::damaged(format!(
            "expected a record of at most {room} bytes, found one of {length}"
        ));
        Err(self.located(record, &found))
    }

    /// What spine and tables say of a row, which a packed record leaves out.
    fn known(&self, row: u32, entry: &Entry) -> Result<KnownColumns<'_>> {
        let first_seq = self.footer().first_seq;
        let parent = match entry.parent.checked_sub(first_seq) {
            Some(parent) => {
                let parent = u32::try_from(parent).unwrap_or(u32::MAX);
                Some(self.id(parent, &self.entry(parent)?)?)
            }
            None => self.parent_id(row)?,
        };
        Ok(KnownColumns {
            id: self.id(row, entry)?,
            parent,
            time_ns: entry.time_ns,
            kind: self.text(entry.kind)?,
            instance: self.text(entry.instance)?,
            session: if entry.session == NONE { None } else { Some(self.text(entry.session)?) },
        })
    }

    fn find_once(&self, record: u32, payload: bool, cache: &ChunkCache) -> Result<HeapRecord> {
        self.find(record, payload, cache, &mut LastChunk::default())
    }

    /// Reads the record at this address: all of it, or what comes before its payload.
    fn find(
        &self,
        record: u32,
        payload: bool,
        cache: &ChunkCache,
        last: &mut LastChunk,
    ) -> Result<HeapRecord> {
        let at = u64::from(record) * ALIGN as u64;
        let Decoded { raw, bytes: chunk, .. } = self.chunk_with(at, cache, last)?;
        let start = (at - raw.start) as usize;
        let front = chunk.get(start..).unwrap_or_default();
        let shape = Shape::read(front, self.footer().raw_bytes - at)
            .map_err(|error| self.located(record, &error))?;
        let wanted = if payload { shape.len() } else { shape.payload_start };
        if wanted <= front.len() {
            return Ok(HeapRecord { bytes: LogBytes::Read(Arc::clone(chunk)), start, shape });
        }
        if shape.payload_start != front.len() {
            let found = Error::damaged(format!(
                "expected a record of {wanted} bytes, or a chunk that ends with its fields, found \
                 {} bytes of it",
                front.len()
            ));
            return Err(self.located(record, &found));
        }
        let bytes = self.gather(front, at, wanted)?;
        Ok(HeapRecord { bytes: LogBytes::Read(Arc::new(bytes)), start: 0, shape })
    }

    /// Joins the `wanted` bytes of a record at `at` of which `front` is in its first chunk
    /// and the rest in continuation chunks.
    fn gather(&self, front: &[u8], at: u64, wanted: usize) -> Result<AlignedVec<ALIGN>> {
        let mut bytes = AlignedVec::new();
        bytes.extend_from_slice(front);
        while bytes.len() < wanted {
            let next = self.chunk_at(at + bytes.len() as u64)?;
            let length = (next.raw.end - next.raw.start) as usize;
            let begin = bytes.len();
            if !next.entry.continues || begin + length > wanted {
                return Err(self.damaged(&format!(
                    "expected chunk {} to continue the record at {at}, found other records",
                    next.number
                )));
            }
            bytes.resize(begin + length, 0);
            self.decode(&next, &mut bytes[begin..])?;
        }
        Ok(bytes)
    }

    fn located(&self, record: u32, error: &Error) -> Error {
        let at = u64::from(record) * ALIGN as u64;
        self.damaged(&format!("the record at byte {at} before compression: {error:#}"))
    }
}

/// A record that was not packed: its bytes are those of the log.
fn plain(bytes: LogBytes, start: usize, payload: bool) -> Result<RecordView> {
    let front = bytes.get(start..).unwrap_or_default();
    let frame = Frame::parse(front, u64::MAX >> 1)?;
    match frame.kind {
        RecordKind::Event | RecordKind::Version => RecordView::event(bytes, start, frame, payload),
        other => {
            Err(Error::damaged(format!("expected an event, found a record of kind {other:?}")))
        }
    }
}

impl EventRecord {
    /// The payload, where it was asked for.
    #[cfg(test)]
    pub(crate) fn payload(&self) -> Option<&[u8]> {
        match self {
            EventRecord::Plain(record) => record.payload(),
            EventRecord::Packed(record) => record.payload(),
        }
    }

    /// The labels, one behind the other.
    #[cfg(test)]
    pub(crate) fn labels(&self) -> Vec<(String, String)> {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        match self {
            EventRecord::Plain(record) => record.labels().map(owned).collect(),
            EventRecord::Packed(record) => record.labels().map(owned).collect(),
        }
    }
}
