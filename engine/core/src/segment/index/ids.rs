//! Finds slots of the spine by id, and rows of versions by id and content.

use std::ops::ControlFlow;

use crate::base::codec::Input;
use crate::base::error::{Error, Result};
use crate::base::row::Flags;
use crate::segment::index::store::Appender;
use crate::segment::index::tables::Table;
use crate::segment::index::{ContentDigest, SegmentIndex};
use crate::segment::spine::Entry;

/// Writes the slots of all ids, sorted by key and row, in groups.
///
/// A group is under its last key and row. Its value has the width of a slot in bytes, then the
/// last two bytes of the key of each row, then the slots. The spine entry in a slot has the key
/// and the row.
pub(super) fn write(entries: &[Entry], slots: &[u32], table: &mut Appender<'_>) -> Result<()> {
    let width = row_width(entries.len() as u32);
    let mut value = Vec::with_capacity(1 + GROUP * 6);
    for group in sorted(entries).chunks(GROUP) {
        let Some(&last) = group.last() else { continue };
        value.clear();
        value.push(width as u8);
        for &row in group {
            value.extend_from_slice(key_tail(&entries[row as usize].key));
        }
        for &row in group {
            value.extend_from_slice(&slots[row as usize].to_le_bytes()[..width]);
        }
        table.put(&id_key(&entries[last as usize].key, last), &value)?;
    }
    Ok(())
}

/// Writes the content digests of versions.
pub(super) fn write_versions(
    entries: &[Entry],
    versions: impl Iterator<Item = (u32, ContentDigest)>,
    table: &mut Appender<'_>,
) -> Result<()> {
    let mut sorted: Vec<([u8; 16], ContentDigest, u32)> = versions
        .filter_map(|(row, digest)| Some((entries.get(row as usize)?.key, digest, row)))
        .collect();
    sorted.sort_unstable();
    let mut value = Vec::with_capacity(GROUP * 12);
    for group in sorted.chunks(GROUP) {
        let Some((key, digest, row)) = group.last() else { continue };
        value.clear();
        for (_, digest, row) in group {
            value.extend_from_slice(digest);
            value.extend_from_slice(&row.to_le_bytes());
        }
        table.put(&Table::Versions.key(&[key, digest, &row.to_be_bytes()]), &value)?;
    }
    Ok(())
}

