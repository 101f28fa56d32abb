//! Ancestors, and the nearest cause that two events have in common.

use crate::error::{Error, Result};
use crate::id::EventId;
use crate::lineage::chain::ChainEnd;
use crate::lineage::up::{Position, Up};
use crate::parts::Parts;
use crate::parts::near::Near;
use crate::snapshot::Snapshot;
use crate::stored::StoredEvent;

/// What two events have in common.
///
/// ```
/// use forebear::{CommonCause, Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tool_use").id("a").parent("never stored"))?;
/// store.append(Event::new("user_message").id("b"))?;
/// match store.snapshot().common_cause("a", "b")?.expect("both are stored") {
///     CommonCause::Found(event) => println!("both go back to {}", event.id()),
///     CommonCause::None => println!("they have nothing in common"),
///     CommonCause::Unknown(a, b) => assert_eq!((a.as_str(), b.as_str()), ("missing", "root")),
///     _ => unreachable!("no other outcome is known"),
/// }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CommonCause {
    /// The nearest event that both go back to; one of the two, if it is an
    /// ancestor of the other.
    Found(StoredEvent),
    /// Both go back to a root or into a cycle, and not to the same: none.
    None,
    /// At least one of the walks ends before its root, so that a common cause
    /// may be missing, expired or damaged: how each of them ends.
    Unknown(ChainEnd, ChainEnd),
}

/// Whether the first row goes back to the second.
pub(crate) fn climb_to(parts: &Parts, below: u64, above: u64) -> Result<bool> {
    if below == above {
        return Ok(true);
    }
    let (high, low) = (parts.position(above)?, parts.position(below)?);
    if high.root != low.root || high.depth >= low.depth {
        return Ok(false);
    }
    Ok(climb(parts, below, low.depth - high.depth)? == Climbed::To(above))
}

pub(crate) fn is_ancestor(
    snapshot: &Snapshot,
    ancestor: &EventId,
    descendant: &EventId,
) -> Result<bool> {
    let parts = &*snapshot.parts;
    let (Some(above), Some(below)) = (parts.find(ancestor)?, parts.find(descendant)?) else {
        return Ok(false);
    };
    Ok(above != below && climb_to(parts, below, above)?)
}

pub(crate) fn ancestor_at(
    snapshot: &Snapshot,
    id: &EventId,
    depth: u64,
) -> Result<Option<StoredEvent>> {
    let parts = &*snapshot.parts;
    let Some(seq) = parts.find(id)? else { return Ok(None) };
    let Some(edges) = parts.position(seq)?.depth.checked_sub(depth) else { return Ok(None) };
    match climb(parts, seq, edges)? {
        Climbed::To(seq) => snapshot.event(seq).map(Some),
        Climbed::End(..) => Ok(None),
    }
}

pub(crate) fn common_cause(
    snapshot: &Snapshot,
    a: &EventId,
    b: &EventId,
) -> Result<Option<CommonCause>> {
    let parts = &*snapshot.parts;
    let (Some(a), Some(b)) = (parts.find(a)?, parts.find(b)?) else { return Ok(None) };
    let (place_a, place_b) = (parts.position(a)?, parts.position(b)?);
    if place_a.root != place_b.root {
        return Ok(Some(unless_root(end_of(parts, &place_a)?, end_of(parts, &place_b)?)));
    }
    let level = place_a.depth.min(place_b.depth);
    let climbed =
        (climb(parts, a, place_a.depth - level)?, climb(parts, b, place_b.depth - level)?);
    match climbed {
        (Climbed::To(a), Climbed::To(b)) => match meet(parts, a, b)? {
            Met::At(seq) => snapshot.event(seq).map(|event| Some(CommonCause::Found(event))),
            Met::Ends(a, b) => Ok(Some(CommonCause::Unknown(a, b))),
        },
        // What both go back to has expired, or lies behind what has.
        (climbed_a, climbed_b) => {
            let end = |climbed, place: &Position| match climbed {
                Climbed::End(end) => Ok(end),
                Climbed::To(_) => end_of(parts, place),
            };
            let ends = (end(climbed_a, &place_a)?, end(climbed_b, &place_b)?);
            Ok(Some(CommonCause::Unknown(ends.0, ends.1)))
        }
    }
}

