//! What a line of a transcript reads as, from its bytes alone.

mod calls;
mod results;
mod words;

use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    Interruption, Payload, PayloadReader, Reading, Role, Text, Texts, Title, TitleSource,
};

use self::results::ToolReport;
use crate::formats::common::blocks::{Dialect, Message};
use crate::formats::common::values::is;

/// Reads lines of transcripts.
#[derive(Debug)]
pub(super) struct TranscriptReader;

impl PayloadReader for TranscriptReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let mut line = ClaudeLine::default();
        JsonCursor::new(payload.text()).object(|key, value| line.member(key, value));
        line.reading()
    }

    fn is_of(&self, payload: &Payload<'_>) -> bool {
        let (mut message, mut typed) = (false, payload.label("type").is_some());
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "message" => message = value.is_object(),
            "uuid" | "parentUuid" | "sessionId" | "leafUuid" | "userType" => typed = true,
            _ => {}
        });
        message || typed && payload.label("source_app").is_none_or(|app| app == "claude-code")
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&["the", "service", "failed"])
    }
}

/// What was found in a line.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of its own")]
struct ClaudeLine<'p> {
    kind: Option<JsonStr<'p>>,
    subtype: Option<JsonStr<'p>>,
    /// `content` beside the type: of notes of the program, and of what was queued.
    content: Option<JsonStr<'p>>,
    operation: Option<JsonStr<'p>>,
    title: Option<Title<'p>>,
    last_prompt: Option<JsonStr<'p>>,
    cwd: Option<JsonStr<'p>>,
    permission_mode: Option<JsonStr<'p>>,
    mode: Option<JsonStr<'p>>,
    request_id: Option<JsonStr<'p>>,
    is_meta: bool,
    is_compact_summary: bool,
    is_api_error: bool,
    is_aborted: bool,
    /// Whether something other than the user wrote what stands where the user's words do.
    is_put_in: bool,
    /// That the user let a call of this line not be made, or stopped it.
    denial: bool,
    interrupts: bool,
    error: Option<JsonStr<'p>>,
    report: ToolReport<'p>,
    /// A prompt that was queued, as an attachment tells it.
    queued: Texts<'p>,
    message: Message<'p>,
}

impl<'p> ClaudeLine<'p> {
    fn member(&mut self, key: &str, value: &mut JsonCursor<'p>) {
        match key {
            "type" => self.kind = value.text(),
            "subtype" => self.subtype = value.text(),
            "content" => self.content = value.text(),
            "operation" => self.operation = value.text(),
            "summary" => self.title = titled(value, TitleSource::Summary),
            "aiTitle" => self.title = titled(value, TitleSource::Generated),
            "customTitle" | "agentName" if self.title.is_none() || key == "customTitle" => {
                self.title = titled(value, TitleSource::User);
            }
            "lastPrompt" => self.last_prompt = value.text(),
            "cwd" => self.cwd = value.text(),
            "permissionMode" => self.permission_mode = value.text(),
            "mode" => self.mode = value.text(),
            "requestId" => self.request_id = value.text(),
            "isMeta" => self.is_meta = value.is_true(),
            "isCompactSummary" => self.is_compact_summary = value.is_true(),
            "isApiErrorMessage" => self.is_api_error = value.is_true(),
            "isAbortedMidStream" => self.is_aborted = value.is_true(),
            "origin" => value.object(|key, value| {
                if key == "kind" {
                    self.is_put_in |= !is(value.text(), "human");
                }
            }),
            "promptSource" => self.is_put_in |= is(value.text(), "system"),
            "toolDenialKind" => self.denial = value.text().is_some(),
            "interruptedMessageId" => self.interrupts = value.is_string(),
            "error" => self.error = error(value),
            "toolUseResult" => self.report = ToolReport::read(value),
            "attachment" => self.queued = queued(value),
            "message" => self.message = Message::read(value, &CLAUDE),
            _ => {}
        }
    }

