//! An event as someone hands it in: the keys of an event's JSON, read.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use forebear::{Event, LinkKind, Scope, Usage};
use serde_json::value::RawValue;

use crate::json::Members;
use crate::{cap, time};

/// Keys that say what the event is.
const KEYS: [&str; 16] = [
    "id",
    "derived_id",
    "parent",
    "link",
    "time",
    "kind",
    "instance",
    "session",
    "scope",
    "revision",
    "labels",
    "usage",
    "payload_type",
    "payload",
    "payload_text",
    "payload_base64",
];

/// Keys that the store works out itself. They are taken, so that what other
/// commands print can be read again, and passed over.
const WORKED_OUT: [&str; 7] =
    ["root", "depth", "seq", "version", "below", "parent_session", "session_depth"];

/// Reads an event. Of a key that comes twice the last counts; one that is not known is an
/// error, which says what was expected.
///
/// ```
/// use forebear::Event;
/// use forebear_wire::event_line;
///
/// let event = event_line::parse(br#"{"kind":"job","id":"a","time":1,"payload":{"n":1}}"#);
/// assert_eq!(event, Ok(Event::new("job").id("a").time_ns(1).payload(r#"{"n":1}"#)));
/// ```
pub fn parse(bytes: &[u8]) -> Result<Event, String> {
    let Members(pairs) = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut fields: [Option<&RawValue>; KEYS.len()] = [None; KEYS.len()];
    for (key, value) in pairs {
        if let Some(place) = KEYS.iter().position(|known| *known == key) {
            fields[place] = Some(value);
        } else if !WORKED_OUT.contains(&key.as_str()) {
            return Err(format!(
                "unknown key {key:?}; expected {} (and {}, which are worked out anew)",
                KEYS.join(", "),
                WORKED_OUT.join(", ")
            ));
        }
    }
    let [
        id,
        derived_id,
        parent,
        link,
        time,
        kind,
        instance,
        session,
        scope,
        revision,
        labels,
        usage,
        payload_type,
        payload @ ..,
    ] = fields;

    let kind = string("kind", kind)?.ok_or("expected a `kind`, found none")?;
    let mut event = Event::new(kind);
    if let Some(id) = string("id", id)? {
        event = event.id(id);
        if flag("derived_id", derived_id)? {
            event = event.mark_id_derived();
        }
    }
    if let Some(parent) = string("parent", parent)? {
        event = event.parent(parent);
    }
    if let Some(link) = string("link", link)? {
        let link: LinkKind = link.parse().map_err(|error: forebear::Error| error.to_string())?;
        event = event.link(link);
    }
    if let Some(time_ns) = nanoseconds(time)? {
        event = event.time_ns(time_ns);
    }
    if let Some(instance) = string("instance", instance)? {
        event = event.instance(instance);
    }
    if let Some(session) = string("session", session)? {
        event = event.session(session);
    }
    if let Some(scope) = string("scope", scope)? {
        let scope: Scope = scope.parse().map_err(|error: forebear::Error| error.to_string())?;
        event = event.scope(scope);
    }
    if flag("revision", revision)? {
        event = event.revision();
    }
    if let Some(labels) = given(labels) {
        let Members(labels) = serde_json::from_str(labels.get())
            .map_err(|_| unexpected("labels", "an object", labels))?;
        for (key, value) in labels {
            let value = label(&key, value)?;
            event = event.label(key, value);
        }
    }
    if let Some(usage) = given(usage) {
        let GivenUsage { message, input, output, cache_read, cache_written } =
            serde_json::from_str(usage.get()).map_err(|error| format!("`usage`: {error}"))?;
        event = event.usage(Usage { message, input, output, cache_read, cache_written });
    }
    if let Some(name) = string("payload_type", payload_type)? {
        event = event.payload_type(name);
    }
    if let Some(bytes) = payload_bytes(payload)? {
        event = event.payload(bytes);
    }
    Ok(event)
}

/// The payload in one of its three forms: JSON, text, base64.
fn payload_bytes([json, text, base64]: [Option<&RawValue>; 3]) -> Result<Option<Vec<u8>>, String> {
    // As a payload `null` is JSON like any other; as text or base64 it is nothing.
    match [json, given(text), given(base64)] {
        [Some(json), None, None] => Ok(Some(json.get().as_bytes().to_vec())),
        [None, text, None] => Ok(string("payload_text", text)?.map(String::into_bytes)),
        [None, None, base64] => string("payload_base64", base64)?
            .map(|text| BASE64_STANDARD.decode(text))
            .transpose()
            .map_err(|error| format!("expected base64 in `payload_base64`: {error}")),
        _ => Err("expected one of payload, payload_text and payload_base64, found several".into()),
    }
}

fn flag(name: &str, value: Option<&RawValue>) -> Result<bool, String> {
    match given(value).map(RawValue::get) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(format!("expected true or false in `{name}`")),
    }
}

fn string(name: &str, value: Option<&RawValue>) -> Result<Option<String>, String> {
    given(value)
        .map(|value| serde_json::from_str(value.get()).map_err(|_| unexpected(name, "text", value)))
        .transpose()
}

/// A label's value: text, or a number or a truth value as it is written.
fn label(key: &str, value: &RawValue) -> Result<String, String> {
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get())
            .map_err(|_| unexpected(&format!("labels.{key}"), "text", value)),
        Some(b'{' | b'[' | b'n') => {
            Err(unexpected(&format!("labels.{key}"), "text, a number, true or false", value))
        }
        _ => Ok(value.get().to_owned()),
    }
}

