//! Which fields of an object say what, for lines of JSON in no format of their own.

use std::str::FromStr;

use forebear_core::{Error, Result, limits};
use serde_json::{Map, Value};

use crate::formats::common::usual;
use crate::formats::common::values::TimeUnit;

/// Which fields of each object are the event's id, parent, kind, time, instance,
/// session, scope and labels.
///
/// Read from JSON: an object with any of the keys `id`, `parent`, `kind`, `time`,
/// `time_unit`, `instance`, `session`, `scope` and `labels`. A field is named by its key, one
/// inside other objects by a path with dots (`span.context.id`; a key may have dots
/// itself); of several in an array the first that is there counts, and of an empty
/// array none. `labels` is an object of such fields, by the labels' keys. What the
/// mapping does not name has its usual names:
///
/// | of the event | usual names |
/// |---|---|
/// | `id` | `uuid`, `id`, `event_id`, `eventId`, `span_id`, `spanId` |
/// | `parent` | `parent`, `parent_id`, `parentId`, `parent_uuid`, `parentUuid`, `parent_span_id`, `parentSpanId`, `caused_by`, `causedBy` |
/// | `kind` | `kind`, `type`, `event_type`, `event`, `name` |
/// | `time` | `timestamp`, `time`, `ts`, `@timestamp`, `created_at`, `startTimeUnixNano` |
/// | `instance` | `instance`, `agent`, `agent_id`, `agentId`, `worker`, `worker_id` |
/// | `scope` | `scope`; the instance is an actor of its own in the session where it says `own` |
/// | `session` | `session`, `session_id`, `sessionId`, `trace_id`, `traceId` |
/// | `labels` | `tool`, `model`, `level`, `status`, `is_error`, each under its own name |
///
/// A time is RFC 3339 or a number. Its unit is `time_unit` (`s`, `ms`, `us` or
/// `ns`), else the one that puts it between the years 1973 and 5138: times of other
/// years need the unit.
///
/// ```
/// use forebear::ingest::Mapping;
///
/// let mapping: Mapping = r#"{
///     "id": "span.id",
///     "parent": ["span.parent", "caused_by"],
///     "time": "at", "time_unit": "ms",
///     "labels": {"service": "resource.service.name"}
/// }"#.parse()?;
/// assert_ne!(mapping, Mapping::default());
/// let error = r#"{"id": 7}"#.parse::<Mapping>().expect_err("no field's name");
/// assert!(error.to_string().contains("`id`"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub(crate) id: Vec<String>,
    pub(crate) parent: Vec<String>,
    pub(crate) kind: Vec<String>,
    pub(crate) time: Vec<String>,
    pub(crate) time_unit: Option<TimeUnit>,
    pub(crate) instance: Vec<String>,
    pub(crate) session: Vec<String>,
    pub(crate) scope: Vec<String>,
    pub(crate) labels: Vec<(String, Vec<String>)>,
}

impl Default for Mapping {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            id: names(usual::IDS),
            parent: names(usual::PARENTS),
            kind: names(usual::KINDS),
            time: names(usual::TIMES),
            time_unit: None,
            instance: names(usual::INSTANCES),
            session: names(usual::SESSIONS),
            scope: names(usual::SCOPES),
            labels: usual::LABELS.iter().map(|key| ((*key).to_owned(), names(&[key]))).collect(),
        }
    }
}

impl FromStr for Mapping {
    type Err = Error;

    fn from_str(json: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(json)
            .map_err(|error| Error::invalid(format!("expected a mapping in JSON: {error}")))?;
        let Value::Object(members) = document else {
            return Err(Error::invalid("expected a mapping: a JSON object, found another value"));
        };
        let mut mapping = Self::default();
        for (key, value) in &members {
            match key.as_str() {
                "id" => mapping.id = fields(key, value)?,
                "parent" => mapping.parent = fields(key, value)?,
                "kind" => mapping.kind = fields(key, value)?,
                "time" => mapping.time = fields(key, value)?,
                "time_unit" => mapping.time_unit = Some(time_unit(value)?),
                "instance" => mapping.instance = fields(key, value)?,
                "session" => mapping.session = fields(key, value)?,
                "scope" => mapping.scope = fields(key, value)?,
                "labels" => mapping.labels = labels(value)?,
                _ => {
                    return Err(Error::invalid(format!(
                        "expected id, parent, kind, time, time_unit, instance, session, scope or \
                         labels in the mapping, found `{key}`"
                    )));
                }
            }
        }
        Ok(mapping)
    }
}

