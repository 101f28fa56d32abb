//! What was found out about the links between pieces: where the anchors of pieces
//! lead to, and where they are known to lead nowhere.
//!
//! A link that was learnt after its child's segment was full is not in the spine,
//! and finding it takes a look-up by id. What an event names stays its parent once
//! it is stored, so that each is looked up once. All here is about events by their
//! sequence numbers and about sealed segments, which do not change; who asks says
//! what it sees of them.

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::base::expired::ExpiredLineage;

/// Several joins from the anchor of a piece upwards, as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leap {
    /// The anchor of the piece that it leads to.
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

/// The link from the anchor of a piece to its parent in the piece above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) parent: u64,
    /// The anchor of the parent's piece.
    pub(crate) above: u64,
    /// Links between the two anchors.
    pub(crate) edges: u64,
    /// This join, or several.
    pub(crate) leap: Leap,
}

/// What was written down of an expired event, if anything was.
#[derive(Clone, Debug)]
pub(crate) struct Written(pub(crate) Option<Arc<ExpiredLineage>>);

/// Joins by the sequence numbers of anchors, bounded.
#[derive(Debug)]
pub(crate) struct Joins {
    /// Those that were crossed, by their anchors.
    crossed: Cache<u64, Join>,
    /// Parents that are in a log, or were when they were found, by their children.
    late: Cache<u64, u64>,
    /// For events whose parent was looked for in vain: the last segment looked at.
    parentless: Cache<u64, u64>,
    /// What was written down of events that have expired, by their sequence number and
    /// the first of the snapshot: what is written down changes when segments go.
    expired: Cache<(u64, u64), Written>,
}

impl Leap {
    /// Whether all of it lies among rows of sealed segments from `first` to `end`.
    pub(crate) fn is_within(&self, first: u64, end: u64) -> bool {
        first <= self.oldest && self.newest < end
    }

    /// This one and one that begins where it ends.
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
        Self { parent, above, edges, leap: Leap { to: above, edges, joins: 1, oldest, newest } }
    }

    /// A row in the piece that its leap leads to.
    pub(crate) fn inside(&self) -> u64 {
        if self.leap.to == self.above { self.parent } else { self.leap.to }
    }

    /// The join alone.
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
    /// The join above an anchor, if it was remembered.
    pub(crate) fn get(&self, anchor: u64) -> Option<Join> {
        self.crossed.get(&anchor)
    }

    /// Remembers a join of sealed segments that stays; that of the piece above first,
    /// since leaps are made of those above, by the rule of the spine's skip pointers.
    pub(crate) fn insert(&self, anchor: u64, mut join: Join) {
        if let Some(above) = self.crossed.get(&join.above) {
            let next = above.leap;
            let far = self.crossed.get(&next.to).map(|far| far.leap);
            if let Some(far) = far.filter(|far| far.joins == next.joins) {
                join.leap = join.leap.and(next).and(far);
            }
        }
        self.crossed.insert(anchor, join);
    }

    /// The parent that an event names and that was found after it.
    pub(crate) fn late_parent(&self, child: u64) -> Option<u64> {
        self.late.get(&child).or_else(|| Some(self.crossed.get(&child)?.parent))
    }

    pub(crate) fn remember_late_parent(&self, child: u64, parent: u64) {
        self.late.insert(child, parent);
    }

    /// The last segment of those in which an event's parent is known not to be: the
    /// one that it names, or for one that names none a claim of one. 0 for none.
    pub(crate) fn parentless_until(&self, child: u64) -> u64 {
        self.parentless.get(&child).unwrap_or(0)
    }

    pub(crate) fn remember_parentless(&self, child: u64, segment: u64) {
        self.parentless.insert(child, segment);
    }

    /// What was written down of an expired event, as one with this first sequence number
    /// sees it; none where nobody asked.
    pub(crate) fn expired(&self, seq: u64, first: u64) -> Option<Written> {
        self.expired.get(&(seq, first))
    }

    pub(crate) fn remember_expired(
        &self,
        seq: u64,
        first: u64,
        found: Option<Arc<ExpiredLineage>>,
    ) {
        self.expired.insert((seq, first), Written(found));
    }

    /// Forgets everything, since sequence numbers were given anew.
    pub(crate) fn clear(&self) {
        self.crossed.clear();
        self.late.clear();
        self.parentless.clear();
        self.expired.clear();
    }
}

/// Most joins that are remembered: some 110 bytes each.
const JOINS_MAX: usize = 65_536;
/// Most parents in logs and events without a parent: some 50 bytes each.
const LATE_MAX: usize = 8_192;
const PARENTLESS_MAX: usize = 16_384;
/// Most expired events of which it is remembered what was above them: some 150 bytes each.
const EXPIRED_MAX: usize = 8_192;
