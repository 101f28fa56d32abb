//! How many events to ask for at a time where they come with their payloads: as
//! many as take little memory, going by the page before.

use forebear::{StoredEvent, limits};

/// For the first page.
pub(crate) const FIRST: usize = 16;

/// Bytes of payloads that a page should hold.
const PAGE_BYTES: usize = 8 << 20;

/// For the page after this one.
pub(crate) fn next<'e>(events: impl Iterator<Item = &'e StoredEvent>) -> usize {
    let (mut count, mut bytes) = (1, 1);
    for event in events {
        count += 1;
        bytes += event.payload().map_or(0, <[u8]>::len);
    }
    (PAGE_BYTES * count / bytes).clamp(1, (count * 4).min(limits::MAX_PAGE))
}
