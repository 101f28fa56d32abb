//! Events as returned by queries.

use std::sync::Arc;
use std::time::SystemTime;

use crate::base::error::Error;
#[cfg(feature = "serde")]
use crate::base::error::Result;
use crate::base::event::Usage;
use crate::base::id::EventId;
use crate::base::link::LinkKind;
use crate::base::page::Position;
use crate::base::row::{Columns, NONE, TextNumbers};
use crate::base::scope::Scope;
use crate::base::time::Time;
use crate::log::RecordView;
use crate::segment::packed::PackedView;
use crate::segment::sealed::Segment;

/// An event as it is stored, with its place in the lineage.
///
/// Owned and cheap to clone: texts and log bytes are shared.
///
/// Its methods cost nothing to speak of: what they give was loaded before.
///
/// ```
/// use forebear::{Event, EventId, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("request").id("ask"))?;
/// let call = Event::new("job").id("call").parent("ask");
/// store.append(call.instance("main").label("queue", "mail"))?;
/// let call = store.snapshot().get("call")?.expect("it is stored");
/// assert_eq!((call.seq(), call.kind(), call.instance()), (2, "job", "main"));
/// assert_eq!((call.parent(), call.link()), (Some(&EventId::from("ask")), Some(LinkKind::Caused)));
/// assert_eq!((call.root(), call.depth()), (&EventId::from("ask"), 1));
/// assert_eq!(call.labels().collect::<Vec<_>>(), [("queue", "mail")]);
/// assert_eq!((call.session(), call.payload()), (None, None));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StoredEvent {
    pub(crate) columns: Columns,
    pub(crate) ancestry: Ancestry,
    pub(crate) content: ContentSource,
    /// What of it could not be read, if anything.
    pub(crate) damage: Option<Error>,
}

/// An event's place in the lineage.
#[derive(Clone, Debug)]
pub(crate) struct Ancestry {
    pub(crate) parent: Option<EventId>,
    /// How it follows from its parent, where it has one.
    pub(crate) link: Option<LinkKind>,
    pub(crate) depth: u64,
    pub(crate) root: EventId,
}

/// An event that was found and is yet to be loaded.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) columns: Columns,
    pub(crate) texts: TextNumbers,
    pub(crate) ancestry: Ancestry,
    /// What is loaded of it, where the record is not going to be read.
    pub(crate) content: Option<ContentSource>,
    /// What of it could not be read, if anything.
    pub(crate) damage: Option<Error>,
    /// Where a listing goes on behind it.
    pub(crate) after: Position,
}

/// Where the rest of an event comes from.
#[derive(Clone, Debug)]
pub(crate) enum ContentSource {
    /// Nowhere: ids were asked for.
    Nothing,
    /// The index's texts.
    Names(Names),
    /// The record, which has them too.
    Record(RecordView),
    /// Of a sealed segment.
    Packed(Names, PackedView),
}

/// The texts of an event that the index holds.
#[derive(Clone, Debug)]
pub(crate) enum Names {
    /// Of a log.
    Log(Arc<LogNames>),
    /// In the string table of a sealed segment.
    Sealed { segment: Arc<Segment>, kind: u32, instance: u32, session: u32 },
}

/// The texts of events of a log that have the same. The index shares each of them.
#[derive(Debug)]
pub(crate) struct LogNames {
    pub(crate) kind: Arc<str>,
    pub(crate) instance: Arc<str>,
    pub(crate) session: Option<Arc<str>>,
}

impl Names {
    fn kind(&self) -> &str {
        match self {
            Names::Log(names) => &names.kind,
            Names::Sealed { segment, kind, .. } => segment.text(*kind),
        }
    }

    pub(crate) fn instance(&self) -> &str {
        match self {
            Names::Log(names) => &names.instance,
            Names::Sealed { segment, instance, .. } => segment.text(*instance),
        }
    }

    /// Of a sealed segment, the text with this number.
    fn text(&self, number: u32) -> Option<&str> {
        match self {
            Names::Log(_) => None,
            Names::Sealed { segment, .. } => Some(segment.text(number)),
        }
    }

    pub(crate) fn session(&self) -> Option<&str> {
        match self {
            Names::Log(names) => names.session.as_deref(),
            Names::Sealed { session: NONE, .. } => None,
            Names::Sealed { segment, session, .. } => Some(segment.text(*session)),
        }
    }
}

impl StoredEvent {
    /// The sequence number: dense over events and versions, from 1, in the
    /// order they were stored.
    pub fn seq(&self) -> u64 {
        self.columns.seq
    }

    /// The id.
    pub fn id(&self) -> &EventId {
        &self.columns.id
    }

