//! Finding a chunk in the heap, reading it and decoding it.

use std::ops::Range;
use std::sync::Arc;

use rkyv::util::AlignedVec;

use crate::base::error::{Error, Result};
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::log::record::ALIGN;
use crate::segment::chunks::{CHUNK_ENTRY_BYTES, ChunkEntry, MAX_CHUNK_BYTES};
use crate::segment::decoder;
use crate::segment::file::SegFile;
use crate::segment::footer::{CHUNKS, HEAP};
use crate::segment::heap::cache::{ChunkCache, Decoded, DecodedChunk, LastChunk};
use crate::segment::pages::{PAGE_BYTES, PageSet, page_digest};
use crate::storage::{Map, Storage, StorageFile};

/// The compressed records of a segment: the beginning of its file.
#[derive(Debug)]
pub(crate) struct Heap {
    bytes: HeapBytes,
    touched: PageSet,
    /// Whether the dictionary was found to be the one that the footer names.
    dictionary_checked: AtomicBool,
}

#[derive(Debug)]
enum HeapBytes {
    Mapped(Map),
    /// Of a storage that has no maps.
    File(Box<dyn StorageFile>),
}

/// A chunk and where it is stored.
#[derive(Clone, Debug)]
pub(super) struct ChunkPlace {
    pub(super) number: u32,
    /// The bytes of the heap, before compression, that it holds.
    pub(super) raw: Range<u64>,
    pub(super) entry: ChunkEntry,
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
        let touched = PageSet::new(length.div_ceil(PAGE_BYTES));
        Ok(Self { bytes, touched, dictionary_checked: AtomicBool::new(false) })
    }

    /// Bytes of the pages read since the last release.
    pub(crate) fn resident_bytes(&self) -> usize {
        match &self.bytes {
            HeapBytes::Mapped(_) => self.touched.resident_bytes(),
            HeapBytes::File(_) => 0,
        }
    }

    /// Releases the mapped pages to the system.
    pub(crate) fn release(&self) {
        self.touched.clear();
        if let HeapBytes::Mapped(map) = &self.bytes {
            map.release();
        }
    }
}

impl SegFile {
    /// Checks the digest of a chunk and that it decodes. Records may cross its ends.
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

    /// Checks the stored bytes of a chunk against their digest, without decoding them.
    pub(crate) fn check_stored(&self, chunk: u32) -> Result<()> {
        let found = self.chunk_at(self.raw_begin(chunk)?)?;
        self.stored(&found, &mut Vec::new()).map(drop)
    }

    /// Checks the dictionary against the digest in the footer.
    pub(crate) fn check_dictionary(&self) -> Result<()> {
        if *blake3::hash(self.dictionary()?).as_bytes() == self.footer().dictionary {
            return Ok(());
        }
        Err(self.damaged("expected the dictionary that the footer names, found another"))
    }

    /// The dictionary, its digest checked on first use: one decoder serves all segments
    /// whose footers name this digest.
    fn checked_dictionary(&self) -> Result<&[u8]> {
        if !self.heap().dictionary_checked.load(Ordering::Relaxed) {
            self.check_dictionary()?;
            self.heap().dictionary_checked.store(true, Ordering::Relaxed);
        }
        self.dictionary()
    }

    /// Fails where a byte between the heap and the paged sections is not zero.
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

    /// The decoded chunk that holds the byte `at` of the heap, before compression.
    pub(super) fn chunk_with<'l>(
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

    /// Finds the chunk that holds the byte `at` of the heap, before compression: a binary
    /// search of the chunk table.
    pub(super) fn chunk_at(&self, at: u64) -> Result<ChunkPlace> {
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
            return Ok(ChunkPlace { number: low, raw: begin..end, entry });
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

    /// A decoded chunk: from the cache, or read and put there.
    fn chunk(&self, found: &ChunkPlace, cache: &ChunkCache) -> Result<DecodedChunk> {
        let key = (self.footer().segment, found.number);
        if let Some(chunk) = cache.get(&key) {
            return Ok(chunk);
        }
        // `chunk_at` checked that this is at most `MAX_CHUNK_BYTES`: the allocation is bounded
        // whatever the file says.
        let length = (found.raw.end - found.raw.start) as usize;
        let mut bytes = AlignedVec::with_capacity(length);
        bytes.resize(length, 0);
        self.decode(found, &mut bytes)?;
        let chunk = Arc::new(bytes);
        cache.insert(key, Arc::clone(&chunk));
        Ok(chunk)
    }

    /// Reads a chunk, checks its digest and decodes it.
    pub(super) fn decode(&self, found: &ChunkPlace, to: &mut [u8]) -> Result<()> {
        let mut buffer = Vec::new();
        let stored = self.stored(found, &mut buffer)?;
        let offset = found.entry.offset;
        // A chunk that would not shrink is stored as it is.
        if stored.len() == to.len() {
            to.copy_from_slice(stored);
            return Ok(());
        }
        match decoder::decode(stored, to, &self.footer().dictionary, || self.checked_dictionary())?
        {
            Ok(length) if length == to.len() => Ok(()),
            _ => Err(self.damaged(&format!(
                "expected chunk {} at byte {offset} to decode to {} bytes, found something else; \
                 it was written wrong, so please report it",
                found.number,
                to.len()
            ))),
        }
    }

    /// The stored bytes of a chunk, which have the digest that was kept of them.
    fn stored<'b>(&'b self, found: &ChunkPlace, buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        let ChunkEntry { offset, stored, digest, .. } = found.entry;
        let heap = self.footer().section(HEAP);
        let end = offset.checked_add(u64::from(stored)).filter(|&end| end <= heap.end);
        let raw = found.raw.end - found.raw.start;
        let (Some(end), true) = (end, u64::from(stored) <= raw) else {
            return Err(self.damaged(&format!(
                "expected chunk {} within the heap's {} bytes, found it at byte {offset} with \
                 {stored}",
                found.number, heap.end
            )));
        };
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
                    .read_at(buffer, offset)
                    .map_err(|error| Error::io("read", self.name(), error))?;
                &buffer[..read]
            }
        };
        // Before the decoder sees them: it is not made for bytes that someone else wrote.
        if page_digest(stored) != digest {
            return Err(self.damaged(&format!(
                "chunk {} at byte {offset} does not have the digest that was kept of it",
                found.number
            )));
        }
        Ok(stored)
    }
}
