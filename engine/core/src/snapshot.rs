//! A store as of one moment, and everything that can be asked of it.

use std::sync::Arc;
use std::time::Duration;

use crate::base::count_by::CountBy;
use crate::base::detail::Detail;
use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::link::Link;
use crate::base::listing::Query;
use crate::base::row::Flags;
use crate::base::state::KindId;
use crate::lineage::chain::Chain;
use crate::lineage::children::{Children, Siblings};
use crate::lineage::common::{self, CommonCause};
use crate::lineage::tree::Descendants;
use crate::query::counts::Counts;
use crate::query::events::Events;
use crate::query::filter::Filter;
use crate::query::links::{CycleEdges, RefusedLinks};
use crate::query::missing::MissingParents;
use crate::query::quarantined::QuarantinedInput;
use crate::query::resolve::{self, Resolved};
use crate::query::roots::Roots;
use crate::query::segments::{self, SegmentInfo};
use crate::query::stats::{self, Stats};
use crate::query::timeline::Timeline;
use crate::query::versions::Versions;
use crate::state::State;
use crate::state::checkpoint::Checkpoints;
use crate::view::View;
use crate::view::stored::StoredEvent;

/// A store as it was at one moment. What is written later does not show; the
/// writer is not held up. Cheap to make and to clone.
///
/// Its methods fail where the log can't be read or isn't what was written
/// ([`Error::is_damaged`](crate::Error::is_damaged)). Every listing is a [`Query`] with a
/// limit and a cursor, read by the page or item by item.
///
/// ```
/// use forebear::{Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("started").id("boot"))?;
/// let snapshot = store.snapshot();
/// store.append(Event::new("ended").parent("boot"))?;
/// assert_eq!(snapshot.events(Filter::new()).page()?.items.len(), 1, "as it was");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) view: Arc<View>,
}

impl Snapshot {
    pub(crate) fn new(view: Arc<View>) -> Self {
        Self { view }
    }

