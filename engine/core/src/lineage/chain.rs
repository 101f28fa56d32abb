//! The chain of causes from an event to its root.

use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::link::LinkKind;
use crate::base::row::{RowRead, StoredParent};
use crate::lineage::chain_end::ChainEnd;
use crate::lineage::load::{content_or_names, or_damage};
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
            row: None,
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
            match self.loader.arrive(seq) {
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

    fn event(&mut self, seq: u64, depth: u64, found: &mut Option<StoredEvent>) -> Result<()> {
        let up = self.loader.arrive(seq)?;
        self.step(&up)?;
        self.loader.event(seq, depth, &up, self.next.map(|(next, _)| next), found)
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
        let mut found = None;
        match self.event(seq, depth, &mut found) {
            Ok(()) => found.map(Ok),
            Err(error) => self.fail(error),
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
        let (below, mut found) = (self.seqs.last().copied(), None);
        let up = self.loader.arrive(seq);
        match up.and_then(|up| self.loader.event(seq, depth, &up, below, &mut found)) {
            Ok(()) => found.map(Ok),
            Err(error) => Some(Err(error)),
        }
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
    /// The row of the event that the walk is at; behind it that of its parent, which was read
    /// for its id and is mostly the next.
    row: Option<RowRead>,
    detail: Detail,
    root: EventId,
    /// Why the root is only the topmost that can be read, where it is.
    no_root: Option<Error>,
    last: LastRead,
}

impl Loader {
    /// Goes to an event and returns where its link leads. Fails where its row can't be read.
    #[inline]
    fn arrive(&mut self, seq: u64) -> Result<ParentLink> {
        // The common case: it was read for its id, and its parent lies beside it.
        if let Some(RowRead { columns, parent: StoredParent::Row(parent), link, .. }) = &self.row
            && columns.seq == seq
            && self.at.has(seq)
            && self.at.has(*parent)
        {
            return Ok(ParentLink::Known(*parent, *link));
        }
        self.go_to(seq)
    }

    fn go_to(&mut self, seq: u64) -> Result<ParentLink> {
        if !self.at.has(seq) && self.above.has(seq) {
            std::mem::swap(&mut self.at, &mut self.above);
        }
        match self.at.locate(&self.view, seq)? {
            (Source::Sealed(segment), row) => read_row(&self.view, segment, row, &mut self.row),
            (Source::Log(log), row) => read_row(&self.view, log, row, &mut self.row),
        }
    }

    /// Finds the event that the walk went to, whose link leads there; `next` is the one that
    /// is asked for next. An event is large: it is made where it is wanted, and not returned
    /// from call to call.
    fn event(
        &mut self,
        seq: u64,
        depth: u64,
        up: &ParentLink,
        next: Option<u64>,
        found: &mut Option<StoredEvent>,
    ) -> Result<()> {
        let Some(read) = self.row.take() else { return Err(Error::expired(seq)) };
        let mut damage = self.no_root.clone();
        if self.has_revisions {
            let (newest, unread) = self.view.newest_readable(seq)?;
            damage = damage.or(unread);
            if newest != seq {
                let event = self.view.readable_event_in(newest, self.detail, &mut self.last)?;
                *found = Some(StoredEvent { damage: event.damage.or(damage), ..event });
                return Ok(());
            }
        }
        let ancestry = Ancestry { parent: None, link: up.kind(), depth, root: self.root.clone() };
        let Self { view, at, above, row: ahead, detail, last, .. } = self;
        let hop = Hop { view, up, next, detail: *detail, above, ahead };
        match at.locate(view, seq)?.0 {
            Source::Sealed(segment) => hop.load(segment, read, ancestry, damage, last, found),
            Source::Log(log) => hop.load(log, read, ancestry, damage, last, found),
        }
    }
}

/// Reads a row, unless `read` is that row, and returns where its link leads.
fn read_row<S: RowSource>(
    view: &View,
    source: &S,
    row: u32,
    read: &mut Option<RowRead>,
) -> Result<ParentLink> {
    let seq = source.first_seq() + u64::from(row);
    let read = match read {
        Some(read) if read.columns.seq == seq => read,
        read => read.insert(source.read(row)?),
    };
    view.parent_link_read(source, row, read.parent, read.link)
}

/// What there is to know of an event that a walk has come to.
struct Hop<'w> {
    view: &'w View,
    up: &'w ParentLink,
    next: Option<u64>,
    detail: Detail,
    above: &'w mut Near,
    /// Where the row of the parent is kept.
    ahead: &'w mut Option<RowRead>,
}

impl Hop<'_> {
    fn load<S: RowSource>(
        mut self,
        source: &S,
        read: RowRead,
        mut ancestry: Ancestry,
        mut damage: Option<Error>,
        last: &mut LastRead,
        found: &mut Option<StoredEvent>,
    ) -> Result<()> {
        if let Some(next) = self.next.filter(|_| self.detail == Detail::Payload) {
            source.prefetch(next, last);
        }
        ancestry.parent = or_damage(self.parent_id(source), &mut damage)?.flatten();
        let RowRead { columns, texts, .. } = read;
        let content = ContentSource::Nothing;
        let event = found.insert(StoredEvent { columns, ancestry, content, damage });
        match self.detail {
            Detail::Ids => {}
            Detail::Columns => {
                if let Some(names) = or_damage(source.names(texts), &mut event.damage)? {
                    event.content = ContentSource::Names(names);
                }
            }
            detail => {
                let (place, damage) = (event.columns.place, &mut event.damage);
                event.content = content_or_names(source, place, texts, detail, last, damage)?;
            }
        }
        Ok(())
    }

    /// The parent's id. A stored one is read whole, since the walk mostly goes on to it.
    fn parent_id<S: RowSource>(&mut self, source: &S) -> Result<Option<EventId>> {
        let ParentLink::Known(parent, _) = *self.up else { return self.up.parent_id(self.view) };
        let read = if let Some(row) = source.row_of(parent) {
            source.read(row)?
        } else {
            let (source, row) = self.above.locate(self.view, parent)?;
            source.read(row)?
        };
        Ok(Some(self.ahead.insert(read).columns.id.clone()))
    }
}
