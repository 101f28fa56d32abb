//! A block: one group commit. A fixed header, then the records.
//!
//! `docs/format.md` draws the header. All numbers are little-endian.

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, StoreId};
use crate::base::limits;
use crate::log::encoded::Encoded;
use crate::log::record::Frame;

/// Size of the header in front of a block's body.
pub(crate) const HEADER_BYTES: usize = 144;
/// Where in the header the digest stands: everything before it is digested,
/// then the body.
const DIGEST_AT: usize = 112;
/// The first bytes of every block.
pub(crate) const MAGIC: [u8; 8] = *b"frbrBLK\n";
/// More bytes than any body has: a batch, or one record at the largest payload
/// that can be allowed, and its fields.
pub(crate) const MAX_BODY_BYTES: u64 = (limits::MAX_PAYLOAD_BYTES + limits::MAX_BATCH_BYTES) as u64;

/// What stands in front of a block's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u32,
    pub(crate) records: u32,
    pub(crate) store: StoreId,
    pub(crate) segment: u64,
    /// Where in the log the block begins.
    pub(crate) offset: u64,
    pub(crate) body_len: u64,
    /// The sequence number of the block's first event or version, or of the
    /// next one if it holds none.
    pub(crate) first_seq: u64,
    /// When the block was written, in nanoseconds since the Unix epoch.
    pub(crate) written_ns: i64,
    /// The log up to here was known to be on disk when the block was written.
    pub(crate) durable: u64,
    /// The digest of the block before, zeros for the first.
    pub(crate) previous: Digest,
    pub(crate) digest: Digest,
}

impl Header {
    /// Reads a header. None where the bytes do not begin with the magic.
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

    /// The header's bytes as they lie in a log.
    pub(crate) fn to_log_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = self.to_bytes();
        bytes[DIGEST_AT..].copy_from_slice(&self.digest);
        bytes
    }

    /// The header's bytes, its digest left as zeros.
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

    /// Where the block ends in the log.
    pub(crate) fn end(&self) -> u64 {
        self.offset + HEADER_BYTES as u64 + self.body_len
    }
}

/// The digest that a block with this header and body must bear.
pub(crate) fn digest(header: &[u8; HEADER_BYTES], body: &[u8]) -> Digest {
    *digest_begun(header).update(body).finalize().as_bytes()
}

/// The digest of a block with this header, its body yet to come.
pub(crate) fn digest_begun(header: &[u8; HEADER_BYTES]) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header[..DIGEST_AT]);
    hasher
}

/// A block in the making: records are added, then it is sealed with a header.
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

    /// Bytes of the records so far.
    pub(crate) fn body_len(&self) -> usize {
        self.bytes.len() - HEADER_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// How many records the block holds.
    pub(crate) fn records(&self) -> u32 {
        self.records
    }

    /// Adds a record, an event as a version if it is one; returns where it begins,
    /// from the block's first byte.
    pub(crate) fn push(&mut self, record: &Encoded, version: bool) -> usize {
        let at = self.bytes.len();
        record.write_to(&mut self.bytes, version);
        self.records += 1;
        at
    }

    /// The bytes of the block from its first on.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Fills in the header: the block is ready to be written. `header` says
    /// where it goes; its lengths and digest are set here.
    pub(crate) fn seal(&mut self, mut header: Header) -> Header {
        header.records = self.records;
        header.body_len = self.body_len() as u64;
        let mut front = header.to_bytes();
        header.digest = digest(&front, &self.bytes[HEADER_BYTES..]);
        front[DIGEST_AT..].copy_from_slice(&header.digest);
        self.bytes[..HEADER_BYTES].copy_from_slice(&front);
        header
    }

    /// Empties the block for the next one. Memory that one large record took is
    /// given back.
    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(HEADER_BYTES);
        self.bytes.shrink_to(KEPT_CAPACITY_BYTES);
        self.records = 0;
    }
}

/// Goes through the records of a body.
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
    /// Where the record begins in the body, its frame, and its bytes.
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

/// Capacity that a block's buffer keeps between blocks.
const KEPT_CAPACITY_BYTES: usize = 4 << 20;
