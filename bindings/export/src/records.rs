//! Records without loss: what `forebear append --json` takes.

use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use forebear::{Scope, StoredEvent, Time};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::EventWriter;

/// Writes an object a line, without what a store works out itself.
pub(crate) struct RecordWriter<W>(pub(crate) W);

impl<W: Write> EventWriter for RecordWriter<W> {
    fn event(&mut self, event: &StoredEvent) -> io::Result<bool> {
        serde_json::to_writer(&mut self.0, &Record(event))?;
        self.0.write_all(b"\n")?;
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

struct Record<'a>(&'a StoredEvent);

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", event.id())?;
        if event.has_derived_id() {
            map.serialize_entry("derived_id", &true)?;
        }
        if let Some(parent) = event.parent() {
            map.serialize_entry("parent", parent)?;
            map.serialize_entry("link", &event.link())?;
        }
        map.serialize_entry("time", &Time::from_ns(event.time_ns()))?;
        map.serialize_entry("kind", event.kind())?;
        map.serialize_entry("instance", event.instance())?;
        if let Some(session) = event.session() {
            map.serialize_entry("session", session)?;
        }
        if event.scope() == Scope::Own {
            map.serialize_entry("scope", Scope::Own.as_str())?;
        }
        if event.is_revision() {
            map.serialize_entry("revision", &true)?;
        }
        map.serialize_entry("labels", &RecordLabels(event))?;
        if let Some(usage) = event.usage() {
            map.serialize_entry("usage", &RecordUsage(&usage))?;
        }
        if let Some(name) = event.payload_type() {
            map.serialize_entry("payload_type", name)?;
        }
        if let Some(payload) = event.payload() {
            if let Some(json) = json_as_it_is(payload) {
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

/// The payload as JSON where all its bytes come back from a line of JSON: no line ends in it,
/// and no space is around it.
fn json_as_it_is(payload: &[u8]) -> Option<&RawValue> {
    let json: &RawValue = serde_json::from_slice(payload).ok()?;
    let is_whole = json.get().len() == payload.len() && !json.get().contains(['\n', '\r']);
    is_whole.then_some(json)
}

struct RecordLabels<'a>(&'a StoredEvent);

impl Serialize for RecordLabels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.labels())
    }
}

struct RecordUsage<'a>(&'a forebear::Usage);

impl Serialize for RecordUsage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let forebear::Usage { message, input, output, cache_read, cache_written } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("message", message)?;
        for (key, count) in [
            ("input", input),
            ("output", output),
            ("cache_read", cache_read),
            ("cache_written", cache_written),
        ] {
            map.serialize_entry(key, count)?;
        }
        map.end()
    }
}
