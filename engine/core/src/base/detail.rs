//! How much of an event is loaded.

/// How much of an event a query loads.
///
/// ```
/// use forebear::{Detail, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("job").label("queue", "mail").payload("{}"))?;
/// let page = store.snapshot().events(Filter::new()).detail(Detail::Labels).page()?;
/// let event = &page.items[0];
/// assert_eq!((event.label("queue"), event.payload()), (Some("mail"), None));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Detail {
    /// Id, sequence number, time, parent, link, root and depth: what walks and trees go
    /// by. No kind, instance or session, and nothing is allocated for an event whose ids
    /// are UUIDs.
    Ids,
    /// What the index holds; the log is not read. No labels, no payload.
    Columns,
    /// The labels too, not the payload.
    Labels,
    /// Everything.
    #[default]
    Payload,
}
