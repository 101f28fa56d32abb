//! Reading records from a sealed segment's heap.

use std::ops::Range;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rkyv::util::AlignedVec;

use crate::base::error::{Error, Result};
use crate::base::event::Quarantined;
use crate::base::row::NONE;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::log::reader::LogBytes;
use crate::log::record::{ALIGN, Frame, RecordKind, RecordView, padded, quarantined, state_value};
use crate::segment::chunks::{CHUNK_ENTRY_BYTES, ChunkEntry, MAX_CHUNK_BYTES};
use crate::segment::decoder;
use crate::segment::file::SegFile;
use crate::segment::footer::{CHUNKS, HEAP};
use crate::segment::packed::{Known, PackedView, Shape, unpack_front};
use crate::segment::pages::{Marks, PAGE_BYTES, page_digest};
use crate::segment::spine::Entry;
use crate::storage::{Map, Storage, StorageFile};

/// Decoded chunks of all segments of a store, bounded in bytes.
#[derive(Debug)]
pub(crate) struct ChunkCache(Cache<ChunkKey, Chunk, ChunkWeight>);

/// A segment and one of its chunks.
type ChunkKey = (u64, u32);

/// The bytes of a decoded chunk, shared by all records in it.
type Chunk = Arc<AlignedVec<ALIGN>>;

/// The compressed records of a segment.
#[derive(Debug)]
pub(crate) struct Heap {
    bytes: HeapBytes,
    touched: Marks,
    /// Whether the dictionary was found to be the one that the footer names.
    dictionary_checked: AtomicBool,
}

#[derive(Debug)]
enum HeapBytes {
    Mapped(Map),
    /// Of a storage that has no maps.
    File(Box<dyn StorageFile>),
}

/// The chunk that a reader used last: looked at first, since the next record of a
/// chain mostly lies in it.
#[derive(Debug, Default)]
pub(crate) struct LastChunk(Option<Decoded>);

/// A decoded chunk, and which one it is.
#[derive(Clone, Debug)]
struct Decoded {
    segment: u64,
    raw: Range<u64>,
    bytes: Chunk,
}

/// A record, and the bytes in which it begins at `start`.
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

/// Where a chunk lies.
#[derive(Clone, Debug)]
struct Found {
    number: u32,
    /// Its bytes before compression.
    raw: Range<u64>,
    entry: ChunkEntry,
}

impl ChunkCache {
    /// A cache that holds at most so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Cache::with_weighter(bytes / CHUNK_ESTIMATE_BYTES + 1, bytes as u64, ChunkWeight))
    }
}

impl Heap {
    /// The heap at the beginning of the file, which is kept open where there are no maps.
    pub(crate) fn new(file: Box<dyn StorageFile>, name: &str, length: usize) -> Result<Self> {
        let map = if length == 0 {
            None
        } else {
            file.map(0, length).map_err(|error| Error::io("map", name, error))?
        };
        let bytes = map.map_or(HeapBytes::File(file), HeapBytes::Mapped);
        let touched = Marks::new(length.div_ceil(PAGE_BYTES));
        Ok(Self { bytes, touched, dictionary_checked: AtomicBool::new(false) })
    }

    /// Bytes of the pages read since the last release.
    pub(crate) fn resident_bytes(&self) -> usize {
        match &self.bytes {
            HeapBytes::Mapped(_) => self.touched.resident_bytes(),
            HeapBytes::File(_) => 0,
        }
    }

    /// Gives mapped memory back to the system.
    pub(crate) fn release(&self) {
        self.touched.clear();
        if let HeapBytes::Mapped(map) = &self.bytes {
            map.release();
        }
    }
}

impl SegFile {
    /// Fails where a chunk is not as it was written. It need not hold whole records.
    pub(crate) fn check_chunk(&self, chunk: u32) -> Result<()> {
        let begin = self.raw_begin(chunk)?;
        let found = self.chunk_at(begin)?;
        if found.number != chunk {
            return Err(self.damaged(&format!(
                "expected chunk {chunk} at byte {begin} before compression, found chunk {}",
                found.number
            )));
        }
        let mut bytes = vec![0; (found.raw.end - found.raw.start) as usize];
        self.decode(&found, &mut bytes)
    }

    /// Fails where the dictionary is not the one that the footer names.
    pub(crate) fn check_dictionary(&self) -> Result<()> {
        if *blake3::hash(self.dictionary()?).as_bytes() == self.footer().dictionary {
            return Ok(());
        }
        Err(self.damaged("expected the dictionary that the footer names, found another"))
    }

    /// The dictionary, checked once: other segments' chunks are decoded with its copy.
    fn own_dictionary(&self) -> Result<&[u8]> {
        if !self.heap().dictionary_checked.load(Ordering::Relaxed) {
            self.check_dictionary()?;
            self.heap().dictionary_checked.store(true, Ordering::Relaxed);
        }
        self.dictionary()
    }

