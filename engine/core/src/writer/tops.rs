//! Where pieces led that the writer went up from: an event that others wait for comes
//! mostly into a tree whose top was looked for a moment before.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::base::error::Result;
use crate::lineage::up::Up;
use crate::view::View;

/// The anchors of pieces, and one further up to which links led from each. That stays
/// true when more is learnt above that one, but not when links are replaced or expire.
#[derive(Debug, Default)]
pub(super) struct Tops {
    known: HashMap<u64, u64, RandomState>,
    /// The first sequence number that had not expired.
    first: u64,
}

impl Tops {
    /// Forgets everything, since links were replaced.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    /// The topmost known ancestor of a row, which may have expired, and where its own
    /// link leads. O(pieces passed) the first time, up to a limit from which on it is
    /// O(log joins).
    pub(super) fn of(&mut self, view: &View, seq: u64) -> Result<(u64, Up)> {
        if self.first != view.first_seq() || self.known.len() > TOPS_MAX {
            self.known.clear();
            self.first = view.first_seq();
        }
        let mut way = Vec::new();
        let mut inside = seq;
        let (top, up) = loop {
            let Some((source, row)) = view.locate(inside)? else { break (inside, Up::Root) };
            let anchor = source.below(row)?.anchor;
            if !view.holds(anchor) || way.len() == WAY_MAX {
                // What is beyond is looked up where it was written down, and so is what
                // leads round in a circle.
                let top = view.position(seq)?.root;
                break (top, view.up(top)?);
            }
            if let Some(&known) = self.known.get(&anchor) {
                way.push(anchor);
                inside = known;
                continue;
            }
            match view.up(anchor)? {
                Up::Known(parent, _) => {
                    way.push(anchor);
                    inside = parent;
                }
                up => break (anchor, up),
            }
        };
        if view.holds(top) {
            self.known.extend(way.into_iter().filter(|&anchor| anchor != top).map(|a| (a, top)));
        }
        Ok((top, up))
    }
}

/// Most anchors that are remembered: some 20 bytes each.
const TOPS_MAX: usize = 16_384;
/// Most pieces that are passed one by one.
const WAY_MAX: usize = 64;
