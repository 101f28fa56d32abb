//! From piece to piece: where a row lies in its tree, and the way up from it over
//! links that were learnt late.
//!
//! Within a piece the spine says all. The anchors of pieces are joined to pieces
//! above by links that are looked up once and then remembered, together with leaps
//! over several of them, so that the way up is O(log joins).

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::row::Flags;
use crate::base::state::KindId;
use crate::lineage::up::Up;
use crate::state::lineage::{self, Lineage};
use crate::view::View;
use crate::view::joins::Join;

/// Where an event lies in its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The topmost known ancestor, which may have expired.
    pub(crate) root: u64,
    pub(crate) root_id: EventId,
    /// Links between the event and its root.
    pub(crate) depth: u64,
    /// Those of them that join pieces; none where they lead round in a circle or by way
    /// of events that have expired.
    pub(crate) joins: Option<u64>,
    /// The anchor that has expired at which a walk ends, where it is known what was
    /// above it.
    pub(crate) gap: Option<EventId>,
}

/// The way up from a row, as far as it was found out.
struct Ascent {
    position: Position,
    /// The anchors on the way, and how many links and joins above the row each is.
    way: Vec<(u64, u64, u64)>,
    /// Joins that may be remembered.
    learnt: Vec<(u64, Join)>,
}

/// Anchors and where they lie in their trees, as one snapshot sees them.
#[derive(Debug, Default)]
pub(crate) struct Tops(HashMap<u64, Position, RandomState>);

/// What is above the anchor of a piece.
#[derive(Debug)]
pub(crate) enum Above {
    /// Nothing that is known of, or nothing that is stored any more.
    Nothing,
    /// A piece that was come by before.
    Known(Join),
    /// A piece that was not, and whether the join may be remembered.
    New(Join, bool),
}

impl Position {
    /// Whether a walk from the event leads to this root, which is there: it does not
    /// where events between the two have expired.
    pub(crate) fn leads_to(&self, root: u64) -> bool {
        self.root == root && self.gap.is_none()
    }
}

impl View {
    /// Where a row lies in its tree: its piece, and the pieces above. O(log joins)
    /// once they were crossed.
    pub(crate) fn position(&self, seq: u64) -> Result<Position> {
        self.position_by(seq, &mut Tops::default())
    }

    /// The same for one of many rows: anchors that were come by are remembered.
    pub(crate) fn position_by(&self, seq: u64, tops: &mut Tops) -> Result<Position> {
        let Ascent { position, way, learnt } = match self.ascend(seq, tops, true)? {
            Ok(ascent) => ascent,
            Err(_) => match self.ascend(seq, tops, false)? {
                Ok(ascent) => ascent,
                Err(on) => return self.position_in_circle(seq, on),
            },
        };
        // From the top down, since each builds on those above.
        for (anchor, join) in learnt.into_iter().rev() {
            self.joins.insert(anchor, join);
        }
        if position.gap.is_some() {
            // Not all on the way are below the gap.
            return Ok(position);
        }
        if tops.0.len() > TOPS_MAX {
            tops.0.clear();
        }
        for (anchor, deeper, crossed) in way {
            let joins = position.joins.map(|joins| joins - crossed);
            let depth = position.depth - deeper;
            tops.0.insert(anchor, Position { depth, joins, ..position.clone() });
        }
        Ok(position)
    }

    /// Goes up from a row, beyond events that have expired if `beyond`. Where that leads
    /// round in a circle, a row of it instead: one through expired events is no circle
    /// without what was written down of them.
    fn ascend(
        &self,
        seq: u64,
        tops: &Tops,
        beyond: bool,
    ) -> Result<std::result::Result<Ascent, u64>> {
        let Some((source, row)) = self.locate(seq)? else {
            return Err(Error::damaged(format!(
                "expected an event with sequence number {seq}, found none"
            )));
        };
        let below = source.below(row)?;
        let mut anchor = below.anchor;
        let (mut depth, mut joins) = (u64::from(below.depth), 0);
        let mut way: Vec<(u64, u64, u64)> = Vec::new();
        let mut learnt: Vec<(u64, Join)> = Vec::new();
        // A row in the piece, whose part knows the anchor's id; or that id, where no row
        // of the piece is there any more.
        let mut inside = Ok(seq);
        let mut gap: Option<EventId> = None;
        // Brent's: the turtle is moved on to where the hare is at powers of two.
        let (mut turtle, mut power) = (anchor, 1);
        let mut position = loop {
            if let Some(top) = tops.0.get(&anchor) {
                let joins = top.joins.map(|above| joins + above);
                break Position { depth: depth + top.depth, joins, ..top.clone() };
            }
            way.push((anchor, depth, joins));
            match self.above(anchor)? {
                Above::Known(join) | Above::New(join, false) => {
                    (inside, anchor) = (Ok(join.inside()), join.leap.to);
                    (depth, joins) = (depth + join.leap.edges, joins + join.leap.joins);
                }
                Above::New(join, true) => {
                    learnt.push((anchor, join));
                    (inside, anchor) = (Ok(join.inside()), join.leap.to);
                    (depth, joins) = (depth + join.leap.edges, joins + join.leap.joins);
                }
                Above::Nothing => {
                    let root_id = match &inside {
                        Ok(inside) => self.anchor_id(anchor, *inside)?,
                        Err(id) => EventId::clone(id),
                    };
                    let expired = if beyond { self.expired(anchor)? } else { None };
                    let Some(expired) = expired else {
                        let joins = Some(joins);
                        break Position { root: anchor, root_id, depth, joins, gap: None };
                    };
                    gap.get_or_insert(root_id);
                    depth += expired.edges;
                    (inside, anchor) = (Err(expired.to_id.clone()), expired.to);
                    if let Some((source, row)) = self.locate(expired.to)? {
                        let below = source.below(row)?;
                        (inside, anchor) = (Ok(expired.to), below.anchor);
                        depth += u64::from(below.depth);
                    }
                }
            }
            if anchor == turtle {
                return Ok(Err(inside.unwrap_or(seq)));
            }
            if way.len() == power {
                (turtle, power) = (anchor, power * 2);
            }
        };
        if gap.is_some() {
            (position.joins, position.gap) = (None, gap);
        }
        Ok(Ok(Ascent { position, way, learnt }))
    }

