//! What a line of a rollout reads as, from its bytes alone.

mod items;

use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    Interruption, Payload, PayloadReader, Reading, Role, Text, Texts, Title, TitleSource,
};

use super::calls::{CallInput, decoded};
use super::output::{CallOutput, duration};
use crate::formats::common::values::is;

/// Reads lines of rollouts.
#[derive(Debug)]
pub(super) struct RolloutReader;

impl PayloadReader for RolloutReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let text = payload.text();
        let (mut line_type, mut inner) = (None, None);
        JsonCursor::new(text).object(|key, value| match key {
            "type" => line_type = value.text(),
            "payload" if value.is_object() => inner = Some(value.raw()),
            _ => {}
        });
        let item = ItemFields::read(inner.unwrap_or(text));
        // In older files a line is an item alone.
        match line_type.map(JsonStr::decode).as_deref().filter(|_| inner.is_some()) {
            None | Some("response_item") => item.response_item(),
            Some("event_msg") => item.event(),
            Some("compacted") => item.compacted(),
            Some("turn_context" | "session_meta") => item.context(),
            Some(_) => Reading { bookkeeping: true, ..Reading::default() },
        }
    }

    fn is_of(&self, payload: &Payload<'_>) -> bool {
        let (mut is_typed, mut has_payload) = (false, false);
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "type" => is_typed = value.text().is_some_and(|t| super::TYPES.contains(&&*t.decode())),
            "payload" => has_payload = value.is_object(),
            _ => {}
        });
        is_typed && has_payload
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&[
            "local",
            "shell",
            "web",
            "search",
            "it",
            "failed",
            "budget",
            "limited",
            "exec",
            "command",
            "apply",
            "patch",
            "mcp",
            "view",
            "image",
            "generation",
            "spawn",
            "agent",
            "send",
            "input",
            "resume",
            "close",
        ])
    }
}

/// What was found in an item, whatever it is.
#[derive(Debug, Default)]
struct ItemFields<'p> {
    kind: Option<JsonStr<'p>>,
    id: Option<JsonStr<'p>>,
    role: Option<JsonStr<'p>>,
    name: Option<JsonStr<'p>>,
    call_id: Option<JsonStr<'p>>,
    status: Option<JsonStr<'p>>,
    text: Texts<'p>,
    summary: Texts<'p>,
    message: Option<JsonStr<'p>>,
    reason: Option<JsonStr<'p>>,
    last_message: Option<JsonStr<'p>>,
    thread_name: Option<JsonStr<'p>>,
    cwd: Option<JsonStr<'p>>,
    model: Option<JsonStr<'p>>,
    approval: Option<JsonStr<'p>>,
    arguments: Option<JsonStr<'p>>,
    input: Option<JsonStr<'p>>,
    action: Option<&'p str>,
    output: Option<CallOutput<'p>>,
    /// As they stand: of items and of what ends a call.
    told: Option<&'p str>,
    command: Option<String>,
    exit_code: Option<i64>,
    words: Option<JsonStr<'p>>,
    duration_ns: Option<u64>,
    success: Option<bool>,
    result: Option<&'p str>,
    error: Option<&'p str>,
    changes: Vec<String>,
    invocation: Option<&'p str>,
    server: Option<JsonStr<'p>>,
    tool: Option<JsonStr<'p>>,
    raw_arguments: Option<&'p str>,
    query: Option<JsonStr<'p>>,
    path: Option<JsonStr<'p>>,
    typed: Option<bool>,
}

impl<'p> ItemFields<'p> {
    fn read(object: &'p str) -> Self {
        let mut item = Self::default();
        JsonCursor::new(object).object(|key, value| item.member(key, value));
        item
    }

