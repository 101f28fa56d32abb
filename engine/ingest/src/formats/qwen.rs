//! Chats of Qwen Code: `projects/FOLDER/chats/SESSION.jsonl`.
//!
//! Lines have the names of Claude Code's transcripts (`uuid`, `parentUuid`, `sessionId`) and
//! what is said as the Gemini CLI has it (`message.parts`).

use std::sync::Arc;

use forebear_core::{Event, limits};
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{Interruption, MessageUsage, Payload, PayloadReader, Reading, Role, Text};

use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::equal::EqualOnes;
use crate::formats::common::labels::{BRANCH, MODEL, PROJECT, SUBTYPE, TYPE, VERSION};
use crate::formats::common::parts::add_content;
use crate::formats::common::reading::{label_text, with_usage};
use crate::formats::common::tokens::{TokenNames, counts, without_cached};
use crate::formats::common::values::{cut, id, is, label_value, last_name, parse_time, text};
use crate::parsed::Parsed;

/// Chats of Qwen Code, `qwen`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Qwen;

impl Adapter for Qwen {
    fn name(&self) -> &'static str {
        "qwen"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("qwen-code")
    }

    fn recognise(&self, line: &str) -> Confidence {
        let head = QwenLine::read(line);
        let is_ours = head.uuid.is_some() && head.session.is_some() && head.is_own;
        if is_ours { Confidence::Certain } else { Confidence::No }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(QwenChat { equal: EqualOnes::default(), time_ns: file.modified_ns })
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(QwenReader))
    }
}

/// Reads one chat.
#[derive(Debug)]
struct QwenChat {
    equal: EqualOnes,
    time_ns: i64,
}

/// What a line says of itself.
#[derive(Debug, Default)]
struct QwenLine<'t> {
    uuid: Option<JsonStr<'t>>,
    parent: Option<JsonStr<'t>>,
    session: Option<JsonStr<'t>>,
    line_type: Option<JsonStr<'t>>,
    subtype: Option<JsonStr<'t>>,
    timestamp: Option<JsonStr<'t>>,
    cwd: Option<JsonStr<'t>>,
    version: Option<JsonStr<'t>>,
    branch: Option<JsonStr<'t>>,
    /// Whether it has what lines of Claude Code don't have.
    is_own: bool,
}

impl Parser for QwenChat {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let head = QwenLine::read(object);
        let reading = QwenReader.read(&Payload::new("", object.as_bytes()));
        let session = head.session.map(|name| text(name, limits::MAX_NAME_BYTES));
        let mut event = Event::new(kind(&head, &reading)).payload(object);
        event = if let Some(uuid) = head.uuid {
            event.id(id("uuid", uuid)?)
        } else {
            let of = session.as_deref().unwrap_or_default();
            self.equal.identify(event, LINE_DOMAIN, of, object)
        };
        if let Some(parent) = head.parent {
            event = event.parent(id("parentUuid", parent)?);
        }
        for (key, value) in [
            (TYPE, head.line_type),
            (SUBTYPE, head.subtype),
            (VERSION, head.version),
            (BRANCH, head.branch),
        ] {
            if let Some(value) = value {
                event = event.label(key, label_value(value));
            }
        }
        if let Some(model) = &reading.model {
            event = event.label(MODEL, label_text(model));
        }
        if let Some(project) = head.cwd.and_then(|cwd| last_name(&cwd.decode())) {
            event = event.label(PROJECT, cut(project.into(), limits::MAX_LABEL_VALUE_BYTES));
        }
        let time_ns = head.timestamp.and_then(parse_time);
        self.time_ns = time_ns.unwrap_or(self.time_ns);
        event = with_usage(event, &reading).time_ns(self.time_ns);
        if let Some(session) = session {
            event = event.instance(session.as_str()).session(session);
        }
        Ok(Parsed::new(event).time_made_up(time_ns.is_none()))
    }
}

