//! Ancestors, and the nearest cause that two events have in common.

use std::ops::ControlFlow;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::lineage::above::Above;
use crate::lineage::chain_end::ChainEnd;
use crate::lineage::parent_link::ParentLink;
use crate::lineage::position::TreePosition;
use crate::view::joins::Join;
use crate::view::near::Near;
use crate::view::stored::StoredEvent;
use crate::view::{RowSource, Source, View};

/// What two events have in common.
///
/// ```
/// use forebear::{CommonCause, Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("job").id("a").parent("never stored"))?;
/// store.append(Event::new("request").id("b"))?;
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

/// Whether the row `below` goes back to the row `above`.
pub(crate) fn climb_to(view: &View, below: u64, above: u64) -> Result<bool> {
    if below == above {
        return Ok(true);
    }
    let (high, low) = (view.position(above)?, view.position(below)?);
    if high.root != low.root || high.depth >= low.depth {
        // Further up it may be otherwise.
        return match low.damage {
            Some(damage) => Err(damage),
            None => Ok(false),
        };
    }
    if high.root == above {
        // Also where events between the two have expired.
        return Ok(true);
    }
    Ok(climb(view, below, low.depth - high.depth)? == Climbed::To(above))
}

pub(crate) fn is_ancestor(view: &View, ancestor: &EventId, descendant: &EventId) -> Result<bool> {
    let (Some(above), Some(below)) = (view.find(ancestor)?, view.find(descendant)?) else {
        return Ok(false);
    };
    Ok(above != below && climb_to(view, below, above)?)
}

pub(crate) fn ancestor_at(view: &View, id: &EventId, depth: u64) -> Result<Option<StoredEvent>> {
    let Some(seq) = view.find(id)? else { return Ok(None) };
    let position = view.position(seq)?;
    if let Some(damage) = position.damage {
        return Err(damage);
    }
    let Some(edges) = position.depth.checked_sub(depth) else { return Ok(None) };
    match climb(view, seq, edges)? {
        Climbed::To(seq) => view.event(view.newest(seq)?).map(Some),
        Climbed::End(..) => Ok(None),
    }
}

pub(crate) fn common_cause(view: &View, a: &EventId, b: &EventId) -> Result<Option<CommonCause>> {
    let (Some(a), Some(b)) = (view.find(a)?, view.find(b)?) else { return Ok(None) };
    let (place_a, place_b) = (view.position(a)?, view.position(b)?);
    if place_a.root != place_b.root {
        return Ok(Some(unless_root(end_of(view, &place_a)?, end_of(view, &place_b)?)));
    }
    let (mut depth_a, mut depth_b) = (place_a.depth, place_b.depth);
    let (mut a, mut b) = (a, b);
    if let (Some(joins_a), Some(joins_b)) = (place_a.joins, place_b.joins) {
        [a, b] = meet_in_fragment(view, [a, b], [joins_a, joins_b])?;
        // Within one fragment what counts is how deep below its anchor they are.
        (depth_a, depth_b) = (depth_within(view, a)?, depth_within(view, b)?);
    }
    let level = depth_a.min(depth_b);
    let climbed = (climb(view, a, depth_a - level)?, climb(view, b, depth_b - level)?);
    match climbed {
        (Climbed::To(a), Climbed::To(b)) => match meet(view, a, b)? {
            Met::At(seq) => {
                view.event(view.newest(seq)?).map(|event| Some(CommonCause::Found(event)))
            }
            Met::Ends(a, b) => Ok(Some(CommonCause::Unknown(a, b))),
        },
        // What both go back to has expired, or lies behind what has.
        (climbed_a, climbed_b) => {
            let end = |climbed, place: &TreePosition| match climbed {
                Climbed::End(end) => Ok(end),
                Climbed::To(_) => end_of(view, place),
            };
            let ends = (end(climbed_a, &place_a)?, end(climbed_b, &place_b)?);
            Ok(Some(CommonCause::Unknown(ends.0, ends.1)))
        }
    }
}

