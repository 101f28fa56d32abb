//! What the manifest says of each segment and log.

use crate::base::format::Digest;

/// What the manifest says of a sealed segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) segment: u64,
    pub(crate) first_seq: u64,
    /// Events and versions, those lost to damage among them.
    pub(crate) rows: u32,
    /// Rows that were lost to damage.
    pub(crate) lost: u32,
    /// The times of its events: the least and the greatest.
    pub(crate) min_time_ns: i64,
    pub(crate) max_time_ns: i64,
    /// When its last block was written.
    pub(crate) written_ns: i64,
    /// Bytes of its log, of its file and of its index.
    pub(crate) raw_bytes: u64,
    pub(crate) seg_bytes: u64,
    pub(crate) idx_bytes: u64,
    /// The oldest event that its anchors and the children of its late parents are; its
    /// own first where those are none before it.
    pub(crate) reach: u64,
    /// Claims that stand in it, and links that it marks as closing a cycle.
    pub(crate) claims: u32,
    pub(crate) marks: u32,
    /// Keys of which it has what was carried into it.
    pub(crate) carried: u32,
    /// The digest of the file's footer.
    pub(crate) footer: Digest,
    /// The digest of its last block.
    pub(crate) last: Digest,
}

impl Sealed {
    /// The sequence number behind its last row.
    pub(crate) fn end_seq(&self) -> u64 {
        self.first_seq + u64::from(self.rows)
    }

    /// Bytes of its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.seg_bytes + self.idx_bytes
    }
}

/// A log, and what it goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogStart {
    pub(crate) segment: u64,
    /// The sequence number of its first event.
    pub(crate) first_seq: u64,
    /// The digest of the block before its first, zeros in a new store.
    pub(crate) previous: Digest,
}

/// A log to which nothing is added any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FullLog {
    pub(crate) start: LogStart,
    pub(crate) length: u64,
}

impl LogStart {
    /// The first log of a new store.
    pub(crate) const FIRST: Self = Self { segment: 1, first_seq: 1, previous: [0; 32] };
}
