//! What a line of an event log reads as, from its bytes alone.

use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    Access, Call, CallFamily, CallResult, FileUse, Interruption, Payload, PayloadReader, Reading,
    Role, Text, Texts, Title, TitleSource,
};

use crate::formats::common::values::is;

/// Reads lines of event logs.
#[derive(Debug)]
pub(super) struct EventLogReader;

impl PayloadReader for EventLogReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let (mut kind, mut data) = (None, Data::default());
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "type" => kind = value.text(),
            "agentId" => data.is_agent = value.is_string(),
            "data" => value.object(|key, value| data.member(key, value)),
            _ => {}
        });
        kind.map_or_else(Reading::default, |kind| data.reading(&kind.decode()))
    }

    fn is_of(&self, payload: &Payload<'_>) -> bool {
        let (mut is_dotted, mut has_data) = (false, false);
        JsonCursor::new(payload.text()).object(|key, value| match key {
            "type" => is_dotted = value.text().is_some_and(|kind| kind.decode().contains('.')),
            "data" => has_data = value.is_object(),
            _ => {}
        });
        is_dotted && has_data
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&["the", "agent", "session", "failed", "shut", "down", "by", "an", "error"])
    }
}

/// What was found in a line's data.
#[derive(Debug, Default)]
struct Data<'p> {
    is_agent: bool,
    content: Option<JsonStr<'p>>,
    thinking: Option<JsonStr<'p>>,
    source: Option<JsonStr<'p>>,
    model: Option<JsonStr<'p>>,
    requests: Vec<Call<'p>>,
    call_id: Option<JsonStr<'p>>,
    tool: Option<JsonStr<'p>>,
    arguments: Option<&'p str>,
    failed: bool,
    result: Texts<'p>,
    error: Option<JsonStr<'p>>,
    error_code: Option<JsonStr<'p>>,
    exit_code: Option<i64>,
    reason: Option<JsonStr<'p>>,
    message: Option<JsonStr<'p>>,
    title: Option<JsonStr<'p>>,
    summary: Option<JsonStr<'p>>,
    cwd: Option<JsonStr<'p>>,
    path: Option<JsonStr<'p>>,
    shutdown: Option<JsonStr<'p>>,
    duration_ms: Option<u64>,
}

impl<'p> Data<'p> {
    fn member(&mut self, key: &str, value: &mut JsonCursor<'p>) {
        match key {
            "content" => self.content = value.text(),
            "reasoningText" => self.thinking = value.text(),
            "source" => self.source = value.text(),
            "model" | "newModel" | "selectedModel" => self.model = value.text(),
            "toolRequests" => value.array(|request| self.requests.extend(requested(request))),
            "toolCallId" => self.call_id = value.text(),
            "toolName" => self.tool = value.text(),
            "arguments" => self.arguments = Some(value.raw()),
            "success" => self.failed = value.is_false(),
            "result" => {
                if value.is_string() {
                    self.result.extend(value.text());
                }
                value.object(|key, value| {
                    if key == "content" {
                        self.result.extend(value.text());
                    }
                });
            }
            "error" => {
                if value.is_string() {
                    self.error = value.text();
                }
                value.object(|key, value| match key {
                    "message" => self.error = value.text(),
                    "code" => self.error_code = value.text(),
                    _ => {}
                });
            }
            "exitCode" => self.exit_code = self.exit_code.or(value.integer()),
            "toolTelemetry" => value.object(|key, value| {
                if key == "metrics" {
                    value.object(|key, value| match key {
                        "exit_code" | "exitCode" => {
                            self.exit_code = value.integer().or(self.exit_code);
                        }
                        _ => {}
                    });
                }
            }),
            "reason" => self.reason = value.text(),
            "message" => self.message = value.text(),
            "title" => self.title = value.text(),
            "summaryContent" | "summary" => self.summary = value.text(),
            "context" => value.object(|key, value| {
                if key == "cwd" {
                    self.cwd = value.text();
                }
            }),
            "path" => self.path = value.text(),
            "shutdownType" => self.shutdown = value.text(),
            "durationMs" => self.duration_ms = value.number(),
            _ => {}
        }
    }

