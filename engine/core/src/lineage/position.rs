//! Where a row lies in its tree: its root, and how far below it the row is.
//!
//! Within a fragment the spine says all. The anchors of fragments are joined to
//! fragments above, as `above` finds them, so that the way up is O(log joins).

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::lineage::ascent::{self, Ascended, Passed};
use crate::view::View;

/// Where an event lies in its tree.
#[derive(Clone, Debug)]
pub(crate) struct TreePosition {
    /// The topmost known ancestor, which may have expired; where damage ends the way up,
    /// the topmost whose id can be read.
    pub(crate) root: u64,
    pub(crate) root_id: EventId,
    /// Links between the event and its root.
    pub(crate) depth: u64,
    /// Those of them that join fragments; none where they lead round in a circle or by
    /// way of events that have expired.
    pub(crate) joins: Option<u64>,
    /// The anchor that has expired at which a walk ends, where it is known what was
    /// above it.
    pub(crate) gap: Option<EventId>,
    /// Why the way up could not be followed further, where it could not.
    pub(crate) damage: Option<Error>,
}

/// Anchors and where they lie in their trees, as one view sees them.
#[derive(Debug, Default)]
pub(crate) struct PositionCache(HashMap<u64, TreePosition, RandomState>);

impl TreePosition {
    /// Whether a walk from the event leads to this root, which is there: it does not
    /// where events between the two have expired.
    pub(crate) fn leads_to(&self, root: u64) -> bool {
        self.root == root && self.gap.is_none()
    }
}

impl PositionCache {
    pub(super) fn get(&self, anchor: u64) -> Option<&TreePosition> {
        self.0.get(&anchor)
    }

    /// Remembers the anchors that were passed on the way to a position.
    fn remember(&mut self, passed: Vec<Passed>, below: &TreePosition) {
        if self.0.len() > CACHED_MAX {
            self.0.clear();
        }
        for Passed { anchor, depth, joins } in passed {
            let joins = below.joins.map(|all| all - joins);
            let depth = below.depth - depth;
            self.0.insert(anchor, TreePosition { depth, joins, ..below.clone() });
        }
    }
}

impl View {
    /// Where a row lies in its tree: its fragment, and the fragments above. O(log joins)
    /// once they were crossed. Fails where the row itself can't be read; damage further up
    /// ends the way there.
    pub(crate) fn position(&self, seq: u64) -> Result<TreePosition> {
        self.position_by(seq, &mut PositionCache::default())
    }

    /// The same for one of many rows, which mostly have ancestors in common.
    pub(crate) fn position_by(&self, seq: u64, cache: &mut PositionCache) -> Result<TreePosition> {
        // A way that leads round by way of expired events is none without what was
        // written down of them: the second time it ends where they were.
        let ascent = match ascent::ascend(self, seq, cache, true)? {
            Ascended::ToRoot(ascent) => ascent,
            Ascended::InCircle(_) => match ascent::ascend(self, seq, cache, false)? {
                Ascended::ToRoot(ascent) => ascent,
                Ascended::InCircle(row) => return self.position_in_circle(seq, row),
            },
        };
        // From the top down, since skip pointers are made of those above.
        for (anchor, join) in ascent.learnt.into_iter().rev() {
            self.joins.insert(anchor, join);
        }
        // With a gap, some of the anchors that were passed lie above it and have none.
        if ascent.position.gap.is_none() {
            cache.remember(ascent.passed, &ascent.position);
        }
        Ok(ascent.position)
    }

    /// The position of a row where links that were learnt late lead round in a circle,
    /// to which the row `on` belongs. None of them is marked where the writer could not
    /// see the others, since they had been dropped: in an archive they come together
    /// again. The oldest anchor counts as the root.
    fn position_in_circle(&self, seq: u64, on: u64) -> Result<TreePosition> {
        let step = |at: u64| match self.locate(at)? {
            Some((source, row)) => {
                let below = source.below(row)?;
                match self.parent_link(below.anchor)?.known()? {
                    Some((parent, _)) => Ok((below, parent)),
                    None => Err(Error::damaged(format!("expected a link above event {at}"))),
                }
            }
            None => Err(Error::damaged(format!("expected event {at}, found none"))),
        };
        let (first, mut at) = step(on)?;
        let mut root = first.anchor;
        loop {
            let (below, parent) = step(at)?;
            if below.anchor == first.anchor {
                break;
            }
            (root, at) = (root.min(below.anchor), parent);
        }
        let (mut at, mut depth) = (seq, 0);
        loop {
            let (below, parent) = step(at)?;
            depth += u64::from(below.depth);
            if below.anchor == root {
                let root_id = self.id(root)?.unwrap_or_default();
                let (joins, gap, damage) = (None, None, None);
                return Ok(TreePosition { root, root_id, depth, joins, gap, damage });
            }
            (at, depth) = (parent, depth + 1);
        }
    }
}

/// Most anchors that are remembered: some 10 MiB.
const CACHED_MAX: usize = 100_000;
