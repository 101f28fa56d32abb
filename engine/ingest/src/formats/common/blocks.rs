//! Messages in the shape of Anthropic's interface, which several programs write.

use forebear_readings::json::{Cursor, JsonStr};
use forebear_readings::{CallResult, Interruption, Reading, Text, Usage};

use crate::formats::common::tokens::{TokenNames, counts};
use crate::formats::common::tools::add_call;
use crate::formats::common::values::is;

/// Adds a message: what was said, calls, results, tokens and the model. Returns its role.
pub(crate) fn add_message<'t>(
    reading: &mut Reading<'t>,
    value: &mut Cursor<'t>,
) -> Option<JsonStr<'t>> {
    let (mut id, mut role) = (None, None);
    value.object(|key, value| match key {
        "id" => id = value.text(),
        "role" => role = value.text(),
        "model" => reading.model = value.text().map(Text::from),
        "usage" => {
            let tokens = counts(value, &TokenNames::ANTHROPIC);
            reading.usage = tokens.map(|tokens| Usage { message_id: None, tokens });
        }
        "content" => add_content(reading, value),
        _ => {}
    });
    // Answers that no model gave.
    if reading.model.as_ref().is_some_and(|model| model.begins("<synthetic>")) {
        (reading.model, reading.usage) = (None, None);
    }
    if let Some(usage) = &mut reading.usage {
        usage.message_id = id.map(Text::from);
    }
    role
}

/// Adds what was said: a text, or blocks.
pub(crate) fn add_content<'t>(reading: &mut Reading<'t>, value: &mut Cursor<'t>) {
    reading.text.extend(value.text());
    value.array(|block| {
        reading.text.extend(block.text());
        add_block(reading, block);
    });
}

fn add_block<'t>(reading: &mut Reading<'t>, block: &mut Cursor<'t>) {
    let (mut block_type, mut said, mut thought) = (None, None, None);
    let (mut id, mut name, mut input) = (None, None, "");
    let mut result = CallResult::default();
    block.object(|key, value| match key {
        "type" => block_type = value.text(),
        "text" => said = value.text(),
        "thinking" => thought = value.text(),
        "id" => id = value.text(),
        "name" => name = value.text(),
        "input" => input = value.raw(),
        "tool_use_id" => result.call_id = value.text().map(Text::from),
        "is_error" => result.is_error = value.is_true(),
        "content" => {
            result.text.extend(value.text());
            value.array(|block| {
                block.object(|key, value| {
                    if key == "text" {
                        result.text.extend(value.text());
                    }
                });
            });
        }
        _ => {}
    });
    if is(block_type, "tool_use") {
        add_call(reading, id, name, input);
    } else if is(block_type, "tool_result") {
        weigh(&mut result);
        if reading.results.len() < Reading::MAX_PARTS {
            reading.results.push(result);
        } else {
            reading.more = true;
        }
    } else {
        reading.text.extend(said);
        reading.thinking.extend(thought);
    }
}

/// Finds out what a result that says it failed is: a refusal or an interruption is none of
/// the tool's failures. A command's exit code stands in the first line or the last.
fn weigh(result: &mut CallResult<'_>) {
    if !result.is_error {
        return;
    }
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
