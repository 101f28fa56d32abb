//! What is stored: an event, and input that could not be understood.

mod getters;

#[cfg(feature = "serde")]
use std::any::type_name;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::link::LinkKind;
use crate::base::scope::Scope;
use crate::base::sync::now_ns;
use crate::base::time::Time;
use crate::base::validate::{check_id, check_len};

/// One thing that happened, and what caused it.
///
/// [`Event::new`] takes the kind; everything else is optional and has a setter.
/// Without an id the event gets a new UUIDv7, without a time it happened now.
/// Fields are checked when the event is appended. A setter has the plain name; what was
/// set is read by `as_` and that name.
///
/// ```
/// use forebear::{Event, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("request").id("a").instance("main").payload(r#"{"text":"hi"}"#))?;
/// store.append(Event::new("job").id("b").parent("a").label("queue", "mail"))?;
/// store.append(Event::new("request").id("c").parent("b").link(LinkKind::Spawned))?;
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub(crate) id: EventId,
    /// Whether forebear derived the id because the event had none.
    pub(crate) derived_id: bool,
    pub(crate) parent: Option<EventId>,
    pub(crate) link: LinkKind,
    pub(crate) kind: String,
    pub(crate) time_ns: i64,
    pub(crate) instance: String,
    pub(crate) session: Option<String>,
    pub(crate) scope: Scope,
    /// Sorted by key, each key once.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) payload_type: Option<String>,
    /// Whether it replaces what its id said before.
    pub(crate) revision: bool,
    pub(crate) usage: Option<Usage>,
}

/// The tokens that a message took, as one event reports them.
///
/// Several events may report on one message, the early ones less: within a session
/// the maximum of each field counts, once for each message.
///
/// ```
/// use forebear::{Event, SessionReads, Usage};
///
/// let store = forebear::in_memory()?;
/// let usage = |output| Usage { message: "m1".into(), input: 20, output, ..Usage::default() };
/// store.append(Event::new("thinking").session("s").usage(usage(3)))?;
/// store.append(Event::new("job").session("s").usage(usage(80)))?;
/// let session = store.snapshot().session("s")?.expect("it has events");
/// assert_eq!((session.tokens.input, session.tokens.output), (20, 80));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Usage {
    /// The message's id. Where it is empty the event counts by itself.
    pub message: String,
    /// Tokens read anew.
    pub input: u64,
    /// Tokens written by the model.
    pub output: u64,
    /// Tokens read from a cache.
    pub cache_read: u64,
    /// Tokens written to a cache.
    pub cache_written: u64,
}

