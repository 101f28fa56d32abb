//! Rollouts of the Codex CLI: `sessions/YYYY/MM/DD/rollout-TIME-SESSION.jsonl`.
//!
//! A line is `{"timestamp", "type", "payload"}`, in older files the payload alone.
//! Lines have no ids and name no cause: an event's id is derived from the session,
//! the line's bytes and its number among the equal ones; its parent is the line
//! before, or of a call's output the call, by `call_id`.

mod calls;
mod copies;
mod item;
mod mirrors;
mod output;
mod payload;
mod running;
mod tokens;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use forebear_core::{Event, EventId, LinkKind, Tokens, limits};
use forebear_sessions::{Relationship, RelationshipType, SessionPatch, SessionType, SpawnReason};

use self::copies::Copies;
use self::item::{CodexItem, texts};
use self::mirrors::{MirrorShape, Mirrors};
use self::running::Running;
use self::tokens::{TOKENS, TokenCounts};
use crate::adapter::{Adapter, Confidence, Linker, Parser, SourceFile};
use crate::formats::common::equal::EqualOnes;
use crate::formats::common::labels::{
    AGENT, AGENT_CALL, AGENT_RESULT, AGENT_ROOT, BRANCH, COPY_OF, FORKED_FROM, MIRROR, MODEL,
    PROJECT, SUBTYPE, TYPE, VERSION,
};
use crate::formats::common::spawned::SpawnLinker;
use crate::formats::common::tokens::counts;
use crate::formats::common::usual;
use crate::formats::common::values::{cut, is, label_value, last_name, parse_time, text};
use crate::parsed::Parsed;
use forebear_readings::PayloadReader;
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::keys::{TOOL, TOOL_USE_ID};
use forebear_readings::{MAX_TOOLS, numbered};

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
        JsonCursor::new(line).object(|key, value| signs.observe(key, value));
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

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(payload::RolloutReader))
    }

    fn linker(&self) -> Option<Box<dyn Linker>> {
        Some(Box::new(SpawnLinker::new(&[SPAWN_AGENT])))
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
    fn observe(&mut self, key: &str, value: &mut JsonCursor<'_>) {
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
    /// The newest calls, to find what an output belongs to, and whether each starts an
    /// agent.
    calls: VecDeque<(String, EventId, bool)>,
    copies: Copies,
    mirrors: Mirrors,
    running: Running,
    counts: TokenCounts,
    equal: EqualOnes,
    /// The time of the line before; of the file, before the first.
    last_time_ns: i64,
}

/// What was found in a line.
#[derive(Debug, Default)]
struct CodexFields<'t> {
    timestamp: Option<JsonStr<'t>>,
    /// The line's number, in newer files.
    ordinal: Option<u64>,
    line_type: Option<JsonStr<'t>>,
    /// Of older files' first line and of state markers.
    instructions: bool,
    record_type: Option<JsonStr<'t>>,
    wrapped: bool,
    payload: CodexPayload<'t>,
}

