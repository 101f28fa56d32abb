//! The spine: an array of 64-byte entries, one for each event and version. A hop from an event
//! to its cause reads one cache line, mostly the neighbouring one.

use crate::base::limits;
use crate::base::row::{Flags, NONE};

/// Size of an entry.
pub(crate) const ENTRY_BYTES: usize = 64;
/// The end of the numbers of rows, slots and texts: they have 24 bits on disk, of which all
/// ones stand for none.
pub(crate) const MAX_NUMBER: u32 = (1 << 24) - 1;

// A row has at most three texts of its own, and a batch may exceed the limit of a segment.
const _: () = assert!(
    3 * (limits::MAX_SEGMENT_EVENTS as usize + limits::MAX_BATCH_RECORDS) < MAX_NUMBER as usize
);

/// An entry as it is on disk: with its row, and the slot of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slotted {
    pub(crate) entry: Entry,
    /// The row that the entry is of.
    pub(crate) row: u32,
    /// The row and the slot of the parent, where that is in the same segment.
    pub(crate) parent: Option<(u32, u32)>,
}

/// What the spine has of an event or a version.
///
/// Sequence numbers have 48 bits on disk; 0 stands for none. Each hop to a stored parent
/// lowers the depth by exactly one. Walks rely on it to end, so that a hop that breaks it is
/// reported as damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// A UUID's bytes, or the digest of a text: see [`Flags::TEXT`].
    pub(crate) key: [u8; 16],
    /// The sequence number of the stored parent: in this segment or an earlier one.
    pub(crate) parent: u64,
    /// The sequence number of the anchor: the topmost event reached by stored links.
    pub(crate) anchor: u64,
    /// The skew-binary skip pointer: the sequence number of an ancestor further up towards
    /// the anchor; 0 for an anchor.
    pub(crate) skip: u64,
    pub(crate) time_ns: i64,
    /// Stored links between the event and its anchor.
    pub(crate) depth: u32,
    /// Numbers in the segment's string table; `session` may be [`NONE`].
    pub(crate) kind: u32,
    pub(crate) instance: u32,
    pub(crate) session: u32,
    /// The heap address of the record: its offset before compression in units of 16 bytes.
    pub(crate) record: u32,
    pub(crate) flags: Flags,
}

impl Entry {
    /// The entry of an event that was lost to damage.
    pub(crate) fn lost() -> Self {
        Self {
            key: [0; 16],
            parent: 0,
            anchor: 0,
            skip: 0,
            time_ns: 0,
            depth: 0,
            kind: NONE,
            instance: NONE,
            session: NONE,
            record: NONE,
            flags: Flags::of_lost(),
        }
    }
}

impl Slotted {
    pub(crate) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let Self { entry, row, parent } = self;
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..16].copy_from_slice(&entry.key);
        let up = match parent {
            Some((row, slot)) => u64::from(row) | u64::from(slot) << 24,
            None => entry.parent,
        };
        for (at, seq) in [(16, up), (22, entry.anchor), (28, entry.skip)] {
            debug_assert!(seq < 1 << 48, "a sequence number has 48 bits");
            bytes[at..at + 6].copy_from_slice(&seq.to_le_bytes()[..6]);
        }
        let mut flags = entry.flags;
        flags.set(Flags::INSIDE, parent.is_some());
        bytes[34..36].copy_from_slice(&flags.bits().to_le_bytes());
        bytes[36..40].copy_from_slice(&entry.depth.to_le_bytes());
        bytes[40..48].copy_from_slice(&entry.time_ns.to_le_bytes());
        for (at, number) in [(48, entry.kind), (51, entry.instance), (54, entry.session), (57, row)]
        {
            debug_assert!(number <= MAX_NUMBER || number == NONE, "a number has 24 bits");
            bytes[at..at + 3].copy_from_slice(&number.to_le_bytes()[..3]);
        }
        bytes[60..].copy_from_slice(&entry.record.to_le_bytes());
        bytes
    }

    /// Reads an entry of the segment whose first row has this sequence number.
    #[inline]
    pub(crate) fn from_bytes(bytes: &[u8; ENTRY_BYTES], first_seq: u64) -> Self {
        let word = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        let seq = |at: usize| word(at) & ((1 << 48) - 1);
        let number = |at: usize| match small(word(at - 5) >> 40) {
            MAX_NUMBER => NONE,
            number => number,
        };
        let half = |at: usize| (word(at - 4) >> 32) as u32;
        let mut flags = Flags::from_bits((word(28) >> 48) as u16);
        let inside = flags.has(Flags::INSIDE);
        flags.set(Flags::INSIDE, false);
        let up = seq(16);
        let parent = inside.then(|| (small(up), small(up >> 24)));
        let mut key = [0; 16];
        key.copy_from_slice(&bytes[..16]);
        let entry = Entry {
            key,
            parent: parent.map_or(up, |(row, _)| first_seq + u64::from(row)),
            anchor: seq(22),
            skip: seq(28),
            flags,
            depth: half(36),
            time_ns: word(40).cast_signed(),
            kind: number(48),
            instance: number(51),
            session: number(54),
            record: half(60),
        };
        Self { entry, row: number(57), parent }
    }
}

/// The lower 24 bits.
fn small(bits: u64) -> u32 {
    bits as u32 & MAX_NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let mut flags = Flags::default();
        flags.set(Flags::NAMED | Flags::ERROR, true);
        flags.set_link(crate::base::link::LinkKind::Spawned);
        let entry = Entry {
            key: *b"0123456789abcdef",
            parent: (1 << 48) - 1,
            anchor: 0x0102_0304_0506,
            skip: 7,
            time_ns: -5,
            depth: 1 << 31,
            kind: MAX_NUMBER - 1,
            instance: 2,
            session: NONE,
            record: 0xdead_beef,
            flags,
        };
        let elsewhere = Slotted { entry, row: 0xa1_b2c3, parent: None };
        assert_eq!(Slotted::from_bytes(&elsewhere.to_bytes(), 1000), elsewhere);
        let entry = Entry { parent: 1000 + 0x01_0203, ..entry };
        let inside = Slotted { entry, row: 5, parent: Some((0x01_0203, 0xfe_dcba)) };
        assert_eq!(Slotted::from_bytes(&inside.to_bytes(), 1000), inside);
    }
}
