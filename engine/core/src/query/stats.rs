//! Figures of a whole store.

use std::collections::HashSet;

use crate::base::error::Result;
use crate::base::link::LinkKind;
use crate::base::row::{Flags, NONE};
use crate::base::unread::Unread;
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
    /// What could not be read for damage, each part once: the figures are of the rest.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub damaged: Vec<String>,
}

/// Goes through every row. O(rows + links learnt late), and for each row a look-up in each later
/// source that replaces any.
pub(crate) fn stats(view: &View) -> Result<Stats> {
    let mut stats = Stats { segments: view.len() as u64, bytes: view.bytes(), ..Stats::default() };
    let mut sessions = HashSet::new();
    let mut deepest = None;
    let (mut cache, mut unread) = (PositionCache::default(), Unread::default());
    for number in 0..view.len() {
        let Some(source) = unread.pass(view.source(number))? else { continue };
        let mut numbers = HashSet::new();
        for row in 0..source.rows() {
            let Some(facts) = unread.pass(source.facts(row))? else { continue };
            if facts.session != NONE && !facts.flags.has(Flags::DERIVED) {
                numbers.insert(facts.session);
            }
            let counted = count_row(view, &source, row, facts.flags, &mut stats, &mut unread);
            if !unread.pass(counted)?.unwrap_or(false) {
                continue;
            }
            let seq = source.first_seq() + u64::from(row);
            let Some(position) = unread.pass(view.position_by(seq, &mut cache))? else { continue };
            unread.note_opt(position.damage.as_ref());
            let depth = position.depth;
            if deepest.is_none() || depth > stats.max_depth {
                (deepest, stats.max_depth) = (Some(seq), depth);
            }
        }
        for number in numbers {
            sessions.extend(unread.pass(source.text(number))?);
        }
        stats.refused_links += source.refused_len() as u64;
        stats.quarantined += unread.pass(source.quarantined_len())?.unwrap_or(0) as u64;
    }
    stats.sessions = sessions.len() as u64;
    if let Some(seq) = deepest {
        stats.deepest = unread.pass(view.id(seq))?.flatten();
    }
    stats.missing_parents = missing::count(view, Flags::from_bits(NOT_COUNTED), &mut unread)?;
    stats.damaged = unread.into_errors().iter().map(|error| format!("{error:#}")).collect();
    Ok(stats)
}

/// Counts a row; returns whether it is an event that came with an id.
fn count_row(
    view: &View,
    source: &Source,
    row: u32,
    flags: Flags,
    stats: &mut Stats,
    unread: &mut Unread,
) -> Result<bool> {
    if flags.has(Flags::LOST) {
        return Ok(false);
    }
    if !flags.has(Flags::VERSION) && view.is_retold(source.first_seq() + u64::from(row))? {
        return Ok(false);
    }
    if flags.has(Flags::DERIVED) {
        stats.derived_ids += u64::from(!flags.has(Flags::VERSION));
        return Ok(false);
    }
    if flags.has(Flags::VERSION) {
        let hidden = flags.has(Flags::REVISION) || flags.has(Flags::SUPERSEDED);
        stats.versions += u64::from(!hidden);
        return Ok(false);
    }
    stats.events += 1;
    let children = count_children(view, source.first_seq() + u64::from(row), unread);
    stats.max_children = stats.max_children.max(unread.pass(children)?.unwrap_or(0));
    let up = view.parent_link_of(&**source, row)?;
    unread.note_opt(up.damage());
    stats.roots += u64::from(up.is_root());
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
fn count_children(view: &View, parent: u64, unread: &mut Unread) -> Result<u64> {
    let mut children = ChildRows::new(view, parent, None, unread)?;
    let mut count = 0;
    while let Some(child) = children.next(unread)? {
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
