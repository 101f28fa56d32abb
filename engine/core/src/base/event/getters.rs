//! What an event that is being built holds.

use std::time::SystemTime;

use crate::base::event::{Event, Usage};
use crate::base::id::EventId;
use crate::base::link::LinkKind;
use crate::base::scope::Scope;
use crate::base::time::Time;

impl Event {
    /// The id.
    ///
    /// ```
    /// use forebear::{Event, EventId};
    ///
    /// let event = Event::new("job_done").id("result").parent("call").label("queue", "mail");
    /// assert_eq!((event.as_kind(), event.as_parent()), ("job_done", Some(&"call".into())));
    /// assert_eq!((event.as_label("queue"), event.as_label("model")), (Some("mail"), None));
    /// ```
    pub fn as_id(&self) -> &EventId {
        &self.id
    }

    /// Whether the id was derived from content: see [`derived_id`](Self::derived_id).
    pub fn has_derived_id(&self) -> bool {
        self.derived_id
    }

    /// The event that caused it, where it names one.
    pub fn as_parent(&self) -> Option<&EventId> {
        self.parent.as_ref()
    }

    /// How it follows from its parent, if it has one.
    pub fn as_link(&self) -> LinkKind {
        self.link
    }

    /// The kind.
    pub fn as_kind(&self) -> &str {
        &self.kind
    }

    /// The time, in nanoseconds since the Unix epoch.
    pub fn as_time_ns(&self) -> i64 {
        self.time_ns
    }

    /// The time.
    pub fn as_time(&self) -> SystemTime {
        Time::from_ns(self.time_ns).into()
    }

    /// The instance, empty where none was set.
    pub fn as_instance(&self) -> &str {
        &self.instance
    }

    /// The session.
    pub fn as_session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Whose its events are within the session.
    pub fn as_scope(&self) -> Scope {
        self.scope
    }

    /// What the payload is in.
    pub fn as_payload_type(&self) -> Option<&str> {
        self.payload_type.as_deref()
    }

    /// Whether it replaces what its id said before.
    pub fn is_revision(&self) -> bool {
        self.revision
    }

    /// The value of one label.
    pub fn as_label(&self, key: &str) -> Option<&str> {
        let at = self.labels.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok()?;
        Some(&self.labels[at].1)
    }

    /// The labels in order of their keys.
    pub fn as_labels(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The payload.
    pub fn as_payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// The tokens that its message took.
    pub fn as_usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }
}
