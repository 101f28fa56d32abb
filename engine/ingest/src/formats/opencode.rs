//! Sessions of OpenCode: its database `opencode.db`, and the older folder `storage` with a
//! JSON document each for sessions, messages and their parts.
//!
//! A message with its parts is one event, told again once it is complete, and the same
//! whichever of the two it comes from. Rows and documents are handed to the parser in an
//! envelope that says what a message follows.

mod canonical;
mod database;
mod reader;
mod storage;

use std::path::Path;
use std::sync::Arc;

use forebear_core::{Event, EventId, limits};
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{Payload, PayloadReader};

use self::database::OpenCodeDatabase;
use self::reader::MessageReader;
use crate::adapter::{Adapter, Confidence, Database, Linker, Parser, SourceFile};
use crate::formats::common::labels::{AGENT_CALL, AGENT_RESULT, MODEL, PROJECT};
use crate::formats::common::reading::{label_text, with_usage};
use crate::formats::common::spawned::{self, SpawnLinker};
use crate::formats::common::values::{TimeUnit, cut, label_value, last_name, scalar_time, text};
use crate::parsed::Parsed;
use forebear_readings::{MAX_TOOLS, numbered};

/// Sessions of OpenCode, `opencode`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenCode;

impl Adapter for OpenCode {
    fn name(&self) -> &'static str {
        "opencode"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("opencode")
    }

    fn takes_file(&self, path: &Path) -> bool {
        let is_database = path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("db"));
        is_database || storage::is_message(path) || storage::is_session(path)
    }

    fn is_companion(&self, path: &Path) -> bool {
        storage::is_other(path)
    }

    /// Lines are those that it makes itself.
    fn recognise(&self, _line: &str) -> Confidence {
        Confidence::No
    }

    fn recognise_document(&self, head: &str) -> Confidence {
        let (mut id, mut has_session, mut has_role, mut has_directory) = Default::default();
        JsonCursor::new(head).object(|key, value| match key {
            "id" => id = value.text(),
            "sessionID" => has_session = true,
            "role" => has_role = true,
            "directory" | "projectID" => has_directory = true,
            _ => {}
        });
        let id: Option<JsonStr<'_>> = id;
        let id = id.map(JsonStr::decode).unwrap_or_default();
        let is_ours: bool = id.starts_with("msg_") && has_session && has_role
            || id.starts_with("ses_") && has_directory;
        if is_ours { Confidence::Certain } else { Confidence::No }
    }

    fn unfold(&self, path: &Path, document: &str) -> Result<Vec<u8>, String> {
        storage::envelope(path, document)
    }

    fn database(&self) -> Option<Arc<dyn Database>> {
        Some(Arc::new(OpenCodeDatabase))
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(Envelopes { time_ns: file.modified_ns })
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(MessageReader))
    }

    fn linker(&self) -> Option<Box<dyn Linker>> {
        Some(Box::new(SpawnLinker::new(&["task"])))
    }
}

/// Reads envelopes.
#[derive(Debug)]
struct Envelopes {
    /// When the file was modified, for what bears no time.
    time_ns: i64,
}

/// What an envelope holds.
#[derive(Debug, Default)]
struct Envelope<'t> {
    session: Option<&'t str>,
    message: Option<&'t str>,
    /// The message before, or the session of the first one.
    after: Option<JsonStr<'t>>,
    of: Option<JsonStr<'t>>,
}

/// What a row says of itself.
#[derive(Debug, Default)]
struct OpencodeRow<'t> {
    id: Option<JsonStr<'t>>,
    session: Option<JsonStr<'t>>,
    parent: Option<JsonStr<'t>>,
    folder: Option<JsonStr<'t>>,
    created_ns: Option<i64>,
    /// Sessions of agents, and the calls that started them.
    agents: Vec<(JsonStr<'t>, Option<JsonStr<'t>>)>,
}

