//! From an object of a Claude Code transcript to an event.

mod fields;
mod payload;
mod place;
mod sidechain;
mod spawn;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use forebear_core::{Event, Link, LinkKind, Scope, Snapshot, Usage, limits};
use forebear_sessions::{
    Relationship, RelationshipType, Session, SessionPatch, SessionType, SpawnReason,
};

use self::fields::ClaudeFields;
use self::place::FilePlace;
use self::sidechain::Sidechains;
use self::spawn::Clues;
use crate::adapter::{Adapter, Confidence, Linker, Parser, SourceFile};
use crate::formats::common::equal::{EqualOnes, content};
use crate::formats::common::labels::{
    AGENT, AGENT_CALL, AGENT_PROGRESS, AGENT_RESULT, AGENT_ROOT, ASIDE, BRANCH, COPIED_FROM, MODEL,
    PROJECT, SIDECHAIN, SOURCE_CALL, SPAWNED_AS, SPAWNS, SUBTYPE, TYPE, VERSION, WAVE_ID,
};
use crate::formats::common::project::project;
use crate::formats::common::usual;
use crate::formats::common::values::{cut, id, is, label_value, parse_time, text};
use crate::parsed::Parsed;
use forebear_readings::PayloadReader;
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::keys::{TOOL, TOOL_USE_ID};
use forebear_readings::{MAX_CALLS, MAX_TOOLS, numbered};

/// Transcripts of Claude Code, `claude-code`.
///
/// | of the event | is, of the object |
/// |---|---|
/// | id | `uuid`; without one, a `UUIDv8` of its bytes |
/// | parent | `parentUuid` (`caused`), else `logicalParentUuid` (`continues`), else the call that started its agent (`spawned`); without a `uuid`, `leafUuid` or `messageId` |
/// | kind | `user_message`, `tool_result`, `assistant_message`, `thinking`, `tool_use`, `error`, else its `type` |
/// | time | `timestamp`, else `snapshot.timestamp`, else that of the line before, else when the file was modified |
/// | session | `sessionId`, else that of the line before, else the one that the file's place says |
/// | instance | `agentId`, else the session |
///
/// The labels, each where there is something to say: `type`, `subtype`,
/// `project` (the folder that the session was started in, by the lines' `cwd`), `branch`, `version`,
/// `model`, `agent`, `sidechain` (`true`), `is_error` (`true`), `tool` on calls,
/// `tool_use_id` on calls and results; where a line holds several, `tool.2`,
/// `tool_use_id.2` and so on. By `agent_root`, `agent_result`, `agent_progress`,
/// `agent_call` and `source_call` agents are linked to the calls that started
/// them, in whatever order the ends come.
///
/// An event has room for 64 labels: of one line, the first 8 tools and results
/// and the first 40 calls get theirs. An agent that a later call of the line
/// started is linked only where a result names the event (`source_call`).
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaudeCode;

impl Adapter for ClaudeCode {
    fn name(&self) -> &'static str {
        "claude-code"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("claude-code")
    }

    /// What is known of an agent beside its lines.
    fn is_companion(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("agent-") && name.ends_with(".meta.json")
    }

    fn recognise(&self, line: &str) -> Confidence {
        let (mut has_own_key, mut has_own_type) = (false, false);
        let (mut uuid, mut other_id, mut other_parent) = (false, false, false);
        JsonCursor::new(line).object(|key, value| match key {
            "uuid" => uuid = true,
            "type" => has_own_type = value.text().is_some_and(|t| TYPES.contains(&&*t.decode())),
            _ if KEYS.contains(&key) => has_own_key = true,
            _ => {
                other_id |= usual::IDS.contains(&key);
                other_parent |= usual::PARENTS.contains(&key);
            }
        });
        let is_like_ours = has_own_type && !other_id || uuid;
        if has_own_key || is_like_ours && !other_parent {
            Confidence::Likely
        } else {
            Confidence::No
        }
    }

    /// What agents report holds lines of theirs, which name no session.
    fn is_record(&self, object: &str) -> bool {
        let mut is_record = false;
        JsonCursor::new(object).object(|key, _| {
            is_record |= matches!(key, "sessionId" | "leafUuid" | "parentUuid" | "snapshot");
        });
        is_record
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(TranscriptParser {
            transcript: ClaudeFile::new(file),
            sidechains: Sidechains::default(),
        })
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(payload::TranscriptReader))
    }

    fn linker(&self) -> Option<Box<dyn Linker>> {
        Some(Box::new(Clues::default()))
    }
}

