//! Parents that are named and not stored.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::listing::{Listing, Parameters};
use crate::base::page::{Page, Position};
use crate::base::row::Flags;
use crate::base::unread::Unread;
use crate::lineage::parent_link::ParentLink;
use crate::query::by_source::{join, split};
use crate::view::View;

/// A parent that events name and that is not stored.
///
/// ```
/// use forebear::{Event, EventId, MissingParent, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("job_done").id("a").parent("call"))?;
/// store.append(Event::new("job_done").id("b").parent("call"))?;
/// let missing = store.snapshot().missing_parents().page()?.items;
/// let MissingParent { id, children, first_child, .. } = &missing[0];
/// assert_eq!((id, *children, first_child), (&"call".into(), 2, &EventId::from("a")));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MissingParent {
    /// The id that is named.
    pub id: EventId,
    /// How many events name it.
    pub children: u64,
    /// The first of them to be stored.
    pub first_child: EventId,
}

/// Parents that events name and that are not stored. Asked by
/// [`Snapshot::missing_parents`](crate::Snapshot::missing_parents).
#[derive(Clone, Debug)]
pub struct MissingParents {
    pub(crate) view: Arc<View>,
}

impl Listing for MissingParents {
    type Item = MissingParent;
    const NAME: &'static str = "missing-parents";

    fn parameters(&self, _parameters: &mut Parameters) {}

    /// A position holds a source's segment and a place among what that awaits.
    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<MissingParent, Position>> {
        let view = &*self.view;
        let (first_segment, first) = split(after);
        let (mut page, mut unread) = (Page::new(Vec::new(), None), Unread::default());
        'parts: for number in 0..view.len() {
            let segment = view.segment(number);
            if segment < first_segment {
                continue;
            }
            let skip = if segment == first_segment { first } else { 0 };
            let awaited = unread.pass(awaited_in(view, number))?.unwrap_or_default();
            for (passed, id) in awaited.into_iter().enumerate().skip(skip) {
                let missing = missing_parent(view, number, &id, Flags::default(), &mut unread);
                let Some(missing) = unread.pass(missing)?.flatten() else { continue };
                if page.items.len() == limit {
                    page.next = Some(join(segment, passed));
                    break 'parts;
                }
                page.items.push(missing);
            }
        }
        Ok(page.with_damaged(unread.into_errors()))
    }
}

/// Counts missing parents, ignoring children with any of these flags.
pub(crate) fn count(view: &View, without: Flags, unread: &mut Unread) -> Result<u64> {
    let mut count = 0;
    for number in 0..view.len() {
        for id in unread.pass(awaited_in(view, number))?.unwrap_or_default() {
            let missing = missing_parent(view, number, &id, without, unread);
            count += u64::from(unread.pass(missing)?.flatten().is_some());
        }
    }
    Ok(count)
}

/// The ids that a source awaits: those that its events name, and those of asserted links.
fn awaited_in(view: &View, number: usize) -> Result<Vec<EventId>> {
    let source = view.source(number)?;
    let mut ids = source.awaited()?;
    let asserted = source.asserted_links()?;
    if !asserted.is_empty() {
        let mut known: HashSet<EventId> = ids.iter().cloned().collect();
        let mut asserted: Vec<_> = asserted
            .into_iter()
            .map(|asserted| (asserted.before_seq, asserted.link.parent))
            .collect();
        asserted.sort_unstable();
        ids.extend(asserted.into_iter().map(|(_, id)| id).filter(|id| known.insert(id.clone())));
    }
    Ok(ids)
}

/// A parent that a source awaits, if it is missing and no earlier source awaits it. Children
/// that damage keeps from being known are noted.
fn missing_parent(
    view: &View,
    number: usize,
    id: &EventId,
    without: Flags,
    unread: &mut Unread,
) -> Result<Option<MissingParent>> {
    if view.find(id)?.is_some() {
        return Ok(None);
    }
    let mut children = Vec::new();
    for other in view.candidates(id) {
        let source = view.source(other)?;
        let first = source.first_seq();
        let rows = source.named_children(id, 0)?;
        let asserted = source.asserted_under(id)?;
        if other < number && !(rows.is_empty() && asserted.is_empty()) {
            // It is listed with the first source that awaits it.
            return Ok(None);
        }
        children.extend(rows.into_iter().map(|row| first + u64::from(row)));
        for asserted in asserted {
            children.extend(view.find(&asserted.link.child)?);
        }
    }
    children.sort_unstable();
    children.dedup();
    let mut waiting = Vec::new();
    for child in children {
        let Some(up) = unread.pass(view.parent_link(child))? else { continue };
        unread.note_opt(up.damage());
        let waits = matches!(up, ParentLink::Missing(parent, _) if parent == *id);
        if let Some((source, row)) = view.locate(child)?.filter(|_| waits)
            && !source.flags(row)?.has(without.bits())
        {
            waiting.push(child);
        }
    }
    let Some(&first) = waiting.first() else { return Ok(None) };
    Ok(Some(MissingParent {
        id: id.clone(),
        children: waiting.len() as u64,
        first_child: view.id(first)?.unwrap_or_default(),
    }))
}
