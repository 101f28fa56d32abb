//! What a line of a Gemini chat says.

use forebear_core::limits;
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    CallResult, Interruption, MessageUsage, Payload, PayloadReader, Reading, Role, Text, Title,
    TitleSource,
};

use crate::formats::common::parts::{add_content, add_result, function_response};
use crate::formats::common::tokens::{TokenNames, counts, without_cached};
use crate::formats::common::tools::add_call;
use crate::formats::common::values::{is, text};

/// Reads payloads.
#[derive(Debug)]
pub(super) struct GeminiReader;

impl PayloadReader for GeminiReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let mut reading = Reading::default();
        let (mut line_type, mut id, mut has_results) = (None, None, false);
        let mut is_header = false;
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "type" => line_type = value.text(),
            "id" => id = value.text(),
            "sessionId" | "projectHash" | "$rewindTo" => is_header = true,
            "directories" => value.array(|folder| {
                let folder = folder.text().map(Text::from);
                reading.cwd = reading.cwd.take().or(folder);
            }),
            "summary" => reading.title = title(value.text()),
            "$set" => {
                is_header = true;
                value.object(|key, value| {
                    if key == "summary" {
                        reading.title = title(value.text());
                    }
                });
            }
            "content" => has_results |= add_content(&mut reading, value),
            "model" => reading.model = value.text().map(Text::from),
            "thoughts" => value.array(|thought| {
                let mut said = [None, None];
                thought.object(|key, value| match key {
                    "subject" => said[0] = value.text(),
                    "description" => said[1] = value.text(),
                    _ => {}
                });
                for text in said {
                    reading.thinking.extend(text);
                }
            }),
            "tokens" => reading.usage = usage(value),
            "toolCalls" => value.array(|call| add_tool_call(&mut reading, call)),
            _ => {}
        });
        if let Some(usage) = &mut reading.usage {
            usage.message_id = id.map(Text::from);
        }
        let line_type = line_type.map(JsonStr::decode).unwrap_or_default();
        match &*line_type {
            "gemini" | "qwen" => reading.role = Some(Role::Assistant),
            "user" if has_results && reading.text.is_blank() => reading.role = Some(Role::Tool),
            "user" if reading.text.begins("<state_snapshot>") => {
                reading.role = Some(Role::System);
                reading.summary = reading.text.first().cloned();
            }
            "user" if INJECTED.iter().any(|begin| reading.text.begins(begin)) => {
                reading.role = Some(Role::System);
                reading.bookkeeping = true;
            }
            "user" => reading.role = Some(Role::User),
            "error" => reading.error = reading.text.first().cloned(),
            _ => {
                reading.bookkeeping = true;
                if !is_header {
                    reading.role = Some(Role::System);
                }
                if reading.text.begins("Request cancelled") {
                    reading.interruption = Some(Interruption::Stopped);
                    reading.bookkeeping = false;
                }
            }
        }
        reading
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

/// What kind of event a message is.
pub(super) fn kind(line_type: Option<JsonStr<'_>>, reading: &Reading<'_>) -> String {
    let kind = match &*line_type.map(JsonStr::decode).unwrap_or_default() {
        "user" if reading.role == Some(Role::Tool) => "tool_result",
        "user" if reading.summary.is_some() => "summary",
        "user" => "user_message",
        "gemini" | "qwen" if !reading.calls.is_empty() => "tool_use",
        "gemini" | "qwen" if reading.text.is_blank() && !reading.thinking.is_empty() => "thinking",
        "gemini" | "qwen" => "assistant_message",
        "" => "unknown",
        _ => return line_type.map_or_else(String::new, |name| text(name, limits::MAX_KIND_BYTES)),
    };
    kind.to_owned()
}

/// A call with what came of it.
fn add_tool_call<'t>(reading: &mut Reading<'t>, value: &mut JsonCursor<'t>) {
    let (mut id, mut name, mut input, mut status) = (None, None, "", None);
    let mut result = CallResult::default();
    value.object(|key, value| match key {
        "id" => id = value.text(),
        "name" => name = value.text(),
        "args" => input = value.raw(),
        "status" => status = value.text(),
        "result" => value.array(|part| {
            part.object(|key, value| {
                if key == "functionResponse" {
                    result = function_response(value);
                }
            });
        }),
        _ => {}
    });
    add_call(reading, id, name, input);
    let is_cancelled = is(status, "cancelled");
    result.call_id = id.map(Text::from);
    result.is_error = (result.is_error || is(status, "error")) && !is_cancelled;
    result.interruption = is_cancelled.then_some(Interruption::Refused);
    if is_cancelled || is(status, "success") || is(status, "error") {
        add_result(reading, result);
    }
}

fn title(text: Option<JsonStr<'_>>) -> Option<Title<'_>> {
    Some(Title { text: text?.into(), source: TitleSource::Summary })
}

/// Tokens as they are told: what was read from the cache is input too.
fn usage<'t>(value: &mut JsonCursor<'t>) -> Option<MessageUsage<'t>> {
    let tokens = without_cached(counts(value, &TOKENS)?);
    Some(MessageUsage { message_id: None, tokens })
}

const TOKENS: TokenNames = TokenNames {
    input: &["input"],
    output: &["output", "thoughts"],
    cache_read: &["cached"],
    cache_written: &[],
};

/// How texts begin that the program put where the user's would stand.
const INJECTED: &[&str] = &[
    "<session_context>",
    "<hook_context>",
    "This is the Gemini CLI. We are setting up the context",
];