    /// Fails where there are other bytes than zeros between the heap and the pages.
    pub(crate) fn check_padding(&self, storage: &dyn Storage) -> Result<()> {
        let heap = self.footer().section(HEAP).end;
        let mut padding = [0; PAGE_BYTES];
        let length = (self.footer().paged().start - heap) as usize;
        let wanted = padding.get_mut(..length).unwrap_or_default();
        let name = self.name();
        let file = storage.open(name).map_err(|error| Error::io("open", name, error))?;
        file.read_at(wanted, heap).map_err(|error| Error::io("read", name, error))?;
        match wanted.iter().position(|&byte| byte != 0) {
            None => Ok(()),
            Some(at) => Err(self.damaged(&format!(
                "expected zeros between the heap and the tables, found another byte at {}",
                heap + at as u64
            ))),
        }
    }

    /// The event or version with this address, with or without its payload.
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

    /// The event or version of a row, all of it as it was in the log.
    pub(crate) fn whole_record(&self, row: u32, cache: &ChunkCache) -> Result<RecordView> {
        let mut bytes = AlignedVec::new();
        self.copy_row(row, usize::MAX, cache, &mut bytes)?;
        plain(LogBytes::Read(Arc::new(bytes)), 0, true)
            .map_err(|error| self.damaged(&format!("the record of row {row}: {error:#}")))
    }

    /// The quarantined input with this address.
    pub(crate) fn quarantined(&self, record: u32, cache: &ChunkCache) -> Result<Quarantined> {
        let HeapRecord { bytes, start, .. } = self.find_once(record, true, cache)?;
        let bytes = &bytes[start..];
        Frame::parse(bytes, bytes.len() as u64)
            .and_then(|frame| quarantined(bytes, frame))
            .map_err(|error| self.located(record, &error))
    }

    /// The value of the record of state with this address.
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

