//! What a snapshot gives back.

use std::sync::Arc;

use crate::event::LinkKind;
use crate::id::EventId;
use crate::log::RecordView;

/// How much of an event a query loads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Detail {
    /// What the index holds; the log is not read. No labels, no payload.
    Columns,
    /// The labels too, not the payload.
    Labels,
    /// Everything.
    #[default]
    Payload,
}

/// An event as it is stored, with its place in the lineage.
///
/// Owned and cheap to clone: strings and log bytes are shared.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    pub(crate) seq: u64,
    pub(crate) id: EventId,
    pub(crate) parent: Option<EventId>,
    pub(crate) link: LinkKind,
    pub(crate) root: EventId,
    pub(crate) depth: u64,
    pub(crate) time_ns: i64,
    pub(crate) kind: Arc<str>,
    pub(crate) instance: Arc<str>,
    pub(crate) session: Option<Arc<str>>,
    pub(crate) version: bool,
    pub(crate) derived_id: bool,
    /// Where the record begins in the log.
    pub(crate) offset: u64,
    pub(crate) record: Option<RecordView>,
}

impl StoredEvent {
    /// The sequence number: dense over events and versions, from 1, in the
    /// order they were stored.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The id.
    pub fn id(&self) -> &EventId {
        &self.id
    }

    /// The parent that the event named or was linked to, stored or not. For a
    /// version, that of the event it is a version of.
    pub fn parent(&self) -> Option<&EventId> {
        self.parent.as_ref()
    }

    /// How it follows from its parent, where it has one.
    pub fn link(&self) -> Option<LinkKind> {
        self.parent.as_ref().map(|_| self.link)
    }

    /// The topmost known event that it goes back to; its own id where it has no
    /// known parent.
    pub fn root(&self) -> &EventId {
        &self.root
    }

    /// Edges between the event and [`root`](Self::root).
    pub fn depth(&self) -> u64 {
        self.depth
    }

    /// The time, in nanoseconds since the Unix epoch.
    pub fn time_ns(&self) -> i64 {
        self.time_ns
    }

    /// The kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The instance, empty where none was given.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The session.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Whether this is a later version of an event whose id was known.
    pub fn is_version(&self) -> bool {
        self.version
    }

    /// Whether the event came without an id and forebear derived one.
    pub fn has_derived_id(&self) -> bool {
        self.derived_id
    }

    /// The labels in order of their keys. None where the query asked for
    /// [`Detail::Columns`].
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.record.iter().flat_map(RecordView::labels)
    }

    /// The value of one label; as [`labels`](Self::labels).
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels()
            .find(|(k, _)| *k == key)
            .map(|(_, value)| value)
    }

    /// The payload, byte for byte as it came in. None where it had none, or
    /// where the query asked for less than [`Detail::Payload`].
    pub fn payload(&self) -> Option<&[u8]> {
        self.record.as_ref().and_then(RecordView::payload)
    }
}