    /// What is known of what was above an event that has expired: a segment that is there
    /// has its late parent, or it was written down.
    pub(crate) fn expired(&self, seq: u64) -> Result<Option<Arc<Lineage>>> {
        // What is to come is not expired.
        if seq >= self.first_seq() {
            return Ok(None);
        }
        let joins = &self.joins;
        if let Some(known) = joins.expired(seq, self.first_seq()) {
            return Ok(known.0);
        }
        let found = self.written(seq)?.map(Arc::new);
        joins.remember_expired(seq, self.first_seq(), found.clone());
        Ok(found)
    }

    fn written(&self, seq: u64) -> Result<Option<Lineage>> {
        if let Some(Join { parent: to, .. }) = self.late_join(seq)? {
            let to_id = self.id(to)?.ok_or_else(|| Error::expired(to))?;
            return Ok(Some(Lineage { to, to_id, edges: 1 }));
        }
        let value = self.state(KindId::LINEAGE, &lineage::key(seq))?;
        value.map(|value| Lineage::from_bytes(&value)).transpose()
    }

    /// What is above an anchor, as this snapshot sees it. What was remembered takes
    /// one look.
    pub(crate) fn above(&self, anchor: u64) -> Result<Above> {
        if !self.holds(anchor) {
            return Ok(Above::Nothing);
        }
        let (first, end) = (self.first_seq(), self.sealed_end());
        if let Some(join) = self.joins.get(anchor) {
            if join.leap.is_within(first, end) {
                return Ok(Above::Known(join));
            }
            let alone = join.alone(anchor);
            if alone.leap.is_within(first, end) {
                return Ok(Above::Known(alone));
            }
        }
        let Some((source, row)) = self.locate(anchor)? else { return Ok(Above::Nothing) };
        let named = source.flags(row)?.has(Flags::NAMED);
        if named && let Some(join) = self.late_join(anchor)? {
            return Ok(Above::New(join, join.leap.is_within(first, end)));
        }
        let Up::Known(parent, _) = self.up_from(&source, row)? else { return Ok(Above::Nothing) };
        let Some((above, parent_row)) = self.locate(parent)? else { return Ok(Above::Nothing) };
        let below = above.below(parent_row)?;
        let join = Join::new(anchor, parent, below.anchor, below.depth);
        // A claim may give way to a stronger one, and what a log says may change.
        let stays = join.leap.is_within(first, end) && named;
        Ok(Above::New(join, stays))
    }

    /// The id of an anchor, which the part of a row `inside` its piece knows even
    /// where it has expired.
    fn anchor_id(&self, anchor: u64, inside: u64) -> Result<EventId> {
        if let Some(id) = self.id(anchor)? {
            return Ok(id);
        }
        match self.locate(inside)? {
            Some((source, row)) => source.anchor_id(row),
            None => Err(Error::expired(anchor)),
        }
    }

    /// The position of a row where links that were learnt late lead round in a
    /// circle, to which the row `on` belongs. None of them is marked where the writer
    /// could not see the others, since they had been dropped: in an archive they come
    /// together again. The oldest anchor counts as the root.
    fn position_in_circle(&self, seq: u64, on: u64) -> Result<Position> {
        let step = |at: u64| match self.locate(at)? {
            Some((source, row)) => {
                let below = source.below(row)?;
                match self.up(below.anchor)? {
                    Up::Known(parent, _) => Ok((below, parent)),
                    _ => Err(Error::damaged(format!("expected a link above event {at}"))),
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
                return Ok(Position { root, root_id, depth, joins: None, gap: None });
            }
            (at, depth) = (parent, depth + 1);
        }
    }
}

/// Most anchors that are remembered: some 10 MiB.
const TOPS_MAX: usize = 100_000;
