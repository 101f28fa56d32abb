//! Rollouts of the Codex CLI: `sessions/YYYY/MM/DD/rollout-TIME-SESSION.jsonl`.
//!
//! A line is `{"timestamp", "type", "payload"}`, in older files the payload alone.
//! Lines have no ids and name no cause: an event's id is derived from the session,
//! the line's bytes and its number among the equal ones; its parent is the line
//! before, or of a call's output the call, by `call_id`.

use std::collections::VecDeque;
use std::fmt;

use forebear_core::{Event, EventId, LinkKind, Usage, limits};
use forebear_sessions::{Relationship, RelationshipType, SessionPatch, SessionType, SpawnReason};

use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::equal::EqualOnes;
use crate::formats::common::labels::{
    BRANCH, FORKED_FROM, IS_ERROR, MODEL, PROJECT, SUBTYPE, TOOL, TOOL_USE_ID, TYPE, VERSION,
};
use crate::formats::common::usual;
use crate::formats::common::values::{cut, is, label_value, last_name, parse_time, text};
use crate::parsed::Parsed;
use forebear_readings::json::{Cursor, JsonStr};

/// Rollouts of the Codex CLI, `codex`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codex;

impl Adapter for Codex {
    fn name(&self) -> &'static str {
        "codex"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("codex-cli")
    }

    fn recognise(&self, line: &str) -> Confidence {
        let mut signs = Signs::default();
        Cursor::new(line).object(|key, value| signs.note(key, value));
        if signs.is_old_head() {
            Confidence::Certain
        } else if signs.is_typed && !signs.uuid {
            Confidence::Likely
        } else {
            Confidence::No
        }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(Rollout::new(file))
    }
}

/// The signs of a line of a rollout.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a sign of its own")]
struct Signs {
    /// Whether its type is one that lines of rollouts have.
    is_typed: bool,
    uuid: bool,
    instructions: bool,
    id: bool,
    time: bool,
    kind: bool,
}

impl Signs {
    fn note(&mut self, key: &str, value: &mut Cursor<'_>) {
        self.kind |= usual::KINDS.contains(&key);
        self.time |= usual::TIMES.contains(&key);
        match key {
            "type" => self.is_typed |= value.text().is_some_and(|t| TYPES.contains(&&*t.decode())),
            "record_type" => self.is_typed |= is(value.text(), "state"),
            "instructions" => self.instructions = true,
            "id" => self.id = true,
            "uuid" => self.uuid = true,
            _ => {}
        }
    }

    /// Whether this is how the older rollouts begin.
    fn is_old_head(&self) -> bool {
        self.instructions && self.id && self.time && !self.kind
    }
}

/// Reads the lines of one rollout, in order.
#[derive(Debug)]
struct Rollout {
    session: String,
    /// Whether the file said which session it is.
    session_known: bool,
    project: Option<String>,
    /// The model of the turn.
    model: Option<String>,
    last: Option<EventId>,
    /// The newest calls, to find what an output belongs to.
    calls: VecDeque<(String, EventId)>,
    equal: EqualOnes,
    /// The time of the line before; of the file, before the first.
    last_time_ns: i64,
}

/// What was found in a line.
#[derive(Debug, Default)]
struct Fields<'t> {
    timestamp: Option<JsonStr<'t>>,
    line_type: Option<JsonStr<'t>>,
    /// Of older files' first line and of state markers.
    instructions: bool,
    record_type: Option<JsonStr<'t>>,
    wrapped: bool,
    payload: Payload<'t>,
}

/// What was found in a line's payload, or in a line that is one.
#[derive(Debug, Default)]
struct Payload<'t> {
    id: Option<JsonStr<'t>>,
    item_type: Option<JsonStr<'t>>,
    role: Option<JsonStr<'t>>,
    name: Option<JsonStr<'t>>,
    call_id: Option<JsonStr<'t>>,
    status: Option<JsonStr<'t>>,
    cwd: Option<JsonStr<'t>>,
    model: Option<JsonStr<'t>>,
    cli_version: Option<JsonStr<'t>>,
    branch: Option<JsonStr<'t>>,
    forked_from: Option<JsonStr<'t>>,
    parent_thread: Option<JsonStr<'t>>,
    /// The same of newer files' first line.
    parent_of_meta: Option<JsonStr<'t>>,
    failed: bool,
    /// Tokens of the turn, and of the session so far.
    last_tokens: Option<Tokens>,
    total_tokens: Option<Tokens>,
}

