//! Listings in the order of events: missing parents and quarantined input.

use std::collections::HashMap;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;

use crate::base::codec::{Input, put_id, put_number};
use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::row::{Flags, NONE};
use crate::log::index::{Index, NOW, Parent};
use crate::segment::index::SegmentIndex;
use crate::segment::index::store::Appender;
use crate::segment::index::tables::Table;

/// A missing parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwaitedParent {
    pub(crate) id: EventId,
    /// The number of rows that name it, or have an asserted link to it.
    pub(crate) children: u32,
    pub(crate) first_child: u32,
}

/// The parents that are missing at the end of the log, in the order in which they were first
/// named.
pub(super) fn awaited(index: &Index) -> Vec<AwaitedParent> {
    let mut found = Vec::new();
    for entry in index.missing().iter().filter(|entry| entry.until == NONE) {
        // A row may have waited, stopped and begun again: it counts once.
        let mut children: Vec<u32> = entry.children.clone();
        children.sort_unstable();
        children.dedup();
        children.retain(
            |&row| matches!(index.parent(row, NOW), Parent::Missing(id, _) if id == entry.id),
        );
        if let Some(&first_child) = children.first() {
            let children = children.len() as u32;
            found.push(AwaitedParent { id: entry.id.clone(), children, first_child });
        }
    }
    let unknown = |&(row, id): &(u32, &EventId)| {
        let cross_ref = index.cross_ref(row);
        let unknown = cross_ref.is_some_and(|cross_ref| cross_ref.parent == 0);
        (unknown && !index.row(row).flags.has(Flags::VERSION)).then_some((row, id.clone()))
    };
    let named = index
        .cross_refs()
        .filter_map(|(row, cross_ref)| Some((row, cross_ref.parent_id.as_ref()?)));
    let mut others: Vec<(u32, EventId)> = named.filter_map(|named| unknown(&named)).collect();
    others.sort_unstable_by_key(|&(row, _)| row);
    let mut places: HashMap<EventId, usize, RandomState> =
        found.iter().enumerate().map(|(at, parent)| (parent.id.clone(), at)).collect();
    for (row, id) in others {
        let at = *places.entry(id.clone()).or_insert(found.len());
        match found.get_mut(at) {
            Some(parent) => parent.children += 1,
            None => found.push(AwaitedParent { id, children: 1, first_child: row }),
        }
    }
    found
}

/// Writes which row replaces which.
pub(super) fn write_superseded(index: &Index, table: &mut Appender<'_>) -> Result<()> {
    let replaced = index.revisions().iter().map(|&(row, supersedes)| (supersedes.seq, row));
    let mut replaced: Vec<(u64, u32)> = replaced.collect();
    replaced.sort_unstable();
    for (seq, row) in replaced {
        let mut value = Vec::new();
        put_number(&mut value, u64::from(row));
        table.put(&Table::Superseded.key(&[&seq.to_be_bytes()]), &value)?;
    }
    Ok(())
}

impl SegmentIndex {
    /// The row that replaces the one with this sequence number, of this segment or an
    /// earlier one. O(log n), and O(1) for those before all that are replaced.
    pub(crate) fn superseded_by(&self, seq: u64) -> Result<Option<u32>> {
        if seq < self.least_superseded()? {
            return Ok(None);
        }
        let last = u64::from(self.rows.saturating_sub(1));
        let key = Table::Superseded.key(&[&seq.to_be_bytes()]);
        self.tree.get(&key, |value| Input(value).number_up_to(last))
    }

    /// The least sequence number that is replaced: a revision mostly follows soon on what it
    /// replaces, so that most rows of earlier segments lie before it.
    fn least_superseded(&self) -> Result<u64> {
        if let Some(&least) = self.least_superseded.get() {
            return Ok(least);
        }
        let mut least = u64::MAX;
        self.tree.walk(&Table::Superseded.key(&[]), |key, _| {
            if let Some(seq) = Table::Superseded.rest(key) {
                least = u64::from_be_bytes(Input(seq).array()?);
            }
            Ok(ControlFlow::Break(()))
        })?;
        Ok(*self.least_superseded.get_or_init(|| least))
    }
}