    fn reading(self, kind: &str) -> Reading<'p> {
        let mut reading = Reading { bookkeeping: true, ..Reading::default() };
        reading.model = self.model.map(Into::into);
        reading.cwd = self.cwd.map(Into::into);
        match kind {
            "user.message" => {
                let typed =
                    !self.is_agent && self.source.is_none_or(|source| source.decode() == "user");
                reading.role = Some(if typed { Role::User } else { Role::System });
                reading.bookkeeping = !typed;
                reading.text.extend(self.content);
            }
            "assistant.message" => {
                reading.role = Some(Role::Assistant);
                reading.bookkeeping = false;
                reading.text.extend(self.content);
                reading.thinking.extend(self.thinking);
                // What it asks for is told again as each call begins.
            }
            "assistant.reasoning" => {
                reading.role = Some(Role::Assistant);
                reading.bookkeeping = false;
                reading.thinking.extend(self.content);
            }
            "tool.execution_start" | "tool.user_requested" => {
                let by_user = kind == "tool.user_requested";
                reading.role = Some(if by_user { Role::User } else { Role::Assistant });
                reading.bookkeeping = by_user;
                reading.calls.push(call(self.call_id, self.tool, self.arguments));
            }
            "tool.execution_complete" => {
                reading.role = Some(Role::Tool);
                reading.bookkeeping = false;
                reading.results.push(self.result());
            }
            "subagent.failed" => {
                reading.role = Some(Role::System);
                reading.bookkeeping = false;
                reading.error = Some(self.error.map_or("the agent failed".into(), Into::into));
            }
            "subagent.started" | "subagent.completed" => reading.bookkeeping = false,
            "session.error" => {
                reading.role = Some(Role::System);
                reading.bookkeeping = false;
                let words = self.message.or(self.error);
                reading.error = Some(words.map_or("the session failed".into(), Into::into));
            }
            "abort" => {
                reading.bookkeeping = false;
                let by_user = self.reason.is_none_or(|reason| {
                    let reason = reason.decode().to_ascii_lowercase();
                    reason.starts_with("user") || reason == "remote_command"
                });
                if by_user {
                    reading.interruption = Some(Interruption::Stopped);
                } else {
                    reading.error = self.reason.map(Into::into);
                }
            }
            "session.shutdown" if is(self.shutdown, "error") => {
                reading.bookkeeping = false;
                reading.error =
                    Some(self.reason.map_or("shut down by an error".into(), Into::into));
            }
            "session.compaction_complete" => {
                reading.role = Some(Role::System);
                reading.summary = self.summary.map(Into::into);
            }
            "session.task_complete" => reading.text.extend(self.summary),
            "session.title_changed" => {
                reading.title = self
                    .title
                    .map(|text| Title { text: text.into(), source: TitleSource::Summary });
            }
            "session.workspace_file_changed" => {
                let path = self.path.map(Text::from);
                reading.files.extend(path.map(|path| FileUse { path, access: Access::Written }));
            }
            _ => reading.text.extend(self.message.or(self.content)),
        }
        reading
    }

    /// A command that failed is told of as a success, with its exit code beside that or on
    /// the last line of what it gave.
    fn result(self) -> CallResult<'p> {
        let exit_code = self.exit_code.or_else(|| last_line_code(&self.result));
        let refused = self.error_code.is_some_and(|code| {
            matches!(&*code.decode(), "denied" | "rejected") || code.decode().starts_with("denied-")
        });
        let stopped = self.error_code.is_some_and(|code| {
            matches!(&*code.decode(), "aborted" | "cancelled" | "canceled" | "interrupted")
        });
        let interruption = if refused {
            Some(Interruption::Refused)
        } else {
            stopped.then_some(Interruption::Stopped)
        };
        let mut text = self.result;
        if text.is_empty() {
            text.extend(self.error);
        }
        CallResult {
            call_id: self.call_id.map(Into::into),
            text,
            is_error: self.failed,
            exit_code,
            duration_ns: self.duration_ms.and_then(|ms| ms.checked_mul(1_000_000)),
            interruption,
            mishap: None,
        }
    }
}

/// `<exited with exit code 1>` or `<shellId: 0 completed with exit code 1>`, alone on the
/// last line.
fn last_line_code(text: &Texts<'_>) -> Option<i64> {
    let whole = text.to_string();
    let line = whole.trim_end().lines().next_back()?;
    let line = line.strip_prefix('<')?.strip_suffix('>')?;
    let (start, code) = line.split_once(" with exit code ")?;
    let is_end =
        start == "exited" || start.starts_with("shellId: ") && start.ends_with("completed");
    if is_end { code.parse().ok() } else { None }
}

/// A call that a message asks for.
fn requested<'p>(request: &mut JsonCursor<'p>) -> Option<Call<'p>> {
    let (mut id, mut name, mut arguments) = (None, None, None);
    request.object(|key, value| match key {
        "toolCallId" => id = value.text(),
        "name" => name = value.text(),
        "arguments" => arguments = Some(value.raw()),
        _ => {}
    });
    Some(call(Some(id?), name, arguments))
}

