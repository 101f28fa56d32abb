//! The fields of a transcript's object that say what it is and what caused it.
//!
//! Borrowed from the object's text. A field of an unexpected type counts as
//! absent; of a key that stands there twice the last value counts.

use forebear_core::Tokens;
use forebear_readings::json::{JsonCursor, JsonStr};

use crate::formats::common::tokens::{TokenNames, counts};

/// What was found in one object.
#[derive(Debug, Default)]
pub(crate) struct ClaudeFields<'t> {
    pub(crate) uuid: Option<JsonStr<'t>>,
    pub(crate) parent: Option<JsonStr<'t>>,
    pub(crate) logical_parent: Option<JsonStr<'t>>,
    /// The last event that a summary is about.
    pub(crate) leaf: Option<JsonStr<'t>>,
    pub(crate) message_id: Option<JsonStr<'t>>,
    /// The line's own `type`.
    pub(crate) line_type: Option<JsonStr<'t>>,
    pub(crate) subtype: Option<JsonStr<'t>>,
    pub(crate) cwd: Option<JsonStr<'t>>,
    pub(crate) session: Option<JsonStr<'t>>,
    pub(crate) agent: Option<JsonStr<'t>>,
    pub(crate) timestamp: Option<JsonStr<'t>>,
    pub(crate) version: Option<JsonStr<'t>>,
    pub(crate) branch: Option<JsonStr<'t>>,
    pub(crate) sidechain: bool,
    pub(crate) api_error: bool,
    /// The event whose tool call this is the result of.
    pub(crate) source_call: Option<JsonStr<'t>>,
    /// The tool call that progress is reported of.
    pub(crate) parent_tool_use: Option<JsonStr<'t>>,
    /// The agent that the tool call of a result started.
    pub(crate) result_agent: Option<JsonStr<'t>>,
    /// The agent that reports progress.
    pub(crate) progress_agent: Option<JsonStr<'t>>,
    /// The request to the model that a message answers.
    pub(crate) request: Option<JsonStr<'t>>,
    /// The team that works together, and which member of it the session is.
    pub(crate) team: Option<JsonStr<'t>>,
    pub(crate) member: Option<JsonStr<'t>>,
    /// Whether it is what the user typed while the model was at work.
    pub(crate) queued: bool,
    pub(crate) fork: ForkFields<'t>,
    pub(crate) spawn: SpawnFields<'t>,
    pub(crate) snapshot: SnapshotFields<'t>,
    pub(crate) message: MessageFields<'t>,
}

/// What a line says it was copied from.
#[derive(Debug, Default)]
pub(crate) struct ForkFields<'t> {
    pub(crate) session: Option<JsonStr<'t>>,
    pub(crate) message: Option<JsonStr<'t>>,
}

/// What a call's result says that the call started.
#[derive(Debug, Default)]
pub(crate) struct SpawnFields<'t> {
    agent: Option<JsonStr<'t>>,
    run: Option<JsonStr<'t>>,
    is_teammate: bool,
    teammate: Option<JsonStr<'t>>,
    name: Option<JsonStr<'t>>,
    team: Option<JsonStr<'t>>,
}

/// What a `file-history-snapshot` says of itself.
#[derive(Debug, Default)]
pub(crate) struct SnapshotFields<'t> {
    pub(crate) message_id: Option<JsonStr<'t>>,
    pub(crate) timestamp: Option<JsonStr<'t>>,
}

/// What was said, and the blocks it consists of.
#[derive(Debug, Default)]
pub(crate) struct MessageFields<'t> {
    pub(crate) id: Option<JsonStr<'t>>,
    pub(crate) usage: Option<Tokens>,
    pub(crate) model: Option<JsonStr<'t>>,
    /// The content where it is a string, else its first block of text.
    pub(crate) text: Option<JsonStr<'t>>,
    pub(crate) has_text: bool,
    pub(crate) has_thinking: bool,
    pub(crate) tool_uses: Vec<ToolUse<'t>>,
    pub(crate) tool_results: Vec<ToolResult<'t>>,
}

/// A call of a tool.
#[derive(Debug)]
pub(crate) struct ToolUse<'t> {
    pub(crate) id: Option<JsonStr<'t>>,
    pub(crate) name: Option<JsonStr<'t>>,
    /// `input.prompt`: what an agent is started with.
    pub(crate) prompt: Option<JsonStr<'t>>,
}

/// The result of a tool's call.
#[derive(Debug)]
pub(crate) struct ToolResult<'t> {
    /// The call that it answers.
    pub(crate) id: Option<JsonStr<'t>>,
}

