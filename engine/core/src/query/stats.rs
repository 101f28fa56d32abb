//! Figures of a whole store.

use std::collections::HashSet;

use crate::base::error::Result;
use crate::base::link::LinkKind;
use crate::base::row::{Flags, NONE};
use crate::lineage::child_rows::ChildRows;
use crate::lineage::parent_link::ParentLink;
use crate::lineage::position::PositionCache;
use crate::query::missing;
use crate::view::{Source, View};

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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// Events, versions aside.
    pub events: u64,
    /// Later versions of events.
    pub versions: u64,
    /// Events that came without an id of their own.
    #[cfg_attr(feature = "serde", serde(rename = "without_id"))]
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
    pub deepest: Option<crate::base::id::EventId>,
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
    #[cfg_attr(feature = "serde", serde(serialize_with = "links"))]
    pub links: [u64; 3],
    /// Fragments of quarantined input.
    pub quarantined: u64,
}

/// Goes through every row. O(rows + links learnt late).
pub(crate) fn stats(view: &View) -> Result<Stats> {
    let mut stats = Stats { segments: view.len() as u64, bytes: view.bytes(), ..Stats::default() };
    let mut sessions = HashSet::new();
    let mut deepest = None;
    let mut cache = PositionCache::default();
    for number in 0..view.len() {
        let source = view.source(number)?;
        let mut numbers = HashSet::new();
        for row in 0..source.rows() {
            let facts = source.facts(row)?;
            if facts.session != NONE && !facts.flags.has(Flags::DERIVED) {
                numbers.insert(facts.session);
            }
            if !count_row(view, &source, row, facts.flags, &mut stats)? {
                continue;
            }
            let seq = source.first_seq() + u64::from(row);
            let depth = view.position_by(seq, &mut cache)?.depth;
            if deepest.is_none() || depth > stats.max_depth {
                (deepest, stats.max_depth) = (Some(seq), depth);
            }
        }
        for number in numbers {
            sessions.insert(source.text(number));
        }
        stats.refused_links += source.refused_len() as u64;
        stats.quarantined += source.quarantined_len()? as u64;
    }
    stats.sessions = sessions.len() as u64;
    stats.deepest = deepest.map(|seq| view.id(seq)).transpose()?.flatten();
    stats.missing_parents = missing::count(view, Flags::from_bits(NOT_COUNTED))?;
    Ok(stats)
}

/// Counts a row; returns whether it is an event that came with an id.
fn count_row(
    view: &View,
    source: &Source,
    row: u32,
    flags: Flags,
    stats: &mut Stats,
) -> Result<bool> {
    if flags.has(Flags::LOST) {
        return Ok(false);
    }
    if flags.has(Flags::DERIVED) {
        stats.derived_ids += u64::from(!flags.has(Flags::VERSION));
        return Ok(false);
    }
    if flags.has(Flags::VERSION) {
        stats.versions += 1;
        return Ok(false);
    }
    stats.events += 1;
    stats.max_children =
        stats.max_children.max(count_children(view, source.first_seq() + u64::from(row))?);
    let up = view.parent_link_of(source, row)?;
    stats.roots += u64::from(up == ParentLink::Root);
    stats.cycles += u64::from(matches!(up, ParentLink::Cycle(..)));
    match up.kind() {
        None => {}
        Some(LinkKind::Caused) => stats.links[0] += 1,
        Some(LinkKind::Continues) => stats.links[1] += 1,
        Some(LinkKind::Spawned) => stats.links[2] += 1,
    }
    Ok(true)
}

/// The children of an event that came with ids.
fn count_children(view: &View, parent: u64) -> Result<u64> {
    let mut children = ChildRows::new(view, parent, None)?;
    let mut count = 0;
    while let Some(child) = children.next()? {
        if let Some((source, row)) = view.locate(child)? {
            count += u64::from(!source.flags(row)?.has(NOT_COUNTED));
        }
    }
    Ok(count)
}

/// Rows that are no events which came with an id.
const NOT_COUNTED: u16 = Flags::VERSION | Flags::LOST | Flags::DERIVED;

/// By the names of the link kinds.
#[cfg(feature = "serde")]
fn links<S: serde::Serializer>(
    links: &[u64; 3],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_map(LinkKind::ALL.iter().zip(links))
}
