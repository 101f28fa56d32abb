//! Listings of links that are not followed: those that were refused, and those that would
//! close a cycle.

use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind};
use crate::base::listing::{Listing, Parameters};
use crate::base::page::{Page, Position};
use crate::base::unread::Unread;
use crate::lineage::parent_link::ParentLink;
use crate::query::by_source::by_source;
use crate::view::View;

/// A link that was refused, since the child named another parent or a stronger
/// asserted link stood.
///
/// ```
/// use forebear::{Event, Link, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("request").id("worker"))?;
/// store.write(Link::new("worker", "a guess", LinkKind::Spawned).strength(10))?;
/// store.write(Link::new("worker", "call", LinkKind::Spawned))?;
/// let refused = store.snapshot().refused_links().page()?.items.remove(0);
/// assert_eq!(refused.link.parent().as_text(), Some("a guess"));
/// assert_eq!(refused.parent, Some("call".into()));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RefusedLink {
    /// The link as it was asserted, or as it was before a stronger one replaced it.
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
/// use forebear::{CycleEdge, Event, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("egg").id("egg"))?;
/// store.append(Event::new("hen").id("hen").parent("egg"))?;
/// store.link("egg", "hen", LinkKind::Caused)?;
/// let edge: CycleEdge = store.snapshot().cycle_edges().page()?.items.remove(0);
/// assert_eq!((edge.child, edge.parent), ("egg".into(), "hen".into()));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CycleEdge {
    /// The event whose link closes the cycle.
    pub child: EventId,
    /// The event it names as its cause, which goes back to the child.
    pub parent: EventId,
    /// How the child follows from it.
    pub kind: LinkKind,
}

/// Links that were refused. Asked by [`Snapshot::refused_links`](crate::Snapshot::refused_links).
#[derive(Clone, Debug)]
pub struct RefusedLinks {
    pub(crate) view: Arc<View>,
}

/// Links that would close a cycle. Asked by
/// [`Snapshot::cycle_edges`](crate::Snapshot::cycle_edges).
#[derive(Clone, Debug)]
pub struct CycleEdges {
    pub(crate) view: Arc<View>,
}

impl Listing for RefusedLinks {
    type Item = RefusedLink;
    const NAME: &'static str = "refused-links";

    fn parameters(&self, _parameters: &mut Parameters) {}

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<RefusedLink, Position>> {
        let view = &*self.view;
        let page = by_source(
            view,
            after,
            limit,
            |source| Ok(source.refused_len()),
            |source, from, at_most| source.refused(from, at_most),
        )?;
        let (mut items, mut unread) = (Vec::with_capacity(page.items.len()), Unread::default());
        for link in page.items {
            let parent = unread.pass(parent_of(view, &link.child))?.flatten();
            items.push(RefusedLink { link, parent });
        }
        let page = Page::new(items, page.next).with_damaged(page.damaged);
        Ok(page.with_damaged(unread.into_errors()))
    }
}

impl Listing for CycleEdges {
    type Item = CycleEdge;
    const NAME: &'static str = "cycle-edges";

    fn parameters(&self, _parameters: &mut Parameters) {}

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<CycleEdge, Position>> {
        let view = &*self.view;
        let page = by_source(
            view,
            after,
            limit,
            |source| Ok(source.cycle_edges_len()),
            |source, from, at_most| source.cycle_edges(from, at_most),
        )?;
        let (mut items, mut unread) = (Vec::with_capacity(page.items.len()), Unread::default());
        for (child, parent) in page.items.into_iter().flatten() {
            // A link may have been replaced since, or its child have expired.
            if let Some(ParentLink::Cycle(above, kind)) =
                unread.pass(up_of(view, &child))?.flatten()
                && above == parent
            {
                items.push(CycleEdge { child, parent, kind });
            }
        }
        let page = Page::new(items, page.next).with_damaged(page.damaged);
        Ok(page.with_damaged(unread.into_errors()))
    }
}

fn up_of(view: &View, child: &EventId) -> Result<Option<ParentLink>> {
    view.find(child)?.map(|seq| view.parent_link(seq)).transpose()
}

fn parent_of(view: &View, child: &EventId) -> Result<Option<EventId>> {
    up_of(view, child)?.map_or(Ok(None), |up| up.parent_id(view))
}
