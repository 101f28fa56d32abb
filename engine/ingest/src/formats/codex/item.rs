//! What newer rollouts keep of a turn: an item each, with what came of it.

use crate::formats::common::values::is;
use forebear_readings::json::{JsonCursor, JsonStr};

/// What an `item_completed` or `item_started` is about.
#[derive(Debug, Default)]
pub(super) struct CodexItem<'t> {
    pub(super) id: Option<JsonStr<'t>>,
    pub(super) type_name: Option<JsonStr<'t>>,
    pub(super) status: Option<JsonStr<'t>>,
    /// Which kind of activity, and which tool of agents.
    pub(super) activity: Option<JsonStr<'t>>,
    pub(super) tool: Option<JsonStr<'t>>,
    pub(super) texts: Vec<JsonStr<'t>>,
    pub(super) threads: Vec<JsonStr<'t>>,
}

impl<'t> CodexItem<'t> {
    pub(super) fn read(value: &mut JsonCursor<'t>) -> Option<Self> {
        if !value.is_object() {
            return None;
        }
        let mut item = Self::default();
        value.object(|key, value| match key {
            "id" => item.id = value.text(),
            "type" => item.type_name = value.text(),
            "status" => item.status = value.text(),
            "kind" => item.activity = value.text(),
            "tool" => item.tool = value.text(),
            "text" => item.texts.extend(value.text()),
            "content" => item.texts.extend(texts(value)),
            "agent_thread_id" => item.threads.extend(value.text()),
            "receiver_thread_ids" => value.array(|value| item.threads.extend(value.text())),
            _ => {}
        });
        Some(item)
    }

    /// What kind of event it is; none for what is kept beside what happened.
    pub(super) fn kind(&self, is_completed: bool) -> Option<&'static str> {
        if self.is_call() {
            return Some(if is_completed { "tool_result" } else { "tool_use" });
        }
        match (&*self.type_name?.decode(), is_completed) {
            ("UserMessage", true) => Some("user_message"),
            ("AgentMessage", true) => Some("assistant_message"),
            ("Reasoning", true) => Some("thinking"),
            ("Plan", true) => Some("plan"),
            ("HookPrompt", true) => Some("system"),
            _ => None,
        }
    }

    pub(super) fn is_call(&self) -> bool {
        self.type_name.is_some_and(|item| CALLS.contains(&&*item.decode()))
    }

    pub(super) fn is_activity(&self) -> bool {
        is(self.type_name, "SubAgentActivity")
    }
}

/// The texts of a message's blocks.
pub(super) fn texts<'t>(value: &mut JsonCursor<'t>) -> Vec<JsonStr<'t>> {
    let mut texts: Vec<JsonStr<'t>> = value.text().into_iter().collect();
    value.array(|block| {
        block.object(|key, value| {
            if key == "text" {
                texts.extend(value.text());
            }
        });
    });
    texts
}

/// Items that are calls of tools, with what came of them.
const CALLS: &[&str] = &[
    "CommandExecution",
    "FileChange",
    "McpToolCall",
    "DynamicToolCall",
    "WebSearch",
    "ImageView",
    "ImageGeneration",
    "CollabAgentToolCall",
];
