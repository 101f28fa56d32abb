//! The names that fields usually have in lines of JSON of no known format.

pub(crate) const IDS: &[&str] = &["uuid", "id", "event_id", "eventId", "span_id", "spanId"];
pub(crate) const PARENTS: &[&str] = &[
    "parent",
    "parent_id",
    "parentId",
    "parent_uuid",
    "parentUuid",
    "parent_span_id",
    "parentSpanId",
    "caused_by",
    "causedBy",
];
pub(crate) const KINDS: &[&str] = &["kind", "type", "event_type", "event", "name"];
pub(crate) const TIMES: &[&str] =
    &["timestamp", "time", "ts", "@timestamp", "created_at", "startTimeUnixNano"];
pub(crate) const INSTANCES: &[&str] =
    &["instance", "agent", "agent_id", "agentId", "worker", "worker_id"];
pub(crate) const SESSIONS: &[&str] = &["session", "session_id", "sessionId", "trace_id", "traceId"];
pub(crate) const LABELS: &[&str] = &["tool", "model", "level", "status", "is_error", "source_app"];
