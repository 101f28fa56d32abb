//! A fixed view of a store: everything that can be asked.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::event::{Link, Quarantined};
use crate::id::EventId;
use crate::lineage::chain::{Chain, ChainOptions};
use crate::lineage::common::{self, CommonCause};
use crate::lineage::tree::{self, Descendant, TreeOptions};
use crate::log::index::{Flags, Index, NONE, Parent, Position};
use crate::log::reader::Via;
use crate::log::windows::LastWindow;
use crate::query::counts::{self, Bucket, Count, CountBy};
use crate::query::events;
use crate::query::filter::Filter;
use crate::query::listings::{self, ClosingLink, MissingParent, RefusedLink, Resolved};
use crate::query::page::{Cursor, Page};
use crate::query::stats::{self, Stats};
use crate::shared::{Shared, Visible};
use crate::stored::{Columns, Content, Detail, Found, Names, StoredEvent};

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
    pub(crate) shared: Arc<Shared>,
    pub(crate) visible: Visible,
}

impl Snapshot {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), visible: shared.visible() }
    }

    /// The event with this id: its first version. O(log n), one record read.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("tool_use").id("call").payload("ls"))?;
    /// let event = store.snapshot().get("call")?.expect("it is stored");
    /// assert_eq!((event.kind(), event.payload()), ("tool_use", Some(b"ls".as_slice())));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn get(&self, id: impl Into<EventId>) -> Result<Option<StoredEvent>> {
        let index = self.shared.index.read();
        let Some(row) = self.find(&index, &id.into()) else {
            return Ok(None);
        };
        let found = self.found(&index, row, Detail::Payload, Cursor::NONE);
        drop(index);
        self.load(found, Detail::Payload, &mut LastWindow::default()).map(Some)
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
        Ok(self.find(&self.shared.index.read(), &id.into()).is_some())
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
        Ok(listings::resolve(self, prefix))
    }

    /// The walk from an event to its root; none if the event is not stored.
    ///
    /// ```
    /// use forebear::{ChainOptions, Event, LinkKind, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("tool_use").id("call"))?;
    /// store.append(Event::new("user_message").id("agent").parent("call").link(LinkKind::Spawned))?;
    /// let snapshot = store.snapshot();
    /// let whole = snapshot.chain("agent", &ChainOptions::new())?.expect("it is stored");
    /// assert_eq!(whole.count(), 2);
    /// let within = ChainOptions::new().stop_at(LinkKind::Spawned);
    /// assert_eq!(snapshot.chain("agent", &within)?.expect("it is stored").count(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn chain(
        &self,
        id: impl Into<EventId>,
        options: &ChainOptions,
    ) -> Result<Option<Chain<'_>>> {
        Ok(Chain::new(self, &id.into(), options))
    }

    /// The events whose parent this is, in the order in which the links became
    /// known, from `after` on, at most 1000.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("plan").id("plan"))?;
    /// store.append(Event::new("tool_use").id("a").parent("plan"))?;
    /// store.append(Event::new("tool_use").id("b").parent("plan"))?;
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
    /// store.append(Event::new("tool_use").id("a").parent("plan"))?;
    /// store.append(Event::new("tool_use").id("b").parent("plan"))?;
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
    /// store.append(Event::new("tool_use").id("call").parent("plan"))?;
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
    /// store.append(Event::new("user_message").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// assert_eq!(store.snapshot().root("failure")?, Some(EventId::from("ask")));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn root(&self, id: impl Into<EventId>) -> Result<Option<EventId>> {
        let index = self.shared.index.read();
        let row = self.find(&index, &id.into());
        Ok(row.map(|row| index.id(self.position(&index, row).anchor)))
    }

    /// Edges between the event and its root. O(log n).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("user_message").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// assert_eq!(store.snapshot().depth("failure")?, Some(1));
    /// assert_eq!(store.snapshot().depth("unknown")?, None);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn depth(&self, id: impl Into<EventId>) -> Result<Option<u64>> {
        let index = self.shared.index.read();
        let row = self.find(&index, &id.into());
        Ok(row.map(|row| u64::from(self.position(&index, row).depth)))
    }

    /// Whether `descendant` goes back to `ancestor`; an event is not its own
    /// ancestor. False where either is not stored. O(difference in depth).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("user_message").id("ask"))?;
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
        Ok(common::is_ancestor(self, &ancestor.into(), &descendant.into()))
    }

    /// The ancestor of `id` that has this depth, 0 being its root; the event
    /// itself at its own depth. None if the event is not stored or not so deep.
    /// O(difference in depth).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("user_message").id("ask"))?;
    /// store.append(Event::new("tool_use").id("call").parent("ask"))?;
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
    /// store.append(Event::new("tool_use").id("a").parent("plan"))?;
    /// store.append(Event::new("tool_use").id("b").parent("plan"))?;
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
    /// store.append(Event::new("tool_use").session("morning").time_ns(1))?;
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
    /// let call = |tool| Event::new("tool_use").label("tool", tool);
    /// store.append_batch(["Bash", "Read", "Bash"].map(call))?;
    /// let counts = store.snapshot().count_by(&CountBy::Label("tool".into()), &Filter::new())?;
    /// assert_eq!((counts[0].value.as_str(), counts[0].count), ("Bash", 2));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn count_by(&self, by: &CountBy, filter: &Filter) -> Result<Vec<Count>> {
        Ok(counts::count_by(self, by, filter))
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
    /// store.append(Event::new("user_message").id("ask"))?;
    /// store.append(Event::new("error").parent("ask"))?;
    /// store.append(Event::new("error").parent("never stored"))?;
    /// let roots = store.snapshot().roots(None)?.items;
    /// assert_eq!((roots.len(), roots[0].kind()), (1, "user_message"));
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
    /// store.append(Event::new("tool_use").id("call"))?;
    /// assert!(store.snapshot().missing_parents(None)?.items.is_empty());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn missing_parents(&self, after: Option<Cursor>) -> Result<Page<MissingParent>> {
        Ok(listings::missing_parents(self, after))
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
        Ok(listings::refused_links(self, after))
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
        Ok(listings::closing_links(self, after))
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

    /// Figures of the whole snapshot. O(events of the active log).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("user_message").id("ask"))?;
    /// store.append(Event::new("error").id("failure").parent("ask"))?;
    /// let stats = store.snapshot().stats()?;
    /// assert_eq!((stats.events, stats.roots, stats.max_depth), (2, 1, 1));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn stats(&self) -> Result<Stats> {
        Ok(stats::stats(self))
    }

    /// The claim that an event's parent comes from, where it did not name one.
    ///
    /// ```
    /// use forebear::{Event, LinkKind, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("user_message").id("agent"))?;
    /// store.link("agent", "call", LinkKind::Spawned)?;
    /// let claim = store.snapshot().claimed_link("agent")?.expect("it was linked");
    /// assert_eq!(claim.kind(), LinkKind::Spawned);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn claimed_link(&self, id: impl Into<EventId>) -> Result<Option<Link>> {
        let index = self.shared.index.read();
        let row = self.find(&index, &id.into());
        Ok(row.and_then(|row| index.claimed(row, self.visible.commit).cloned()))
    }

    /// The row of an event that this snapshot sees.
    pub(crate) fn find(&self, index: &Index, id: &EventId) -> Option<u32> {
        index.find(id).filter(|&row| self.sees(row))
    }

    pub(crate) fn sees(&self, row: u32) -> bool {
        row < self.visible.rows
    }

    pub(crate) fn position(&self, index: &Index, row: u32) -> Position {
        index.position(index.row(row).first, self.visible.commit)
    }

    /// An event's place and columns; its texts where they are not loaded with
    /// the record.
    pub(crate) fn found(&self, index: &Index, row: u32, detail: Detail, after: Cursor) -> Found {
        let position = self.position(index, row);
        let parent = index.parent(index.row(row).first, self.visible.commit);
        Found {
            columns: columns(index, row, &parent, u64::from(position.depth)),
            root: index.id(position.anchor),
            names: (detail == Detail::Columns).then(|| names(index, row)),
            after,
        }
    }

    /// Reads as much more of an event as is asked for.
    pub(crate) fn load(
        &self,
        found: Found,
        detail: Detail,
        last: &mut LastWindow,
    ) -> Result<StoredEvent> {
        let Found { columns, root, names, .. } = found;
        let content = self.content(columns.offset, names, detail, last)?;
        Ok(StoredEvent { columns, root, content })
    }

    /// The rest of an event: its texts, or else its record.
    pub(crate) fn content(
        &self,
        offset: u64,
        names: Option<Names>,
        detail: Detail,
        last: &mut LastWindow,
    ) -> Result<Content> {
        if let Some(names) = names {
            return Ok(Content::Names(names));
        }
        let (end, payload) = (self.visible.log_end, detail == Detail::Payload);
        let record = self.shared.reader.event(offset, end, payload, Via::Maps(last))?;
        Ok(Content::Record(record))
    }

    /// Reads as much more of each event of a page as is asked for. The page ends
    /// early once its events hold a lot of memory.
    pub(crate) fn load_page(&self, page: Page<Found>, detail: Detail) -> Result<Page<StoredEvent>> {
        let mut last = LastWindow::default();
        let load = |found| self.load(found, detail, &mut last);
        page.load(|found| found.after, load, StoredEvent::own_bytes)
    }
}

/// What the index holds of an event whose parent and depth are known, texts
/// aside.
pub(crate) fn columns(index: &Index, row: u32, parent: &Parent, depth: u64) -> Columns {
    let entry = index.row(row);
    let (parent, link) = match parent {
        Parent::None => (None, entry.flags.link()),
        Parent::Known(parent, kind) | Parent::Closing(parent, kind) => {
            (Some(index.id(*parent)), *kind)
        }
        Parent::Missing(parent, kind) => (Some(parent.clone()), *kind),
    };
    Columns {
        row,
        link,
        version: entry.flags.has(Flags::VERSION),
        derived_id: entry.flags.has(Flags::DERIVED),
        id: index.id(row),
        parent,
        depth,
        time_ns: entry.time_ns,
        offset: entry.offset,
    }
}

/// The texts that the index holds of an event.
pub(crate) fn names(index: &Index, row: u32) -> Names {
    let entry = index.row(row);
    Names {
        kind: Arc::clone(index.text(entry.kind)),
        instance: Arc::clone(index.text(entry.instance)),
        session: (entry.session != NONE).then(|| Arc::clone(index.text(entry.session))),
    }
}
