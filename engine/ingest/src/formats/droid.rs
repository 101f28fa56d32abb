//! Sessions of Factory's Droid: `sessions/FOLDER/SESSION.jsonl`, and beside it
//! `SESSION.settings.json`, which alone has the tokens.
//!
//! The first line names the session, and of an agent's the call that started it.

use std::path::Path;
use std::sync::Arc;

use forebear_core::{Event, EventId, limits};
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    Interruption, MessageUsage, Payload, PayloadReader, Plan, Reading, Role, Text, Title,
    TitleSource,
};

use crate::adapter::{Adapter, Confidence, Linker, Parser, SourceFile, takes_lines};
use crate::formats::common::blocks::add_message;
use crate::formats::common::document::add_line;
use crate::formats::common::equal::{EqualOnes, content};
use crate::formats::common::labels::{AGENT_CALL, MODEL, PROJECT, TYPE};
use crate::formats::common::reading::{label_text, with_usage};
use crate::formats::common::spawned::{self, SpawnLinker};
use crate::formats::common::tokens::{TokenNames, counts};
use crate::formats::common::values::{cut, is, label_value, last_name, parse_time, text};
use crate::parsed::Parsed;

/// Sessions of Factory's Droid, `droid`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Droid;

impl Adapter for Droid {
    fn name(&self) -> &'static str {
        "droid"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("factory-droid")
    }

    fn takes_file(&self, path: &Path) -> bool {
        takes_lines(path) || session_of_settings(path).is_some()
    }

    fn recognise(&self, line: &str) -> Confidence {
        let head = DroidLine::read(line);
        let is_start = is(head.line_type, START) && head.id.is_some();
        if is_start && (head.cwd.is_some() || head.has_title) {
            Confidence::Certain
        } else {
            Confidence::No
        }
    }

    fn recognise_document(&self, head: &str) -> Confidence {
        let mut has_tokens = false;
        JsonCursor::new(head).object(|key, value| {
            has_tokens |= key == "tokenUsage" && value.is_object();
        });
        if has_tokens { Confidence::Likely } else { Confidence::No }
    }

    fn unfold(&self, path: &Path, document: &str) -> Result<Vec<u8>, String> {
        if session_of_settings(path).is_none() {
            return Err("expected a session's settings by the name of the file".to_owned());
        }
        let mut line = Vec::new();
        add_line(&mut line, document);
        Ok(line)
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        let settings = session_of_settings(file.path);
        Box::new(DroidLines {
            session: settings.clone().unwrap_or_default(),
            is_settings: settings.is_some(),
            project: None,
            last: None,
            equal: EqualOnes::default(),
            time_ns: file.modified_ns,
        })
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(LineReader))
    }

    fn linker(&self) -> Option<Box<dyn Linker>> {
        Some(Box::new(SpawnLinker::new(&["Task"])))
    }
}

/// Reads one session, or its settings.
#[derive(Debug)]
struct DroidLines {
    /// Empty before it was named.
    session: String,
    is_settings: bool,
    project: Option<String>,
    last: Option<EventId>,
    equal: EqualOnes,
    time_ns: i64,
}

/// What a line says of itself.
#[derive(Debug, Default)]
struct DroidLine<'t> {
    line_type: Option<JsonStr<'t>>,
    id: Option<JsonStr<'t>>,
    parent: Option<JsonStr<'t>>,
    timestamp: Option<JsonStr<'t>>,
    cwd: Option<JsonStr<'t>>,
    has_title: bool,
    calling_session: Option<JsonStr<'t>>,
    calling_call: Option<JsonStr<'t>>,
}

impl DroidLines {
    /// What a session took so far: its settings are written anew, and the newest stand.
    fn settings(&self, object: &str) -> Parsed {
        let reading = LineReader.read(&Payload::new("", object.as_bytes()));
        let mut event = Event::new("usage")
            .derived_id(SETTINGS_DOMAIN, self.session.as_bytes())
            .revision()
            .payload(object)
            .time_ns(self.time_ns);
        if let Some(model) = &reading.model {
            event = event.label(MODEL, label_text(model));
        }
        let mut reading = reading;
        if let Some(usage) = &mut reading.usage {
            usage.message_id = Some(format!("{} settings", self.session).into());
        }
        Parsed::new(with_usage(self.of_session(event), &reading)).time_made_up(true)
    }