/// The lines of one file, and what they say of agents without ids.
#[derive(Debug)]
struct TranscriptParser {
    transcript: ClaudeFile,
    sidechains: Sidechains,
}

/// What the objects of one file have in common, and the time of the last.
#[derive(Debug)]
struct ClaudeFile {
    /// Where the file lies, and what that says of its lines.
    place: FilePlace,
    /// What the lines' project is called, once one says where it was said.
    project: Option<String>,
    /// The session that the line before named, for lines that name none.
    session: Option<String>,
    /// Sessions of which it was said where they come from.
    origins: BTreeSet<String>,
    /// Whether the first line was met of what the file is the transcript of.
    begun: bool,
    equal: EqualOnes,
    /// The request that answered each message, of the newest ones.
    requests: VecDeque<(String, String)>,
    /// The time of the line before; of the file, before the first.
    last_time_ns: i64,
}

impl Parser for TranscriptParser {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let fields = ClaudeFields::read(object);
        let (event, time_made_up) = self.transcript.event(&fields, object)?;
        self.sidechains.observe(&fields, &event);
        let origin = self.transcript.origin(&fields, &event);
        let parsed = Parsed::new(event).time_made_up(time_made_up);
        Ok(match origin {
            Some((patch, Some(relationship))) => parsed.session(patch).relate(relationship),
            Some((patch, None)) => parsed.session(patch),
            None => parsed,
        })
    }

    fn has_links(&self) -> bool {
        !self.sidechains.is_empty()
    }

    fn links(&mut self, snapshot: &Snapshot) -> forebear_core::Result<Vec<Link>> {
        self.sidechains.resolve(snapshot)
    }
}

impl ClaudeFile {
    fn new(file: &SourceFile<'_>) -> Self {
        Self {
            place: FilePlace::of(file),
            project: None,
            session: None,
            origins: BTreeSet::new(),
            begun: false,
            equal: EqualOnes::default(),
            requests: VecDeque::new(),
            last_time_ns: file.modified_ns,
        }
    }

    /// The event that an object stands for. Values that are too long are cut,
    /// except ids: with one of those the object is no event, and the error says so. And
    /// whether its time was made up.
    fn event(&mut self, fields: &ClaudeFields<'_>, object: &str) -> Result<(Event, bool), String> {
        let mut event = Event::new(kind(fields)).payload(object);
        if let Some(uuid) = fields.uuid {
            event = event.id(id("uuid", uuid)?);
            if let Some(parent) = fields.parent {
                event = event.parent(id("parentUuid", parent)?);
            } else if let Some(parent) = fields.logical_parent {
                event = event.parent(id("logicalParentUuid", parent)?);
                event = event.link(LinkKind::Continues);
            } else if let Some(parent) = fields.fork.message
                && let parent = id("messageUuid", parent)?
                && parent != *event.as_id()
            {
                event = event.parent(parent).link(LinkKind::Continues);
            }
        } else {
            // Lines of a state come again as it goes back: each is an event. The first of
            // equal ones is told by its bytes alone, in whatever file it stands.
            event = match self.equal.number(object.as_bytes()) {
                0 => event.derived_id(ID_DOMAIN, object.as_bytes()),
                n => {
                    let parts = [object.as_bytes(), &n.to_le_bytes()];
                    event.derived_id(AGAIN_DOMAIN, &content(&parts))
                }
            };
            let message = fields.message_id.or(fields.snapshot.message_id);
            if let Some(parent) = fields.leaf {
                event = event.parent(id("leafUuid", parent)?);
            } else if let Some(parent) = message {
                event = event.parent(id("messageId", parent)?);
            }
        }
        let time_ns = fields.timestamp.and_then(parse_time);
        let time_ns = time_ns.or_else(|| fields.snapshot.timestamp.and_then(parse_time));
        self.last_time_ns = time_ns.unwrap_or(self.last_time_ns);

        if let (None, Some(cwd)) = (&self.project, fields.cwd) {
            self.project = project(self.place.project.as_deref(), &cwd.decode());
        }
        if let Some(name) = fields.session {
            self.session = Some(text(name, limits::MAX_NAME_BYTES));
        }
        let session = self.session.clone().or_else(|| self.place.session.clone());
        let agent = fields.agent.filter(|_| !self.place.is_journal);
        let instance = agent.map(|name| text(name, limits::MAX_NAME_BYTES));
        if let Some(used) = fields.message.usage {
            event = event.usage(Usage {
                message: self.message(fields),
                input: used.input,
                output: used.output,
                cache_read: used.cache_read,
                cache_written: used.cache_written,
            });
        }
        let mut event = self.labelled(event, fields).time_ns(self.last_time_ns);
        if instance.as_deref().is_some_and(place::goes_on) {
            event = event.label(ASIDE, "true");
        }
        event = match (instance, session) {
            (instance, Some(session)) => {
                let instance = instance.unwrap_or_else(|| session.clone());
                usual::by_actor(event, instance, &session)
            }
            (Some(instance), None) => event.instance(instance),
            (None, None) => event,
        };
        let is_first = !self.begun && fields.uuid.is_some();
        self.begun |= is_first;
        Ok((self.with_evidence(event, fields, is_first), time_ns.is_none()))
    }

