//! What a span or a log record reads as.

use forebear_core::Tokens;
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    Call, CallResult, MessageUsage, Payload, PayloadReader, Reading, Role, Text, Texts,
};

use super::conventions::{Field, StepSort, tool_of_name};
use super::record::OtlpRecord;
use super::request::{is_export, parts};
use crate::formats::common::tokens::without_cached;
use crate::formats::common::tools::{add_call, family, target};
use crate::formats::common::values::is;

/// Reads payloads: requests with a span or a log record each.
#[derive(Debug)]
pub(super) struct ExportReader;

impl PayloadReader for ExportReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        match parts(payload.text(), 1).first() {
            Some(part) => read_record(&OtlpRecord::read(part.record, part.is_log)),
            // Metrics, which are no step.
            None => Reading { bookkeeping: true, ..Reading::default() },
        }
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&[NAMELESS_ERROR])
    }

    fn is_of(&self, payload: &Payload<'_>) -> bool {
        let mut found = false;
        JsonCursor::new(payload.text())
            .object(|key, value| found |= is_export(key) && value.is_array());
        found
    }
}

pub(super) fn read_record<'t>(record: &OtlpRecord<'t>) -> Reading<'t> {
    let mut reading = Reading::default();
    let (step, kind) = record.step();
    let attributes = &record.attributes;
    match step {
        StepSort::Model => {
            reading.role = Some(Role::Assistant);
            reading.text = answer(record);
            reading.model = attributes.text(Field::Model).map(Text::from);
            reading.usage = usage(record);
            reading.bookkeeping = reading.usage.is_none() && reading.text.is_empty();
        }
        StepSort::Tool => add_tool(&mut reading, record),
        StepSort::Request => {
            reading.role = Some(Role::User);
            reading.text.extend(attributes.json(Field::Input).or(record.body));
        }
        StepSort::Agent | StepSort::Other => {
            // What the whole of it was asked.
            let is_asked = !record.is_log && record.parent.is_none();
            reading.text = if is_asked { question(record) } else { Texts::default() };
            if !reading.text.is_empty() {
                reading.role = Some(Role::User);
            }
            if record.is_log {
                reading.text.extend(record.body);
                reading.bookkeeping = NOTES.contains(&&*kind);
            }
        }
    }
    if record.is_error() && step != StepSort::Tool {
        reading.error = Some(words_of_error(record).unwrap_or_else(|| NAMELESS_ERROR.into()));
        reading.bookkeeping = false;
    }
    reading
}

/// A call with what came of it, once it has ended: a span is both.
fn add_tool<'t>(reading: &mut Reading<'t>, record: &OtlpRecord<'t>) {
    let attributes = &record.attributes;
    let tool = match attributes.text(Field::Tool) {
        Some(tool) => tool.into_owned(),
        None => record.name.map(tool_of_name).unwrap_or_default(),
    };
    let arguments = attributes.json(Field::Arguments).or(attributes.json(Field::Input));
    let arguments = arguments.map(|text| text.decode().into_owned());
    // The rules of all tools find what it is about, in a copy: the arguments are a text.
    let mut of_copy = Reading::default();
    let input = arguments.clone().unwrap_or_default();
    add_call(&mut of_copy, None, Some(JsonStr::plain(&tool)), &input);
    let about = of_copy.calls.pop().and_then(|call| call.target);
    let about = about.or_else(|| target(&input, &["command"]).map(Text::from));
    let about = about.map(Text::into_owned);
    let files = of_copy.files.into_iter().map(|file| forebear_readings::FileUse {
        path: file.path.into_owned(),
        access: file.access,
    });
    reading.files.extend(files);
    let id = match attributes.text(Field::Call) {
        Some(id) => Some(Text::from(id)),
        None => record.span.filter(|_| !record.is_log).map(|span| Text::from(hex_of(&span))),
    };
    let has_ended = record.is_log || record.end_ns.is_some();
    reading.role = Some(if has_ended { Role::Tool } else { Role::Assistant });
    reading.calls.push(Call {
        id: id.clone(),
        family: family(&tool),
        tool: (!tool.is_empty()).then(|| Text::from(tool)),
        input: arguments.map(Text::from),
        target: about,
        cwd: None,
    });
    if has_ended {
        let is_error = record.is_error();
        let mut result = CallResult {
            call_id: id,
            is_error,
            duration_ns: record.duration_ns(),
            ..CallResult::default()
        };
        let told = attributes.json(Field::CallResult).or(attributes.json(Field::Output));
        result.text.extend(told);
        if is_error && result.text.is_empty() {
            result.text.extend(words_of_error(record));
        }
        reading.results.push(result);
    }
}

