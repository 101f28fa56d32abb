//! Listings of what stands out: roots, missing parents, refused and closing
//! links, quarantined input.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::event::{Link, LinkKind, Quarantined};
use crate::id::EventId;
use crate::limits;
use crate::log::index::{Flags, Index, MissingEntry, Parent};
use crate::query::page::{Cursor, PAGE_BYTES, Page};
use crate::snapshot::Snapshot;
use crate::stored::{Detail, Found, StoredEvent};

/// What the beginning of an id stands for.
///
/// ```
/// use forebear::{Event, Resolved, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tick").id("0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6"))?;
/// store.append(Event::new("tick").id("0191e7a5-0000-7000-8000-000000000001"))?;
/// match store.snapshot().resolve("0191e7a")? {
///     Resolved::One(id) => println!("it is {id}"),
///     Resolved::Many(ids) => assert_eq!(ids.len(), 2),
///     Resolved::None => println!("no such event"),
/// }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The one event whose id it is or begins.
    One(EventId),
    /// Several ids begin with it: the first 20 of them, in order.
    Many(Vec<EventId>),
    /// No event's id.
    None,
}

/// A parent that events name and that is not stored.
///
/// ```
/// use forebear::{Event, EventId, MissingParent, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tool_result").id("a").parent("call"))?;
/// store.append(Event::new("tool_result").id("b").parent("call"))?;
/// let call = MissingParent { id: "call".into(), children: 2, first_child: EventId::from("a") };
/// assert_eq!(store.snapshot().missing_parents(None)?.items, [call]);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingParent {
    /// The id that is named.
    pub id: EventId,
    /// How many events name it.
    pub children: u64,
    /// The first of them to be stored.
    pub first_child: EventId,
}

/// A link that was refused, since the child named another parent or a stronger
/// claim stood.
///
/// ```
/// use forebear::{Event, Link, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("user_message").id("agent"))?;
/// store.write(Link::new("agent", "a guess", LinkKind::Spawned).strength(10))?;
/// store.write(Link::new("agent", "call", LinkKind::Spawned))?;
/// let refused = store.snapshot().refused_links(None)?.items.remove(0);
/// assert_eq!(refused.link.parent().as_text(), Some("a guess"));
/// assert_eq!(refused.parent, Some("call".into()));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLink {
    /// The link as it was claimed, or as it was before a stronger one replaced it.
    pub link: Link,
    /// What the child has instead.
    pub parent: Option<EventId>,
}

/// A link that would have closed a cycle and is never followed.
///
/// ```
/// use forebear::{ClosingLink, Event, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("egg").id("egg"))?;
/// store.append(Event::new("hen").id("hen").parent("egg"))?;
/// store.link("egg", "hen", LinkKind::Caused)?;
/// let closing = ClosingLink { child: "egg".into(), parent: "hen".into(), kind: LinkKind::Caused };
/// assert_eq!(store.snapshot().closing_links(None)?.items, [closing]);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingLink {
    /// The event whose link closes the cycle.
    pub child: EventId,
    /// The event it names as its cause, which goes back to the child.
    pub parent: EventId,
    /// How the child follows from it.
    pub kind: LinkKind,
}

pub(crate) fn versions(
    snapshot: &Snapshot,
    id: &EventId,
    after: Option<Cursor>,
) -> Result<Page<StoredEvent>> {
    let index = snapshot.shared.index.read();
    let mut rows = Vec::new();
    if let Some(first) = snapshot.find(&index, id) {
        rows.push(first);
        rows.extend(index.versions(first).iter().copied().filter(|&row| snapshot.sees(row)));
    }
    let page = page(rows.into_iter().enumerate(), after, |(passed, row)| {
        let after = Cursor::at(passed as u64 + 1);
        Some(snapshot.found(&index, row, Detail::Payload, after))
    });
    drop(index);
    snapshot.load_page(page, Detail::Payload)
}

pub(crate) fn resolve(snapshot: &Snapshot, prefix: &str) -> Resolved {
    let exact = EventId::from(prefix);
    if snapshot.find(&snapshot.shared.index.read(), &exact).is_some() {
        return Resolved::One(exact);
    }
    let Some((low, high)) = uuid_range(prefix) else {
        return Resolved::None;
    };
    let mut found = BTreeSet::new();
    for_each_row(snapshot, 0, |index, row| {
        let entry = index.row(row);
        let is_uuid = !entry.flags.has(Flags::TEXT | Flags::VERSION | Flags::LOST);
        if is_uuid && (low..=high).contains(&entry.id) {
            found.insert(entry.id);
            if found.len() > CANDIDATES {
                found.pop_last();
            }
        }
        true
    });
    let mut ids: Vec<EventId> = found.into_iter().map(EventId::from_uuid_bytes).collect();
    match ids.len() {
        0 => Resolved::None,
        1 => Resolved::One(ids.remove(0)),
        _ => Resolved::Many(ids),
    }
}

pub(crate) fn roots(snapshot: &Snapshot, after: Option<Cursor>) -> Result<Page<StoredEvent>> {
    let mut page = Page { items: Vec::new(), next: None };
    let from = after.map_or(0, |cursor| cursor.at.saturating_add(1));
    for_each_row(snapshot, from, |index, row| {
        if is_root(snapshot, index, row) {
            if page.items.len() == limits::MAX_PAGE {
                page.next = page.items.last().map(|last: &Found| last.after);
                return false;
            }
            let after = Cursor::at(u64::from(row));
            page.items.push(snapshot.found(index, row, Detail::Payload, after));
        }
        true
    });
    snapshot.load_page(page, Detail::Payload)
}

pub(crate) fn missing_parents(snapshot: &Snapshot, after: Option<Cursor>) -> Page<MissingParent> {
    let index = snapshot.shared.index.read();
    page(index.missing().iter(), after, |entry| missing_parent(snapshot, &index, entry))
}

