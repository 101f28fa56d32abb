//! Children, siblings and descendants.

use std::collections::VecDeque;

use crate::base::detail::Detail;
use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::page::{Cursor, Page};
use crate::lineage::children::{Children, key_of};
use crate::lineage::pieces::Tops;
use crate::lineage::up::Up;
use crate::snapshot::Snapshot;
use crate::view::View;
use crate::view::source::LastRead;
use crate::view::stored::{Found, StoredEvent};

/// The order in which descendants are listed.
///
/// ```
/// use forebear::{Event, Store, TreeOptions, TreeOrder};
///
/// let store = Store::in_memory()?;
/// for (id, parent) in [("a", "top"), ("b", "top"), ("below a", "a"), ("top", "above")] {
///     store.append(Event::new("step").id(id).parent(parent))?;
/// }
/// let ids = |order| -> forebear::Result<Vec<String>> {
///     let page = store.snapshot().descendants("top", &TreeOptions::new().order(order))?;
///     Ok(page.items.iter().map(|below| below.event.id().to_string()).collect())
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

/// How to list the descendants of an event.
///
/// ```
/// use forebear::{Event, Store, TreeOptions};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("plan").id("plan"))?;
/// store.append_batch((0..5).map(|_| Event::new("job").parent("plan")))?;
/// let snapshot = store.snapshot();
/// let mut options = TreeOptions::new().max_depth(3).limit(2);
/// let mut seen = 0;
/// loop {
///     let page = snapshot.descendants("plan", &options)?;
///     seen += page.items.len();
///     let Some(next) = page.next else { break };
///     options = options.after(next);
/// }
/// assert_eq!(seen, 5);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TreeOptions {
    pub(crate) max_depth: u64,
    pub(crate) limit: usize,
    pub(crate) order: TreeOrder,
    pub(crate) after: Option<Cursor>,
    pub(crate) detail: Detail,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self {
            max_depth: limits::DEFAULT_MAX_DEPTH,
            limit: limits::MAX_PAGE,
            order: TreeOrder::default(),
            after: None,
            detail: Detail::default(),
        }
    }
}

impl TreeOptions {
    /// Depth first, 1000 edges deep, 1000 events on a page, payloads loaded.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists events at most so many edges below.
    ///
    /// ```
    /// use forebear::{Event, Store, TreeOptions};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call").parent("plan"))?;
    /// store.append(Event::new("error").id("failure").parent("call"))?;
    /// store.append(Event::new("plan").id("plan"))?;
    /// let below = store.snapshot().descendants("plan", &TreeOptions::new().max_depth(1))?;
    /// assert_eq!(below.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn max_depth(mut self, edges: u64) -> Self {
        self.max_depth = edges;
        self
    }

    /// Lists at most so many on a page, capped at 1000.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.min(limits::MAX_PAGE);
        self
    }

    /// Sets the order.
    ///
    /// An example is at [`TreeOrder`].
    #[must_use]
    pub fn order(mut self, order: TreeOrder) -> Self {
        self.order = order;
        self
    }

    /// Goes on where an earlier page with the same options ended.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// Sets how much of each event is loaded; everything unless set.
    ///
    /// An example is at [`Detail`].
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }
}

/// A descendant, and how far below.
///
/// ```
/// use forebear::{Event, Store, TreeOptions};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("plan").id("plan"))?;
/// store.append(Event::new("job").parent("plan"))?;
/// for found in store.snapshot().descendants("plan", &TreeOptions::new())?.items {
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

pub(crate) fn children(
    snapshot: &Snapshot,
    id: &EventId,
    after: Option<Cursor>,
) -> Result<Page<StoredEvent>> {
    match snapshot.view.find(id)? {
        Some(parent) => children_of(snapshot, parent, None, after),
        None => Ok(Page { items: Vec::new(), next: None }),
    }
}

pub(crate) fn siblings(
    snapshot: &Snapshot,
    id: &EventId,
    after: Option<Cursor>,
) -> Result<Page<StoredEvent>> {
    if let Some(seq) = snapshot.view.find(id)?
        && let Up::Known(parent, _) = snapshot.view.up(seq)?
    {
        return children_of(snapshot, parent, Some(seq), after);
    }
    Ok(Page { items: Vec::new(), next: None })
}

pub(crate) fn descendants(
    snapshot: &Snapshot,
    id: &EventId,
    options: &TreeOptions,
) -> Result<Page<Descendant>> {
    let top = snapshot.view.find(id)?.filter(|_| options.limit > 0);
    let Some(top) = top else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let page = match options.order {
        TreeOrder::DepthFirst => depth_first(&snapshot.view, top, options)?,
        TreeOrder::BreadthFirst => breadth_first(&snapshot.view, top, options)?,
    };
    let mut last = LastRead::default();
    let mut tops = Tops::default();
    page.load(
        |step| step.after,
        |step| {
            let found = snapshot.found_by(step.seq, options.detail, step.after, &mut tops)?;
            let event = snapshot.load(found, options.detail, &mut last)?;
            Ok(Descendant { event, below: step.below, last_child: step.last_child })
        },
        |descendant| descendant.event.own_bytes(),
    )
}

