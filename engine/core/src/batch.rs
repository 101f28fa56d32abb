//! What is written as one, and what became of it.

use std::borrow::Cow;

use crate::base::error::{Error, Result};
use crate::base::event::{Event, Quarantined};
use crate::base::id::EventId;
use crate::base::kinds::Kinds;
use crate::base::limits;
use crate::base::link::{Link, Linked};
use crate::base::options::{Durability, WhenFull};
use crate::base::state::KindId;
use crate::base::validate::check_id;
use crate::log::encoded::{Encoded, EncodedBatch, Encoder};
use crate::state::checkpoint::Checkpoint;

/// Events, links, quarantined input and checkpoints that are written as one: after a crash
/// either all of them are there or none.
///
/// At most [`MAX_BATCH_RECORDS`](limits::MAX_BATCH_RECORDS) records and
/// [`MAX_BATCH_BYTES`](limits::MAX_BATCH_BYTES) encoded bytes (a single larger
/// record goes alone). Records apply in the order they were added, events first.
///
/// ```
/// use forebear::{Batch, Durability, Event, Link, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// let written = store.write(
///     Batch::new()
///         .event(Event::new("request").id("call"))
///         .event(Event::new("job").id("job"))
///         .link(Link::new("job", "call", LinkKind::Spawned))
///         .durability(Durability::Flush),
/// )?;
/// assert_eq!(written.events.len(), 2);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
    /// Events and what each stands for; those that stand for themselves are told elsewhere.
    pub(crate) retellings: Vec<(EventId, EventId)>,
    pub(crate) quarantined: Vec<Quarantined>,
    pub(crate) state: Vec<StateUpdate>,
    /// What was wrong with a patch or a relationship.
    pub(crate) refused: Option<Error>,
    pub(crate) durability: Option<Durability>,
    pub(crate) when_full: Option<WhenFull>,
}

/// Something new that is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateUpdate {
    /// The kind's name; none for a checkpoint.
    pub(crate) kind: Option<Cow<'static, str>>,
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
}

impl Batch {
    /// An empty batch.
    ///
    /// ```
    /// use forebear::{Batch, Event};
    ///
    /// assert!(Batch::new().is_empty());
    /// assert_eq!(Batch::from(Event::new("tick")).len(), 1);
    /// assert_eq!((0..3).map(|n| Event::new("tick").time_ns(n)).collect::<Batch>().len(), 3);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event.
    ///
    /// ```
    /// use forebear::{Batch, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let request = Event::new("request").id("a");
    /// let answer = Event::new("answer").parent("a");
    /// let batch = Batch::new().event(request).event(answer);
    /// assert_eq!(store.write(batch)?.events.len(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// Adds a link.
    ///
    /// ```
    /// use forebear::{Batch, Link, LinkKind, Linked, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let link = Link::new("job", "call", LinkKind::Spawned);
    /// let written = store.write(Batch::new().link(link.clone()).link(link))?;
    /// assert_eq!(written.links, [Linked::Accepted, Linked::Repeat]);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }

