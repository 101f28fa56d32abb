//! Chats of the Gemini CLI: `tmp/PROJECT/chats/session-TIME-ID.jsonl`, in older versions one
//! JSON document (`.json`), and those of its agents in a folder named for the session.
//!
//! The first line names the session; a message is written again under its id as it goes on,
//! and `$set` lines change what the first line says.

mod reader;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use forebear_core::{Event, EventId, LinkKind, limits};
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{Payload, PayloadReader};

use self::reader::GeminiReader;
use crate::adapter::{Adapter, Confidence, Linker, Parser, SourceFile};
use crate::formats::common::document::add_line;
use crate::formats::common::equal::{EqualOnes, content};
use crate::formats::common::labels::{AGENT_CALL, AGENT_RESULT, MODEL, PROJECT, TYPE};
use crate::formats::common::reading::{label_text, with_usage};
use crate::formats::common::spawned::{self, SpawnLinker};
use crate::formats::common::values::{cut, is, label_value, last_name, parse_time, text};
use crate::parsed::Parsed;
use forebear_readings::{MAX_TOOLS, numbered};

/// Chats of the Gemini CLI, `gemini`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gemini;

impl Adapter for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("gemini-cli")
    }

    fn takes_file(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_document =
            path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("json"))
                && name.starts_with("session-");
        is_document || crate::adapter::takes_lines(path)
    }

    fn recognise(&self, line: &str) -> Confidence {
        let head = GeminiHead::read(line);
        if head.session.is_some() && head.has_hash && !head.has_uuid {
            Confidence::Certain
        } else if head.is_update && !head.has_uuid
            || is(head.line_type, "gemini") && head.has_content && head.id.is_some()
        {
            Confidence::Likely
        } else {
            Confidence::No
        }
    }

    fn recognise_document(&self, head: &str) -> Confidence {
        let head = GeminiHead::read(head);
        let is_chat =
            head.session.is_some() && head.has_messages && (head.has_hash || head.has_start);
        if is_chat { Confidence::Certain } else { Confidence::No }
    }

    fn unfold(&self, _path: &Path, document: &str) -> Result<Vec<u8>, String> {
        let (mut members, mut messages) = (Vec::new(), Vec::new());
        JsonCursor::new(document).object(|key, value| {
            if key == "messages" {
                value.array(|message| messages.push(message.raw()));
            } else {
                members.push(format!("{}:{}", serde_json::Value::from(key), value.raw()));
            }
        });
        let mut lines = Vec::with_capacity(document.len());
        add_line(&mut lines, &format!("{{{}}}", members.join(",")));
        for message in messages {
            add_line(&mut lines, message);
        }
        Ok(lines)
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(GeminiChat::new(file))
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(GeminiReader))
    }

    fn linker(&self) -> Option<Box<dyn Linker>> {
        Some(Box::new(SpawnLinker::new(&[])))
    }
}

/// Reads one chat.
#[derive(Debug)]
struct GeminiChat {
    session: Option<String>,
    /// The session that the folder of an agent's chat is named for.
    parent: Option<String>,
    project: Option<String>,
    /// The newest messages in their order, the last one first to be continued.
    order: Vec<EventId>,
    /// The parents of the messages that were read, which are written again.
    parents: HashMap<EventId, Option<EventId>>,
    header: Option<EventId>,
    equal: EqualOnes,
    time_ns: i64,
}

/// What a line says of itself.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a sign of its own")]
struct GeminiHead<'t> {
    session: Option<JsonStr<'t>>,
    id: Option<JsonStr<'t>>,
    line_type: Option<JsonStr<'t>>,
    kind: Option<JsonStr<'t>>,
    timestamp: Option<JsonStr<'t>>,
    start: Option<JsonStr<'t>>,
    folder: Option<JsonStr<'t>>,
    rewind: Option<JsonStr<'t>>,
    has_rewind: bool,
    has_hash: bool,
    has_start: bool,
    has_content: bool,
    has_messages: bool,
    has_uuid: bool,
    is_update: bool,
    /// The messages that an update holds.
    messages: Vec<&'t str>,
    /// Agents that calls started, and those calls.
    agents: Vec<(JsonStr<'t>, Option<JsonStr<'t>>)>,
}