/// A page of an event's children, one of them left out or none.
fn children_of(
    snapshot: &Snapshot,
    parent: u64,
    except: Option<u64>,
    after: Option<Cursor>,
) -> Result<Page<StoredEvent>> {
    let view = &*snapshot.view;
    let after = match after {
        None => None,
        // A cursor from elsewhere leads into another family: its children are not shown.
        Some(cursor) => match key_of(view, cursor.at)? {
            Some((above, key)) if above == parent => Some(key),
            _ => return Ok(Page { items: Vec::new(), next: None }),
        },
    };
    let mut children = Children::new(view, parent, after)?;
    let mut tops = Tops::default();
    let mut page = Page { items: Vec::new(), next: None };
    while let Some(child) = children.next()? {
        if Some(child) == except {
            continue;
        }
        if page.items.len() == limits::MAX_PAGE {
            page.next = page.items.last().map(|last: &Found| last.after);
            break;
        }
        let after = Cursor::at(child);
        page.items.push(snapshot.found_by(child, Detail::Payload, after, &mut tops)?);
    }
    snapshot.load_page(page, Detail::Payload)
}

/// A row of a tree, and how many edges below the top it is.
struct Step {
    seq: u64,
    below: u64,
    last_child: bool,
    after: Cursor,
}

/// Depth first. Goes on from any row, given how many edges below the top it is:
/// what is left of the families above is looked up when the walk comes back to
/// them.
fn depth_first(view: &View, top: u64, options: &TreeOptions) -> Result<Page<Step>> {
    let mut page = Page { items: Vec::new(), next: None };
    let (mut at, mut below) = match options.after {
        None => (top, 0),
        Some(cursor) if is_below(view, top, cursor)? => (cursor.at, cursor.time_ns.cast_unsigned()),
        Some(_) => return Ok(page),
    };
    // The families that the walk is in, innermost last, as far up as it opened them.
    let mut families: Vec<Children<'_>> = Vec::new();
    loop {
        let mut next = None;
        if below < options.max_depth {
            let mut family = Children::new(view, at, None)?;
            next = family.next()?;
            if next.is_some() {
                families.push(family);
                below += 1;
            }
        }
        while next.is_none() && below > 0 {
            let family = match families.pop() {
                None => family_after(view, at)?,
                family => family,
            };
            let Some(mut family) = family else { return Ok(page) };
            next = family.next()?;
            if next.is_some() {
                families.push(family);
            } else {
                at = family.parent();
                below -= 1;
            }
        }
        let (Some(child), Some(family)) = (next, families.last_mut()) else { return Ok(page) };
        if page.items.len() == options.limit {
            page.next = page.items.last().map(|last: &Step| last.after);
            return Ok(page);
        }
        at = child;
        let after = Cursor { time_ns: below.cast_signed(), at };
        page.items.push(Step { seq: at, below, last_child: !family.has_next()?, after });
    }
}

/// The children that come after this one in its family.
fn family_after(view: &View, child: u64) -> Result<Option<Children<'_>>> {
    match key_of(view, child)? {
        Some((parent, key)) => Children::new(view, parent, Some(key)).map(Some),
        None => Ok(None),
    }
}

/// Whether a cursor leads to a row so many edges below the top. A cursor from
/// elsewhere does not.
fn is_below(view: &View, top: u64, cursor: Cursor) -> Result<bool> {
    if !view.holds(cursor.at) {
        return Ok(false);
    }
    let (above, below) = (view.position(top)?, view.position(cursor.at)?);
    let edges = below.depth.checked_sub(above.depth);
    Ok(above.root == below.root && edges == Some(cursor.time_ns.cast_unsigned()))
}

/// Breadth first. A page begins anew and passes over what earlier ones had.
fn breadth_first(view: &View, top: u64, options: &TreeOptions) -> Result<Page<Step>> {
    let skip = options.after.map_or(0, |cursor| cursor.at);
    let wanted = skip.saturating_add(options.limit as u64).saturating_add(1);
    let mut frontier = VecDeque::from([(top, 0, false)]);
    let mut seen = 0;
    let mut page = Page { items: Vec::new(), next: None };
    while let Some((seq, below, last_child)) = frontier.pop_front() {
        if below > 0 {
            if seen >= skip && page.items.len() < options.limit {
                page.items.push(Step { seq, below, last_child, after: Cursor::at(seen + 1) });
            } else if seen >= skip {
                page.next = Some(Cursor::at(seen));
                break;
            }
            seen += 1;
        }
        if below < options.max_depth {
            let mut children = Children::new(view, seq, None)?;
            while seen + (frontier.len() as u64) < wanted
                && let Some(child) = children.next()?
            {
                let last_child = !children.has_next()?;
                frontier.push_back((child, below + 1, last_child));
            }
        }
    }
    Ok(page)
}
