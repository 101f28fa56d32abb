//! A cache of the links between fragments.
//!
//! A fragment is a tree of rows joined by links that their spines hold; its topmost row
//! is the anchor. A link that was learnt after its child's segment was full is in no
//! spine, and resolving it takes a look-up by id. Such a link joins the anchor to a
//! fragment above.
//!
//! Entries never go stale: what an event names stays its parent once that is stored, and
//! sealed segments don't change. They are keyed by sequence numbers, so that views of
//! different moments share them; each checks that it sees both ends.

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::base::expired::ExpiredLineage;

/// A skip pointer from the anchor of a fragment over several joins upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SkipPointer {
    /// The anchor of the fragment that it leads to.
    pub(crate) to: u64,
    /// Links between the two anchors.
    pub(crate) edges: u64,
    /// Joins crossed.
    pub(crate) joins: u64,
    /// The least and the greatest sequence number among the ends of the joins, the
    /// anchor led to included.
    oldest: u64,
    newest: u64,
}

/// A link from the anchor of a fragment to its parent in the fragment above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) parent: u64,
    /// The anchor of the parent's fragment.
    pub(crate) above: u64,
    /// Links between the two anchors.
    pub(crate) edges: u64,
    /// From the anchor over this join, and perhaps others above it.
    pub(crate) skip: SkipPointer,
}

/// A cached answer to what was above an expired event; none where nothing is known.
#[derive(Clone, Debug)]
pub(crate) struct CachedExpired(pub(crate) Option<Arc<ExpiredLineage>>);

/// Bounded caches of resolved links, by sequence numbers.
#[derive(Debug)]
pub(crate) struct Joins {
    /// Joins by their anchors.
    crossed: Cache<u64, Join>,
    /// Parents by their children, where the parent was in a log when it was found.
    late: Cache<u64, u64>,
    /// The last segment that was searched in vain for an event's parent.
    parentless: Cache<u64, u64>,
    /// What was above expired events, by their sequence number and the first one of the
    /// view: what is known changes when segments are dropped.
    expired: Cache<(u64, u64), CachedExpired>,
}

impl SkipPointer {
    /// Whether all of it lies among rows of sealed segments from `first` to `end`.
    pub(crate) fn is_within(&self, first: u64, end: u64) -> bool {
        first <= self.oldest && self.newest < end
    }

    /// This pointer, extended by one that begins where it ends.
    fn and(self, next: Self) -> Self {
        Self {
            to: next.to,
            edges: self.edges + next.edges,
            joins: self.joins + next.joins,
            oldest: self.oldest.min(next.oldest),
            newest: self.newest.max(next.newest),
        }
    }
}

impl Join {
    /// The join of an anchor to a parent, which lies so many links below its own
    /// anchor.
    pub(crate) fn new(anchor: u64, parent: u64, above: u64, below: u32) -> Self {
        let edges = u64::from(below) + 1;
        let oldest = anchor.min(parent).min(above);
        let newest = anchor.max(parent).max(above);
        Self {
            parent,
            above,
            edges,
            skip: SkipPointer { to: above, edges, joins: 1, oldest, newest },
        }
    }

    /// A row of the fragment that the skip pointer leads to.
    pub(crate) fn inside(&self) -> u64 {
        if self.skip.to == self.above { self.parent } else { self.skip.to }
    }

    /// The same join with a skip pointer over itself alone.
    pub(crate) fn alone(self, anchor: u64) -> Self {
        Self::new(anchor, self.parent, self.above, (self.edges - 1) as u32)
    }
}

impl Default for Joins {
    fn default() -> Self {
        Self {
            crossed: Cache::new(JOINS_MAX),
            late: Cache::new(LATE_MAX),
            parentless: Cache::new(PARENTLESS_MAX),
            expired: Cache::new(EXPIRED_MAX),
        }
    }
}

impl Joins {
    /// The cached join above an anchor.
    pub(crate) fn get(&self, anchor: u64) -> Option<Join> {
        self.crossed.get(&anchor)
    }

    /// Caches a join between sealed segments. Insert those further up first: its skip
    /// pointer is made of theirs, by the rule of the spine (two equally long ones become
    /// one), so that a walk over n joins takes O(log n) steps.
    pub(crate) fn insert(&self, anchor: u64, mut join: Join) {
        if let Some(above) = self.crossed.get(&join.above) {
            let next = above.skip;
            let far = self.crossed.get(&next.to).map(|far| far.skip);
            if let Some(far) = far.filter(|far| far.joins == next.joins) {
                join.skip = join.skip.and(next).and(far);
            }
        }
        self.crossed.insert(anchor, join);
    }

    /// The cached parent of an event that named it before it was stored.
    pub(crate) fn late_parent(&self, child: u64) -> Option<u64> {
        self.late.get(&child).or_else(|| Some(self.crossed.get(&child)?.parent))
    }

    pub(crate) fn remember_late_parent(&self, child: u64, parent: u64) {
        self.late.insert(child, parent);
    }

    /// The last segment that is known not to have an event's parent: the one that it
    /// names, or for one that names none an asserted link. 0 where none was searched.
    pub(crate) fn parentless_until(&self, child: u64) -> u64 {
        self.parentless.get(&child).unwrap_or(0)
    }

    pub(crate) fn remember_parentless(&self, child: u64, segment: u64) {
        self.parentless.insert(child, segment);
    }

    /// The cached answer to what was above an expired event, for views that begin at
    /// `first`.
    pub(crate) fn expired(&self, seq: u64, first: u64) -> Option<CachedExpired> {
        self.expired.get(&(seq, first))
    }

    pub(crate) fn remember_expired(
        &self,
        seq: u64,
        first: u64,
        found: Option<Arc<ExpiredLineage>>,
    ) {
        self.expired.insert((seq, first), CachedExpired(found));
    }

    /// Empties all caches, for when sequence numbers were assigned anew.
    pub(crate) fn clear(&self) {
        self.crossed.clear();
        self.late.clear();
        self.parentless.clear();
        self.expired.clear();
    }
}

/// Most cached joins: some 110 bytes each.
const JOINS_MAX: usize = 65_536;
/// Most cached parents in logs and events without a parent: some 50 bytes each.
const LATE_MAX: usize = 8_192;
const PARENTLESS_MAX: usize = 16_384;
/// Most cached answers about expired events: some 150 bytes each.
const EXPIRED_MAX: usize = 8_192;
