//! Lists of rows in order of a place. A short list is inline in the entry that refers to it, a
//! longer one in groups of its own.

use std::ops::ControlFlow;

use crate::base::codec::{Input, put_number};
use crate::base::error::Result;
use crate::base::row::Place;
use crate::segment::index::SegmentIndex;
use crate::segment::index::packing::{MAX_PACKED, put_rows};
use crate::segment::index::store::Appender;
use crate::segment::index::tables::Table;

/// A list of rows.
#[derive(Clone, Debug)]
pub(crate) struct List {
    len: u32,
    rows: ListedRows,
}

#[derive(Clone, Debug)]
enum ListedRows {
    /// Inline: all rows.
    Here(Vec<u32>),
    /// In groups, which have this number.
    Apart(u32),
}

impl List {
    /// The number of rows.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Reads a reference to a list.
    pub(super) fn read(input: &mut Input<'_>, base: u32, end: u32) -> Result<Self> {
        let len = input.number_up_to(u64::from(end))?;
        let rows = if len as usize <= MAX_HERE {
            ListedRows::Here(input.rows(base, len as usize, end)?)
        } else {
            ListedRows::Apart(input.number_up_to(u64::from(u32::MAX))?)
        };
        Ok(Self { len, rows })
    }
}

/// Writes lists and numbers those in groups.
#[derive(Debug, Default)]
pub(super) struct ListWriter {
    next: u32,
}

impl ListWriter {
    /// Writes a list whose rows are in order of their places, and appends the reference to
    /// it to `reference`.
    pub(super) fn write(
        &mut self,
        table: &mut Appender<'_>,
        reference: &mut Vec<u8>,
        base: u32,
        rows: &[u32],
        place: impl Fn(u32) -> Place,
    ) -> Result<()> {
        put_number(reference, rows.len() as u64);
        if rows.len() <= MAX_HERE {
            put_rows(reference, base, rows);
            return Ok(());
        }
        let number = self.next;
        self.next += 1;
        put_number(reference, u64::from(number));
        let mut value = Vec::with_capacity(4 * MAX_PACKED);
        for group in rows.chunks(MAX_PACKED) {
            let Some(&last) = group.last() else { continue };
            value.clear();
            put_number(&mut value, group.len() as u64);
            put_rows(&mut value, 0, group);
            table.put(&key(number, place(last)), &value)?;
        }
        Ok(())
    }
}

impl SegmentIndex {
    /// Rows of a list from a place on, the place included, in order. `time_of` returns the
    /// time of a row. O(log n + rows returned).
    pub(crate) fn forwards(
        &self,
        list: &List,
        from: Place,
        at_most: usize,
        time_of: impl Fn(u32) -> Result<i64>,
    ) -> Result<Vec<u32>> {
        let number = match &list.rows {
            ListedRows::Here(rows) => {
                let start = count_before(rows, from, &time_of)?;
                return Ok(rows[start..].iter().take(at_most).copied().collect());
            }
            ListedRows::Apart(number) => *number,
        };
        let mut found = Vec::new();
        let prefix = prefix(number);
        self.tree.walk(&key(number, from), |key, value| {
            if !key.starts_with(&prefix) || found.len() >= at_most {
                return Ok(ControlFlow::Break(()));
            }
            let rows = self.group(value)?;
            // Only the first group can begin before the place.
            let start = if found.is_empty() { count_before(&rows, from, &time_of)? } else { 0 };
            found.extend(rows[start..].iter().take(at_most - found.len()));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Rows of a list before a place, the place excluded, in reverse order.
    pub(crate) fn backwards(
        &self,
        list: &List,
        to: Place,
        at_most: usize,
        time_of: impl Fn(u32) -> Result<i64>,
    ) -> Result<Vec<u32>> {
        let number = match &list.rows {
            ListedRows::Here(rows) => {
                let end = count_before(rows, to, &time_of)?;
                return Ok(rows[..end].iter().rev().take(at_most).copied().collect());
            }
            ListedRows::Apart(number) => *number,
        };
        let mut found = Vec::new();
        let (from, prefix) = (key(number, to), prefix(number));
        self.tree.walk_back(&from, |key, value| {
            if found.len() >= at_most || key < prefix.as_slice() {
                return Ok(ControlFlow::Break(()));
            }
            if !key.starts_with(&prefix) {
                return Ok(ControlFlow::Continue(()));
            }
            let rows = self.group(value)?;
            // Groups are under their last rows: all but the first end before the place.
            let end =
                if key < from.as_slice() { rows.len() } else { count_before(&rows, to, &time_of)? };
            found.extend(rows[..end].iter().rev().take(at_most - found.len()));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Whether a row is in a list.
    pub(crate) fn contains(
        &self,
        list: &List,
        row: u32,
        time_of: impl Fn(u32) -> Result<i64>,
    ) -> Result<bool> {
        if let ListedRows::Here(rows) = &list.rows {
            return Ok(rows.contains(&row));
        }
        let place = Place { time_ns: time_of(row)?, row };
        Ok(self.forwards(list, place, 1, time_of)? == [row])
    }

    fn group(&self, value: &[u8]) -> Result<Vec<u32>> {
        let mut input = Input(value);
        let read = input.number_up_to(MAX_PACKED as u64);
        let rows = read.and_then(|count| input.rows(0, count as usize, self.rows));
        rows.map_err(|error| self.damaged("a group of a list", &error))
    }
}

/// The number of rows before a place.
fn count_before(rows: &[u32], place: Place, time_of: impl Fn(u32) -> Result<i64>) -> Result<usize> {
    let (mut low, mut high) = (0, rows.len());
    while low < high {
        let middle = low.midpoint(high);
        let row = rows[middle];
        if (Place { time_ns: time_of(row)?, row }) < place {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn prefix(number: u32) -> [u8; 5] {
    let mut prefix = [Table::Lists as u8; 5];
    prefix[1..].copy_from_slice(&number.to_be_bytes());
    prefix
}

/// The key of a group: the list and the place of the group's last row, so that a seek to a place
/// finds its group.
fn key(number: u32, last: Place) -> [u8; 17] {
    let mut key = [0; 17];
    key[..5].copy_from_slice(&prefix(number));
    // The sign bit is flipped, so that bytes compare as the times do.
    let time = last.time_ns.cast_unsigned() ^ (1 << 63);
    key[5..13].copy_from_slice(&time.to_be_bytes());
    key[13..].copy_from_slice(&last.row.to_be_bytes());
    key
}

/// The most rows of an inline list.
const MAX_HERE: usize = 64;
const _: () = assert!(MAX_HERE <= MAX_PACKED);
