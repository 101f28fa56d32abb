//! Parents that are named and not stored.

use std::collections::HashSet;

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::page::{Cursor, Page};
use crate::base::row::Flags;
use crate::lineage::up::Up;
use crate::query::listings::MissingParent;
use crate::snapshot::Snapshot;
use crate::view::View;

/// Parents that are not stored, in the order they were first named. The cursor
/// holds the part's segment and a place among what it awaits.
pub(crate) fn missing_parents(
    snapshot: &Snapshot,
    after: Option<Cursor>,
) -> Result<Page<MissingParent>> {
    let view = &*snapshot.view;
    let (first_segment, first) =
        after.map_or((0, 0), |cursor| (cursor.time_ns.cast_unsigned(), cursor.at as usize));
    let mut page = Page { items: Vec::new(), next: None };
    for number in 0..view.len() {
        let segment = view.segment(number);
        if segment < first_segment {
            continue;
        }
        let skip = if segment == first_segment { first } else { 0 };
        for (passed, id) in awaited_in(view, number)?.into_iter().enumerate().skip(skip) {
            let Some(missing) = missing_parent(view, number, &id, Flags::default())? else {
                continue;
            };
            if page.items.len() == limits::MAX_PAGE {
                page.next = Some(Cursor { time_ns: segment.cast_signed(), at: passed as u64 });
                return Ok(page);
            }
            page.items.push(missing);
        }
    }
    Ok(page)
}

/// How many parents are missing, children with any of these flags left aside.
pub(crate) fn count(view: &View, without: Flags) -> Result<u64> {
    let mut count = 0;
    for number in 0..view.len() {
        for id in awaited_in(view, number)? {
            count += u64::from(missing_parent(view, number, &id, without)?.is_some());
        }
    }
    Ok(count)
}

/// The ids that a part awaits: for events that name them, and for claims.
fn awaited_in(view: &View, number: usize) -> Result<Vec<EventId>> {
    let source = view.source(number)?;
    let mut ids = source.awaited()?;
    let claims = source.claims()?;
    if !claims.is_empty() {
        let mut known: HashSet<EventId> = ids.iter().cloned().collect();
        let mut claims: Vec<_> =
            claims.into_iter().map(|claim| (claim.before_seq, claim.link.parent)).collect();
        claims.sort_unstable();
        ids.extend(claims.into_iter().map(|(_, id)| id).filter(|id| known.insert(id.clone())));
    }
    Ok(ids)
}

/// A parent that a part awaits, if it is missing and no earlier part awaits it too.
fn missing_parent(
    view: &View,
    number: usize,
    id: &EventId,
    without: Flags,
) -> Result<Option<MissingParent>> {
    if view.find(id)?.is_some() {
        return Ok(None);
    }
    let mut children = Vec::new();
    for other in view.candidates(id) {
        let source = view.source(other)?;
        let first = source.first_seq();
        let rows = source.named_children(id, 0)?;
        let claimed = source.claims_under(id)?;
        if other < number && !(rows.is_empty() && claimed.is_empty()) {
            // It is listed with the first part that awaits it.
            return Ok(None);
        }
        children.extend(rows.into_iter().map(|row| first + u64::from(row)));
        for claim in claimed {
            children.extend(view.find(&claim.link.child)?);
        }
    }
    children.sort_unstable();
    children.dedup();
    let mut waiting = Vec::new();
    for child in children {
        let waits = matches!(view.up(child)?, Up::Missing(parent, _) if parent == *id);
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
