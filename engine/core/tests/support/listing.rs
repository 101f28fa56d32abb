//! The events of a store, as text that can be compared.

use forebear::{Filter, Snapshot, StoredEvent};

/// Small enough that listings take several pages.
const PAGE: usize = 20;

/// All events and versions, from the oldest on.
pub(crate) fn events(snapshot: &Snapshot) -> Vec<StoredEvent> {
    let events = snapshot.events(Filter::new()).oldest_first().limit(PAGE);
    events.iter().collect::<Result<_, _>>().expect("lists")
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
