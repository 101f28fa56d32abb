//! Streams of messages of Claude Code: what `claude -p --output-format stream-json` prints, and
//! the `audit.jsonl` that Claude Desktop keeps of its agents ("Cowork").
//!
//! Lines name their session (`session_id`) and mostly themselves (`uuid`); lines of an agent
//! name the call that started it (`parent_tool_use_id`). A stream has no times, an audit has
//! them (`_audit_timestamp`). The last line of a run sums up what its messages took.

use std::collections::HashMap;
use std::sync::Arc;

use forebear_core::{Event, EventId, LinkKind, limits};
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{Payload, PayloadReader, Reading, Role, Text};
use forebear_sessions::{SessionPatch, SessionStatus};

use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::blocks::add_message;
use crate::formats::common::equal::{EqualOnes, content};
use crate::formats::common::labels::{AGENT, MODEL, PROJECT, SUBTYPE, TYPE};
use crate::formats::common::reading::{label_text, with_usage};
use crate::formats::common::usual::by_actor;
use crate::formats::common::values::{cut, id, is, label_value, last_name, parse_time, text};
use crate::parsed::Parsed;

/// What `claude -p --output-format stream-json` prints, `claude-stream`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaudeStream;

/// Audits of Claude Desktop's agents, `cowork`.
#[cfg(feature = "cowork")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Cowork;

impl Adapter for ClaudeStream {
    fn name(&self) -> &'static str {
        "claude-stream"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("claude-code")
    }

    fn recognise(&self, line: &str) -> Confidence {
        let head = StreamLine::read(line);
        if head.is_hook || head.is_audit || head.has_own_session || head.session.is_none() {
            return Confidence::No;
        }
        let line_type = head.line_type.map(JsonStr::decode).unwrap_or_default();
        match &*line_type {
            "system" if is(head.subtype, "init") => Confidence::Certain,
            // What hooks do as the session starts stands before that.
            "system" if head.is_of_hook => Confidence::Certain,
            "result" if head.has_figures => Confidence::Certain,
            "user" | "assistant" if head.has_message && head.has_parent => Confidence::Certain,
            "stream_event" => Confidence::Certain,
            _ => Confidence::No,
        }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(Stream::new(file))
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(StreamReader))
    }
}

#[cfg(feature = "cowork")]
impl Adapter for Cowork {
    fn name(&self) -> &'static str {
        "cowork"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("claude-cowork")
    }

    fn recognise(&self, line: &str) -> Confidence {
        if StreamLine::read(line).is_audit { Confidence::Certain } else { Confidence::No }
    }

    fn is_companion(&self, path: &std::path::Path) -> bool {
        let in_folder =
            path.components().any(|part| part.as_os_str() == "local-agent-mode-sessions");
        in_folder && path.extension().is_some_and(|suffix| suffix == "json")
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(Stream::new(file))
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(StreamReader))
    }
}

/// Reads the lines of one file.
#[derive(Debug)]
struct Stream {
    /// What tells lines apart that name neither themselves nor a session.
    file: String,
    /// The session that was named last.
    session: Option<String>,
    project: Option<String>,
    model: Option<String>,
    /// The last event of the session, and of each of its agents by the call that started it.
    last: HashMap<String, EventId>,
    /// Calls and the events that make them.
    calls: HashMap<String, EventId>,
    equal: EqualOnes,
    time_ns: i64,
}

/// What a line says of itself.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a sign of its own")]
struct StreamLine<'t> {
    line_type: Option<JsonStr<'t>>,
    subtype: Option<JsonStr<'t>>,
    uuid: Option<JsonStr<'t>>,
    session: Option<JsonStr<'t>>,
    parent_call: Option<JsonStr<'t>>,
    time: Option<JsonStr<'t>>,
    cwd: Option<JsonStr<'t>>,
    model: Option<JsonStr<'t>>,
    is_error: bool,
    is_hook: bool,
    /// Whether it tells of a hook, by its subtype.
    is_of_hook: bool,
    is_audit: bool,
    has_parent: bool,
    has_own_session: bool,
    has_message: bool,
    has_figures: bool,
}