fn call<'p>(
    id: Option<JsonStr<'p>>,
    tool: Option<JsonStr<'p>>,
    arguments: Option<&'p str>,
) -> Call<'p> {
    let mut best: Option<(usize, String)> = None;
    let mut take = |input: &str| {
        JsonCursor::new(input).object(|key, value| {
            let rank = TARGETS.iter().position(|name| *name == key).unwrap_or(TARGETS.len());
            if let Some(text) = value.text()
                && best.as_ref().is_none_or(|(known, _)| rank < *known)
            {
                best = Some((rank, text.decode().into_owned()));
            }
        });
    };
    // Arguments may be JSON in a string.
    let text = arguments.and_then(|arguments| JsonCursor::new(arguments).string());
    match text {
        Some(text) => take(&text.decode()),
        None => take(arguments.unwrap_or_default()),
    }
    Call {
        id: id.map(Into::into),
        family: tool.map_or(CallFamily::Other, |tool| family(&tool.decode())),
        tool: tool.map(Into::into),
        input: text.map(Text::from).or(arguments.map(Text::from)),
        target: best.map(|(_, text)| text.into()),
        cwd: None,
    }
}

fn family(tool: &str) -> CallFamily {
    match tool {
        "bash" | "powershell" | "read_bash" | "write_bash" => CallFamily::Shell,
        "view" | "read_file" => CallFamily::Read,
        "edit" | "create" | "str_replace_editor" | "apply_patch" => CallFamily::Edit,
        "grep" | "glob" | "rg" => CallFamily::Search,
        "web_fetch" | "web_search" => CallFamily::Web,
        "task" | "read_agent" => CallFamily::Agent,
        "skill" => CallFamily::Skill,
        "update_todo" | "report_intent" => CallFamily::Plan,
        "ask_user" | "exit_plan_mode" => CallFamily::Question,
        _ => CallFamily::Other,
    }
}

/// Fields of inputs, those first that say best what a call is about.
const TARGETS: [&str; 10] = [
    "command",
    "path",
    "file_path",
    "pattern",
    "query",
    "url",
    "description",
    "skill",
    "intent",
    "prompt",
];

#[cfg(test)]
mod tests {
    use super::*;
    use forebear_readings::failure;

    fn read(kind: &str, data: &str) -> Reading<'static> {
        let line = format!(r#"{{"type":"{kind}","id":"e","data":{data}}}"#);
        // Leaked: the test reads it at its leisure.
        let line: &'static str = line.leak();
        EventLogReader.read(&Payload::new("any", line.as_bytes()))
    }

    #[test]
    fn exit_codes_stand_beside_success() {
        for (data, expected) in [
            (r#"{"success":true,"toolTelemetry":{"metrics":{"exit_code":1}}}"#, Some(Some(1))),
            (
                r#"{"success":true,"result":{"content":"bad\n<shellId: 0 completed with exit code 2>"}}"#,
                Some(Some(2)),
            ),
            (r#"{"success":true,"result":{"content":"<exited with exit code 3>\nbut"}}"#, None),
            (r#"{"success":true,"toolTelemetry":{"metrics":{"exit_code":0}}}"#, None),
            (r#"{"success":false}"#, Some(None)),
            (r#"{"success":false,"error":{"code":"denied","message":"no"}}"#, None),
            (r#"{"success":true}"#, None),
        ] {
            let reading = read("tool.execution_complete", data);
            let found = failure("tool_result", &reading).map(|failure| failure.exit_code);
            assert_eq!(found, expected, "{data}");
        }
    }

    #[test]
    fn words_calls_and_ends() {
        let user = read("user.message", r#"{"content":"go"}"#);
        assert_eq!((user.role, user.text.to_string()), (Some(Role::User), "go".into()));
        assert_eq!(
            read("user.message", r#"{"content":"x","source":"skill-a"}"#).role,
            Some(Role::System)
        );
        let call = read(
            "tool.execution_start",
            r#"{"toolCallId":"c","toolName":"bash","arguments":{"command":"go vet"}}"#,
        );
        assert_eq!(call.calls[0].target, Some(Text::from("go vet")));
        let call = read(
            "tool.execution_start",
            r#"{"toolCallId":"c","toolName":"bash","arguments":"{\"command\":\"ls\"}"}"#,
        );
        assert_eq!(
            (call.calls[0].family, &call.calls[0].target),
            (CallFamily::Shell, &Some(Text::from("ls")))
        );
        for (reason, stopped) in
            [("user_initiated", true), ("User cancelled", true), ("tool_failure", false)]
        {
            let abort = read("abort", &format!(r#"{{"reason":"{reason}"}}"#));
            assert_eq!(abort.interruption.is_some(), stopped, "{reason}");
        }
        assert!(read("session.idle", "{}").bookkeeping);
        assert!(read("session.error", r#"{"message":"no"}"#).error.is_some());
    }
}
