//! Listing the descendants of an event.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::listing::{DepthBound, Detailed, Listing, Parameters, Query};
use crate::base::page::{Page, Position};
use crate::base::unread::Unread;
use crate::lineage::child_rows::{ChildRows, key_of};
use crate::lineage::position::PositionCache;
use crate::view::View;
use crate::view::source::LastRead;
use crate::view::stored::StoredEvent;

/// The order in which descendants are listed.
///
/// ```
/// use forebear::{Event, Store, TreeOrder};
///
/// let store = Store::in_memory()?;
/// for (id, parent) in [("a", "top"), ("b", "top"), ("below a", "a"), ("top", "above")] {
///     store.append(Event::new("step").id(id).parent(parent))?;
/// }
/// let ids = |order| -> forebear::Result<Vec<String>> {
///     let below = store.snapshot().descendants("top").order(order).page()?;
///     Ok(below.items.iter().map(|below| below.event.id().to_string()).collect())
/// };
/// assert_eq!(ids(TreeOrder::DepthFirst)?, ["a", "below a", "b"]);
/// assert_eq!(ids(TreeOrder::BreadthFirst)?, ["a", "b", "below a"]);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TreeOrder {
    /// Each event before its children, children before the next sibling.
    #[default]
    DepthFirst,
    /// All children, then all grandchildren, and so on.
    BreadthFirst,
}

/// The events that go back to one. Asked by
/// [`Snapshot::descendants`](crate::Snapshot::descendants).
#[derive(Clone, Debug)]
pub struct Descendants {
    pub(crate) view: Arc<View>,
    pub(crate) id: EventId,
    pub(crate) max_depth: u64,
    pub(crate) order: TreeOrder,
    pub(crate) detail: Detail,
}

impl Descendants {
    /// Depth first, 1000 edges deep, payloads loaded.
    pub(crate) fn new(view: Arc<View>, id: EventId) -> Self {
        let (order, detail) = (TreeOrder::default(), Detail::default());
        Self { view, id, max_depth: limits::DEFAULT_MAX_DEPTH, order, detail }
    }
}

impl Query<Descendants> {
    /// Sets the order: depth first unless set.
    ///
    /// An example is at [`TreeOrder`].
    pub fn order(mut self, order: TreeOrder) -> Self {
        self.listing_mut().order = order;
        self
    }
}

impl Listing for Descendants {
    type Item = Descendant;
    const NAME: &'static str = "descendants";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.id(&self.id);
        parameters.number(self.max_depth);
        parameters.number(self.order as u64);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<Descendant, Position>> {
        let view = &*self.view;
        let Some(top) = view.find(&self.id)? else { return Ok(Page::new(Vec::new(), None)) };
        let tree = Tree { view, top, max_depth: self.max_depth };
        let mut unread = Unread::default();
        let page = match self.order {
            TreeOrder::DepthFirst => tree.depth_first(after, limit, &mut unread)?,
            TreeOrder::BreadthFirst => tree.breadth_first(after, limit, &mut unread)?,
        };
        let mut last = LastRead::default();
        let mut cache = PositionCache::default();
        let loaded = page.load(
            |step| step.after,
            |step| {
                let found = view.found_newest(step.seq, self.detail, step.after, &mut cache);
                let Some(found) = unread.pass(found)? else { return Ok(None) };
                let event = view.load(found, self.detail, &mut last)?;
                unread.note_opt(event.damage());
                Ok(Some(Descendant { event, below: step.below, last_child: step.last_child }))
            },
            |descendant| descendant.as_ref().map_or(0, |found| found.event.own_bytes()),
        )?;
        let items = loaded.items.into_iter().flatten().collect();
        Ok(Page::new(items, loaded.next).with_damaged(unread.into_errors()))
    }
}

impl DepthBound for Descendants {
    fn set_max_depth(&mut self, edges: u64) {
        self.max_depth = edges;
    }
}

impl Detailed for Descendants {
    fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }
}

/// A descendant, and how far below.
///
/// ```
/// use forebear::{Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("plan").id("plan"))?;
/// store.append(Event::new("job").parent("plan"))?;
/// for found in store.snapshot().descendants("plan") {
///     let found = found?;
///     let branch = if found.last_child { "└" } else { "├" };
///     println!("{:>1$}{branch} {2}", "", found.below as usize, found.event.kind());
/// }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Descendant {
    /// The event.
    pub event: StoredEvent,
    /// Edges between it and the event asked for, from 1.
    pub below: u64,
    /// Whether it is the last of its parent's children.
    pub last_child: bool,
}