impl Envelopes {
    fn session(&self, object: &str) -> Result<Parsed, String> {
        let head = OpencodeRow::read(object);
        let id = head.id.ok_or("expected a session with an id")?;
        let name = text(id, limits::MAX_NAME_BYTES);
        let mut event = Event::new("session")
            .derived_id(SESSION_DOMAIN, id.decode_exactly().as_bytes())
            .revision()
            .payload(object)
            .time_ns(head.created_ns.unwrap_or(self.time_ns))
            .session(name.as_str())
            .instance(name.as_str());
        if let Some(project) = head.folder.and_then(|folder| last_name(&folder.decode())) {
            event = event.label(PROJECT, cut(project.into(), limits::MAX_LABEL_VALUE_BYTES));
        }
        let parent = head.parent.map(|parent| text(parent, limits::MAX_NAME_BYTES));
        let parent = parent.filter(|parent| *parent != name);
        if let Some(parent) = &parent {
            event = spawned::agent_root(event, &name, parent);
        }
        let parsed = Parsed::new(event).time_made_up(head.created_ns.is_none());
        let Some(parent) = parent else { return Ok(parsed) };
        Ok(spawned::below(parsed, &name, &parent))
    }

    fn message(&self, envelope: &Envelope<'_>, object: &str) -> Result<Parsed, String> {
        let head = OpencodeRow::read(object);
        let id = head.id.ok_or("expected a message with an id")?;
        let reading = MessageReader.read(&Payload::new("", object.as_bytes()));
        let mut event = Event::new(reader::kind(&reading))
            .derived_id(MESSAGE_DOMAIN, id.decode_exactly().as_bytes())
            .revision()
            .payload(object)
            .time_ns(head.created_ns.unwrap_or(self.time_ns));
        if let Some(before) = envelope.after {
            let before = before.decode_exactly();
            event = event.parent(EventId::derived(MESSAGE_DOMAIN, before.as_bytes()));
        } else if let Some(session) = envelope.of {
            let session = session.decode_exactly();
            event = event.parent(EventId::derived(SESSION_DOMAIN, session.as_bytes()));
        }
        if let Some(session) = head.session {
            let session = text(session, limits::MAX_NAME_BYTES);
            event = event.instance(session.as_str()).session(session);
        }
        if let Some(model) = &reading.model {
            event = event.label(MODEL, label_text(model));
        }
        if let Some(project) = reading.cwd.as_ref().and_then(|cwd| last_name(&cwd.decode())) {
            event = event.label(PROJECT, cut(project.into(), limits::MAX_LABEL_VALUE_BYTES));
        }
        for (n, (agent, call)) in head.agents.iter().take(MAX_TOOLS).enumerate() {
            event = event.label(numbered(AGENT_RESULT, n), label_value(*agent));
            if let Some(call) = call {
                event = event.label(numbered(AGENT_CALL, n), label_value(*call));
            }
        }
        let event = with_usage(event, &reading);
        Ok(Parsed::new(event).time_made_up(head.created_ns.is_none()))
    }
}

impl Parser for Envelopes {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let mut envelope = Envelope::default();
        JsonCursor::new(object).object(|key, value| match key {
            "session" if value.is_object() => envelope.session = Some(value.raw()),
            "message" if value.is_object() => envelope.message = Some(value.raw()),
            "after" => envelope.after = value.text(),
            "of" => envelope.of = value.text(),
            _ => {}
        });
        match (envelope.session, envelope.message) {
            (Some(session), _) => self.session(session),
            (None, Some(message)) => self.message(&envelope, message),
            (None, None) => Err("expected a session or a message of OpenCode".to_owned()),
        }
    }
}

impl<'t> OpencodeRow<'t> {
    fn read(object: &'t str) -> Self {
        let mut head = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "id" => head.id = value.text(),
            "sessionID" => head.session = value.text(),
            // Of messages it is the user's that they answer.
            "parentID" => head.parent = value.text(),
            "directory" => head.folder = value.text(),
            "time" => value.object(|key, value| {
                if key == "created" {
                    let time = value.scalar();
                    head.created_ns =
                        time.and_then(|time| scalar_time(time, Some(TimeUnit::Milliseconds)));
                }
            }),
            "parts" => value.array(|part| {
                let (mut call, mut agent) = (None, None);
                part.object(|key, value| match key {
                    "callID" => call = value.text(),
                    "state" => value.object(|key, value| {
                        if key == "metadata" {
                            value.object(|key, value| {
                                if matches!(key, "sessionId" | "sessionID") {
                                    agent = value.text();
                                }
                            });
                        }
                    }),
                    _ => {}
                });
                head.agents.extend(agent.map(|agent| (agent, call)));
            }),
            _ => {}
        });
        head
    }
}

const SESSION_DOMAIN: &str = "forebear opencode session v1";
const MESSAGE_DOMAIN: &str = "forebear opencode message v1";