/// How the walk up from an event ends.
fn end_of(view: &View, position: &TreePosition) -> Result<ChainEnd> {
    if position.damage.is_some() {
        return Ok(ChainEnd::Damaged(None));
    }
    if let Some(gap) = &position.gap {
        return Ok(ChainEnd::Expired(gap.clone()));
    }
    if !view.holds(position.root) {
        return Ok(ChainEnd::Expired(position.root_id.clone()));
    }
    view.end_at(view.parent_link(position.root)?)
}

/// The common cause of two events whose walks end at different rows.
fn unless_root(a: ChainEnd, b: ChainEnd) -> CommonCause {
    match (a, b) {
        (ChainEnd::Root | ChainEnd::Cycle(_), ChainEnd::Root | ChainEnd::Cycle(_)) => {
            CommonCause::None
        }
        (a, b) => CommonCause::Unknown(a, b),
    }
}

/// Where a climb over a number of edges leads.
#[derive(Debug, PartialEq, Eq)]
enum Climbed {
    To(u64),
    /// It ends sooner, where nothing is stored any more.
    End(ChainEnd),
}

/// The ancestor so many edges above a row: O(log edges + log joins) in sealed
/// segments, and O(edges) in logs.
fn climb(view: &View, seq: u64, edges: u64) -> Result<Climbed> {
    let mut near = Near::default();
    let (mut at, mut left) = (seq, edges);
    while left > 0 {
        let step = match near.locate(view, at)?.0 {
            Source::Sealed(segment) => climb_within(view, segment, at, left)?,
            Source::Log(log) => climb_within(view, log, at, left)?,
        };
        match step {
            ControlFlow::Continue((to, still)) => (at, left) = (to, still),
            ControlFlow::Break(end) => return Ok(Climbed::End(end)),
        }
    }
    Ok(Climbed::To(at))
}

/// Climbs as far as the way stays within one source: to the first row beyond it, or to
/// the row asked for, and how many edges are left. Breaks with how the walk ends.
fn climb_within<S: RowSource>(
    view: &View,
    source: &S,
    seq: u64,
    edges: u64,
) -> Result<ControlFlow<ChainEnd, (u64, u64)>> {
    let (mut at, mut left) = (seq, edges);
    while left > 0
        && let Some(row) = source.row_of(at)
    {
        let below = source.below(row)?;
        let depth = u64::from(below.depth);
        // What is beyond the anchor is reached from there.
        if left >= depth && view.holds(below.anchor) {
            (at, left) = (below.anchor, left - depth);
            if left == 0 {
                break;
            }
            match view.above(at)? {
                Above::Known(Join { skip, .. }) if skip.edges <= left => {
                    (at, left) = (skip.to, left - skip.edges);
                }
                Above::Known(join) | Above::New { join, .. } => {
                    (at, left) = (join.parent, left - 1);
                }
                Above::Nothing => {
                    return Ok(ControlFlow::Break(view.end_at(view.parent_link(at)?)?));
                }
            }
            continue;
        }
        if let Some((ancestor, length)) =
            skip_pointer(view, source, row)?.filter(|&(_, by)| by <= left)
        {
            (at, left) = (ancestor, left - length);
            continue;
        }
        match view.parent_link_of(source, row)? {
            ParentLink::Known(parent, _) => (at, left) = (parent, left - 1),
            other => return Ok(ControlFlow::Break(view.end_at(other)?)),
        }
    }
    Ok(ControlFlow::Continue((at, left)))
}

/// An ancestor further up that the spine names, and how many links up it is.
fn skip_pointer<S: RowSource>(view: &View, source: &S, row: u32) -> Result<Option<(u64, u64)>> {
    let Some((ancestor, depth)) =
        source.skip_pointer(row)?.filter(|&(ancestor, _)| view.holds(ancestor))
    else {
        return Ok(None);
    };
    let above = match source.row_of(ancestor) {
        Some(row) => u64::from(source.below(row)?.depth),
        None => depth_within(view, ancestor)?,
    };
    let Some(length @ 1..) = u64::from(depth).checked_sub(above) else {
        let seq = source.first_seq() + u64::from(row);
        return Err(Error::damaged(format!(
            "expected event {ancestor} to lie above event {seq}, found it no less deep; run verify"
        )));
    };
    Ok(Some((ancestor, length)))
}

/// Where the walks from two rows of equal depth meet.
enum Met {
    At(u64),
    /// They end before they meet.
    Ends(ChainEnd, ChainEnd),
}

