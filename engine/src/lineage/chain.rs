//! The chain of causes from an event to its root.

use crate::error::Result;
use crate::event::LinkKind;
use crate::id::EventId;
use crate::limits;
use crate::snapshot::Snapshot;
use crate::stored::{Detail, StoredEvent};

/// How to walk a chain.
#[derive(Clone, Debug)]
pub struct ChainOptions {
    pub(crate) max_depth: u64,
    pub(crate) stop_at: Option<LinkKind>,
    pub(crate) detail: Detail,
}

impl Default for ChainOptions {
    fn default() -> Self {
        Self {
            max_depth: limits::DEFAULT_MAX_DEPTH,
            stop_at: None,
            detail: Detail::default(),
        }
    }
}

impl ChainOptions {
    /// At most 1000 edges, across all kinds of links, payloads loaded.
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows at most so many edges.
    #[must_use]
    pub fn max_depth(mut self, edges: u64) -> Self {
        self.max_depth = edges;
        self
    }

    /// Stops before following a link of this kind: at
    /// [`Spawned`](LinkKind::Spawned) the walk stays within an agent.
    #[must_use]
    pub fn stop_at(mut self, kind: LinkKind) -> Self {
        self.stop_at = Some(kind);
        self
    }

    /// Sets how much of each event is loaded; everything unless set.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainEnd {
    /// At an event without a parent.
    Root,
    /// At an event whose parent, named here, was never stored.
    Missing(EventId),
    /// At an event whose parent, named here, was removed by retention.
    Expired(EventId),
    /// At an event whose parent, named here, goes back to the event itself.
    Cycle(EventId),
    /// After as many edges as were asked for; the walk can go on from here.
    DepthLimit(EventId),
    /// Before a link of the kind to stop at; the walk can go on from here.
    Stopped(EventId),
    /// At an event whose parent, named here, is not found, in a store that has
    /// lost events to damage.
    Damaged(EventId),
}

impl ChainEnd {
    /// The end's name: `root`, `missing`, `expired`, `cycle`, `depth_limit`,
    /// `stopped` or `damaged`.
    pub fn as_str(&self) -> &'static str {
        match self {
            ChainEnd::Root => "root",
            ChainEnd::Missing(_) => "missing",
            ChainEnd::Expired(_) => "expired",
            ChainEnd::Cycle(_) => "cycle",
            ChainEnd::DepthLimit(_) => "depth_limit",
            ChainEnd::Stopped(_) => "stopped",
            ChainEnd::Damaged(_) => "damaged",
        }
    }

    /// The event that the walk did not go on to, where there is one.
    pub fn parent(&self) -> Option<&EventId> {
        match self {
            ChainEnd::Root => None,
            ChainEnd::Missing(id)
            | ChainEnd::Expired(id)
            | ChainEnd::Cycle(id)
            | ChainEnd::DepthLimit(id)
            | ChainEnd::Stopped(id)
            | ChainEnd::Damaged(id) => Some(id),
        }
    }
}

/// A walk from an event to its root, an event at a time. Made by
/// [`Snapshot::chain`]; [`end`](Chain::end) says how it ended once it has.
#[derive(Debug)]
pub struct Chain<'s> {
    snapshot: &'s Snapshot,
}

impl<'s> Chain<'s> {
    /// How the walk ended; none before it has.
    pub fn end(&self) -> Option<&ChainEnd> {
        todo!()
    }

    /// The rest of the chain turned round, the topmost event first. Walks the
    /// index to the end first, keeping 4 bytes an edge; events are loaded as
    /// they are asked for.
    pub fn root_first(self) -> Result<RootFirst<'s>> {
        todo!()
    }
}

impl Iterator for Chain<'_> {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}

/// A chain from its topmost event down. Made by [`Chain::root_first`].
#[derive(Debug)]
pub struct RootFirst<'s> {
    snapshot: &'s Snapshot,
}

impl RootFirst<'_> {
    /// How the walk upwards ended: what lies above the first event.
    pub fn end(&self) -> &ChainEnd {
        todo!()
    }
}

impl Iterator for RootFirst<'_> {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
