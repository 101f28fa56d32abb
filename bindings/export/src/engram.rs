//! The files of an Engram folder: tasks, what they are to each other, and events.
//!
//! What came from such a folder goes out byte for byte. Of all else a session is a task, the
//! events are events of it, and a session that another started or goes on in is joined to it by
//! an edge.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use forebear::{LinkKind, StoredEvent};
use forebear_wire::time;
use serde_json::{Value, json};

use crate::{EventWriter, Options};

/// The payload type of what came from such a folder, and the kinds of its tasks and edges.
const OWN: &str = "engram";
const TASK: &str = "task";
const TASK_EDGE: &str = "task_edge";

/// Sessions that wait to be written as tasks.
const TASKS_MAX: usize = 1 << 14;

/// Writes the three files of a folder.
pub(crate) struct EngramWriter<'w> {
    items: BufWriter<File>,
    edges: BufWriter<File>,
    events: BufWriter<File>,
    options: Options<'w>,
    tasks: HashMap<String, SessionTask>,
}

/// A session as a task.
#[derive(Debug)]
struct SessionTask {
    title: Option<String>,
    start_ns: i64,
    end_ns: i64,
}

impl<'w> EngramWriter<'w> {
    /// Makes the files, none of which may exist.
    pub(crate) fn new(folder: &Path, options: Options<'w>) -> io::Result<Self> {
        let file = |name: &str| {
            let mut new = File::options();
            new.write(true).create_new(true);
            // Payloads hold secrets, so only the owner may read them.
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
            new.open(folder.join(name)).map(BufWriter::new)
        };
        Ok(Self {
            items: file("items.jsonl")?,
            edges: file("edges.jsonl")?,
            events: file("events.jsonl")?,
            options,
            tasks: HashMap::new(),
        })
    }

    /// An event of elsewhere.
    fn foreign(&mut self, event: &StoredEvent) -> io::Result<()> {
        let mut line = json!({
            "id": event.id().to_string(),
            "kind": event.kind(),
            "timestamp": time::rfc3339(event.time_ns()),
        });
        if let Some(session) = event.session() {
            line["source_task"] = session.into();
            self.note(session, event);
            self.edge(session, event)?;
        }
        if let Some(payload) = event.payload() {
            line["payload"] = serde_json::from_slice::<Value>(payload)
                .unwrap_or_else(|_| String::from_utf8_lossy(payload).into());
        }
        write_line(&mut self.events, line.to_string().as_bytes())?;
        if self.tasks.len() > TASKS_MAX { self.write_tasks() } else { Ok(()) }
    }

    fn note(&mut self, session: &str, event: &StoredEvent) {
        let time_ns = event.time_ns();
        let task = self.tasks.entry(session.to_owned()).or_insert(SessionTask {
            title: None,
            start_ns: time_ns,
            end_ns: time_ns,
        });
        task.start_ns = task.start_ns.min(time_ns);
        task.end_ns = task.end_ns.max(time_ns);
        if let Some(title) = event.label("title") {
            task.title = Some(title.to_owned());
        }
    }

    /// The session hangs on the one that an event of it comes from.
    fn edge(&mut self, session: &str, event: &StoredEvent) -> io::Result<()> {
        let kind = match event.link() {
            Some(LinkKind::Spawned) => "parent_child",
            Some(LinkKind::Continues) => "related",
            _ => return Ok(()),
        };
        let above = event.parent().and_then(|parent| self.options.found(parent));
        let Some(above) = above.as_ref().and_then(StoredEvent::session) else { return Ok(()) };
        if above == session {
            return Ok(());
        }
        let created = time::rfc3339(event.time_ns());
        let edge = json!({"from_id": session, "to_id": above, "kind": kind, "created_at": created});
        write_line(&mut self.edges, edge.to_string().as_bytes())
    }

    fn write_tasks(&mut self) -> io::Result<()> {
        let mut tasks: Vec<_> = self.tasks.drain().collect();
        tasks.sort_by(|(a, one), (b, other)| (one.start_ns, a).cmp(&(other.start_ns, b)));
        for (session, task) in tasks {
            let title = task.title.as_deref().unwrap_or(&session);
            let item = json!({
                "id": session,
                "title": title,
                "status": "open",
                "created_at": time::rfc3339(task.start_ns),
                "updated_at": time::rfc3339(task.end_ns),
            });
            write_line(&mut self.items, item.to_string().as_bytes())?;
        }
        Ok(())
    }
}

impl EventWriter for EngramWriter<'_> {
    fn event(&mut self, event: &StoredEvent) -> io::Result<bool> {
        let payload = event.payload().filter(|_| event.payload_type() == Some(OWN));
        let Some(payload) = payload else {
            self.foreign(event)?;
            return Ok(true);
        };
        let file = match event.kind() {
            TASK => &mut self.items,
            TASK_EDGE => &mut self.edges,
            _ => &mut self.events,
        };
        write_line(file, payload)?;
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_tasks()?;
        for file in [&mut self.items, &mut self.edges, &mut self.events] {
            file.flush()?;
            file.get_ref().sync_all()?;
        }
        Ok(())
    }
}

fn write_line(file: &mut BufWriter<File>, line: &[u8]) -> io::Result<()> {
    file.write_all(line)?;
    file.write_all(b"\n")
}
