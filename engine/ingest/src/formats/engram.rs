//! The folder of an Engram store: `items.jsonl` (tasks), `edges.jsonl` (what they
//! are to each other) and `events.jsonl`, distinguished by what a line holds.
//!
//! All become events. One of a task is found by `source_task` or `target_task`,
//! see `Filter::label_of_any`; it hangs on its task.
//! A task's or an edge's later state is a version of it.
//!
//! A task is a session of type task too, as its last line has it, and an edge a
//! relationship. An edge goes from the child to the parent and from the blocked task
//! to what blocks it: `to` is the relationship's parent. There is one relationship for
//! two tasks, whatever edges join them: it is `parent/child` while there is such an
//! edge, else `sibling`, since to block or to be related makes nothing a part; its
//! metadata holds the last edge of each kind. One that has no edges left, each being
//! removed, is completed.

use std::collections::HashMap;
use std::path::Path;

use forebear_core::{Event, EventId, limits};
use forebear_sessions::{Relationship, RelationshipType, SessionPatch, SessionStatus, SessionType};
use serde_json::{Value, json};

use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::equal::{EqualOnes, content};
use crate::formats::common::labels::{EDGE, PRIORITY, REMOVED, SOURCE_TASK, STATUS, TARGET_TASK};
use crate::formats::common::usual;
use crate::formats::common::values::{cut, id, label_value, scalar_text, scalar_time, text};
use crate::parsed::Parsed;
use forebear_readings::json::{JsonCursor, JsonStr, Scalar};

/// The files of an Engram folder, `engram`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Engram;

impl Adapter for Engram {
    fn name(&self) -> &'static str {
        "engram"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("engram")
    }

    fn recognise_path(&self, path: &Path) -> Confidence {
        let folder = path.parent().and_then(Path::file_name);
        if folder.is_some_and(|name| name == ".engram") {
            Confidence::Certain
        } else {
            Confidence::No
        }
    }

    fn recognise(&self, line: &str) -> Confidence {
        let (mut has_task, mut has_time) = (false, false);
        JsonCursor::new(line).object(|key, _| match key {
            "source_task" | "target_task" => has_task = true,
            _ => has_time |= usual::TIMES.contains(&key),
        });
        if has_task && has_time { Confidence::Likely } else { Confidence::No }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(TaskLog::new(file.modified_ns))
    }
}

/// Reads one file of the folder.
#[derive(Debug)]
struct TaskLog {
    equal: EqualOnes,
    /// The time of the line before; of the file, before the first.
    last_time_ns: i64,
    /// The edges between two tasks, by a digest of the two.
    edges: HashMap<EventId, Edges>,
}

/// Which kinds of edges join two tasks, a bit each.
#[derive(Clone, Copy, Debug, Default)]
struct Edges(u8);

/// What was found in a line.
#[derive(Debug, Default)]
struct EngramFields<'t> {
    id: Option<JsonStr<'t>>,
    kind: Option<JsonStr<'t>>,
    title: Option<JsonStr<'t>>,
    status: Option<JsonStr<'t>>,
    priority: Option<Scalar<'t>>,
    from: Option<JsonStr<'t>>,
    to: Option<JsonStr<'t>>,
    source_task: Option<JsonStr<'t>>,
    target_task: Option<JsonStr<'t>>,
    timestamp: Option<Scalar<'t>>,
    updated: Option<Scalar<'t>>,
    created: Option<Scalar<'t>>,
    closed: Option<Scalar<'t>>,
    removed: bool,
}

impl TaskLog {
    fn new(modified_ns: i64) -> Self {
        Self { equal: EqualOnes::default(), last_time_ns: modified_ns, edges: HashMap::new() }
    }

    /// A line without an id gets one of its bytes and its number.
    fn identified(
        &mut self,
        event: Event,
        fields: &EngramFields<'_>,
        object: &str,
    ) -> Result<Event, String> {
        Ok(match fields.id {
            Some(text) => event.id(id("id", text)?),
            None => self.equal.identify(event, LINE_DOMAIN, "", object),
        })
    }

    fn task(&mut self, fields: &EngramFields<'_>, object: &str) -> Result<Event, String> {
        let mut event = self.identified(Event::new("task").payload(object), fields, object)?;
        if let Some(task) = fields.id {
            let task = text(task, limits::MAX_NAME_BYTES);
            event = event.label(SOURCE_TASK, task.as_str()).session(task);
        }
        Ok(event)
    }

