//! Children by parent: under rows of the segment, and under the keys of absent parents.
//!
//! These are stored links alone. Children are in order of their rows, which is the order in which
//! the links became known: a parent links those that waited for it in the order in which they
//! came, and all others come after it.

use std::ops::ControlFlow;

use crate::base::codec::{Input, put_number};
use crate::base::error::{Error, Result};
use crate::base::row::{Flags, Place};
use crate::log::index::{Index, NOW, StoredLink};
use crate::segment::index::SegmentIndex;
use crate::segment::index::lists::{List, ListWriter};
use crate::segment::index::store::Appender;
use crate::segment::index::tables::Table;

/// The stored links of a segment, by parent.
#[derive(Debug, Default)]
pub(super) struct StoredChildren {
    /// Parent and child, sorted.
    inside: Vec<(u32, u32)>,
    /// The parent's key and the child, sorted.
    absent: Vec<([u8; 16], u32)>,
}

/// Table entries that refer to lists, sorted by key.
type References = Vec<(Vec<u8>, Vec<u8>)>;

impl StoredChildren {
    pub(super) fn of(index: &Index) -> Self {
        let mut children = Self::default();
        for row in 0..index.rows().len() as u32 {
            if index.row(row).flags.has(Flags::VERSION | Flags::LOST) {
                continue;
            }
            match index.stored_link(row, NOW) {
                StoredLink::None | StoredLink::Cycle(_) => {}
                StoredLink::Row(parent) => children.inside.push((parent, row)),
                StoredLink::Earlier(_, id) | StoredLink::Awaited(id) => {
                    children.absent.push((id.key(), row));
                }
            }
        }
        children.inside.sort_unstable();
        children.absent.sort_unstable();
        children
    }

    /// Writes the groups of long lists. Returns the entries that refer to all lists.
    pub(super) fn write(
        &self,
        lists: &mut ListWriter,
        table: &mut Appender<'_>,
    ) -> Result<[References; 2]> {
        let mut inside = Vec::new();
        let mut value = Vec::new();
        let (mut previous, mut count) = (0, 0);
        let mut groups = self.inside.chunk_by(|a, b| a.0 == b.0).peekable();
        let mut rows = Vec::new();
        while let Some(siblings) = groups.next() {
            let Some(&(parent, _)) = siblings.first() else { continue };
            put_number(&mut value, u64::from(parent - previous));
            rows.clear();
            rows.extend(siblings.iter().map(|&(_, child)| child));
            lists.write(table, &mut value, parent, &rows, place)?;
            (previous, count) = (parent, count + 1);
            if count == GROUP || groups.peek().is_none() {
                let key = Table::Children.key(&[&parent.to_be_bytes()]);
                inside.push((key, std::mem::take(&mut value)));
                (previous, count) = (0, 0);
            }
        }
        let mut absent = Vec::new();
        for siblings in self.absent.chunk_by(|a, b| a.0 == b.0) {
            let Some((key, _)) = siblings.first() else { continue };
            rows.clear();
            rows.extend(siblings.iter().map(|&(_, child)| child));
            let mut reference = Vec::new();
            lists.write(table, &mut reference, 0, &rows, place)?;
            absent.push((Table::AbsentParents.key(&[key]), reference));
        }
        Ok([inside, absent])
    }
}

impl SegmentIndex {
    /// The children of a row within the segment, in order of rows; none where it has none.
    pub(crate) fn children(&self, parent: u32) -> Result<Option<List>> {
        let mut found = None;
        self.tree.walk(&Table::Children.key(&[&parent.to_be_bytes()]), |key, value| {
            if Table::Children.rest(key).is_some() {
                found = self
                    .siblings(value, parent)
                    .map_err(|error| self.damaged("a group of children", &error))?;
            }
            // Groups are under their last parent: only the first from this one on can have it.
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// The rows that name an absent parent with this key, in order. The caller must compare
    /// ids that are texts: their keys are digests.
    pub(crate) fn children_of_absent(&self, parent: &[u8; 16]) -> Result<Option<List>> {
        self.tree.get(&Table::AbsentParents.key(&[parent]), |value| {
            let list = List::read(&mut Input(value), 0, self.rows);
            list.map_err(|error| self.damaged("children of a parent elsewhere", &error))
        })
    }

    /// Children of a list after one, in order of rows.
    pub(crate) fn children_after(
        &self,
        list: &List,
        after: Option<u32>,
        at_most: usize,
    ) -> Result<Vec<u32>> {
        match after.map_or(Some(0), |after| after.checked_add(1)) {
            Some(from) => self.forwards(list, place(from), at_most, |_| Ok(0)),
            None => Ok(Vec::new()),
        }
    }

    fn siblings(&self, value: &[u8], parent: u32) -> Result<Option<List>> {
        let mut input = Input(value);
        let mut at = 0u32;
        for _ in 0..GROUP {
            if input.is_empty() {
                return Ok(None);
            }
            at = at
                .checked_add(input.number_up_to(u64::from(self.rows))?)
                .ok_or_else(|| Error::damaged("expected a row, found a greater number"))?;
            let list = List::read(&mut input, at, self.rows)?;
            if at >= parent {
                return Ok((at == parent).then_some(list));
            }
        }
        Ok(None)
    }
}

/// The place of a row in a list of children, which is ordered by rows alone.
fn place(row: u32) -> Place {
    Place { time_ns: 0, row }
}

/// Parents in a group.
const GROUP: usize = 32;
