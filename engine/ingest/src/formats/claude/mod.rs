//! From an object of a Claude Code transcript to an event.

mod fields;
mod sidechain;
mod spawn;

use std::borrow::Cow;
use std::path::Path;

use forebear_core::{Event, Link, LinkKind, Snapshot, Usage, limits};

use self::fields::ClaudeFields;
use self::sidechain::Sidechains;
use self::spawn::Clues;
use crate::adapter::{Adapter, Confidence, Linker, Parser, SourceFile};
use crate::formats::common::labels::{
    AGENT, AGENT_CALL, AGENT_PROGRESS, AGENT_RESULT, AGENT_ROOT, BRANCH, IS_ERROR, MAX_CALLS,
    MAX_TOOLS, MODEL, PROJECT, SIDECHAIN, SOURCE_CALL, SUBTYPE, TOOL, TOOL_USE_ID, TYPE, VERSION,
    numbered,
};
use crate::formats::common::usual;
use crate::formats::common::values::{cut, id, is, label_value, parse_time, text};
use crate::parsed::Parsed;
use forebear_readings::json::{Cursor, JsonStr};

/// Transcripts of Claude Code, `claude-code`.
///
/// | of the event | is, of the object |
/// |---|---|
/// | id | `uuid`; without one, a `UUIDv8` of its bytes |
/// | parent | `parentUuid` (`caused`), else `logicalParentUuid` (`continues`), else the call that started its agent (`spawned`); without a `uuid`, `leafUuid` or `messageId` |
/// | kind | `user_message`, `tool_result`, `assistant_message`, `thinking`, `tool_use`, `error`, else its `type` |
/// | time | `timestamp`, else `snapshot.timestamp`, else that of the line before, else when the file was modified |
/// | session | `sessionId`, else the file's name |
/// | instance | `agentId`, else the session |
///
/// The labels, each where there is something to say: `type`, `subtype`,
/// `project` (the folder that the session's file lies in), `branch`, `version`,
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

    fn recognise(&self, line: &str) -> Confidence {
        let (mut has_own_key, mut has_own_type) = (false, false);
        let (mut uuid, mut other_id, mut other_parent) = (false, false, false);
        Cursor::new(line).object(|key, value| match key {
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
        Cursor::new(object).object(|key, _| {
            is_record |= matches!(key, "sessionId" | "leafUuid" | "parentUuid" | "snapshot");
        });
        is_record
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(TranscriptParser {
            transcript: Transcript::new(file),
            sidechains: Sidechains::default(),
        })
    }

    fn linker(&self) -> Option<Box<dyn Linker>> {
        Some(Box::new(Clues::default()))
    }
}

/// The lines of one file, and what they say of agents without ids.
#[derive(Debug)]
struct TranscriptParser {
    transcript: Transcript,
    sidechains: Sidechains,
}

/// What the objects of one file have in common, and the time of the last.
#[derive(Debug)]
struct Transcript {
    /// The file's name, for lines that do not name their session.
    session: String,
    project: Option<String>,
    /// The time of the line before; of the file, before the first.
    last_time_ns: i64,
}

impl Parser for TranscriptParser {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let fields = ClaudeFields::read(object);
        let (event, time_made_up) = self.transcript.event(&fields, object)?;
        self.sidechains.observe(&fields, &event);
        Ok(Parsed::new(event).time_made_up(time_made_up))
    }

    fn has_links(&self) -> bool {
        !self.sidechains.is_empty()
    }

    fn links(&mut self, snapshot: &Snapshot) -> forebear_core::Result<Vec<Link>> {
        self.sidechains.resolve(snapshot)
    }
}

