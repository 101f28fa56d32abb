//! From an event to its parent and to its root, across segments.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::error::{Error, Result};
use crate::event::LinkKind;
use crate::id::EventId;
use crate::lineage::chain::ChainEnd;
use crate::log::index::{Flags, Verdict, weigh};
use crate::parts::{Claim, Part, Parts, StoredParent};

/// Where the link of an event leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Up {
    /// It has no parent.
    Root,
    /// A stored event.
    Known(u64, LinkKind),
    /// An event that is not stored.
    Missing(EventId, LinkKind),
    /// An event that has expired.
    Expired(EventId, LinkKind),
    /// A stored event that goes back to the event itself.
    Closing(EventId, LinkKind),
}

/// Where an event lies in its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The topmost known ancestor, which may have expired.
    pub(crate) root: u64,
    pub(crate) root_id: EventId,
    /// Links between the event and its root.
    pub(crate) depth: u64,
}

impl Up {
    /// The parent's id.
    pub(crate) fn parent_id(&self, parts: &Parts) -> Result<Option<EventId>> {
        match self {
            Up::Root => Ok(None),
            Up::Known(parent, _) => parts.id(*parent),
            Up::Missing(id, _) | Up::Expired(id, _) | Up::Closing(id, _) => Ok(Some(id.clone())),
        }
    }

    pub(crate) fn kind(&self) -> Option<LinkKind> {
        match self {
            Up::Root => None,
            Up::Known(_, kind)
            | Up::Missing(_, kind)
            | Up::Expired(_, kind)
            | Up::Closing(_, kind) => Some(*kind),
        }
    }
}

impl Parts {
    /// Where the link of a row's event leads. One hop along a stored link; a link
    /// that was learnt later takes a look-up by id.
    pub(crate) fn up(&self, seq: u64) -> Result<Up> {
        match self.locate(seq)? {
            Some((part, row)) => self.up_from(&part, row),
            None => Ok(Up::Root),
        }
    }

    /// The same, of a row of a part that was located before.
    pub(crate) fn up_from(&self, part: &Part<'_>, row: u32) -> Result<Up> {
        let (parent, kind) = part.stored_parent(row)?;
        match parent {
            StoredParent::Row(parent, None) => Ok(Up::Known(parent, kind)),
            StoredParent::Row(parent, Some(_)) if self.holds(parent) => Ok(Up::Known(parent, kind)),
            StoredParent::Closing(parent) => {
                let id = self.id(parent)?.unwrap_or_default();
                Ok(Up::Closing(id, kind))
            }
            StoredParent::Row(_, Some(id)) => match self.late(part, row, id, kind)? {
                Up::Missing(id, kind) => Ok(Up::Expired(id, kind)),
                other => Ok(other),
            },
            StoredParent::Awaited(id) => self.late(part, row, id, kind),
            StoredParent::None => match self.claim(&part.id(row)?)? {
                Some(Claim { link, .. }) => self.late(part, row, link.parent, link.kind),
                None => Ok(Up::Root),
            },
        }
    }

    /// The claim that stands for an event that names no parent.
    pub(crate) fn claim(&self, child: &EventId) -> Result<Option<Claim>> {
        self.claim_among(child, self.candidates(child))
    }

    /// The same, of the parts with these numbers, newest first.
    pub(crate) fn claim_among(
        &self,
        child: &EventId,
        numbers: impl DoubleEndedIterator<Item = usize>,
    ) -> Result<Option<Claim>> {
        let mut standing: Option<Claim> = None;
        for number in numbers.rev() {
            let Some(claim) = self.part(number)?.standing(child)? else { continue };
            standing = match standing {
                None => Some(claim),
                Some(before) => Some(match weigh(&before.link, &claim.link) {
                    Verdict::Replace => claim,
                    // The link stays; it only gets stronger.
                    Verdict::Strengthen => Claim { link: claim.link, ..before },
                    Verdict::Repeat | Verdict::Refuse => before,
                }),
            };
        }
        Ok(standing)
    }

    /// Where a row lies in its tree: its piece, and the pieces above.
    /// O(1 + links learnt late that are crossed).
    pub(crate) fn position(&self, seq: u64) -> Result<Position> {
        self.position_by(seq, &mut Tops::default())
    }

