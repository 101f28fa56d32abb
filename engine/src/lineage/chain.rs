//! The chain of causes from an event to its root.

use crate::error::Result;
use crate::event::LinkKind;
use crate::id::EventId;
use crate::limits;
use crate::log::index::{Index, Parent};
use crate::log::windows::LastWindow;
use crate::query::page::Cursor;
use crate::snapshot::{Snapshot, columns, names};
use crate::stored::{Detail, StoredEvent};

/// How to walk a chain.
///
/// ```
/// use forebear::{ChainOptions, Detail, Event, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tool_use").id("call"))?;
/// store.append(Event::new("user_message").id("agent").parent("call").link(LinkKind::Spawned))?;
/// let snapshot = store.snapshot();
/// let options = ChainOptions::new().stop_at(LinkKind::Spawned).max_depth(10).detail(Detail::Columns);
/// let mut chain = snapshot.chain("agent", &options)?.expect("it is stored");
/// assert_eq!((chain.by_ref().count(), chain.end().map(|end| end.as_str())), (1, Some("stopped")));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChainOptions {
    pub(crate) max_depth: u64,
    pub(crate) stop_at: Option<LinkKind>,
    pub(crate) detail: Detail,
}

impl Default for ChainOptions {
    fn default() -> Self {
        Self { max_depth: limits::DEFAULT_MAX_DEPTH, stop_at: None, detail: Detail::default() }
    }
}

impl ChainOptions {
    /// At most 1000 edges, across all kinds of links, payloads loaded.
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows at most so many edges.
    ///
    /// ```
    /// use forebear::{ChainEnd, ChainOptions, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("user_message").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// let snapshot = store.snapshot();
    /// let options = ChainOptions::new().max_depth(0);
    /// let mut chain = snapshot.chain("failure", &options)?.expect("it is stored");
    /// assert_eq!(chain.by_ref().count(), 1);
    /// assert_eq!(chain.end(), Some(&ChainEnd::DepthLimit("ask".into())));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn max_depth(mut self, edges: u64) -> Self {
        self.max_depth = edges;
        self
    }

    /// Stops before following a link of this kind: at
    /// [`Spawned`](LinkKind::Spawned) the walk stays within an agent.
    ///
    /// An example is at [`Snapshot::chain`].
    #[must_use]
    pub fn stop_at(mut self, kind: LinkKind) -> Self {
        self.stop_at = Some(kind);
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

/// How a walk ended.
///
/// ```
/// use forebear::{ChainEnd, ChainOptions, Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("error").id("failure").parent("never stored"))?;
/// let snapshot = store.snapshot();
/// let mut chain = snapshot.chain("failure", &ChainOptions::new())?.expect("it is stored");
/// chain.by_ref().for_each(drop);
/// assert_eq!(chain.end(), Some(&ChainEnd::Missing("never stored".into())));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainEnd {
    /// At an event without a parent.
    Root,
    /// At an event whose parent, named here, was never stored.
    Missing(EventId),
    /// At an event whose parent, named here, was removed by retention.
    Expired(EventId),
    /// At an event whose parent, named here, goes back to the event itself.
    Cycle(EventId),
    /// After as many edges as were asked for; the walk can go on from here.
    DepthLimit(EventId),
    /// Before a link of the kind to stop at; the walk can go on from here.
    Stopped(EventId),
    /// At an event whose parent, named here, is not found, in a store that has
    /// lost events to damage. Once it has, every parent that is not found is told
    /// as this rather than as [`Missing`](Self::Missing), since nobody can say
    /// whether it was among those lost.
    Damaged(EventId),
}

