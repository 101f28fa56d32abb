//! Transcripts of Cursor's agent: `projects/FOLDER/agent-transcripts/ID/ID.jsonl`, and those of
//! its agents in `subagents` beside it.
//!
//! Lines have a role and blocks of content, no ids, times, models or tokens, and calls have
//! no results. The session is what the file is called; the parent is the line before.

use std::path::Path;
use std::sync::Arc;

use forebear_core::{Event, EventId, limits};
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{Interruption, Payload, PayloadReader, Reading, Role, Text};

use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::equal::EqualOnes;
use crate::formats::common::labels::{PROJECT, TYPE};
use crate::formats::common::spawned;
use crate::formats::common::tools::add_call;
use crate::formats::common::values::{cut, is, label_value};
use crate::parsed::Parsed;

/// Transcripts of Cursor's agent, `cursor`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CursorAgent;

impl Adapter for CursorAgent {
    fn name(&self) -> &'static str {
        "cursor"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("cursor")
    }

    fn recognise(&self, line: &str) -> Confidence {
        let (mut role, mut has_content, mut is_end, mut is_other) = Default::default();
        JsonCursor::new(line).object(|key, value| match key {
            "role" => role = value.text(),
            "message" => value.object(|key, _| has_content |= key == "content"),
            "type" => is_end = is(value.text(), TURN_ENDED),
            "uuid" | "id" | "sessionId" | "session_id" | "parentId" => is_other = true,
            _ => {}
        });
        let has_role = is(role, "user") || is(role, "assistant");
        let is_ours: bool = !is_other && (has_role && has_content || is_end);
        if is_ours { Confidence::Likely } else { Confidence::No }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(Turns::new(file))
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(TurnReader))
    }
}

/// Reads one transcript.
#[derive(Debug)]
struct Turns {
    session: String,
    /// The session whose agent this is.
    parent: Option<String>,
    project: Option<String>,
    last: Option<EventId>,
    equal: EqualOnes,
    time_ns: i64,
}

impl Turns {
    fn new(file: &SourceFile<'_>) -> Self {
        let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let folders: Vec<String> = file.path.ancestors().skip(1).filter_map(name).collect();
        let at = |wanted: &str| folders.iter().position(|folder| folder == wanted);
        let parent = match &folders[..] {
            [first, parent, ..] if first == "subagents" => Some(parent.clone()),
            _ => None,
        };
        let project = at("agent-transcripts").and_then(|at| folders.get(at + 1).cloned());
        let cut_name = |name: String| cut(name.into(), limits::MAX_NAME_BYTES);
        Self {
            session: file.stem(),
            parent: parent.map(cut_name).filter(|parent| *parent != file.stem()),
            project: project.map(|name| cut(name.into(), limits::MAX_LABEL_VALUE_BYTES)),
            last: None,
            equal: EqualOnes::default(),
            time_ns: file.modified_ns,
        }
    }
}

impl Parser for Turns {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let reading = TurnReader.read(&Payload::new("", object.as_bytes()));
        let mut line_type = None;
        JsonCursor::new(object).object(|key, value| {
            if key == "type" {
                line_type = value.text();
            }
        });
        let kind = match reading.role {
            _ if reading.error.is_some() => "error".to_owned(),
            Some(Role::User) => "user_message".to_owned(),
            Some(Role::Assistant) if !reading.calls.is_empty() => "tool_use".to_owned(),
            Some(Role::Assistant) => "assistant_message".to_owned(),
            _ => line_type.map_or_else(
                || "unknown".to_owned(),
                |name| cut(name.decode(), limits::MAX_KIND_BYTES),
            ),
        };
        let is_first = self.last.is_none();
        let mut event = Event::new(kind).payload(object);
        event = self.equal.identify(event, LINE_DOMAIN, &self.session, object);
        if let Some(last) = self.last.replace(event.as_id().clone()) {
            event = event.parent(last);
        }
        if let Some(line_type) = line_type {
            event = event.label(TYPE, label_value(line_type));
        }
        if let Some(project) = &self.project {
            event = event.label(PROJECT, project.as_str());
        }
        let parent = self.parent.as_deref().filter(|_| is_first);
        if let Some(parent) = parent {
            event = spawned::agent_root(event, &self.session, parent);
        }
        event = event
            .time_ns(self.time_ns)
            .session(self.session.as_str())
            .instance(self.session.as_str());
        let parsed = Parsed::new(event).time_made_up(true);
        let Some(parent) = parent else { return Ok(parsed) };
        Ok(spawned::below(parsed, &self.session, parent))
    }
}

/// Reads payloads.
#[derive(Debug)]
struct TurnReader;

impl PayloadReader for TurnReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let mut reading = Reading::default();
        let (mut role, mut line_type, mut status, mut error) = (None, None, None, None);
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "role" => role = value.text(),
            "type" => line_type = value.text(),
            "status" => status = value.text(),
            "error" | "message" if value.is_string() => error = value.text(),
            "message" => value.object(|key, value| {
                if key == "content" {
                    reading.text.extend(value.text());
                    value.array(|block| add_block(&mut reading, block));
                }
            }),
            _ => {}
        });
        match &*role.map(JsonStr::decode).unwrap_or_default() {
            "user" => {
                reading.role = Some(Role::User);
                ask(&mut reading);
            }
            "assistant" => reading.role = Some(Role::Assistant),
            _ if is(status, "aborted") || is(status, "cancelled") => {
                reading.interruption = Some(Interruption::Stopped);
            }
            _ if is(line_type, "error") || is(status, "error") => {
                reading.error = Some(error.map_or_else(|| "error".into(), Text::from));
            }
            _ => reading.bookkeeping = true,
        }
        reading
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&["error"])
    }
}

fn add_block<'t>(reading: &mut Reading<'t>, block: &mut JsonCursor<'t>) {
    let (mut block_type, mut said, mut id, mut name, mut input) = (None, None, None, None, "");
    block.object(|key, value| match key {
        "type" => block_type = value.text(),
        "text" => said = value.text(),
        "id" => id = value.text(),
        "name" => name = value.text(),
        "input" => input = value.raw(),
        _ => {}
    });
    if is(block_type, "tool_use") {
        add_call(reading, id, name, input);
    } else {
        reading.text.extend(said);
    }
}

/// Leaves of what stands where the user's words would only those: what the program adds
/// stands around `<user_query>`.
fn ask(reading: &mut Reading<'_>) {
    let asked = reading.text.iter().find_map(|text| {
        let text = text.decode();
        let (_, rest) = text.split_once("<user_query>")?;
        let asked = rest.split_once("</user_query>").map_or(rest, |(asked, _)| asked);
        Some(asked.trim().to_owned())
    });
    if let Some(asked) = asked {
        reading.text = Text::from(asked).into();
    }
}

const TURN_ENDED: &str = "turn_ended";
const LINE_DOMAIN: &str = "forebear cursor line v1";
