//! A fixed view of a store: everything that can be asked.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::backup::{self, Backup};
use crate::base::count_by::CountBy;
use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::event::Quarantined;
use crate::base::id::EventId;
use crate::base::link::Link;
use crate::base::page::{Cursor, Page};
use crate::base::row::Flags;
use crate::base::state::KindId;
use crate::lineage::chain::{Chain, ChainOptions};
use crate::lineage::common::{self, CommonCause};
use crate::lineage::pieces::{Position, Tops};
use crate::lineage::tree::{self, Descendant, TreeOptions};
use crate::query::counts::{self, Bucket, Count};
use crate::query::events;
use crate::query::filter::Filter;
use crate::query::listings::{self, ClosingLink, MissingParent, RefusedLink, Resolved};
use crate::query::missing;
use crate::query::segments::{self, SegmentInfo};
use crate::query::stats::{self, Stats};
use crate::state::State;
use crate::state::checkpoint::{self, Checkpoint};
use crate::verify::{self, Finding, Verified};
use crate::view::View;
use crate::view::source::LastRead;
use crate::view::stored::{Content, Found, Lineage, StoredEvent};

/// A store as it was at one moment. What is written later does not show; the
/// writer is not held up. Cheap to make and to clone.
///
/// Its methods fail where the log can't be read or isn't what was written
/// ([`Error::is_damaged`](crate::Error::is_damaged)). Listings come in pages, at
/// most 1000 items each, fewer once they hold more than 32 MiB: see [`Page`].
///
/// ```
/// use forebear::{Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("started").id("boot"))?;
/// let snapshot = store.snapshot();
/// store.append(Event::new("ended").parent("boot"))?;
/// assert_eq!(snapshot.events(&Filter::new())?.items.len(), 1, "as it was");
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
            Some(seq) => self.event(seq).map(Some),
            None => Ok(None),
        }
    }

    /// The event with this id and its later versions, in the order they were
    /// stored, from `after` on, at most 1000.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("note").id("n").payload("first"))?;
    /// store.append(Event::new("note").id("n").payload("second"))?;
    /// let versions = store.snapshot().versions("n", None)?.items;
    /// assert_eq!(versions[1].payload(), Some(b"second".as_slice()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn versions(
        &self,
        id: impl Into<EventId>,
        after: Option<Cursor>,
    ) -> Result<Page<StoredEvent>> {
        listings::versions(self, &id.into(), after)
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

    /// The event whose id this is, or else whose UUID begins with it. Looking
    /// for a beginning costs a nanosecond or two for each event of the active log.
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
        listings::resolve(self, prefix)
    }

    /// The walk from an event to its root; none if the event is not stored.
    ///
    /// ```
    /// use forebear::{ChainOptions, Event, LinkKind, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call"))?;
    /// store.append(Event::new("request").id("worker").parent("call").link(LinkKind::Spawned))?;
    /// let snapshot = store.snapshot();
    /// let whole = snapshot.chain("worker", &ChainOptions::new())?.expect("it is stored");
    /// assert_eq!(whole.count(), 2);
    /// let within = ChainOptions::new().stop_at(LinkKind::Spawned);
    /// assert_eq!(snapshot.chain("worker", &within)?.expect("it is stored").count(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn chain(
        &self,
        id: impl Into<EventId>,
        options: &ChainOptions,
    ) -> Result<Option<Chain<'_>>> {
        Chain::new(self, &id.into(), options)
    }

    /// The events whose parent this is, in the order in which the links became
    /// known, from `after` on, at most 1000.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("plan").id("plan"))?;
    /// store.append(Event::new("job").id("a").parent("plan"))?;
    /// store.append(Event::new("job").id("b").parent("plan"))?;
    /// let children = store.snapshot().children("plan", None)?.items;
    /// assert_eq!(children[1].id().to_string(), "b");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn children(
        &self,
        id: impl Into<EventId>,
        after: Option<Cursor>,
    ) -> Result<Page<StoredEvent>> {
        tree::children(self, &id.into(), after)
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
    /// let siblings = store.snapshot().siblings("a", None)?.items;
    /// assert_eq!(siblings.len(), 1, "itself left out");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn siblings(
        &self,
        id: impl Into<EventId>,
        after: Option<Cursor>,
    ) -> Result<Page<StoredEvent>> {
        tree::siblings(self, &id.into(), after)
    }

    /// The events that go back to this one, itself left out.
    ///
    /// A page costs O(items) depth first, O(items so far) breadth first.
    ///
    /// ```
    /// use forebear::{Event, Store, TreeOptions};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("plan").id("plan"))?;
    /// store.append(Event::new("job").id("call").parent("plan"))?;
    /// store.append(Event::new("error").id("failure").parent("call"))?;
    /// let below = store.snapshot().descendants("plan", &TreeOptions::new())?.items;
    /// assert_eq!((below.len(), below[1].below), (2, 2));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn descendants(
        &self,
        id: impl Into<EventId>,
        options: &TreeOptions,
    ) -> Result<Page<Descendant>> {
        tree::descendants(self, &id.into(), options)
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
        common::is_ancestor(self, &ancestor.into(), &descendant.into())
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
        common::ancestor_at(self, &id.into(), depth)
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
        common::common_cause(self, &a.into(), &b.into())
    }

    /// The events that the filter takes, a page at a time.
    ///
    /// The rarest of the filter's values is read from its index, in order of
    /// time; the other conditions are checked for each event found there.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").session("morning").time_ns(1))?;
    /// store.append(Event::new("error").session("morning").time_ns(2))?;
    /// let page = store.snapshot().events(&Filter::new().session("morning"))?;
    /// assert_eq!(page.items[0].kind(), "error", "newest first");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn events(&self, filter: &Filter) -> Result<Page<StoredEvent>> {
        events::events(self, filter)
    }

    /// The newest `n` events of an instance, at most 1000.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append_batch((0..10).map(|n| Event::new("tick").instance("clock").time_ns(n)))?;
    /// let recent = store.snapshot().recent("clock", 3)?;
    /// assert_eq!(recent.iter().map(|event| event.time_ns()).collect::<Vec<_>>(), [9, 8, 7]);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn recent(&self, instance: &str, n: usize) -> Result<Vec<StoredEvent>> {
        Ok(self.events(&Filter::new().instance(instance).limit(n))?.items)
    }

    /// How many events the filter takes, by value, the most frequent first, at
    /// most 1000 values. The filter's order, limit and cursor do not matter.
    /// O(events that have the filter's rarest value); by a label O(events that
    /// have the label).
    ///
    /// ```
    /// use forebear::{CountBy, Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let call = |queue| Event::new("job").label("queue", queue);
    /// store.append_batch(["mail", "slow", "mail"].map(call))?;
    /// let counts = store.snapshot().count_by(&CountBy::Label("queue".into()), &Filter::new())?;
    /// assert_eq!((counts[0].value.as_str(), counts[0].count), ("mail", 2));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn count_by(&self, by: &CountBy, filter: &Filter) -> Result<Vec<Count>> {
        counts::count_by(self, by, filter)
    }

    /// How many events the filter takes, in stretches of time `bucket` long,
    /// from the oldest on; stretches without events are left out. At most 1000.
    /// The filter's order and limit do not matter. O(events counted).
    ///
    /// Fails where `bucket` is 0 ([`Error::is_invalid`](crate::Error::is_invalid)).
    ///
    /// ```
    /// use std::time::Duration;
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append_batch([10, 20, 2_000].map(|ms| Event::new("tick").time_ns(ms * 1_000_000)))?;
    /// let seconds = store.snapshot().timeline(Duration::from_secs(1), &Filter::new())?.items;
    /// assert_eq!((seconds[0].start_ns, seconds[0].count), (0, 2));
    /// assert_eq!((seconds[1].start_ns, seconds[1].count), (2_000_000_000, 1));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn timeline(&self, bucket: Duration, filter: &Filter) -> Result<Page<Bucket>> {
        counts::timeline(self, bucket, filter)
    }

    /// Events that neither name a parent nor were linked to one, in the order
    /// they were stored, at most 1000. O(events up to the page's last).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").parent("ask"))?;
    /// store.append(Event::new("error").parent("never stored"))?;
    /// let roots = store.snapshot().roots(None)?.items;
    /// assert_eq!((roots.len(), roots[0].kind()), (1, "request"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn roots(&self, after: Option<Cursor>) -> Result<Page<StoredEvent>> {
        listings::roots(self, after)
    }

    /// Parents that are named and not stored, in the order they were first
    /// named, at most 1000.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("error").id("failure").parent("call"))?;
    /// let missing = store.snapshot().missing_parents(None)?.items;
    /// assert_eq!((missing[0].id.to_string().as_str(), missing[0].children), ("call", 1));
    /// store.append(Event::new("job").id("call"))?;
    /// assert!(store.snapshot().missing_parents(None)?.items.is_empty());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn missing_parents(&self, after: Option<Cursor>) -> Result<Page<MissingParent>> {
        missing::missing_parents(self, after)
    }

    /// Links that were refused, in the order they were, at most 1000.
    ///
    /// ```
    /// use forebear::{Event, EventId, LinkKind, Linked, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("error").id("failure").parent("call"))?;
    /// assert_eq!(store.link("failure", "other", LinkKind::Caused)?, Linked::Refused);
    /// let refused = store.snapshot().refused_links(None)?.items;
    /// assert_eq!(refused[0].parent, Some(EventId::from("call")), "named by the event itself");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn refused_links(&self, after: Option<Cursor>) -> Result<Page<RefusedLink>> {
        listings::refused_links(self, after)
    }

    /// Links that close a cycle, in the order they were found, at most 1000.
    ///
    /// ```
    /// use forebear::{Event, LinkKind, Linked, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("egg").id("egg"))?;
    /// store.append(Event::new("hen").id("hen").parent("egg"))?;
    /// assert_eq!(store.link("egg", "hen", LinkKind::Caused)?, Linked::Closing);
    /// assert_eq!(store.snapshot().closing_links(None)?.items[0].child.to_string(), "egg");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn closing_links(&self, after: Option<Cursor>) -> Result<Page<ClosingLink>> {
        listings::closing_links(self, after)
    }

    /// Input that could not be understood, in the order it was read. A page ends
    /// at 1000 pieces, or sooner, behind the one with which their bytes come to more
    /// than 32 MiB.
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
    /// assert_eq!(store.snapshot().quarantined(None)?.items[0].line, 7);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn quarantined(&self, after: Option<Cursor>) -> Result<Page<Quarantined>> {
        listings::quarantined(self, after)
    }

    /// State of the kind with this name. Fails with [`Error::is_unsupported`] where the
    /// store was opened without that kind.
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
    /// [`Checkpoint`]. O(log n), one record read.
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
    /// let page = store.snapshot().checkpoints(None)?;
    /// let sources: Vec<_> = page.items.iter().map(|read| read.source.as_str()).collect();
    /// assert_eq!(sources, ["a.log", "b.log"]);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn checkpoints(&self, after: Option<Cursor>) -> Result<Page<Checkpoint>> {
        checkpoint::list(&self.view, after)
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
        stats::stats(self)
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

    /// Checks every file against its digests and against all others, and tells what
    /// is not as it was written. Reads everything; some microseconds an event, and
    /// the memory of one segment's index.
    ///
    /// Fails where a file can't be read, as opposed to being damaged.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started"))?;
    /// store.seal()?;
    /// let verified = store.snapshot().verify(&mut |finding| eprintln!("{finding}"))?;
    /// assert!(verified.is_sound());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn verify(&self, tell: &mut dyn FnMut(Finding)) -> Result<Verified> {
        verify::verify(&self.view, tell)
    }

    /// Makes a copy of the store in an empty folder, which is made if it is missing:
    /// a store of its own that holds what this snapshot sees. Sealed files, which
    /// never change, are linked where the file system can; logs are copied.
    ///
    /// Fails with [`Error::is_expired`] where segments were dropped meanwhile: try
    /// again with a new snapshot and another folder.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let store = Store::open(folder.path().join("events.forebear"))?;
    /// store.append(Event::new("started").id("boot"))?;
    /// let copy = folder.path().join("copy.forebear");
    /// store.snapshot().backup(&copy)?;
    /// assert!(Store::open(&copy)?.snapshot().contains("boot")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn backup(&self, folder: impl AsRef<Path>) -> Result<Backup> {
        backup::backup(&self.view, folder.as_ref())
    }

    /// The claim that an event's parent comes from, where it did not name one.
    ///
    /// ```
    /// use forebear::{Event, LinkKind, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("worker"))?;
    /// store.link("worker", "call", LinkKind::Spawned)?;
    /// let claim = store.snapshot().claimed_link("worker")?.expect("it was linked");
    /// assert_eq!(claim.kind(), LinkKind::Spawned);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn claimed_link(&self, id: impl Into<EventId>) -> Result<Option<Link>> {
        let id = id.into();
        let Some(seq) = self.view.find(&id)? else { return Ok(None) };
        let Some((source, row)) = self.view.locate(seq)? else { return Ok(None) };
        if source.flags(row)?.has(Flags::NAMED) {
            return Ok(None);
        }
        Ok(self.view.claim(&id)?.map(|claim| claim.link))
    }

    /// The event or version with this sequence number, with its payload.
    pub fn event(&self, seq: u64) -> Result<StoredEvent> {
        let found = self.found(seq, Detail::Payload, Cursor::NONE)?;
        self.load(found, Detail::Payload, &mut LastRead::default())
    }

    /// What the index holds of a row.
    pub(crate) fn found(&self, seq: u64, detail: Detail, after: Cursor) -> Result<Found> {
        self.found_by(seq, detail, after, &mut Tops::default())
    }

    /// The same for one of many rows, which mostly have anchors in common.
    pub(crate) fn found_by(
        &self,
        seq: u64,
        detail: Detail,
        after: Cursor,
        tops: &mut Tops,
    ) -> Result<Found> {
        let Some((source, row)) = self.view.locate(seq)? else {
            return Err(Error::expired(seq));
        };
        let columns = source.columns(row)?;
        let up = self.view.up_from(&source, row)?;
        let Position { root_id: root, depth, .. } = self.view.position_by(seq, tops)?;
        let lineage = Lineage { parent: up.parent_id(&self.view)?, link: up.kind(), depth, root };
        let names = if detail == Detail::Columns { Some(source.names(row)?) } else { None };
        Ok(Found { columns, lineage, names, after })
    }

    /// Loads what was found.
    pub(crate) fn load(
        &self,
        found: Found,
        detail: Detail,
        last: &mut LastRead,
    ) -> Result<StoredEvent> {
        let Found { columns, lineage, names, .. } = found;
        let content = if let Some(names) = names {
            Content::Names(names)
        } else {
            let Some((source, row)) = self.view.locate(columns.seq)? else {
                return Err(Error::expired(columns.seq));
            };
            source.content(row, columns.place, detail, last)?
        };
        Ok(StoredEvent { columns, lineage, content })
    }

    /// Loads a page of events.
    pub(crate) fn load_page(&self, page: Page<Found>, detail: Detail) -> Result<Page<StoredEvent>> {
        let mut last = LastRead::default();
        let load = |found| self.load(found, detail, &mut last);
        page.load(|found| found.after, load, StoredEvent::own_bytes)
    }
}
