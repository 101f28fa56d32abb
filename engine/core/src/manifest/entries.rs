//! The manifest's entries: a sealed segment, and where a log starts.

use crate::base::format::Digest;

/// The entry of a sealed segment: enough to decide most lookups without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) segment: u64,
    pub(crate) first_seq: u64,
    /// Events and versions, with those that were lost to damage.
    pub(crate) rows: u32,
    /// Rows that were lost to damage.
    pub(crate) lost: u32,
    /// The least and the greatest time of its events.
    pub(crate) min_time_ns: i64,
    pub(crate) max_time_ns: i64,
    /// When its last block was written.
    pub(crate) written_ns: i64,
    /// Bytes of its log, of its `.seg` and of its `.idx`.
    pub(crate) raw_bytes: u64,
    pub(crate) seg_bytes: u64,
    pub(crate) idx_bytes: u64,
    /// The least sequence number among its anchors, the children of its late parents and
    /// its own rows: expiring that event changes what is above rows of this segment.
    pub(crate) reach: u64,
    /// Asserted links that stand in it, and cycle edges that it marks.
    pub(crate) asserted_links: u32,
    pub(crate) marks: u32,
    /// Keys of state for which values were carried over into it.
    pub(crate) carried: u32,
    /// Rows that replace others, of this segment or earlier ones.
    pub(crate) superseding: u32,
    /// The digest of the footer of the `.seg`.
    pub(crate) footer: Digest,
    /// The digest of the last block of its log, which the next log follows.
    pub(crate) last: Digest,
}

impl Sealed {
    /// The sequence number after its last row.
    pub(crate) fn end_seq(&self) -> u64 {
        self.first_seq + u64::from(self.rows)
    }

    /// Bytes of its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.seg_bytes + self.idx_bytes
    }
}

/// A log and the block that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogStart {
    pub(crate) segment: u64,
    /// The sequence number of its first event.
    pub(crate) first_seq: u64,
    /// The digest of the block before its first; zeros in a new store.
    pub(crate) previous: Digest,
}

/// A log that is full and does not change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FullLog {
    pub(crate) start: LogStart,
    pub(crate) length: u64,
}

impl LogStart {
    /// The first log of a new store.
    pub(crate) const FIRST: Self = Self { segment: 1, first_seq: 1, previous: [0; 32] };
}