    fn member(&mut self, key: &str, value: &mut JsonCursor<'p>) {
        match key {
            "type" => self.kind = value.text(),
            "id" => self.id = value.text(),
            "role" => self.role = value.text(),
            "name" => self.name = value.text(),
            "call_id" => self.call_id = value.text(),
            "status" => self.status = value.text(),
            "content" | "text" | "raw_content" | "fragments" => words(value, &mut self.text),
            "summary" | "summary_text" => words(value, &mut self.summary),
            "message" => self.message = value.text(),
            "reason" => self.reason = value.text(),
            "last_agent_message" => self.last_message = value.text(),
            "thread_name" => self.thread_name = value.text(),
            "cwd" => self.cwd = value.text(),
            "model" => self.model = value.text(),
            "approval_policy" => self.approval = value.text(),
            "arguments" if value.is_string() => self.arguments = value.text(),
            "arguments" => self.raw_arguments = Some(value.raw()),
            "input" => self.input = value.text(),
            "action" => self.action = Some(value.raw()),
            "output" => self.output = Some(CallOutput::read(value)),
            "item" => self.told = Some(value.raw()),
            "command" => self.command = super::calls::command(value),
            "exit_code" | "exitCode" => self.exit_code = value.integer(),
            "aggregated_output" | "aggregatedOutput" | "formatted_output" | "stdout" | "stderr" => {
                self.words = self.words.or(value.text());
            }
            "duration" => self.duration_ns = duration(value),
            "success" => self.success = Some(value.is_true()),
            "result" => self.result = Some(value.raw()),
            "error" => self.error = Some(value.raw()),
            "changes" => value.object(|path, _| self.changes.push(path.to_owned())),
            "invocation" => self.invocation = Some(value.raw()),
            "server" => self.server = value.text(),
            "tool" => self.tool = value.text(),
            "query" => self.query = value.text(),
            "path" => self.path = value.text(),
            "internal_chat_message_metadata_passthrough" => {
                value.object(|key, value| {
                    if key == "content_item_kinds" {
                        let mut typed = false;
                        value.array(|kind| {
                            typed |=
                                kind.text().is_some_and(|kind| kind.decode().starts_with("user"));
                        });
                        self.typed = Some(typed);
                    }
                });
            }
            _ => {}
        }
    }

