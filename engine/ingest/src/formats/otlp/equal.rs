//! What makes two records the same, whichever way they are written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use forebear_readings::json::JsonStr;
use serde_json::{Map, Value};

use super::reader::hex_of;
use super::record::id_bytes;

/// A record by its own fields alone: ids, times, name, attributes in order of their keys, status,
/// events, links. Two that are equal by it are one record, which a retry, a collector or another
/// encoding wrote anew; of what it is (resource, scope) a collector may say more.
///
/// Fields that say what they would say anyway (zero, empty) are left out, as encoders differ in
/// whether they write them. None where the text is no object.
pub(super) fn own_fields(record: &str) -> Option<String> {
    let Ok(Value::Object(members)) = serde_json::from_str(record) else { return None };
    let mut fields = object(members, Within::Record);
    // A collector adds when it saw a record that has a time of its own.
    if fields.contains_key("timeUnixNano") {
        fields.remove("observedTimeUnixNano");
    }
    serde_json::to_string(&fields).ok()
}

/// What an object is, as far as that decides how it is read.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Record,
    /// `{"stringValue": …}`, of which nothing may be left out.
    AnyValue,
}

fn object(members: Map<String, Value>, within: Within) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for (key, value) in members {
        let key = camel_case(&key);
        let value = of_key(&key, value);
        if within == Within::AnyValue || !is_nothing(&value) {
            fields.insert(key, value);
        }
    }
    fields
}

fn of_key(key: &str, value: Value) -> Value {
    match (key, value) {
        ("traceId" | "spanId" | "parentSpanId", Value::String(id)) => {
            let bytes: Option<Vec<u8>> = id_bytes::<16>(JsonStr::plain(&id)).map(Vec::from);
            let bytes = bytes.or_else(|| id_bytes::<8>(JsonStr::plain(&id)).map(Vec::from));
            bytes.map_or(Value::Null, |bytes| Value::String(hex_of(&bytes)))
        }
        (
            "startTimeUnixNano"
            | "endTimeUnixNano"
            | "timeUnixNano"
            | "observedTimeUnixNano"
            | "intValue",
            Value::Number(number),
        ) => Value::String(number.to_string()),
        ("doubleValue", Value::Number(number)) => {
            // Bits, since 1 and 1.0 are one number.
            let bits = number.as_f64().unwrap_or_default().to_bits();
            Value::String(format!("{bits:016x}"))
        }
        ("kind" | "code" | "severityNumber", Value::String(name)) => enum_number(&name),
        ("attributes", Value::Array(items)) => {
            let mut items: Vec<_> = items.into_iter().map(attribute).collect();
            items.sort_by(|(a, _), (b, _)| a.cmp(b));
            items.into_iter().map(|(_, item)| item).collect()
        }
        ("value" | "body" | "arrayValue" | "kvlistValue", Value::Object(members)) => {
            object(members, Within::AnyValue).into_iter().collect()
        }
        // Within an array, and within a list of keys and values.
        ("values", Value::Array(items)) => items.into_iter().map(any_value).collect(),
        (_, Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::Object(members) => object(members, Within::Record).into_iter().collect(),
                other => other,
            })
            .collect(),
        (_, Value::Object(members)) => object(members, Within::Record).into_iter().collect(),
        (_, value) => value,
    }
}

fn any_value(item: Value) -> Value {
    match item {
        Value::Object(members) => object(members, Within::AnyValue).into_iter().collect(),
        other => other,
    }
}

/// An attribute, with what it is sorted by.
fn attribute(item: Value) -> (String, Value) {
    let item = any_value(item);
    let key = item.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
    (key, item)
}

/// Whether a field says what it would say if it were left out.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || text == "0",
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) => false,
    }
}

fn camel_case(key: &str) -> String {
    let mut camel = String::with_capacity(key.len());
    let mut is_upper = false;
    for c in key.chars() {
        if c == '_' {
            is_upper = true;
        } else if std::mem::take(&mut is_upper) {
            // Writing to a string can't fail.
            let _ = write!(camel, "{}", c.to_ascii_uppercase());
        } else {
            camel.push(c);
        }
    }
    camel
}

/// The number of an enum's name, which some encoders write.
fn enum_number(name: &str) -> Value {
    let named = |front: &str, names: &[&str]| {
        let name = name.strip_prefix(front)?;
        names.iter().position(|known| *known == name)
    };
    let kinds = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let found = named("SPAN_KIND_", &kinds)
        .or_else(|| named("STATUS_CODE_", &["UNSET", "OK", "ERROR"]))
        .or_else(|| {
            let severity = name.strip_prefix("SEVERITY_NUMBER_")?;
            let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
            let level = levels.iter().position(|level| severity.starts_with(level))?;
            let step = severity[levels[level].len()..].parse::<usize>().unwrap_or(1);
            Some(level * 4 + step)
        });
    found.map_or_else(|| Value::String(name.to_owned()), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_equal_whichever_way_they_are_written() {
        let first = r#"{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"0AF7651916CD43DD",
            "parentSpanId":"","name":"work","kind":3,"startTimeUnixNano":"5","endTimeUnixNano":9,
            "attributes":[{"key":"b","value":{"intValue":7}},{"key":"a","value":{"boolValue":false}},
                {"key":"d","value":{"doubleValue":1}}],
            "status":{},"droppedAttributesCount":0,"events":[],"flags":257}"#;
        let second = r#"{"flags":257,"name":"work","trace_id":"CvdlGRbNQ92ESOshHIAxnA==",
            "span_id":"CvdlGRbNQ90=","kind":"SPAN_KIND_CLIENT","start_time_unix_nano":5,
            "end_time_unix_nano":"9","attributes":[{"value":{"bool_value":false},"key":"a"},
                {"key":"b","value":{"intValue":"7"}},{"key":"d","value":{"doubleValue":1.0}}]}"#;
        assert_eq!(own_fields(first), own_fields(second));
        assert!(own_fields(first).is_some());
        for (changed, to) in [
            (r#""name":"work""#, r#""name":"other""#),
            (r#""intValue":7"#, r#""intValue":8"#),
            (r#""boolValue":false"#, r#""boolValue":true"#),
            (r#""endTimeUnixNano":9"#, r#""endTimeUnixNano":0"#),
            (r#""status":{}"#, r#""status":{"code":2}"#),
        ] {
            assert_ne!(own_fields(&first.replace(changed, to)), own_fields(first), "{to}");
        }
        assert_eq!(own_fields("[]"), None);
        let log = r#"{"timeUnixNano":"1","severityNumber":17,"body":{"stringValue":""}}"#;
        let seen = r#"{"timeUnixNano":"1","observedTimeUnixNano":"4","severityNumber":"SEVERITY_NUMBER_ERROR","body":{"stringValue":""}}"#;
        assert_eq!(own_fields(log), own_fields(seen));
    }
}