    /// An edge is its two ends and its kind: a tombstone is a version of what it
    /// removes.
    fn edge(from: JsonStr<'_>, to: JsonStr<'_>, fields: &EngramFields<'_>, object: &str) -> Event {
        let kind = fields.kind.map(label_value).unwrap_or_default();
        let (from, to) = (label_value(from), label_value(to));
        let content = content(&[from.as_bytes(), to.as_bytes(), kind.as_bytes()]);
        let mut event =
            Event::new("task_edge").payload(object).id(EventId::derived(EDGE_DOMAIN, &content));
        if !kind.is_empty() {
            event = event.label(EDGE, kind);
        }
        event.label(SOURCE_TASK, from.as_str()).label(TARGET_TASK, to).session(from)
    }

    fn event_of_tasks(&mut self, fields: &EngramFields<'_>, object: &str) -> Result<Event, String> {
        let kind = fields.kind.map(|kind| text(kind, limits::MAX_KIND_BYTES));
        let event = Event::new(kind.unwrap_or_else(|| "unknown".to_owned())).payload(object);
        let mut event = self.identified(event, fields, object)?;
        if let Some(task) = fields.source_task {
            event = event.label(SOURCE_TASK, label_value(task));
        }
        if let Some(task) = fields.target_task {
            event = event.label(TARGET_TASK, label_value(task));
        }
        if let Some(task) = fields.source_task.or(fields.target_task) {
            event = event.parent(id("task", task)?).session(text(task, limits::MAX_NAME_BYTES));
        }
        Ok(event)
    }

    /// What a task's line says of it. All is said that another line may have said
    /// otherwise, so that the last one alone counts.
    fn session(&self, task: JsonStr<'_>, fields: &EngramFields<'_>, object: &str) -> SessionPatch {
        let mut patch = SessionPatch::new(text(task, limits::MAX_NAME_BYTES))
            .session_type(SessionType::Task)
            .metadata(metadata(fields, object))
            .metadata_member(TOMBSTONE, fields.removed.then(|| "true".to_owned()));
        if let Some(created_ns) = time(fields.created) {
            patch = patch.start_ns(created_ns);
        }
        let status = fields.status.and_then(status);
        let status = match status {
            None | Some(SessionStatus::Active) if fields.removed => Some(SessionStatus::Cancelled),
            status => status,
        };
        patch = match status {
            Some(status) => patch.status(status),
            None => patch.without_status(),
        };
        match status {
            None | Some(SessionStatus::Active) => patch.without_end(),
            Some(_) => patch.end_ns(time(fields.closed).unwrap_or(self.last_time_ns)),
        }
    }

    /// What an edge's line makes of the two tasks.
    fn relationship(
        &mut self,
        from: JsonStr<'_>,
        to: JsonStr<'_>,
        fields: &EngramFields<'_>,
        object: &str,
    ) -> Relationship {
        let kind = fields.kind.map(label_value).unwrap_or_default();
        let (from, to) = (text(from, limits::MAX_NAME_BYTES), text(to, limits::MAX_NAME_BYTES));
        let pair = EventId::derived(PAIR_DOMAIN, &content(&[from.as_bytes(), to.as_bytes()]));
        let known = self.edges.get(&pair).copied();
        let edges = known.unwrap_or_default().with(&kind, !fields.removed);
        if known.is_some() || self.edges.len() < MAX_PAIRS {
            self.edges.insert(pair, edges);
        }
        let shown = edges.shown().filter(|_| fields.removed || edges.is_parenthood());
        let relationship_type = if edges.is_parenthood() {
            RelationshipType::ParentChild
        } else {
            RelationshipType::Sibling
        };
        let gone = edges.0 == 0;
        let relationship = Relationship::new(to, from)
            .relationship_type(relationship_type)
            .metadata_member("kind", Some(json!(shown.unwrap_or(&kind)).to_string()))
            .metadata_member(EDGE_KINDS[Edges::place(&kind)], Some(metadata(fields, object)))
            .metadata_member(TOMBSTONE, gone.then(|| "true".to_owned()));
        let relationship = match time(fields.created) {
            Some(created_ns) if !fields.removed => relationship.created_ns(created_ns),
            _ => relationship,
        };
        if gone {
            relationship.completed_ns(self.last_time_ns)
        } else {
            relationship.without_completion()
        }
    }
}

impl Edges {
    fn place(kind: &str) -> usize {
        EDGE_KINDS.iter().position(|known| *known == kind).unwrap_or(EDGE_KINDS.len() - 1)
    }

    /// The same with an edge of this kind, or without one.
    fn with(self, kind: &str, is_there: bool) -> Self {
        let bit = 1 << Self::place(kind);
        Self(if is_there { self.0 | bit } else { self.0 & !bit })
    }

    fn is_parenthood(self) -> bool {
        self.0 & 1 != 0
    }

    /// The kind that counts most of those that are there.
    fn shown(self) -> Option<&'static str> {
        EDGE_KINDS.get(self.0.trailing_zeros() as usize).copied()
    }
}

