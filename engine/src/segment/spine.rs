//! The spine: one entry of 64 bytes for each event and version, in sequence
//! order, so that a hop from an event to its cause is one cache line.

use crate::log::index::{Flags, NONE};

/// Size of an entry.
pub(crate) const ENTRY_BYTES: usize = 64;

/// What the spine holds of an event or a version.
///
/// Sequence numbers have 48 bits on disk; 0 stands for none. Along stored links
/// depth falls by exactly one; a hop that breaks this is damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// A UUID's bytes, or the digest of a text: see [`Flags::TEXT`].
    pub(crate) key: [u8; 16],
    /// The sequence number of the stored parent: in this segment or an earlier one.
    pub(crate) parent: u64,
    /// The sequence number of the anchor: the topmost event reached by stored links.
    pub(crate) anchor: u64,
    /// The sequence number of a further ancestor within the piece, by the rule of
    /// skew-binary jump pointers; 0 for an anchor.
    pub(crate) jump: u64,
    pub(crate) time_ns: i64,
    /// Stored links between the event and its anchor.
    pub(crate) depth: u32,
    /// Numbers of texts in the segment's string table; `session` may be [`NONE`].
    pub(crate) kind: u32,
    pub(crate) instance: u32,
    pub(crate) session: u32,
    /// Where the record begins in the heap before compression, in units of 16 bytes.
    pub(crate) record: u32,
    pub(crate) flags: Flags,
}

impl Entry {
    /// The place of an event that was lost to damage.
    pub(crate) fn lost() -> Self {
        Self {
            key: [0; 16],
            parent: 0,
            anchor: 0,
            jump: 0,
            time_ns: 0,
            depth: 0,
            kind: NONE,
            instance: NONE,
            session: NONE,
            record: NONE,
            flags: Flags::of_lost(),
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..16].copy_from_slice(&self.key);
        for (at, seq) in [(16, self.parent), (22, self.anchor), (28, self.jump)] {
            debug_assert!(seq < 1 << 48, "a sequence number has 48 bits");
            bytes[at..at + 6].copy_from_slice(&seq.to_le_bytes()[..6]);
        }
        bytes[34..36].copy_from_slice(&self.flags.bits().to_le_bytes());
        bytes[36..40].copy_from_slice(&self.depth.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.time_ns.to_le_bytes());
        for (at, number) in
            [(48, self.kind), (52, self.instance), (56, self.session), (60, self.record)]
        {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let seq = |at: usize| {
            let mut eight = [0; 8];
            eight[..6].copy_from_slice(&bytes[at..at + 6]);
            u64::from_le_bytes(eight)
        };
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let mut key = [0; 16];
        key.copy_from_slice(&bytes[..16]);
        let mut time = [0; 8];
        time.copy_from_slice(&bytes[40..48]);
        Self {
            key,
            parent: seq(16),
            anchor: seq(22),
            jump: seq(28),
            flags: Flags::from_bits(u16::from_le_bytes([bytes[34], bytes[35]])),
            depth: number(36),
            time_ns: i64::from_le_bytes(time),
            kind: number(48),
            instance: number(52),
            session: number(56),
            record: number(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let mut flags = Flags::default();
        flags.set(Flags::NAMED | Flags::ERROR, true);
        let entry = Entry {
            key: *b"0123456789abcdef",
            parent: (1 << 48) - 1,
            anchor: 0x0102_0304_0506,
            jump: 7,
            time_ns: -5,
            depth: 1 << 31,
            kind: 1,
            instance: 2,
            session: NONE,
            record: 0xdead_beef,
            flags,
        };
        assert_eq!(Entry::from_bytes(&entry.to_bytes()), entry);
    }
}