fn labels(value: &Value) -> Result<Vec<(String, Vec<String>)>> {
    let Value::Object(members) = value else {
        return Err(Error::invalid(
            "expected under `labels` of the mapping an object of fields by the labels' keys",
        ));
    };
    check_labels(members)?;
    let labels = members.iter().map(|(key, value)| {
        let fields = fields(&format!("labels.{key}"), value)?;
        Ok((key.clone(), fields))
    });
    labels.collect()
}

fn check_labels(members: &Map<String, Value>) -> Result<()> {
    if members.len() > limits::MAX_LABELS {
        return Err(Error::too_many("labels of the mapping", limits::MAX_LABELS, members.len()));
    }
    for key in members.keys() {
        if key.is_empty() || key.len() > limits::MAX_LABEL_KEY_BYTES {
            return Err(Error::invalid(format!(
                "expected labels' keys of 1 to {} bytes in the mapping, found one of {}",
                limits::MAX_LABEL_KEY_BYTES,
                key.len()
            )));
        }
    }
    Ok(())
}

/// The names of fields that one of the event's is taken from.
fn fields(of: &str, value: &Value) -> Result<Vec<String>> {
    let refused = |found: &str| {
        Error::invalid(format!(
            "expected under `{of}` of the mapping a field's name or an array of names, found {found}"
        ))
    };
    let names: Vec<&Value> = match value {
        Value::String(_) => vec![value],
        Value::Array(names) => names.iter().collect(),
        _ => return Err(refused(&value.to_string())),
    };
    if names.len() > MAX_NAMES {
        return Err(Error::too_many(
            format!("names under `{of}` of the mapping"),
            MAX_NAMES,
            names.len(),
        ));
    }
    let names = names.into_iter().map(|name| match name {
        Value::String(name) if name.is_empty() => Err(refused("an empty name")),
        Value::String(name) if name.matches('.').count() > MAX_DOTS => Err(Error::too_many(
            format!("dots in a name under `{of}` of the mapping"),
            MAX_DOTS,
            name.matches('.').count(),
        )),
        Value::String(name) => Ok(name.clone()),
        other => Err(refused(&other.to_string())),
    });
    names.collect()
}

fn time_unit(value: &Value) -> Result<TimeUnit> {
    match value.as_str() {
        Some("s") => Ok(TimeUnit::Seconds),
        Some("ms") => Ok(TimeUnit::Milliseconds),
        Some("us" | "µs") => Ok(TimeUnit::Microseconds),
        Some("ns") => Ok(TimeUnit::Nanoseconds),
        _ => Err(Error::invalid(format!(
            "expected under `time_unit` of the mapping s, ms, us or ns, found {value}"
        ))),
    }
}

/// Most names that one field may have.
const MAX_NAMES: usize = 32;
/// Most dots in a name: each may be an object to go into.
const MAX_DOTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_mapping_is_said_with_its_place() {
        for (json, says) in [
            ("", "mapping in JSON"),
            ("[]", "a JSON object"),
            (r#"{"uid":"a"}"#, "found `uid`"),
            (r#"{"id":{}}"#, "under `id`"),
            (r#"{"id":["a",1]}"#, "found 1"),
            (r#"{"id":""}"#, "an empty name"),
            (r#"{"labels":"a"}"#, "under `labels`"),
            (r#"{"labels":{"":"a"}}"#, "1 to 128 bytes"),
            (r#"{"labels":{"k":null}}"#, "under `labels.k`"),
            (r#"{"time_unit":"minutes"}"#, "s, ms, us or ns"),
        ] {
            let error = json.parse::<Mapping>().unwrap_err().to_string();
            assert!(error.contains(says), "{json}: {error}");
        }
        let dots = format!(r#"{{"id":"{}"}}"#, ".".repeat(33));
        assert!(dots.parse::<Mapping>().unwrap_err().is_invalid());
    }

    #[test]
    fn what_a_mapping_does_not_name_keeps_its_usual_names() {
        let mapping: Mapping = r#"{"id":"key","parent":[],"labels":{}}"#.parse().unwrap();
        assert_eq!((&*mapping.id, mapping.parent.len()), (&["key".to_owned()][..], 0));
        assert_eq!(mapping.time, Mapping::default().time);
    }
}
