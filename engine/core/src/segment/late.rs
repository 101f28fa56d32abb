//! Late parents: events of a segment that an event of one of the segments right before it
//! names as its parent.
//!
//! The child was stored without its parent, and its segment was full when the parent came, so
//! that no spine has the link. A lookup of the parent's id finds it too, at the price of a
//! probe of every segment; the table costs one binary search and outlives the child's segment.
//! Parents that come more than [`LATE_SEGMENTS`] later are found by the lookup alone.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::segment::output::{Output, field};
use crate::segment::pages::Pages;

/// A late parent: its child, its row and its place in the lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LateParent {
    /// The sequence number of the event that names it as its parent.
    pub(crate) child: u64,
    /// The parent's row.
    pub(crate) row: u32,
    /// The parent's anchor and its depth below that.
    pub(crate) anchor: u64,
    pub(crate) depth: u32,
}

/// Writes a table of late parents whose children ascend.
pub(crate) fn write(out: &mut Output, parents: &[LateParent]) -> Result<()> {
    debug_assert!(parents.is_sorted_by(|a, b| a.child < b.child), "each child once");
    parents.iter().try_for_each(|late| {
        out.write(&late.child.to_le_bytes())?;
        out.write(&late.anchor.to_le_bytes())?;
        out.write(&late.row.to_le_bytes())?;
        out.write(&late.depth.to_le_bytes())
    })
}

/// A table in the pages of a sealed file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateTable<'a> {
    pages: &'a Pages,
    range: &'a Range<usize>,
}

impl<'a> LateTable<'a> {
    /// The table in this range of the pages.
    pub(crate) fn new(pages: &'a Pages, range: &'a Range<usize>) -> Self {
        Self { pages, range }
    }

    /// The late parent of this child, in a segment of `rows` rows. O(log n).
    pub(crate) fn find(&self, child: u64, rows: u32) -> Result<Option<LateParent>> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.entry(middle)?;
            match entry.child.cmp(&child) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal if entry.row < rows => return Ok(Some(entry)),
                std::cmp::Ordering::Equal => {
                    return Err(Error::damaged(format!(
                        "expected a late parent in a row below {rows}, found row {}",
                        entry.row
                    )));
                }
            }
        }
        Ok(None)
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.range.len() / ENTRY_BYTES
    }

    /// The entry at this index, in ascending order of children.
    pub(crate) fn entry(&self, at: usize) -> Result<LateParent> {
        let bytes: &[u8; ENTRY_BYTES] = self.pages.array(self.range.start + at * ENTRY_BYTES)?;
        Ok(LateParent {
            child: u64::from_le_bytes(field(bytes, 0)),
            anchor: u64::from_le_bytes(field(bytes, 8)),
            row: u32::from_le_bytes(field(bytes, 16)),
            depth: u32::from_le_bytes(field(bytes, 20)),
        })
    }
}

/// How many segments before a new one are searched for children of its events when it is
/// sealed; and so how many behind an event's own are searched for its late parent.
pub(crate) const LATE_SEGMENTS: usize = 4;
/// Child, anchor, row and depth.
const ENTRY_BYTES: usize = 24;
