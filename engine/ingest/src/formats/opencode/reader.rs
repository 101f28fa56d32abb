//! What a message of OpenCode says, with its parts.

use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    Access, CallResult, FileUse, Interruption, MessageUsage, Payload, PayloadReader, Reading, Role,
    Text, Title, TitleSource,
};

use crate::formats::common::tokens::{TokenNames, counts};
use crate::formats::common::tools::add_call;
use crate::formats::common::values::is;

/// Reads payloads.
#[derive(Debug)]
pub(super) struct MessageReader;

impl PayloadReader for MessageReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let mut reading = Reading::default();
        let (mut id, mut role, mut title, mut is_summary) = (None, None, None, false);
        let (mut error, mut reason) = (None, None);
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "id" => id = value.text(),
            "role" => role = value.text(),
            "title" => title = value.text(),
            "summary" => is_summary = value.is_true(),
            "directory" => reading.cwd = value.text().map(Text::from),
            "path" => value.object(|key, value| {
                if key == "cwd" {
                    reading.cwd = value.text().map(Text::from);
                }
            }),
            "modelID" => reading.model = value.text().map(Text::from),
            "model" => value.object(|key, value| {
                if key == "modelID" {
                    reading.model = value.text().map(Text::from);
                }
            }),
            "tokens" => reading.usage = usage(value),
            "error" => value.object(|key, value| match key {
                "name" => error = value.text(),
                "data" => value.object(|key, value| {
                    if key == "message" {
                        reason = value.text();
                    }
                }),
                _ => {}
            }),
            "parts" => value.array(|part| add_part(&mut reading, part)),
            _ => {}
        });
        match &*role.map(JsonStr::decode).unwrap_or_default() {
            "user" if reading.text.is_empty() => {
                reading.role = Some(Role::System);
                reading.bookkeeping = true;
            }
            "user" => {
                reading.role = Some(Role::User);
                // What it was asked to be answered by.
                reading.model = None;
            }
            "assistant" => reading.role = Some(Role::Assistant),
            _ => {
                reading.bookkeeping = true;
                let is_made_up = |title: &JsonStr<'_>| {
                    let title = title.decode();
                    title.starts_with("New session - ") || title.starts_with("Child session - ")
                };
                reading.title = title
                    .filter(|title| !is_made_up(title))
                    .map(|title| Title { text: title.into(), source: TitleSource::Summary });
            }
        }
        if is_summary {
            reading.summary = reading.text.first().cloned();
        }
        if is(error, "MessageAbortedError") {
            reading.interruption = Some(Interruption::Stopped);
        } else if let Some(error) = reason.or(error) {
            reading.error = Some(error.into());
        }
        if let Some(usage) = &mut reading.usage {
            usage.message_id = id.map(Text::from);
        }
        reading
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

/// What kind of event a message is.
pub(super) fn kind(reading: &Reading<'_>) -> &'static str {
    match reading.role {
        _ if reading.error.is_some() => "error",
        _ if reading.summary.is_some() => "summary",
        Some(Role::Assistant) if !reading.calls.is_empty() => "tool_use",
        Some(Role::Assistant) if reading.text.is_blank() && !reading.thinking.is_empty() => {
            "thinking"
        }
        Some(Role::Assistant) => "assistant_message",
        Some(Role::User) => "user_message",
        _ => "message",
    }
}

fn add_part<'t>(reading: &mut Reading<'t>, part: &mut JsonCursor<'t>) {
    let (mut part_type, mut said, mut is_put_in) = (None, None, false);
    let (mut call, mut tool, mut state) = (None, None, CallState::default());
    let mut files = Vec::new();
    part.object(|key, value| match key {
        "type" => part_type = value.text(),
        "text" => said = value.text(),
        "synthetic" | "ignored" => is_put_in |= value.is_true(),
        "callID" => call = value.text(),
        "tool" => tool = value.text(),
        "state" => state = CallState::read(value),
        "files" => value.array(|file| files.extend(file.text())),
        _ => {}
    });
    match &*part_type.map(JsonStr::decode).unwrap_or_default() {
        "text" if !is_put_in => reading.text.extend(said),
        "reasoning" => reading.thinking.extend(said),
        "patch" => reading.files.extend(
            files
                .into_iter()
                .map(|path| FileUse { path: Text::from(path), access: Access::Written }),
        ),
        "tool" => {
            add_call(reading, call, tool, state.input);
            if let Some(result) = state.result(call)
                && reading.results.len() < Reading::MAX_PARTS
            {
                reading.results.push(result);
            }
        }
        _ => {}
    }
}

