//! The chain of causes from an event to its root.

use crate::base::detail::Detail;
use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::link::LinkKind;
use crate::lineage::pieces::Position;
use crate::lineage::up::Up;
use crate::snapshot::Snapshot;
use crate::view::near::Near;
use crate::view::source::LastRead;
use crate::view::stored::{Content, Lineage, StoredEvent};
use crate::view::{RowSource, Source, View};

/// How to walk a chain.
///
/// ```
/// use forebear::{ChainOptions, Detail, Event, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("job").id("call"))?;
/// store.append(Event::new("request").id("worker").parent("call").link(LinkKind::Spawned))?;
/// let snapshot = store.snapshot();
/// let options = ChainOptions::new().stop_at(LinkKind::Spawned).max_depth(10).detail(Detail::Columns);
/// let mut chain = snapshot.chain("worker", &options)?.expect("it is stored");
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
    /// store.append(Event::new("request").id("ask"))?;
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
    /// [`Spawned`](LinkKind::Spawned) the walk stays within one worker.
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

#[cfg(feature = "serde")]
impl serde::Serialize for ChainEnd {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Fields<'a> {
            kind: &'static str,
            parent: Option<&'a EventId>,
        }
        Fields { kind: self.as_str(), parent: self.parent() }.serialize(serializer)
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
/// store.append(Event::new("request").id("ask"))?;
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
    loader: Loader<'s>,
    stop_at: Option<LinkKind>,
    /// The event that the walk comes to next, and its depth.
    next: Option<(u64, u64)>,
    /// Edges that may still be followed.
    edges_left: u64,
    end: Option<ChainEnd>,
}

impl<'s> Chain<'s> {
    pub(crate) fn new(
        snapshot: &'s Snapshot,
        id: &EventId,
        options: &ChainOptions,
    ) -> Result<Option<Self>> {
        let view = &snapshot.view;
        let Some(seq) = view.find(id)? else { return Ok(None) };
        let Position { root_id, depth, .. } = view.position(seq)?;
        Ok(Some(Self {
            loader: Loader {
                view,
                near: Near::default(),
                detail: options.detail,
                root: root_id,
                last: LastRead::default(),
            },
            stop_at: options.stop_at,
            next: Some((seq, depth)),
            edges_left: options.max_depth,
            end: None,
        }))
    }

    /// How the walk ended; none before it has.
    ///
    /// ```
    /// use forebear::{ChainEnd, ChainOptions, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
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
    /// index to the end first, keeping 8 bytes an edge; events are loaded as
    /// they are asked for.
    ///
    /// ```
    /// use forebear::{ChainOptions, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// let snapshot = store.snapshot();
    /// let chain = snapshot.chain("failure", &ChainOptions::new())?.expect("it is stored");
    /// let chain: Vec<_> = chain.root_first()?.collect::<Result<_, _>>()?;
    /// assert_eq!((chain[0].kind(), chain[1].kind()), ("request", "error"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn root_first(mut self) -> Result<RootFirst<'s>> {
        let depth = self.next.map_or(0, |(_, depth)| depth);
        let mut seqs = Vec::new();
        while let Some((seq, _)) = self.next {
            seqs.push(seq);
            let up = self.loader.up(seq)?;
            self.step(&up)?;
        }
        let depth = (depth + 1).saturating_sub(seqs.len() as u64);
        Ok(RootFirst { loader: self.loader, seqs, depth, end: self.end.unwrap_or(ChainEnd::Root) })
    }

    /// Goes on to the parent, or says why not.
    fn step(&mut self, up: &Up) -> Result<()> {
        let Some((_, depth)) = self.next.take() else { return Ok(()) };
        let &Up::Known(parent, kind) = up else {
            self.end = Some(self.loader.view.end_at(up.clone())?);
            return Ok(());
        };
        if self.stop_at == Some(kind) || self.edges_left == 0 {
            let id = self.loader.view.id(parent)?.unwrap_or_default();
            self.end = Some(match self.stop_at {
                Some(stop) if stop == kind => ChainEnd::Stopped(id),
                _ => ChainEnd::DepthLimit(id),
            });
            return Ok(());
        }
        self.edges_left -= 1;
        self.next = Some((parent, depth.saturating_sub(1)));
        Ok(())
    }

    fn event(&mut self, seq: u64, depth: u64) -> Result<StoredEvent> {
        let up = self.loader.up(seq)?;
        self.step(&up)?;
        self.loader.event(seq, depth, &up, self.next.map(|(next, _)| next))
    }
}

/// Gives back the events of one chain, as much of each as was asked for.
#[derive(Debug)]
struct Loader<'s> {
    view: &'s View,
    near: Near,
    detail: Detail,
    root: EventId,
    last: LastRead,
}

impl Loader<'_> {
    /// Where the link of an event leads.
    fn up(&mut self, seq: u64) -> Result<Up> {
        let (source, row) = self.near.locate(self.view, seq)?;
        self.view.up_from(source, row)
    }

    /// An event whose link leads there; `next` is the one that is asked for next.
    fn event(&mut self, seq: u64, depth: u64, up: &Up, next: Option<u64>) -> Result<StoredEvent> {
        let parent = if let &Up::Known(parent, _) = up { Some(parent) } else { None };
        let lineage = Lineage { parent: None, link: up.kind(), depth, root: self.root.clone() };
        let (source, row) = self.near.locate(self.view, seq)?;
        let (detail, last) = (self.detail, &mut self.last);
        let mut event = match source {
            Source::Sealed(segment) => load(segment, row, detail, last, [next, parent], lineage)?,
            Source::Log(log) => load(log, row, detail, last, [next, parent], lineage)?,
        };
        if event.lineage.parent.is_none() {
            event.lineage.parent = match parent {
                Some(parent) => {
                    let (source, row) = self.near.locate(self.view, parent)?;
                    Some(source.id(row)?)
                }
                None => up.parent_id(self.view)?,
            };
        }
        Ok(event)
    }
}

/// What a source has of a row; its parent's id, too, where that is in the source. `next`
/// is asked for next.
fn load<S: RowSource>(
    source: &S,
    row: u32,
    detail: Detail,
    last: &mut LastRead,
    [next, parent]: [Option<u64>; 2],
    mut lineage: Lineage,
) -> Result<StoredEvent> {
    let columns = source.columns(row)?;
    if let Some(next) = next.filter(|_| detail == Detail::Payload) {
        source.prefetch(next, last);
    }
    if let Some(parent) = parent.and_then(|parent| source.row_of(parent)) {
        lineage.parent = Some(source.id(parent)?);
    }
    let content = match detail {
        Detail::Columns => Content::Names(source.names(row)?),
        detail => source.content(row, columns.place, detail, last)?,
    };
    Ok(StoredEvent { columns, lineage, content })
}

impl Iterator for Chain<'_> {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        let (seq, depth) = self.next?;
        let event = self.event(seq, depth);
        if event.is_err() {
            // Where it can't be read on, the walk is over.
            self.next = None;
        }
        Some(event)
    }
}

/// A chain from its topmost event down. Made by [`Chain::root_first`].
///
/// ```
/// use forebear::{ChainOptions, Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("request").id("ask"))?;
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
    loader: Loader<'s>,
    /// The rows that are still to come, the next one last, and its depth.
    seqs: Vec<u64>,
    depth: u64,
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
        let seq = self.seqs.pop()?;
        let depth = self.depth;
        self.depth += 1;
        let up = self.loader.up(seq);
        Some(up.and_then(|up| self.loader.event(seq, depth, &up, self.seqs.last().copied())))
    }
}