    /// The name of the message that tokens are reported of; none where the line counts by
    /// itself. Of one that several requests gave, each but the first counts by itself,
    /// unless an agent repeats it.
    fn message(&mut self, fields: &ClaudeFields<'_>) -> String {
        let Some(message) = fields.message.id else { return String::new() };
        let message = text(message, limits::MAX_NAME_BYTES);
        let Some(request) = fields.request.filter(|_| !fields.sidechain) else { return message };
        let request = text(request, limits::MAX_NAME_BYTES);
        let known = self.requests.iter().rev().find(|(known, _)| *known == message);
        match known {
            Some((_, first)) if *first != request => {
                cut(format!("{message} {request}").into(), limits::MAX_NAME_BYTES)
            }
            Some(_) => message,
            None => {
                if self.requests.len() == MAX_REQUESTS {
                    self.requests.pop_front();
                }
                self.requests.push_back((message.clone(), request));
                message
            }
        }
    }

    /// Where a session comes from, the first time that a line of it says so; of agents that
    /// sum up or answer beside, that they go on from their session.
    fn origin(
        &mut self,
        fields: &ClaudeFields<'_>,
        event: &Event,
    ) -> Option<(SessionPatch, Option<Relationship>)> {
        let session = event.as_session()?;
        if event.as_label(SPAWNED_AS).is_some() && event.as_instance() == session {
            // A member of a team works for the one that started it.
            return Some((SessionPatch::new(session).session_type(SessionType::Subagent), None));
        }
        let (name, from) = match fields.fork.session {
            Some(from) => (session.to_owned(), text(from, limits::MAX_NAME_BYTES)),
            None if place::goes_on(event.as_instance()) => {
                (Session::name_of(session, event.as_instance(), Scope::Own)?, session.to_owned())
            }
            None => return None,
        };
        if name == from || self.origins.len() == MAX_ORIGINS || !self.origins.insert(name.clone()) {
            return None;
        }
        let patch = SessionPatch::new(&*name).session_type(SessionType::Continuation).parent(&from);
        let relationship = Relationship::new(&*from, &*name)
            .relationship_type(RelationshipType::Continuation)
            .reason(SpawnReason::Continuation)
            .created_ns(event.as_time_ns());
        Some((patch, Some(relationship)))
    }