    /// Says that an event of this batch tells what another one does, and stands for it: that
    /// one is no longer listed nor counted, but for what is asked with
    /// [`Filter::with_superseded`](crate::Filter::with_superseded), and is found by its id as
    /// before. Nothing changes where the event was stored before, or where the other is not
    /// stored, is of another instance or session, or has one that stands for it already. The other
    /// is not to be revised later: lists would have its revision beside the event.
    ///
    /// ```
    /// use forebear::{Batch, Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("call_seen").id("early"))?;
    /// let batch = Batch::new().event(Event::new("call").id("line")).stands_for("line", "early");
    /// store.write(batch)?;
    /// let listed = store.snapshot().events(Filter::new()).page()?.items;
    /// assert_eq!(listed.iter().map(|event| event.kind()).collect::<Vec<_>>(), ["call"]);
    /// assert!(store.snapshot().contains("early")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn stands_for(mut self, event: impl Into<EventId>, other: impl Into<EventId>) -> Self {
        self.retellings.push((event.into(), other.into()));
        self
    }

    /// Says that what an event of this batch tells is told by another one that is stored: it is
    /// neither listed nor counted, as if that one [stood for](Self::stands_for) it. Nothing
    /// changes where the event was stored before.
    ///
    /// ```
    /// use forebear::{Batch, Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("call").id("line"))?;
    /// let batch = Batch::new().event(Event::new("call_seen").id("early")).told_elsewhere("early");
    /// store.write(batch)?;
    /// assert_eq!(store.snapshot().events(Filter::new()).page()?.items.len(), 1);
    /// assert!(store.snapshot().contains("early")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn told_elsewhere(mut self, event: impl Into<EventId>) -> Self {
        let event = event.into();
        self.retellings.push((event.clone(), event));
        self
    }

    /// Adds input that could not be understood.
    ///
    /// An example is at [`Quarantined`].
    #[must_use]
    pub fn quarantine(mut self, input: Quarantined) -> Self {
        self.quarantined.push(input);
        self
    }

    /// Adds how far a source has been read once this batch is written; see
    /// [`Checkpoint`]. Of several for one source, the last counts.
    ///
    /// ```
    /// use forebear::{Batch, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// for line in ["first", "second"] {
    ///     store.write(Batch::from(Event::new(line)).checkpoint("app.log", line))?;
    /// }
    /// assert_eq!(store.snapshot().checkpoint("app.log")?, Some(b"second".to_vec()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn checkpoint(mut self, source: impl Into<String>, position: impl Into<Vec<u8>>) -> Self {
        let (key, value) = (source.into(), position.into());
        self.state.push(StateUpdate { kind: None, key, value });
        self
    }

    /// Adds a value of a key of a [kind of state](crate::state::StateKind), which is
    /// folded behind those that are there. The kind checks it when the batch is written.
    ///
    /// An example is at [`StateKind`](crate::state::StateKind).
    #[must_use]
    pub fn state(
        mut self,
        kind: impl Into<Cow<'static, str>>,
        key: impl Into<String>,
        value: impl Into<Vec<u8>>,
    ) -> Self {
        let (kind, key, value) = (Some(kind.into()), key.into(), value.into());
        self.state.push(StateUpdate { kind, key, value });
        self
    }

    /// Has writing the batch fail with this error: for what adds records to a batch and
    /// found that it can't. Of several, the last counts.
    ///
    /// ```
    /// use forebear::{Batch, Error, Store};
    ///
    /// let batch = Batch::new().refuse(Error::invalid("expected a port, found \"x\""));
    /// assert!(Store::in_memory()?.write(batch).is_err_and(|error| error.is_invalid()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn refuse(mut self, error: Error) -> Self {
        self.refused = Some(error);
        self
    }

    /// Sets what the acknowledgement means, for this batch only.
    ///
    /// ```
    /// use forebear::{Batch, Durability, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let ticks = (0..100).map(|n| Event::new("tick").time_ns(n));
    /// store.write(ticks.collect::<Batch>().durability(Durability::Buffered))?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Sets what happens when the write queue is full, for this batch only.
    ///
    /// ```
    /// use forebear::{Batch, Event, Store, WhenFull};
    ///
    /// let store = Store::in_memory()?;
    /// let batch = Batch::from(Event::new("sample")).when_full(WhenFull::Return);
    /// match store.submit(batch) {
    ///     Err(error) if error.is_full() => eprintln!("left out a sample"),
    ///     receipt => drop(receipt?.wait()?),
    /// }
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = Some(when_full);
        self
    }

    /// How many records the batch holds.
    ///
    /// ```
    /// use forebear::{Batch, Event};
    ///
    /// assert_eq!(Batch::new().event(Event::new("tick")).len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        let Self { events, links, retellings, quarantined, state, .. } = self;
        events.len() + links.len() + retellings.len() + quarantined.len() + state.len()
    }

    /// Whether the batch holds nothing.
    ///
    /// ```
    /// assert!(forebear::Batch::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Encodes all records, state by the numbers that `kinds` give it, or where there
    /// are none by name. One event after the other is freed.
    pub(crate) fn encode(self, kinds: Option<&Kinds>) -> Result<EncodedBatch> {
        let mut encoder = Encoder::new(self.events.len());
        self.events.into_iter().for_each(|event| encoder.event(&event));
        let state = |update: StateUpdate| update.encode(kinds);
        Ok(EncodedBatch {
            events: encoder.finish(),
            links: self.links.iter().map(Encoded::link).collect(),
            retellings: (self.retellings.iter())
                .map(|(event, other)| Encoded::retelling(event, other))
                .collect(),
            quarantined: self.quarantined.into_iter().map(Encoded::quarantined).collect(),
            state: self.state.into_iter().map(state).collect::<Result<_>>()?,
        })
    }

    /// Checks the number of records and every field.
    pub(crate) fn validate(&self, max_payload: usize, kinds: &Kinds) -> Result<()> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        if self.len() > limits::MAX_BATCH_RECORDS {
            return Err(Error::too_many("batch records", limits::MAX_BATCH_RECORDS, self.len()));
        }
        self.events.iter().try_for_each(|event| event.validate(max_payload))?;
        self.links.iter().try_for_each(Link::validate)?;
        for (event, other) in &self.retellings {
            check_id("id", event)?;
            check_id("id", other)?;
        }
        self.quarantined.iter().try_for_each(|input| input.validate(max_payload))?;
        self.state.iter().try_for_each(|update| update.validate(max_payload, kinds))
    }
}

