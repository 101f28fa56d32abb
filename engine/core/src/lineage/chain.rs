//! The chain of causes from an event to its root.

use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::link::LinkKind;
use crate::lineage::chain_end::ChainEnd;
use crate::lineage::hop::{Loader, content_at};
use crate::lineage::parent_link::ParentLink;
use crate::lineage::position::TreePosition;
use crate::lineage::root_first::RootFirst;
use crate::view::View;
use crate::view::stored::{Ancestry, ContentSource, StoredEvent};

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
        let loader = Loader::new(view, root_id, damage);
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
            match self.loader.arrive(seq) {
                Ok(up) => {
                    seqs.push(seq);
                    self.step(&up)?;
                    self.loader.ahead.pass();
                }
                Err(error) if error.is_damaged() => self.end_damaged(None, error),
                Err(error) => return Err(error),
            }
        }
        let depth = (depth + 1).saturating_sub(seqs.len() as u64);
        let (end, damage) = (self.end.unwrap_or(ChainEnd::Root), self.damage);
        Ok(RootFirst { loader: self.loader, seqs, depth, above: None, end, damage })
    }

    /// Goes on to the parent, or says why not.
    fn step(&mut self, up: &ParentLink) -> Result<()> {
        let next = self.next.take();
        if let (&ParentLink::Known(parent, kind), Some((_, depth))) = (up, next)
            && self.edges_left > 0
            && self.stop_at != Some(kind)
        {
            self.edges_left -= 1;
            self.next = Some((parent, depth.saturating_sub(1)));
            return Ok(());
        }
        match self.end_of(up) {
            Ok(end) => {
                self.damage = up.damage().cloned();
                self.end = Some(end);
                Ok(())
            }
            Err(error) if error.is_damaged() => {
                self.end_damaged(None, error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// How the walk ends at an event whose link is not followed.
    fn end_of(&self, up: &ParentLink) -> Result<ChainEnd> {
        let view = &self.loader.view;
        let &ParentLink::Known(parent, kind) = up else { return view.end_at(up.clone()) };
        let id = view.id(parent)?.unwrap_or_default();
        Ok(match self.stop_at {
            Some(stop) if stop == kind => ChainEnd::Stopped(id),
            _ => ChainEnd::DepthLimit(id),
        })
    }

    fn end_damaged(&mut self, parent: Option<EventId>, error: Error) {
        self.next = None;
        self.end = Some(ChainEnd::Damaged(parent));
        self.damage = Some(error);
    }

    /// The event that the walk is at, where its parent was not read with it or more has to be
    /// found out than where its link leads.
    #[inline(never)]
    fn event(&mut self, seq: u64, depth: u64) -> Result<StoredEvent> {
        let up = self.loader.arrive(seq)?;
        self.step(&up)?;
        let event = self.loader.event(seq, depth, &up)?;
        self.loader.ahead.pass();
        Ok(event)
    }

    /// The same where it was: a hop within one source, which takes no lock and no look-up.
    #[inline]
    fn event_within(&mut self, seq: u64, depth: u64) -> Option<Result<StoredEvent>> {
        let Loader { ahead, last, detail, view, at, root, is_plain, .. } = &mut self.loader;
        let (row, parent) = ahead.hop(seq)?;
        if !*is_plain || self.edges_left == 0 || self.stop_at == Some(row.link) {
            return None;
        }
        let mut damage = None;
        let content = match detail {
            Detail::Ids => ContentSource::Nothing,
            detail => match content_at(view, at, row, Some(parent), *detail, last, &mut damage) {
                Ok(content) => content,
                Err(error) => return Some(Err(error)),
            },
        };
        self.edges_left -= 1;
        self.next = Some((parent.columns.seq, depth.saturating_sub(1)));
        let (id, link) = (Some(parent.columns.id.clone()), Some(row.link));
        let ancestry = Ancestry { parent: id, link, depth, root: root.clone() };
        let event = StoredEvent { columns: row.columns.clone(), ancestry, content, damage };
        ahead.pass();
        Some(Ok(event))
    }

    /// Ends the walk where it can't be read on.
    #[cold]
    fn fail(&mut self, error: Error) -> Option<Result<StoredEvent>> {
        if error.is_damaged() {
            self.end_damaged(None, error);
            return None;
        }
        self.next = None;
        Some(Err(error))
    }
}

impl Iterator for Chain {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        let (seq, depth) = self.next?;
        let outcome = match self.event_within(seq, depth) {
            Some(outcome) => outcome,
            None => self.event(seq, depth),
        };
        match outcome {
            Ok(event) => Some(Ok(event)),
            Err(error) => self.fail(error),
        }
    }
}
