//! How `serde` writes sessions. The keys are part of the interface, as those of the command
//! line are, which prints them.

use forebear_core::{StoredEvent, Time, Tokens};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::kinds::{DelegationType, RelationshipType, SessionStatus, SessionType, SpawnReason};
use crate::relationship::StoredRelationship;
use crate::session::{Session, WaitsFor};
use crate::timeline::TimelineEntry;
use crate::tree::{SessionMetrics, SessionNode, SessionPlace, SessionTotal};
use crate::waves::Wave;

/// Implements `Serialize` for types that are one word.
macro_rules! as_word {
    ($($of:ty),+) => {$(
        impl Serialize for $of {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )+};
}

as_word!(DelegationType, RelationshipType, SessionStatus, SessionType, SpawnReason);

impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct SessionFields<'a> {
            id: &'a str,
            #[serde(rename = "type")]
            session_type: SessionType,
            status: SessionStatus,
            parent: Option<&'a str>,
            source_app: Option<&'a str>,
            start: Option<Time>,
            end: Option<Time>,
            duration_ms: Option<u64>,
            agents: u64,
            tokens: Tokens,
            events: u64,
            errors: u64,
            open_calls: u64,
            model: Option<&'a str>,
            project: Option<&'a str>,
            wave_id: Option<&'a str>,
            metadata: Option<&'a RawValue>,
            title: Option<&'a str>,
            decided_by: Option<String>,
            waits_for: Option<&'a str>,
        }
        SessionFields {
            title: self.title.as_deref(),
            decided_by: self.decided_by.as_ref().map(ToString::to_string),
            waits_for: self.waits_for.map(WaitsFor::as_str),
            id: &self.id,
            session_type: self.session_type,
            status: self.status,
            parent: self.parent.as_deref(),
            source_app: self.source_app.as_deref(),
            start: self.start_ns.map(Time::from_ns),
            end: self.end_ns.map(Time::from_ns),
            duration_ms: self.duration().map(millis),
            agents: self.agents,
            tokens: self.tokens,
            events: self.events,
            errors: self.errors,
            open_calls: self.open_calls,
            model: self.model.as_deref(),
            project: self.project.as_deref(),
            wave_id: self.wave_id.as_deref(),
            metadata: self.metadata.as_deref().and_then(json),
        }
        .serialize(serializer)
    }
}

impl Serialize for StoredRelationship {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct StoredRelationshipFields<'a> {
            parent: &'a str,
            child: &'a str,
            #[serde(rename = "type")]
            relationship_type: RelationshipType,
            spawn_reason: Option<SpawnReason>,
            delegation_type: Option<DelegationType>,
            created: Option<Time>,
            completed: Option<Time>,
            metadata: Option<&'a RawValue>,
        }
        StoredRelationshipFields {
            parent: &self.parent,
            child: &self.child,
            relationship_type: self.relationship_type,
            spawn_reason: self.spawn_reason,
            delegation_type: self.delegation_type,
            created: self.created_ns.map(Time::from_ns),
            completed: self.completed_ns.map(Time::from_ns),
            metadata: self.metadata.as_deref().and_then(json),
        }
        .serialize(serializer)
    }
}

/// The session's own keys, and where it stands in the tree.
impl Serialize for SessionNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct SessionNodeFields<'a> {
            #[serde(flatten)]
            session: &'a Session,
            below: u64,
            path: &'a str,
            total: SessionTotal,
        }
        let Self { session, below, path, total, .. } = self;
        SessionNodeFields { session, below: *below, path, total: *total }.serialize(serializer)
    }
}

impl Serialize for SessionTotal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct SessionTotalFields {
            sessions: u64,
            events: u64,
            errors: u64,
            tokens: Tokens,
            may_count_twice: bool,
        }
        let Self { sessions, events, errors, tokens, may_count_twice } = *self;
        SessionTotalFields { sessions, events, errors, tokens, may_count_twice }
            .serialize(serializer)
    }
}

impl Serialize for SessionPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct SessionPlaceFields<'a> {
            depth: u64,
            root: &'a str,
            path: &'a str,
            cycle: bool,
        }
        let Self { depth, root, path, cycle } = self;
        SessionPlaceFields { depth: *depth, root, path, cycle: *cycle }.serialize(serializer)
    }
}

impl Serialize for SessionMetrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct SessionMetricsFields<'a> {
            id: &'a str,
            duration_ms: Option<u64>,
            agents: u64,
            tokens: Tokens,
            events: u64,
            errors: u64,
            depth: u64,
            path: &'a str,
        }
        let Self { id, duration, agents, tokens, events, errors, depth, path } = self;
        SessionMetricsFields {
            id,
            duration_ms: duration.map(millis),
            agents: *agents,
            tokens: *tokens,
            events: *events,
            errors: *errors,
            depth: *depth,
            path,
        }
        .serialize(serializer)
    }
}

impl Serialize for Wave {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct WaveFields<'a> {
            id: &'a str,
            sessions: u64,
            events: u64,
            start: Option<Time>,
            end: Option<Time>,
            running: u64,
            done: u64,
            failed: u64,
        }
        WaveFields {
            id: &self.id,
            sessions: self.sessions,
            events: self.events,
            start: self.start_ns.map(Time::from_ns),
            end: self.end_ns.map(Time::from_ns),
            running: self.running,
            done: self.done,
            failed: self.failed,
        }
        .serialize(serializer)
    }
}

/// The event, and the names of its session and of the one above it.
impl Serialize for TimelineEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct TimelineEntryFields<'a> {
            event: &'a StoredEvent,
            session: &'a str,
            relationship: Option<&'a StoredRelationship>,
        }
        let Self { event, session, relationship } = self;
        let relationship = relationship.as_deref();
        TimelineEntryFields { event, session: &session.id, relationship }.serialize(serializer)
    }
}

fn millis(length: std::time::Duration) -> u64 {
    length.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Metadata as it was given; it was checked to be JSON then.
fn json(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}
