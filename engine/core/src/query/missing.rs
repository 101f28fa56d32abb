//! Parents that are named and not stored.

use std::collections::HashSet;

use crate::error::Result;
use crate::id::EventId;
use crate::limits;
use crate::lineage::up::Up;
use crate::log::index::Flags;
use crate::parts::Parts;
use crate::query::listings::MissingParent;
use crate::query::page::{Cursor, Page};
use crate::snapshot::Snapshot;

/// Parents that are not stored, in the order they were first named. The cursor
/// holds the part's segment and a place among what it awaits.
pub(crate) fn missing_parents(
    snapshot: &Snapshot,
    after: Option<Cursor>,
) -> Result<Page<MissingParent>> {
    let parts = &*snapshot.parts;
    let (first_segment, first) =
        after.map_or((0, 0), |cursor| (cursor.time_ns.cast_unsigned(), cursor.at as usize));
    let mut page = Page { items: Vec::new(), next: None };
    for number in 0..parts.len() {
        let segment = parts.segment(number);
        if segment < first_segment {
            continue;
        }
        let skip = if segment == first_segment { first } else { 0 };
        for (passed, id) in awaited_in(parts, number)?.into_iter().enumerate().skip(skip) {
            let Some(missing) = missing_parent(parts, number, &id, Flags::default())? else {
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
pub(crate) fn count(parts: &Parts, without: Flags) -> Result<u64> {
    let mut count = 0;
    for number in 0..parts.len() {
        for id in awaited_in(parts, number)? {
            count += u64::from(missing_parent(parts, number, &id, without)?.is_some());
        }
    }
    Ok(count)
}

/// The ids that a part awaits: for events that name them, and for claims.
fn awaited_in(parts: &Parts, number: usize) -> Result<Vec<EventId>> {
    let part = parts.part(number)?;
    let mut ids = part.awaited()?;
    let claims = part.claims()?;
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
    parts: &Parts,
    number: usize,
    id: &EventId,
    without: Flags,
) -> Result<Option<MissingParent>> {
    if parts.find(id)?.is_some() {
        return Ok(None);
    }
    let mut children = Vec::new();
    for other in parts.candidates(id) {
        let part = parts.part(other)?;
        let first = part.first_seq();
        let rows = part.named_children(id, 0)?;
        let claimed = part.claims_under(id)?;
        if other < number && !(rows.is_empty() && claimed.is_empty()) {
            // It is listed with the first part that awaits it.
            return Ok(None);
        }
        children.extend(rows.into_iter().map(|row| first + u64::from(row)));
        for claim in claimed {
            children.extend(parts.find(&claim.link.child)?);
        }
    }
    children.sort_unstable();
    children.dedup();
    let mut waiting = Vec::new();
    for child in children {
        let waits = matches!(parts.up(child)?, Up::Missing(parent, _) if parent == *id);
        if let Some((part, row)) = parts.locate(child)?.filter(|_| waits)
            && !part.flags(row)?.has(without.bits())
        {
            waiting.push(child);
        }
    }
    let Some(&first) = waiting.first() else { return Ok(None) };
    Ok(Some(MissingParent {
        id: id.clone(),
        children: waiting.len() as u64,
        first_child: parts.id(first)?.unwrap_or_default(),
    }))
}
