//! The chain of causes from an event to its root.

use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::link::LinkKind;
use crate::lineage::chain_end::ChainEnd;
use crate::lineage::load::{content_or_names, known_names, or_damage};
use crate::lineage::parent_link::ParentLink;
use crate::lineage::position::TreePosition;
use crate::view::near::Near;
use crate::view::source::LastRead;
use crate::view::stored::{Ancestry, ContentSource, StoredEvent};
use crate::view::{RowSource, Source, View};

/// A walk from an event to its root, an event at a time: an iterator that owns what it
/// reads from. [`end`](Chain::end) says how it ended once it has.
///
/// By default it follows at most 1000 edges, of all kinds of links, and loads
/// payloads. A hop costs one cache line of the index; the record is read only where
/// `detail` asks for it.
///
/// A walk ends at damage with what it had: its end is
/// [`Damaged`](ChainEnd::Damaged), and [`damage`](Chain::damage) says why. An event of which
/// the record alone is damaged is passed, and [says so](StoredEvent::damage).
///
/// ```
/// use forebear::{Detail, Event, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("job").id("call"))?;
/// store.append(Event::new("request").id("worker").parent("call").link(LinkKind::Spawned))?;
/// store.append(Event::new("error").id("failure").parent("worker"))?;
///
/// let mut chain = store.chain("failure")?.expect("it is stored").detail(Detail::Columns);
/// for event in &mut chain {
///     let event = event?;
///     println!("{:>3}  {}  {}", event.depth(), event.kind(), event.id());
/// }
/// assert_eq!(chain.end().map(|end| end.as_str()), Some("root"));
///
/// let within = store.chain("failure")?.expect("it is stored").stop_at(LinkKind::Spawned);
/// let within = within.read_all()?;
/// assert_eq!((within.events.len(), within.end.as_str()), (2, "stopped"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a chain reads nothing until it is asked for its events"]
pub struct Chain {
    loader: Loader,
    stop_at: Option<LinkKind>,
    /// The event that the walk comes to next, and its depth.
    next: Option<(u64, u64)>,
    /// Edges that may still be followed.
    edges_left: u64,
    end: Option<ChainEnd>,
    /// What the walk could not read where it ended.
    damage: Option<Error>,
}

/// A whole chain, and how the walk ended. Made by [`Chain::read_all`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChainEvents {
    /// The events, the one that was asked for first.
    pub events: Vec<StoredEvent>,
    /// What lies above the last of them.
    pub end: ChainEnd,
    /// What could not be read there, where damage ended the walk.
    pub damage: Option<Error>,
}

impl Chain {
    /// The chain of an event; none if it is not stored.
    pub(crate) fn new(view: Arc<View>, id: &EventId) -> Result<Option<Self>> {
        let Some(seq) = view.find(id)? else { return Ok(None) };
        let TreePosition { root_id, depth, damage, .. } = view.position(seq)?;
        let loader = Loader {
            has_revisions: view.has_revisions(),
            view,
            at: Near::default(),
            above: Near::default(),
            detail: Detail::default(),
            root: root_id,
            no_root: damage,
            last: LastRead::default(),
        };
        let (stop_at, next, edges_left) = (None, Some((seq, depth)), limits::DEFAULT_MAX_DEPTH);
        Ok(Some(Self { loader, stop_at, next, edges_left, end: None, damage: None }))
    }

