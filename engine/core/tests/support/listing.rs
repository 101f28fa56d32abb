//! The events of a store, as text that can be compared.

use forebear::{Cursor, Filter, Page, Snapshot, StoredEvent};

/// Small enough that listings take several pages.
const PAGE: usize = 20;

/// All events and versions, from the oldest on.
pub(crate) fn events(snapshot: &Snapshot) -> Vec<StoredEvent> {
    pages(|after| {
        let mut filter = Filter::new().oldest_first().limit(PAGE);
        if let Some(cursor) = after {
            filter = filter.after(cursor);
        }
        snapshot.events(&filter).expect("lists")
    })
}

/// What came in with an event, its place in the lineage aside.
pub(crate) fn describe(event: &StoredEvent) -> String {
    format!(
        "{} {:?} {:?} {} {} {:?} {:?} {} {:?} {} {}",
        event.id(),
        event.parent(),
        event.link(),
        event.kind(),
        event.instance(),
        event.session(),
        event.labels().collect::<Vec<_>>(),
        event.time_ns(),
        event.payload().map(String::from_utf8_lossy),
        event.is_version(),
        event.has_derived_id(),
    )
}

/// All items of a listing.
pub(crate) fn pages<T>(mut page: impl FnMut(Option<Cursor>) -> Page<T>) -> Vec<T> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let next = page(after);
        items.extend(next.items);
        after = next.next;
        if after.is_none() {
            return items;
        }
    }
}
