//! What events are counted by.

/// What to count events by.
///
/// ```
/// use forebear::{CountBy, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append_batch(["error", "tick", "tick"].map(Event::new))?;
/// let counts = store.snapshot().counts(CountBy::Kind, Filter::new()).page()?.items;
/// assert_eq!((counts[0].value.as_str(), counts[0].count), ("tick", 2));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CountBy {
    /// Their kinds.
    Kind,
    /// Their instances.
    Instance,
    /// Their sessions; those without one are left out.
    Session,
    /// The values of the label with this key; those without it are left out.
    Label(String),
}
