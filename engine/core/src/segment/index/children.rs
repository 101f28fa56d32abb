//! Children by parent: rows of the segment under rows of it, and under the keys of
//! parents that it does not hold.
//!
//! Stored links alone. Children stand in order of their rows, which is the order in
//! which the links became known: a parent that arrives finds those that waited for
//! it in the order they came, and all others come later.

use std::ops::ControlFlow;

use crate::base::codec::{Input, put_number};
use crate::base::error::{Error, Result};
use crate::base::row::{Flags, Place};
use crate::log::index::{Index, NOW, StoredLink};
use crate::segment::index::SegmentIndex;
use crate::segment::index::lists::{List, ListWriter};
use crate::segment::index::store::Appender;
use crate::segment::index::tables::Table;

/// The links of a segment, by parent.
#[derive(Debug, Default)]
pub(super) struct Children {
    /// Parent and child, sorted.
    inside: Vec<(u32, u32)>,
    /// The parent's key and the child, sorted.
    absent: Vec<([u8; 16], u32)>,
}

/// Entries that refer to lists, sorted.
type References = Vec<(Vec<u8>, Vec<u8>)>;

impl Children {
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

    /// Writes the groups of long lists; returns what refers to all lists.
    pub(super) fn write(
        &self,
        lists: &mut ListWriter,
        table: &mut Appender<'_>,
    ) -> Result<[References; 2]> {
        let mut inside = Vec::new();
        let mut value = Vec::new();
        let (mut previous, mut count) = (0, 0);
        let mut families = self.inside.chunk_by(|a, b| a.0 == b.0).peekable();
        let mut rows = Vec::new();
        while let Some(family) = families.next() {
            let Some(&(parent, _)) = family.first() else { continue };
            put_number(&mut value, u64::from(parent - previous));
            rows.clear();
            rows.extend(family.iter().map(|&(_, child)| child));
            lists.write(table, &mut value, parent, &rows, place)?;
            (previous, count) = (parent, count + 1);
            if count == GROUP || families.peek().is_none() {
                let key = Table::Children.key(&[&parent.to_be_bytes()]);
                inside.push((key, std::mem::take(&mut value)));
                (previous, count) = (0, 0);
            }
        }
        let mut absent = Vec::new();
        for family in self.absent.chunk_by(|a, b| a.0 == b.0) {
            let Some((key, _)) = family.first() else { continue };
            rows.clear();
            rows.extend(family.iter().map(|&(_, child)| child));
            let mut reference = Vec::new();
            lists.write(table, &mut reference, 0, &rows, place)?;
            absent.push((Table::AbsentParents.key(&[key]), reference));
        }
        Ok([inside, absent])
    }
}

impl SegmentIndex {
    /// The children of a row by stored links within the segment, in order of rows;
    /// none where it has none.
    pub(crate) fn children(&self, parent: u32) -> Result<Option<List>> {
        let mut found = None;
        self.tree.walk(&Table::Children.key(&[&parent.to_be_bytes()]), |key, value| {
            if Table::Children.rest(key).is_some() {
                found = self
                    .family(value, parent)
                    .map_err(|error| self.damaged("a group of children", &error))?;
            }
            // Only the first group from the parent on can have it.
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// The rows that name a parent which is not in the segment, by its key, in order.
    /// Texts must be compared in full.
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

    fn family(&self, value: &[u8], parent: u32) -> Result<Option<List>> {
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

/// Lists of children are in order of rows alone.
fn place(row: u32) -> Place {
    Place { time_ns: 0, row }
}

/// Parents that stand together.
const GROUP: usize = 32;
