//! Messages in the shape of Anthropic's interface, which several programs write: blocks of
//! text, thoughts, calls and results.

use forebear_core::Tokens;
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{CallResult, Interruption, MessageUsage, Reading, Text};

use crate::formats::common::tokens::{TokenNames, counts};
use crate::formats::common::tools::add_call;

/// What programs that write such messages tell each in its own words.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Adds a call by its id, its tool and its input as JSON, with what follows from those.
    pub(crate) add_call:
        for<'t> fn(&mut Reading<'t>, Option<JsonStr<'t>>, Option<JsonStr<'t>>, &'t str),
    /// Finds out what a result that says it failed is.
    pub(crate) weigh: for<'t> fn(&mut CallResult<'t>),
}

/// A message.
#[derive(Debug, Default)]
pub(crate) struct Message<'t> {
    id: Option<JsonStr<'t>>,
    pub(crate) role: Option<JsonStr<'t>>,
    pub(crate) model: Option<JsonStr<'t>>,
    usage: Option<Tokens>,
    /// The words, the thoughts, the calls and the results.
    pub(crate) said: Reading<'t>,
}

impl<'t> Message<'t> {
    /// Reads the message here.
    pub(crate) fn read(value: &mut JsonCursor<'t>, dialect: &Dialect) -> Self {
        let mut message = Self::default();
        value.object(|key, value| match key {
            "id" => message.id = value.text(),
            "role" => message.role = value.text(),
            "model" => message.model = value.text(),
            "usage" => message.usage = counts(value, &TokenNames::ANTHROPIC),
            "content" => {
                message.said = Reading::default();
                add_text(&mut message.said, value);
                value.array(|block| {
                    add_text(&mut message.said, block);
                    add_block(&mut message.said, block, dialect);
                });
            }
            _ => {}
        });
        message
    }

    /// What it took; none where that is nothing.
    pub(crate) fn usage(&self) -> Option<MessageUsage<'t>> {
        let tokens = self.usage.filter(|tokens| *tokens != Tokens::default())?;
        Some(MessageUsage { message_id: self.id.map(Text::from), tokens })
    }
}

/// Adds a message to what its line says beside it. Returns its role.
pub(crate) fn add_message<'t>(
    reading: &mut Reading<'t>,
    value: &mut JsonCursor<'t>,
) -> Option<JsonStr<'t>> {
    let message = Message::read(value, &USUAL);
    let model = message.model.map(Text::from);
    // Answers that no model gave.
    let is_answer = !model.as_ref().is_some_and(|model| model.begins("<synthetic>"));
    reading.usage = message.usage().filter(|_| is_answer);
    reading.model = if is_answer { model.or(reading.model.take()) } else { None };
    let Reading { text, thinking, calls, results, files, more, plan, .. } = message.said;
    (reading.text, reading.thinking) = (text, thinking);
    (reading.calls, reading.results) = (calls, results);
    (reading.files, reading.more) = (files, more);
    reading.plan = plan.or(reading.plan.take());
    message.role
}

fn add_text<'t>(said: &mut Reading<'t>, value: &mut JsonCursor<'t>) {
    said.text.extend(value.string());
}

fn add_block<'t>(said: &mut Reading<'t>, block: &mut JsonCursor<'t>, dialect: &Dialect) {
    let (mut block_type, mut text, mut thinking) = (None, None, None);
    let (mut id, mut name, mut input) = (None, None, "");
    let mut result = CallResult::default();
    block.object(|key, value| match key {
        "type" => block_type = value.text(),
        "text" => text = value.string(),
        "thinking" => thinking = value.string(),
        "id" => id = value.text(),
        "name" => name = value.text(),
        "input" => input = value.raw(),
        "tool_use_id" => result.call_id = value.text().map(Text::from),
        "is_error" => result.is_error = value.is_true(),
        "content" => {
            result.text.extend(value.string());
            value.array(|block| {
                block.object(|key, value| {
                    if key == "text" {
                        result.text.extend(value.string());
                    }
                });
            });
        }
        _ => {}
    });
    match block_type.map(JsonStr::decode).as_deref() {
        Some("text") => said.text.extend(text),
        Some("thinking") => said.thinking.extend(thinking),
        Some("tool_use" | "server_tool_use" | "mcp_tool_use") => {
            if said.calls.len() < Reading::MAX_PARTS {
                (dialect.add_call)(said, id, name, input);
            } else {
                said.more = true;
            }
        }
        Some("tool_result" | "web_search_tool_result" | "mcp_tool_result") => {
            if said.results.len() < Reading::MAX_PARTS {
                if result.is_error {
                    (dialect.weigh)(&mut result);
                }
                said.results.push(result);
            } else {
                said.more = true;
            }
        }
        _ => {}
    }
}

/// What most programs say.
const USUAL: Dialect = Dialect { add_call, weigh };

/// Finds out what a result that says it failed is: a refusal or an interruption is none of
/// the tool's failures. A command's exit code stands in the first line or the last.
fn weigh(result: &mut CallResult<'_>) {
    let begins = |with: &[&str]| with.iter().any(|begin| result.text.begins(begin));
    if begins(REFUSED) {
        result.interruption = Some(Interruption::Refused);
    } else if begins(STOPPED) {
        result.interruption = Some(Interruption::Stopped);
    }
    let text = result.text.first().map(|text| text.decode().into_owned()).unwrap_or_default();
    let mut lines = text.lines();
    let (first, last) = (lines.next().unwrap_or_default(), lines.next_back().unwrap_or_default());
    result.exit_code = [first, last].iter().find_map(|line| exit_code(line));
}

fn exit_code(line: &str) -> Option<i64> {
    let line = line.trim().trim_matches(['[', ']', '(', ')']);
    let rest =
        ["Exit code ", "Process exited with code "].iter().find_map(|s| line.strip_prefix(s));
    let rest = rest.or_else(|| line.strip_prefix("Command failed (exit code: "));
    rest?.trim().parse().ok()
}

const REFUSED: &[&str] = &[
    "The user doesn't want to proceed with this tool use",
    "The user doesn't want to take this action right now",
    "User rejected tool use",
    "Permission to use ",
];
const STOPPED: &[&str] = &[
    "[Request interrupted by user",
    "Request cancelled by user",
    "Tool execution cancelled by user",
];