    /// The event with this id: its first version. O(log n), one record read.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call").payload("ls"))?;
    /// let event = store.snapshot().get("call")?.expect("it is stored");
    /// assert_eq!((event.kind(), event.payload()), ("job", Some(b"ls".as_slice())));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn get(&self, id: impl Into<EventId>) -> Result<Option<StoredEvent>> {
        match self.view.find(&id.into())? {
            Some(seq) => self.view.event(self.view.newest(seq)?).map(Some),
            None => Ok(None),
        }
    }

    /// The same with what is known of the event where its record, or what may hold a newer
    /// revision of it, is damaged, for which [`get`](Self::get) fails. [`StoredEvent::damage`]
    /// says why.
    ///
    /// An example is there.
    pub fn get_lossy(&self, id: impl Into<EventId>) -> Result<Option<StoredEvent>> {
        let Some(seq) = self.view.find(&id.into())? else { return Ok(None) };
        self.view.readable_newest(seq).map(Some)
    }

    /// The event with this id and its later versions, in the order they were stored.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("note").id("n").payload("first"))?;
    /// store.append(Event::new("note").id("n").payload("second"))?;
    /// let versions = store.snapshot().versions("n").page()?.items;
    /// assert_eq!(versions[1].payload(), Some(b"second".as_slice()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn versions(&self, id: impl Into<EventId>) -> Query<Versions> {
        let (view, id) = (self.view(), id.into());
        Query::new(Versions { view, id, detail: Detail::default() })
    }

    /// Whether an event with this id is stored. O(1).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started").id("boot").parent("power"))?;
    /// assert!(store.snapshot().contains("boot")?);
    /// assert!(!store.snapshot().contains("power")?, "named, not stored");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn contains(&self, id: impl Into<EventId>) -> Result<bool> {
        Ok(self.view.find(&id.into())?.is_some())
    }

    /// The event whose id this is, or else whose UUID begins with it. A search by prefix
    /// costs a nanosecond or two for each event of the active log.
    ///
    /// ```
    /// use forebear::{Event, Resolved, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let id = store.append(Event::new("started").id("0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6"))?.id;
    /// assert_eq!(store.snapshot().resolve("0191e7a4-5")?, Resolved::One(id));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn resolve(&self, prefix: &str) -> Result<Resolved> {
        resolve::resolve(&self.view, prefix)
    }

    /// The walk from an event to its root; none if the event is not stored.
    ///
    /// ```
    /// use forebear::{Event, LinkKind, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call"))?;
    /// store.append(Event::new("request").id("worker").parent("call").link(LinkKind::Spawned))?;
    /// let snapshot = store.snapshot();
    /// assert_eq!(snapshot.chain("worker")?.expect("it is stored").count(), 2);
    /// let within = snapshot.chain("worker")?.expect("it is stored").stop_at(LinkKind::Spawned);
    /// assert_eq!(within.count(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn chain(&self, id: impl Into<EventId>) -> Result<Option<Chain>> {
        Chain::new(self.view(), &id.into())
    }

    /// The events whose parent this is, in the order in which the links became known.
    /// A page costs O(segments that have any of them + items).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("plan").id("plan"))?;
    /// store.append(Event::new("job").id("a").parent("plan"))?;
    /// store.append(Event::new("job").id("b").parent("plan"))?;
    /// let children = store.snapshot().children("plan").page()?.items;
    /// assert_eq!(children[1].id().to_string(), "b");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn children(&self, id: impl Into<EventId>) -> Query<Children> {
        let (view, id) = (self.view(), id.into());
        Query::new(Children { view, id, detail: Detail::default() })
    }

    /// The other children of the event's parent, as [`children`](Self::children).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// # store.append(Event::new("plan").id("plan"))?;
    /// store.append(Event::new("job").id("a").parent("plan"))?;
    /// store.append(Event::new("job").id("b").parent("plan"))?;
    /// let siblings = store.snapshot().siblings("a").page()?.items;
    /// assert_eq!(siblings.len(), 1, "itself left out");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn siblings(&self, id: impl Into<EventId>) -> Query<Siblings> {
        let (view, id) = (self.view(), id.into());
        Query::new(Siblings { view, id, detail: Detail::default() })
    }

    /// The events that go back to this one, itself left out: depth first and 1000 edges
    /// deep unless asked otherwise.
    ///
    /// A page costs O(items) depth first, O(items so far) breadth first.
    ///
    /// ```
    /// use forebear::{Detail, Event, Store, TreeOrder};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("plan").id("plan"))?;
    /// store.append(Event::new("job").id("call").parent("plan"))?;
    /// store.append(Event::new("error").id("failure").parent("call"))?;
    /// let tree = store.snapshot().descendants("plan").order(TreeOrder::BreadthFirst);
    /// let below = tree.max_depth(10).detail(Detail::Ids).page()?.items;
    /// assert_eq!((below.len(), below[1].below), (2, 2));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn descendants(&self, id: impl Into<EventId>) -> Query<Descendants> {
        Query::new(Descendants::new(self.view(), id.into()))
    }

    /// The topmost known event that the event goes back to. O(log n).
    ///
    /// ```
    /// use forebear::{Event, EventId, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// assert_eq!(store.snapshot().root("failure")?, Some(EventId::from("ask")));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn root(&self, id: impl Into<EventId>) -> Result<Option<EventId>> {
        let Some(seq) = self.view.find(&id.into())? else { return Ok(None) };
        Ok(Some(self.view.position(seq)?.root_id))
    }

    /// Edges between the event and its root. O(log n).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// assert_eq!(store.snapshot().depth("failure")?, Some(1));
    /// assert_eq!(store.snapshot().depth("unknown")?, None);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn depth(&self, id: impl Into<EventId>) -> Result<Option<u64>> {
        let Some(seq) = self.view.find(&id.into())? else { return Ok(None) };
        Ok(Some(self.view.position(seq)?.depth))
    }

    /// Whether `descendant` goes back to `ancestor`; an event is not its own
    /// ancestor. False where either is not stored. O(difference in depth).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// assert!(store.snapshot().is_ancestor("ask", "failure")?);
    /// assert!(!store.snapshot().is_ancestor("failure", "ask")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_ancestor(
        &self,
        ancestor: impl Into<EventId>,
        descendant: impl Into<EventId>,
    ) -> Result<bool> {
        common::is_ancestor(&self.view, &ancestor.into(), &descendant.into())
    }

    /// The ancestor of `id` that has this depth, 0 being its root; the event
    /// itself at its own depth. None if the event is not stored or not so deep.
    /// O(difference in depth).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("job").id("call").parent("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("call"))?;
    /// let ancestor = store.snapshot().ancestor_at("failure", 1)?.expect("it is as deep");
    /// assert_eq!(ancestor.id().to_string(), "call");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn ancestor_at(&self, id: impl Into<EventId>, depth: u64) -> Result<Option<StoredEvent>> {
        common::ancestor_at(&self.view, &id.into(), depth)
    }

    /// The nearest event that both go back to; none if either is not stored.
    /// O(depth).
    ///
    /// ```
    /// use forebear::{CommonCause, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("plan").id("plan"))?;
    /// store.append(Event::new("job").id("a").parent("plan"))?;
    /// store.append(Event::new("job").id("b").parent("plan"))?;
    /// match store.snapshot().common_cause("a", "b")? {
    ///     Some(CommonCause::Found(event)) => assert_eq!(event.id().to_string(), "plan"),
    ///     other => panic!("expected the plan, found {other:?}"),
    /// }
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn common_cause(
        &self,
        a: impl Into<EventId>,
        b: impl Into<EventId>,
    ) -> Result<Option<CommonCause>> {
        common::common_cause(&self.view, &a.into(), &b.into())
    }

    /// The events that the filter takes, newest first unless asked otherwise.
    ///
    /// The rarest of the filter's values is read from its index, in order of time; the
    /// other conditions are checked for each event found there.
    ///
    /// ```
    /// use forebear::{Detail, Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").session("morning").time_ns(1))?;
    /// store.append(Event::new("error").session("morning").time_ns(2))?;
    /// let snapshot = store.snapshot();
    /// let morning = snapshot.events(Filter::new().session("morning"));
    /// assert_eq!(morning.page()?.items[0].kind(), "error", "newest first");
    /// let ids = morning.oldest_first().limit(1).detail(Detail::Ids).page()?;
    /// assert_eq!(ids.items[0].seq(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn events(&self, filter: impl Into<Filter>) -> Query<Events> {
        let (view, filter) = (self.view(), filter.into());
        Query::new(Events { view, filter, oldest_first: false, detail: Detail::default() })
    }

    /// How many events the filter takes, by value, the most frequent first. Each page
    /// counts anew: O(events that have the filter's rarest value); by a label O(events
    /// that have the label).
    ///
    /// ```
    /// use forebear::{CountBy, Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let call = |queue| Event::new("job").label("queue", queue);
    /// store.append_batch(["mail", "slow", "mail"].map(call))?;
    /// let queues = CountBy::Label("queue".into());
    /// let counts = store.snapshot().counts(queues, Filter::new()).page()?.items;
    /// assert_eq!((counts[0].value.as_str(), counts[0].count), ("mail", 2));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn counts(&self, by: CountBy, filter: impl Into<Filter>) -> Query<Counts> {
        Query::new(Counts { view: self.view(), by, filter: filter.into() })
    }

    /// How many events the filter takes, in stretches of time `bucket` long, from the
    /// oldest on; stretches without events are left out. O(events counted).
    ///
    /// A page fails where `bucket` is 0 ([`Error::is_invalid`](crate::Error::is_invalid)).
    ///
    /// ```
    /// use std::time::Duration;
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append_batch([10, 20, 2_000].map(|ms| Event::new("tick").time_ns(ms * 1_000_000)))?;
    /// let seconds = store.snapshot().timeline(Duration::from_secs(1), Filter::new()).page()?.items;
    /// assert_eq!((seconds[0].start_ns, seconds[0].count), (0, 2));
    /// assert_eq!((seconds[1].start_ns, seconds[1].count), (2_000_000_000, 1));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn timeline(&self, bucket: Duration, filter: impl Into<Filter>) -> Query<Timeline> {
        Query::new(Timeline { view: self.view(), bucket, filter: filter.into() })
    }

    /// Events that neither name a parent nor were linked to one, in the order they were
    /// stored. O(events up to the page's last).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").parent("ask"))?;
    /// store.append(Event::new("error").parent("never stored"))?;
    /// let roots = store.snapshot().roots().page()?.items;
    /// assert_eq!((roots.len(), roots[0].kind()), (1, "request"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn roots(&self) -> Query<Roots> {
        Query::new(Roots { view: self.view(), detail: Detail::default() })
    }

    /// Parents that are named and not stored, in the order they were first named.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("error").id("failure").parent("call"))?;
    /// let missing = store.snapshot().missing_parents().page()?.items;
    /// assert_eq!((missing[0].id.to_string().as_str(), missing[0].children), ("call", 1));
    /// store.append(Event::new("job").id("call"))?;
    /// assert!(store.snapshot().missing_parents().page()?.items.is_empty());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn missing_parents(&self) -> Query<MissingParents> {
        Query::new(MissingParents { view: self.view() })
    }

    /// Links that were refused, in the order they were.
    ///
    /// ```
    /// use forebear::{Event, EventId, LinkKind, Linked, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("error").id("failure").parent("call"))?;
    /// assert_eq!(store.link("failure", "other", LinkKind::Caused)?, Linked::Refused);
    /// let refused = store.snapshot().refused_links().page()?.items;
    /// assert_eq!(refused[0].parent, Some(EventId::from("call")), "named by the event itself");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn refused_links(&self) -> Query<RefusedLinks> {
        Query::new(RefusedLinks { view: self.view() })
    }

    /// Links that would close a cycle and are never followed, in the order they were
    /// found.
    ///
    /// ```
    /// use forebear::{Event, LinkKind, Linked, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("egg").id("egg"))?;
    /// store.append(Event::new("hen").id("hen").parent("egg"))?;
    /// assert_eq!(store.link("egg", "hen", LinkKind::Caused)?, Linked::CycleEdge);
    /// assert_eq!(store.snapshot().cycle_edges().page()?.items[0].child.to_string(), "egg");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn cycle_edges(&self) -> Query<CycleEdges> {
        Query::new(CycleEdges { view: self.view() })
    }

    /// Input that could not be understood, in the order it was read. A page ends sooner
    /// once its input comes to more than 32 MiB.
    ///
    /// ```
    /// use forebear::{Batch, Quarantined, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.write(Batch::new().quarantine(Quarantined {
    ///     source: "session.jsonl".into(),
    ///     line: 7,
    ///     offset: 1_204,
    ///     length: 3,
    ///     reason: "expected an object, found a list".into(),
    ///     bytes: b"[1]".to_vec(),
    /// }))?;
    /// assert_eq!(store.snapshot().quarantined().page()?.items[0].line, 7);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn quarantined(&self) -> Query<QuarantinedInput> {
        Query::new(QuarantinedInput { view: self.view() })
    }

    /// State of the kind with this name. Fails with
    /// [`Error::is_unsupported`](crate::Error::is_unsupported) where the store was opened
    /// without that kind.
    ///
    /// An example is at [`StateKind`](crate::state::StateKind).
    pub fn state(&self, kind: &str) -> Result<State<'_>> {
        State::new(&self.view, kind)
    }

    /// The sequence number of the first event that has not expired.
    pub fn first_seq(&self) -> u64 {
        self.view.first_seq()
    }

    /// Whether an event with this sequence number is there and has not expired.
    pub fn holds(&self, seq: u64) -> bool {
        self.view.holds(seq)
    }

    /// How far a source has been read: the position of its newest
    /// [`Checkpoint`](crate::Checkpoint). O(log n), one record read.
    ///
    /// ```
    /// use forebear::{Batch, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.write(Batch::new().checkpoint("app.log", "120"))?;
    /// assert_eq!(store.snapshot().checkpoint("app.log")?, Some(b"120".to_vec()));
    /// assert_eq!(store.snapshot().checkpoint("other.log")?, None);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn checkpoint(&self, source: &str) -> Result<Option<Vec<u8>>> {
        self.view.state(KindId::CHECKPOINT, source)
    }

    /// The newest checkpoint of each source, in order of sources.
    /// O(segments that have any, for each page).
    ///
    /// ```
    /// use forebear::{Batch, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.write(Batch::new().checkpoint("b.log", "7").checkpoint("a.log", "3"))?;
    /// let page = store.snapshot().checkpoints().page()?;
    /// let sources: Vec<_> = page.items.iter().map(|read| read.source.as_str()).collect();
    /// assert_eq!(sources, ["a.log", "b.log"]);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn checkpoints(&self) -> Query<Checkpoints> {
        Query::new(Checkpoints { view: self.view() })
    }

    /// Figures of the whole snapshot. O(events of the active log).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// let stats = store.snapshot().stats()?;
    /// assert_eq!((stats.events, stats.roots, stats.max_depth), (2, 1, 1));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn stats(&self) -> Result<Stats> {
        stats::stats(&self.view)
    }

    /// The segments, oldest first. O(segments + rows of the logs).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started").time_ns(5))?;
    /// store.seal()?;
    /// let segments = store.snapshot().segments();
    /// assert_eq!((segments.len(), segments[0].to_ns), (2, Some(5)));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn segments(&self) -> Vec<SegmentInfo> {
        segments::segments(&self.view)
    }

    /// The asserted link that an event's parent comes from, where it did not name one.
    ///
    /// ```
    /// use forebear::{Event, LinkKind, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("worker"))?;
    /// store.link("worker", "call", LinkKind::Spawned)?;
    /// let link = store.snapshot().asserted_link("worker")?.expect("it was linked");
    /// assert_eq!(link.kind(), LinkKind::Spawned);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn asserted_link(&self, id: impl Into<EventId>) -> Result<Option<Link>> {
        let id = id.into();
        let Some(seq) = self.view.find(&id)? else { return Ok(None) };
        let Some((source, row)) = self.view.locate(seq)? else { return Ok(None) };
        if source.flags(row)?.has(Flags::NAMED) {
            return Ok(None);
        }
        Ok(self.view.asserted_link(&id)?.map(|asserted| asserted.link))
    }

    /// The event or version with this sequence number, with its payload.
    pub fn event(&self, seq: u64) -> Result<StoredEvent> {
        self.view.event(seq)
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }
}
