//! Event logs of the Copilot CLI: `session-state/SESSION/events.jsonl`, or
//! `SESSION.jsonl`. A line is `{"type", "id", "parentId", "timestamp", "data"}`.

mod payload;
mod tokens;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use forebear_core::{Event, EventId, LinkKind, Tokens, Usage, limits};

use self::tokens::{Legs, models};
use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::equal::EqualOnes;
use crate::formats::common::labels::{AGENT, BRANCH, MODEL, PROJECT, TYPE, VERSION};
use crate::formats::common::usual;
use crate::formats::common::values::{cut, id, is, label_value, last_name, scalar_time, text};
use crate::parsed::Parsed;
use forebear_readings::PayloadReader;
use forebear_readings::json::{JsonCursor, JsonStr, Scalar};
use forebear_readings::keys::{TOOL, TOOL_USE_ID};

/// Event logs of the Copilot CLI, `copilot`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copilot;

impl Adapter for Copilot {
    fn name(&self) -> &'static str {
        "copilot"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("copilot-cli")
    }

    fn recognise(&self, line: &str) -> Confidence {
        let (mut has_dotted_type, mut has_data, mut has_id) = (false, false, false);
        JsonCursor::new(line).object(|key, value| match key {
            "type" => has_dotted_type = value.text().is_some_and(|t| t.decode().contains('.')),
            "data" => has_data = value.is_object(),
            "id" | "parentId" => has_id = true,
            _ => {}
        });
        if has_dotted_type && has_data && has_id { Confidence::Certain } else { Confidence::No }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(EventLog::new(file))
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(payload::EventLogReader))
    }
}

/// Reads the lines of one session.
#[derive(Debug)]
struct EventLog {
    /// As the file's first line has it; before that, as its path has it.
    session: String,
    equal: EqualOnes,
    legs: Legs,
    /// The newest calls, to find what started an agent.
    calls: VecDeque<(String, EventId)>,
    /// The time of the line before; of the file, before the first.
    last_time_ns: i64,
}

/// What was found in a line.
#[derive(Debug, Default)]
struct CopilotFields<'t> {
    line_type: Option<JsonStr<'t>>,
    id: Option<JsonStr<'t>>,
    parent: Option<JsonStr<'t>>,
    timestamp: Option<Scalar<'t>>,
    agent: Option<JsonStr<'t>>,
    session: Option<JsonStr<'t>>,
    version: Option<JsonStr<'t>>,
    model: Option<JsonStr<'t>>,
    tool: Option<JsonStr<'t>>,
    tool_call: Option<JsonStr<'t>>,
    branch: Option<JsonStr<'t>>,
    cwd: Option<JsonStr<'t>>,
    output_tokens: Option<u64>,
    model_metrics: BTreeMap<String, Tokens>,
}

impl EventLog {
    fn new(file: &SourceFile<'_>) -> Self {
        let stem = file.stem();
        let folder = file.path.parent().and_then(Path::file_name);
        let session = match folder {
            Some(folder) if stem == "events" => folder.to_string_lossy().into_owned(),
            _ => stem,
        };
        Self {
            session: cut(session.into(), limits::MAX_NAME_BYTES),
            equal: EqualOnes::default(),
            legs: Legs::default(),
            calls: VecDeque::new(),
            last_time_ns: file.modified_ns,
        }
    }

    /// The call that started the agent which a line says has begun.
    fn starter(&self, fields: &CopilotFields<'_>) -> Option<EventId> {
        let call = fields.tool_call.filter(|_| is(fields.line_type, "subagent.started"))?;
        let call = label_value(call);
        let mut calls = self.calls.iter().rev();
        calls.find(|(known, _)| *known == call).map(|(_, event)| event.clone())
    }

    fn usage(&mut self, fields: &CopilotFields<'_>) -> Option<Usage> {
        match &*fields.line_type?.decode() {
            "assistant.message" => {
                let output = fields.output_tokens.filter(|output| *output > 0)?;
                Some(self.legs.message(&self.session, output))
            }
            "session.shutdown" => self.legs.shutdown(&self.session, fields.model_metrics.clone()),
            _ => None,
        }
    }

