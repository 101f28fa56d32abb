//! One fixed-size row for each event and version, in sequence order.

use crate::event::LinkKind;

/// Stands for "no row", "no text" and "never".
pub(crate) const NONE: u32 = u32::MAX;
/// As of the newest commit, whichever it is.
pub(crate) const NOW: u32 = u32::MAX - 1;

/// An event or a version: 64 bytes, one cache line a hop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// A UUID's bytes; for a text the number of it in its first four.
    pub(crate) id: [u8; 16],
    pub(crate) time_ns: i64,
    /// Where the record begins in the log.
    pub(crate) offset: u64,
    /// The parent's row, once it is known.
    pub(crate) parent: u32,
    /// The commit at which the link to the parent became known.
    pub(crate) linked_at: u32,
    /// The row of the event; of a version, that of the event it is one of.
    pub(crate) first: u32,
    pub(crate) kind: u32,
    pub(crate) instance: u32,
    pub(crate) session: u32,
    pub(crate) flags: Flags,
}

const _: () = assert!(size_of::<Row>() == 64);

/// What is true of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u16);

impl Flags {
    /// The id is a text.
    pub(crate) const TEXT: u16 = 1;
    /// The event came without an id.
    pub(crate) const DERIVED: u16 = 1 << 1;
    /// A later version of an event.
    pub(crate) const VERSION: u16 = 1 << 2;
    /// The event is an error.
    pub(crate) const ERROR: u16 = 1 << 3;
    /// The event names its parent itself.
    pub(crate) const NAMED: u16 = 1 << 4;
    /// The link to the parent closes a cycle and is not followed.
    pub(crate) const CLOSING: u16 = 1 << 5;
    /// The event was lost to damage: nothing but its place is known.
    pub(crate) const LOST: u16 = 1 << 6;
    /// Links claimed for the event came and went: see its history.
    pub(crate) const HISTORY: u16 = 1 << 7;
    /// The parent is in an earlier segment; for a version, the event is.
    pub(crate) const OUTSIDE: u16 = 1 << 8;
    /// On disk alone: the parent stands in the spine by its row and slot, not by its
    /// sequence number.
    pub(crate) const INSIDE: u16 = 1 << 9;
    /// The two bits of the link's kind.
    const LINK_SHIFT: u16 = 14;

    /// Of a row that was lost to damage.
    pub(crate) fn of_lost() -> Self {
        Self(Self::LOST)
    }

    /// As on disk, in a sealed segment's spine.
    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    pub(crate) fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    pub(crate) fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }

    pub(crate) fn set(&mut self, flag: u16, on: bool) {
        if on {
            self.0 |= flag;
        } else {
            self.0 &= !flag;
        }
    }

    pub(crate) fn link(self) -> LinkKind {
        match self.0 >> Self::LINK_SHIFT {
            1 => LinkKind::Continues,
            2 => LinkKind::Spawned,
            _ => LinkKind::Caused,
        }
    }

    pub(crate) fn set_link(&mut self, kind: LinkKind) {
        let number = match kind {
            LinkKind::Caused => 0,
            LinkKind::Continues => 1,
            LinkKind::Spawned => 2,
        };
        self.0 = (self.0 & !(3 << Self::LINK_SHIFT)) | (number << Self::LINK_SHIFT);
    }
}

impl Row {
    /// The place of an event that was lost to damage.
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