/// The rows at which the walks from two rows enter the first fragment that both pass.
/// Fragments are crossed by skip pointers, as rows are within one. `joins` counts those
/// between each row and the root, which both have in common.
fn meet_in_fragment(view: &View, rows: [u64; 2], joins: [u64; 2]) -> Result<[u64; 2]> {
    let [mut a, mut b] = rows;
    let level = joins[0].min(joins[1]);
    a = cross(view, a, joins[0] - level)?;
    b = cross(view, b, joins[1] - level)?;
    for _ in 0..level {
        let (from_a, from_b) = (anchor(view, a)?, anchor(view, b)?);
        if from_a == from_b {
            break;
        }
        let (over_a, over_b) = (joined(view, from_a)?, joined(view, from_b)?);
        // Pointers of one length that lead to two fragments skip no common one.
        if over_a.skip.joins == over_b.skip.joins && over_a.skip.to != over_b.skip.to {
            (a, b) = (over_a.skip.to, over_b.skip.to);
        } else {
            (a, b) = (over_a.parent, over_b.parent);
        }
    }
    Ok([a, b])
}

/// The row at which the walk from a row enters the fragment so many joins above.
fn cross(view: &View, seq: u64, joins: u64) -> Result<u64> {
    let (mut at, mut left) = (seq, joins);
    while left > 0 {
        let join = joined(view, anchor(view, at)?)?;
        // A skip pointer leads to the anchor, and a single join to the row of entry.
        if join.skip.joins < left {
            (at, left) = (join.skip.to, left - join.skip.joins);
        } else {
            (at, left) = (join.parent, left - 1);
        }
    }
    Ok(at)
}

/// The links between a row and the anchor of its fragment.
fn depth_within(view: &View, seq: u64) -> Result<u64> {
    match view.locate(seq)? {
        Some((source, row)) => Ok(u64::from(source.below(row)?.depth)),
        None => Err(Error::expired(seq)),
    }
}

/// The anchor of a row's fragment.
fn anchor(view: &View, seq: u64) -> Result<u64> {
    match view.locate(seq)? {
        Some((source, row)) => Ok(source.below(row)?.anchor),
        None => Err(Error::expired(seq)),
    }
}

/// The join above an anchor below the root.
fn joined(view: &View, anchor: u64) -> Result<Join> {
    match view.above(anchor)? {
        Above::Known(join) | Above::New { join, .. } => Ok(join),
        Above::Nothing => Err(Error::damaged(format!(
            "expected a link above event {anchor}, where there was one a moment ago"
        ))),
    }
}

fn meet(view: &View, a: u64, b: u64) -> Result<Met> {
    let (mut near_a, mut near_b) = (Near::default(), Near::default());
    let (mut a, mut b) = (a, b);
    while a != b {
        let (source_a, row_a) = near_a.locate(view, a)?;
        let (source_b, row_b) = near_b.locate(view, b)?;
        // Skip pointers of one length to two places pass by nothing that both go back to.
        if let (Some(over_a), Some(over_b)) =
            (jump_from(view, source_a, row_a)?, jump_from(view, source_b, row_b)?)
            && over_a.1 == over_b.1
            && over_a.0 != over_b.0
        {
            (a, b) = (over_a.0, over_b.0);
            continue;
        }
        match (view.parent_link_of(&**source_a, row_a)?, view.parent_link_of(&**source_b, row_b)?) {
            (ParentLink::Known(above_a, _), ParentLink::Known(above_b, _)) => {
                (a, b) = (above_a, above_b);
            }
            (end_a, end_b) => {
                return Ok(Met::Ends(ends(view, end_a)?, ends(view, end_b)?));
            }
        }
    }
    Ok(Met::At(a))
}

fn jump_from(view: &View, source: &Source, row: u32) -> Result<Option<(u64, u64)>> {
    match source {
        Source::Sealed(segment) => skip_pointer(view, segment, row),
        Source::Log(log) => skip_pointer(view, log, row),
    }
}

/// How the walk ends that a link is on.
fn ends(view: &View, up: ParentLink) -> Result<ChainEnd> {
    match up {
        ParentLink::Known(parent, _) => end_of(view, &view.position(parent)?),
        other => view.end_at(other),
    }
}
