//! Items of a turn, whole: newer files tell of calls and what came of them in one, older
//! ones of their ends beside what the model was given.

use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    Access, Call, CallResult, FileUse, Interruption, Plan, Reading, Role, Text, Texts,
};

use super::super::calls::{CallInput, family};
use super::super::output::CallOutput;
use super::ItemFields;
use crate::formats::common::values::is;

impl<'p> ItemFields<'p> {
    /// An item of a turn, that has begun or ended.
    pub(super) fn turn_item(self, ended: bool) -> Reading<'p> {
        let item_type = self.kind.map(JsonStr::decode).unwrap_or_default();
        let mut reading = Reading::default();
        match &*item_type {
            "UserMessage" | "userMessage" => {
                reading.role = Some(Role::User);
                reading.text = self.text;
            }
            "AgentMessage" | "agentMessage" => {
                reading.role = Some(Role::Assistant);
                reading.text = self.text;
            }
            "Reasoning" | "reasoning" => {
                reading.role = Some(Role::Assistant);
                reading.thinking = if self.summary.is_empty() { self.text } else { self.summary };
            }
            "Plan" | "plan" => {
                reading.role = Some(Role::Assistant);
                let text = self.text.first().cloned();
                reading.plan = Some(Plan { text, ..Plan::default() });
            }
            "HookPrompt" | "hookPrompt" => {
                reading.role = Some(Role::System);
                reading.text = self.text;
                reading.bookkeeping = true;
            }
            _ => match self.item_tool(&item_type) {
                Some(tool) => self.step(tool, ended, &mut reading),
                None => reading.bookkeeping = true,
            },
        }
        if !ended && reading.calls.is_empty() {
            reading.bookkeeping = true;
        }
        reading
    }

    /// The tool that an item of this type is a call of; none where it is no call.
    fn item_tool(&self, item_type: &str) -> Option<Text<'p>> {
        let named = |name: Option<JsonStr<'p>>| name.map(Text::from);
        Some(match item_type {
            "CommandExecution" | "commandExecution" => Text::from("exec_command"),
            "FileChange" | "fileChange" => Text::from("apply_patch"),
            "McpToolCall" | "mcpToolCall" => {
                let part = |name: Option<JsonStr<'p>>| {
                    name.map(|name| name.decode().into_owned()).unwrap_or_default()
                };
                format!("mcp__{}__{}", part(self.server), part(self.tool)).into()
            }
            "DynamicToolCall" | "dynamicToolCall" => named(self.tool)?,
            "WebSearch" | "webSearch" => Text::from("web_search"),
            "ImageView" | "imageView" => Text::from("view_image"),
            "ImageGeneration" | "imageGeneration" => Text::from("image_generation"),
            "CollabAgentToolCall" | "collabAgentToolCall" | "CollabToolCall" => {
                match self.tool.map(JsonStr::decode).as_deref() {
                    Some("spawnAgent") => Text::from("spawn_agent"),
                    Some("sendInput") => Text::from("send_input"),
                    Some("resumeAgent") => Text::from("resume_agent"),
                    Some("closeAgent") => Text::from("close_agent"),
                    _ => named(self.tool)?,
                }
            }
            _ => return None,
        })
    }

    /// A call, and once it has ended what came of it.
    fn step(self, tool: Text<'p>, ended: bool, reading: &mut Reading<'p>) {
        let name = tool.decode().into_owned();
        let id = self.id.or(self.call_id).map(Text::from);
        let input = self.raw_arguments.map(|raw| CallInput::read(&name, raw)).unwrap_or_default();
        let target = self.command.clone().map(Text::from);
        let target = target.or(self.query.or(self.path).map(Text::from));
        let target = target.or(self.changes.first().cloned().map(Text::from));
        reading.calls.push(Call {
            id: id.clone(),
            family: family(&name),
            tool: Some(tool),
            input: self.raw_arguments.or(self.action).map(Text::from),
            target: target.or(input.target.clone().map(Text::from)),
            cwd: self.cwd.map(Text::from),
        });
        reading.role = Some(if ended { Role::Tool } else { Role::Assistant });
        let is_read = name == "view_image";
        let path = self.path.filter(|_| is_read).map(Text::from);
        reading.files.extend(path.map(|path| FileUse { path, access: Access::Read }));
        let running = is(self.status, "in_progress") || is(self.status, "inProgress");
        if ended && !running {
            reading.files.extend(self.changes.iter().map(|path| written(path)));
            reading.results.push(self.result(id));
        }
    }

    /// What ends a call, where the call and its output are lines of their own: a second
    /// telling, unless it alone says that the call failed.
    pub(super) fn call_end(self) -> Reading<'p> {
        let mut reading = Reading { role: Some(Role::Tool), ..Reading::default() };
        reading.files.extend(self.changes.iter().map(|path| written(path)));
        let id = self.call_id.or(self.id).map(Text::from);
        let result = self.result(id);
        let failed = result.is_error || result.exit_code.is_some_and(|code| code != 0);
        reading.bookkeeping = !failed || result.interruption.is_some();
        reading.results.push(result);
        reading
    }

    fn result(self, call_id: Option<Text<'p>>) -> CallResult<'p> {
        let mut text = Texts::default();
        text.extend(self.words);
        let (mut is_error, mut interruption) = (false, None);
        match self.status.map(JsonStr::decode).as_deref() {
            Some("failed") => is_error = true,
            Some("declined") => interruption = Some(Interruption::Refused),
            Some("interrupted" | "cancelled" | "canceled") => {
                interruption = Some(Interruption::Stopped);
            }
            _ => {}
        }
        is_error |= self.success == Some(false);
        if let Some(result) = self.result {
            let (failed, words) = outcome(result);
            is_error |= failed;
            if text.is_empty() {
                text = words;
            }
        }
        if let Some(error) = self.error.filter(|error| *error != "null") {
            is_error = true;
            let mut words = Texts::default();
            let mut cursor = JsonCursor::new(error);
            if cursor.is_string() {
                words.extend(cursor.text());
            } else {
                cursor.object(|key, value| {
                    if key == "message" {
                        words.extend(value.text());
                    }
                });
            }
            if !words.is_empty() {
                text = words;
            }
        }
        let stopped = CallOutput::of(text.clone()).interruption;
        CallResult {
            call_id,
            text,
            is_error: is_error && interruption.is_none(),
            exit_code: self.exit_code,
            duration_ns: self.duration_ns,
            interruption: interruption.or(stopped.filter(|_| is_error)),
            mishap: None,
        }
    }
}

/// Whether a result of an MCP server failed, and its words: `{"Ok":{"content","isError"}}`,
/// `{"Err":"…"}`, or the former's inner object.
fn outcome(result: &str) -> (bool, Texts<'_>) {
    let (mut failed, mut text, mut inner) = (false, Texts::default(), result);
    JsonCursor::new(result).object(|key, value| match key {
        "Err" => {
            failed = true;
            text.extend(value.text());
        }
        // It holds no further `Ok`: what does is not gone into.
        "Ok" => inner = value.raw(),
        _ => {}
    });
    JsonCursor::new(inner).object(|key, value| match key {
        "isError" | "is_error" => failed |= value.is_true(),
        "content" => super::words(value, &mut text),
        _ => {}
    });
    (failed, text)
}

fn written<'p>(path: &str) -> FileUse<'p> {
    FileUse { path: path.to_owned().into(), access: Access::Written }
}
