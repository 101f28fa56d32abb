//! Blocks: a group commit is one block, a fixed header followed by records.
//!
//! `docs/format.md` draws the header. All numbers are little-endian.

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, StoreId};
use crate::base::limits;
use crate::log::encoded::Encoded;
use crate::log::record::Frame;

/// Bytes of a block's header.
pub(crate) const HEADER_BYTES: usize = 144;
/// The offset of the digest, which covers the header before it and the body.
const DIGEST_AT: usize = 112;
/// The first bytes of every block.
pub(crate) const MAGIC: [u8; 8] = *b"frbrBLK\n";
/// The most bytes of a body: a batch, or one record with the largest payload that can be
/// allowed and its fields.
pub(crate) const MAX_BODY_BYTES: u64 = (limits::MAX_PAYLOAD_BYTES + limits::MAX_BATCH_BYTES) as u64;

/// A block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u32,
    pub(crate) records: u32,
    pub(crate) store: StoreId,
    pub(crate) segment: u64,
    /// The offset of the block in the log.
    pub(crate) offset: u64,
    pub(crate) body_len: u64,
    /// The sequence number of the block's first event or version, or of the
    /// next one if it holds none.
    pub(crate) first_seq: u64,
    /// When the block was written, in nanoseconds since the Unix epoch.
    pub(crate) written_ns: i64,
    /// The durable offset when the block was written. Recovery takes damage below it for
    /// rot and damage above the highest of them for a torn write.
    pub(crate) durable: u64,
    /// The digest of the block before; zeros for the first of a store.
    pub(crate) previous: Digest,
    pub(crate) digest: Digest,
}

impl Header {
    /// Parses a header; none where it does not begin with the magic number. Nothing else is
    /// checked.
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        if bytes[..8] != MAGIC {
            return None;
        }
        Some(Self {
            version: u32::from_le_bytes(field(bytes, 8)),
            records: u32::from_le_bytes(field(bytes, 12)),
            store: field(bytes, 16),
            segment: u64::from_le_bytes(field(bytes, 32)),
            offset: u64::from_le_bytes(field(bytes, 40)),
            body_len: u64::from_le_bytes(field(bytes, 48)),
            first_seq: u64::from_le_bytes(field(bytes, 56)),
            written_ns: i64::from_le_bytes(field(bytes, 64)),
            durable: u64::from_le_bytes(field(bytes, 72)),
            previous: field(bytes, 80),
            digest: field(bytes, DIGEST_AT),
        })
    }

    /// Encodes the header, its digest included.
    pub(crate) fn to_log_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = self.to_bytes();
        bytes[DIGEST_AT..].copy_from_slice(&self.digest);
        bytes
    }

    /// Encodes the header with zeros for the digest.
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.records.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.store);
        bytes[32..40].copy_from_slice(&self.segment.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.offset.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.body_len.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[64..72].copy_from_slice(&self.written_ns.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.durable.to_le_bytes());
        bytes[80..112].copy_from_slice(&self.previous);
        bytes
    }

    /// The offset after the block.
    pub(crate) fn end(&self) -> u64 {
        self.offset + HEADER_BYTES as u64 + self.body_len
    }
}

/// The digest of a block with this header and body.
pub(crate) fn digest(header: &[u8; HEADER_BYTES], body: &[u8]) -> Digest {
    *digest_begun(header).update(body).finalize().as_bytes()
}

/// Starts the digest of a block with this header; the body is to be added.
pub(crate) fn digest_begun(header: &[u8; HEADER_BYTES]) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header[..DIGEST_AT]);
    hasher
}

/// Builds a block: records are pushed, then a header is filled in.
#[derive(Debug)]
pub(crate) struct BlockBuilder {
    /// Room for the header, then the records.
    bytes: Vec<u8>,
    records: u32,
}

impl BlockBuilder {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; HEADER_BYTES], records: 0 }
    }

    /// Bytes of the records pushed so far.
    pub(crate) fn body_len(&self) -> usize {
        self.bytes.len() - HEADER_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The number of records pushed so far.
    pub(crate) fn records(&self) -> u32 {
        self.records
    }

    /// Pushes a record, an event as a version if `version`. Returns its offset from the
    /// beginning of the block.
    pub(crate) fn push(&mut self, record: &Encoded, version: bool) -> usize {
        let at = self.bytes.len();
        record.write_to(&mut self.bytes, version);
        self.records += 1;
        at
    }

    /// The bytes of the block, header and records.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Fills in the header and returns it; the block can be written then. The lengths and
    /// the digest of `header` are set here.
    pub(crate) fn seal(&mut self, mut header: Header) -> Header {
        header.records = self.records;
        header.body_len = self.body_len() as u64;
        let mut front = header.to_bytes();
        header.digest = digest(&front, &self.bytes[HEADER_BYTES..]);
        front[DIGEST_AT..].copy_from_slice(&header.digest);
        self.bytes[..HEADER_BYTES].copy_from_slice(&front);
        header
    }

    /// Empties the block for the next one. Frees the memory that a large record took.
    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(HEADER_BYTES);
        self.bytes.shrink_to(KEPT_CAPACITY_BYTES);
        self.records = 0;
    }
}

/// Iterates over the records of a body.
pub(crate) struct Records<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    /// The offset of a record in the body, its frame and its bytes.
    type Item = Result<(usize, Frame, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.body.get(self.at..).filter(|rest| !rest.is_empty())?;
        let at = self.at;
        match Frame::parse(rest, rest.len() as u64) {
            Ok(frame) => {
                self.at += frame.len();
                Some(Ok((at, frame, &rest[..frame.len()])))
            }
            Err(error) => {
                self.at = self.body.len();
                Some(Err(Error::damaged(format!("record at byte {at} of a block: {error:#}"))))
            }
        }
    }
}

fn field<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

/// Bytes of capacity that the buffer keeps between blocks.
const KEPT_CAPACITY_BYTES: usize = 4 << 20;