impl<'t> QwenLine<'t> {
    fn read(object: &'t str) -> Self {
        let mut head = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "uuid" => head.uuid = value.text(),
            "parentUuid" => head.parent = value.text(),
            "sessionId" => head.session = value.text(),
            "type" => head.line_type = value.text(),
            "subtype" => head.subtype = value.text(),
            "timestamp" => head.timestamp = value.text(),
            "cwd" => head.cwd = value.text(),
            "version" => head.version = value.text(),
            "gitBranch" => head.branch = value.text(),
            "usageMetadata" | "systemPayload" | "toolCallResult" => head.is_own = true,
            "message" => value.object(|key, _| head.is_own |= key == "parts"),
            _ => {}
        });
        head
    }
}

/// What kind of event a line is.
fn kind(head: &QwenLine<'_>, reading: &Reading<'_>) -> String {
    let line_type = head.line_type.map(JsonStr::decode).unwrap_or_default();
    let kind = match &*line_type {
        "user" => "user_message",
        "assistant" if !reading.calls.is_empty() => "tool_use",
        "assistant" if reading.text.is_blank() && !reading.thinking.is_empty() => "thinking",
        "assistant" => "assistant_message",
        "system" if reading.summary.is_some() => "summary",
        "" => "unknown",
        _ => return cut(line_type, limits::MAX_KIND_BYTES),
    };
    kind.to_owned()
}

/// Reads payloads.
#[derive(Debug)]
struct QwenReader;

impl PayloadReader for QwenReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let mut reading = Reading::default();
        let (mut uuid, mut line_type, mut status, mut error) = (None, None, None, None);
        let mut subtype = None;
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "uuid" => uuid = value.text(),
            "type" => line_type = value.text(),
            "subtype" => subtype = value.text(),
            "model" => reading.model = value.text().map(Text::from),
            "cwd" => reading.cwd = value.text().map(Text::from),
            "usageMetadata" => reading.usage = usage(value),
            "message" => value.object(|key, value| {
                if key == "parts" {
                    add_content(&mut reading, value);
                }
            }),
            "toolCallResult" => value.object(|key, value| match key {
                "status" => status = value.text(),
                "error" => {
                    error = value.text();
                    value.object(|key, value| {
                        if key == "message" {
                            error = value.text();
                        }
                    });
                }
                _ => {}
            }),
            _ => {}
        });
        if let Some(usage) = &mut reading.usage {
            usage.message_id = uuid.map(Text::from);
        }
        match &*line_type.map(JsonStr::decode).unwrap_or_default() {
            "user" => reading.role = Some(Role::User),
            "assistant" => reading.role = Some(Role::Assistant),
            "tool_result" => {
                reading.role = Some(Role::Tool);
                for result in &mut reading.results {
                    result.is_error |= is(status, "error");
                    if is(status, "cancelled") {
                        result.is_error = false;
                        result.interruption = Some(Interruption::Refused);
                    }
                    if result.text.is_empty() {
                        result.text.extend(error);
                    }
                }
            }
            _ => {
                reading.role = Some(Role::System);
                reading.bookkeeping = true;
                if is(subtype, "chat_compression") {
                    reading.summary = reading.text.first().cloned().or(Some("".into()));
                }
            }
        }
        reading
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

/// Tokens as they are told: what was read from the cache is input too, thinking is beside
/// what was said.
fn usage<'t>(value: &mut JsonCursor<'t>) -> Option<MessageUsage<'t>> {
    let tokens = without_cached(counts(value, &TOKENS)?);
    Some(MessageUsage { message_id: None, tokens })
}

const TOKENS: TokenNames = TokenNames {
    input: &["promptTokenCount"],
    output: &["candidatesTokenCount", "thoughtsTokenCount"],
    cache_read: &["cachedContentTokenCount"],
    cache_written: &[],
};
const LINE_DOMAIN: &str = "forebear qwen line v1";