impl<'t> ClaudeFields<'t> {
    /// Reads the fields of an object in one pass over its text.
    pub(crate) fn read(object: &'t str) -> Self {
        let mut fields = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "uuid" => fields.uuid = value.text(),
            "parentUuid" => fields.parent = value.text(),
            "logicalParentUuid" => fields.logical_parent = value.text(),
            "leafUuid" => fields.leaf = value.text(),
            "messageId" => fields.message_id = value.text(),
            "type" => fields.line_type = value.text(),
            "subtype" => fields.subtype = value.text(),
            "sessionId" => fields.session = value.text(),
            "cwd" => fields.cwd = value.text(),
            "agentId" => fields.agent = value.text(),
            "timestamp" => fields.timestamp = value.text(),
            "version" => fields.version = value.text(),
            "gitBranch" => fields.branch = value.text(),
            "isSidechain" => fields.sidechain = value.is_true(),
            "isApiErrorMessage" => fields.api_error = value.is_true(),
            "sourceToolAssistantUUID" => fields.source_call = value.text(),
            "parentToolUseID" => fields.parent_tool_use = value.text(),
            "toolUseResult" => {
                fields.spawn = SpawnFields::read(value);
                fields.result_agent = fields.spawn.agent;
            }
            "requestId" => fields.request = value.text(),
            "teamName" => fields.team = value.text(),
            "agentName" => fields.member = value.text(),
            "forkedFrom" => value.object(|key, value| match key {
                "sessionId" => fields.fork.session = value.text(),
                "messageUuid" => fields.fork.message = value.text(),
                _ => {}
            }),
            "attachment" => fields.queued = super::payload::is_queued_prompt(value),
            "data" => fields.progress_agent = agent_id(value),
            "snapshot" => fields.snapshot = SnapshotFields::read(value),
            "message" => fields.message = MessageFields::read(value),
            _ => {}
        });
        fields
    }
}

impl ClaudeFields<'_> {
    /// What a result says was started, beside an agent in the session's own files: a run
    /// of a workflow, a teammate. Unique in the store.
    pub(crate) fn spawned(&self, session: &str) -> Option<String> {
        let spawn = &self.spawn;
        if let Some(run) = spawn.run {
            return Some(format!("{session} {}", run.decode()));
        }
        if !spawn.is_teammate {
            return None;
        }
        match (spawn.teammate, spawn.name, spawn.team) {
            (_, Some(name), Some(team)) => Some(format!("{}@{}", name.decode(), team.decode())),
            (Some(teammate), ..) => Some(teammate.decode().into_owned()),
            _ => None,
        }
    }
}

impl<'t> SpawnFields<'t> {
    fn read(cursor: &mut JsonCursor<'t>) -> Self {
        let mut fields = Self::default();
        cursor.object(|key, value| match key {
            "agentId" => fields.agent = value.text(),
            "runId" => fields.run = value.text(),
            "status" => {
                let status = value.text().map(JsonStr::decode);
                fields.is_teammate = status.as_deref() == Some("teammate_spawned");
            }
            "teammate_id" | "agent_id" => fields.teammate = value.text().or(fields.teammate),
            "name" => fields.name = value.text(),
            "team_name" => fields.team = value.text(),
            _ => {}
        });
        // A teammate's id is no agent's of the session's own files.
        if fields.is_teammate {
            fields.agent = None;
        } else if fields.agent.is_none() {
            fields.agent = fields.teammate;
        }
        fields
    }
}

impl<'t> SnapshotFields<'t> {
    fn read(cursor: &mut JsonCursor<'t>) -> Self {
        let mut fields = Self::default();
        cursor.object(|key, value| match key {
            "messageId" => fields.message_id = value.text(),
            "timestamp" => fields.timestamp = value.text(),
            _ => {}
        });
        fields
    }
}

impl<'t> MessageFields<'t> {
    fn read(cursor: &mut JsonCursor<'t>) -> Self {
        let mut fields = Self::default();
        cursor.object(|key, value| match key {
            "id" => fields.id = value.text(),
            "usage" => fields.usage = counts(value, &TokenNames::ANTHROPIC),
            "model" => fields.model = value.text(),
            "content" => {
                let Self { id, usage, model, .. } = fields;
                fields = Self { id, usage, model, ..Self::default() };
                fields.read_content(value);
            }
            _ => {}
        });
        fields
    }

    fn read_content(&mut self, cursor: &mut JsonCursor<'t>) {
        if let Some(text) = cursor.string() {
            self.text = Some(text);
            self.has_text = true;
            return;
        }
        cursor.array(|item| self.read_block(item));
    }

