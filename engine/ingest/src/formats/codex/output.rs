//! Outputs of tools: what their headers say came of a call.
//!
//! What a command printed stands behind the header and is never looked at.

use std::borrow::Cow;
use std::time::Duration;

use forebear_readings::json::{JsonCursor, JsonStr, Scalar};
use forebear_readings::{CallResult, Interruption, Mishap, Text, Texts};

/// What an output says came of a call.
#[derive(Debug, Default)]
pub(super) struct CallOutput<'p> {
    pub(super) text: Texts<'p>,
    pub(super) is_error: bool,
    pub(super) exit_code: Option<i64>,
    pub(super) duration_ns: Option<u64>,
    pub(super) interruption: Option<Interruption>,
    pub(super) mishap: Option<Mishap>,
    /// The session that the command goes on in.
    pub(super) runs_on: Option<String>,
}

impl<'p> CallOutput<'p> {
    /// Reads the output here: a string, content items, or an object with `content` and
    /// `success`.
    pub(super) fn read(value: &mut JsonCursor<'p>) -> Self {
        let mut text = Texts::default();
        let mut failed = false;
        if let Some(string) = value.string() {
            text.push(string);
        } else if value.is_array() {
            items(value, &mut text);
        } else {
            value.object(|key, value| match key {
                "success" => failed = value.is_false(),
                "content" | "body" => {
                    if let Some(string) = value.string() {
                        text.push(string);
                    } else {
                        items(value, &mut text);
                    }
                }
                _ => {}
            });
        }
        let mut output = Self::of(text);
        output.is_error |= failed && output.interruption.is_none();
        output
    }

    /// What these words say.
    pub(super) fn of(text: Texts<'p>) -> Self {
        let mut output = Self { text, ..Self::default() };
        if output.text.begins("{") {
            output.take_json();
        } else {
            let start = output.text.start(HEADER_BYTES).into_owned();
            output.take_header(&start);
        }
        output
    }

    pub(super) fn result(self, call_id: Option<Text<'p>>) -> CallResult<'p> {
        CallResult {
            call_id,
            text: self.text,
            is_error: self.is_error,
            exit_code: self.exit_code,
            duration_ns: self.duration_ns,
            interruption: self.interruption,
            mishap: self.mishap,
        }
    }

    /// `{"output":"…","metadata":{"exit_code":1,"duration_seconds":1.2}}`.
    fn take_json(&mut self) {
        let whole = self.text.to_string();
        let (mut text, mut metadata) = (None, false);
        let (mut exit_code, mut seconds) = (None, None);
        JsonCursor::new(whole.trim()).object(|key, value| match key {
            "output" => text = value.string().map(|text| text.decode().into_owned()),
            "metadata" => value.object(|key, value| match key {
                "exit_code" => {
                    exit_code = value.integer();
                    metadata = true;
                }
                "duration_seconds" => seconds = number(value),
                _ => {}
            }),
            _ => {}
        });
        if !metadata {
            return;
        }
        self.exit_code = exit_code;
        self.duration_ns = seconds.and_then(nanoseconds);
        if let Some(text) = text {
            if text.starts_with(ABORTED) {
                self.interruption = Some(Interruption::Stopped);
            }
            self.text = Texts::from(text);
        }
    }

    fn take_header(&mut self, start: &str) {
        let start = start.trim_start();
        for (words, interruption) in STOPPED {
            if start.starts_with(words) {
                self.interruption = Some(interruption);
                return;
            }
        }
        if let Some(mishap) = FAILED.iter().find(|(words, _)| start.starts_with(words)) {
            (self.is_error, self.mishap) = (true, mishap.1);
            return;
        }
        if let Some(rest) = start.strip_prefix("command timed out after ")
            && rest.starts_with(|c: char| c.is_ascii_digit())
        {
            (self.is_error, self.exit_code) = (true, Some(TIMED_OUT));
            return;
        }
        for line in start.lines() {
            if !self.take_header_line(line) {
                break;
            }
        }
    }

    /// Takes over a line of the header; false where it is none, and the header has ended.
    fn take_header_line(&mut self, line: &str) -> bool {
        if let Some(code) = line
            .strip_prefix("Exit code: ")
            .or_else(|| line.strip_prefix("Process exited with code "))
        {
            self.exit_code = code.trim().parse().ok();
            return self.exit_code.is_some();
        }
        if let Some(session) = line.strip_prefix("Process running with session ID ") {
            self.runs_on = Some(session.trim().to_owned());
            return true;
        }
        if let Some(seconds) =
            line.strip_prefix("Wall time: ").or_else(|| line.strip_prefix("Wall time "))
        {
            let seconds = seconds.split(' ').next().and_then(|seconds| seconds.parse().ok());
            self.duration_ns = seconds.and_then(nanoseconds);
            return seconds.is_some();
        }
        if let Some(rest) = line.strip_prefix("Script ") {
            self.is_error |= rest == "failed";
            if let Some(cell) = rest.strip_prefix("running with cell ID ") {
                self.runs_on = Some(cell.trim().to_owned());
            }
            return true;
        }
        if line.starts_with(ABORTED) && self.duration_ns.is_some() {
            self.interruption = Some(Interruption::Stopped);
            return false;
        }
        ["Chunk ID: ", "Total output lines: ", "Original token count: ", "Command: "]
            .iter()
            .any(|start| line.starts_with(start))
    }
}

/// Adds the texts of content items.
fn items<'p>(value: &mut JsonCursor<'p>, text: &mut Texts<'p>) {
    value.array(|item| {
        item.object(|key, value| {
            if key == "text" {
                text.extend(value.string());
            }
        });
    });
}