/// What was found in a line's payload, or in a line that is one.
#[derive(Debug, Default)]
struct CodexPayload<'t> {
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
    /// What was said.
    texts: Vec<JsonStr<'t>>,
    /// What is completed, of newer files.
    item: Option<CodexItem<'t>>,
    /// What a call's output is, where it is a text.
    output: Option<JsonStr<'t>>,
    /// The agent that a call started, and where it stands in the tree of agents.
    new_thread: Option<JsonStr<'t>>,
    agent_path: Option<JsonStr<'t>>,
    /// What an agent does.
    activity: Option<JsonStr<'t>>,
    /// The number of the first line that is not another session's.
    first_own: Option<u64>,
    /// What a call is made with.
    arguments: Option<JsonStr<'t>>,
    turn_id: Option<JsonStr<'t>>,
    /// Tokens of the turn, and of the session so far.
    last_tokens: Option<Tokens>,
    total_tokens: Option<Tokens>,
    /// Those of one response, and its id.
    response_id: Option<JsonStr<'t>>,
    response_tokens: Option<Tokens>,
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
            copies: Copies::default(),
            mirrors: Mirrors::default(),
            running: Running::default(),
            counts: TokenCounts::default(),
            equal: EqualOnes::default(),
            last_time_ns: file.modified_ns,
        }
    }

    /// Takes over what the line says of those that follow; returns whether it is the
    /// one that says which session the file's is.
    fn observe(&mut self, kind: &str, payload: &CodexPayload<'_>) -> bool {
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
    fn origin(&self, event: Event, time_ns: Option<i64>, payload: &CodexPayload<'_>) -> Parsed {
        let parsed = Parsed::new(event);
        let (session_type, kind, reason, from) = match (payload.parent(), payload.forked_from) {
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

    fn labelled(&self, mut event: Event, fields: &CodexFields<'_>) -> Event {
        let payload = &fields.payload;
        let texts = [
            (TYPE, fields.line_type),
            (SUBTYPE, payload.item_type.filter(|_| fields.wrapped)),
            (ITEM, payload.item.as_ref().and_then(|item| item.type_name)),
            (TOOL_USE_ID, payload.call_id()),
            (VERSION, payload.cli_version),
            (BRANCH, payload.branch),
            (FORKED_FROM, payload.parent().or(payload.forked_from)),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                event = event.label(key, label_value(value));
            }
        }
        if event.as_kind() == TOOL_USE {
            let item = payload.item.as_ref();
            let tool = item
                .map_or(payload.name.or(payload.item_type), |item| item.tool.or(item.type_name));
            event = event.label(TOOL, tool.map_or_else(String::new, label_value));
        }
        if let Some(project) = &self.project {
            event = event.label(PROJECT, project.as_str());
        }
        if let Some(model) = &self.model {
            event = event.label(MODEL, model.as_str());
        }
        event
    }

    /// The call that a call's id names, and whether it starts an agent.
    fn call(&self, call_id: &str) -> Option<(&EventId, bool)> {
        let call = self.calls.iter().rev().find(|(known, ..)| known == call_id);
        call.map(|(_, event, starts_agent)| (event, *starts_agent))
    }

    /// Whether a line says a step again that one before says in the other shape.
    fn is_mirror(&mut self, kind: &str, fields: &CodexFields<'_>) -> bool {
        let payload = &fields.payload;
        let (shape, texts) = match &payload.item {
            Some(item) => (MirrorShape::Item, &item.texts),
            None => (MirrorShape::Response, &payload.texts),
        };
        match kind {
            "user_message" | "assistant_message" => {
                let texts: Vec<Cow<'_, str>> = texts.iter().map(|text| text.decode()).collect();
                self.mirrors.is_said_again(kind, &texts.concat(), shape)
            }
            "tool_result" => payload.call_id().is_some_and(|call| {
                let call = text(call, limits::MAX_LABEL_VALUE_BYTES);
                self.mirrors.is_answered_again(&call, shape)
            }),
            _ => false,
        }
    }
}

/// The agents that a line says a call started: threads, or their paths in the tree of
/// agents.
fn started_agents(fields: &CodexFields<'_>, answers_start: bool) -> Vec<String> {
    let payload = &fields.payload;
    let thread = |text: JsonStr<'_>| label_value(text);
    if let Some(item) = &payload.item {
        let starts = is(item.type_name, "SubAgentActivity") && is(item.activity, "started")
            || is(item.type_name, "CollabAgentToolCall") && is(item.tool, "spawnAgent");
        let threads = item.threads.iter().filter(|_| starts);
        return threads.take(MAX_TOOLS).map(|text| thread(*text)).collect();
    }
    let is_message = is(fields.line_type, "event_msg");
    let starts = is(payload.item_type, "collab_agent_spawn_end")
        || is(payload.item_type, "sub_agent_activity") && is(payload.activity, "started");
    if is_message && starts {
        return payload.new_thread.map(thread).into_iter().collect();
    }
    if !answers_start {
        return Vec::new();
    }
    let mut agents = Vec::new();
    for output in payload.output.iter().chain(&payload.texts) {
        JsonCursor::new(&output.decode()).object(|key, value| {
            if matches!(key, "agent_id" | "task_name") && agents.len() < MAX_TOOLS {
                agents.extend(value.text().map(label_value));
            }
        });
    }
    agents
}

impl Parser for Rollout {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let fields = CodexFields::read(object);
        let payload = &fields.payload;
        let mut kind = kind(&fields);
        let time_ns = fields.timestamp.and_then(parse_time);
        let meta = (kind == SESSION_META).then(|| payload.id.map(label_value)).flatten();
        let copy_of = self
            .copies
            .source(meta.as_deref(), payload.first_own, time_ns, fields.ordinal)
            .map(str::to_owned);
        let is_first = copy_of.is_none() && self.observe(&kind, payload);
        let is_mirror = copy_of.is_none() && self.is_mirror(&kind, &fields);
        if (is_mirror || copy_of.is_some() && kind == ERROR)
            && let Some(line_type) = fields.line_type
        {
            kind = text(line_type, limits::MAX_KIND_BYTES);
        }
        self.last_time_ns = time_ns.unwrap_or(self.last_time_ns);

        let link = if kind == COMPACTED { LinkKind::Continues } else { LinkKind::Caused };
        let event = Event::new(kind).payload(object);
        let mut event = self.equal.identify(event, ID_DOMAIN, &self.session, object);
        let call_id = payload.call_id().map(|id| text(id, limits::MAX_LABEL_VALUE_BYTES));
        let call = call_id.as_deref().and_then(|id| self.call(id));
        let answers_start = call.is_some_and(|(_, starts_agent)| starts_agent);
        if let Some(parent) = call.map(|(call, _)| call).or(self.last.as_ref()) {
            event = event.parent(parent).link(link);
        }
        if event.as_kind() == TOOL_USE
            && let Some(call_id) = &call_id
        {
            if self.calls.len() == MAX_CALLS_KNOWN {
                self.calls.pop_front();
            }
            let starts_agent = copy_of.is_none() && is(payload.name, SPAWN_AGENT);
            self.calls.push_back((call_id.clone(), event.as_id().clone(), starts_agent));
        }
        self.last = Some(event.as_id().clone());
        let of = copy_of.as_deref().unwrap_or(&self.session);
        if let Some(usage) = self.counts.usage(payload, of) {
            event = event.usage(usage);
        }
        event = self.running.note(event, payload);
        let mut event = self.labelled(event, &fields);
        if let Some(call_id) = call_id.filter(|_| copy_of.is_none() && !is_mirror) {
            let agents = started_agents(&fields, answers_start);
            for (n, agent) in agents.iter().enumerate() {
                event = event.label(numbered(AGENT_RESULT, n), agent);
            }
            if !agents.is_empty() {
                event = event.label(AGENT_CALL, call_id);
            }
        }
        if is_first && payload.parent().is_some() {
            event = event.label(AGENT_ROOT, self.session.as_str());
            if let Some(path) = payload.agent_path {
                event = event.label(AGENT, label_value(path));
            }
        }
        if is_mirror {
            event = event.label(MIRROR, "true");
        }
        if let Some(other) = copy_of {
            event = event.label(COPY_OF, other);
        }
        let event = event
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

impl<'t> CodexFields<'t> {
    fn read(object: &'t str) -> Self {
        let mut fields = Self::default();
        let mut bare = CodexPayload::default();
        JsonCursor::new(object).object(|key, value| match key {
            "timestamp" => fields.timestamp = value.text(),
            "ordinal" => fields.ordinal = value.number(),
            "record_type" => fields.record_type = value.text(),
            "payload" if value.is_object() => {
                fields.wrapped = true;
                fields.payload = CodexPayload::default();
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
}

impl<'t> CodexPayload<'t> {
    /// The session that started this one.
    fn parent(&self) -> Option<JsonStr<'t>> {
        self.parent_thread.or(self.parent_of_meta)
    }

    /// The call that this is or belongs to.
    fn call_id(&self) -> Option<JsonStr<'t>> {
        let of_item = self.item.as_ref().filter(|item| item.is_call() || item.is_activity());
        self.call_id.or(of_item.and_then(|item| item.id))
    }

    fn member(&mut self, key: &str, value: &mut JsonCursor<'t>) {
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
            "agent_path" => self.agent_path = value.text(),
            "new_thread_id" | "agent_thread_id" => self.new_thread = value.text(),
            "event_id" => self.call_id = self.call_id.or(value.text()),
            "kind" => self.activity = value.text(),
            "subagent_history_start_ordinal" => self.first_own = value.number(),
            "content" => self.texts = texts(value),
            "arguments" | "input" => self.arguments = value.text(),
            "turn_id" => self.turn_id = value.text(),
            "response_id" => self.response_id = value.text(),
            "usage" => self.response_tokens = counts(value, &TOKENS),
            "item" => self.item = CodexItem::read(value),
            "info" => value.object(|key, value| match key {
                "last_token_usage" => self.last_tokens = counts(value, &TOKENS),
                "total_token_usage" => self.total_tokens = counts(value, &TOKENS),
                _ => {}
            }),
            "forked_from_id" => self.forked_from = value.text(),
            "git" => value.object(|key, value| {
                if key == "branch" {
                    self.branch = value.text();
                }
            }),
            "output" => {
                self.output = value.string();
                value.object(|key, value| match key {
                    "success" => self.failed = value.is_false(),
                    "content" => self.output = value.string(),
                    _ => {}
                });
                let texts = texts(value);
                if !texts.is_empty() {
                    self.texts = texts;
                }
            }
            "source" => value.object(|key, value| {
                if key == "subagent" {
                    value.object(|key, value| self.subagent(key, value));
                }
            }),
            _ => {}
        }
    }

    fn subagent(&mut self, key: &str, value: &mut JsonCursor<'t>) {
        if key == "thread_spawn" {
            value.object(|key, value| {
                if key == "parent_thread_id" {
                    self.parent_thread = value.text();
                }
            });
        }
    }
}

/// What kind of event a line is.
fn kind(fields: &CodexFields<'_>) -> String {
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
        (Some("event_msg"), Some("error" | "stream_error")) => ERROR,
        (Some("event_msg"), Some("turn_aborted")) => "turn_aborted",
        (Some("event_msg"), Some("item_started" | "item_completed")) => {
            let is_completed = item_type.as_deref() == Some("item_completed");
            match &fields.payload.item {
                Some(item) => item.kind(is_completed).unwrap_or("event_msg"),
                None => "event_msg",
            }
        }
        (Some(line), _) => return cut(line.into(), limits::MAX_KIND_BYTES),
        (None, Some(item)) => return cut(item.into(), limits::MAX_KIND_BYTES),
        (None, None) => "unknown",
    };
    name.to_owned()
}

/// The session in the name of a rollout: the UUID at its end, or before that of a part
/// that the session was written on in.
fn session_of(name: &str) -> &str {
    let uuid_before = |end: usize| {
        let uuid = name.get(end.checked_sub(uuid::fmt::Hyphenated::LENGTH)?..end)?;
        EventId::from(uuid).as_uuid().is_some().then_some(uuid)
    };
    let last = uuid_before(name.len()).filter(|_| name.starts_with("rollout-"));
    let before = last.and_then(|last| {
        let end = name.strip_suffix(last)?.strip_suffix('_')?.len();
        uuid_before(end)
    });
    before.or(last).unwrap_or(name)
}

/// Types of lines.
const TYPES: &[&str] = &["session_meta", "response_item", "event_msg", "turn_context", "compacted"];
const SESSION_META: &str = "session_meta";
const COMPACTED: &str = "compacted";
const TOOL_USE: &str = "tool_use";
const ERROR: &str = "error";
/// The tool that starts an agent.
const SPAWN_AGENT: &str = "spawn_agent";
/// What an item is.
const ITEM: &str = "item";
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
        let part =
            format!("rollout-2025-10-01T12-00-00-{session}_0199a213-81c0-7800-8aa1-0000000000ff");
        assert_eq!(session_of(&part), session);
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
            (r#"{"type":"event_msg","payload":{"type":"turn_aborted"}}"#, "turn_aborted"),
            (
                r#"{"type":"event_msg","payload":{"type":"item_completed","item":{"type":"UserMessage"}}}"#,
                "user_message",
            ),
            (
                r#"{"type":"event_msg","payload":{"type":"item_completed","item":{"type":"FileChange"}}}"#,
                "tool_result",
            ),
            (
                r#"{"type":"event_msg","payload":{"type":"item_started","item":{"type":"FileChange"}}}"#,
                "tool_use",
            ),
            (
                r#"{"type":"event_msg","payload":{"type":"item_completed","item":{"type":"Sleep"}}}"#,
                "event_msg",
            ),
            (r#"{"type":"event_msg","payload":{"type":"item_completed"}}"#, "event_msg"),
            (r#"{"type":"turn_context","payload":{}}"#, "turn_context"),
            ("{}", "unknown"),
        ] {
            assert_eq!(kind(&CodexFields::read(line)), expected, "{line}");
        }
    }
}
