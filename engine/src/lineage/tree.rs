//! Children, siblings and descendants.

use std::collections::VecDeque;

use crate::error::Result;
use crate::id::EventId;
use crate::limits;
use crate::log::index::Index;
use crate::log::windows::LastWindow;
use crate::query::page::{Cursor, Page};
use crate::snapshot::Snapshot;
use crate::stored::{Detail, Found, StoredEvent};

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
/// store.append_batch((0..5).map(|_| Event::new("tool_use").parent("plan")))?;
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
    /// store.append(Event::new("tool_use").id("call").parent("plan"))?;
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
/// store.append(Event::new("tool_use").parent("plan"))?;
/// for found in store.snapshot().descendants("plan", &TreeOptions::new())?.items {
///     let branch = if found.last_child { "└" } else { "├" };
///     println!("{:>1$}{branch} {2}", "", found.below as usize, found.event.kind());
/// }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Descendant {
    /// The event.
    pub event: StoredEvent,
    /// Edges between it and the event asked for, from 1.
    pub below: u64,
    /// Whether it is the last of its parent's children.
    pub last_child: bool,
}

pub(crate) fn children(
    snapshot: &Snapshot,
    id: &EventId,
    after: Option<Cursor>,
) -> Result<Page<StoredEvent>> {
    children_found(snapshot, after, |index| {
        snapshot.find(index, id).map(|parent| Children { parent, except: None })
    })
}

pub(crate) fn siblings(
    snapshot: &Snapshot,
    id: &EventId,
    after: Option<Cursor>,
) -> Result<Page<StoredEvent>> {
    children_found(snapshot, after, |index| {
        let row = snapshot.find(index, id)?;
        let (parent, _) = index.cause(row, snapshot.visible.commit)?;
        Some(Children { parent, except: Some(row) })
    })
}

pub(crate) fn descendants(
    snapshot: &Snapshot,
    id: &EventId,
    options: &TreeOptions,
) -> Result<Page<Descendant>> {
    let index = snapshot.shared.index.read();
    let Some(top) = snapshot.find(&index, id).filter(|_| options.limit > 0) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let page = match options.order {
        TreeOrder::DepthFirst => depth_first(snapshot, &index, top, options),
        TreeOrder::BreadthFirst => breadth_first(snapshot, &index, top, options),
    };
    drop(index);
    let mut last = LastWindow::default();
    page.load(
        |below| below.found.after,
        |FoundBelow { found, below, last_child }| {
            let event = snapshot.load(found, options.detail, &mut last)?;
            Ok(Descendant { event, below, last_child })
        },
        |descendant| descendant.event.own_bytes(),
    )
}

/// The children of an event, one of them left out or none.
struct Children {
    parent: u32,
    except: Option<u32>,
}

/// A page of the children that `find` tells under the index's lock, loaded.
fn children_found(
    snapshot: &Snapshot,
    after: Option<Cursor>,
    find: impl FnOnce(&Index) -> Option<Children>,
) -> Result<Page<StoredEvent>> {
    let index = snapshot.shared.index.read();
    let page = match find(&index) {
        Some(children) => children_of(snapshot, &index, &children, after),
        None => Page { items: Vec::new(), next: None },
    };
    drop(index);
    snapshot.load_page(page, Detail::Payload)
}

fn children_of(
    snapshot: &Snapshot,
    index: &Index,
    &Children { parent, except }: &Children,
    after: Option<Cursor>,
) -> Page<Found> {
    let at = snapshot.visible.commit;
    let (first, later) = match after {
        None => (Some(index.children(parent, at)), None),
        Some(cursor) => (None, Some(index.children_after(cursor.at as u32, at))),
    };
    // A cursor from elsewhere leads into another family: its children are not shown.
    let mut children = first
        .into_iter()
        .flatten()
        .chain(later.into_iter().flatten())
        .filter(|&(_, child)| index.cause(child, at).is_some_and(|(cause, _)| cause == parent))
        .filter(|&(_, child)| Some(child) != except)
        .peekable();
    let mut page = Page { items: Vec::new(), next: None };
    while let Some((edge, child)) = children.next() {
        let cursor = Cursor::at(u64::from(edge));
        page.items.push(snapshot.found(index, child, Detail::Payload, cursor));
        if page.items.len() == limits::MAX_PAGE {
            page.next = children.peek().map(|_| cursor);
            break;
        }
    }
    page
}