    /// The parent that the event named or was linked to, stored or not. For a
    /// version, that of the event it is a version of.
    ///
    /// ```
    /// use forebear::{Event, EventId, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("error").id("failure").parent("never stored"))?;
    /// let event = store.snapshot().get("failure")?.expect("it is stored");
    /// assert_eq!(event.parent(), Some(&EventId::from("never stored")));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn parent(&self) -> Option<&EventId> {
        self.ancestry.parent.as_ref()
    }

    /// How it follows from its parent, where it has one.
    pub fn link(&self) -> Option<LinkKind> {
        self.ancestry.parent.as_ref().and(self.ancestry.link)
    }

    /// The topmost known event that it goes back to; its own id where it has no
    /// known parent. Where damage ends the way up ([`damage`](Self::damage)), the topmost
    /// that can be read.
    pub fn root(&self) -> &EventId {
        &self.ancestry.root
    }

    /// Edges between the event and [`root`](Self::root).
    pub fn depth(&self) -> u64 {
        self.ancestry.depth
    }

    /// Why part of it is missing here, where bytes on disk are not what was written: its
    /// record (then it has neither labels, usage nor payload, and may have had them), its
    /// texts, its parent's id, or the way to its root; or a segment that may hold a newer
    /// revision of it. What is given is as it was written.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use forebear::{Event, Store, storage::SimulatedDisk};
    ///
    /// let disk = SimulatedDisk::new();
    /// let store = Store::builder().open_on(Arc::new(disk.clone()))?;
    /// store.append(Event::new("job").id("call").payload("ls"))?;
    /// store.seal()?;
    /// store.close()?;
    /// disk.flip_bit("0000000001.seg", 0, 0).expect("the heap comes first");
    ///
    /// let store = Store::builder().open_on(Arc::new(disk))?;
    /// let event = store.snapshot().get_lossy("call")?.expect("it is stored");
    /// assert_eq!((event.kind(), event.payload()), ("job", None));
    /// assert!(event.damage().is_some_and(|damage| damage.is_damaged()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    /// The time, in nanoseconds since the Unix epoch.
    pub fn time_ns(&self) -> i64 {
        self.columns.time_ns
    }

    /// The time. [`time_ns`](Self::time_ns) where the system's clock is coarser.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    /// store.append(Event::new("tick").id("t").time(time))?;
    /// assert_eq!(store.snapshot().get("t")?.map(|event| event.time()), Some(time));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn time(&self) -> SystemTime {
        Time::from_ns(self.columns.time_ns).into()
    }

    /// The time as jiff's type. Only with feature `jiff`.
    #[cfg(feature = "jiff")]
    pub fn timestamp(&self) -> jiff::Timestamp {
        Time::from_ns(self.columns.time_ns).into()
    }

    /// The time as chrono's type. Only with feature `chrono`.
    #[cfg(feature = "chrono")]
    pub fn datetime(&self) -> chrono::DateTime<chrono::Utc> {
        Time::from_ns(self.columns.time_ns).into()
    }

    /// Whose the events of its instance are within the session.
    pub fn scope(&self) -> Scope {
        Scope::of(self.columns.own_scope)
    }

    /// The kind; empty where the query asked for [`Detail::Ids`](crate::Detail::Ids).
    pub fn kind(&self) -> &str {
        match &self.content {
            ContentSource::Nothing => "",
            ContentSource::Names(names) | ContentSource::Packed(names, _) => names.kind(),
            ContentSource::Record(record) => record.fields().kind(),
        }
    }

    /// The instance, empty where none was given, and as [`kind`](Self::kind).
    pub fn instance(&self) -> &str {
        match &self.content {
            ContentSource::Nothing => "",
            ContentSource::Names(names) | ContentSource::Packed(names, _) => names.instance(),
            ContentSource::Record(record) => record.fields().instance(),
        }
    }

    /// The session, if any; as [`kind`](Self::kind).
    pub fn session(&self) -> Option<&str> {
        match &self.content {
            ContentSource::Nothing => None,
            ContentSource::Names(names) | ContentSource::Packed(names, _) => names.session(),
            ContentSource::Record(record) => record.fields().session(),
        }
    }

    /// Whether this is a later version of an event whose id was known.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("note").id("n").payload("first"))?;
    /// store.append(Event::new("note").id("n").payload("second"))?;
    /// let versions = store.snapshot().versions("n").page()?.items;
    /// assert_eq!((versions[0].is_version(), versions[1].is_version()), (false, true));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_version(&self) -> bool {
        self.columns.version
    }

    /// Whether this is a newer revision of its event, which replaces what was said before.
    ///
    /// An example is at [`Event::revision`](crate::Event::revision).
    pub fn is_revision(&self) -> bool {
        self.columns.revision
    }

    /// Whether the event came without an id and forebear derived one.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let id = store.append(Event::new("summary").derived_id("my-service line", b"{}"))?.id;
    /// assert!(store.snapshot().get(id)?.is_some_and(|event| event.has_derived_id()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn has_derived_id(&self) -> bool {
        self.columns.derived_id
    }

    /// The labels in order of their keys. None where the query asked for
    /// [`Detail::Columns`](crate::Detail::Columns).
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let packed = self.packed().into_iter().flat_map(PackedView::labels);
        self.record().into_iter().flat_map(RecordView::labels).chain(packed)
    }

    /// The value of one label; as [`labels`](Self::labels).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call").label("queue", "mail"))?;
    /// let event = store.snapshot().get("call")?.expect("it is stored");
    /// assert_eq!((event.label("queue"), event.label("model")), (Some("mail"), None));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The tokens that its message took, where the event says; as
    /// [`labels`](Self::labels).
    ///
    /// ```
    /// use forebear::{Event, Store, Usage};
    ///
    /// let store = Store::in_memory()?;
    /// let usage = Usage { message: "m1".into(), output: 80, ..Usage::default() };
    /// store.append(Event::new("job").id("call").usage(usage.clone()))?;
    /// let event = store.snapshot().get("call")?.expect("it is stored");
    /// assert_eq!(event.usage(), Some(usage));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn usage(&self) -> Option<Usage> {
        match &self.content {
            ContentSource::Nothing | ContentSource::Names(_) => None,
            ContentSource::Record(record) => record.fields().usage(),
            ContentSource::Packed(_, record) => record.usage(),
        }
    }

    /// What the payload is in, where the event says; as [`labels`](Self::labels).
    ///
    /// An example is at [`Event::payload_type`](crate::Event::payload_type).
    pub fn payload_type(&self) -> Option<&str> {
        match &self.content {
            ContentSource::Nothing | ContentSource::Names(_) => None,
            ContentSource::Record(record) => record.fields().payload_type(),
            ContentSource::Packed(names, record) => names.text(record.payload_type()?),
        }
    }

    /// The payload, byte for byte as it came in. None where it had none, where the query
    /// asked for less than [`Detail::Payload`](crate::Detail::Payload), or where it can't
    /// be read ([`damage`](Self::damage)).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call").payload("ls"))?;
    /// let event = store.snapshot().get("call")?.expect("it is stored");
    /// assert_eq!(event.payload(), Some(b"ls".as_slice()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn payload(&self) -> Option<&[u8]> {
        match &self.content {
            ContentSource::Nothing | ContentSource::Names(_) => None,
            ContentSource::Record(record) => record.payload(),
            ContentSource::Packed(_, record) => record.payload(),
        }
    }

    /// The payload read as JSON, borrowing from it what can be borrowed; none as
    /// [`payload`](Self::payload). Only with feature `serde`.
    ///
    /// Fails where it is no JSON of that type ([`Error::is_invalid`]).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// # #[cfg(feature = "serde")] {
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("note").id("n").payload(r#"["book",2]"#))?;
    /// let event = store.snapshot().get("n")?.expect("it is stored");
    /// assert_eq!(event.payload_json::<(&str, u32)>()?, Some(("book", 2)));
    /// assert!(event.payload_json::<u32>().is_err_and(|error| error.is_invalid()));
    /// # }
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[cfg(feature = "serde")]
    pub fn payload_json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<Option<T>> {
        let Some(payload) = self.payload() else { return Ok(None) };
        serde_json::from_slice(payload).map(Some).map_err(|error| {
            let wanted = std::any::type_name::<T>();
            let what =
                format!("event {}: expected a payload that is a {wanted} in JSON", self.id());
            Error::invalid(what).with_source(error)
        })
    }

    /// Bytes of memory that the event alone holds.
    pub(crate) fn own_bytes(&self) -> usize {
        match &self.content {
            ContentSource::Nothing | ContentSource::Names(_) => 0,
            ContentSource::Record(record) => record.own_bytes(),
            ContentSource::Packed(_, record) => record.own_bytes(),
        }
    }

    fn record(&self) -> Option<&RecordView> {
        match &self.content {
            ContentSource::Record(record) => Some(record),
            ContentSource::Nothing | ContentSource::Names(_) | ContentSource::Packed(..) => None,
        }
    }

    fn packed(&self) -> Option<&PackedView> {
        match &self.content {
            ContentSource::Packed(_, record) => Some(record),
            ContentSource::Nothing | ContentSource::Names(_) | ContentSource::Record(_) => None,
        }
    }
}

impl From<&StoredEvent> for EventId {
    /// Its id, as what another event names as its parent.
    fn from(event: &StoredEvent) -> Self {
        event.id().clone()
    }
}