    fn reading(mut self) -> Reading<'p> {
        let line_type = self.kind.map(JsonStr::decode).unwrap_or_default();
        let mut reading = std::mem::take(&mut self.message.said);
        match &*line_type {
            "user" => self.user(&mut reading),
            "assistant" => self.assistant(&mut reading),
            "" if self.message.role.is_some() || reading != Reading::default() => {
                if is(self.message.role, "assistant") {
                    self.assistant(&mut reading);
                } else {
                    self.user(&mut reading);
                }
            }
            "system" | "api_error" => self.note(&mut reading),
            "queue-operation" => self.queue_operation(&mut reading),
            "attachment" if !self.queued.is_empty() => {
                reading.role = Some(Role::User);
                reading.text = std::mem::take(&mut self.queued);
            }
            "custom-title" | "agent-name" | "ai-title" | "summary" => {
                reading.title = self.title.take();
                reading.bookkeeping = true;
            }
            "mode" | "permission-mode" => {
                reading.permission_mode = self.permission_mode.or(self.mode).map(Into::into);
                reading.bookkeeping = true;
            }
            "" => {}
            _ => {
                reading.text.extend(self.content.or(self.last_prompt));
                reading.bookkeeping = true;
            }
        }
        reading.cwd = self.cwd.map(Into::into);
        reading.request_id = self.request_id.map(Into::into);
        if reading.permission_mode.is_none() {
            reading.permission_mode = self.permission_mode.map(Into::into);
        }
        reading
    }

    fn user(&mut self, reading: &mut Reading<'p>) {
        let report = std::mem::take(&mut self.report);
        if !reading.results.is_empty() {
            report.apply(reading, self.denial);
        }
        if words::is_interruption(&reading.text) || self.interrupts {
            reading.interruption = Some(Interruption::Stopped);
            reading.role = Some(Role::System);
            return;
        }
        let is_injected = self.is_meta || self.is_put_in || words::is_injected(&reading.text);
        if self.is_compact_summary {
            reading.summary = Some(reading.text.to_string().into());
            reading.role = Some(Role::System);
            reading.bookkeeping = true;
        } else if !reading.results.is_empty() {
            let is_typed = !reading.text.is_blank() && !is_injected;
            // A refusal with words is a request.
            let mut refusals =
                reading.results.iter().filter(|result| result.interruption.is_some());
            let words = refusals.find_map(|result| words::of_refusal(&result.text));
            let words = words.filter(|_| !is_typed);
            reading.role = Some(if is_typed || words.is_some() { Role::User } else { Role::Tool });
            if let Some(words) = words {
                reading.text = Texts::from(words);
            }
        } else if is_injected {
            reading.role = Some(Role::System);
            reading.bookkeeping = true;
        } else {
            reading.role = Some(Role::User);
            if let Some(command) = words::typed_command(&reading.text) {
                // What is said to the program alone is no request.
                if words::is_own_command(&command) {
                    (reading.role, reading.bookkeeping) = (Some(Role::System), true);
                }
                reading.text = Texts::from(command);
            }
        }
    }

    fn assistant(&self, reading: &mut Reading<'p>) {
        let message = &self.message;
        reading.role = Some(Role::Assistant);
        let by_the_program = is(message.model, SYNTHETIC);
        if !by_the_program {
            reading.model = message.model.map(Into::into);
        }
        reading.usage = message.usage();
        if self.is_api_error {
            reading.error = reading.text.first().cloned().or(self.error.map(Into::into));
            reading.role = Some(Role::System);
        } else if by_the_program {
            reading.role = Some(Role::System);
            reading.bookkeeping = true;
        }
        if self.is_aborted {
            reading.interruption = Some(Interruption::Stopped);
        }
    }

    /// Of the program's own words.
    fn note(&self, reading: &mut Reading<'p>) {
        reading.role = Some(Role::System);
        reading.text.extend(self.content);
        let is_error = is(self.subtype, "api_error") || is(self.kind, "api_error");
        if is_error || self.is_api_error {
            let words = self.error.or(self.content);
            reading.error = Some(words.map_or(Text::from("the service failed"), Into::into));
        } else {
            reading.bookkeeping = true;
        }
    }

    /// What the user typed while the model was at work stands here; the program's own
    /// words and commands may too.
    fn queue_operation(&self, reading: &mut Reading<'p>) {
        reading.bookkeeping = true;
        if !is(self.operation, "enqueue") {
            return;
        }
        reading.text.extend(self.content);
        let is_typed = !reading.text.is_blank()
            && !words::is_injected(&reading.text)
            && !reading.text.begins("/");
        reading.role = Some(if is_typed { Role::User } else { Role::System });
        reading.queued = is_typed;
    }
}

/// Whether the attachment here is a prompt that the user typed while the model was at work.
pub(super) fn is_queued_prompt(value: &mut JsonCursor<'_>) -> bool {
    !queued(value).is_empty()
}

/// The prompt that an attachment tells of, unless the program wrote it.
fn queued<'p>(value: &mut JsonCursor<'p>) -> Texts<'p> {
    let (mut is_command, mut typed) = (false, true);
    let mut prompt = Texts::default();
    value.object(|key, value| match key {
        "type" => is_command = is(value.text(), "queued_command"),
        "commandMode" => typed &= is(value.text(), "prompt"),
        "origin" => value.object(|key, value| {
            if key == "kind" {
                typed &= is(value.text(), "human");
            }
        }),
        "prompt" => {
            if let Some(text) = value.string() {
                prompt.push(text);
            } else {
                value.array(|block| {
                    block.object(|key, value| {
                        if key == "text" {
                            prompt.extend(value.string());
                        }
                    });
                });
            }
        }
        _ => {}
    });
    if is_command && typed && !words::is_injected(&prompt) { prompt } else { Texts::default() }
}

fn titled<'p>(value: &mut JsonCursor<'p>, source: TitleSource) -> Option<Title<'p>> {
    value.text().map(|text| Title { text: text.into(), source })
}

/// The words of an error: a string, or the innermost message of an object.
fn error<'p>(value: &mut JsonCursor<'p>) -> Option<JsonStr<'p>> {
    if value.is_string() {
        return value.text();
    }
    let (mut message, mut inner) = (None, None);
    value.object(|key, value| match key {
        "message" | "code" if message.is_none() || key == "message" => message = value.text(),
        "error" | "cause" => {
            value.object(|key, value| match key {
                "message" | "code" => inner = value.text().or(inner),
                "error" => value.object(|key, value| {
                    if key == "message" {
                        inner = value.text();
                    }
                }),
                _ => {}
            });
        }
        _ => {}
    });
    inner.or(message)
}

/// What Claude Code says of calls and results.
const CLAUDE: Dialect = Dialect { add_call: calls::add_call, weigh: results::weigh };
/// The model of messages that the program made itself.
pub(super) const SYNTHETIC: &str = "<synthetic>";

#[cfg(test)]
mod tests;
