//! What an entry of a pi session says.

use forebear_core::{Tokens, limits};
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    CallResult, Interruption, MessageUsage, Payload, PayloadReader, Reading, Role, Text, Texts,
    Title, TitleSource,
};

use crate::formats::common::tokens::{TokenNames, counts};
use crate::formats::common::tools::add_call;
use crate::formats::common::values::{is, text};

/// Reads payloads.
#[derive(Debug)]
pub(super) struct EntryReader;

/// What was found in an entry and in its message.
#[derive(Debug, Default)]
struct PiFields<'t> {
    line_type: Option<JsonStr<'t>>,
    id: Option<JsonStr<'t>>,
    summary: Option<JsonStr<'t>>,
    name: Option<JsonStr<'t>>,
    content: Option<JsonStr<'t>>,
    usage: Option<Tokens>,
    message: PiMessage<'t>,
}

#[derive(Debug, Default)]
struct PiMessage<'t> {
    role: Option<JsonStr<'t>>,
    call_id: Option<JsonStr<'t>>,
    tool: Option<JsonStr<'t>>,
    is_error: bool,
    model: Option<JsonStr<'t>>,
    response_id: Option<JsonStr<'t>>,
    stop_reason: Option<JsonStr<'t>>,
    error: Option<JsonStr<'t>>,
    command: Option<JsonStr<'t>>,
    output: Option<JsonStr<'t>>,
    exit_code: Option<i64>,
    timestamp: Option<u64>,
    usage: Option<Tokens>,
}

impl PayloadReader for EntryReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        read(payload.text()).1
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

/// What kind of event an entry is, and what it says.
pub(super) fn read_entry(entry: &str) -> (String, Reading<'_>) {
    let (fields, reading) = read(entry);
    (kind(&fields, &reading), reading)
}

fn read(entry: &str) -> (PiFields<'_>, Reading<'_>) {
    let mut reading = Reading::default();
    let fields = PiFields::read(entry, &mut reading);
    let message = &fields.message;
    match &*fields.line_type.map(JsonStr::decode).unwrap_or_default() {
        "message" => read_message(&mut reading, &fields),
        "compaction" | "branch_summary" => {
            reading.role = Some(Role::System);
            reading.summary = fields.summary.map(Text::from);
            reading.bookkeeping = true;
        }
        "session_info" => {
            reading.title =
                fields.name.map(|name| Title { text: name.into(), source: TitleSource::User });
            reading.bookkeeping = true;
        }
        "custom_message" => {
            reading.role = Some(Role::System);
            reading.text.extend(fields.content);
            reading.bookkeeping = true;
        }
        _ => reading.bookkeeping = true,
    }
    if let Some(tokens) = message.usage.or(fields.usage) {
        reading.usage = Some(MessageUsage { message_id: fields.usage_id(), tokens });
    }
    reading.model = reading.model.take().or(message.model.map(Text::from));
    (fields, reading)
}

fn read_message<'t>(reading: &mut Reading<'t>, fields: &PiFields<'t>) {
    let message = &fields.message;
    match &*message.role.map(JsonStr::decode).unwrap_or_default() {
        "user" => reading.role = Some(Role::User),
        "assistant" => {
            reading.role = Some(Role::Assistant);
            if is(message.stop_reason, "aborted") {
                reading.interruption = Some(Interruption::Stopped);
            } else if is(message.stop_reason, "error") {
                reading.error = message.error.map(Text::from);
            }
        }
        "toolResult" => {
            reading.role = Some(Role::Tool);
            let text = std::mem::take(&mut reading.text);
            let mut result = CallResult {
                call_id: message.call_id.map(Text::from),
                is_error: message.is_error,
                ..CallResult::default()
            };
            if message.is_error {
                let last = last_line(&text);
                result.exit_code = last
                    .strip_prefix("Command exited with code ")
                    .and_then(|code| code.trim().parse().ok());
                if last.starts_with("Command aborted") {
                    result.interruption = Some(Interruption::Stopped);
                }
            }
            result.text = text;
            reading.results.push(result);
        }
        // What the user ran: its outcome is no failure of the agent.
        "bashExecution" => {
            reading.role = Some(Role::User);
            reading.text.extend(message.command);
            reading.text.extend(message.output);
        }
        "branchSummary" | "compactionSummary" => {
            reading.role = Some(Role::System);
            reading.summary = fields.summary.map(Text::from);
            reading.bookkeeping = true;
        }
        _ => {
            reading.role = Some(Role::System);
            reading.bookkeeping = true;
        }
    }
}