impl ChainEnd {
    /// The end's name: `root`, `missing`, `expired`, `cycle`, `depth_limit`,
    /// `stopped` or `damaged`.
    ///
    /// ```
    /// assert_eq!(forebear::ChainEnd::Root.as_str(), "root");
    /// ```
    pub fn as_str(&self) -> &'static str {
        match self {
            ChainEnd::Root => "root",
            ChainEnd::Missing(_) => "missing",
            ChainEnd::Expired(_) => "expired",
            ChainEnd::Cycle(_) => "cycle",
            ChainEnd::DepthLimit(_) => "depth_limit",
            ChainEnd::Stopped(_) => "stopped",
            ChainEnd::Damaged(_) => "damaged",
        }
    }

    /// The event that the walk did not go on to, where there is one.
    ///
    /// ```
    /// use forebear::{ChainEnd, EventId};
    ///
    /// assert_eq!(ChainEnd::Root.parent(), None);
    /// assert_eq!(ChainEnd::Missing("call".into()).parent(), Some(&EventId::from("call")));
    /// ```
    pub fn parent(&self) -> Option<&EventId> {
        match self {
            ChainEnd::Root => None,
            ChainEnd::Missing(id)
            | ChainEnd::Expired(id)
            | ChainEnd::Cycle(id)
            | ChainEnd::DepthLimit(id)
            | ChainEnd::Stopped(id)
            | ChainEnd::Damaged(id) => Some(id),
        }
    }
}

/// A walk from an event to its root, an event at a time. Made by
/// [`Snapshot::chain`]; [`end`](Chain::end) says how it ended once it has.
///
/// A hop costs one cache line of the index; the record is read only where the
/// options ask for it.
///
/// ```
/// use forebear::{ChainOptions, Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("user_message").id("ask"))?;
/// store.append(Event::new("error").id("failure").parent("ask"))?;
/// let snapshot = store.snapshot();
/// for event in snapshot.chain("failure", &ChainOptions::new())?.expect("it is stored") {
///     let event = event?;
///     println!("{:>3}  {}  {}", event.depth(), event.kind(), event.id());
/// }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
pub struct Chain<'s> {
    snapshot: &'s Snapshot,
    options: ChainOptions,
    root: EventId,
    /// The event that the walk comes to next, and its depth.
    next: Option<(u32, u64)>,
    /// Edges that may still be followed.
    edges_left: u64,
    window: LastWindow,
    end: Option<ChainEnd>,
}

impl<'s> Chain<'s> {
    pub(crate) fn new(
        snapshot: &'s Snapshot,
        id: &EventId,
        options: &ChainOptions,
    ) -> Option<Self> {
        let index = snapshot.shared.index.read();
        let row = snapshot.find(&index, id)?;
        let position = snapshot.position(&index, row);
        Some(Self {
            snapshot,
            options: options.clone(),
            root: index.id(position.anchor),
            next: Some((row, u64::from(position.depth))),
            edges_left: options.max_depth,
            window: LastWindow::default(),
            end: None,
        })
    }

    /// How the walk ended; none before it has.
    ///
    /// ```
    /// use forebear::{ChainEnd, ChainOptions, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("user_message").id("ask"))?;
    /// let snapshot = store.snapshot();
    /// let mut chain = snapshot.chain("ask", &ChainOptions::new())?.expect("it is stored");
    /// assert_eq!(chain.end(), None);
    /// chain.by_ref().for_each(drop);
    /// assert_eq!(chain.end(), Some(&ChainEnd::Root));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn end(&self) -> Option<&ChainEnd> {
        self.end.as_ref()
    }

    /// The rest of the chain turned round, the topmost event first. Walks the
    /// index to the end first, keeping 4 bytes an edge; events are loaded as
    /// they are asked for.
    ///
    /// ```
    /// use forebear::{ChainOptions, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("user_message").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// let snapshot = store.snapshot();
    /// let chain = snapshot.chain("failure", &ChainOptions::new())?.expect("it is stored");
    /// let chain: Vec<_> = chain.root_first()?.collect::<Result<_, _>>()?;
    /// assert_eq!((chain[0].kind(), chain[1].kind()), ("user_message", "error"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn root_first(mut self) -> Result<RootFirst<'s>> {
        let mut rows = Vec::new();
        while let Some((row, _)) = self.next {
            let index = self.snapshot.shared.index.read();
            let mut row = row;
            for _ in 0..STEPS_AT_A_TIME {
                rows.push(row);
                let parent = index.parent(row, self.snapshot.visible.commit);
                let Some(next) = self.step(&index, row, &parent) else {
                    break;
                };
                row = next;
            }
        }
        let end = self.end.unwrap_or(ChainEnd::Root);
        Ok(RootFirst {
            snapshot: self.snapshot,
            detail: self.options.detail,
            rows,
            window: self.window,
            end,
        })
    }

    /// Goes on from a row to its parent, or says why not.
    fn step(&mut self, index: &Index, row: u32, parent: &Parent) -> Option<u32> {
        let depth = self.next.map_or(0, |(_, depth)| depth);
        let &Parent::Known(parent, kind) = parent else {
            self.next = None;
            self.end = Some(end_at(index, row, self.snapshot.visible.commit));
            return None;
        };
        if self.options.stop_at == Some(kind) || self.edges_left == 0 {
            let id = index.id(parent);
            self.next = None;
            self.end = Some(match self.options.stop_at {
                Some(stop) if stop == kind => ChainEnd::Stopped(id),
                _ => ChainEnd::DepthLimit(id),
            });
            return None;
        }
        debug_assert!(depth > 0, "depth falls by one along every link");
        self.edges_left -= 1;
        self.next = Some((parent, depth.saturating_sub(1)));
        Some(parent)
    }
}

