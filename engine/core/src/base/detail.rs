//! How much of an event is loaded.

/// How much of an event a query loads.
///
/// ```
/// use forebear::{Detail, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("job").label("queue", "mail").payload("{}"))?;
/// let filter = Filter::new().detail(Detail::Labels);
/// let event = store.snapshot().events(&filter)?.items.remove(0);
/// assert_eq!((event.label("queue"), event.payload()), (Some("mail"), None));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Detail {
    /// What the index holds; the log is not read. No labels, no payload.
    Columns,
    /// The labels too, not the payload.
    Labels,
    /// Everything.
    #[default]
    Payload,
}
