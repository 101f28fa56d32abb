//! Reading records back from the log, through a cache of its chunks.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rkyv::util::AlignedVec;

use crate::error::{Error, Result};
use crate::event::Quarantined;
use crate::log::record::{
    ALIGN, ArchivedQuarantineMeta, FRAME_BYTES, Frame, RecordKind, RecordView, access,
};
use crate::storage::StorageFile;

/// Reads records of one log. The log is read, never mapped: a map of a file that
/// another process truncates would kill this one.
#[derive(Debug)]
pub(crate) struct LogReader {
    file: Arc<dyn StorageFile>,
    name: String,
    chunks: Cache<u64, Chunk, ChunkWeight>,
}

type Chunk = Arc<AlignedVec<ALIGN>>;

/// A record's frame, and the bytes in which it begins at `start`.
struct Read {
    bytes: Chunk,
    start: usize,
    frame: Frame,
}

impl LogReader {
    pub(crate) fn new(file: Arc<dyn StorageFile>, name: String, cache_bytes: usize) -> Self {
        let chunks = Cache::with_weighter(
            cache_bytes / CHUNK_BYTES + 1,
            cache_bytes as u64,
            ChunkWeight,
        );
        Self { file, name, chunks }
    }

    /// The event or version that begins at `offset`. `end` is where the log ends
    /// for the reader: what lies beyond may be in the middle of being written.
    pub(crate) fn event(&self, offset: u64, end: u64, payload: bool) -> Result<RecordView> {
        let read = self.record(offset, end, payload)?;
        match read.frame.kind {
            RecordKind::Event | RecordKind::Version => {
                RecordView::event(read.bytes, read.start, read.frame, payload)
            }
            other => Err(Error::damaged(format!(
                "expected an event, found a record of kind {other:?}"
            ))),
        }
        .map_err(|error| self.located(offset, &error))
    }

    /// The quarantined input that begins at `offset`.
    pub(crate) fn quarantined(&self, offset: u64, end: u64) -> Result<Quarantined> {
        let Read {
            bytes,
            start,
            frame,
        } = self.record(offset, end, true)?;
        if frame.kind != RecordKind::Quarantined {
            let found = Error::damaged(format!(
                "expected quarantined input, found a record of kind {:?}",
                frame.kind
            ));
            return Err(self.located(offset, &found));
        }
        let meta = start + FRAME_BYTES;
        let fields = access::<ArchivedQuarantineMeta>(&bytes[meta..meta + frame.meta_len])
            .map_err(|error| self.located(offset, &error))?;
        let payload = start + frame.payload_start();
        Ok(Quarantined {
            source: fields.source.as_str().to_owned(),
            line: fields.line.to_native(),
            offset: fields.offset.to_native(),
            length: fields.length.to_native(),
            reason: fields.reason.as_str().to_owned(),
            bytes: bytes[payload..payload + frame.payload_len.unwrap_or(0)].to_vec(),
        })
    }

    /// The record at `offset`: all of it, or what comes before its payload.
    fn record(&self, offset: u64, end: u64, payload: bool) -> Result<Read> {
        let chunk = self.chunk(offset, end)?;
        let start = (offset % CHUNK_BYTES as u64) as usize;
        let front = chunk.get(start..).unwrap_or_default();
        // Frames are aligned, so that none lies across two chunks.
        let frame = Frame::parse(front, end.saturating_sub(offset))
            .map_err(|error| self.located(offset, &error))?;
        let wanted = if payload {
            frame.len()
        } else {
            frame.payload_start()
        };
        if wanted <= front.len() {
            return Ok(Read {
                bytes: chunk,
                start,
                frame,
            });
        }
        let mut bytes = AlignedVec::with_capacity(wanted);
        if wanted > CHUNK_BYTES {
            bytes.resize(wanted, 0);
            let read = self.read_at(&mut bytes, offset)?;
            bytes.resize(read, 0);
        } else {
            bytes.extend_from_slice(front);
            let next = self.chunk(offset + front.len() as u64, end)?;
            bytes.extend_from_slice(next.get(..wanted - front.len()).unwrap_or(&next));
        }
        if bytes.len() < wanted {
            let found = Error::damaged(format!(
                "expected a record of {wanted} bytes, found {} before the end",
                bytes.len()
            ));
            return Err(self.located(offset, &found));
        }
        Ok(Read {
            bytes: Arc::new(bytes),
            start: 0,
            frame,
        })
    }

    /// The chunk that `offset` lies in, up to the end of the log at least.
    fn chunk(&self, offset: u64, end: u64) -> Result<Chunk> {
        let number = offset / CHUNK_BYTES as u64;
        let begin = number * CHUNK_BYTES as u64;
        let length = end.saturating_sub(begin).min(CHUNK_BYTES as u64) as usize;
        if let Some(chunk) = self.chunks.get(&number)
            && chunk.len() >= length
        {
            return Ok(chunk);
        }
        let mut bytes = AlignedVec::with_capacity(length);
        bytes.resize(length, 0);
        let read = self.read_at(&mut bytes, begin)?;
        bytes.resize(read, 0);
        let chunk = Arc::new(bytes);
        self.chunks.insert(number, Arc::clone(&chunk));
        Ok(chunk)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.file
            .read_at(buffer, offset)
            .map_err(|error| Error::io("read", &self.name, error))
    }

    fn located(&self, offset: u64, error: &Error) -> Error {
        Error::damaged(format!("{} at byte {offset}: {error}", self.name))
    }
}

#[derive(Clone, Debug)]
struct ChunkWeight;

impl Weighter<u64, Chunk> for ChunkWeight {
    fn weight(&self, _: &u64, chunk: &Chunk) -> u64 {
        chunk.capacity() as u64 + CHUNK_OVERHEAD_BYTES
    }
}

/// The log is read and cached in pieces of this size.
const CHUNK_BYTES: usize = 32 << 10;
/// What the cache itself takes for a chunk, about.
const CHUNK_OVERHEAD_BYTES: u64 = 96;