    /// The same for one of many rows: anchors that were come by are remembered.
    pub(crate) fn position_by(&self, seq: u64, tops: &mut Tops) -> Result<Position> {
        let mut at = seq;
        let mut depth = 0;
        // The anchors on the way, and how deep below each the row is.
        let mut way: Vec<(u64, u64)> = Vec::new();
        // Brent's: the turtle is moved on to where the hare is at powers of two.
        let (mut turtle, mut power) = (seq, 1);
        let position = loop {
            let Some((part, row)) = self.locate(at)? else {
                return Err(Error::damaged(format!(
                    "expected an event with sequence number {at} above {seq}, found none"
                )));
            };
            let below = part.below(row)?;
            depth += u64::from(below.depth);
            let anchor = below.anchor;
            if let Some(top) = tops.0.get(&anchor) {
                break Position { depth: depth + top.depth, ..top.clone() };
            }
            way.push((anchor, depth));
            let up = if self.holds(anchor) { self.up(anchor)? } else { Up::Root };
            let Up::Known(parent, _) = up else {
                let root_id = part.anchor_id(&below)?;
                break Position { root: anchor, root_id, depth };
            };
            (at, depth) = (parent, depth + 1);
            if at == turtle {
                return self.position_in_circle(seq, at);
            }
            if way.len() == power {
                (turtle, power) = (at, power * 2);
            }
        };
        if tops.0.len() > TOPS_MAX {
            tops.0.clear();
        }
        for (anchor, deeper) in way {
            tops.0.insert(anchor, Position { depth: position.depth - deeper, ..position.clone() });
        }
        Ok(position)
    }

    /// The same where links that were learnt late lead round in a circle, to which
    /// the row `on` belongs. None of them is marked where the writer could not see the
    /// others, since they had been dropped: in an archive they come together again.
    /// The oldest anchor counts as the root.
    fn position_in_circle(&self, seq: u64, on: u64) -> Result<Position> {
        let step = |at: u64| match self.locate(at)? {
            Some((part, row)) => {
                let below = part.below(row)?;
                match self.up(below.anchor)? {
                    Up::Known(parent, _) => Ok((below, parent)),
                    _ => Err(Error::damaged(format!("expected a link above event {at}"))),
                }
            }
            None => Err(Error::damaged(format!("expected event {at}, found none"))),
        };
        let (below, mut at) = step(on)?;
        let mut root = below.anchor;
        while at != on {
            let (below, parent) = step(at)?;
            (root, at) = (root.min(below.anchor), parent);
        }
        let (mut at, mut depth) = (seq, 0);
        loop {
            let (below, parent) = step(at)?;
            depth += u64::from(below.depth);
            if below.anchor == root {
                let root_id = self.id(root)?.unwrap_or_default();
                return Ok(Position { root, root_id, depth });
            }
            (at, depth) = (parent, depth + 1);
        }
    }

    /// How a walk ends that comes to this row and can't go on.
    pub(crate) fn end_at(&self, up: Up) -> Result<ChainEnd> {
        Ok(match up {
            Up::Root => ChainEnd::Root,
            Up::Known(parent, _) => ChainEnd::Cycle(self.id(parent)?.unwrap_or_default()),
            Up::Closing(parent, _) => ChainEnd::Cycle(parent),
            Up::Expired(parent, _) => ChainEnd::Expired(parent),
            // It may be among what was lost: "never stored" would be a guess.
            Up::Missing(parent, _) if self.has_lost() => ChainEnd::Damaged(parent),
            Up::Missing(parent, _) => ChainEnd::Missing(parent),
        })
    }

    fn has_lost(&self) -> bool {
        self.sealed.iter().any(|sealed| sealed.lost > 0)
            || self.logs().any(|view| view.index().lost() > 0)
    }

    /// Where a link leads to whose parent was not stored when the child was.
    fn late(&self, part: &Part<'_>, row: u32, parent: EventId, kind: LinkKind) -> Result<Up> {
        let named = part.flags(row)?.has(Flags::NAMED);
        let seq = part.first_seq() + u64::from(row);
        if named
            && let Some(found) = self.segments.late_parent(seq)
            && self.holds(found)
        {
            return Ok(Up::Known(found, kind));
        }
        let Some(found) = self.find(&parent)? else {
            return Ok(Up::Missing(parent, kind));
        };
        let child = part.id(row)?;
        for number in self.candidates(&child) {
            if self.part(number)?.is_marked(&child, &parent)? {
                return Ok(Up::Closing(parent, kind));
            }
        }
        if named {
            // What an event names stays its parent once it is stored.
            self.segments.remember_late_parent(seq, found);
        }
        Ok(Up::Known(found, kind))
    }
}

/// Anchors and where they lie in their trees, as one snapshot sees them.
#[derive(Debug, Default)]
pub(crate) struct Tops(HashMap<u64, Position, RandomState>);

/// Most anchors that are remembered: some 10 MiB.
const TOPS_MAX: usize = 100_000;