impl Event {
    /// An event of this kind (`request`, `job`, … any text of 1 to
    /// [`MAX_KIND_BYTES`](limits::MAX_KIND_BYTES) bytes), with a new id,
    /// happening now.
    ///
    /// ```
    /// use forebear::{AppendStatus, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let appended = store.append(Event::new("request"))?;
    /// assert_eq!(appended.status, AppendStatus::New);
    /// assert!(appended.id.as_uuid().is_some());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            id: EventId::new(),
            derived_id: false,
            parent: None,
            link: LinkKind::Caused,
            kind: kind.into(),
            time_ns: now_ns(),
            instance: String::new(),
            session: None,
            scope: Scope::Session,
            labels: Vec::new(),
            payload: None,
            payload_type: None,
            revision: false,
            usage: None,
        }
    }

    /// Sets the id.
    ///
    /// ```
    /// use forebear::{Event, EventId};
    ///
    /// assert_eq!(Event::new("job").id("call-7").as_id(), &EventId::from("call-7"));
    /// ```
    #[must_use]
    pub fn id(mut self, id: impl Into<EventId>) -> Self {
        self.id = id.into();
        self.derived_id = false;
        self
    }

    /// Says that the id was derived because the event had none, as it is
    /// [of a stored event](crate::StoredEvent::has_derived_id) that is to be stored elsewhere.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("summary").id("s").mark_id_derived())?;
    /// assert!(store.snapshot().get("s")?.is_some_and(|event| event.has_derived_id()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn mark_id_derived(mut self) -> Self {
        self.derived_id = true;
        self
    }

    /// Sets the id to the `UUIDv8` of `content` (see [`EventId::derived`]) and
    /// marks the event as one that came without an id of its own.
    ///
    /// ```
    /// use forebear::{AppendStatus, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let line = r#"{"type":"summary"}"#;
    /// let event = Event::new("summary").derived_id("my-service line", line.as_bytes()).payload(line);
    /// store.append(event.clone())?;
    /// assert_eq!(store.append(event)?.status, AppendStatus::Repeat);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn derived_id(mut self, domain: &str, content: &[u8]) -> Self {
        self.id = EventId::derived(domain, content);
        self.derived_id = true;
        self
    }

    /// Names the event that caused this one. It need not be stored yet.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job_done").id("result").parent("call"))?;
    /// store.append(Event::new("job").id("call"))?;
    /// assert_eq!(store.snapshot().depth("result")?, Some(1));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn parent(mut self, parent: impl Into<EventId>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// Names the event that caused this one, where there is one; [`parent`](Self::parent)
    /// for a cause that need not be known.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let mut cause = None;
    /// for step in ["read", "check", "charge"] {
    ///     cause = Some(store.append(Event::new(step).parent_opt(cause))?.id);
    /// }
    /// assert_eq!(store.snapshot().depth(cause.expect("three steps"))?, Some(2));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn parent_opt(mut self, parent: Option<impl Into<EventId>>) -> Self {
        self.parent = parent.map(Into::into);
        self
    }

    /// Says how the event follows from its parent; [`LinkKind::Caused`] unless set.
    ///
    /// ```
    /// use forebear::{Event, LinkKind, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call"))?;
    /// store.append(Event::new("request").id("worker").parent("call").link(LinkKind::Spawned))?;
    /// assert_eq!(store.snapshot().get("worker")?.and_then(|event| event.link()), Some(LinkKind::Spawned));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn link(mut self, kind: LinkKind) -> Self {
        self.link = kind;
        self
    }

    /// Sets the time, in nanoseconds since the Unix epoch.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("tick").time_ns(1_700_000_000_000_000_000))?;
    /// let since = Filter::new().since_ns(1_600_000_000_000_000_000);
    /// assert_eq!(store.snapshot().events(since).page()?.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn time_ns(mut self, time_ns: i64) -> Self {
        self.time_ns = time_ns;
        self
    }

    /// Sets the time: a [`SystemTime`](std::time::SystemTime), a [`Time`], or under the
    /// features `jiff` and `chrono` a type of theirs. Times outside the years 1677 to
    /// 2262 are moved to the nearest that 64 bits of nanoseconds can hold.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use forebear::Event;
    ///
    /// let event = Event::new("tick").id("t").time(UNIX_EPOCH + Duration::from_millis(5));
    /// assert_eq!(event, Event::new("tick").id("t").time_ns(5_000_000));
    /// ```
    #[must_use]
    pub fn time(self, time: impl Into<Time>) -> Self {
        self.time_ns(time.into().ns())
    }

    /// Names the process, worker or thread that the event belongs to.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("tick").instance("worker-1"))?;
    /// let page = store.snapshot().events(Filter::new().instance("worker-1")).page()?;
    /// assert_eq!(page.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = instance.into();
        self
    }

    /// Names the session that the event belongs to.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("tick").session("2026-11-20"))?;
    /// let page = store.snapshot().events(Filter::new().session("2026-11-20")).page()?;
    /// assert_eq!(page.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Says whether the instance is an actor of its own within the session, which it is
    /// not unless this says so.
    ///
    /// An example is at [`Scope`].
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Adds a label, replacing the value that the key had.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call").label("queue", "slow").label("queue", "mail"))?;
    /// let event = store.snapshot().get("call")?.expect("it is stored");
    /// assert_eq!(event.label("queue"), Some("mail"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        match self.labels.binary_search_by(|(k, _)| k.as_str().cmp(&key)) {
            Ok(at) => self.labels[at].1 = value,
            Err(at) => self.labels.insert(at, (key, value)),
        }
        self
    }

    /// Sets the payload, kept byte for byte; normally a JSON document.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call").payload(r#"{ "to":  "ada" }"#))?;
    /// let event = store.snapshot().get("call")?.expect("it is stored");
    /// assert_eq!(event.payload(), Some(br#"{ "to":  "ada" }"#.as_slice()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// Sets the payload to a value as JSON. Only with feature `serde`.
    ///
    /// Fails where the value can't be JSON, as a map whose keys are no text
    /// ([`Error::is_invalid`]).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// # #[cfg(feature = "serde")] {
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("order").id("o").payload_json(&("book", 2))?)?;
    /// let event = store.snapshot().get("o")?.expect("it is stored");
    /// assert_eq!(event.payload_json::<(String, u32)>()?, Some(("book".to_owned(), 2)));
    /// # }
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[cfg(feature = "serde")]
    pub fn payload_json<T: serde::Serialize + ?Sized>(self, value: &T) -> Result<Self> {
        let payload = serde_json::to_vec(value).map_err(|error| {
            let what = format!("expected a payload that can be JSON, found a {}", type_name::<T>());
            Error::invalid(what).with_source(error)
        })?;
        Ok(self.payload(payload))
    }

    /// Says what the payload is in: the name of a format, 1 to
    /// [`MAX_PAYLOAD_TYPE_BYTES`](limits::MAX_PAYLOAD_TYPE_BYTES) bytes, such as
    /// `acme.order.v2`. Whoever reads payloads goes by it.
    ///
    /// An event that comes again with the same payload is a repeat, whatever its type.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let order = Event::new("order").id("o1").payload("{}").payload_type("acme.order.v2");
    /// store.append(order)?;
    /// let order = store.snapshot().get("o1")?.expect("it is stored");
    /// assert_eq!(order.payload_type(), Some("acme.order.v2"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn payload_type(mut self, name: impl Into<String>) -> Self {
        self.payload_type = Some(name.into());
        self
    }

    /// Says that this is a newer revision of what its id says in its session: it replaces
    /// that, where listings of versions stand both side by side.
    ///
    /// The newest revision is what is read, listed and counted; those that it supersedes are
    /// found by [`Snapshot::versions`](crate::Snapshot::versions) and
    /// [`Filter::with_superseded`](crate::Filter::with_superseded). What a revision replaces is
    /// the newest record of its id in the same session: a copy in another session stays a
    /// version. Where none of them named a parent, the one that a revision names is linked.
    ///
    /// One that says nothing new is a repeat. Without a [payload type](Self::payload_type) other
    /// labels, another kind or usage are news beside the payload of before; with one the payload
    /// alone decides, as the labels follow from it.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("span").id("s1").label("state", "open"))?;
    /// store.append(Event::new("span").id("s1").label("state", "ended").revision())?;
    /// let snapshot = store.snapshot();
    /// assert_eq!(snapshot.get("s1")?.expect("it is stored").label("state"), Some("ended"));
    /// assert_eq!(snapshot.events(Filter::new()).page()?.items.len(), 1);
    /// assert_eq!(snapshot.versions("s1").page()?.items.len(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn revision(mut self) -> Self {
        self.revision = true;
        self
    }

    /// Says how many tokens the event's message took.
    ///
    /// An example is at [`Usage`].
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Checks every field against its limit, as appending does, for a store that takes
    /// payloads of so many bytes: for whoever can leave out what can't be stored.
    ///
    /// ```
    /// use forebear::{Event, limits};
    ///
    /// let max = limits::DEFAULT_MAX_PAYLOAD_BYTES;
    /// assert!(Event::new("tick").validate(max).is_ok());
    /// assert!(Event::new("").validate(max).is_err_and(|error| error.is_invalid()));
    /// ```
    pub fn validate(&self, max_payload_bytes: usize) -> Result<()> {
        check_id("id", &self.id)?;
        if let Some(parent) = &self.parent {
            check_id("parent", parent)?;
        }
        check_len("kind", self.kind.len(), limits::MAX_KIND_BYTES)?;
        if self.kind.is_empty() {
            return Err(Error::invalid("expected a kind of 1 to 128 bytes, found an empty one"));
        }
        check_len("instance", self.instance.len(), limits::MAX_NAME_BYTES)?;
        if let Some(session) = &self.session {
            check_len("session", session.len(), limits::MAX_NAME_BYTES)?;
        }
        if self.labels.len() > limits::MAX_LABELS {
            return Err(Error::too_many("labels", limits::MAX_LABELS, self.labels.len()));
        }
        for (key, value) in &self.labels {
            if key.is_empty() {
                return Err(Error::invalid(
                    "expected a label key of 1 to 128 bytes, found an empty one",
                ));
            }
            check_len("label key", key.len(), limits::MAX_LABEL_KEY_BYTES)?;
            if value.len() > limits::MAX_LABEL_VALUE_BYTES {
                return Err(Error::too_long(
                    format!("label {key:?}"),
                    limits::MAX_LABEL_VALUE_BYTES,
                    value.len(),
                ));
            }
        }
        if let Some(usage) = &self.usage {
            check_len("usage message", usage.message.len(), limits::MAX_NAME_BYTES)?;
        }
        if let Some(payload) = &self.payload {
            check_len("payload", payload.len(), max_payload_bytes)?;
        }
        if let Some(name) = &self.payload_type {
            check_len("payload type", name.len(), limits::MAX_PAYLOAD_TYPE_BYTES)?;
            if name.is_empty() {
                return Err(Error::invalid(
                    "expected a payload type of 1 to 128 bytes, found an empty one",
                ));
            }
        }
        Ok(())
    }
}

