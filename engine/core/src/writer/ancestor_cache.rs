//! A cache of the writer's walks up: an event that others wait for mostly joins a tree
//! whose top was resolved a moment before.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::base::error::Result;
use crate::lineage::parent_link::ParentLink;
use crate::view::View;

/// Maps anchors of fragments to an ancestor further up. An entry stays true when that
/// ancestor gets a parent, but not when links are replaced or expire.
#[derive(Debug, Default)]
pub(super) struct AncestorCache {
    known: HashMap<u64, u64, RandomState>,
    /// The first sequence number of the view that it was filled from.
    first: u64,
}

impl AncestorCache {
    /// Empties the cache, for when links were replaced.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    /// The topmost known ancestor of a row, which may have expired, and its parent link.
    /// O(fragments passed) the first time, and beyond a limit O(log joins). Fails where damage
    /// keeps the way up from being known.
    pub(super) fn of(&mut self, view: &View, seq: u64) -> Result<(u64, ParentLink)> {
        if self.first != view.first_seq() || self.known.len() > CACHED_MAX {
            self.known.clear();
            self.first = view.first_seq();
        }
        let mut way = Vec::new();
        let mut inside = seq;
        let (top, up) = loop {
            let Some((source, row)) = view.locate(inside)? else {
                break (inside, ParentLink::Root);
            };
            let anchor = source.below(row)?.anchor;
            if !view.holds(anchor) || way.len() == WAY_MAX {
                // What is beyond is looked up where it was written down, and so is what
                // leads round in a circle.
                let position = view.position(seq)?;
                if let Some(damage) = position.damage {
                    return Err(damage);
                }
                break (position.root, view.parent_link(position.root)?);
            }
            if let Some(&known) = self.known.get(&anchor) {
                way.push(anchor);
                inside = known;
                continue;
            }
            match view.parent_link(anchor)? {
                ParentLink::Known(parent, _) => {
                    way.push(anchor);
                    inside = parent;
                }
                ParentLink::Damaged(unreadable) => return Err(unreadable.error),
                up => break (anchor, up),
            }
        };
        if view.holds(top) {
            self.known.extend(way.into_iter().filter(|&anchor| anchor != top).map(|a| (a, top)));
        }
        Ok((top, up))
    }
}

/// Most cached anchors: some 20 bytes each.
const CACHED_MAX: usize = 16_384;
/// Most fragments that are passed one by one.
const WAY_MAX: usize = 64;
