//! Figures of a whole store.

/// Figures of a whole snapshot. Unless said otherwise, events whose ids were
/// derived are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events, versions aside.
    pub events: u64,
    /// Later versions of events.
    pub versions: u64,
    /// Events that came without an id of their own.
    pub derived_ids: u64,
    /// Segments of the store, the active one included.
    pub segments: u64,
    /// Bytes of the store's logs and segments.
    pub bytes: u64,
    /// Events that neither name a parent nor were linked to one.
    pub roots: u64,
    /// Most edges from any event to its topmost known ancestor.
    pub max_depth: u64,
    /// An event that deep.
    pub deepest: Option<crate::EventId>,
    /// Most events that one event is the parent of.
    pub max_children: u64,
    /// Parents that are named and not stored.
    pub missing_parents: u64,
    /// Links that close a cycle.
    pub cycles: u64,
    /// Links that were refused.
    pub refused_links: u64,
    /// Sessions that events belong to.
    pub sessions: u64,
    /// Events that have a parent, stored or not, by how they follow from it:
    /// caused, continues, spawned.
    pub links: [u64; 3],
    /// Pieces of quarantined input.
    pub quarantined: u64,
}