impl GeminiChat {
    fn new(file: &SourceFile<'_>) -> Self {
        let folder = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            Some(name.to_owned())
        };
        let here = file.path.parent();
        let above = here.and_then(Path::parent);
        let is_chats =
            |path: Option<&Path>| path.and_then(folder).is_some_and(|name| name == "chats");
        let (parent, project) = if is_chats(here) {
            (None, above.and_then(folder))
        } else if is_chats(above) {
            (here.and_then(folder), above.and_then(Path::parent).and_then(folder))
        } else {
            (None, None)
        };
        Self {
            session: None,
            parent: parent.map(|parent| cut(parent.into(), limits::MAX_NAME_BYTES)),
            project: project.filter(|name| !is_digest(name)),
            order: Vec::new(),
            parents: HashMap::new(),
            header: None,
            equal: EqualOnes::default(),
            time_ns: file.modified_ns,
        }
    }

    /// The session and what it goes back to, as its first line says.
    fn header(&mut self, head: &GeminiHead<'_>, object: &str) -> Parsed {
        let session = head.session.map(|name| text(name, limits::MAX_NAME_BYTES));
        if session != self.session {
            self.order.clear();
            self.parents.clear();
        }
        self.session.clone_from(&session);
        if let Some(folder) = head.folder {
            self.project = last_name(&folder.decode()).or(self.project.take());
        }
        let session = session.unwrap_or_default();
        let id = EventId::derived(HEADER_DOMAIN, session.as_bytes());
        self.header = Some(id);
        let mut event =
            Event::new("session").derived_id(HEADER_DOMAIN, session.as_bytes()).revision();
        let parent = self.parent.clone().filter(|parent| *parent != session);
        if let Some(parent) = &parent {
            event = spawned::agent_root(event, &session, parent);
        }
        let made_up = self.timed(head.start);
        let event = self.finish(event.payload(object));
        let parsed = Parsed::new(event).time_made_up(made_up);
        let Some(parent) = parent else { return parsed };
        spawned::below(parsed, &session, &parent)
    }

    /// Takes a time over; returns whether there is none.
    fn timed(&mut self, time: Option<JsonStr<'_>>) -> bool {
        let time_ns = time.and_then(parse_time);
        self.time_ns = time_ns.unwrap_or(self.time_ns);
        time_ns.is_none()
    }

    fn finish(&self, mut event: Event) -> Event {
        event = event.time_ns(self.time_ns);
        if let Some(project) = &self.project {
            let project = cut(project.into(), limits::MAX_LABEL_VALUE_BYTES);
            event = event.label(PROJECT, project);
        }
        match &self.session {
            Some(session) => event.session(session.as_str()).instance(session.as_str()),
            None => event,
        }
    }

    /// A message, which may have been read before.
    fn message(&mut self, head: &GeminiHead<'_>, object: &str) -> (Event, bool) {
        let session = self.session.clone().unwrap_or_default();
        let payload = Payload::new("", object.as_bytes());
        let reading = GeminiReader.read(&payload);
        let mut event = Event::new(reader::kind(head.line_type, &reading)).payload(object);
        let before = self.order.last().or(self.header.as_ref()).cloned();
        let parent = if let Some(id) = head.id.filter(|_| self.session.is_some()) {
            event = event.derived_id(MESSAGE_DOMAIN, &message_content(&session, id)).revision();
            if let Some(parent) = self.parents.get(event.as_id()) {
                parent.clone()
            } else {
                self.observe(event.as_id().clone(), before.clone());
                before
            }
        } else {
            event = self.equal.identify(event, LINE_DOMAIN, &session, object);
            before
        };
        if let Some(parent) = parent {
            event = event.parent(parent).link(LinkKind::Caused);
        }
        let made_up = self.timed(head.timestamp);
        if let Some(line_type) = head.line_type {
            event = event.label(TYPE, label_value(line_type));
        }
        if let Some(model) = &reading.model {
            event = event.label(MODEL, label_text(model));
        }
        for (n, (agent, call)) in head.agents.iter().take(MAX_TOOLS).enumerate() {
            event = event.label(numbered(AGENT_RESULT, n), label_value(*agent));
            if let Some(call) = call {
                event = event.label(numbered(AGENT_CALL, n), label_value(*call));
            }
        }
        event = with_usage(event, &reading);
        (self.finish(event), made_up)
    }

    fn observe(&mut self, id: EventId, parent: Option<EventId>) {
        if self.parents.len() == MAX_KNOWN {
            self.parents.clear();
        }
        if self.order.len() == MAX_KNOWN {
            self.order.drain(..MAX_KNOWN / 2);
        }
        self.parents.insert(id.clone(), parent);
        self.order.push(id);
    }

    /// Takes back a message and all after it: what comes next goes on from before.
    fn rewind(&mut self, to: Option<JsonStr<'_>>) {
        let to = to.map(|id| self.message_id(id));
        let at = self.order.iter().rposition(|id| Some(id) == to.as_ref());
        self.order.truncate(at.unwrap_or(0));
    }

    /// The event that a message is, by the name that it has in its session.
    fn message_id(&self, name: JsonStr<'_>) -> EventId {
        let session = self.session.as_deref().unwrap_or_default();
        EventId::derived(MESSAGE_DOMAIN, &message_content(session, name))
    }
}