impl Parser for TaskLog {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let fields = EngramFields::read(object);
        let ends = fields.from.zip(fields.to);
        let is_task = ends.is_none() && fields.title.is_some();
        let mut event = match ends {
            Some((from, to)) => Self::edge(from, to, &fields, object),
            None if is_task => self.task(&fields, object)?,
            None => self.event_of_tasks(&fields, object)?,
        };
        if let Some(status) = fields.status {
            event = event.label(STATUS, label_value(status));
        }
        if let Some(priority) = fields.priority {
            let priority = cut(scalar_text(priority), limits::MAX_LABEL_VALUE_BYTES);
            event = event.label(PRIORITY, priority);
        }
        if fields.removed {
            event = event.label(REMOVED, "true");
        }
        let times = [fields.timestamp, fields.updated, fields.created];
        let time_ns = times.into_iter().flatten().find_map(|value| scalar_time(value, None));
        self.last_time_ns = time_ns.unwrap_or(self.last_time_ns);
        let parsed = Parsed::new(event.time_ns(self.last_time_ns)).time_made_up(time_ns.is_none());
        Ok(match (ends, fields.id) {
            (Some((from, to)), _) => {
                let relationship = self.relationship(from, to, &fields, object);
                parsed.relate(relationship)
            }
            (None, Some(task)) if is_task => parsed.session(self.session(task, &fields, object)),
            _ => parsed,
        })
    }
}

impl<'t> EngramFields<'t> {
    fn read(object: &'t str) -> Self {
        let mut fields = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "id" => fields.id = value.text(),
            "kind" => fields.kind = value.text(),
            "title" => fields.title = value.text(),
            "status" => fields.status = value.text(),
            "priority" => fields.priority = value.scalar(),
            "from_id" | "from" => fields.from = value.text(),
            "to_id" | "to" => fields.to = value.text(),
            "source_task" => fields.source_task = value.text(),
            "target_task" => fields.target_task = value.text(),
            "timestamp" => fields.timestamp = value.scalar(),
            "updated_at" => fields.updated = value.scalar(),
            "closed_at" => fields.closed = value.scalar(),
            "created_at" => fields.created = value.scalar(),
            "deleted" | "tombstone" | "removed" => fields.removed = value.is_true(),
            "deleted_at" | "removed_at" => fields.removed = value.text().is_some(),
            _ => {}
        });
        fields
    }
}

fn time(value: Option<Scalar<'_>>) -> Option<i64> {
    value.and_then(|value| scalar_time(value, None))
}

/// The object itself; of one that is too long for metadata, the fields that identify it.
/// The event has all of it.
fn metadata(fields: &EngramFields<'_>, object: &str) -> String {
    if object.len() <= MAX_OBJECT_BYTES {
        return object.to_owned();
    }
    let text = |value: Option<JsonStr<'_>>| value.map(label_value);
    let mut metadata = json!({"bytes_left_out": object.len()});
    let texts = [("title", fields.title), ("status", fields.status), ("kind", fields.kind)];
    for (key, value) in texts {
        if let Some(value) = text(value) {
            metadata[key] = Value::String(value);
        }
    }
    metadata.to_string()
}

/// The status of a session whose task has this one; none of a name that says nothing.
fn status(name: JsonStr<'_>) -> Option<SessionStatus> {
    let name = name.decode().to_ascii_lowercase().replace(['-', ' '], "_");
    Some(match name.as_str() {
        "open" | "in_progress" | "blocked" | "ready" | "todo" | "pending" | "active"
        | "started" | "running" => SessionStatus::Active,
        "closed" | "done" | "completed" | "complete" | "resolved" => SessionStatus::Completed,
        "failed" | "error" => SessionStatus::Failed,
        "cancelled" | "canceled" | "abandoned" | "wontfix" => SessionStatus::Cancelled,
        "timeout" | "timed_out" => SessionStatus::Timeout,
        _ => return None,
    })
}

/// The kinds of edges, those that count most first; all others are the last.
const EDGE_KINDS: [&str; 4] = ["parent_child", "blocks", "related", "other"];
/// In metadata: `true` of what was removed.
const TOMBSTONE: &str = "tombstone";
/// Longest object that is metadata as a whole.
const MAX_OBJECT_BYTES: usize = 32 << 10;
/// Pairs of tasks whose edges are remembered; past them each edge speaks for itself.
const MAX_PAIRS: usize = 1 << 16;

/// Keeps digests of two tasks apart from other derived ids.
const PAIR_DOMAIN: &str = "forebear engram pair v1";
/// Keeps the ids of edges apart from other derived ids.
const EDGE_DOMAIN: &str = "forebear engram edge v1";
/// Keeps the ids of lines without one apart from other derived ids.
const LINE_DOMAIN: &str = "forebear engram line v1";