    fn labelled(&self, mut event: Event, fields: &ClaudeFields<'_>) -> Event {
        let message = &fields.message;
        let texts = [
            (TYPE, fields.line_type),
            (SUBTYPE, fields.subtype),
            (AGENT, fields.agent),
            (BRANCH, fields.branch),
            (VERSION, fields.version),
            (MODEL, message.model.filter(|model| model.decode() != payload::SYNTHETIC)),
            (WAVE_ID, fields.team),
            (COPIED_FROM, fields.fork.session.filter(|_| fields.fork.message.is_some())),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                event = event.label(key, label_value(value));
            }
        }
        if let Some(project) = self.project.as_ref().or(self.place.project.as_ref()) {
            event = event.label(PROJECT, project.as_str());
        }
        if fields.sidechain {
            event = event.label(SIDECHAIN, "true");
        }
        for (n, tool_use) in message.tool_uses.iter().take(MAX_CALLS).enumerate() {
            if n < MAX_TOOLS {
                let name = tool_use.name.map_or_else(String::new, label_value);
                event = event.label(numbered(TOOL, n), name);
            }
            if let Some(id) = tool_use.id {
                event = event.label(numbered(TOOL_USE_ID, n), label_value(id));
            }
        }
        if message.tool_uses.is_empty() {
            for (n, result) in message.tool_results.iter().take(MAX_TOOLS).enumerate() {
                if let Some(id) = result.id {
                    event = event.label(numbered(TOOL_USE_ID, n), label_value(id));
                }
            }
        }
        event
    }

    /// Adds the labels by which agents are linked to the calls that started them.
    /// They are kept in the store, so that the ends are found in whatever order
    /// they come, in one import or in several.
    fn with_evidence(&self, mut event: Event, fields: &ClaudeFields<'_>, is_first: bool) -> Event {
        if fields.uuid.is_none() {
            return event;
        }
        let session = event.as_session().unwrap_or_default().to_owned();
        let mut calls = Vec::new();
        let is_root = event.as_parent().is_none();
        if let Some(agent) = fields.agent.filter(|_| is_root) {
            event = event.label(AGENT_ROOT, label_value(agent));
            if let Some(call) = &self.place.call {
                event = event.label(AGENT_CALL, call);
            }
            if let Some(run) = &self.place.run {
                event = event.label(SPAWNED_AS, label(format!("{session} {run}")));
            }
        }
        if let (Some(team), Some(name)) =
            (fields.team, fields.member.filter(|_| is_root && is_first))
            && name.decode() != LEAD
            && fields.agent.is_none()
        {
            let member = format!("{}@{}", name.decode(), team.decode());
            event = event.label(SPAWNED_AS, label(member));
        }
        if let Some(spawned) = fields.spawned(&session) {
            event = event.label(SPAWNS, label(spawned));
        }
        if let Some(agent) = fields.result_agent {
            event = event.label(AGENT_RESULT, label_value(agent));
        }
        if fields.result_agent.is_some() || event.as_label(SPAWNS).is_some() {
            // No event has an id that is too long: then nothing is said by it.
            if let Some(Ok(source)) = fields.source_call.map(|call| id(SOURCE_CALL, call)) {
                event = event.label(SOURCE_CALL, source.to_string());
            }
            calls.extend(fields.message.tool_results.iter().filter_map(|result| result.id));
        } else if let Some(agent) = fields.progress_agent
            && is(fields.line_type, "progress")
        {
            event = event.label(AGENT_PROGRESS, label_value(agent));
            calls.extend(fields.parent_tool_use);
        }
        if event.as_label(AGENT_CALL).is_some() {
            return event;
        }
        // A line that answers calls and makes many itself has little room left.
        let room = limits::MAX_LABELS.saturating_sub(event.as_labels().len());
        for (n, call) in calls.into_iter().take(MAX_CALLS.min(room)).enumerate() {
            event = event.label(numbered(AGENT_CALL, n), label_value(call));
        }
        event
    }
}

fn label(value: String) -> String {
    cut(value.into(), limits::MAX_LABEL_VALUE_BYTES)
}

/// What kind of event an object is.
fn kind(fields: &ClaudeFields<'_>) -> String {
    let message = &fields.message;
    let line_type = fields.line_type.map(JsonStr::decode).unwrap_or_default();
    let name = match &*line_type {
        _ if fields.api_error || is(fields.subtype, "api_error") => "error",
        "api_error" => "error",
        "user" if !message.tool_results.is_empty() => "tool_result",
        "user" => "user_message",
        "assistant" if !message.tool_uses.is_empty() => "tool_use",
        "assistant" if message.has_thinking && !message.has_text => "thinking",
        "assistant" => "assistant_message",
        "attachment" if fields.queued => "user_message",
        "" => "unknown",
        _ => return cut(line_type, limits::MAX_KIND_BYTES),
    };
    name.to_owned()
}

/// Keys that transcripts of Claude Code alone have.
const KEYS: &[&str] = &[
    "parentUuid",
    "logicalParentUuid",
    "leafUuid",
    "isSidechain",
    "messageId",
    "snapshot",
    "toolUseResult",
    "sourceToolAssistantUUID",
    "isApiErrorMessage",
    "userType",
    "gitBranch",
];
/// Types of lines that those have.
const TYPES: &[&str] = &[
    "user",
    "assistant",
    "system",
    "progress",
    "summary",
    "file-history-snapshot",
    "queue-operation",
    "custom-title",
];