/// The number here, with a fraction.
pub(super) fn number(value: &mut JsonCursor<'_>) -> Option<f64> {
    match value.scalar()? {
        Scalar::Number(text) => text.parse().ok(),
        _ => None,
    }
}

/// `{"secs":1,"nanos":5}`, or a text as `1.5s`.
pub(super) fn duration(value: &mut JsonCursor<'_>) -> Option<u64> {
    if let Some(text) = value.text() {
        let text: Cow<'_, str> = JsonStr::decode(text);
        return text.strip_suffix('s')?.parse().ok().and_then(nanoseconds);
    }
    let (mut seconds, mut nanos) = (None, 0);
    value.object(|key, value| match key {
        "secs" => seconds = value.number(),
        "nanos" => nanos = value.number().unwrap_or(0),
        _ => {}
    });
    Some(seconds?.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Of negative and absurd durations nothing is said.
fn nanoseconds(seconds: f64) -> Option<u64> {
    Duration::try_from_secs_f64(seconds).ok()?.as_nanos().try_into().ok()
}

/// How much of an output a header may take.
const HEADER_BYTES: usize = 2048;
/// The exit code of a command that took too long.
const TIMED_OUT: i64 = 124;
const ABORTED: &str = "aborted by user";

/// What a whole output begins with where a call was not made or stopped.
const STOPPED: [(&str, Interruption); 7] = [
    (ABORTED, Interruption::Stopped),
    ("command aborted by user", Interruption::Stopped),
    ("exec command rejected by user", Interruption::Refused),
    ("patch rejected by user", Interruption::Refused),
    ("rejected by user", Interruption::Refused),
    ("This action was rejected", Interruption::Refused),
    ("tool call rejected by user", Interruption::Refused),
];

/// What a whole output begins with where a call failed without an exit code.
const FAILED: [(&str, Option<Mishap>); 14] = [
    ("apply_patch verification failed", None),
    ("write_stdin failed", None),
    ("exec_command failed", None),
    ("collab spawn failed", None),
    ("failed to parse function arguments", Some(Mishap::BadInput)),
    ("unsupported call", Some(Mishap::Unknown)),
    ("unsupported custom tool call", Some(Mishap::Unknown)),
    ("unknown tool", Some(Mishap::Unknown)),
    ("execution error", None),
    ("failed in sandbox", None),
    ("tool call error", None),
    ("Mcp error", None),
    ("MCP error", None),
    ("error: ", None),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> CallOutput<'_> {
        CallOutput::of(Texts::from(text))
    }

    fn failed(output: &CallOutput<'_>) -> bool {
        output.interruption.is_none()
            && (output.is_error || output.exit_code.is_some_and(|code| code != 0))
    }

    #[test]
    fn exit_codes_are_read_from_headers_alone() {
        for (text, code) in [
            ("Exit code: 7\nWall time: 0.5 seconds\nOutput:\nx", Some(7)),
            ("Exit code: 0\nWall time: 1 seconds\nOutput:\nExit code: 1", Some(0)),
            (
                "Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 2\nOutput:\nbad",
                Some(2),
            ),
            ("Wall time: 0.1 seconds\nProcess exited with code -1\nOutput:\n", Some(-1)),
            (
                "Wall time: 0.1 seconds\nProcess exited with code 0\nOriginal token count: 4\nOutput:\nProcess exited with code 1",
                Some(0),
            ),
            ("the log says:\nProcess exited with code 1", None),
            ("Output:\nProcess exited with code 1", None),
            (r#"{"output":"x","metadata":{"exit_code":1,"duration_seconds":1.5}}"#, Some(1)),
            (r#"{"output":"Exit code: 1","metadata":{"exit_code":0}}"#, Some(0)),
            (r#"{"exit_code":1}"#, None),
            ("command timed out after 1000 milliseconds", Some(124)),
            ("", None),
        ] {
            assert_eq!(of(text).exit_code, code, "{text}");
        }
        assert_eq!(of("Wall time: 1.5 seconds\nOutput:").duration_ns, Some(1_500_000_000));
        assert_eq!(
            of("Wall time: 1 seconds\nProcess running with session ID 5\nOutput:\n").runs_on,
            Some("5".to_owned())
        );
    }

    #[test]
    fn failures_without_a_code_and_what_the_user_stopped() {
        for (text, expected) in [
            ("apply_patch verification failed: no such line", true),
            ("write_stdin failed: Unknown process id 1", true),
            ("failed to parse function arguments: missing field", true),
            ("unsupported call: x", true),
            ("Script failed\nWall time 0.1 seconds\nOutput:\n", true),
            ("aborted by user after 5.0s", false),
            ("Wall time: 3.1 seconds\naborted by user", false),
            ("exec command rejected by user", false),
            ("patch rejected by user", false),
            ("fine, apply_patch verification failed before", false),
        ] {
            assert_eq!(failed(&of(text)), expected, "{text}");
        }
        assert_eq!(
            of("Wall time: 3.1 seconds\naborted by user").interruption,
            Some(Interruption::Stopped)
        );
        let json = r#"{"content":"x","success":false}"#;
        assert!(CallOutput::read(&mut JsonCursor::new(json)).is_error);
        let items = r#"[{"type":"input_text","text":"Exit code: 3\nOutput:\n"}]"#;
        assert_eq!(CallOutput::read(&mut JsonCursor::new(items)).exit_code, Some(3));
    }
}