    /// What the model was given or gave.
    fn response_item(mut self) -> Reading<'p> {
        let item_type = self.kind.map(JsonStr::decode).unwrap_or_default();
        let mut reading = Reading::default();
        match &*item_type {
            "message" => self.message(&mut reading),
            "agent_message" => {
                reading.role = Some(Role::User);
                reading.text = self.text;
            }
            "reasoning" => {
                reading.role = Some(Role::Assistant);
                reading.thinking = if self.summary.is_empty() { self.text } else { self.summary };
            }
            "function_call" | "custom_tool_call" | "local_shell_call" | "tool_search_call"
            | "computer_call" => self.call(&mut reading),
            "web_search_call" | "image_generation_call" => {
                self.call(&mut reading);
                // No output follows: the call tells what came of it.
                let id = reading.calls.first().and_then(|call| call.id.clone());
                let is_error = is(self.status, "failed");
                reading.results.push(forebear_readings::CallResult {
                    call_id: id,
                    is_error,
                    ..Default::default()
                });
            }
            output if output.ends_with("_output") => {
                reading.role = Some(Role::Tool);
                let id = self.call_id.map(Text::from);
                let mut result = self.output.take().unwrap_or_default().result(id);
                result.is_error |= is(self.status, "failed") && result.interruption.is_none();
                reading.results.push(result);
            }
            "" => {}
            _ => reading.bookkeeping = true,
        }
        reading
    }

    fn message(self, reading: &mut Reading<'p>) {
        reading.text = self.text;
        if is(self.role, "assistant") {
            reading.role = Some(Role::Assistant);
        } else if is(self.role, "user") && self.typed != Some(false) && !is_injected(&reading.text)
        {
            reading.role = Some(Role::User);
        } else {
            reading.role = Some(Role::System);
            if reading.text.begins("<turn_aborted>") {
                reading.interruption = Some(Interruption::Stopped);
            } else {
                reading.bookkeeping = true;
            }
        }
    }

    fn call(&self, reading: &mut Reading<'p>) {
        reading.role = Some(Role::Assistant);
        let named = self.name.or(self.kind.filter(|_| self.action.is_some()));
        let tool = named.map_or_else(|| Text::from(""), Text::from);
        let tool = match &*tool.decode() {
            "local_shell_call" => Text::from("local_shell"),
            "web_search_call" => Text::from("web_search"),
            _ => tool.clone(),
        };
        let words = self.arguments.or(self.input);
        let decoded = words.map(decoded);
        let raw = decoded.as_deref().or(self.action).or(self.raw_arguments).unwrap_or_default();
        let input = CallInput::read(&tool.decode(), raw);
        let shown = words.map(Text::from).or(self.action.or(self.raw_arguments).map(Text::from));
        let id = self.call_id.or(self.id).map(Text::from);
        reading.files.extend(input.files());
        if let Some(plan) = &input.plan {
            reading.plan = Some(plan.clone());
        }
        reading.calls.push(input.call(id, tool, shown));
    }

    /// What the program tells of beside that.
    fn event(self) -> Reading<'p> {
        let item_type = self.kind.map(JsonStr::decode).unwrap_or_default();
        match &*item_type {
            "item_completed" | "item_started" | "item_updated" => {
                let ended = &*item_type == "item_completed";
                return self.told.map(ItemFields::read).unwrap_or_default().turn_item(ended);
            }
            "exec_command_end"
            | "patch_apply_end"
            | "mcp_tool_call_end"
            | "dynamic_tool_call_response" => return self.call_end(),
            _ => {}
        }
        let mut reading = Reading { bookkeeping: true, ..Reading::default() };
        match &*item_type {
            "user_message" => {
                reading.role = Some(Role::User);
                reading.text.extend(self.message);
            }
            "agent_message" => {
                reading.role = Some(Role::Assistant);
                reading.text.extend(self.message);
            }
            "agent_reasoning" => reading.thinking = self.text,
            "task_complete" | "turn_complete" => {
                reading.text.extend(self.last_message);
                reading.bookkeeping = self.last_message.is_none();
            }
            "turn_aborted" => match self.reason.map(JsonStr::decode).as_deref() {
                Some("review_ended") => {}
                Some("budget_limited") => {
                    reading.error = Some(Text::from("budget_limited"));
                    reading.bookkeeping = false;
                }
                _ => {
                    reading.interruption = Some(Interruption::Stopped);
                    reading.bookkeeping = false;
                }
            },
            "error" | "stream_error" => {
                reading.role = Some(Role::System);
                let words = self.message.map_or(Text::from("it failed"), Text::from);
                reading.error = Some(words);
                reading.bookkeeping = false;
            }
            "thread_name_updated" => {
                reading.title = self
                    .thread_name
                    .map(|name| Title { text: name.into(), source: TitleSource::Summary });
            }
            _ => reading.text.extend(self.message),
        }
        reading
    }

    fn compacted(self) -> Reading<'p> {
        Reading {
            role: Some(Role::System),
            summary: self.message.map(Into::into),
            bookkeeping: true,
            ..Reading::default()
        }
    }

    fn context(self) -> Reading<'p> {
        Reading {
            role: Some(Role::System),
            cwd: self.cwd.map(Into::into),
            model: self.model.map(Into::into),
            permission_mode: self.approval.map(Into::into),
            bookkeeping: true,
            ..Reading::default()
        }
    }
}

/// Adds the words here: a string, or blocks with a text each.
fn words<'p>(value: &mut JsonCursor<'p>, text: &mut Texts<'p>) {
    if let Some(string) = value.string() {
        text.push(string);
        return;
    }
    value.array(|block| {
        if let Some(string) = block.string() {
            text.push(string);
        } else {
            block.object(|key, value| {
                if key == "text" {
                    text.extend(value.string());
                }
            });
        }
    });
}

/// Whether the program put these words in, where the user's would stand.
fn is_injected(text: &Texts<'_>) -> bool {
    INJECTED.iter().any(|start| text.begins(start))
}

const INJECTED: [&str; 16] = [
    "# AGENTS.md instructions",
    "<user_instructions>",
    "<environment_context>",
    "<INSTRUCTIONS>",
    "<permissions instructions>",
    "<collaboration_mode>",
    "<skill>",
    "<skills_instructions>",
    "<recommended_plugins>",
    "<apps_instructions>",
    "<turn_aborted>",
    "<hook_prompt",
    "<goal_context>",
    "<codex_internal_context",
    "<subagent_notification>",
    "<user_action>",
];

#[cfg(test)]
mod tests;
