//! Late parents: the events of a segment that events of the segments right before it
//! name and were stored without.
//!
//! Such a link stands in no spine, since its child's segment was full when its parent
//! came. It could be found by the parent's id, which costs a look-up in all segments;
//! here it costs a search in one small table, and it is there still once the child's
//! segment has expired. Who is waited for from further back is found by the id alone.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::segment::output::{Output, field};
use crate::segment::pages::Pages;

/// A link to a late parent, and where that lies in its piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LateParent {
    /// The sequence number of the event that names it.
    pub(crate) child: u64,
    /// Its row.
    pub(crate) row: u32,
    /// The anchor of its piece, and how far below that it lies.
    pub(crate) anchor: u64,
    pub(crate) depth: u32,
}

/// Writes a table; the children ascend.
pub(crate) fn write(out: &mut Output, parents: &[LateParent]) -> Result<()> {
    debug_assert!(parents.is_sorted_by(|a, b| a.child < b.child), "each child once");
    parents.iter().try_for_each(|late| {
        out.write(&late.child.to_le_bytes())?;
        out.write(&late.anchor.to_le_bytes())?;
        out.write(&late.row.to_le_bytes())?;
        out.write(&late.depth.to_le_bytes())
    })
}

/// A table in a sealed file.
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

    /// The parent of this child, of a segment of so many rows. O(log n).
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

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.range.len() / ENTRY_BYTES
    }

    /// One of them, in the order of the children.
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

/// Segments before a sealed one whose events are asked whether they wait for one of its
/// own, and so segments behind an event's that are asked for its late parent.
pub(crate) const LATE_SEGMENTS: usize = 4;
/// Child, anchor, row and depth.
const ENTRY_BYTES: usize = 24;
