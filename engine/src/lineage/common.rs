//! Ancestors, and the nearest cause that two events have in common.

use crate::error::Result;
use crate::id::EventId;
use crate::lineage::chain::{ChainEnd, end_at};
use crate::log::windows::LastWindow;
use crate::query::page::Cursor;
use crate::snapshot::Snapshot;
use crate::stored::{Detail, StoredEvent};

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

pub(crate) fn is_ancestor(snapshot: &Snapshot, ancestor: &EventId, descendant: &EventId) -> bool {
    let index = snapshot.shared.index.read();
    let rows = (snapshot.find(&index, ancestor), snapshot.find(&index, descendant));
    let (Some(above), Some(below)) = rows else {
        return false;
    };
    let (high, low) = (snapshot.position(&index, above), snapshot.position(&index, below));
    drop(index);
    high.anchor == low.anchor
        && high.depth < low.depth
        && climb(snapshot, below, low.depth - high.depth) == Some(above)
}

pub(crate) fn ancestor_at(
    snapshot: &Snapshot,
    id: &EventId,
    depth: u64,
) -> Result<Option<StoredEvent>> {
    let index = snapshot.shared.index.read();
    let Some(row) = snapshot.find(&index, id) else {
        return Ok(None);
    };
    let own = snapshot.position(&index, row).depth;
    drop(index);
    let Some(edges) = u64::from(own).checked_sub(depth) else {
        return Ok(None);
    };
    climb(snapshot, row, edges as u32).map(|row| event(snapshot, row)).transpose()
}

pub(crate) fn common_cause(
    snapshot: &Snapshot,
    a: &EventId,
    b: &EventId,
) -> Result<Option<CommonCause>> {
    let index = snapshot.shared.index.read();
    let rows = (snapshot.find(&index, a), snapshot.find(&index, b));
    let (Some(a), Some(b)) = rows else {
        return Ok(None);
    };
    let (place_a, place_b) = (snapshot.position(&index, a), snapshot.position(&index, b));
    if place_a.anchor != place_b.anchor {
        let at = snapshot.visible.commit;
        let ends = (end_at(&index, place_a.anchor, at), end_at(&index, place_b.anchor, at));
        return Ok(Some(match ends {
            (ChainEnd::Root | ChainEnd::Cycle(_), ChainEnd::Root | ChainEnd::Cycle(_)) => {
                CommonCause::None
            }
            (a, b) => CommonCause::Unknown(a, b),
        }));
    }
    drop(index);
    let level = place_a.depth.min(place_b.depth);
    let a = climb(snapshot, a, place_a.depth - level);
    let b = climb(snapshot, b, place_b.depth - level);
    let met = a.zip(b).and_then(|(a, b)| meet(snapshot, a, b));
    met.map(|row| event(snapshot, row).map(CommonCause::Found)).transpose()
}

/// The ancestor so many edges above a row.
fn climb(snapshot: &Snapshot, mut row: u32, edges: u32) -> Option<u32> {
    let mut left = edges;
    while left > 0 {
        let index = snapshot.shared.index.read();
        for _ in 0..left.min(STEPS_AT_A_TIME) {
            row = index.cause(row, snapshot.visible.commit)?.0;
            left -= 1;
        }
    }
    Some(row)
}

/// Where the walks from two rows of equal depth meet.
fn meet(snapshot: &Snapshot, mut a: u32, mut b: u32) -> Option<u32> {
    while a != b {
        let index = snapshot.shared.index.read();
        for _ in 0..STEPS_AT_A_TIME {
            if a == b {
                break;
            }
            a = index.cause(a, snapshot.visible.commit)?.0;
            b = index.cause(b, snapshot.visible.commit)?.0;
        }
    }
    Some(a)
}

fn event(snapshot: &Snapshot, row: u32) -> Result<StoredEvent> {
    let index = snapshot.shared.index.read();
    let found = snapshot.found(&index, row, Detail::Payload, Cursor::NONE);
    drop(index);
    snapshot.load(found, Detail::Payload, &mut LastWindow::default())
}

/// Steps taken under one lock of the index: some microseconds.
const STEPS_AT_A_TIME: u32 = 512;