fn nanoseconds(value: Option<&RawValue>) -> Result<Option<i64>, String> {
    let Some(value) = given(value) else {
        return Ok(None);
    };
    let expected = "RFC 3339 (2026-03-01T12:00:00Z) or integer nanoseconds";
    let ns = if value.get().starts_with('"') {
        let text: String =
            serde_json::from_str(value.get()).map_err(|_| unexpected("time", expected, value))?;
        time::parse_rfc3339(&text)
            .ok_or_else(|| unexpected("time", expected, value))?
            .map_err(|error| format!("`time`: {error}"))?
    } else {
        value.get().parse().map_err(|_| unexpected("time", expected, value))?
    };
    Ok(Some(ns))
}

fn given(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| value.get() != "null")
}

fn unexpected(name: &str, expected: &str, found: &RawValue) -> String {
    format!("expected {expected} in `{name}`, found {}", cap::start(found.get(), 40))
}

/// What an event's message took.
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GivenUsage {
    message: String,
    input: u64,
    output: u64,
    cache_read: u64,
    cache_written: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fields_are_taken() {
        let event = parse(
            br#"{"id":"a","parent":"b","link":"spawned","time":17,"kind":"x","instance":"i",
                "session":"s","scope":"own","derived_id":true,"usage":{"message":"m","output":7},"labels":{"n":1.50,"t":true,"s":"v"},"payload": {"k" : [1] } ,"payload_type":"acme.order.v2",
                "seq":3,"root":"b","depth":1}"#,
        )
        .unwrap();
        let expected = Event::new("x")
            .id("a")
            .mark_id_derived()
            .usage(Usage { message: "m".into(), output: 7, ..Usage::default() })
            .parent("b")
            .link(LinkKind::Spawned)
            .time_ns(17)
            .instance("i")
            .session("s")
            .scope(Scope::Own)
            .label("n", "1.50")
            .label("t", "true")
            .label("s", "v")
            .payload(r#"{"k" : [1] }"#)
            .payload_type("acme.order.v2");
        assert_eq!(event, expected);
    }

    #[test]
    fn the_last_of_a_repeated_key_counts() {
        let event =
            parse(br#"{"kind":"a","kind":"b","id":"x","time":1,"labels":{"k":"1","k":"2"}}"#);
        let expected = Event::new("b").id("x").time_ns(1).label("k", "2");
        assert_eq!(event.unwrap(), expected);
    }

    #[test]
    fn null_is_nothing_but_for_a_payload() {
        let event = parse(
            br#"{"kind":"a","id":"x","parent":null,"link":null,"session":null,"labels":null,"time":1,"payload":null}"#,
        );
        assert_eq!(event.unwrap(), Event::new("a").id("x").time_ns(1).payload("null"));
    }

    #[test]
    fn a_form_of_payload_that_is_null_is_none() {
        let event = |form: &str| {
            parse(format!(r#"{{"kind":"a","id":"x","time":1,{form}}}"#).as_bytes()).unwrap()
        };
        let expected = Event::new("a").id("x").time_ns(1);
        assert_eq!(
            event(r#""payload_text":"t","payload_base64":null"#),
            expected.clone().payload("t")
        );
        assert_eq!(
            event(r#""payload_text":null,"payload_base64":"dA==""#),
            expected.clone().payload("t")
        );
        assert_eq!(
            event(r#""payload":1,"payload_text":null,"payload_base64":null"#),
            expected.clone().payload("1")
        );
        assert_eq!(event(r#""payload_text":null"#), expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, said) in [
            (&b"{}"[..], "kind"),
            (b"[]", "an object"),
            (br#"{"kind":"a","kin":1}"#, "\"kin\""),
            (br#"{"kind":7}"#, "expected text in `kind`, found 7"),
            (br#"{"kind":"a","time":1.5}"#, "`time`"),
            (br#"{"kind":"a","time":"soon"}"#, "`time`"),
            (br#"{"kind":"a","time":"2h"}"#, "`time`"),
            (br#"{"kind":"a","time":"17"}"#, "`time`"),
            (br#"{"kind":"a","time":"2026-03-01"}"#, "`time`"),
            (br#"{"kind":"a","time":"2026-03-01T12:00:00"}"#, "`time`"),
            (br#"{"kind":"a","time":"3000-01-01T00:00:00Z"}"#, "2262"),
            (br#"{"kind":"a","link":"because"}"#, "because"),
            (br#"{"kind":"a","scope":"mine"}"#, "mine"),
            (br#"{"kind":"a","id":"x","derived_id":1}"#, "derived_id"),
            (br#"{"kind":"a","usage":{"inputs":1}}"#, "usage"),
            (br#"{"kind":"a","labels":{"k":[1]}}"#, "labels.k"),
            (br#"{"kind":"a","labels":[]}"#, "labels"),
            (br#"{"kind":"a","payload":1,"payload_text":"b"}"#, "several"),
            (br#"{"kind":"a","payload_base64":"?"}"#, "base64"),
            (br#"{"kind":"a"} {}"#, "trailing"),
            (b"{\"kind\":\"\xff\"}", ""),
        ] {
            let error = parse(line).expect_err("not an event");
            assert!(error.contains(said), "{error}");
        }
        let many = format!("{{{}\"kind\":\"a\"}}", "\"id\":\"x\",".repeat(5000));
        assert!(parse(many.as_bytes()).is_err());
    }
}
