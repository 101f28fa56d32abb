//! Listings of what stands out: roots, missing parents, refused and closing
//! links, quarantined input.

use std::collections::BTreeSet;

use crate::base::detail::Detail;
use crate::base::error::Result;
use crate::base::event::Quarantined;
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::link::{Link, LinkKind};
use crate::base::page::{Cursor, PAGE_BYTES, Page};
use crate::lineage::up::Up;
use crate::snapshot::Snapshot;
use crate::view::stored::{Found, StoredEvent};
use crate::view::{Source, View};

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
/// store.append(Event::new("job_done").id("a").parent("call"))?;
/// store.append(Event::new("job_done").id("b").parent("call"))?;
/// let missing = store.snapshot().missing_parents(None)?.items;
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

/// A link that was refused, since the child named another parent or a stronger
/// claim stood.
///
/// ```
/// use forebear::{Event, Link, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("request").id("worker"))?;
/// store.write(Link::new("worker", "a guess", LinkKind::Spawned).strength(10))?;
/// store.write(Link::new("worker", "call", LinkKind::Spawned))?;
/// let refused = store.snapshot().refused_links(None)?.items.remove(0);
/// assert_eq!(refused.link.parent().as_text(), Some("a guess"));
/// assert_eq!(refused.parent, Some("call".into()));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RefusedLink {
    /// The link as it was claimed, or as it was before a stronger one replaced it.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub link: Link,
    /// What the child has instead.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "instead", skip_serializing_if = "Option::is_none")
    )]
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
/// let closing: ClosingLink = store.snapshot().closing_links(None)?.items.remove(0);
/// assert_eq!((closing.child, closing.parent), ("egg".into(), "hen".into()));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
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
    let from = after.map_or(0, |cursor| cursor.at.saturating_add(1));
    let mut seqs = snapshot.view.copies(id, from, limits::MAX_PAGE + 1)?;
    let more = seqs.len() > limits::MAX_PAGE;
    seqs.truncate(limits::MAX_PAGE);
    let next = seqs.last().filter(|_| more).map(|&last| Cursor::at(last));
    let found = |&seq: &u64| snapshot.found(seq, Detail::Payload, Cursor::at(seq));
    let items = seqs.iter().map(found).collect::<Result<_>>()?;
    snapshot.load_page(Page { items, next }, Detail::Payload)
}

/// The event whose id this is, or else whose UUID begins with it.
pub(crate) fn resolve(snapshot: &Snapshot, prefix: &str) -> Result<Resolved> {
    let exact = EventId::from(prefix);
    if snapshot.view.find(&exact)?.is_some() {
        return Ok(Resolved::One(exact));
    }
    let Some((low, high)) = uuid_range(prefix) else {
        return Ok(Resolved::None);
    };
    let mut found = BTreeSet::new();
    for number in 0..snapshot.view.len() {
        found.extend(snapshot.view.source(number)?.uuids(low, high, CANDIDATES + 1)?);
        while found.len() > CANDIDATES {
            found.pop_last();
        }
    }
    let mut ids: Vec<EventId> = found.into_iter().map(EventId::from_uuid_bytes).collect();
    Ok(match ids.len() {
        0 => Resolved::None,
        1 => Resolved::One(ids.remove(0)),
        _ => Resolved::Many(ids),
    })
}

/// Events that have no parent, in the order they were stored.
pub(crate) fn roots(snapshot: &Snapshot, after: Option<Cursor>) -> Result<Page<StoredEvent>> {
    let view = &*snapshot.view;
    let from = after.map_or(0, |cursor| cursor.at.saturating_add(1));
    let begin = view.number_of(from.max(view.first_seq()));
    let mut page = Page { items: Vec::new(), next: None };
    'sources: for number in begin.into_iter().flat_map(|begin| begin..view.len()) {
        let source = view.source(number)?;
        for row in source.unnamed_rows(from)? {
            let seq = source.first_seq() + u64::from(row);
            if view.up_from(&source, row)? != Up::Root {
                continue;
            }
            if page.items.len() == limits::MAX_PAGE {
                page.next = page.items.last().map(|last: &Found| last.after);
                break 'sources;
            }
            page.items.push(snapshot.found(seq, Detail::Payload, Cursor::at(seq))?);
        }
    }
    snapshot.load_page(page, Detail::Payload)
}