#[cfg(feature = "serde")]
impl serde::Serialize for Descendant {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        self.event.json().below(self.below).serialize(serializer)
    }
}

/// A tree of which a page is read.
struct Tree<'v> {
    view: &'v View,
    top: u64,
    max_depth: u64,
}

/// A row of a tree, and how many edges below the top it is.
struct TreeStep {
    seq: u64,
    below: u64,
    last_child: bool,
    after: Position,
}

impl Tree<'_> {
    /// Depth first. Goes on from any row, given how many edges below the top it is: what
    /// is left of the siblings above is looked up when the walk comes back to them.
    fn depth_first(
        &self,
        after: Option<Position>,
        limit: usize,
        unread: &mut Unread,
    ) -> Result<Page<TreeStep, Position>> {
        let view = self.view;
        let mut page = Page::new(Vec::new(), None);
        let (mut at, mut below) = match after {
            None => (self.top, 0),
            Some(last) if self.has(last)? => (last.at, last.time_ns.cast_unsigned()),
            Some(last) => {
                return Err(Error::invalid(format!(
                    "expected event {} to lie as far below as for the page that the cursor came \
                     from, found it elsewhere; start over without a cursor",
                    last.at
                )));
            }
        };
        // The siblings that the walk is among, innermost last, as far up as it opened them.
        let mut siblings: Vec<ChildRows<'_>> = Vec::new();
        loop {
            let mut next = None;
            if below < self.max_depth {
                let mut children = ChildRows::new(view, at, None, unread)?;
                next = children.next(unread)?;
                if next.is_some() {
                    siblings.push(children);
                    below += 1;
                }
            }
            while next.is_none() && below > 0 {
                let rest = match siblings.pop() {
                    None => siblings_after(view, at, unread)?,
                    rest => rest,
                };
                let Some(mut rest) = rest else { return Ok(page) };
                next = rest.next(unread)?;
                if next.is_some() {
                    siblings.push(rest);
                } else {
                    at = rest.parent();
                    below -= 1;
                }
            }
            let (Some(child), Some(rest)) = (next, siblings.last_mut()) else { return Ok(page) };
            if page.items.len() == limit {
                page.next = page.items.last().map(|last: &TreeStep| last.after);
                return Ok(page);
            }
            at = child;
            let after = Position { time_ns: below.cast_signed(), at };
            page.items.push(TreeStep {
                seq: at,
                below,
                last_child: !rest.has_next(unread)?,
                after,
            });
        }
    }

    /// Whether a row lies so many edges below the top as its position says.
    fn has(&self, last: Position) -> Result<bool> {
        if !self.view.holds(last.at) {
            return Ok(false);
        }
        let (above, below) = (self.view.position(self.top)?, self.view.position(last.at)?);
        let edges = below.depth.checked_sub(above.depth);
        Ok(above.root == below.root && edges == Some(last.time_ns.cast_unsigned()))
    }

    /// Breadth first. A page begins anew and passes over what earlier ones had.
    fn breadth_first(
        &self,
        after: Option<Position>,
        limit: usize,
        unread: &mut Unread,
    ) -> Result<Page<TreeStep, Position>> {
        let skip = after.map_or(0, |last| last.at);
        let wanted = skip.saturating_add(limit as u64).saturating_add(1);
        let mut frontier = VecDeque::from([(self.top, 0, false)]);
        let mut seen = 0;
        let mut page = Page::new(Vec::new(), None);
        while let Some((seq, below, last_child)) = frontier.pop_front() {
            if below > 0 {
                if seen >= skip && page.items.len() < limit {
                    page.items.push(TreeStep {
                        seq,
                        below,
                        last_child,
                        after: Position::at(seen + 1),
                    });
                } else if seen >= skip {
                    page.next = Some(Position::at(seen));
                    break;
                }
                seen += 1;
            }
            if below < self.max_depth {
                let mut children = ChildRows::new(self.view, seq, None, unread)?;
                while seen + (frontier.len() as u64) < wanted
                    && let Some(child) = children.next(unread)?
                {
                    let last_child = !children.has_next(unread)?;
                    frontier.push_back((child, below + 1, last_child));
                }
            }
        }
        Ok(page)
    }
}

/// The siblings that come after a child.
fn siblings_after<'v>(
    view: &'v View,
    child: u64,
    unread: &mut Unread,
) -> Result<Option<ChildRows<'v>>> {
    match unread.pass(key_of(view, child))?.flatten() {
        Some((parent, key)) => ChildRows::new(view, parent, Some(key), unread).map(Some),
        None => Ok(None),
    }
}
