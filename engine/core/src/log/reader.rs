//! Reads records of a log: through maps of its written part, or where there are none through a
//! cache of its chunks.

use std::ops::Deref;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rkyv::util::AlignedVec;

use crate::base::error::{Error, Result};
use crate::base::event::Quarantined;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::log::record::{ALIGN, Frame, RecordKind, RecordView, quarantined, state_value};
use crate::log::windows::{LastWindow, Windows};
use crate::storage::{Map, StorageFile};

/// A reader of one log.
#[derive(Debug)]
pub(crate) struct LogReader {
    file: Arc<dyn StorageFile>,
    name: String,
    windows: Windows,
    /// Up to where it may be mapped. No process ever cuts the file below it: access to what was
    /// cut off kills the process.
    uncut: AtomicU64,
    chunks: Cache<u64, Arc<AlignedVec<ALIGN>>, LogChunkWeight>,
}

/// How the bytes of the log are read.
#[derive(Debug)]
pub(crate) enum Via<'w> {
    /// Through maps where there are any: no copy, no system call.
    Maps(&'w mut LastWindow),
    /// By reads alone: the pages don't count as memory of this process.
    Reads,
}

/// Shared bytes of a log in which records are aligned.
#[derive(Clone, Debug)]
pub(crate) enum LogBytes {
    Mapped(Arc<Map>),
    Read(Arc<AlignedVec<ALIGN>>),
}

impl Deref for LogBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            LogBytes::Mapped(map) => map,
            LogBytes::Read(bytes) => bytes,
        }
    }
}

/// A record: its frame, and the bytes in which it begins at `start`.
struct FoundRecord {
    bytes: LogBytes,
    start: usize,
    frame: Frame,
}

impl LogReader {
    pub(crate) fn new(file: Arc<dyn StorageFile>, name: String, cache_bytes: usize) -> Self {
        let chunks =
            Cache::with_weighter(cache_bytes / CHUNK_BYTES + 1, cache_bytes as u64, LogChunkWeight);
        Self { file, name, windows: Windows::default(), uncut: AtomicU64::new(u64::MAX), chunks }
    }

    /// Of a log that another process writes: maps nothing of it before
    /// [`LogReader::map_up_to`].
    pub(crate) fn of_another(self) -> Self {
        Self { uncut: AtomicU64::new(0), ..self }
    }

    /// Maps the log up to `durable` from now on. That must be an offset that a sound block, the
    /// checkpoint or the manifest calls durable: recovery cuts nothing below it, nor does a
    /// failed write. A sync by this process is no such word.
    pub(crate) fn map_up_to(&self, durable: u64) {
        self.uncut.fetch_max(durable, Ordering::Relaxed);
    }

    pub(crate) fn file(&self) -> &dyn StorageFile {
        &*self.file
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Unique within the process.
    pub(crate) fn number(&self) -> u64 {
        self.windows.number()
    }

    /// The event or version at `offset`, with or without its payload. `end` is where the
    /// log ends for the caller's snapshot: what is beyond may be half written.
    pub(crate) fn event(
        &self,
        offset: u64,
        end: u64,
        payload: bool,
        via: Via<'_>,
    ) -> Result<RecordView> {
        let found = self.record(offset, end, payload, via)?;
        match found.frame.kind {
            RecordKind::Event | RecordKind::Version => {
                RecordView::event(found.bytes, found.start, found.frame, payload)
            }
            other => {
                Err(Error::damaged(format!("expected an event, found a record of kind {other:?}")))
            }
        }
        .map_err(|error| self.located(offset, &error))
    }

    /// The quarantined input at `offset`.
    pub(crate) fn quarantined(&self, offset: u64, end: u64) -> Result<Quarantined> {
        let FoundRecord { bytes, start, frame } = self.record(offset, end, true, Via::Reads)?;
        quarantined(&bytes[start..], frame).map_err(|error| self.located(offset, &error))
    }

    /// The value of the state record at `offset`.
    pub(crate) fn state_value(&self, offset: u64, end: u64) -> Result<Vec<u8>> {
        let FoundRecord { bytes, start, frame } = self.record(offset, end, true, Via::Reads)?;
        state_value(&bytes[start..], frame).map_err(|error| self.located(offset, &error))
    }

    /// The record at `offset`, all of it or what comes before its payload.
    fn record(&self, offset: u64, end: u64, payload: bool, via: Via<'_>) -> Result<FoundRecord> {
        if let Via::Maps(last) = via
            && let uncut = end.min(self.uncut.load(Ordering::Relaxed))
            && let Some((map, start)) = self.windows.at(&*self.file, offset, uncut, last)
        {
            let frame = self.frame(&map[start..], offset, end)?;
            if wanted(&frame, payload) <= map.len() - start {
                return Ok(FoundRecord { bytes: LogBytes::Mapped(map), start, frame });
            }
        }
        let chunk = self.chunk(offset, end)?;
        let start = (offset % CHUNK_BYTES as u64) as usize;
        let front = chunk.get(start..).unwrap_or_default();
        let frame = self.frame(front, offset, end)?;
        let wanted = wanted(&frame, payload);
        if wanted <= front.len() {
            return Ok(FoundRecord { bytes: LogBytes::Read(chunk), start, frame });
        }
        let bytes = self.gather(offset, end, front, wanted)?;
        Ok(FoundRecord { bytes: LogBytes::Read(Arc::new(bytes)), start: 0, frame })
    }

    fn frame(&self, bytes: &[u8], offset: u64, end: u64) -> Result<Frame> {
        // Frames are aligned and windows and chunks are multiples of a frame: none crosses
        // the edge of two.
        Frame::parse(bytes, end.saturating_sub(offset))
            .map_err(|error| self.located(offset, &error))
    }

    /// Joins a record that crosses chunks and begins with `front`.
    fn gather(
        &self,
        offset: u64,
        end: u64,
        front: &[u8],
        wanted: usize,
    ) -> Result<AlignedVec<ALIGN>> {
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
        Ok(bytes)
    }

    /// The chunk with `offset`, filled at least up to the end of the log.
    fn chunk(&self, offset: u64, end: u64) -> Result<Arc<AlignedVec<ALIGN>>> {
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
        self.file.read_at(buffer, offset).map_err(|error| Error::io("read", &self.name, error))
    }

    fn located(&self, offset: u64, error: &Error) -> Error {
        Error::damaged(format!("{} at byte {offset}: {error:#}", self.name))
    }
}

/// Bytes of a record that the caller needs.
fn wanted(frame: &Frame, payload: bool) -> usize {
    if payload { frame.len() } else { frame.payload_start() }
}

#[derive(Clone, Debug)]
struct LogChunkWeight;

impl Weighter<u64, Arc<AlignedVec<ALIGN>>> for LogChunkWeight {
    fn weight(&self, _: &u64, chunk: &Arc<AlignedVec<ALIGN>>) -> u64 {
        chunk.capacity() as u64 + CHUNK_OVERHEAD_BYTES
    }
}

/// Bytes of a chunk in which the log is read and cached.
const CHUNK_BYTES: usize = 32 << 10;
/// What the cache itself takes for a chunk, about.
const CHUNK_OVERHEAD_BYTES: u64 = 96;