fn words_of_error<'t>(record: &OtlpRecord<'t>) -> Option<Text<'t>> {
    let told = record.message.or(record.exception).map(Text::from);
    let told = told.or_else(|| {
        let named = record.attributes.text(Field::Error).filter(|word| word != "true");
        named.map(Text::from)
    });
    told.or(record.body.map(Text::from))
}

/// What a model took. Conventions count what was read from a cache as input; those of which the
/// parts are more than the whole don't.
fn usage<'t>(record: &OtlpRecord<'t>) -> Option<MessageUsage<'t>> {
    let number = |field| record.attributes.number(field).unwrap_or(0);
    let tokens = Tokens {
        input: number(Field::InputTokens),
        output: number(Field::OutputTokens),
        cache_read: number(Field::CacheRead),
        cache_written: number(Field::CacheWritten),
    };
    if tokens == Tokens::default() {
        return None;
    }
    let event_name = record.attributes.json(Field::EventName).or(record.body);
    let name = event_name.map(JsonStr::decode).unwrap_or_default();
    let is_apart = record.is_log && matches!(&*name, "api_request" | "claude_code.api_request");
    let parts = tokens.cache_read.saturating_add(tokens.cache_written);
    let tokens = if is_apart || parts > tokens.input { tokens } else { without_cached(tokens) };
    let id = match (record.attributes.text(Field::Response), record.span) {
        (Some(id), _) => Some(Text::from(id)),
        (None, Some(span)) if !record.is_log => Some(Text::from(format!("span {}", hex_of(&span)))),
        (None, _) => None,
    };
    Some(MessageUsage { message_id: id, tokens })
}

/// What a model answered.
fn answer<'t>(record: &OtlpRecord<'t>) -> Texts<'t> {
    let attributes = &record.attributes;
    if let Some(messages) = attributes.json(Field::OutputMessages) {
        return words_of(&messages.decode(), "assistant");
    }
    if attributes.answers.is_empty() {
        let mut texts = Texts::default();
        texts.extend(attributes.json(Field::Output));
        return texts;
    }
    attributes.answers.iter().map(|text| Text::from(*text)).collect()
}

/// What was asked of an agent.
fn question<'t>(record: &OtlpRecord<'t>) -> Texts<'t> {
    if let Some(messages) = record.attributes.json(Field::InputMessages) {
        let said = words_of(&messages.decode(), "user");
        let last = said.iter().last().cloned();
        return last.into_iter().collect();
    }
    let mut texts = Texts::default();
    texts.extend(record.attributes.json(Field::Input));
    texts
}

/// What one of the roles says in a list of messages; a text that is no list as it is.
fn words_of(messages: &str, of: &str) -> Texts<'static> {
    let mut texts = Texts::default();
    let mut cursor = JsonCursor::new(messages);
    if !cursor.is_array() {
        texts.push(messages.to_owned());
        return texts;
    }
    cursor.array(|message| {
        let (mut role, mut said) = (None, Vec::new());
        message.object(|key, value| match key {
            "role" => role = value.text(),
            "content" | "parts" => {
                said.extend(value.text());
                value.array(|part| {
                    let (mut part_type, mut text) = (None, None);
                    part.object(|key, value| match key {
                        "type" => part_type = value.text(),
                        "content" | "text" => text = value.text(),
                        _ => {}
                    });
                    if part_type.is_none() || is(part_type, "text") {
                        said.extend(text);
                    }
                });
            }
            _ => {}
        });
        if role.is_none() || is(role, of) {
            for text in said {
                texts.push(text.decode().into_owned());
            }
        }
    });
    texts
}

pub(super) fn hex_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What is said of a failure of which nothing is told.
const NAMELESS_ERROR: &str = "error";
/// Log records that are no step of what happened.
const NOTES: &[&str] = &["tool_decision", "claude_code.tool_decision", "codex.tool_decision"];
