//! How `serde` writes a stored event.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::base::scope::Scope;
use crate::base::time::Time;
use crate::view::stored::StoredEvent;

/// A stored event as JSON: what `serde` writes of it, with a choice of how much. From
/// [`StoredEvent::json`].
///
/// Its keys are `id`, `parent`, `link`, `root`, `depth`, `seq`, `time` (RFC 3339), `kind`,
/// `instance`, `session`, `labels`; `version` and `derived_id` where they are true; `damaged`, the error, where
/// part of it can't be read; and where the payload was loaded `payload` if it is JSON, byte for byte as it came in, else
/// `payload_text`, else `payload_base64`. It is meant for `serde_json`: to others a payload
/// is what `serde_json` calls a raw value.
///
/// ```
/// use forebear::{Event, Store};
///
/// # #[cfg(feature = "serde")] {
/// let store = Store::in_memory()?;
/// store.append(Event::new("order").id("o").time_ns(0).payload(r#"{"total": 7.50}"#))?;
/// let event = store.snapshot().get("o")?.expect("it is stored");
/// let json = serde_json::to_string(&event).expect("no event is refused");
/// assert!(json.contains(r#""time":"1970-01-01T00:00:00Z","kind":"order""#), "{json}");
/// assert!(json.ends_with(r#""labels":{},"payload":{"total": 7.50}}"#), "{json}");
/// let json = serde_json::to_string(&event.json().payload(false)).expect("the same");
/// assert!(json.ends_with(r#""labels":{}}"#), "{json}");
/// # }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EventJson<'a> {
    event: &'a StoredEvent,
    below: Option<u64>,
    payload: bool,
}

impl EventJson<'_> {
    /// Sets whether the payload is written, if it was loaded; it is unless set.
    #[must_use]
    pub fn payload(mut self, wanted: bool) -> Self {
        self.payload = wanted;
        self
    }

    /// Adds the key `below`: how many edges it lies below the event asked for.
    #[must_use]
    pub fn below(mut self, below: u64) -> Self {
        self.below = Some(below);
        self
    }
}

impl StoredEvent {
    /// What `serde` writes of the event, with a choice of how much. Only with feature
    /// `serde`.
    ///
    /// An example is at [`EventJson`].
    pub fn json(&self) -> EventJson<'_> {
        EventJson { event: self, below: None, payload: true }
    }
}

impl Serialize for StoredEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

impl Serialize for EventJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", event.id())?;
        map.serialize_entry("parent", &event.parent())?;
        map.serialize_entry("link", &event.link())?;
        map.serialize_entry("root", event.root())?;
        map.serialize_entry("depth", &event.depth())?;
        map.serialize_entry("seq", &event.seq())?;
        map.serialize_entry("time", &Time::from_ns(event.time_ns()))?;
        map.serialize_entry("kind", event.kind())?;
        map.serialize_entry("instance", event.instance())?;
        map.serialize_entry("session", &event.session())?;
        if event.scope() == Scope::Own {
            map.serialize_entry("scope", Scope::Own.as_str())?;
        }
        map.serialize_entry("labels", &Labels(event))?;
        if let Some(name) = event.payload_type() {
            map.serialize_entry("payload_type", name)?;
        }
        if event.is_revision() {
            map.serialize_entry("revision", &true)?;
        }
        if event.is_version() {
            map.serialize_entry("version", &true)?;
        }
        if event.has_derived_id() {
            map.serialize_entry("derived_id", &true)?;
        }
        if let Some(damage) = event.damage() {
            map.serialize_entry("damaged", damage)?;
        }
        if let Some(below) = self.below {
            map.serialize_entry("below", &below)?;
        }
        if let Some(payload) = event.payload().filter(|_| self.payload) {
            // Checked without recursion and without building anything, so that neither
            // depth nor size matters.
            if let Ok(json) = serde_json::from_slice::<&RawValue>(payload) {
                map.serialize_entry("payload", json)?;
            } else if let Ok(text) = std::str::from_utf8(payload) {
                map.serialize_entry("payload_text", text)?;
            } else {
                map.serialize_entry("payload_base64", &BASE64_STANDARD.encode(payload))?;
            }
        }
        map.end()
    }
}

struct Labels<'a>(&'a StoredEvent);

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.labels())
    }
}