/// Tokens as a line counts them: what was read from the cache is input too.
#[derive(Clone, Copy, Debug, Default)]
struct Tokens {
    input: u64,
    cached: u64,
    output: u64,
}

impl Rollout {
    fn new(file: &SourceFile<'_>) -> Self {
        Self {
            session: session_of(&file.stem()).to_owned(),
            session_known: false,
            project: None,
            model: None,
            last: None,
            calls: VecDeque::new(),
            equal: EqualOnes::default(),
            last_time_ns: file.modified_ns,
        }
    }

    /// Takes over what the line says of those that follow; returns whether it is the
    /// one that says which session the file's is.
    fn note(&mut self, kind: &str, payload: &Payload<'_>) -> bool {
        let is_first = kind == SESSION_META && !self.session_known;
        // A forked session's file repeats the first line of the other session.
        if is_first {
            self.session_known = true;
            if let Some(id) = payload.id {
                self.session = text(id, limits::MAX_NAME_BYTES);
            }
        }
        if let Some(cwd) = payload.cwd {
            self.project = last_name(&cwd.decode())
                .map(|name| cut(name.into(), limits::MAX_LABEL_VALUE_BYTES));
        }
        if kind == "turn_context"
            && let Some(model) = payload.model
        {
            self.model = Some(label_value(model));
        }
        is_first
    }

    /// Where the session comes from, as its first line says.
    fn origin(&self, event: Event, time_ns: Option<i64>, payload: &Payload<'_>) -> Parsed {
        let parsed = Parsed::new(event);
        let (session_type, kind, reason, from) =
            match (payload.parent_thread.or(payload.parent_of_meta), payload.forked_from) {
                (Some(parent), _) => (
                    SessionType::Subagent,
                    RelationshipType::ParentChild,
                    SpawnReason::SubagentDelegation,
                    parent,
                ),
                (None, Some(other)) => (
                    SessionType::Continuation,
                    RelationshipType::Continuation,
                    SpawnReason::Continuation,
                    other,
                ),
                (None, None) => return parsed,
            };
        let from = text(from, limits::MAX_NAME_BYTES);
        if from == self.session {
            return parsed;
        }
        let mut relationship =
            Relationship::new(&*from, &*self.session).relationship_type(kind).reason(reason);
        if let Some(time_ns) = time_ns {
            relationship = relationship.created_ns(time_ns);
        }
        let patch = SessionPatch::new(&*self.session).session_type(session_type).parent(&from);
        parsed.session(patch).relate(relationship)
    }

    fn labelled(&self, mut event: Event, fields: &Fields<'_>) -> Event {
        let payload = &fields.payload;
        let texts = [
            (TYPE, fields.line_type),
            (SUBTYPE, payload.item_type.filter(|_| fields.wrapped)),
            (TOOL_USE_ID, payload.call_id),
            (VERSION, payload.cli_version),
            (BRANCH, payload.branch),
            (FORKED_FROM, payload.parent_thread.or(payload.forked_from)),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                event = event.label(key, label_value(value));
            }
        }
        if event.as_kind() == TOOL_USE {
            let tool = payload.name.or(payload.item_type);
            event = event.label(TOOL, tool.map_or_else(String::new, label_value));
        }
        if payload.failed || payload.status.is_some_and(|status| status.decode() == "failed") {
            event = event.label(IS_ERROR, "true");
        }
        if let Some(project) = &self.project {
            event = event.label(PROJECT, project.as_str());
        }
        if let Some(model) = &self.model {
            event = event.label(MODEL, model.as_str());
        }
        event
    }

    /// The call that a call's id names.
    fn call(&self, call_id: &str) -> Option<&EventId> {
        let call = self.calls.iter().rev().find(|(known, _)| known == call_id);
        call.map(|(_, event)| event)
    }
}

impl Parser for Rollout {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let fields = Fields::read(object);
        let kind = kind(&fields);
        let is_first = self.note(&kind, &fields.payload);
        let time_ns = fields.timestamp.and_then(parse_time);
        self.last_time_ns = time_ns.unwrap_or(self.last_time_ns);

