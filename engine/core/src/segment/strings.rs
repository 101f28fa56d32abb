//! The string table of a segment: kinds, instances and sessions by number.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::segment::output::Output;
use crate::segment::pages::Pages;

/// Writes a table: the end of each text, then all texts joined.
pub(crate) fn write<'a>(
    out: &mut Output,
    texts: impl Iterator<Item = &'a str> + Clone,
) -> Result<()> {
    let mut end = 0;
    for text in texts.clone() {
        end += text.len();
        let end = u32::try_from(end)
            .map_err(|_| Error::too_long("texts of one segment", u32::MAX as usize, end))?;
        out.write(&end.to_le_bytes())?;
    }
    texts.into_iter().try_for_each(|text| out.write(text.as_bytes()))
}

/// The text with this number of the `count` in this range of the pages. O(1).
pub(crate) fn text<'p>(
    pages: &'p Pages,
    range: &Range<usize>,
    count: u32,
    number: u32,
) -> Result<&'p str> {
    let damaged = |what: &str| Error::damaged(format!("text {number} of {count}: {what}"));
    if number >= count {
        return Err(damaged("expected the number of a text, found a greater one"));
    }
    let end_of = |number: u32| {
        pages.array(range.start + number as usize * END_BYTES).map(|end| u32::from_le_bytes(*end))
    };
    let begin = if number == 0 { 0 } else { end_of(number - 1)? };
    let end = end_of(number)?;
    let texts = range.start + count as usize * END_BYTES;
    if begin > end || texts + end as usize > range.end {
        return Err(damaged("expected it to lie among the texts, found it outside"));
    }
    std::str::from_utf8(pages.bytes(texts + begin as usize..texts + end as usize)?)
        .map_err(|_| damaged("expected text, found other bytes"))
}

const END_BYTES: usize = 4;
