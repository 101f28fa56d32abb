//! Listings of which every source has a source, one after the other.

use crate::base::error::Result;
use crate::base::page::{Page, Position};
use crate::base::unread::Unread;
use crate::view::{RowSource, View};

/// A page of what `list` has, source by source. A position holds the source's segment
/// and a place in its list, of which `length` says how long it is. Lists that can't be
/// read are noted and passed over.
pub(crate) fn by_source<T>(
    view: &View,
    after: Option<Position>,
    limit: usize,
    length: impl Fn(&dyn RowSource) -> Result<usize>,
    mut list: impl FnMut(&dyn RowSource, usize, usize) -> Result<Vec<T>>,
) -> Result<Page<T, Position>> {
    let (mut page, mut unread) = (Page::new(Vec::new(), None), Unread::default());
    let (first_segment, mut from) = split(after);
    for number in 0..view.len() {
        let segment = view.segment(number);
        if segment < first_segment {
            continue;
        }
        if segment > first_segment {
            from = 0;
        }
        let Some(source) = unread.pass(view.source(number))? else { continue };
        let items = unread.pass(list(&*source, from, limit - page.items.len()))?;
        let Some(items) = items else { continue };
        from += items.len();
        page.items.extend(items);
        let length = unread.pass(length(&*source))?;
        if length.is_some_and(|length| from < length) {
            page.next = Some(join(segment, from));
            break;
        }
        if page.items.len() == limit && number + 1 < view.len() {
            page.next = Some(join(view.segment(number + 1), 0));
            break;
        }
    }
    Ok(page.with_damaged(unread.into_errors()))
}

/// The position of a place in a segment's list.
pub(super) fn join(segment: u64, at: usize) -> Position {
    Position { time_ns: segment.cast_signed(), at: at as u64 }
}

/// The segment and the place in its list where a page begins.
pub(super) fn split(position: Option<Position>) -> (u64, usize) {
    position.map_or((0, 0), |place| (place.time_ns.cast_unsigned(), place.at as usize))
}