impl Parser for GeminiChat {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let head = GeminiHead::read(object);
        if head.session.is_some() && !head.is_update && head.id.is_none() {
            return Ok(self.header(&head, object));
        }
        if !head.is_update && !head.has_rewind {
            let (event, made_up) = self.message(&head, object);
            return Ok(Parsed::new(event).time_made_up(made_up));
        }
        let session = self.session.clone().unwrap_or_default();
        let kind = if head.has_rewind { "rewind" } else { "update" };
        let mut event = Event::new(kind).payload(object);
        event = self.equal.identify(event, LINE_DOMAIN, &session, object);
        if let Some(last) = self.order.last() {
            event = event.parent(last.clone());
        }
        let made_up = self.timed(head.timestamp);
        let mut parsed = Parsed::new(self.finish(event)).time_made_up(made_up);
        if head.has_rewind {
            self.rewind(head.rewind);
        }
        // A list that replaces all messages may hold some that stand nowhere else.
        for message in head.messages.iter().take(MAX_IN_UPDATE) {
            let head = GeminiHead::read(message);
            let is_known =
                head.id.is_some_and(|id| self.parents.contains_key(&self.message_id(id)));
            if !is_known {
                let (event, made_up) = self.message(&head, message);
                parsed = parsed.event(event).time_made_up(made_up);
            }
        }
        Ok(parsed)
    }
}

impl<'t> GeminiHead<'t> {
    fn read(object: &'t str) -> Self {
        let mut head = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "sessionId" => head.session = value.text(),
            "projectHash" => head.has_hash = true,
            "startTime" => {
                head.has_start = true;
                head.start = value.text();
            }
            "directories" => value.array(|folder| {
                let folder = folder.text();
                head.folder = head.folder.or(folder);
            }),
            "kind" => head.kind = value.text(),
            "uuid" => head.has_uuid = true,
            "id" => head.id = value.text(),
            "timestamp" => head.timestamp = value.text(),
            "type" => head.line_type = value.text(),
            "content" => head.has_content = true,
            "messages" => head.has_messages = true,
            "$rewindTo" => {
                head.has_rewind = true;
                head.is_update = true;
                head.rewind = value.text();
            }
            "$set" if value.is_object() => {
                head.is_update = true;
                value.object(|key, value| match key {
                    "lastUpdated" => head.timestamp = value.text(),
                    "messages" => value.array(|message| {
                        if message.is_object() {
                            head.messages.push(message.raw());
                        }
                    }),
                    _ => {}
                });
            }
            "toolCalls" => value.array(|call| {
                let (mut id, mut agent) = (None, None);
                call.object(|key, value| match key {
                    "id" => id = value.text(),
                    "agentId" => agent = value.text(),
                    _ => {}
                });
                head.agents.extend(agent.map(|agent| (agent, id)));
            }),
            _ => {}
        });
        head
    }
}

/// What a message's id is derived from.
fn message_content(session: &str, name: JsonStr<'_>) -> Vec<u8> {
    content(&[session.as_bytes(), name.decode_exactly().as_bytes()])
}

/// Whether a folder is named by the digest of a project's path.
fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Messages that are remembered to be told from those that are written again.
const MAX_KNOWN: usize = 16_384;
/// Messages of one update that are taken from it.
const MAX_IN_UPDATE: usize = 256;
const HEADER_DOMAIN: &str = "forebear gemini session v1";
const MESSAGE_DOMAIN: &str = "forebear gemini message v1";
const LINE_DOMAIN: &str = "forebear gemini line v1";