/// Keeps the ids of objects without one apart from other derived ids.
const ID_DOMAIN: &str = "forebear transcript object v1";
/// The same of objects that are equal to one before.
const AGAIN_DOMAIN: &str = "forebear transcript object again v1";
/// The member of a team that nobody started.
const LEAD: &str = "team-lead";
/// Messages whose requests are remembered.
const MAX_REQUESTS: usize = 4096;
/// Sessions of a file of which it is said where they come from.
const MAX_ORIGINS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labeller::Labeller;

    use std::path::Path;

    const FILE: &str = "/home/me/.claude/projects/-home-me-work/5e55.jsonl";

    fn transcript(modified_ns: i64) -> ClaudeFile {
        ClaudeFile::new(&SourceFile::new(Path::new(FILE), modified_ns))
    }

    fn read(object: &str) -> Event {
        let mut transcript = transcript(77);
        let (event, _) = transcript.event(&ClaudeFields::read(object), object).unwrap();
        let parsed = Labeller::new(&ClaudeCode).label(Parsed::new(event));
        parsed.events()[0].clone()
    }

    fn label<'e>(event: &'e Event, key: &str) -> Option<&'e str> {
        event.as_label(key)
    }

    #[test]
    fn kinds_follow_from_what_a_line_holds() {
        for (object, kind) in [
            (r#"{"type":"user","message":{"content":"x"}}"#, "user_message"),
            (r#"{"type":"user","message":{"content":[{"type":"tool_result"}]}}"#, "tool_result"),
            (
                r#"{"type":"assistant","message":{"content":[{"type":"text"}]}}"#,
                "assistant_message",
            ),
            (r#"{"type":"assistant"}"#, "assistant_message"),
            (r#"{"type":"assistant","message":{"content":[{"type":"thinking"}]}}"#, "thinking"),
            (
                r#"{"type":"assistant","message":{"content":[{"type":"thinking"},{"type":"text"}]}}"#,
                "assistant_message",
            ),
            (
                r#"{"type":"assistant","message":{"content":[{"type":"text"},{"type":"tool_use"}]}}"#,
                "tool_use",
            ),
            (r#"{"type":"assistant","isApiErrorMessage":true}"#, "error"),
            (r#"{"type":"system","subtype":"api_error"}"#, "error"),
            (r#"{"type":"system","subtype":"other"}"#, "system"),
            (r#"{"type":"brand-new"}"#, "brand-new"),
            (r#"{"type":""}"#, "unknown"),
            ("{}", "unknown"),
        ] {
            assert_eq!(read(object).as_kind(), kind, "{object}");
        }
    }

    #[test]
    fn parents_in_order_of_strength() {
        let event = read(r#"{"uuid":"a","parentUuid":"p","logicalParentUuid":"l"}"#);
        assert_eq!((event.as_parent(), event.as_link()), (Some(&"p".into()), LinkKind::Caused));
        let event = read(r#"{"uuid":"a","parentUuid":null,"logicalParentUuid":"l"}"#);
        assert_eq!((event.as_parent(), event.as_link()), (Some(&"l".into()), LinkKind::Continues));
        let event = read(r#"{"uuid":"a","parentUuid":"","leafUuid":"l"}"#);
        assert_eq!(event.as_parent(), None);
        for object in [
            r#"{"leafUuid":"p"}"#,
            r#"{"messageId":"p","snapshot":{"messageId":"q"}}"#,
            r#"{"snapshot":{"messageId":"p"}}"#,
        ] {
            let event = read(object);
            assert!(event.has_derived_id());
            assert_eq!(event.as_parent(), Some(&"p".into()));
        }
    }

    #[test]
    fn times_fall_back_to_the_snapshot_the_line_before_and_the_file() {
        let mut transcript = transcript(77);
        let mut time = |object: &str| {
            let (event, made_up) = transcript.event(&ClaudeFields::read(object), object).unwrap();
            (event.as_time_ns(), made_up)
        };
        assert_eq!(time(r#"{"timestamp":"yesterday"}"#), (77, true));
        assert_eq!(time(r#"{"timestamp":"1970-01-01T00:00:01.5Z"}"#), (1_500_000_000, false));
        assert_eq!(time(r#"{"timestamp":"9000-01-01T00:00:00Z"}"#), (1_500_000_000, true));
        assert_eq!(
            time(r#"{"snapshot":{"timestamp":"1970-01-01T02:00:02+02:00"}}"#),
            (2_000_000_000, false)
        );
    }

    #[test]
    fn names_fall_back_and_long_values_are_cut() {
        let event = read(r#"{"uuid":"a"}"#);
        assert_eq!(event.as_session(), Some("5e55"));
        assert_eq!(event.as_instance(), "5e55");
        assert_eq!(label(&event, "project"), Some("-home-me-work"));
        let event = read(r#"{"uuid":"a","sessionId":"s","agentId":"x"}"#);
        assert_eq!((event.as_session(), event.as_instance()), (Some("s"), "x"));

        let long = "é".repeat(2000);
        let object = format!(
            r#"{{"uuid":"a","type":"{long}","sessionId":"{long}","agentId":"{long}","gitBranch":"{long}"}}"#
        );
        let event = read(&object);
        forebear::in_memory().unwrap().append(event.clone()).unwrap();
        assert_eq!(event.as_kind(), "é".repeat(64));
        assert_eq!(label(&event, "branch"), Some(&*"é".repeat(512)));
    }

    #[test]
    fn an_id_that_is_too_long_is_refused() {
        let object = format!(r#"{{"uuid":"{}"}}"#, "x".repeat(256));
        let mut transcript = transcript(0);
        let reason = transcript.event(&ClaudeFields::read(&object), &object).unwrap_err();
        assert!(reason.contains("at most 255 bytes, found one of 256"), "{reason}");
    }

    #[test]
    fn the_labels_of_a_line_with_all_there_is_fit_an_event() {
        let uses = r#"{"type":"tool_use","id":"t","name":"n"},"#.repeat(100);
        let results = r#"{"type":"tool_result","tool_use_id":"r","is_error":true},"#.repeat(100);
        let event = read(&format!(
            r#"{{"uuid":"a","type":"x","subtype":"x","agentId":"x","gitBranch":"x","version":"x",
                "isSidechain":true,"sourceToolAssistantUUID":"c","toolUseResult":{{"agentId":"x"}},
                "message":{{"model":"m","content":[{uses}{results}1]}}}}"#
        ));
        forebear::in_memory().unwrap().append(event.clone()).unwrap();
        assert_eq!(event.as_labels().len(), limits::MAX_LABELS);
        assert_eq!(label(&event, "tool_use_id.40"), Some("t"));
        assert_eq!(label(&event, "agent_call.4"), Some("r"));
    }

    #[test]
    fn a_call_named_by_an_id_that_is_too_long_is_not_noted() {
        let long = "x".repeat(256);
        let event = read(&format!(
            r#"{{"uuid":"a","sourceToolAssistantUUID":"{long}","toolUseResult":{{"agentId":"x"}}}}"#
        ));
        assert_eq!(label(&event, "agent_result"), Some("x"));
        assert_eq!(label(&event, "source_call"), None);
    }

    #[test]
    fn labels_say_what_the_links_of_agents_are_found_by() {
        let event = read(
            r#"{"uuid":"a","type":"assistant","message":{"model":"m","content":[
                {"type":"tool_use","id":"t1","name":"Task"},{"type":"tool_use","id":"t2"}]}}"#,
        );
        assert_eq!(label(&event, "model"), Some("m"));
        assert_eq!(label(&event, "tool"), Some("Task"));
        assert_eq!(label(&event, "tool.2"), Some(""));
        assert_eq!(label(&event, "tool_use_id.2"), Some("t2"));
        let event = read(
            r#"{"uuid":"a","type":"user","sourceToolAssistantUUID":"c","toolUseResult":{"agentId":"x"},
                "message":{"content":[{"type":"tool_result","tool_use_id":"t1","is_error":true}]}}"#,
        );
        assert_eq!(label(&event, "agent_result"), Some("x"));
        assert_eq!(label(&event, "agent_call"), Some("t1"));
        assert_eq!(label(&event, "source_call"), Some("c"));
        assert_eq!(label(&event, "is_error"), Some("true"));
        assert_eq!(label(&event, "tool"), None);
        let event = read(
            r#"{"uuid":"a","type":"progress","parentToolUseID":"t1","data":{"agentId":"x"},"agentId":"y"}"#,
        );
        assert_eq!(label(&event, "agent_progress"), Some("x"));
        assert_eq!(label(&event, "agent_call"), Some("t1"));
        assert_eq!(label(&event, "agent_root"), Some("y"));
    }
}