pub(crate) fn refused_links(snapshot: &Snapshot, after: Option<Cursor>) -> Page<RefusedLink> {
    let index = snapshot.shared.index.read();
    let at = snapshot.visible.commit;
    page(index.refused(at).iter(), after, |refused| {
        let child = snapshot.find(&index, &refused.link.child);
        let parent = child.and_then(|row| match index.parent(row, at) {
            Parent::None => None,
            Parent::Known(parent, _) | Parent::Closing(parent, _) => Some(index.id(parent)),
            Parent::Missing(parent, _) => Some(parent),
        });
        Some(RefusedLink { link: refused.link.clone(), parent })
    })
}

pub(crate) fn closing_links(snapshot: &Snapshot, after: Option<Cursor>) -> Page<ClosingLink> {
    let index = snapshot.shared.index.read();
    let at = snapshot.visible.commit;
    page(index.closing(at).iter(), after, |&(row, since)| {
        // A link may have been replaced since, by another that closes a cycle too.
        match index.parent(row, at) {
            Parent::Closing(parent, kind) if index.linked_at(row, at) == since => {
                Some(ClosingLink { child: index.id(row), parent: index.id(parent), kind })
            }
            _ => None,
        }
    })
}

pub(crate) fn quarantined(snapshot: &Snapshot, after: Option<Cursor>) -> Result<Page<Quarantined>> {
    let index = snapshot.shared.index.read();
    let all = index.quarantined(snapshot.visible.commit);
    let first = after.map_or(0, |cursor| cursor.at as usize).min(all.len());
    let offsets: Vec<u64> =
        all[first..].iter().take(limits::MAX_PAGE).map(|&(offset, _)| offset).collect();
    let total = all.len();
    drop(index);
    let mut page = Page { items: Vec::new(), next: None };
    let mut bytes = 0;
    for offset in offsets {
        if bytes > PAGE_BYTES {
            break;
        }
        let input = snapshot.shared.reader.quarantined(offset, snapshot.visible.log_end)?;
        bytes += input.bytes.len();
        page.items.push(input);
    }
    let shown = first + page.items.len();
    page.next = (shown < total).then(|| Cursor::at(shown as u64));
    Ok(page)
}

/// Whether an event neither names a parent nor was linked to one.
pub(crate) fn is_root(snapshot: &Snapshot, index: &Index, row: u32) -> bool {
    !index.row(row).flags.has(Flags::VERSION | Flags::LOST | Flags::NAMED)
        && index.parent(row, snapshot.visible.commit) == Parent::None
}

/// A parent that is missing as the snapshot sees it, and who names it.
pub(crate) fn missing_parent(
    snapshot: &Snapshot,
    index: &Index,
    entry: &MissingEntry,
) -> Option<MissingParent> {
    let at = snapshot.visible.commit;
    if entry.since > at || entry.until <= at {
        return None;
    }
    let waits = |row: &&u32| {
        snapshot.sees(**row)
            && matches!(index.parent(**row, at), Parent::Missing(id, _) if id == entry.id)
    };
    let mut children: Vec<u32> = entry.children.iter().filter(waits).copied().collect();
    // They stand in the order in which they came to wait, and a row that gave up
    // and came back stands there twice.
    children.sort_unstable();
    children.dedup();
    let first = *children.first()?;
    Some(MissingParent {
        id: entry.id.clone(),
        children: children.len() as u64,
        first_child: index.id(first),
    })
}

/// Shows `visit` every row that the snapshot sees, until it returns false. The
/// index is locked for a bounded number of rows at a time.
pub(crate) fn for_each_row(
    snapshot: &Snapshot,
    from: u64,
    mut visit: impl FnMut(&Index, u32) -> bool,
) {
    let end = snapshot.visible.rows;
    let mut from = u32::try_from(from).unwrap_or(u32::MAX);
    while from < end {
        let until = end.min(from.saturating_add(ROWS_AT_A_TIME));
        let index = snapshot.shared.index.read();
        if !(from..until).all(|row| visit(&index, row)) {
            return;
        }
        from = until;
    }
}

/// A page of a list whose cursor is the number of entries passed.
fn page<T, U>(
    list: impl IntoIterator<Item = T>,
    after: Option<Cursor>,
    mut show: impl FnMut(T) -> Option<U>,
) -> Page<U> {
    let first = after.map_or(0, |cursor| cursor.at as usize);
    let mut page = Page { items: Vec::new(), next: None };
    for (passed, entry) in list.into_iter().enumerate().skip(first) {
        let Some(item) = show(entry) else { continue };
        if page.items.len() == limits::MAX_PAGE {
            page.next = Some(Cursor::at(passed as u64));
            break;
        }
        page.items.push(item);
    }
    page
}

/// The least and the greatest UUID that begin with these hexadecimal digits.
fn uuid_range(prefix: &str) -> Option<([u8; 16], [u8; 16])> {
    if prefix.is_empty() || prefix.len() > uuid::fmt::Hyphenated::LENGTH {
        return None;
    }
    let (mut low, mut high) = ([0; 16], [0xff; 16]);
    let mut digits = 0;
    for (at, byte) in prefix.bytes().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = char::from(byte).to_digit(16)? as u8;
        let shift = if digits % 2 == 0 { 4 } else { 0 };
        low[digits / 2] |= digit << shift;
        high[digits / 2] &= !(0xf << shift) | (digit << shift);
        digits += 1;
    }
    Some((low, high))
}

/// Ids that are shown for a beginning which fits several.
const CANDIDATES: usize = 20;
/// Rows looked at under one lock of the index: a fraction of a millisecond.
const ROWS_AT_A_TIME: u32 = 4096;
