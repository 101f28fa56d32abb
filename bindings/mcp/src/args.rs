//! Arguments that several tools have, and reading them.

use std::borrow::Cow;

use forebear::{Cursor, Filter};
use forebear_wire::time;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::failure::{Answered, ToolFailure, refused};

/// Least and most that `max_bytes` may be.
pub(crate) const MIN_BYTES: usize = 2_000;
pub(crate) const MAX_BYTES: usize = 200_000;

/// Most that a `limit` may be.
pub(crate) const MAX_LIMIT: usize = 200;

/// How long a reply may get, in bytes.
#[derive(Clone, Copy, Debug, serde::Deserialize, serde::Serialize)]
pub(crate) struct MaxBytes(usize);

impl MaxBytes {
    /// It, checked.
    pub(crate) fn checked(self) -> Answered<usize> {
        within("max_bytes", self.0, MIN_BYTES, MAX_BYTES)
    }
}

impl Default for MaxBytes {
    fn default() -> Self {
        Self(20_000)
    }
}

impl JsonSchema for MaxBytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MaxBytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "integer",
            "minimum": MIN_BYTES,
            "maximum": MAX_BYTES,
            "description": "How long the whole reply may get, in bytes",
        })
    }
}

/// The number, where it is within these bounds.
pub(crate) fn within(name: &str, number: usize, least: usize, most: usize) -> Answered<usize> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    refused(format!("expected {name} from {least} to {most}, found {number}"))
}

/// A text that was given, and not as an empty one.
pub(crate) fn given(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// A cursor that an earlier reply gave.
pub(crate) fn cursor(text: Option<&String>) -> Answered<Option<Cursor>> {
    let Some(text) = given(text) else { return Ok(None) };
    text.parse().map(Some).or_else(|_| {
        refused(format!(
            "expected as cursor the `next` of an earlier reply of the same tool with the same \
             arguments, found {text:?}; leave it out to begin at the beginning"
        ))
    })
}

/// A time: RFC 3339, a date, or how long ago.
pub(crate) fn time_ns(name: &str, text: Option<&String>) -> Answered<Option<i64>> {
    let Some(text) = given(text) else { return Ok(None) };
    time::parse(text).map(Some).map_err(|error| ToolFailure::Refused(format!("{name}: {error}")))
}

/// The filter with these bounds of time.
pub(crate) fn between(
    mut filter: Filter,
    since: Option<&String>,
    until: Option<&String>,
) -> Answered<Filter> {
    if let Some(since) = time_ns("since", since)? {
        filter = filter.since_ns(since);
    }
    if let Some(until) = time_ns("until", until)? {
        filter = filter.until_ns(until);
    }
    Ok(filter)
}

/// Reads the arguments of a call.
pub(crate) fn read<T: DeserializeOwned>(arguments: Map<String, Value>) -> Answered<T> {
    serde_json::from_value(Value::Object(arguments)).or_else(|error| {
        refused(format!("the arguments do not fit the tool's inputSchema: {error}"))
    })
}

/// The schema of arguments, without formats that only Rust knows.
pub(crate) fn schema<T: JsonSchema>() -> Map<String, Value> {
    let settings = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(WithoutFormats);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.remove("description");
    match schema.to_value() {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Takes out `format` of integers: validators of other languages don't know `uint64`.
#[derive(Clone, Debug)]
struct WithoutFormats;

impl Transform for WithoutFormats {
    fn transform(&mut self, schema: &mut Schema) {
        if schema.get("format").and_then(Value::as_str).is_some_and(|format| format.contains("int"))
        {
            schema.remove("format");
        }
        transform_subschemas(self, schema);
    }
}