impl Stream {
    fn new(file: &SourceFile<'_>) -> Self {
        Self {
            file: file.stem(),
            session: None,
            project: None,
            model: None,
            last: HashMap::new(),
            calls: HashMap::new(),
            equal: EqualOnes::default(),
            time_ns: file.modified_ns,
        }
    }

    fn note(&mut self, head: &StreamLine<'_>) {
        if let Some(session) = head.session {
            let session = text(session, limits::MAX_NAME_BYTES);
            if self.session.as_ref() != Some(&session) {
                self.last.clear();
                self.calls.clear();
            }
            self.session = Some(session);
        }
        if let Some(cwd) = head.cwd {
            self.project = last_name(&cwd.decode());
        }
        if let Some(model) = head.model {
            self.model = Some(label_value(model));
        }
    }

    /// How the run ended, as its last line says.
    fn ended(&self, head: &StreamLine<'_>, time_ns: Option<i64>) -> Option<SessionPatch> {
        if !is(head.line_type, RESULT) {
            return None;
        }
        let subtype = head.subtype.map(JsonStr::decode).unwrap_or_default();
        let has_failed = head.is_error || subtype.starts_with("error");
        let status = if has_failed { SessionStatus::Failed } else { SessionStatus::Completed };
        let patch = SessionPatch::new(self.session.as_deref()?).status(status);
        Some(match time_ns {
            Some(time_ns) => patch.end_ns(time_ns),
            None => patch,
        })
    }
}

impl Parser for Stream {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let head = StreamLine::read(object);
        self.note(&head);
        let reading = StreamReader.read(&Payload::new("", object.as_bytes()));
        let mut event = Event::new(kind(&head, &reading)).payload(object);
        event = if let Some(uuid) = head.uuid {
            event.id(id("uuid", uuid)?)
        } else {
            let of = self.session.as_deref().unwrap_or(&self.file);
            let number = self.equal.number(object.as_bytes()).to_le_bytes();
            let parts = content(&[of.as_bytes(), object.as_bytes(), &number]);
            event.derived_id(LINE_DOMAIN, &parts)
        };
        let call = head.parent_call.map(|call| text(call, limits::MAX_NAME_BYTES));
        let actor = call.clone().unwrap_or_default();
        if let Some(last) = self.last.get(&actor) {
            event = event.parent(last.clone());
        } else if let Some(start) = self.calls.get(&actor) {
            event = event.parent(start.clone()).link(LinkKind::Spawned);
        }
        if self.last.len() >= MAX_KNOWN {
            self.last.clear();
        }
        self.last.insert(actor, event.as_id().clone());
        for call in &reading.calls {
            if let Some(name) = &call.id {
                if self.calls.len() >= MAX_KNOWN {
                    self.calls.clear();
                }
                let name = cut(name.decode(), limits::MAX_NAME_BYTES);
                self.calls.insert(name, event.as_id().clone());
            }
        }
        for (key, value) in
            [(TYPE, head.line_type), (SUBTYPE, head.subtype), (AGENT, head.parent_call)]
        {
            if let Some(value) = value {
                event = event.label(key, label_value(value));
            }
        }
        let model = reading.model.as_ref().map(label_text).or_else(|| self.model.clone());
        for (key, value) in [(PROJECT, self.project.clone()), (MODEL, model)] {
            if let Some(value) = value {
                event = event.label(key, cut(value.into(), limits::MAX_LABEL_VALUE_BYTES));
            }
        }
        let time_ns = head.time.and_then(parse_time);
        self.time_ns = time_ns.unwrap_or(self.time_ns);
        event = with_usage(event, &reading).time_ns(self.time_ns);
        if let Some(session) = &self.session {
            let instance = call.unwrap_or_else(|| session.clone());
            event = by_actor(event, instance, session);
        }
        let parsed = Parsed::new(event).time_made_up(time_ns.is_none());
        Ok(match self.ended(&head, time_ns) {
            Some(patch) => parsed.session(patch),
            None => parsed,
        })
    }
}

