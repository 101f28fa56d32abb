//! Children, siblings and descendants.

use crate::limits;
use crate::query::page::Cursor;
use crate::stored::{Detail, StoredEvent};

/// The order in which descendants are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TreeOrder {
    /// Each event before its children, children before the next sibling.
    #[default]
    DepthFirst,
    /// All children, then all grandchildren, and so on.
    BreadthFirst,
}

/// How to list the descendants of an event.
#[derive(Clone, Debug)]
pub struct TreeOptions {
    pub(crate) max_depth: u64,
    pub(crate) limit: usize,
    pub(crate) order: TreeOrder,
    pub(crate) after: Option<Cursor>,
    pub(crate) detail: Detail,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self {
            max_depth: limits::DEFAULT_MAX_DEPTH,
            limit: limits::MAX_PAGE,
            order: TreeOrder::default(),
            after: None,
            detail: Detail::default(),
        }
    }
}

impl TreeOptions {
    /// Depth first, 1000 edges deep, 1000 events on a page, payloads loaded.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists events at most so many edges below.
    #[must_use]
    pub fn max_depth(mut self, edges: u64) -> Self {
        self.max_depth = edges;
        self
    }

    /// Lists at most so many on a page, capped at 1000.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.min(limits::MAX_PAGE);
        self
    }

    /// Sets the order.
    #[must_use]
    pub fn order(mut self, order: TreeOrder) -> Self {
        self.order = order;
        self
    }

    /// Goes on where an earlier page with the same options ended.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// Sets how much of each event is loaded; everything unless set.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }
}

/// A descendant, and how far below.
#[derive(Clone, Debug)]
pub struct Descendant {
    /// The event.
    pub event: StoredEvent,
    /// Edges between it and the event asked for, from 1.
    pub below: u64,
    /// Whether it is the last of its parent's children.
    pub last_child: bool,
}