    /// Appends the bytes of the record of a row, at most `room`, as they were in the log.
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
        unpack_front(&bytes[start..start + shape.payload_start], &self.known(row, &entry)?, to)
            .map_err(|error| self.located(entry.record, &error))?;
        let payload = start + shape.payload_start;
        to.extend_from_slice(&bytes[payload..payload + shape.payload_len.unwrap_or(0)]);
        to.resize(begin + padded(to.len() - begin), 0);
        self.check_room(entry.record, to.len() - begin, room)
    }

    /// Appends the bytes of a record that no row has, at most `room`; returns how many
    /// there are.
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

    /// What the segment says of a row beside its record.
    fn known(&self, row: u32, entry: &Entry) -> Result<Known<'_>> {
        let first_seq = self.footer().first_seq;
        let parent = match entry.parent.checked_sub(first_seq) {
            Some(parent) => {
                let parent = u32::try_from(parent).unwrap_or(u32::MAX);
                Some(self.id(parent, &self.entry(parent)?)?)
            }
            None => self.parent_id(row)?,
        };
        Ok(Known {
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

    /// The record with this address: all of it, or what comes before its payload.
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

    /// The chunk with the byte `at`, decoded.
    fn chunk_with<'l>(
        &self,
        at: u64,
        cache: &ChunkCache,
        last: &'l mut LastChunk,
    ) -> Result<&'l Decoded> {
        let segment = self.footer().segment;
        let same = |last: &Decoded| last.segment == segment && last.raw.contains(&at);
        if let Some(at) = last.0.take().filter(same) {
            return Ok(last.0.insert(at));
        }
        let found = self.chunk_at(at)?;
        let bytes = self.chunk(&found, cache)?;
        Ok(last.0.insert(Decoded { segment, raw: found.raw, bytes }))
    }

    /// The bytes of a record at `at` that begins with `front` and goes on in the
    /// chunks behind.
    fn gather(&self, front: &[u8], at: u64, wanted: usize) -> Result<AlignedVec<ALIGN>> {
        let mut bytes = AlignedVec::new();
        bytes.extend_from_slice(front);
        while bytes.len() < wanted {
            let piece = self.chunk_at(at + bytes.len() as u64)?;
            let length = (piece.raw.end - piece.raw.start) as usize;
            let begin = bytes.len();
            if !piece.entry.piece || begin + length > wanted {
                return Err(self.damaged(&format!(
                    "expected chunk {} to go on with the record at {at}, found other records",
                    piece.number
                )));
            }
            bytes.resize(begin + length, 0);
            self.decode(&piece, &mut bytes[begin..])?;
        }
        Ok(bytes)
    }

    /// The chunk that holds the byte `at`, counted before compression.
    fn chunk_at(&self, at: u64) -> Result<Found> {
        let footer = self.footer();
        if at >= footer.raw_bytes {
            return Err(self.damaged(&format!(
                "expected a record among the {} bytes of the heap, found an address of {at}",
                footer.raw_bytes
            )));
        }
        let (mut low, mut high) = (0, footer.chunks);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.raw_begin(middle)? <= at { low = middle } else { high = middle }
        }
        let entry = self.chunk_entry(low)?;
        let begin = u64::from(entry.raw) * ALIGN as u64;
        let end = if low + 1 < footer.chunks { self.raw_begin(low + 1)? } else { footer.raw_bytes };
        if begin <= at && at < end && end - begin <= MAX_CHUNK_BYTES as u64 {
            return Ok(Found { number: low, raw: begin..end, entry });
        }
        Err(self.damaged(&format!(
            "expected a chunk with byte {at} of at most {MAX_CHUNK_BYTES} bytes, found bytes \
             {begin} to {end}"
        )))
    }

    fn raw_begin(&self, chunk: u32) -> Result<u64> {
        let at = self.section(CHUNKS).start + chunk as usize * CHUNK_ENTRY_BYTES;
        Ok(u64::from(u32::from_le_bytes(*self.pages().array(at)?)) * ALIGN as u64)
    }

    fn chunk_entry(&self, chunk: u32) -> Result<ChunkEntry> {
        let at = self.section(CHUNKS).start + chunk as usize * CHUNK_ENTRY_BYTES;
        self.pages().array(at).map(ChunkEntry::from_bytes)
    }

    /// A chunk decoded, from the cache if it is there.
    fn chunk(&self, found: &Found, cache: &ChunkCache) -> Result<Chunk> {
        let key = (self.footer().segment, found.number);
        if let Some(chunk) = cache.0.get(&key) {
            return Ok(chunk);
        }
        // At most `MAX_CHUNK_BYTES`, as was checked when it was found.
        let length = (found.raw.end - found.raw.start) as usize;
        let mut bytes = AlignedVec::with_capacity(length);
        bytes.resize(length, 0);
        self.decode(found, &mut bytes)?;
        let chunk = Arc::new(bytes);
        cache.0.insert(key, Arc::clone(&chunk));
        Ok(chunk)
    }

    /// Reads a chunk, checks its digest and decodes it.
    fn decode(&self, found: &Found, to: &mut [u8]) -> Result<()> {
        let ChunkEntry { offset, stored, digest, .. } = found.entry;
        let heap = self.footer().section(HEAP);
        let end = offset.checked_add(u64::from(stored)).filter(|&end| end <= heap.end);
        let (Some(end), true) = (end, stored as usize <= to.len()) else {
            return Err(self.damaged(&format!(
                "expected chunk {} within the heap's {} bytes, found it at byte {offset} with \
                 {stored}",
                found.number, heap.end
            )));
        };
        let mut buffer = Vec::new();
        let stored: &[u8] = match &self.heap().bytes {
            HeapBytes::Mapped(map) => {
                for page in offset as usize / PAGE_BYTES..(end as usize).div_ceil(PAGE_BYTES) {
                    self.heap().touched.set(page);
                }
                map.get(offset as usize..end as usize).unwrap_or_default()
            }
            HeapBytes::File(file) => {
                buffer.resize(stored as usize, 0);
                let read = file
                    .read_at(&mut buffer, offset)
                    .map_err(|error| Error::io("read", self.name(), error))?;
                &buffer[..read]
            }
        };
        if page_digest(stored) != digest {
            return Err(self.damaged(&format!(
                "chunk {} at byte {offset} does not have the digest that was kept of it",
                found.number
            )));
        }
        if stored.len() == to.len() {
            to.copy_from_slice(stored);
            return Ok(());
        }
        match decoder::decode(stored, to, &self.footer().dictionary, || self.own_dictionary())? {
            Ok(length) if length == to.len() => Ok(()),
            _ => Err(self.damaged(&format!(
                "expected chunk {} at byte {offset} to decode to {} bytes, found something else; \
                 it was written wrong, so please report it",
                found.number,
                to.len()
            ))),
        }
    }

    fn located(&self, record: u32, error: &Error) -> Error {
        let at = u64::from(record) * ALIGN as u64;
        self.damaged(&format!("the record at byte {at} before compression: {error:#}"))
    }
}

/// The event or version that begins at `start`, as it was in the log.
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

#[derive(Clone, Debug)]
struct ChunkWeight;

impl Weighter<ChunkKey, Chunk> for ChunkWeight {
    fn weight(&self, _: &ChunkKey, chunk: &Chunk) -> u64 {
        chunk.capacity() as u64 + CHUNK_OVERHEAD_BYTES
    }
}

/// What most chunks take in memory.
const CHUNK_ESTIMATE_BYTES: usize = 16 << 10;
/// What the cache itself takes for a chunk, about.
const CHUNK_OVERHEAD_BYTES: u64 = 96;