    fn of_session(&self, mut event: Event) -> Event {
        if let Some(project) = &self.project {
            event = event.label(PROJECT, cut(project.into(), limits::MAX_LABEL_VALUE_BYTES));
        }
        if self.session.is_empty() {
            event
        } else {
            event.session(self.session.as_str()).instance(self.session.as_str())
        }
    }

    fn entry(&self, id: JsonStr<'_>) -> Vec<u8> {
        content(&[self.session.as_bytes(), id.decode_exactly().as_bytes()])
    }
}

impl Parser for DroidLines {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        if self.is_settings {
            return Ok(self.settings(object));
        }
        let head = DroidLine::read(object);
        let is_start = is(head.line_type, START);
        if is_start {
            self.session = head.id.map_or_else(String::new, |id| text(id, limits::MAX_NAME_BYTES));
            self.project = head.cwd.and_then(|cwd| last_name(&cwd.decode()));
            self.last = None;
        }
        let reading = LineReader.read(&Payload::new("", object.as_bytes()));
        let mut event = Event::new(kind(&head, &reading)).payload(object);
        event = match head.id {
            Some(_) if is_start => event.derived_id(SESSION_DOMAIN, self.session.as_bytes()),
            Some(id) if !self.session.is_empty() => event.derived_id(ENTRY_DOMAIN, &self.entry(id)),
            _ => self.equal.identify(event, LINE_DOMAIN, &self.session, object),
        };
        let named = head.parent.map(|parent| EventId::derived(ENTRY_DOMAIN, &self.entry(parent)));
        if let Some(parent) = named.or_else(|| self.last.clone()) {
            event = event.parent(parent);
        }
        self.last = Some(event.as_id().clone());
        if let Some(line_type) = head.line_type {
            event = event.label(TYPE, label_value(line_type));
        }
        let caller = head.calling_session.filter(|_| is_start);
        let caller = caller.map(|caller| text(caller, limits::MAX_NAME_BYTES));
        let caller = caller.filter(|caller| *caller != self.session);
        if let Some(caller) = &caller {
            event = spawned::agent_root(event, &self.session, caller);
            if let Some(call) = head.calling_call {
                event = event.label(AGENT_CALL, label_value(call));
            }
        }
        let time_ns = head.timestamp.and_then(parse_time);
        self.time_ns = time_ns.unwrap_or(self.time_ns);
        event = event.time_ns(self.time_ns);
        let parsed = Parsed::new(self.of_session(event)).time_made_up(time_ns.is_none());
        let Some(caller) = caller else { return Ok(parsed) };
        Ok(spawned::below(parsed, &self.session, &caller))
    }
}

impl<'t> DroidLine<'t> {
    fn read(object: &'t str) -> Self {
        let mut head = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "type" => head.line_type = value.text(),
            "id" => head.id = value.text(),
            "parentId" => head.parent = value.text(),
            "timestamp" => head.timestamp = value.text(),
            "cwd" => head.cwd = value.text(),
            "title" | "owner" | "sessionTitle" => head.has_title = true,
            "callingSessionId" => head.calling_session = value.text(),
            "callingToolUseId" => head.calling_call = value.text(),
            _ => {}
        });
        head
    }
}

/// What kind of event a line is.
fn kind(head: &DroidLine<'_>, reading: &Reading<'_>) -> String {
    let line_type = head.line_type.map(JsonStr::decode).unwrap_or_default();
    let kind = match (&*line_type, reading.role) {
        ("message", Some(Role::Tool)) => "tool_result",
        ("message", Some(Role::User)) => "user_message",
        ("message", Some(Role::Assistant)) if !reading.calls.is_empty() => "tool_use",
        ("message", Some(Role::Assistant)) if reading.text.is_blank() => "thinking",
        ("message", Some(Role::Assistant)) => "assistant_message",
        ("message", _) => "system",
        ("todo_state", _) => "plan",
        ("compaction_state", _) => "summary",
        ("", _) => "unknown",
        _ => return cut(line_type, limits::MAX_KIND_BYTES),
    };
    kind.to_owned()
}

