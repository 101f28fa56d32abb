//! The folder of an Engram store: `items.jsonl` (tasks), `edges.jsonl` (what they
//! have to do with each other) and `events.jsonl`, told apart by what a line holds.
//!
//! All become events. One of a task is found by `source_task` or `target_task`,
//! see [`Filter::label_of_any`](crate::Filter::label_of_any); it hangs on its task.
//! A task's or an edge's later state is a version of it.

use crate::event::Event;
use crate::id::EventId;
use crate::ingest::formats::equal::{EqualOnes, content};
use crate::ingest::formats::labels::{EDGE, PRIORITY, REMOVED, SOURCE_TASK, STATUS, TARGET_TASK};
use crate::ingest::formats::values::{cut, id, label_value, scalar_text, scalar_time, text};
use crate::ingest::formats::{Adapter, ReadEvent};
use crate::ingest::json::{Cursor, JsonStr, Scalar};
use crate::limits;

/// Reads one file of the folder.
#[derive(Debug)]
pub(crate) struct Engram {
    equal: EqualOnes,
    /// The time of the line before; of the file, before the first.
    last_time_ns: i64,
}

/// What was found in a line.
#[derive(Debug, Default)]
struct Fields<'t> {
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
    removed: bool,
}

impl Engram {
    pub(crate) fn new(modified_ns: i64) -> Self {
        Self { equal: EqualOnes::default(), last_time_ns: modified_ns }
    }

    /// A line without an id gets one of its bytes and its number.
    fn identified(
        &mut self,
        event: Event,
        fields: &Fields<'_>,
        object: &str,
    ) -> Result<Event, String> {
        Ok(match fields.id {
            Some(text) => event.id(id("id", text)?),
            None => self.equal.identify(event, LINE_DOMAIN, "", object),
        })
    }

    fn task(&mut self, fields: &Fields<'_>, object: &str) -> Result<Event, String> {
        let mut event = self.identified(Event::new("task").payload(object), fields, object)?;
        if let Some(task) = fields.id {
            let task = text(task, limits::MAX_NAME_BYTES);
            event = event.label(SOURCE_TASK, task.as_str()).session(task);
        }
        Ok(event)
    }

    /// An edge is its two ends and its kind: a tombstone is a version of what it
    /// removes.
    fn edge(from: JsonStr<'_>, to: JsonStr<'_>, fields: &Fields<'_>, object: &str) -> Event {
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

    fn event_of_tasks(&mut self, fields: &Fields<'_>, object: &str) -> Result<Event, String> {
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
}

impl Adapter for Engram {
    fn event(&mut self, object: &str) -> Result<ReadEvent, String> {
        let fields = Fields::read(object);
        let mut event = match (fields.from, fields.to) {
            (Some(from), Some(to)) => Self::edge(from, to, &fields, object),
            _ if fields.title.is_some() => self.task(&fields, object)?,
            _ => self.event_of_tasks(&fields, object)?,
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
        let event = event.time_ns(self.last_time_ns);
        Ok(ReadEvent { event, time_made_up: time_ns.is_none() })
    }
}

impl<'t> Fields<'t> {
    fn read(object: &'t str) -> Self {
        let mut fields = Self::default();
        Cursor::new(object).object(|key, value| match key {
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
            "created_at" => fields.created = value.scalar(),
            "deleted" | "tombstone" | "removed" => fields.removed = value.is_true(),
            "deleted_at" | "removed_at" => fields.removed = value.text().is_some(),
            _ => {}
        });
        fields
    }
}

/// Keeps the ids of edges apart from other derived ids.
const EDGE_DOMAIN: &str = "forebear engram edge v1";
/// Keeps the ids of lines without one apart from other derived ids.
const LINE_DOMAIN: &str = "forebear engram line v1";
