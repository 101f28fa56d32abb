//! Tables of ids by number: parents that are in no row of the segment, anchors in earlier
//! segments, and text ids.

use std::ops::Range;
use std::str::from_utf8;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::segment::output::{Output, field};
use crate::segment::pages::Pages;

/// Writes a table of ids whose numbers ascend. Equal neighbours share one copy of the id.
pub(crate) fn write<I>(out: &mut Output, ids: impl Fn() -> I) -> Result<()>
where
    I: Iterator<Item = (u64, EventId)>,
{
    out.write(&(ids().count() as u64).to_le_bytes())?;
    // Two passes over the ids take less memory than keeping them all.
    let (mut at, mut next, mut before) = (0, 0, None);
    for (number, id) in ids() {
        if before.as_ref() != Some(&id) {
            at = next;
            next += encoded_len(&id);
            before = Some(id);
        }
        let at = u32::try_from(at)
            .map_err(|_| Error::too_long("ids of one segment", u32::MAX as usize, at))?;
        out.write(&number.to_le_bytes())?;
        out.write(&at.to_le_bytes())?;
    }
    let mut before = None;
    for (_, id) in ids() {
        if before.as_ref() == Some(&id) {
            continue;
        }
        match (id.as_uuid(), id.as_text()) {
            (Some(uuid), _) => {
                out.write(&[UUID])?;
                out.write(uuid.as_bytes())?;
            }
            (None, text) => {
                let text = text.unwrap_or_default().as_bytes();
                out.write(&[text.len() as u8])?;
                out.write(text)?;
            }
        }
        before = Some(id);
    }
    Ok(())
}

/// A table in the pages of a sealed file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdTable<'a> {
    pages: &'a Pages,
    range: &'a Range<usize>,
}

impl<'a> IdTable<'a> {
    /// The table in this range of the pages.
    pub(crate) fn new(pages: &'a Pages, range: &'a Range<usize>) -> Self {
        Self { pages, range }
    }

    /// The id with this number. O(log n).
    pub(crate) fn find(&self, number: u64) -> Result<Option<EventId>> {
        let count = self.len()?;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, at) = self.entry(middle)?;
            match found.cmp(&number) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.id(count, at).map(Some),
            }
        }
        Ok(None)
    }

    /// The entry at this index, in ascending order of numbers.
    pub(crate) fn at(&self, at: usize) -> Result<(u64, EventId)> {
        let (number, offset) = self.entry(at)?;
        Ok((number, self.id(self.len()?, offset)?))
    }

    /// The numbers below this one, ascending. O(numbers returned).
    pub(crate) fn numbers_below(&self, end: u64) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for at in 0..self.len()? {
            let (number, _) = self.entry(at)?;
            if number >= end {
                break;
            }
            numbers.push(number);
        }
        Ok(numbers)
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> Result<usize> {
        let count = usize::try_from(u64::from_le_bytes(*self.pages.array(self.range.start)?));
        match count {
            Ok(count) if count <= self.range.len() / ENTRY_BYTES => Ok(count),
            _ => Err(damaged("more entries than it has room for")),
        }
    }

    fn entry(&self, at: usize) -> Result<(u64, u32)> {
        let bytes: &[u8; ENTRY_BYTES] =
            self.pages.array(self.range.start + COUNT_BYTES + at * ENTRY_BYTES)?;
        Ok((u64::from_le_bytes(field(bytes, 0)), u32::from_le_bytes(field(bytes, 8))))
    }

    fn id(&self, count: usize, at: u32) -> Result<EventId> {
        let at = self.range.start + COUNT_BYTES + count * ENTRY_BYTES + at as usize;
        let [length] = *self.pages.array(at)?;
        if length == UUID {
            return Ok(EventId::from_uuid_bytes(*self.pages.array(at + 1)?));
        }
        let end = at + 1 + usize::from(length);
        if end > self.range.end {
            return Err(damaged("an id that ends behind it"));
        }
        from_utf8(self.pages.bytes(at + 1..end)?)
            .map(|text| EventId::from_text(text.into()))
            .map_err(|_| damaged("an id that is no text"))
    }
}

fn damaged(what: &str) -> Error {
    Error::damaged(format!("expected a table of ids, found one with {what}"))
}

/// Encoded bytes of an id: a length or [`UUID`], then its own.
fn encoded_len(id: &EventId) -> usize {
    1 + id.as_text().map_or(16, str::len)
}

/// In place of a length: a UUID follows. Texts have at least one byte.
const UUID: u8 = 0;
const COUNT_BYTES: usize = 8;
/// The number and the offset of its id.
const ENTRY_BYTES: usize = 12;
