//! The JSON that scripts rely on. The keys and their order are part of the
//! program's contract; `forebear --help` lists them.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use forebear::{ChainEnd, Cursor, EventId, StoredEvent};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::output::{json_text, time};

/// An event.
#[derive(Serialize)]
pub(crate) struct EventLine<'a> {
    id: String,
    parent: Option<String>,
    link: Option<&'static str>,
    root: String,
    depth: u64,
    seq: u64,
    time: String,
    kind: &'a str,
    instance: &'a str,
    session: Option<&'a str>,
    #[serde(serialize_with = "labels")]
    labels: &'a StoredEvent,
    #[serde(skip_serializing_if = "is_false")]
    version: bool,
    #[serde(skip_serializing_if = "is_false")]
    derived_id: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

impl<'a> EventLine<'a> {
    /// The event without its payload.
    pub(crate) fn new(event: &'a StoredEvent) -> Self {
        Self {
            id: event.id().to_string(),
            parent: event.parent().map(EventId::to_string),
            link: event.link().map(forebear::LinkKind::as_str),
            root: event.root().to_string(),
            depth: event.depth(),
            seq: event.seq(),
            time: time::rfc3339(event.time_ns()),
            kind: event.kind(),
            instance: event.instance(),
            session: event.session(),
            labels: event,
            version: event.is_version(),
            derived_id: event.has_derived_id(),
            below: None,
            payload: None,
            payload_text: None,
            payload_base64: None,
        }
    }

    /// Adds the payload, if it is wanted and there is one.
    pub(crate) fn payload(mut self, event: &'a StoredEvent, wanted: bool) -> Self {
        let Some(payload) = event.payload().filter(|_| wanted) else {
            return self;
        };
        if let Some(json) = as_json(payload) {
            self.payload = Some(json);
        } else if let Ok(text) = std::str::from_utf8(payload) {
            self.payload_text = Some(text);
        } else {
            self.payload_base64 = Some(BASE64_STANDARD.encode(payload));
        }
        self
    }

    /// Adds how many edges it lies below the event asked for.
    pub(crate) fn below(mut self, below: u64) -> Self {
        self.below = Some(below);
        self
    }
}

/// The last line of a chain: how it ended.
#[derive(Serialize)]
pub(crate) struct EndLine {
    end: End,
}

#[derive(Serialize)]
struct End {
    kind: &'static str,
    parent: Option<String>,
    id: Option<String>,
}

impl EndLine {
    /// The end of a walk, whose topmost event is `top`.
    pub(crate) fn new(end: &ChainEnd, top: Option<&EventId>) -> Self {
        Self {
            end: End {
                kind: end.as_str(),
                parent: end.parent().map(EventId::to_string),
                id: top.map(EventId::to_string),
            },
        }
    }
}

/// The last line of a listing that goes on: where.
#[derive(Serialize)]
pub(crate) struct NextLine {
    next: String,
}

impl From<Cursor> for NextLine {
    fn from(cursor: Cursor) -> Self {
        Self { next: cursor.to_string() }
    }
}

/// The payload as JSON on one line, where it is JSON. Checked without recursion
/// and without building anything, so neither depth nor size matters.
pub(crate) fn as_json(payload: &[u8]) -> Option<Cow<'_, RawValue>> {
    let json: &RawValue = serde_json::from_slice(payload).ok()?;
    if json.get().contains(['\n', '\r']) {
        // In JSON a line can end between the parts only, not in a string.
        RawValue::from_string(json_text::compact(json.get())).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(json))
    }
}

fn labels<S: Serializer>(event: &StoredEvent, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(event.labels())
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_kept_as_it_is_but_for_lines() {
        let kept = |payload: &str| as_json(payload.as_bytes()).map(|json| json.get().to_owned());
        assert_eq!(kept(r#"{"a": 1.50, "a":2}"#).as_deref(), Some(r#"{"a": 1.50, "a":2}"#));
        assert_eq!(kept("{\n \"a\": \"x y\"\n}\n").as_deref(), Some(r#"{"a":"x y"}"#));
        assert_eq!(kept("null").as_deref(), Some("null"));
        assert_eq!(kept(r#""\ud800""#).as_deref(), Some(r#""\ud800""#));
        assert_eq!(kept("NaN"), None);
        assert_eq!(kept("{} {}"), None);
        assert_eq!(kept(""), None);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(kept(&deep).is_some());
    }
}
