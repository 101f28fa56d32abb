//! What replies look like: the parts of the tools' output schemas.

use serde_json::{Map, Value, json};

/// The schema of an object with these members, all others allowed.
pub(crate) fn object(members: Value, required: &[&str]) -> Map<String, Value> {
    let mut members = match members {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.insert(
        "redacted".to_owned(),
        json!({"type": "integer", "minimum": 1, "description": "Secrets that were redacted"}),
    );
    members.insert(
        "damaged".to_owned(),
        json!({"type": "integer", "minimum": 1, "description": "Left out, as it can't be read"}),
    );
    let schema = json!({"type": "object", "properties": members, "required": required});
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// An event: the keys that `forebear --json` has, and a gist in place of the payload. Without
/// `detail: full` those are left out that say neither what happened nor why.
pub(crate) fn event() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": text("Shortened where that is unique; every tool takes it so"),
            "parent": nullable("The event that caused it"),
            "link": {"type": ["string", "null"], "enum": ["caused", "continues", "spawned", null],
                "description": "How the parent caused it; left out where it is `caused`"},
            "time": time(),
            "kind": text("Such as user_message, assistant_message, tool_use, tool_result, error"),
            "instance": text("Who did it: an agent; left out where it is the session itself"),
            "session": {"type": ["string", "null"]},
            "gist": text("What the payload says, in short, or what stands around a match: get_event \
                has all of it"),
            "is_error": {"type": "boolean"},
            "root": {"type": "string"},
            "depth": count("Steps up to the root"),
            "seq": count("Place in the store"),
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "labels_omitted": {"type": "boolean"},
            "payload_bytes": count("Bytes of the payload"),
            "below": count("Steps below the event asked for"),
            "title": text("What the event's session is called"),
        },
        "required": ["id", "time", "kind", "gist"],
    })
}

/// A session: the keys that `forebear sessions --json` has, those without a value left out.
pub(crate) fn session() -> Value {
    let tokens = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    json!({
        "type": "object",
        "properties": {
            "id": text("Its name; every tool takes the beginning of it"),
            "type": {"type": "string"},
            "status": {"type": "string",
                "enum": ["active", "completed", "failed", "timeout", "cancelled"]},
            "title": {"type": "string"},
            "project": {"type": "string"},
            "model": {"type": "string"},
            "source_app": {"type": "string"},
            "parent": text("The session that started it"),
            "start": time(),
            "end": time(),
            "duration_ms": count("From its start to its end"),
            "events": count("Events of it"),
            "errors": count("Errors of it"),
            "open_calls": count("Calls without a result"),
            "agents": count("Agents that it started"),
            "tokens": tokens,
            "decided_by": text("The event that the status follows from"),
            "waits_for": {"type": "string", "enum": ["user", "tool"]},
            "below": count("Steps below the session asked for"),
            "total": {"type": "object", "description": "Of it and all below it"},
        },
        "required": ["id", "status", "events", "errors"],
    })
}

/// Where a listing goes on.
pub(crate) fn next() -> Value {
    text("Give it as `cursor` with the same arguments for what comes next")
}

/// A text.
pub(crate) fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

/// A text or nothing.
pub(crate) fn nullable(description: &str) -> Value {
    json!({"type": ["string", "null"], "description": description})
}

/// A number of something.
pub(crate) fn count(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": description})
}

/// A time.
pub(crate) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}
