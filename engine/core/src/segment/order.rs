//! The order of the spine: the entries of a chain are neighbours.
//!
//! Where many instances write at once, the next event of a chain is about a page further on in
//! the log. In the spine it is the next cache line, so that a walk reads few pages, front to
//! back. Callers ask by row; each thread remembers the slots of the rows that it saw last.

use std::cell::Cell;

use crate::segment::spine::Entry;

/// Bytes of an entry of the table of slots.
pub(crate) const SLOT_BYTES: usize = 3;

/// The permutation between rows and slots.
#[derive(Debug)]
pub(crate) struct Order {
    /// The row of each slot, and the slot of each row.
    pub(crate) rows: Vec<u32>,
    pub(crate) slots: Vec<u32>,
}

impl Order {
    /// Orders entries by instance, then by anchor, then by row. O(rows log rows).
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

/// Encodes a slot for the table.
pub(crate) fn slot_bytes(slot: u32) -> [u8; SLOT_BYTES] {
    let [a, b, c, _] = slot.to_le_bytes();
    [a, b, c]
}

/// Decodes a slot of the table.
pub(crate) fn slot(bytes: [u8; SLOT_BYTES]) -> u32 {
    let [a, b, c] = bytes;
    u32::from_le_bytes([a, b, c, 0])
}

/// The slot of a row, if this thread remembers it. `file` is the number of the opening.
#[inline]
pub(crate) fn known(file: u64, row: u32) -> Option<u32> {
    let seen = SEEN.with(|seen| seen[row as usize % SEEN_MAX].get());
    (seen.file == file && seen.row == row).then_some(seen.slot)
}

/// Has this thread remember the slot of a row.
#[inline]
pub(crate) fn remember(file: u64, row: u32, slot: u32) {
    SEEN.with(|seen| seen[row as usize % SEEN_MAX].set(OrderState { file, row, slot }));
}

#[derive(Clone, Copy)]
struct OrderState {
    file: u64,
    row: u32,
    slot: u32,
}

thread_local! {
    static SEEN: [Cell<OrderState>; SEEN_MAX] =
        const { [const { Cell::new(OrderState { file: 0, row: 0, slot: 0 }) }; SEEN_MAX] };
}

/// Rows whose slots a thread remembers: an event and its parent take two.
const SEEN_MAX: usize = 16;