/// An event below another, and the edge that leads to it.
#[derive(Clone, Copy)]
struct Step {
    row: u32,
    edge: u32,
    /// Edges between it and the event asked for.
    down: u64,
}

/// A descendant that was found and is yet to be loaded.
struct FoundBelow {
    found: Found,
    below: u64,
    last_child: bool,
}

/// Goes from one event to the next by links alone, so that a cursor need hold no
/// more than the last one: down to the first child, else to the next sibling,
/// else to that of the nearest ancestor which has one.
fn depth_first(
    snapshot: &Snapshot,
    index: &Index,
    top: u32,
    options: &TreeOptions,
) -> Page<FoundBelow> {
    let at = snapshot.visible.commit;
    let next = |from: Step| {
        if from.down < options.max_depth
            && let Some((edge, row)) = index.children(from.row, at).next()
        {
            return Some(Step { row, edge, down: from.down + 1 });
        }
        let mut from = from;
        while from.down > 0 {
            if let Some((edge, row)) = index.children_after(from.edge, at).next() {
                return Some(Step { row, edge, down: from.down });
            }
            let (row, _) = index.cause(from.row, at)?;
            if row == top {
                return None;
            }
            let (above, _) = index.cause(row, at)?;
            from = Step { row, edge: index.edge(above, row, at)?, down: from.down - 1 };
        }
        None
    };
    let begin = match options.after {
        None => Some(Step { row: top, edge: 0, down: 0 }),
        Some(cursor) => resume(snapshot, index, top, cursor),
    };
    let cursor = |step: Step| Cursor { time_ns: step.down.cast_signed(), at: u64::from(step.row) };
    let mut items = Vec::new();
    let mut last = begin;
    let mut found = begin.and_then(next);
    while let Some(step) = found.filter(|_| items.len() < options.limit) {
        items.push(found_below(snapshot, index, step, options.detail, cursor(step)));
        last = found;
        found = next(step);
    }
    Page { items, next: found.and(last).map(cursor) }
}

/// Where a depth-first page ended. None where the cursor is not of this tree.
fn resume(snapshot: &Snapshot, index: &Index, top: u32, cursor: Cursor) -> Option<Step> {
    let row = u32::try_from(cursor.at).ok().filter(|&row| snapshot.sees(row))?;
    let (above, below) = (snapshot.position(index, top), snapshot.position(index, row));
    let edges = below.depth.checked_sub(above.depth)?;
    if above.anchor != below.anchor || u64::from(edges) != cursor.time_ns.cast_unsigned() {
        return None;
    }
    if row == top {
        return Some(Step { row, edge: 0, down: 0 });
    }
    let (parent, _) = index.cause(row, snapshot.visible.commit)?;
    let edge = index.edge(parent, row, snapshot.visible.commit)?;
    Some(Step { row, edge, down: u64::from(edges) })
}

/// Walks from the top again for each page, keeping no more of the frontier than
/// the page can show.
fn breadth_first(
    snapshot: &Snapshot,
    index: &Index,
    top: u32,
    options: &TreeOptions,
) -> Page<FoundBelow> {
    let at = snapshot.visible.commit;
    let skip = options.after.map_or(0, |cursor| cursor.at);
    let wanted = skip.saturating_add(options.limit as u64).saturating_add(1);
    let mut frontier = VecDeque::from([Step { row: top, edge: 0, down: 0 }]);
    let mut seen = 0;
    let mut page = Page { items: Vec::new(), next: None };
    while let Some(from) = frontier.pop_front() {
        if from.down > 0 {
            if seen >= skip && page.items.len() < options.limit {
                let after = Cursor::at(seen + 1);
                page.items.push(found_below(snapshot, index, from, options.detail, after));
            } else if seen >= skip {
                page.next = Some(Cursor::at(seen));
                break;
            }
            seen += 1;
        }
        if from.down < options.max_depth {
            let room = wanted.saturating_sub(seen + frontier.len() as u64);
            let children = index.children(from.row, at).take(room as usize);
            frontier.extend(children.map(|(edge, row)| Step { row, edge, down: from.down + 1 }));
        }
    }
    page
}

fn found_below(
    snapshot: &Snapshot,
    index: &Index,
    step: Step,
    detail: Detail,
    after: Cursor,
) -> FoundBelow {
    let more = index.children_after(step.edge, snapshot.visible.commit).next();
    FoundBelow {
        found: snapshot.found(index, step.row, detail, after),
        below: step.down,
        last_child: more.is_none(),
    }
}
