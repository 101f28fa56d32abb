//! What logs and sealed segments have of a row, in terms that both share.

use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind};

/// Stands for no row, no text and never.
pub(crate) const NONE: u32 = u32::MAX;

/// The flags of a row. The bits are those of the spine on disk.
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
    /// The parent link is a cycle edge, which is not followed.
    pub(crate) const CYCLE: u16 = 1 << 5;
    /// The event was lost to damage: nothing but its row is known.
    pub(crate) const LOST: u16 = 1 << 6;
    /// The event had other asserted links before: earlier commits have to ask for them.
    pub(crate) const HISTORY: u16 = 1 << 7;
    /// The row has a cross-segment reference: its parent, or the event of a version, is in an
    /// earlier segment.
    pub(crate) const CROSS_REF: u16 = 1 << 8;
    /// On disk alone: the spine has the parent's row and slot in place of its sequence
    /// number.
    pub(crate) const INSIDE: u16 = 1 << 9;
    /// The instance has a scope of its own within the session.
    pub(crate) const OWN_SCOPE: u16 = 1 << 10;
    /// A later row of this log or segment replaces the row. In logs the index has a table in
    /// place of this, since older snapshots don't see it.
    pub(crate) const SUPERSEDED: u16 = 1 << 11;
    /// The row replaces another and stands for the event now, though it is a version.
    pub(crate) const REVISION: u16 = 1 << 12;
    /// The upper two bits are the kind of the link.
    const LINK_SHIFT: u16 = 14;

    /// Whether the row is a version that does not stand for its event.
    pub(crate) fn is_later_version(self) -> bool {
        self.has(Self::VERSION) && !self.has(Self::REVISION)
    }

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

/// A place in a list that is ordered by time, then by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) time_ns: i64,
    pub(crate) row: u32,
}

/// The columns of an event, without its texts and its lineage.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing of the row, independent of the others"
)]
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) seq: u64,
    pub(crate) version: bool,
    pub(crate) derived_id: bool,
    pub(crate) own_scope: bool,
    pub(crate) revision: bool,
    pub(crate) id: EventId,
    pub(crate) time_ns: i64,
    /// The offset of the record in its log, or its address in the segment's heap.
    pub(crate) place: u64,
}

/// The numbers of a row's texts, in its source; `session` may be [`NONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextNumbers {
    pub(crate) kind: u32,
    pub(crate) instance: u32,
    pub(crate) session: u32,
}

/// What an index has of a row, read at once.
#[derive(Clone, Debug)]
pub(crate) struct RowRead {
    pub(crate) columns: Columns,
    pub(crate) texts: TextNumbers,
    /// What its event says of its parent, and how it follows from it.
    pub(crate) parent: StoredParent,
    pub(crate) link: LinkKind,
}

/// What rows can be listed by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ListOf {
    All,
    Errors,
    Kind(String),
    Instance(String),
    Session(String),
    Label(String, String),
}

/// What a row is checked for, in the source's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) time_ns: i64,
    pub(crate) flags: Flags,
    pub(crate) kind: u32,
    pub(crate) instance: u32,
    pub(crate) session: u32,
}

impl Facts {
    pub(crate) fn texts(&self) -> TextNumbers {
        let &Self { kind, instance, session, .. } = self;
        TextNumbers { kind, instance, session }
    }
}

/// What an event says of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredParent {
    /// It names none.
    None,
    /// A row of this source or an earlier one, by sequence number.
    Row(u64),
    /// An event that was not stored before the end of this source.
    Awaited,
    /// A row of this source that goes back to the event itself: a cycle edge.
    Cycle(u64),
}

/// The anchor of a row's fragment, and the row's depth below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Below {
    pub(crate) anchor: u64,
    pub(crate) depth: u32,
}

/// An asserted link that stands in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AssertedLink {
    pub(crate) link: Link,
    /// The next sequence number when it was asserted.
    pub(crate) before_seq: u64,
    /// Its number among the asserted links of its source.
    pub(crate) number: u32,
}