impl StateUpdate {
    pub(crate) fn validate(&self, max_payload: usize, kinds: &Kinds) -> Result<()> {
        let Some(kind) = &self.kind else { return Checkpoint::validate(&self.key, &self.value) };
        let most = limits::MAX_STATE_KEY_BYTES;
        if self.key.is_empty() || self.key.len() > most {
            return Err(Error::too_long("key of state", most, self.key.len()));
        }
        if self.value.len() > max_payload {
            return Err(Error::too_long("value of state", max_payload, self.value.len()));
        }
        kinds.validate(kinds.id(kind)?, &self.key, &self.value)
    }

    /// Encodes it by the number that `kinds` give its kind, or by name.
    pub(crate) fn encode(self, kinds: Option<&Kinds>) -> Result<Encoded> {
        let Self { kind, key, value } = self;
        Ok(match (kind, kinds) {
            (None, _) => Encoded::state(KindId::CHECKPOINT, key, &value),
            (Some(kind), Some(kinds)) => Encoded::state(kinds.id(&kind)?, key, &value),
            (Some(kind), None) => Encoded::named_state(kind.into_owned(), key, &value),
        })
    }
}

impl From<Event> for Batch {
    fn from(event: Event) -> Self {
        // Room for just one: a vector that is pushed to takes a kilobyte at once.
        Self::from(vec![event])
    }
}

impl From<Link> for Batch {
    fn from(link: Link) -> Self {
        Self::new().link(link)
    }
}

impl From<Vec<Event>> for Batch {
    fn from(events: Vec<Event>) -> Self {
        Self { events, ..Self::default() }
    }
}

impl FromIterator<Event> for Batch {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        Self::from(events.into_iter().collect::<Vec<_>>())
    }
}

/// What became of a batch: an entry for each record, in the order they were added.
///
/// ```
/// use forebear::{AppendStatus, Batch, Event, Link, LinkKind, Linked, Store};
///
/// let store = Store::in_memory()?;
/// let written = store.write(
///     Batch::new()
///         .event(Event::new("job").id("job"))
///         .link(Link::new("job", "call", LinkKind::Spawned)),
/// )?;
/// assert_eq!(written.events[0].status, AppendStatus::New);
/// assert_eq!(written.links[0], Linked::Accepted);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Written {
    /// For each event.
    pub events: Vec<Appended>,
    /// For each link.
    pub links: Vec<Linked>,
    /// For each quarantined input, whether it was new.
    pub quarantined: Vec<bool>,
}

/// What became of an appended event.
///
/// ```
/// use forebear::{Appended, AppendStatus, Event, EventId, Store};
///
/// let store = Store::in_memory()?;
/// let Appended { id, seq, status, .. } = store.append(Event::new("started").id("boot"))?;
/// assert_eq!((id, seq, status), (EventId::from("boot"), 1, AppendStatus::New));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Appended {
    /// The event's id.
    pub id: EventId,
    /// The sequence number of the row that holds it: its own, or for a repeat
    /// that of the equal row stored before.
    pub seq: u64,
    /// Whether it was new.
    pub status: AppendStatus,
    /// Whether an earlier segment that may know the event could not be read for damage, so
    /// that it may be stored there too, or name this one as its parent. A
    /// [warning](crate::WarningKind::Unchecked) says which.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub unchecked: bool,
}

#[cfg(feature = "serde")]
impl serde::Serialize for AppendStatus {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Whether an appended event was new.
///
/// ```
/// use forebear::{AppendStatus, Event, Store};
///
/// let store = Store::in_memory()?;
/// let append = |payload| store.append(Event::new("note").id("n").payload(payload));
/// assert_eq!(append("first")?.status, AppendStatus::New);
/// assert_eq!(append("first")?.status, AppendStatus::Repeat);
/// assert_eq!(append("other")?.status, AppendStatus::Version);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppendStatus {
    /// The first event with this id.
    New,
    /// Equal to the event of this id or to a version of it; nothing was stored.
    Repeat,
    /// The id was known with other content: stored as a version of it.
    Version,
}

impl AppendStatus {
    /// The status's name: `new`, `repeat` or `version`.
    ///
    /// ```
    /// assert_eq!(forebear::AppendStatus::Version.as_str(), "version");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            AppendStatus::New => "new",
            AppendStatus::Repeat => "repeat",
            AppendStatus::Version => "version",
        }
    }
}
