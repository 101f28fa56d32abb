//! In which order the spine has its entries: those of a chain beside each other.
//!
//! Where many write at once, the next event of a chain lies a page further on in the
//! log. In the spine it is the next cache line, so that a walk reads a few pages from
//! front to back. What the order is nobody else needs to know: entries are asked for
//! by row, and the slots of the rows seen last are at hand.

use std::cell::Cell;

use crate::segment::spine::Entry;

/// Bytes of a slot in the table of them.
pub(crate) const SLOT_BYTES: usize = 3;

/// Which entry stands where.
#[derive(Debug)]
pub(crate) struct Order {
    /// The row of each slot, and the slot of each row.
    pub(crate) rows: Vec<u32>,
    pub(crate) slots: Vec<u32>,
}

impl Order {
    /// By instance, then by piece, then by row. O(rows log rows).
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut rows: Vec<u32> = (0..entries.len() as u32).collect();
        rows.sort_unstable_by_key(|&row| {
            let entry = &entries[row as usize];
            (entry.instance, entry.anchor, row)
        });
        let mut slots = vec![0; rows.len()];
        for (slot, &row) in (0..).zip(&rows) {
            slots[row as usize] = slot;
        }
        Self { rows, slots }
    }
}

/// A slot as it stands in the table.
pub(crate) fn slot_bytes(slot: u32) -> [u8; SLOT_BYTES] {
    let [a, b, c, _] = slot.to_le_bytes();
    [a, b, c]
}

/// A slot that stood in the table.
pub(crate) fn slot(bytes: [u8; SLOT_BYTES]) -> u32 {
    let [a, b, c] = bytes;
    u32::from_le_bytes([a, b, c, 0])
}

/// The slot of a row, if this thread has come across it lately. `file` numbers the open
/// segments of the process.
#[inline]
pub(crate) fn known(file: u64, row: u32) -> Option<u32> {
    let seen = SEEN.with(|seen| seen[row as usize % SEEN_MAX].get());
    (seen.file == file && seen.row == row).then_some(seen.slot)
}

/// Remembers the slot of a row.
#[inline]
pub(crate) fn remember(file: u64, row: u32, slot: u32) {
    SEEN.with(|seen| seen[row as usize % SEEN_MAX].set(Seen { file, row, slot }));
}

#[derive(Clone, Copy)]
struct Seen {
    file: u64,
    row: u32,
    slot: u32,
}

thread_local! {
    static SEEN: [Cell<Seen>; SEEN_MAX] =
        const { [const { Cell::new(Seen { file: 0, row: 0, slot: 0 }) }; SEEN_MAX] };
}

/// Rows whose slots are remembered: an event and its parent are two.
const SEEN_MAX: usize = 16;
