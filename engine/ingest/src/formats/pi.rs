//! Sessions of the pi coding agent: `sessions/--FOLDER--/TIME_SESSION.jsonl`.
//!
//! The first line names the session. Entries form a tree by `id` and `parentId`; ids are
//! unique within a session only, so an event's id is derived from both. The oldest files have
//! no ids: there the parent is the line before.

mod reader;

use std::sync::Arc;

use forebear_core::{Event, EventId, LinkKind, limits};
use forebear_readings::PayloadReader;
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_sessions::{Relationship, RelationshipType, SessionPatch, SessionType, SpawnReason};

use self::reader::EntryReader;
use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::equal::{EqualOnes, content};
use crate::formats::common::labels::{FORKED_FROM, MODEL, PROJECT, TYPE};
use crate::formats::common::reading::{label_text, with_usage};
use crate::formats::common::values::{cut, is, label_value, last_name, parse_time, text};
use crate::parsed::Parsed;

/// Sessions of the pi coding agent, `pi`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pi;

impl Adapter for Pi {
    fn name(&self) -> &'static str {
        "pi"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("pi")
    }

    fn recognise(&self, line: &str) -> Confidence {
        let head = PiHead::read(line);
        if is(head.line_type, SESSION) && head.id.is_some() && head.cwd.is_some() {
            return Confidence::Certain;
        }
        // Others have lines of messages with roles, too.
        let is_entry = is(head.line_type, "message") && head.has_own_role && head.has_parent;
        if is_entry { Confidence::Likely } else { Confidence::No }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(Entries {
            session: String::new(),
            forked_from: None,
            project: None,
            last: None,
            is_first: true,
            equal: EqualOnes::default(),
            time_ns: file.modified_ns,
        })
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(EntryReader))
    }
}

/// Reads the entries of one file.
#[derive(Debug)]
struct Entries {
    /// Empty before the first line was read.
    session: String,
    /// The session that this one was forked from.
    forked_from: Option<String>,
    project: Option<String>,
    last: Option<EventId>,
    /// Whether no entry was read yet.
    is_first: bool,
    equal: EqualOnes,
    time_ns: i64,
}

/// What an entry says of itself.
#[derive(Debug, Default)]
struct PiHead<'t> {
    line_type: Option<JsonStr<'t>>,
    id: Option<JsonStr<'t>>,
    has_parent: bool,
    parent: Option<JsonStr<'t>>,
    timestamp: Option<JsonStr<'t>>,
    cwd: Option<JsonStr<'t>>,
    forked_from: Option<JsonStr<'t>>,
    has_own_role: bool,
}

impl Entries {
    /// The id of an entry of a session.
    fn entry(session: &str, id: JsonStr<'_>) -> Vec<u8> {
        content(&[session.as_bytes(), id.decode_exactly().as_bytes()])
    }

    fn header(&mut self, head: &PiHead<'_>) -> Option<(SessionPatch, Relationship)> {
        self.session = head.id.map_or_else(String::new, |id| text(id, limits::MAX_NAME_BYTES));
        self.project = head.cwd.and_then(|cwd| last_name(&cwd.decode()));
        let other = head.forked_from.and_then(session_of_path);
        self.forked_from = other.filter(|other| *other != self.session);
        (self.last, self.is_first) = (None, true);
        let other = self.forked_from.as_deref()?;
        let patch = SessionPatch::new(self.session.as_str())
            .session_type(SessionType::Continuation)
            .parent(other);
        let relationship = Relationship::new(other, self.session.as_str())
            .relationship_type(RelationshipType::Continuation)
            .reason(SpawnReason::Continuation);
        Some((patch, relationship))
    }
}

impl Parser for Entries {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let head = PiHead::read(object);
        let is_header = is(head.line_type, SESSION);
        let said = if is_header { self.header(&head) } else { None };
        let (kind, reading) = reader::read_entry(object);
        let mut event = Event::new(kind).payload(object);
        event = match head.id {
            Some(_) if is_header => event.derived_id(SESSION_DOMAIN, self.session.as_bytes()),
            Some(id) if !self.session.is_empty() => {
                event.derived_id(ENTRY_DOMAIN, &Self::entry(&self.session, id))
            }
            _ => self.equal.identify(event, LINE_DOMAIN, &self.session, object),
        };
        if !is_header {
            let is_first = std::mem::take(&mut self.is_first);
            if let Some(parent) = head.parent {
                event = event
                    .parent(EventId::derived(ENTRY_DOMAIN, &Self::entry(&self.session, parent)));
            } else if head.has_parent {
                // What a fork begins with is the other session's first entry.
                if let (true, Some(other), Some(id)) = (is_first, &self.forked_from, head.id) {
                    let of_other = EventId::derived(ENTRY_DOMAIN, &Self::entry(other, id));
                    event = event.parent(of_other).link(LinkKind::Continues);
                }
            } else if let Some(last) = &self.last {
                event = event.parent(last.clone());
            }
            self.last = Some(event.as_id().clone());
        }
        let time_ns = head.timestamp.and_then(parse_time);
        self.time_ns = time_ns.unwrap_or(self.time_ns);
        if let Some(line_type) = head.line_type {
            event = event.label(TYPE, label_value(line_type));
        }
        if let Some(model) = &reading.model {
            event = event.label(MODEL, label_text(model));
        }
        if let Some(project) = &self.project {
            event = event.label(PROJECT, cut(project.into(), limits::MAX_LABEL_VALUE_BYTES));
        }
        if let (true, Some(other)) = (is_header, &self.forked_from) {
            event = event.label(FORKED_FROM, other.as_str());
        }
        event = with_usage(event, &reading).time_ns(self.time_ns);
        if !self.session.is_empty() {
            event = event.session(self.session.as_str()).instance(self.session.as_str());
        }
        let parsed = Parsed::new(event).time_made_up(time_ns.is_none());
        Ok(match said {
            Some((patch, relationship)) => parsed.session(patch).relate(relationship),
            None => parsed,
        })
    }
}

impl<'t> PiHead<'t> {
    fn read(object: &'t str) -> Self {
        let mut head = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "type" => head.line_type = value.text(),
            "id" => head.id = value.text(),
            "parentId" => {
                head.has_parent = true;
                head.parent = value.text();
            }
            "timestamp" => head.timestamp = value.text(),
            "cwd" => head.cwd = value.text(),
            "parentSession" | "branchedFrom" => {
                head.forked_from = value.text().or(head.forked_from);
            }
            "message" => value.object(|key, value| {
                if key == "role" {
                    let role = value.text().map(JsonStr::decode).unwrap_or_default();
                    head.has_own_role = reader::ROLES.contains(&&*role);
                }
            }),
            _ => {}
        });
        head
    }
}

/// The session in the name of a file: what follows its time.
fn session_of_path(path: JsonStr<'_>) -> Option<String> {
    let name = last_name(&path.decode())?;
    let stem = name.strip_suffix(".jsonl").unwrap_or(&name);
    let session = stem.rsplit('_').next().filter(|session| !session.is_empty())?;
    Some(cut(session.into(), limits::MAX_NAME_BYTES))
}

const SESSION: &str = "session";
const SESSION_DOMAIN: &str = "forebear pi session v1";
const ENTRY_DOMAIN: &str = "forebear pi entry v1";
const LINE_DOMAIN: &str = "forebear pi line v1";
