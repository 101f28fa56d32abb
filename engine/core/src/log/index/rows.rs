//! The rows of an index: one of fixed size for each event and version, in sequence order.

use crate::base::row::{Flags, NONE};

/// As of the newest commit.
pub(crate) const NOW: u32 = u32::MAX - 1;

/// An event or a version in 64 bytes, so that a hop reads one cache line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// A UUID; of a text, its number in the first four bytes.
    pub(crate) id: [u8; 16],
    pub(crate) time_ns: i64,
    /// The offset of the record in the log.
    pub(crate) offset: u64,
    /// The parent's row, once it is known.
    pub(crate) parent: u32,
    /// The commit at which the link to the parent became known.
    pub(crate) linked_at: u32,
    /// The row itself; of a version, the row of its event.
    pub(crate) first: u32,
    pub(crate) kind: u32,
    pub(crate) instance: u32,
    pub(crate) session: u32,
    pub(crate) flags: Flags,
}

const _: () = assert!(size_of::<Row>() == 64);

impl Row {
    /// The row of an event that was lost to damage.
    pub(crate) fn lost(row: u32) -> Self {
        Self {
            id: [0; 16],
            time_ns: 0,
            offset: 0,
            parent: NONE,
            linked_at: NONE,
            first: row,
            kind: NONE,
            instance: NONE,
            session: NONE,
            flags: Flags::of_lost(),
        }
    }
}