    /// Follows at most so many edges from here on.
    ///
    /// ```
    /// use forebear::{ChainEnd, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// let chain = store.chain("failure")?.expect("it is stored").max_depth(0).read_all()?;
    /// assert_eq!(chain.events.len(), 1);
    /// assert_eq!(chain.end, ChainEnd::DepthLimit("ask".into()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn max_depth(mut self, edges: u64) -> Self {
        self.edges_left = edges;
        self
    }

    /// Stops before following a link of this kind: at [`Spawned`](LinkKind::Spawned) the
    /// walk stays within one worker.
    ///
    /// An example is at [`Chain`].
    pub fn stop_at(mut self, kind: LinkKind) -> Self {
        self.stop_at = Some(kind);
        self
    }

    /// Sets how much of each event is loaded; everything unless set.
    ///
    /// An example is at [`Chain`].
    pub fn detail(mut self, detail: Detail) -> Self {
        self.loader.detail = detail;
        self
    }

    /// How the walk ended; none before it has.
    ///
    /// ```
    /// use forebear::{ChainEnd, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// let mut chain = store.chain("ask")?.expect("it is stored");
    /// assert_eq!(chain.end(), None);
    /// chain.by_ref().for_each(drop);
    /// assert_eq!(chain.end(), Some(&ChainEnd::Root));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn end(&self) -> Option<&ChainEnd> {
        self.end.as_ref()
    }

    /// What could not be read where damage ended the walk; none before it has, or where
    /// the parent is not found among what can be read.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// let mut chain = store.chain("ask")?.expect("it is stored");
    /// chain.by_ref().for_each(drop);
    /// assert!(chain.damage().is_none());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    /// The rest of the chain at once. Holds all of its events in memory: where payloads
    /// may be large, load less or take them one by one.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// let chain = store.chain("failure")?.expect("it is stored").read_all()?;
    /// assert_eq!((chain.events[1].kind(), chain.end.as_str()), ("request", "root"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn read_all(mut self) -> Result<ChainEvents> {
        let events = self.by_ref().collect::<Result<_>>()?;
        Ok(ChainEvents { events, end: self.end.unwrap_or(ChainEnd::Root), damage: self.damage })
    }

    /// The rest of the chain turned round, the topmost event first. Walks the index to
    /// the end first, keeping 8 bytes an edge; events are loaded as they are asked for.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// let chain = store.chain("failure")?.expect("it is stored");
    /// let chain: Vec<_> = chain.root_first()?.collect::<Result<_, _>>()?;
    /// assert_eq!((chain[0].kind(), chain[1].kind()), ("request", "error"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn root_first(mut self) -> Result<RootFirst> {
        let depth = self.next.map_or(0, |(_, depth)| depth);
        let mut seqs = Vec::new();
        while let Some((seq, _)) = self.next {
            match self.loader.readable_parent_link(seq) {
                Ok(up) => {
                    seqs.push(seq);
                    self.step(&up)?;
                }
                Err(error) if error.is_damaged() => self.end_damaged(None, error),
                Err(error) => return Err(error),
            }
        }
        let depth = (depth + 1).saturating_sub(seqs.len() as u64);
        let (end, damage) = (self.end.unwrap_or(ChainEnd::Root), self.damage);
        Ok(RootFirst { loader: self.loader, seqs, depth, end, damage })
    }

    /// Goes on to the parent, or says why not.
    fn step(&mut self, up: &ParentLink) -> Result<()> {
        match self.try_step(up) {
            Err(error) if error.is_damaged() => {
                self.end_damaged(None, error);
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn try_step(&mut self, up: &ParentLink) -> Result<()> {
        let Some((_, depth)) = self.next.take() else { return Ok(()) };
        let &ParentLink::Known(parent, kind) = up else {
            self.damage = up.damage().cloned();
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

    fn end_damaged(&mut self, parent: Option<EventId>, error: Error) {
        self.next = None;
        self.end = Some(ChainEnd::Damaged(parent));
        self.damage = Some(error);
    }

    fn event(&mut self, seq: u64, depth: u64) -> Result<StoredEvent> {
        let up = self.loader.parent_link(seq)?;
        self.step(&up)?;
        self.loader.event(seq, depth, &up, self.next.map(|(next, _)| next))
    }
}

impl Iterator for Chain {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        let (seq, depth) = self.next?;
        match self.event(seq, depth) {
            Err(error) if error.is_damaged() => {
                self.end_damaged(None, error);
                None
            }
            event => {
                if event.is_err() {
                    // Where it can't be read on, the walk is over.
                    self.next = None;
                }
                Some(event)
            }
        }
    }
}

/// A chain from its topmost event down. Made by [`Chain::root_first`].
///
/// ```
/// use forebear::{Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("request").id("ask"))?;
/// store.append(Event::new("error").id("failure").parent("ask"))?;
/// let mut root_first = store.chain("failure")?.expect("it is stored").root_first()?;
/// assert_eq!(root_first.end().as_str(), "root");
/// assert_eq!(root_first.next().transpose()?.map(|event| event.depth()), Some(0));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
pub struct RootFirst {
    loader: Loader,
    /// The rows that are still to come, the next one last, and its depth.
    seqs: Vec<u64>,
    depth: u64,
    end: ChainEnd,
    damage: Option<Error>,
}

impl RootFirst {
    /// How the walk upwards ended: what lies above the first event.
    ///
    /// It is known from the beginning; an example is at [`RootFirst`].
    pub fn end(&self) -> &ChainEnd {
        &self.end
    }

    /// What could not be read there, where damage ended the walk.
    pub fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }
}

impl Iterator for RootFirst {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        let seq = self.seqs.pop()?;
        let depth = self.depth;
        self.depth += 1;
        let up = self.loader.parent_link(seq);
        Some(up.and_then(|up| self.loader.event(seq, depth, &up, self.seqs.last().copied())))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.seqs.len(), Some(self.seqs.len()))
    }
}

