//! What is said in the parts of Google's interface, which several programs write.

use forebear_readings::json::JsonCursor;
use forebear_readings::{CallFamily, CallResult, Reading, Text};

use crate::formats::common::tools::{add_call, family};

/// Adds what was said: a text, or parts. Returns whether a part is the result of a call.
pub(crate) fn add_content<'t>(reading: &mut Reading<'t>, value: &mut JsonCursor<'t>) -> bool {
    let mut has_results = false;
    reading.text.extend(value.text());
    if value.is_object() {
        has_results |= add_part(reading, value);
    }
    value.array(|part| {
        reading.text.extend(part.text());
        has_results |= add_part(reading, part);
    });
    has_results
}

/// Adds a part of what was said; returns whether it is the result of a call.
fn add_part<'t>(reading: &mut Reading<'t>, value: &mut JsonCursor<'t>) -> bool {
    let (mut said, mut is_thought, mut is_result) = (None, false, false);
    value.object(|key, value| match key {
        "text" => said = value.text(),
        "thought" => is_thought = value.is_true(),
        "functionCall" => {
            let (mut id, mut name, mut input) = (None, None, "");
            value.object(|key, value| match key {
                "id" => id = value.text(),
                "name" => name = value.text(),
                "args" => input = value.raw(),
                _ => {}
            });
            add_call(reading, id, name, input);
        }
        "functionResponse" => {
            is_result = true;
            let result = function_response(value);
            add_result(reading, result);
        }
        _ => {}
    });
    if is_thought {
        reading.thinking.extend(said);
    } else {
        reading.text.extend(said);
    }
    is_result
}

/// The result of a call that a `functionResponse` is.
pub(crate) fn function_response<'t>(value: &mut JsonCursor<'t>) -> CallResult<'t> {
    let mut result = CallResult::default();
    let mut name = None;
    value.object(|key, value| match key {
        "id" => result.call_id = value.text().map(Text::from),
        "name" => name = value.text(),
        "response" => value.object(|key, value| match key {
            "output" => result.text.extend(value.text()),
            "error" => {
                result.is_error = true;
                result.text.extend(value.text());
                value.object(|key, value| {
                    if key == "message" {
                        result.text.extend(value.text());
                    }
                });
            }
            _ => {}
        }),
        _ => {}
    });
    if name.is_some_and(|name| family(&name.decode()) == CallFamily::Shell) {
        result.exit_code = exit_code(&result);
    }
    result
}

pub(crate) fn add_result<'t>(reading: &mut Reading<'t>, result: CallResult<'t>) {
    if reading.results.len() == Reading::MAX_PARTS {
        reading.more = true;
    } else {
        reading.results.push(result);
    }
}

/// The exit code that the shell's result states in a line of its own, behind what the
/// command printed.
fn exit_code(result: &CallResult<'_>) -> Option<i64> {
    let text = result.text.first()?.decode();
    let lines = text.lines().rev().take(EXIT_CODE_LINES);
    lines.into_iter().find_map(|line| line.strip_prefix("Exit Code: ")?.trim().parse().ok())
}

/// Within so many lines from the end of a result its exit code stands.
const EXIT_CODE_LINES: usize = 16;