    fn labelled(mut event: Event, fields: &CopilotFields<'_>) -> Event {
        let texts = [
            (TYPE, fields.line_type),
            (AGENT, fields.agent),
            (VERSION, fields.version),
            (MODEL, fields.model),
            (TOOL_USE_ID, fields.tool_call),
            (BRANCH, fields.branch),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                event = event.label(key, label_value(value));
            }
        }
        if event.as_kind() == TOOL_USE {
            event = event.label(TOOL, fields.tool.map_or_else(String::new, label_value));
        }
        if let Some(project) = fields.cwd.and_then(|cwd| last_name(&cwd.decode())) {
            event = event.label(PROJECT, cut(project.into(), limits::MAX_LABEL_VALUE_BYTES));
        }
        event
    }
}

impl Parser for EventLog {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let fields = CopilotFields::read(object);
        if let Some(session) = fields.session
            && fields.line_type.is_some_and(|line| line.decode() == "session.start")
        {
            self.session = text(session, limits::MAX_NAME_BYTES);
        }
        let time_ns = fields.timestamp.and_then(|value| scalar_time(value, None));
        self.last_time_ns = time_ns.unwrap_or(self.last_time_ns);
        let mut event = Event::new(kind(&fields)).payload(object);
        event = match fields.id {
            Some(text) => event.id(id("id", text)?),
            None => self.equal.identify(event, ID_DOMAIN, &self.session, object),
        };
        if let Some(call) = self.starter(&fields) {
            event = event.parent(call).link(LinkKind::Spawned);
        } else if let Some(parent) = fields.parent {
            event = event.parent(id("parentId", parent)?);
        }
        if event.as_kind() == TOOL_USE
            && let Some(call) = fields.tool_call
        {
            if self.calls.len() == MAX_CALLS_KNOWN {
                self.calls.pop_front();
            }
            self.calls.push_back((label_value(call), event.as_id().clone()));
        }
        if let Some(usage) = self.usage(&fields) {
            event = event.usage(usage);
        }
        let agent = fields.agent.map(|agent| text(agent, limits::MAX_NAME_BYTES));
        let event = Self::labelled(event, &fields).time_ns(self.last_time_ns);
        let event =
            usual::by_actor(event, agent.unwrap_or_else(|| self.session.clone()), &self.session);
        Ok(Parsed::new(event).time_made_up(time_ns.is_none()))
    }
}

impl<'t> CopilotFields<'t> {
    fn read(object: &'t str) -> Self {
        let mut fields = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "type" => fields.line_type = value.text(),
            "id" => fields.id = value.text(),
            "parentId" => fields.parent = value.text(),
            "timestamp" => fields.timestamp = value.scalar(),
            "agentId" => fields.agent = value.text(),
            "data" => value.object(|key, value| fields.data(key, value)),
            _ => {}
        });
        fields
    }

    fn data(&mut self, key: &str, value: &mut JsonCursor<'t>) {
        match key {
            "sessionId" => self.session = value.text(),
            "copilotVersion" => self.version = value.text(),
            "model" => self.model = value.text(),
            "toolName" => self.tool = value.text(),
            "toolCallId" => self.tool_call = value.text(),
            "outputTokens" => self.output_tokens = value.number(),
            "modelMetrics" => self.model_metrics = models(value),
            "context" => value.object(|key, value| match key {
                "cwd" => self.cwd = value.text(),
                "branch" => self.branch = value.text(),
                _ => {}
            }),
            _ => {}
        }
    }
}

/// What kind of event a line is.
fn kind(fields: &CopilotFields<'_>) -> String {
    let line_type = fields.line_type.map(JsonStr::decode).unwrap_or_default();
    let name = match &*line_type {
        "user.message" => "user_message",
        "assistant.message" => "assistant_message",
        "assistant.reasoning" => "thinking",
        "tool.execution_start" => TOOL_USE,
        "tool.execution_complete" => "tool_result",
        "session.error" | "subagent.failed" => "error",
        "" => "unknown",
        _ => return cut(line_type, limits::MAX_KIND_BYTES),
    };
    name.to_owned()
}

const TOOL_USE: &str = "tool_use";
/// Calls that are remembered.
const MAX_CALLS_KNOWN: usize = 1024;
/// Keeps the ids of lines without one apart from other derived ids.
const ID_DOMAIN: &str = "forebear copilot line v1";