impl ExactSizeIterator for RootFirst {}

/// Loads the events of one chain, as much of each as was asked for.
#[derive(Debug)]
struct Loader {
    view: Arc<View>,
    /// Whether events may have newer revisions.
    has_revisions: bool,
    /// The source of the event that the walk is at, and that of a parent which is in
    /// another one.
    at: Near,
    above: Near,
    detail: Detail,
    root: EventId,
    /// Why the root is only the topmost that can be read, where it is.
    no_root: Option<Error>,
    last: LastRead,
}

impl Loader {
    /// Where the link of an event leads that is going to be loaded. Fails where the event
    /// can't be read.
    fn readable_parent_link(&mut self, seq: u64) -> Result<ParentLink> {
        let up = self.parent_link(seq)?;
        let (source, row) = self.at.locate(&self.view, seq)?;
        source.columns(row)?;
        Ok(up)
    }

    /// Where the link of an event leads. Fails where its row can't be read.
    fn parent_link(&mut self, seq: u64) -> Result<ParentLink> {
        if !self.at.has(seq) && self.above.has(seq) {
            std::mem::swap(&mut self.at, &mut self.above);
        }
        let (source, row) = self.at.locate(&self.view, seq)?;
        self.view.parent_link_of(source, row)
    }

    /// An event whose link leads there; `next` is the one that is asked for next.
    fn event(
        &mut self,
        seq: u64,
        depth: u64,
        up: &ParentLink,
        next: Option<u64>,
    ) -> Result<StoredEvent> {
        if self.has_revisions {
            let newest = self.view.newest(seq)?;
            if newest != seq {
                return self.view.readable_event_in(newest, self.detail, &mut self.last);
            }
        }
        let ancestry = Ancestry { parent: None, link: up.kind(), depth, root: self.root.clone() };
        let Self { view, at, above, detail, last, no_root, .. } = self;
        let hop = Hop { view, up, next, detail: *detail, damage: no_root.clone() };
        match at.locate(view, seq)? {
            (Source::Sealed(segment), row) => hop.load(segment, row, ancestry, above, last),
            (Source::Log(log), row) => hop.load(log, row, ancestry, above, last),
        }
    }
}

/// What there is to know of an event that a walk has come to.
struct Hop<'w> {
    view: &'w View,
    up: &'w ParentLink,
    next: Option<u64>,
    detail: Detail,
    damage: Option<Error>,
}

impl Hop<'_> {
    fn load<S: RowSource>(
        mut self,
        source: &S,
        row: u32,
        mut ancestry: Ancestry,
        above: &mut Near,
        last: &mut LastRead,
    ) -> Result<StoredEvent> {
        let columns = source.columns(row)?;
        if let Some(next) = self.next.filter(|_| self.detail == Detail::Payload) {
            source.prefetch(next, last);
        }
        let parent = self.parent_id(source, above);
        ancestry.parent = or_damage(parent, &mut self.damage)?.flatten();
        let content = match self.detail {
            Detail::Ids => ContentSource::Nothing,
            Detail::Columns => known_names(source, row, &mut self.damage)?,
            detail => content_or_names(source, row, columns.place, detail, last, &mut self.damage)?,
        };
        Ok(StoredEvent { columns, ancestry, content, damage: self.damage })
    }

    fn parent_id<S: RowSource>(&self, source: &S, above: &mut Near) -> Result<Option<EventId>> {
        let ParentLink::Known(parent, _) = *self.up else { return self.up.parent_id(self.view) };
        if let Some(row) = source.row_of(parent) {
            return source.id(row).map(Some);
        }
        let (source, row) = above.locate(self.view, parent)?;
        source.id(row).map(Some)
    }
}