impl<'t> StreamLine<'t> {
    fn read(object: &'t str) -> Self {
        let mut head = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "type" => head.line_type = value.text(),
            "subtype" => {
                head.subtype = value.text();
                let subtype = head.subtype.map(JsonStr::decode).unwrap_or_default();
                head.is_of_hook = subtype.starts_with("hook_");
            }
            "uuid" => head.uuid = value.text(),
            "session_id" => head.session = value.text(),
            "sessionId" => head.has_own_session = true,
            "parent_tool_use_id" => {
                head.has_parent = true;
                head.parent_call = value.text();
            }
            "timestamp" => head.time = head.time.or(value.text()),
            "_audit_timestamp" => {
                head.is_audit = true;
                head.time = value.text();
            }
            "cwd" => head.cwd = value.text(),
            "model" => head.model = value.text(),
            "is_error" => head.is_error = value.is_true(),
            "hook_event_name" => head.is_hook = true,
            "message" => head.has_message = value.is_object(),
            "num_turns" | "duration_ms" | "total_cost_usd" => head.has_figures = true,
            _ => {}
        });
        head
    }
}

/// What kind of event a line is.
fn kind(head: &StreamLine<'_>, reading: &Reading<'_>) -> String {
    let line_type = head.line_type.map(JsonStr::decode).unwrap_or_default();
    let kind = match &*line_type {
        "user" if !reading.results.is_empty() => "tool_result",
        "user" => "user_message",
        "assistant" if !reading.calls.is_empty() => "tool_use",
        "assistant" if reading.text.is_blank() && !reading.thinking.is_empty() => "thinking",
        "assistant" => "assistant_message",
        "" => "unknown",
        _ => return cut(line_type, limits::MAX_KIND_BYTES),
    };
    kind.to_owned()
}

/// Reads payloads of both formats.
#[derive(Debug)]
struct StreamReader;

impl PayloadReader for StreamReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let mut reading = Reading::default();
        let (mut line_type, mut subtype, mut is_error, mut words) = (None, None, false, None);
        let mut is_put_in = false;
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "type" => line_type = value.text(),
            "subtype" => subtype = value.text(),
            "is_error" => is_error = value.is_true(),
            "isSynthetic" | "isReplay" => is_put_in |= value.is_true(),
            "result" => words = value.text(),
            "cwd" => reading.cwd = value.text().map(Text::from),
            "permissionMode" => reading.permission_mode = value.text().map(Text::from),
            "model" => reading.model = value.text().map(Text::from),
            "message" => _ = add_message(&mut reading, value),
            _ => {}
        });
        match &*line_type.map(JsonStr::decode).unwrap_or_default() {
            "user" if !reading.results.is_empty() => reading.role = Some(Role::Tool),
            "user" if is_put_in => {
                reading.role = Some(Role::System);
                reading.bookkeeping = true;
            }
            "user" => reading.role = Some(Role::User),
            "assistant" => reading.role = Some(Role::Assistant),
            // It sums up the run and says its last words again.
            RESULT => {
                let subtype = subtype.map(JsonStr::decode).unwrap_or_default();
                let has_failed = is_error || subtype.starts_with("error");
                reading.usage = None;
                reading.bookkeeping = !has_failed;
                reading.error = match words {
                    _ if !has_failed => None,
                    Some(words) => Some(words.into()),
                    None => Some(subtype.into_owned().into()),
                };
            }
            _ => {
                reading.usage = None;
                reading.bookkeeping = true;
            }
        }
        reading
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

const RESULT: &str = "result";
/// Agents and calls that are remembered.
const MAX_KNOWN: usize = 4096;
const LINE_DOMAIN: &str = "forebear claude stream line v1";