/// Links that were refused, in the order they were.
pub(crate) fn refused_links(
    snapshot: &Snapshot,
    after: Option<Cursor>,
) -> Result<Page<RefusedLink>> {
    let view = &*snapshot.view;
    let page = by_part(
        view,
        after,
        |source| Ok(source.refused_len()),
        |source, from, at_most| source.refused(from, at_most),
    )?;
    let mut items = Vec::with_capacity(page.items.len());
    for link in page.items {
        let parent = match view.find(&link.child)? {
            Some(child) => view.up(child)?.parent_id(view)?,
            None => None,
        };
        items.push(RefusedLink { link, parent });
    }
    Ok(Page { items, next: page.next })
}

/// Links that close a cycle, in the order they were found.
pub(crate) fn closing_links(
    snapshot: &Snapshot,
    after: Option<Cursor>,
) -> Result<Page<ClosingLink>> {
    let view = &*snapshot.view;
    let page = by_part(
        view,
        after,
        |source| Ok(source.cycle_edges_len()),
        |source, from, at_most| source.cycle_edges(from, at_most),
    )?;
    let mut items = Vec::with_capacity(page.items.len());
    for (child, parent) in page.items.into_iter().flatten() {
        // A link may have been replaced since, or its child have expired.
        if let Some(seq) = view.find(&child)?
            && let Up::Cycle(above, kind) = view.up(seq)?
            && above == parent
        {
            items.push(ClosingLink { child, parent, kind });
        }
    }
    Ok(Page { items, next: page.next })
}

/// Input that could not be understood, in the order it came.
pub(crate) fn quarantined(snapshot: &Snapshot, after: Option<Cursor>) -> Result<Page<Quarantined>> {
    let mut bytes = 0;
    by_part(
        &snapshot.view,
        after,
        |source| source.quarantined_len(),
        |source, from, at_most| {
            let mut inputs = Vec::new();
            // One at a time, since each may be large.
            while inputs.len() < at_most && bytes <= PAGE_BYTES {
                let Some(input) = source.quarantined(from + inputs.len())? else { break };
                bytes += input.bytes.len();
                inputs.push(input);
            }
            Ok(inputs)
        },
    )
}

/// A page of lists that every part has one of, one after the other. The cursor
/// holds the part's segment and a place in its list.
fn by_part<T>(
    view: &View,
    after: Option<Cursor>,
    length: impl Fn(&Source) -> Result<usize>,
    mut list: impl FnMut(&Source, usize, usize) -> Result<Vec<T>>,
) -> Result<Page<T>> {
    let mut page = Page { items: Vec::new(), next: None };
    let (first_segment, mut from) =
        after.map_or((0, 0), |cursor| (cursor.time_ns.cast_unsigned(), cursor.at as usize));
    for number in 0..view.len() {
        let segment = view.segment(number);
        if segment < first_segment {
            continue;
        }
        if segment > first_segment {
            from = 0;
        }
        let source = view.source(number)?;
        let wanted = limits::MAX_PAGE - page.items.len();
        let items = list(&source, from, wanted)?;
        from += items.len();
        page.items.extend(items);
        if from < length(&source)? {
            page.next = Some(Cursor { time_ns: segment.cast_signed(), at: from as u64 });
            break;
        }
        if page.items.len() == limits::MAX_PAGE && number + 1 < view.len() {
            let segment = view.segment(number + 1);
            page.next = Some(Cursor { time_ns: segment.cast_signed(), at: 0 });
            break;
        }
    }
    Ok(page)
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