    fn read_block(&mut self, cursor: &mut JsonCursor<'t>) {
        let mut block_type = None;
        let (mut block_text, mut name, mut prompt) = (None, None, None);
        let (mut id, mut tool_use_id) = (None, None);
        cursor.object(|key, value| match key {
            "type" => block_type = value.text(),
            "text" => block_text = value.string(),
            "id" => id = value.text(),
            "name" => name = value.text(),
            "input" => prompt = read_prompt(value),
            "tool_use_id" => tool_use_id = value.text(),
            _ => {}
        });
        match block_type.map(JsonStr::decode).as_deref() {
            Some("text") => {
                self.text = self.text.or(block_text);
                self.has_text = true;
            }
            Some("thinking" | "redacted_thinking") => self.has_thinking = true,
            Some("tool_use") => self.tool_uses.push(ToolUse { id, name, prompt }),
            Some("tool_result") => self.tool_results.push(ToolResult { id: tool_use_id }),
            _ => {}
        }
    }
}

/// The `agentId` of the object here.
fn agent_id<'t>(cursor: &mut JsonCursor<'t>) -> Option<JsonStr<'t>> {
    let mut agent = None;
    cursor.object(|key, value| {
        if key == "agentId" {
            agent = value.text();
        }
    });
    agent
}

/// The `prompt` of a tool's input here.
fn read_prompt<'t>(cursor: &mut JsonCursor<'t>) -> Option<JsonStr<'t>> {
    let mut prompt = None;
    cursor.object(|key, value| {
        if key == "prompt" {
            prompt = value.string();
        }
    });
    prompt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: Option<JsonStr<'_>>) -> Option<String> {
        text.map(|text| text.decode().into_owned())
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let fields = ClaudeFields::read(
            r#"{"uuid":"a","message":{"content":[{"type":"tool_use","id":"t"}],"model":"m"},
                "uuid":"b","message":{"content":"x","content":"y"},
                "agentId":"gone","agentId":7,"isSidechain":true,"isSidechain":false}"#,
        );
        assert_eq!(decoded(fields.uuid).as_deref(), Some("b"));
        assert_eq!(decoded(fields.message.text).as_deref(), Some("y"));
        assert!(fields.message.tool_uses.is_empty());
        assert!(fields.message.model.is_none());
        assert!(fields.agent.is_none());
        assert!(!fields.sidechain);
    }

    #[test]
    fn an_escaped_key_is_the_same_key() {
        let fields = ClaudeFields::read(r#"{"\u0075uid":"a","\ud800":1}"#);
        assert_eq!(decoded(fields.uuid).as_deref(), Some("a"));
    }

    #[test]
    fn unexpected_types_count_as_absent() {
        let fields = ClaudeFields::read(
            r#"{"uuid":7,"type":["user"],"message":"text","toolUseResult":[{"agentId":"a"}],
                "data":"x","snapshot":null,"timestamp":{},"isSidechain":"true","sessionId":""}"#,
        );
        assert!(fields.uuid.is_none() && fields.line_type.is_none());
        assert!(fields.result_agent.is_none() && fields.session.is_none());
        assert!(fields.timestamp.is_none() && !fields.sidechain);
        let fields = ClaudeFields::read(
            r#"{"message":{"content":[null,"x",[{"type":"text"}],{"type":7},
                {"type":"tool_use","input":"x","id":{}},{"type":"text","text":"found"}]}}"#,
        );
        assert_eq!(decoded(fields.message.text).as_deref(), Some("found"));
        assert_eq!(fields.message.tool_uses.len(), 1);
    }

    #[test]
    fn nested_fields_are_found() {
        let fields = ClaudeFields::read(
            r#"{"message":{"model":"m","content":[
                  {"type":"thinking","thinking":"…"},
                  {"type":"tool_use","name":"Task","input":{"a":{"prompt":"no"},"prompt":"go"},"id":"t1"},
                  {"is_error":true,"tool_use_id":"t0","type":"tool_result","content":[{"type":"text","text":"no"}]}]},
                "toolUseResult":{"content":[{"agentId":"no"}],"agentId":"a1"},
                "data":{"message":{"agentId":"no"},"agentId":"a2"},
                "snapshot":{"messageId":"m1","timestamp":"then"}}"#,
        );
        let message = &fields.message;
        assert!(message.has_thinking && !message.has_text && message.text.is_none());
        assert_eq!(decoded(message.tool_uses[0].prompt).as_deref(), Some("go"));
        assert_eq!(decoded(message.tool_uses[0].id).as_deref(), Some("t1"));
        assert_eq!(decoded(message.tool_results[0].id).as_deref(), Some("t0"));
        assert_eq!(decoded(fields.result_agent).as_deref(), Some("a1"));
        assert_eq!(decoded(fields.progress_agent).as_deref(), Some("a2"));
        assert_eq!(decoded(fields.snapshot.timestamp).as_deref(), Some("then"));
    }
}