/// How the walk up from an event ends.
fn end_of(parts: &Parts, position: &Position) -> Result<ChainEnd> {
    if !parts.holds(position.root) {
        return Ok(ChainEnd::Expired(position.root_id.clone()));
    }
    parts.end_at(parts.up(position.root)?)
}

/// What two walks that end apart have in common.
fn unless_root(a: ChainEnd, b: ChainEnd) -> CommonCause {
    match (a, b) {
        (ChainEnd::Root | ChainEnd::Cycle(_), ChainEnd::Root | ChainEnd::Cycle(_)) => {
            CommonCause::None
        }
        (a, b) => CommonCause::Unknown(a, b),
    }
}

/// Where climbing so many edges leads.
#[derive(Debug, PartialEq, Eq)]
enum Climbed {
    To(u64),
    /// To where nothing is stored any more.
    End(ChainEnd),
}

/// The ancestor so many edges above a row: O(log edges) in sealed segments, and
/// O(edges) in logs.
fn climb(parts: &Parts, seq: u64, edges: u64) -> Result<Climbed> {
    let mut near = Near::new(parts);
    let (mut at, mut left) = (seq, edges);
    while left > 0 {
        if let Some((ancestor, length)) = jump(parts, &mut near, at)?.filter(|&(_, by)| by <= left)
        {
            (at, left) = (ancestor, left - length);
            continue;
        }
        let (part, row) = near.locate(at)?;
        match parts.up_from(part, row)? {
            Up::Known(parent, _) => (at, left) = (parent, left - 1),
            other => return Ok(Climbed::End(parts.end_at(other)?)),
        }
    }
    Ok(Climbed::To(at))
}

/// An ancestor further up that the spine names, and how many links up it is.
fn jump(parts: &Parts, near: &mut Near<'_>, seq: u64) -> Result<Option<(u64, u64)>> {
    let (part, row) = near.locate(seq)?;
    let Some((ancestor, depth)) = part.jump(row)?.filter(|&(ancestor, _)| parts.holds(ancestor))
    else {
        return Ok(None);
    };
    let (part, row) = near.locate(ancestor)?;
    match depth.checked_sub(part.below(row)?.depth) {
        Some(length @ 1..) => Ok(Some((ancestor, u64::from(length)))),
        _ => Err(Error::damaged(format!(
            "expected event {ancestor} to lie above event {seq}, found it no less deep; run verify"
        ))),
    }
}

/// Where the walks from two rows of equal depth meet.
enum Met {
    At(u64),
    /// They end before they do.
    Ends(ChainEnd, ChainEnd),
}

fn meet(parts: &Parts, a: u64, b: u64) -> Result<Met> {
    let (mut near_a, mut near_b) = (Near::new(parts), Near::new(parts));
    let (mut a, mut b) = (a, b);
    while a != b {
        // Jumps of one length to two places pass by nothing that both go back to.
        if let (Some(over_a), Some(over_b)) =
            (jump(parts, &mut near_a, a)?, jump(parts, &mut near_b, b)?)
            && over_a.1 == over_b.1
            && over_a.0 != over_b.0
        {
            (a, b) = (over_a.0, over_b.0);
            continue;
        }
        let (part_a, row_a) = near_a.locate(a)?;
        let (part_b, row_b) = near_b.locate(b)?;
        match (parts.up_from(part_a, row_a)?, parts.up_from(part_b, row_b)?) {
            (Up::Known(above_a, _), Up::Known(above_b, _)) => (a, b) = (above_a, above_b),
            (end_a, end_b) => {
                return Ok(Met::Ends(ends(parts, end_a)?, ends(parts, end_b)?));
            }
        }
    }
    Ok(Met::At(a))
}

/// How a walk ends; one that would go on, wherever it ends.
fn ends(parts: &Parts, up: Up) -> Result<ChainEnd> {
    match up {
        Up::Known(parent, _) => end_of(parts, &parts.position(parent)?),
        other => parts.end_at(other),
    }
}