/// How far a call is.
#[derive(Debug, Default)]
struct CallState<'t> {
    status: Option<JsonStr<'t>>,
    input: &'t str,
    output: Option<JsonStr<'t>>,
    error: Option<JsonStr<'t>>,
    exit: Option<i64>,
    start: Option<u64>,
    end: Option<u64>,
}

impl<'t> CallState<'t> {
    fn read(value: &mut JsonCursor<'t>) -> Self {
        let mut state = Self::default();
        value.object(|key, value| match key {
            "status" => state.status = value.text(),
            "input" => state.input = value.raw(),
            "output" => state.output = value.text(),
            "error" => state.error = value.text(),
            "metadata" => value.object(|key, value| {
                if key == "exit" {
                    state.exit = value.integer();
                }
            }),
            "time" => value.object(|key, value| match key {
                "start" => state.start = value.number(),
                "end" => state.end = value.number(),
                _ => {}
            }),
            _ => {}
        });
        state
    }

    /// None while it runs.
    fn result(&self, call: Option<JsonStr<'t>>) -> Option<CallResult<'t>> {
        let has_failed = is(self.status, "error");
        if !has_failed && !is(self.status, "completed") {
            return None;
        }
        let error = self.error.filter(|_| has_failed).map(JsonStr::decode).unwrap_or_default();
        let begins = |with: &[&str]| with.iter().any(|begin| error.starts_with(begin));
        let interruption = if begins(&["The user rejected", "The user has specified a rule"]) {
            Some(Interruption::Refused)
        } else if begins(&["Tool execution aborted"]) {
            Some(Interruption::Stopped)
        } else {
            None
        };
        let duration_ms = self.end.zip(self.start).map(|(end, start)| end.saturating_sub(start));
        let mut result = CallResult {
            call_id: call.map(Text::from),
            is_error: has_failed,
            exit_code: self.exit,
            duration_ns: duration_ms.map(|ms| ms.saturating_mul(1_000_000)),
            interruption,
            ..CallResult::default()
        };
        result.text.extend(self.output.or(self.error));
        Some(result)
    }
}

/// Tokens, of which each count is apart from the others; thinking that the total has beside
/// them is output.
fn usage<'t>(value: &mut JsonCursor<'t>) -> Option<MessageUsage<'t>> {
    let told = value.raw();
    let (mut tokens, mut total) = (counts(&mut JsonCursor::new(told), &TOKENS)?, 0_u64);
    JsonCursor::new(told).object(|key, value| match key {
        "total" => total = value.number().unwrap_or(0),
        "cache" => tokens = tokens.plus(counts(value, &CACHE).unwrap_or_default()),
        _ => {}
    });
    let counted = [tokens.input, tokens.output, tokens.cache_read, tokens.cache_written];
    let counted = counted.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    tokens.output = tokens.output.saturating_add(total.saturating_sub(counted));
    Some(MessageUsage { message_id: None, tokens })
}

const TOKENS: TokenNames =
    TokenNames { input: &["input"], output: &["output"], cache_read: &[], cache_written: &[] };
const CACHE: TokenNames =
    TokenNames { input: &[], output: &[], cache_read: &["read"], cache_written: &["write"] };