/// Reads payloads.
#[derive(Debug)]
struct LineReader;

impl PayloadReader for LineReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let mut reading = Reading::default();
        let (mut line_type, mut role, mut title, mut reason) = (None, None, None, None);
        let (mut is_for_model, mut summary) = (false, None);
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "type" => line_type = value.text(),
            "title" => title = title.or(value.text()),
            "sessionTitle" => title = value.text().or(title),
            "cwd" => reading.cwd = value.text().map(Text::from),
            "model" => reading.model = value.text().map(model),
            "tokenUsage" => reading.usage = usage(value),
            "visibility" => is_for_model = is(value.text(), "llm_only"),
            "summaryText" => summary = value.text(),
            "reason" => reason = value.text(),
            "todos" => {
                let items = value.raw();
                let text = JsonCursor::new(items).text();
                reading.plan = crate::formats::common::tools::plan(items)
                    .or(text.map(|text| Plan { text: Some(text.into()), items: Vec::new() }));
            }
            "message" => role = add_message(&mut reading, value),
            _ => {}
        });
        let is_reminder = reading.text.begins("<system-reminder>");
        match &*line_type.map(JsonStr::decode).unwrap_or_default() {
            "message" if is(role, "assistant") => reading.role = Some(Role::Assistant),
            "message" if !reading.results.is_empty() => reading.role = Some(Role::Tool),
            "message" if is_for_model || is_reminder && reading.text.iter().count() < 2 => {
                reading.role = Some(Role::System);
                reading.bookkeeping = true;
            }
            "message" => {
                reading.role = Some(Role::User);
                if is_reminder {
                    let rest = reading.text.iter().filter(|text| !text.begins("<system-reminder>"));
                    reading.text = rest.cloned().collect();
                }
            }
            "compaction_state" => {
                reading.summary = summary.map(Text::from);
                reading.bookkeeping = true;
            }
            START => {
                reading.title =
                    title.map(|text| Title { text: text.into(), source: TitleSource::Generated });
                reading.bookkeeping = true;
            }
            "agent_turn_outcome" => match &*reason.map(JsonStr::decode).unwrap_or_default() {
                "aborted" | "cancelled" | "interrupted" => {
                    reading.interruption = Some(Interruption::Stopped);
                }
                "error" => reading.error = Some("error".into()),
                _ => reading.bookkeeping = true,
            },
            _ => reading.bookkeeping = true,
        }
        reading
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&["error"])
    }
}

fn model(name: JsonStr<'_>) -> Text<'_> {
    let decoded = name.decode();
    match decoded.strip_prefix("custom:") {
        Some(name) => Text::from(name.to_owned()),
        None => Text::from(name),
    }
}

/// Tokens, of which each count is apart from the others; thinking is output.
fn usage<'t>(value: &mut JsonCursor<'t>) -> Option<MessageUsage<'t>> {
    let tokens = counts(value, &TOKENS)?;
    Some(MessageUsage { message_id: None, tokens })
}

/// The session whose settings a file has, by its name.
fn session_of_settings(path: &Path) -> Option<String> {
    let session = path.file_name()?.to_str()?.strip_suffix(".settings.json")?;
    (!session.is_empty()).then(|| cut(session.into(), limits::MAX_NAME_BYTES))
}

const TOKENS: TokenNames = TokenNames {
    input: &["inputTokens"],
    output: &["outputTokens", "thinkingTokens"],
    cache_read: &["cacheReadTokens"],
    cache_written: &["cacheCreationTokens"],
};
const START: &str = "session_start";
const SESSION_DOMAIN: &str = "forebear droid session v1";
const ENTRY_DOMAIN: &str = "forebear droid entry v1";
const SETTINGS_DOMAIN: &str = "forebear droid settings v1";
const LINE_DOMAIN: &str = "forebear droid line v1";
