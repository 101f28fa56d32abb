//! The heap's chunks: records compressed together, each chunk with a digest.

use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

use crate::base::error::{Error, Result};
use crate::log::record::ALIGN;
use crate::segment::footer::MAX_RAW_BYTES;
use crate::segment::output::{Output, field};
use crate::segment::pages::{PageDigest, page_digest};

/// Size of a chunk's entry in the table.
pub(crate) const CHUNK_ENTRY_BYTES: usize = 32;
/// The most bytes of a chunk before compression: more than the fields of any record.
pub(crate) const MAX_CHUNK_BYTES: usize = 2 << 20;

/// A chunk's entry in the chunk table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkEntry {
    /// Where its bytes begin before compression, in units of 16.
    pub(crate) raw: u32,
    /// Bytes that it takes in the file; as many as before compression if it isn't compressed.
    pub(crate) stored: u32,
    /// Whether it continues the payload of a record that begins in an earlier chunk.
    pub(crate) continues: bool,
    /// Where in the file it begins.
    pub(crate) offset: u64,
    /// The digest of the bytes in the file.
    pub(crate) digest: PageDigest,
}

/// A chunk being filled: records that will be compressed together.
#[derive(Debug)]
pub(crate) struct OpenChunk {
    raw: Vec<u8>,
    /// The number of each record, and where it begins.
    records: Vec<(u32, u32)>,
    target_bytes: usize,
}

/// Packs records for a chunk and learns where they were placed, by their numbers.
pub(crate) trait Placed {
    /// Appends a record as the heap has it: all of it, or what comes before its
    /// payload where that stands `apart`.
    fn pack(&mut self, number: u32, record: &[u8], apart: bool, to: &mut Vec<u8>) -> Result<()>;
    /// Notes a record's address in the heap.
    fn place(&mut self, number: u32, address: u32);
}

/// Compresses chunks and writes them.
pub(crate) struct ChunkWriter {
    compressor: Compressor<'static>,
    /// Where the next chunk begins, before compression.
    raw_at: u64,
    packed: Vec<u8>,
    table: Vec<ChunkEntry>,
}

impl ChunkEntry {
    pub(crate) fn to_bytes(self) -> [u8; CHUNK_ENTRY_BYTES] {
        let mut bytes = [0; CHUNK_ENTRY_BYTES];
        let stored = self.stored | if self.continues { CONTINUES } else { 0 };
        bytes[..4].copy_from_slice(&self.raw.to_le_bytes());
        bytes[4..8].copy_from_slice(&stored.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..].copy_from_slice(&self.digest);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; CHUNK_ENTRY_BYTES]) -> Self {
        let stored = u32::from_le_bytes(field(bytes, 4));
        Self {
            raw: u32::from_le_bytes(field(bytes, 0)),
            stored: stored & !CONTINUES,
            continues: stored & CONTINUES != 0,
            offset: u64::from_le_bytes(field(bytes, 8)),
            digest: field(bytes, 16),
        }
    }
}

impl OpenChunk {
    /// An empty chunk of about `target_bytes` before compression.
    pub(crate) fn new(target_bytes: usize) -> Self {
        let target_bytes = target_bytes.clamp(ALIGN, LARGE_CHUNK_BYTES);
        Self { raw: Vec::new(), records: Vec::new(), target_bytes }
    }

    /// An empty chunk with memory for `bytes`, or for as many as it can hold.
    pub(crate) fn with_room(target_bytes: usize, bytes: u64) -> Self {
        let mut chunk = Self::new(target_bytes);
        chunk.raw.reserve_exact(bytes.min(chunk.target_bytes as u64) as usize);
        chunk
    }

    /// Whether a record of this length gets chunks of its own.
    pub(crate) fn is_large(&self, length: u64) -> bool {
        length > self.target_bytes as u64
    }

    /// Whether the chunk has to be written before a record of this length is added.
    pub(crate) fn is_full_for(&self, length: usize) -> bool {
        !self.raw.is_empty() && self.raw.len() + length > self.target_bytes
    }