impl Transcript {
    fn new(file: &SourceFile<'_>) -> Self {
        Self {
            session: file.stem(),
            project: project(file.path).map(|name| cut(name, limits::MAX_LABEL_VALUE_BYTES)),
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
            }
        } else {
            event = event.derived_id(ID_DOMAIN, object.as_bytes());
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

        let session = fields
            .session
            .map_or_else(|| self.session.clone(), |name| text(name, limits::MAX_NAME_BYTES));
        let instance =
            fields.agent.map_or_else(|| session.clone(), |name| text(name, limits::MAX_NAME_BYTES));
        if let (Some(message), Some(used)) = (fields.message.id, fields.message.usage) {
            event = event.usage(Usage {
                message: text(message, limits::MAX_NAME_BYTES),
                input: used.input,
                output: used.output,
                cache_read: used.cache_read,
                cache_written: used.cache_written,
            });
        }
        let event = self.labelled(event, fields).time_ns(self.last_time_ns);
        let event = usual::by_actor(event, instance, &session);
        Ok((event, time_ns.is_none()))
    }

    fn labelled(&self, mut event: Event, fields: &ClaudeFields<'_>) -> Event {
        let message = &fields.message;
        let texts = [
            (TYPE, fields.line_type),
            (SUBTYPE, fields.subtype),
            (AGENT, fields.agent),
            (BRANCH, fields.branch),
            (VERSION, fields.version),
            (MODEL, message.model),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                event = event.label(key, label_value(value));
            }
        }
        if let Some(project) = &self.project {
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
        if message.tool_results.iter().any(|result| result.is_error) {
            event = event.label(IS_ERROR, "true");
        }
        if message.tool_uses.is_empty() {
            for (n, result) in message.tool_results.iter().take(MAX_TOOLS).enumerate() {
                if let Some(id) = result.id {
                    event = event.label(numbered(TOOL_USE_ID, n), label_value(id));
                }
            }
        }
        labelled_with_evidence(event, fields)
    }
}

/// Adds the labels by which agents are linked to the calls that started them.
/// They are kept in the store, so that the ends are found in whatever order
/// they come, in one import or in several.
fn labelled_with_evidence(mut event: Event, fields: &ClaudeFields<'_>) -> Event {
    if fields.uuid.is_none() {
        return event;
    }
    if let Some(agent) = fields.agent
        && event.as_parent().is_none()
    {
        event = event.label(AGENT_ROOT, label_value(agent));
    }
    let mut calls = Vec::new();
    if let Some(agent) = fields.result_agent {
        event = event.label(AGENT_RESULT, label_value(agent));
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
    // A line that answers calls and makes many itself has little room left.
    let room = limits::MAX_LABELS.saturating_sub(event.as_labels().len());
    for (n, call) in calls.into_iter().take(MAX_CALLS.min(room)).enumerate() {
        event = event.label(numbered(AGENT_CALL, n), label_value(call));
    }
    event
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
        "" => "unknown",
        _ => return cut(line_type, limits::MAX_KIND_BYTES),
    };
    name.to_owned()
}

/// The name of the folder that holds the session's file. Files of agents lie in
/// `subagents`, in a folder named for the session, beside that file.
fn project(path: &Path) -> Option<Cow<'_, str>> {
    let folder = path.parent()?;
    let subagents = folder
        .ancestors()
        .find(|ancestor| ancestor.file_name().is_some_and(|name| name == "subagents"));
    let project = match subagents {
        Some(subagents) => subagents.parent()?.parent()?,
        None => folder,
    };
    Some(project.file_name()?.to_string_lossy())
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

#[cfg(test)]
mod tests {

    use super::*;

    const FILE: &str = "/home/me/.claude/projects/-home-me-work/5e55.jsonl";

    fn transcript(modified_ns: i64) -> Transcript {
        Transcript::new(&SourceFile::new(Path::new(FILE), modified_ns))
    }

    fn read(object: &str) -> Event {
        let mut transcript = transcript(77);
        transcript.event(&ClaudeFields::read(object), object).unwrap().0
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
    fn agents_files_belong_to_the_project_of_their_session() {
        for (path, name) in [
            ("/p/-work/s.jsonl", Some("-work")),
            ("/p/-work/s/subagents/agent-1.jsonl", Some("-work")),
            ("/p/-work/s/subagents/deeper/agent-1.jsonl", Some("-work")),
            ("/s.jsonl", None),
        ] {
            assert_eq!(project(Path::new(path)).as_deref(), name, "{path}");
        }
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
