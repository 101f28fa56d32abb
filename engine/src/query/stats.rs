//! Figures of a whole store.

use std::collections::HashSet;

use crate::event::LinkKind;
use crate::log::index::{Flags, Index, MissingEntry, NONE, Parent};
use crate::query::listings::{for_each_row, is_root};
use crate::snapshot::Snapshot;

/// Figures of a whole snapshot. Unless said otherwise, events whose ids were
/// derived are not counted.
///
/// ```
/// use forebear::{Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("user_message").id("ask").session("s"))?;
/// store.append(Event::new("error").parent("ask").session("s"))?;
/// store.append(Event::new("error").parent("never stored").session("s"))?;
/// let stats = store.snapshot().stats()?;
/// assert_eq!((stats.events, stats.sessions, stats.missing_parents), (3, 1, 1));
/// assert_eq!(stats.links, [2, 0, 0]);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events, versions aside.
    pub events: u64,
    /// Later versions of events.
    pub versions: u64,
    /// Events that came without an id of their own.
    pub derived_ids: u64,
    /// Segments of the store, the active one included.
    pub segments: u64,
    /// Bytes of the store's logs and segments.
    pub bytes: u64,
    /// Events that neither name a parent nor were linked to one.
    pub roots: u64,
    /// Most edges from any event to its topmost known ancestor.
    pub max_depth: u64,
    /// An event that deep.
    pub deepest: Option<crate::EventId>,
    /// Most events that one event is the parent of.
    pub max_children: u64,
    /// Parents that are named and not stored.
    pub missing_parents: u64,
    /// Links that close a cycle.
    pub cycles: u64,
    /// Links that were refused.
    pub refused_links: u64,
    /// Sessions that events and versions belong to, so that a forked session
    /// counts whichever of the two was stored first.
    pub sessions: u64,
    /// Events that have a parent, stored or not, by how they follow from it:
    /// caused, continues, spawned.
    pub links: [u64; 3],
    /// Pieces of quarantined input.
    pub quarantined: u64,
}

pub(crate) fn stats(snapshot: &Snapshot) -> Stats {
    let at = snapshot.visible.commit;
    let mut stats = Stats { segments: 1, bytes: snapshot.visible.log_end, ..Stats::default() };
    let mut sessions = HashSet::new();
    let mut deepest = None;
    for_each_row(snapshot, 0, |index, row| {
        count_row(snapshot, index, row, &mut stats);
        let entry = index.row(row);
        if entry.session != NONE && !entry.flags.has(Flags::DERIVED) {
            sessions.insert(entry.session);
        }
        if entry.flags.has(NOT_COUNTED) {
            return true;
        }
        let depth = u64::from(snapshot.position(index, row).depth);
        if deepest.is_none() || depth > stats.max_depth {
            deepest = Some(row);
            stats.max_depth = depth;
        }
        true
    });
    let index = snapshot.shared.index.read();
    stats.sessions = sessions.len() as u64;
    stats.deepest = deepest.map(|row| index.id(row));
    stats.missing_parents =
        index.missing().iter().filter(|entry| is_missing(snapshot, &index, entry)).count() as u64;
    stats.refused_links = index.refused(at).len() as u64;
    stats.quarantined = index.quarantined(at).len() as u64;
    stats
}

fn count_row(snapshot: &Snapshot, index: &Index, row: u32, stats: &mut Stats) {
    let at = snapshot.visible.commit;
    let flags = index.row(row).flags;
    if flags.has(Flags::LOST) {
        return;
    }
    if flags.has(Flags::DERIVED) {
        stats.derived_ids += u64::from(!flags.has(Flags::VERSION));
        return;
    }
    if flags.has(Flags::VERSION) {
        stats.versions += 1;
        return;
    }
    stats.events += 1;
    stats.roots += u64::from(is_root(snapshot, index, row));
    let counted = |&(_, child): &(u32, u32)| !index.row(child).flags.has(NOT_COUNTED);
    let children = index.children(row, at).filter(counted).count() as u64;
    stats.max_children = stats.max_children.max(children);
    let kind = match index.parent(row, at) {
        Parent::None => return,
        Parent::Closing(_, kind) => {
            stats.cycles += 1;
            kind
        }
        Parent::Known(_, kind) | Parent::Missing(_, kind) => kind,
    };
    match kind {
        LinkKind::Caused => stats.links[0] += 1,
        LinkKind::Continues => stats.links[1] += 1,
        LinkKind::Spawned => stats.links[2] += 1,
    }
}

/// Whether a parent is missing that an event with an id of its own names.
fn is_missing(snapshot: &Snapshot, index: &Index, entry: &MissingEntry) -> bool {
    let at = snapshot.visible.commit;
    entry.since <= at
        && at < entry.until
        && entry.children.iter().any(|&row| {
            snapshot.sees(row)
                && !index.row(row).flags.has(NOT_COUNTED)
                && matches!(index.parent(row, at), Parent::Missing(id, _) if id == entry.id)
        })
}

/// Rows that are left out of what is said of events.
const NOT_COUNTED: u16 = Flags::VERSION | Flags::LOST | Flags::DERIVED;