    /// Adds a record, or the fields of a large one. The number comes back in
    /// [`Placed::place`] when the chunk is written.
    pub(crate) fn add(&mut self, number: u32, record: &[u8]) {
        debug_assert_eq!(record.len() % ALIGN, 0);
        self.records.push((number, self.raw.len() as u32));
        self.raw.extend_from_slice(record);
    }

    /// The records, each with its number.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.records.iter().enumerate().map(|(at, &(number, begin))| {
            let end = self.records.get(at + 1).map_or(self.raw.len(), |&(_, end)| end as usize);
            (number, &self.raw[begin as usize..end])
        })
    }

    fn clear(&mut self) {
        self.raw.clear();
        self.records.clear();
    }
}

impl ChunkWriter {
    /// A writer that compresses at this level of zstd with this dictionary.
    pub(crate) fn new(level: i32, dictionary: &[u8]) -> Result<Self> {
        let mut compressor = Compressor::with_dictionary(level, dictionary).map_err(failed)?;
        // The chunk table has lengths and digests.
        for parameter in [CParameter::ContentSizeFlag(false), CParameter::ChecksumFlag(false)] {
            compressor.set_parameter(parameter).map_err(failed)?;
        }
        Ok(Self { compressor, raw_at: 0, packed: Vec::new(), table: Vec::new() })
    }

    /// Where the next chunk begins, before compression.
    pub(crate) fn position(&self) -> u64 {
        self.raw_at
    }

    /// Writes a chunk, if there is anything in it, and empties it.
    pub(crate) fn write(
        &mut self,
        chunk: &mut OpenChunk,
        out: &mut Output,
        placed: &mut impl Placed,
    ) -> Result<()> {
        for &(number, begin) in &chunk.records {
            let at = self.raw_at + u64::from(begin);
            placed.place(number, u32::try_from(at / ALIGN as u64).map_err(|_| too_much(at))?);
        }
        self.put(&chunk.raw, false, out)?;
        chunk.clear();
        Ok(())
    }

    /// Writes some of a large record's payload into continuation chunks. They follow the
    /// chunk that ends with the record's fields, so that those are read without the payload.
    pub(crate) fn write_payload(&mut self, payload: &[u8], out: &mut Output) -> Result<()> {
        payload.chunks(LARGE_CHUNK_BYTES).try_for_each(|bytes| self.put(bytes, true, out))
    }

    /// The entries of all chunks written so far.
    pub(crate) fn table(&self) -> &[ChunkEntry] {
        &self.table
    }

    fn put(&mut self, bytes: &[u8], continues: bool, out: &mut Output) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let raw = u32::try_from(self.raw_at / ALIGN as u64).map_err(|_| too_much(self.raw_at))?;
        self.packed.clear();
        self.packed.reserve(compress_bound(bytes.len()));
        let packed = self.compressor.compress_to_buffer(bytes, &mut self.packed);
        let stored = match packed.map_err(failed)? {
            length if length < bytes.len() => &self.packed[..length],
            _ => bytes,
        };
        self.table.push(ChunkEntry {
            raw,
            stored: stored.len() as u32,
            continues,
            offset: out.position(),
            digest: page_digest(stored),
        });
        out.write(stored)?;
        self.raw_at += bytes.len() as u64;
        Ok(())
    }
}

impl std::fmt::Debug for ChunkWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkWriter").field("position", &self.position()).finish_non_exhaustive()
    }
}

fn too_much(bytes: u64) -> Error {
    Error::too_long("records of one segment", MAX_RAW_BYTES as usize, bytes as usize)
}

fn failed(error: std::io::Error) -> Error {
    Error::io("compress a chunk of", "a segment", error)
}

/// The bit of the stored length that marks a continuation chunk.
const CONTINUES: u32 = 1 << 31;
/// The most bytes of a payload in one chunk.
pub(crate) const LARGE_CHUNK_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let entry =
            ChunkEntry { raw: 7, stored: 9, continues: true, offset: 1 << 40, digest: [3; 16] };
        assert_eq!(ChunkEntry::from_bytes(&entry.to_bytes()), entry);
    }
}