impl From<&Event> for EventId {
    /// Its id, as what another event names as its parent.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let request = Event::new("request");
    /// let answer = Event::new("answer").parent(&request);
    /// Store::in_memory()?.append_batch([request, answer])?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    fn from(event: &Event) -> Self {
        event.id.clone()
    }
}

/// Input that could not be understood, kept with the place it came from.
///
/// ```
/// use forebear::{Batch, Quarantined, Store};
///
/// let store = Store::in_memory()?;
/// let input = Quarantined {
///     source: "session.jsonl".into(),
///     line: 1,
///     offset: 0,
///     length: 4,
///     reason: "expected an object, found text".into(),
///     bytes: b"oops".to_vec(),
/// };
/// assert_eq!(store.write(Batch::new().quarantine(input))?.quarantined, [true]);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// What it was read from, usually a file's path.
    pub source: String,
    /// The line it stands on, from 1.
    pub line: u64,
    /// Where its bytes begin in the source, in bytes from 0.
    pub offset: u64,
    /// How many bytes it has in the source.
    pub length: u64,
    /// What was expected and what was found.
    pub reason: String,
    /// The bytes, unless they were too many to load; then empty.
    pub bytes: Vec<u8>,
}

impl Quarantined {
    pub(crate) fn validate(&self, max_payload: usize) -> Result<()> {
        check_len("source", self.source.len(), limits::MAX_SOURCE_BYTES)?;
        check_len("reason", self.reason.len(), limits::MAX_SOURCE_BYTES)?;
        check_len("bytes", self.bytes.len(), max_payload)
    }
}