impl<'t> PiFields<'t> {
    fn read(entry: &'t str, reading: &mut Reading<'t>) -> Self {
        let mut fields = Self::default();
        JsonCursor::new(entry).object(|key, value| match key {
            "type" => fields.line_type = value.text(),
            "id" => fields.id = value.text(),
            "cwd" => reading.cwd = value.text().map(Text::from),
            "modelId" => reading.model = value.text().map(Text::from),
            "summary" => fields.summary = value.text(),
            "name" => fields.name = value.text(),
            "content" => fields.content = value.text(),
            "usage" => fields.usage = counts(value, &TOKENS),
            "message" => value.object(|key, value| fields.message_member(key, value, reading)),
            _ => {}
        });
        fields
    }

    fn message_member(&mut self, key: &str, value: &mut JsonCursor<'t>, reading: &mut Reading<'t>) {
        let message = &mut self.message;
        match key {
            "role" => message.role = value.text(),
            "toolCallId" => message.call_id = value.text(),
            "toolName" => message.tool = value.text(),
            "isError" => message.is_error = value.is_true(),
            "model" => message.model = value.text(),
            "responseId" => message.response_id = value.text(),
            "stopReason" => message.stop_reason = value.text(),
            "errorMessage" => message.error = value.text(),
            "command" => message.command = value.text(),
            "output" => message.output = value.text(),
            "exitCode" => message.exit_code = value.integer(),
            "timestamp" => message.timestamp = value.number(),
            "summary" => self.summary = value.text(),
            "usage" => message.usage = counts(value, &TOKENS),
            "content" => {
                reading.text.extend(value.text());
                value.array(|block| add_block(reading, block));
            }
            _ => {}
        }
    }

    /// What names a message wherever it stands: a fork has entries word for word.
    fn usage_id(&self) -> Option<Text<'t>> {
        let message = &self.message;
        if let Some(response) = message.response_id {
            return Some(response.into());
        }
        let id = self.id?.decode();
        let Tokens { input, output, cache_read, cache_written } =
            message.usage.or(self.usage).unwrap_or_default();
        let time = message.timestamp.unwrap_or_default();
        let model = message.model.map(JsonStr::decode).unwrap_or_default();
        let name = format!("pi {id} {time} {model} {input} {output} {cache_read} {cache_written}");
        Some(name.into())
    }
}

fn add_block<'t>(reading: &mut Reading<'t>, block: &mut JsonCursor<'t>) {
    let (mut said, mut thought, mut id, mut name, mut input) = (None, None, None, None, "");
    let mut block_type = None;
    block.object(|key, value| match key {
        "type" => block_type = value.text(),
        "text" => said = value.text(),
        "thinking" => thought = value.text(),
        "id" => id = value.text(),
        "name" => name = value.text(),
        "arguments" => input = value.raw(),
        _ => {}
    });
    reading.text.extend(said);
    reading.thinking.extend(thought);
    if is(block_type, "toolCall") {
        add_call(reading, id, name, input);
    }
}

fn last_line(text: &Texts<'_>) -> String {
    let text = text.iter().last().map(|text| text.decode().into_owned()).unwrap_or_default();
    text.trim_end().rsplit('\n').next().unwrap_or_default().to_owned()
}

/// What kind of event an entry is.
fn kind(fields: &PiFields<'_>, reading: &Reading<'_>) -> String {
    let kind = match &*fields.line_type.map(JsonStr::decode).unwrap_or_default() {
        "message" => match &*fields.message.role.map(JsonStr::decode).unwrap_or_default() {
            "user" => "user_message",
            "assistant" if is(fields.message.stop_reason, "error") => "error",
            "assistant" if !reading.calls.is_empty() => "tool_use",
            "assistant" if reading.text.is_blank() && !reading.thinking.is_empty() => "thinking",
            "assistant" => "assistant_message",
            "toolResult" => "tool_result",
            "bashExecution" => "user_command",
            _ => "system",
        },
        "" => "unknown",
        _ => {
            let name = fields.line_type.map(|name| text(name, limits::MAX_KIND_BYTES));
            return name.unwrap_or_default();
        }
    };
    kind.to_owned()
}

/// Counts, each apart from the others.
const TOKENS: TokenNames = TokenNames {
    input: &["input"],
    output: &["output"],
    cache_read: &["cacheRead"],
    cache_written: &["cacheWrite"],
};
/// Roles that messages of pi alone have, or have in entries with parents.
pub(super) const ROLES: &[&str] = &["user", "assistant", "toolResult", "bashExecution"];