        let link = if kind == COMPACTED { LinkKind::Continues } else { LinkKind::Caused };
        let event = Event::new(kind).payload(object);
        let mut event = self.equal.identify(event, ID_DOMAIN, &self.session, object);
        let call_id = fields.payload.call_id.map(|id| text(id, limits::MAX_LABEL_VALUE_BYTES));
        let call = call_id.as_deref().and_then(|id| self.call(id));
        if let Some(parent) = call.or(self.last.as_ref()) {
            event = event.parent(parent).link(link);
        }
        if event.as_kind() == TOOL_USE
            && let Some(call_id) = call_id
        {
            if self.calls.len() == MAX_CALLS_KNOWN {
                self.calls.pop_front();
            }
            self.calls.push_back((call_id, event.as_id().clone()));
        }
        self.last = Some(event.as_id().clone());
        if let Some(usage) = fields.usage() {
            event = event.usage(usage);
        }
        let event = self
            .labelled(event, &fields)
            .time_ns(self.last_time_ns)
            .instance(self.session.as_str())
            .session(self.session.as_str());
        let parsed = if is_first {
            self.origin(event, time_ns, &fields.payload)
        } else {
            Parsed::new(event)
        };
        Ok(parsed.time_made_up(time_ns.is_none()))
    }
}

impl<'t> Fields<'t> {
    fn read(object: &'t str) -> Self {
        let mut fields = Self::default();
        let mut bare = Payload::default();
        Cursor::new(object).object(|key, value| match key {
            "timestamp" => fields.timestamp = value.text(),
            "record_type" => fields.record_type = value.text(),
            "payload" if value.is_object() => {
                fields.wrapped = true;
                fields.payload = Payload::default();
                value.object(|key, value| fields.payload.member(key, value));
            }
            "instructions" => fields.instructions = true,
            _ => bare.member(key, value),
        });
        fields.line_type = bare.item_type;
        if !fields.wrapped {
            fields.payload = bare;
        }
        fields
    }

    /// The tokens of a turn. A line that says the same again, as one does whenever
    /// limits are reported, has the same total: it is the same message.
    fn usage(&self) -> Option<Usage> {
        if !is(self.payload.item_type, "token_count") {
            return None;
        }
        let last = self.payload.last_tokens?;
        let message = self
            .payload
            .total_tokens
            .map_or_else(String::new, |total| format!("tokens {total}, the last {last}"));
        Some(Usage {
            message,
            input: last.input.saturating_sub(last.cached),
            output: last.output,
            cache_read: last.cached,
            cache_written: 0,
        })
    }
}

impl<'t> Payload<'t> {
    fn member(&mut self, key: &str, value: &mut Cursor<'t>) {
        match key {
            "id" => self.id = value.text(),
            "type" => self.item_type = value.text(),
            "role" => self.role = value.text(),
            "name" => self.name = value.text(),
            "call_id" => self.call_id = value.text(),
            "status" => self.status = value.text(),
            "cwd" => self.cwd = value.text(),
            "model" => self.model = value.text(),
            "cli_version" => self.cli_version = value.text(),
            "parent_thread_id" => self.parent_of_meta = value.text(),
            "info" => value.object(|key, value| match key {
                "last_token_usage" => self.last_tokens = Tokens::read(value),
                "total_token_usage" => self.total_tokens = Tokens::read(value),
                _ => {}
            }),
            "forked_from_id" => self.forked_from = value.text(),
            "git" => value.object(|key, value| {
                if key == "branch" {
                    self.branch = value.text();
                }
            }),
            "output" => value.object(|key, value| {
                if key == "success" {
                    self.failed = value.is_false();
                }
            }),
            "source" => value.object(|key, value| {
                if key == "subagent" {
                    value.object(|key, value| self.subagent(key, value));
                }
            }),
            _ => {}
        }
    }

    fn subagent(&mut self, key: &str, value: &mut Cursor<'t>) {
        if key == "thread_spawn" {
            value.object(|key, value| {
                if key == "parent_thread_id" {
                    self.parent_thread = value.text();
                }
            });
        }
    }
}

