//! What events usually are: the names that fields have in lines of JSON of no known
//! format, and who an event is by.

use forebear_core::{Event, Scope};

/// The event as one of an actor in a session: of one whose name is another than the
/// session's, in a scope of its own.
pub(crate) fn by_actor(event: Event, actor: impl Into<String>, session: &str) -> Event {
    let actor = actor.into();
    let is_own = !actor.is_empty() && actor != session;
    let scope = if is_own { Scope::Own } else { Scope::Session };
    event.instance(actor).session(session).scope(scope)
}

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
pub(crate) const SCOPES: &[&str] = &["scope"];
pub(crate) const LABELS: &[&str] = &["tool", "model", "level", "status", "is_error", "source_app"];