impl Iterator for Chain<'_> {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        let (row, depth) = self.next?;
        let index = self.snapshot.shared.index.read();
        let parent = index.parent(row, self.snapshot.visible.commit);
        let columns = columns(&index, row, &parent, depth);
        let detail = self.options.detail;
        let names = (detail == Detail::Columns).then(|| names(&index, row));
        if let Some(next) = self.step(&index, row, &parent)
            && detail == Detail::Payload
        {
            self.window.prefetch(index.row(next).offset);
        }
        drop(index);
        let content = self.snapshot.content(columns.offset, names, detail, &mut self.window);
        Some(content.map(|content| StoredEvent { columns, root: self.root.clone(), content }))
    }
}

/// A chain from its topmost event down. Made by [`Chain::root_first`].
///
/// ```
/// use forebear::{ChainOptions, Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("user_message").id("ask"))?;
/// store.append(Event::new("error").id("failure").parent("ask"))?;
/// let snapshot = store.snapshot();
/// let chain = snapshot.chain("failure", &ChainOptions::new())?.expect("it is stored");
/// let mut root_first = chain.root_first()?;
/// assert_eq!(root_first.end().as_str(), "root");
/// assert_eq!(root_first.next().transpose()?.map(|event| event.depth()), Some(0));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
pub struct RootFirst<'s> {
    snapshot: &'s Snapshot,
    detail: Detail,
    rows: Vec<u32>,
    window: LastWindow,
    end: ChainEnd,
}

impl RootFirst<'_> {
    /// How the walk upwards ended: what lies above the first event.
    ///
    /// It is known from the beginning; an example is at [`RootFirst`].
    pub fn end(&self) -> &ChainEnd {
        &self.end
    }
}

impl Iterator for RootFirst<'_> {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.pop()?;
        let index = self.snapshot.shared.index.read();
        let found = self.snapshot.found(&index, row, self.detail, Cursor::NONE);
        drop(index);
        Some(self.snapshot.load(found, self.detail, &mut self.window))
    }
}

/// Why a walk can't go on from a row that has no link to follow.
pub(crate) fn end_at(index: &Index, row: u32, at: u32) -> ChainEnd {
    match index.parent(row, at) {
        Parent::None => ChainEnd::Root,
        Parent::Known(parent, _) | Parent::Closing(parent, _) => ChainEnd::Cycle(index.id(parent)),
        // It may be among what was lost: "never stored" would be a guess.
        Parent::Missing(id, _) if index.lost() > 0 => ChainEnd::Damaged(id),
        Parent::Missing(id, _) => ChainEnd::Missing(id),
    }
}

/// Steps taken under one lock of the index: some microseconds.
const STEPS_AT_A_TIME: usize = 128;