impl SegmentIndex {
    /// The rows with this key after one, ascending: the event and its versions. `in_slot`
    /// returns the key and the row of a slot. The caller must compare ids that are texts:
    /// their keys are digests.
    pub(crate) fn rows_of(
        &self,
        key: &[u8; 16],
        after: Option<u32>,
        at_most: usize,
        in_slot: impl Fn(u32) -> Result<([u8; 16], u32)>,
    ) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        let Some(first) = after.map_or(Some(0), |after| after.checked_add(1)) else {
            return Ok(found);
        };
        self.tree.walk(&id_key(key, first), |last, value| {
            let Some(last) = Table::Ids.rest(last) else {
                return Ok(ControlFlow::Break(()));
            };
            let group = self.group_of_ids(value)?;
            for (at, other) in group.key_tails.chunks_exact(2).enumerate() {
                if other != key_tail(key) {
                    continue;
                }
                let slot =
                    group.slot(at, self.rows).map_err(|error| self.damaged("an id", &error))?;
                let (other, row) = in_slot(slot)?;
                if row >= first && other == *key {
                    found.push(row);
                    if found.len() >= at_most {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
            // The next group has more rows of the key only if this one ends with it.
            let ends_with_it = last.starts_with(key);
            Ok(if ends_with_it { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    /// The rows from a key and row on up to the key `high`, sorted by key and row. Keys of
    /// texts are among them.
    pub(crate) fn rows_between(
        &self,
        from: (&[u8; 16], u32),
        high: &[u8; 16],
        at_most: usize,
        in_slot: impl Fn(u32) -> Result<([u8; 16], u32)>,
    ) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        let mut is_first = true;
        self.tree.walk(&id_key(from.0, from.1), |last, value| {
            let Some(last) = Table::Ids.rest(last) else {
                return Ok(ControlFlow::Break(()));
            };
            let group = self.group_of_ids(value)?;
            let entry = |at| {
                let slot = group.slot(at, self.rows);
                in_slot(slot.map_err(|error| self.damaged("an id", &error))?)
            };
            let mut at = 0;
            if std::mem::take(&mut is_first) {
                // Only the first group can begin before the place: a binary search finds it.
                let mut end = group.len();
                while at < end {
                    let middle = at.midpoint(end);
                    let (key, row) = entry(middle)?;
                    if (&key, row) < from { at = middle + 1 } else { end = middle }
                }
            }
            let whole = last.get(..16).is_some_and(|key| key <= high.as_slice());
            for at in at..group.len() {
                let (key, row) = entry(at)?;
                if found.len() >= at_most || (!whole && key > *high) {
                    return Ok(ControlFlow::Break(()));
                }
                found.push(row);
            }
            Ok(if whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    /// The rows of versions with this key and content digest, at most a few. The caller must
    /// compare the contents.
    pub(crate) fn versions_with(
        &self,
        key: &[u8; 16],
        digest: ContentDigest,
        key_of: impl Fn(u32) -> Result<[u8; 16]>,
    ) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        self.tree.walk(&Table::Versions.key(&[key, &digest]), |last, value| {
            let Some(last) = Table::Versions.rest(last) else {
                return Ok(ControlFlow::Break(()));
            };
            let (entries, rest) = value.as_chunks::<12>();
            if !rest.is_empty() || entries.len() > GROUP {
                let wrong = Error::damaged(format!("a group of {} bytes", value.len()));
                return Err(self.damaged("digests of versions", &wrong));
            }
            for entry in entries {
                let [.., a, b, c, d] = *entry;
                let row = u32::from_le_bytes([a, b, c, d]);
                if entry.starts_with(&digest) && row < self.rows && key_of(row)? == *key {
                    found.push(row);
                }
            }
            let ends_with_it = last.strip_prefix(key).is_some_and(|rest| rest.starts_with(&digest));
            let go_on = ends_with_it && found.len() < MAX_SAME;
            Ok(if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    fn group_of_ids<'v>(&self, value: &'v [u8]) -> Result<IdGroup<'v>> {
        IdGroup::read(value).map_err(|error| self.damaged("a group of ids", &error))
    }
}

/// A group of ids.
struct IdGroup<'v> {
    /// Two bytes of each key.
    key_tails: &'v [u8],
    slots: &'v [u8],
    width: usize,
}

impl<'v> IdGroup<'v> {
    fn read(value: &'v [u8]) -> Result<Self> {
        let mut input = Input(value);
        let width = usize::from(input.byte()?);
        let count = input.0.len() / (2 + width);
        if !(1..=4).contains(&width) || count > GROUP || count * (2 + width) != input.0.len() {
            return Err(Error::damaged(format!(
                "expected at most {GROUP} slots of 1 to 4 bytes, found {} bytes for slots of {width}",
                input.0.len()
            )));
        }
        let key_tails = input.bytes(2 * count)?;
        Ok(Self { key_tails, slots: input.0, width })
    }

    fn len(&self) -> usize {
        self.key_tails.len() / 2
    }

    fn slot(&self, at: usize, end: u32) -> Result<u32> {
        let mut four = [0; 4];
        four[..self.width].copy_from_slice(&self.slots[at * self.width..][..self.width]);
        let slot = u32::from_le_bytes(four);
        if slot < end {
            return Ok(slot);
        }
        Err(Error::damaged(format!("expected a slot below {end}, found {slot}")))
    }
}

/// The rows that have an id, sorted by key and row.
fn sorted(entries: &[Entry]) -> Vec<u32> {
    let whole = |row: u32| (entries[row as usize].key, row);
    // By the first eight bytes, which are kept with the rows, then by the whole key.
    let mut rows: Vec<(u64, u32)> = (0..entries.len() as u32)
        .filter(|&row| !entries[row as usize].flags.has(Flags::LOST))
        .map(|row| ((u128::from_be_bytes(entries[row as usize].key) >> 64) as u64, row))
        .collect();
    rows.sort_unstable();
    for same in rows.chunk_by_mut(|a, b| a.0 == b.0) {
        same.sort_unstable_by_key(|&(_, row)| whole(row));
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

fn id_key(key: &[u8; 16], row: u32) -> [u8; 21] {
    let mut bytes = [Table::Ids as u8; 21];
    bytes[1..17].copy_from_slice(key);
    bytes[17..].copy_from_slice(&row.to_be_bytes());
    bytes
}

/// The bytes of a key that are kept with its slot: enough to skip nearly all others without
/// reading the spine.
fn key_tail(key: &[u8; 16]) -> &[u8] {
    &key[14..]
}

/// The bytes that a number below `rows` takes.
fn row_width(rows: u32) -> usize {
    let bits = u32::BITS - rows.saturating_sub(1).leading_zeros();
    (bits.div_ceil(8) as usize).max(1)
}

/// Entries in a group.
const GROUP: usize = 64;
/// Once this many rows with one digest are found, no further group is read.
const MAX_SAME: usize = 16;