impl Tokens {
    fn read(value: &mut Cursor<'_>) -> Option<Self> {
        if !value.is_object() {
            return None;
        }
        let mut tokens = Self::default();
        value.object(|key, value| {
            let place = match key {
                "input_tokens" => &mut tokens.input,
                "cached_input_tokens" => &mut tokens.cached,
                "output_tokens" => &mut tokens.output,
                _ => return,
            };
            *place = value.number().unwrap_or(0);
        });
        Some(tokens)
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.input, self.cached, self.output)
    }
}

/// What kind of event a line is.
fn kind(fields: &Fields<'_>) -> String {
    let line_type = fields.line_type.map(JsonStr::decode);
    let item_type = fields.payload.item_type.map(JsonStr::decode);
    let role = fields.payload.role.map(JsonStr::decode);
    let is_item = !fields.wrapped || line_type.as_deref() == Some("response_item");
    let name = match (line_type.as_deref(), item_type.as_deref()) {
        (None, _) if fields.instructions => SESSION_META,
        (None, None) if fields.record_type.is_some() => "state",
        (_, Some("message")) if is_item => match role.as_deref() {
            Some("user") => "user_message",
            Some("assistant") => "assistant_message",
            _ => "system",
        },
        (_, Some("reasoning")) if is_item => "thinking",
        (_, Some(item)) if is_item && item.ends_with("_call") => TOOL_USE,
        (_, Some(item)) if is_item && item.ends_with("_output") => "tool_result",
        (Some("event_msg"), Some("error" | "stream_error")) => "error",
        (Some(line), _) => return cut(line.into(), limits::MAX_KIND_BYTES),
        (None, Some(item)) => return cut(item.into(), limits::MAX_KIND_BYTES),
        (None, None) => "unknown",
    };
    name.to_owned()
}

/// The session in the name of a rollout: the UUID at its end.
fn session_of(name: &str) -> &str {
    let at = name.len().saturating_sub(uuid::fmt::Hyphenated::LENGTH);
    match name.get(at..) {
        Some(end) if name.starts_with("rollout-") && EventId::from(end).as_uuid().is_some() => end,
        _ => name,
    }
}

/// Types of lines.
const TYPES: &[&str] = &["session_meta", "response_item", "event_msg", "turn_context", "compacted"];
const SESSION_META: &str = "session_meta";
const COMPACTED: &str = "compacted";
const TOOL_USE: &str = "tool_use";
/// Calls that are remembered to find an output's.
const MAX_CALLS_KNOWN: usize = 1024;
/// Keeps the ids of lines apart from other derived ids.
const ID_DOMAIN: &str = "forebear codex line v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_name_has_its_session() {
        let session = "0199a213-81c0-7800-8aa1-bbab2a035a53";
        assert_eq!(session_of(&format!("rollout-2025-10-01T12-00-00-{session}")), session);
        assert_eq!(session_of("rollout-éééééééééééééééééééé"), "rollout-éééééééééééééééééééé");
        assert_eq!(session_of("other"), "other");
    }

    #[test]
    fn kinds_follow_from_what_a_line_holds() {
        for (line, expected) in [
            (r#"{"type":"session_meta","payload":{}}"#, "session_meta"),
            (r#"{"id":"s","timestamp":"t","instructions":null}"#, "session_meta"),
            (r#"{"record_type":"state"}"#, "state"),
            (
                r#"{"type":"response_item","payload":{"type":"message","role":"user"}}"#,
                "user_message",
            ),
            (r#"{"type":"message","role":"assistant"}"#, "assistant_message"),
            (r#"{"type":"message","role":"developer"}"#, "system"),
            (r#"{"type":"response_item","payload":{"type":"reasoning"}}"#, "thinking"),
            (r#"{"type":"response_item","payload":{"type":"custom_tool_call"}}"#, "tool_use"),
            (r#"{"type":"function_call_output"}"#, "tool_result"),
            (r#"{"type":"event_msg","payload":{"type":"message"}}"#, "event_msg"),
            (r#"{"type":"event_msg","payload":{"type":"error"}}"#, "error"),
            (r#"{"type":"turn_context","payload":{}}"#, "turn_context"),
            ("{}", "unknown"),
        ] {
            assert_eq!(kind(&Fields::read(line)), expected, "{line}");
        }
    }
}
