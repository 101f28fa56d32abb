//! The heap's chunks: records compressed together, each chunk with a digest.

use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

use crate::error::{Error, Result};
use crate::log::record::ALIGN;
use crate::segment::footer::MAX_RAW_BYTES;
use crate::segment::output::{Output, field};
use crate::segment::pages::{PageDigest, page_digest};
use crate::segment::slim::{Ids, is_free, slim};

/// Size of a chunk's entry in the table.
pub(crate) const CHUNK_ENTRY_BYTES: usize = 32;
/// More bytes than any chunk has before compression: the fields of a record.
pub(crate) const MAX_CHUNK_BYTES: usize = 2 << 20;

/// What the table holds of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkEntry {
    /// Where its bytes begin before compression, in units of 16.
    pub(crate) raw: u32,
    /// Bytes that it takes in the file; as many as before if it isn't compressed.
    pub(crate) stored: u32,
    /// Whether it goes on with the payload of a record that began before.
    pub(crate) piece: bool,
    /// Where in the file it begins.
    pub(crate) offset: u64,
    /// The digest of the bytes in the file.
    pub(crate) digest: PageDigest,
}

/// Packs records into chunks and writes them.
pub(crate) struct ChunkWriter {
    compressor: Compressor<'static>,
    target_bytes: usize,
    /// The chunk being filled, and where its bytes begin before compression.
    raw: Vec<u8>,
    raw_at: u64,
    packed: Vec<u8>,
    table: Vec<ChunkEntry>,
    /// The row of the chunk's last record whose id was left out.
    row_before: u32,
}

impl ChunkEntry {
    pub(crate) fn to_bytes(self) -> [u8; CHUNK_ENTRY_BYTES] {
        let mut bytes = [0; CHUNK_ENTRY_BYTES];
        let stored = self.stored | if self.piece { PIECE } else { 0 };
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
            stored: stored & !PIECE,
            piece: stored & PIECE != 0,
            offset: u64::from_le_bytes(field(bytes, 8)),
            digest: field(bytes, 16),
        }
    }
}

impl ChunkWriter {
    /// Chunks of about `target_bytes` before compression.
    pub(crate) fn new(level: i32, target_bytes: usize) -> Result<Self> {
        let mut compressor = Compressor::new(level).map_err(failed)?;
        // The table has the lengths and digests of its own.
        for parameter in [CParameter::ContentSizeFlag(false), CParameter::ChecksumFlag(false)] {
            compressor.set_parameter(parameter).map_err(failed)?;
        }
        Ok(Self {
            compressor,
            target_bytes: target_bytes.clamp(ALIGN, PIECE_BYTES),
            raw: Vec::new(),
            raw_at: 0,
            packed: Vec::new(),
            table: Vec::new(),
            row_before: 0,
        })
    }

    /// Where the next byte goes, before compression.
    pub(crate) fn position(&self) -> u64 {
        self.raw_at + self.raw.len() as u64
    }

    /// Whether a record of this length stands in chunks of its own.
    pub(crate) fn is_large(&self, length: u64) -> bool {
        length > self.target_bytes as u64
    }

    /// Adds a record that is not large, or the front of one that is; returns its
    /// address. `ids` are those that the spine has, too.
    pub(crate) fn add(&mut self, record: &[u8], ids: Option<Ids>, out: &mut Output) -> Result<u32> {
        if !is_free(record) {
            return Err(Error::damaged(
                "expected a record whose frame ends its kind with zeros, found other bytes",
            ));
        }
        if self.raw.len() + record.len() > self.target_bytes {
            self.cut(false, out)?;
        }
        let address = self.address()?;
        let begin = self.raw.len();
        self.raw.extend_from_slice(record);
        if let Some(ids) = ids {
            slim(&mut self.raw[begin..], &ids, &mut self.row_before)?;
        }
        Ok(address)
    }

    /// Adds the fields of a large record and ends the chunk with them, so that they
    /// can be read without the payload; returns the record's address.
    pub(crate) fn add_front(
        &mut self,
        front: &[u8],
        ids: Option<Ids>,
        out: &mut Output,
    ) -> Result<u32> {
        let address = self.add(front, ids, out)?;
        self.cut(false, out)?;
        Ok(address)
    }

    /// Adds a piece of a large record's payload.
    pub(crate) fn add_piece(&mut self, piece: &[u8], out: &mut Output) -> Result<()> {
        for piece in piece.chunks(PIECE_BYTES) {
            self.raw.extend_from_slice(piece);
            self.cut(true, out)?;
        }
        Ok(())
    }

    /// Ends the chunk and writes it.
    pub(crate) fn cut(&mut self, piece: bool, out: &mut Output) -> Result<()> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let raw = u32::try_from(self.raw_at / ALIGN as u64).map_err(|_| self.too_much())?;
        self.packed.clear();
        self.packed.reserve(compress_bound(self.raw.len()));
        let packed = self.compressor.compress_to_buffer(&self.raw, &mut self.packed);
        let stored = match packed.map_err(failed)? {
            length if length < self.raw.len() => &self.packed[..length],
            _ => &self.raw[..],
        };
        self.table.push(ChunkEntry {
            raw,
            stored: stored.len() as u32,
            piece,
            offset: out.position(),
            digest: page_digest(stored),
        });
        out.write(stored)?;
        self.raw_at += self.raw.len() as u64;
        self.raw.clear();
        self.row_before = 0;
        Ok(())
    }

    /// The chunks so far.
    pub(crate) fn table(&self) -> &[ChunkEntry] {
        &self.table
    }

    fn address(&self) -> Result<u32> {
        u32::try_from(self.position() / ALIGN as u64).map_err(|_| self.too_much())
    }

    fn too_much(&self) -> Error {
        Error::limit("records of one segment", MAX_RAW_BYTES as usize, self.position() as usize)
    }
}

impl std::fmt::Debug for ChunkWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkWriter").field("position", &self.position()).finish_non_exhaustive()
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::io("compress a chunk of", "a segment", error)
}

/// Marks a chunk that goes on with a payload, in its stored length.
const PIECE: u32 = 1 << 31;
/// Bytes of a payload that stand in one chunk.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let entry = ChunkEntry { raw: 7, stored: 9, piece: true, offset: 1 << 40, digest: [3; 16] };
        assert_eq!(ChunkEntry::from_bytes(&entry.to_bytes()), entry);
    }
}