pub(super) fn write_awaited(parents: &[AwaitedParent], table: &mut Appender<'_>) -> Result<()> {
    let mut value = Vec::new();
    for (number, parent) in (0u32..).zip(parents) {
        value.clear();
        put_id(&mut value, &parent.id);
        put_number(&mut value, u64::from(parent.children));
        put_number(&mut value, u64::from(parent.first_child));
        table.put(&Table::Awaited.key(&[&number.to_be_bytes()]), &value)?;
    }
    Ok(())
}

/// Writes numbers in groups, each under the index of its last.
pub(super) fn write_numbers(kind: Table, numbers: &[u64], table: &mut Appender<'_>) -> Result<()> {
    let mut value = Vec::new();
    let mut passed = 0u32;
    for group in numbers.chunks(GROUP) {
        value.clear();
        for &number in group {
            put_number(&mut value, number);
        }
        passed += group.len() as u32;
        table.put(&kind.key(&[&(passed - 1).to_be_bytes()]), &value)?;
    }
    Ok(())
}

/// Writes keys, sorted, in groups.
pub(super) fn write_keys(
    kind: Table,
    keys: &mut [[u8; 16]],
    table: &mut Appender<'_>,
) -> Result<()> {
    keys.sort_unstable();
    for group in keys.chunks(GROUP) {
        let Some(last) = group.last() else { continue };
        table.put(&kind.key(&[last]), group.as_flattened())?;
    }
    Ok(())
}

impl SegmentIndex {
    /// The missing parents in the order in which they were first named, from index `from` on.
    pub(crate) fn awaited(&self, from: u32, at_most: usize) -> Result<Vec<AwaitedParent>> {
        let mut found = Vec::new();
        self.tree.walk(&Table::Awaited.key(&[&from.to_be_bytes()]), |key, value| {
            if found.len() >= at_most || Table::Awaited.rest(key).is_none() {
                return Ok(ControlFlow::Break(()));
            }
            let mut input = Input(value);
            let mut read = || {
                Ok(AwaitedParent {
                    id: input.id()?,
                    children: input.number_up_to(u64::from(self.rows))?,
                    first_child: input.number_up_to(u64::from(self.rows).saturating_sub(1))?,
                })
            };
            found.push(read().map_err(|error| self.damaged("a missing parent", &error))?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The heap addresses of quarantined input, in order, from index `from` on.
    pub(crate) fn quarantined(&self, from: u32, at_most: usize) -> Result<Vec<u64>> {
        self.numbers(Table::Quarantined, from, at_most)
    }

    /// Whether input with this key was quarantined.
    pub(crate) fn knows_quarantined(&self, key: &[u8; 16]) -> Result<bool> {
        let mut known = false;
        self.tree.walk(&Table::QuarantineKeys.key(&[key]), |last, value| {
            let of_keys = Table::QuarantineKeys.rest(last).is_some();
            known = of_keys && value.as_chunks::<16>().0.binary_search(key).is_ok();
            Ok(ControlFlow::Break(()))
        })?;
        Ok(known)
    }

    fn numbers(&self, kind: Table, from: u32, at_most: usize) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        self.tree.walk(&kind.key(&[&from.to_be_bytes()]), |key, value| {
            let Some(last) = kind.rest(key) else { return Ok(ControlFlow::Break(())) };
            let read = || {
                let last = u32::from_be_bytes(Input(last).array()?);
                let (mut input, mut numbers) = (Input(value), Vec::new());
                while !input.is_empty() {
                    numbers.push(input.number()?);
                }
                Ok((last, numbers))
            };
            let (last, numbers) = read().map_err(|error| self.damaged("a sequence", &error))?;
            // The first group may begin before `from`.
            let before = numbers.len().saturating_sub((last - from.min(last)) as usize + 1);
            let skip = if found.is_empty() { before } else { 0 };
            found.extend(numbers.into_iter().skip(skip).take(at_most - found.len()));
            let go_on = found.len() < at_most;
            Ok(if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }
}

/// Entries in a group.
const GROUP: usize = 128;
