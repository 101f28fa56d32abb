//! What a payload says, on one line.
//!
//! Only its beginning is looked at, and in a way that does not mind if it is cut
//! off or is no good JSON: a gist is a help to the eye, not an answer.

use std::collections::BTreeMap;

use std::sync::LazyLock;

use forebear::StoredEvent;
use forebear::ingest::Registry;
use forebear::readings::{Payload, Reading, Readings, TEXT_FIELDS, one_line};

use crate::json_scan::{JsonToken, KEPT_BYTES, scan};
use crate::text;

/// Bytes of a payload that are looked at.
const LOOKED_AT_BYTES: usize = 64 << 10;

/// Fields of a tool's input that say best what it is to do, the best first.
const INPUT_FIELDS: [&str; 12] = [
    "command",
    "file_path",
    "notebook_path",
    "pattern",
    "query",
    "url",
    "description",
    "subject",
    "prompt",
    "path",
    "skill",
    "text",
];

/// Fields that are text for people where nothing better is there.
const POOR_TEXT_FIELDS: [&str; 2] = ["value", "data"];

/// Fields that every line of a transcript has: they say nothing about it.
const ENVELOPE: [&str; 16] = [
    "parentUuid",
    "logicalParentUuid",
    "isSidechain",
    "userType",
    "cwd",
    "sessionId",
    "version",
    "gitBranch",
    "agentId",
    "slug",
    "uuid",
    "timestamp",
    "requestId",
    "toolUseID",
    "messageId",
    "leafUuid",
];

/// The gist of an event's payload; empty where it has none.
pub fn of_event(event: &StoredEvent) -> String {
    event.payload().map(of).unwrap_or_default()
}

/// The gist of a payload, safe to show.
pub fn of(payload: &[u8]) -> String {
    let looked_at = &payload[..payload.len().min(LOOKED_AT_BYTES)];
    let begin = looked_at.trim_ascii_start();
    let read = begin
        .starts_with(b"{")
        .then(|| of_reading(&READINGS.read(None, &Payload::new("", looked_at))));
    if let Some(gist) = read.flatten() {
        return text::clean(&one_line(&gist)).into_owned();
    }
    let gist = match begin.first() {
        None => String::new(),
        Some(b'{' | b'[' | b'"') => {
            let mut found = GistParts::default();
            scan(begin, |path, value| found.take(path, value));
            found.gist()
        }
        Some(_) => plain(begin, payload.len()),
    };
    text::clean(&one_line(&gist)).into_owned()
}

/// What a payload reads as, on a line; none where that says nothing for people.
fn of_reading(reading: &Reading<'_>) -> Option<String> {
    let start = |text: &forebear::readings::Text<'_>| text.start(KEPT_BYTES).into_owned();
    if let [result, ..] = &*reading.results {
        let text = result.text.start(KEPT_BYTES);
        // A failure's first line is often but its number.
        let text = if result.is_error { &*text } else { first_line(&text) };
        if !text.trim().is_empty() {
            return Some(text.to_owned());
        }
    }
    if let [call, ..] = &*reading.calls {
        let tool = call.tool.as_ref().map_or_else(String::new, start);
        let folder = reading.cwd.as_ref().map(start);
        return Some(match call.target.as_ref().map(start) {
            Some(target) => format!("{tool}: {}", within(&target, folder.as_deref())),
            None => tool,
        });
    }
    let title = reading.title.as_ref().map(|title| &title.text);
    let words = [&reading.text, &reading.thinking].into_iter().filter(|words| !words.is_blank());
    let words = words.map(|words| words.start(KEPT_BYTES).into_owned()).next();
    let single = [reading.error.as_ref(), title, reading.summary.as_ref()];
    let plan = reading.plan.as_ref().and_then(|plan| plan.text.as_ref());
    words
        .or_else(|| single.into_iter().flatten().chain(plan).map(start).next())
        .or_else(|| (reading.text.iter().next().is_some()).then(|| "(blank)".to_owned()))
}

/// What reads the payloads of all formats.
static READINGS: LazyLock<Readings> = LazyLock::new(|| Registry::default().readings());

/// What is no JSON: its first line, if it is text.
fn plain(bytes: &[u8], length: usize) -> String {
    let kept = &bytes[..bytes.len().min(KEPT_BYTES)];
    let binary = kept.iter().filter(|b| b.is_ascii_control() && !b.is_ascii_whitespace());
    if binary.count() * 8 > kept.len() {
        return format!("({})", text::bytes(length as u64));
    }
    first_line(&String::from_utf8_lossy(kept)).to_owned()
}

/// What was found of interest.
#[derive(Default)]
struct GistParts {
    tool: Option<String>,
    /// By rank: a tool's input, and the texts of an object that is no message.
    input: BTreeMap<usize, String>,
    texts: BTreeMap<usize, String>,
    /// Top-level fields that are not known to be texts, as `name=value`.
    fields: Vec<String>,
    result: Option<String>,
    /// Whether the result is that of a failure.
    failed: bool,
    message: Option<String>,
    thinking: Option<String>,
    error: Option<String>,
    note: Option<String>,
    progress: Vec<String>,
    attachment: Option<String>,
    /// The folder that it worked in.
    folder: Option<String>,
    /// What it calls itself.
    kind: Option<String>,
    /// Whether a message says nothing.
    blank: bool,
}

impl GistParts {
    fn take(&mut self, path: &[String], value: &JsonToken) {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let text = value.text.trim();
        if text.is_empty() {
            self.blank |= names.first() == Some(&"message");
            return;
        }
        match names.as_slice() {
            ["message", "content"] | ["message", "content", "", "text"] => {
                keep(&mut self.message, text);
            }
            ["message", "content", "", "thinking"] => keep(&mut self.thinking, text),
            ["message", "content", "", "name"] => keep(&mut self.tool, text),
            ["message", "content", "", "input", name] => {
                let rank = rank(&INPUT_FIELDS, name, value);
                self.input.entry(rank).or_insert_with(|| text.to_owned());
            }
            ["message", "content", "", "content"]
            | ["message", "content", "", "content", "", "text"]
            | ["toolUseResult"] => keep(&mut self.result, text),
            ["message", "content", "", "is_error"] => self.failed |= text == "true",
            ["message", "content", "", "type"] if matches!(text, "image" | "document") => {
                keep(&mut self.attachment, &format!("[{text}]"));
            }
            ["error"]
            | ["error", "message"]
            | ["error", "error", ..]
            | ["cause", "code" | "message"] => {
                keep(&mut self.error, text);
            }
            ["data", "type" | "hookName" | "command" | "query" | "message" | "output"]
                if self.progress.len() < 3 =>
            {
                self.progress.push(text.to_owned());
            }
            ["content" | "summary" | "customTitle" | "aiTitle" | "lastPrompt"] => {
                keep(&mut self.note, text);
            }
            ["cwd"] => keep(&mut self.folder, text),
            ["type"] => keep(&mut self.kind, text),
            ["subtype" | "operation"] => self.fields.insert(0, text.to_owned()),
            [name] if ENVELOPE.contains(name) => {}
            [name] => self.take_field(name, value),
            [_, name] => {
                if let Some(rank) = text_rank(name) {
                    let rank = TEXT_FIELDS.len() + POOR_TEXT_FIELDS.len() + rank;
                    self.texts.entry(rank).or_insert_with(|| text.to_owned());
                }
            }
            [] => keep(&mut self.note, text),
            _ => {}
        }
    }

    fn take_field(&mut self, name: &str, value: &JsonToken) {
        if let Some(rank) = text_rank(name) {
            self.texts.entry(rank).or_insert_with(|| value.text.clone());
        } else if name.is_empty() {
            // An item of a list.
            self.texts.entry(usize::MAX).or_insert_with(|| value.text.clone());
        } else if self.fields.len() < 4 && !value.text.is_empty() {
            self.fields.push(format!("{name}={}", value.text));
        }
    }

    fn gist(self) -> String {
        if let Some(tool) = self.tool {
            return match self.input.into_values().next() {
                Some(input) => format!("{tool}: {}", within(&input, self.folder.as_deref())),
                None => tool,
            };
        }
        // A failure's first line is often but its number.
        let result = self
            .result
            .map(|result| if self.failed { result } else { first_line(&result).to_owned() });
        let progress = (!self.progress.is_empty()).then(|| self.progress.join(" "));
        [result, self.message, self.thinking, self.error, self.note]
            .into_iter()
            .flatten()
            .next()
            .or(progress)
            .or(self.attachment)
            .or_else(|| self.texts.into_values().next())
            .or_else(|| self.blank.then(|| "(blank)".to_owned()))
            .or_else(|| (!self.fields.is_empty()).then(|| self.fields.join(" ")))
            .or(self.kind)
            .unwrap_or_default()
    }
}

fn keep(place: &mut Option<String>, text: &str) {
    if place.is_none() && !text.is_empty() {
        *place = Some(text.to_owned());
    }
}

/// How likely a field of any object is text for people, the likeliest first.
fn text_rank(name: &str) -> Option<usize> {
    TEXT_FIELDS.iter().chain(&POOR_TEXT_FIELDS).position(|field| *field == name)
}

/// Known names first, then other texts, then the rest.
fn rank(fields: &[&str], name: &str, value: &JsonToken) -> usize {
    fields
        .iter()
        .position(|field| *field == name)
        .unwrap_or(fields.len() + usize::from(!value.is_text))
}

/// A path without the folder that it lies in.
fn within<'p>(path: &'p str, folder: Option<&str>) -> &'p str {
    folder.and_then(|folder| path.strip_prefix(folder)?.strip_prefix(['/', '\\'])).unwrap_or(path)
}

/// The first line that says something, without the number that stands before
/// the lines of files.
fn first_line(text: &str) -> &str {
    text.lines()
        .map(|line| match line.split_once('→') {
            Some((number, rest)) if number.trim().bytes().all(|b| b.is_ascii_digit()) => rest,
            _ => line,
        })
        .map(str::trim)
        .find(|line| line.chars().any(char::is_alphanumeric))
        .unwrap_or_else(|| text.trim().lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(payload: &str, gist: &str) {
        assert_eq!(of(payload.as_bytes()), gist, "{payload}");
    }

    #[test]
    fn a_transcript_line_says_what_was_said() {
        says(r#"{"type":"user","message":{"role":"user","content":"fix\n it"}}"#, "fix it");
        says(
            r#"{"message":{"content":[{"type":"text","text":"I'll look."}]},"type":"assistant"}"#,
            "I'll look.",
        );
        says(
            r#"{"message":{"content":[{"type":"tool_use","id":"t","name":"Bash","input":{"description":"Run","command":"cargo test","timeout":3}}]}}"#,
            "Bash: cargo test",
        );
        says(
            r#"{"cwd":"/home/x","message":{"content":[{"type":"tool_use","name":"Read","input":{"file_path":"/home/x/a.rs"}}]}}"#,
            "Read: a.rs",
        );
        says(
            r#"{"message":{"content":[{"type":"tool_use","name":"Todo","input":{"todos":[{"content":"x"}]}}]}}"#,
            "Todo",
        );
        says(
            r#"{"message":{"content":[{"type":"tool_result","content":"\nfirst\nsecond"}]}}"#,
            "first",
        );
        says(
            r#"{"message":{"content":[{"type":"tool_result","content":"Exit code 1\nno","is_error":true}]}}"#,
            "Exit code 1 no",
        );
        says(
            r#"{"message":{"content":[{"type":"tool_result","content":[{"type":"text","text":"found"}]}]}}"#,
            "found",
        );
        says(r#"{"message":{"content":[{"type":"thinking","thinking":"hm"}]}}"#, "hm");
        says(r#"{"type":"summary","summary":"Mended it","leafUuid":"x"}"#, "Mended it");
        says(r#"{"type":"system","content":"Compacted","subtype":"b"}"#, "Compacted");
        says(
            r#"{"type":"system","uuid":"u","subtype":"turn_duration","durationMs":12}"#,
            "turn_duration durationMs=12",
        );
        says(r#"{"type":"queue-operation","operation":"remove","sessionId":"s"}"#, "remove");
        says(
            r#"{"type":"assistant","message":{"content":[{"type":"text","text":"\n\n"}]}}"#,
            "(blank)",
        );
        says(
            r#"{"message":{"content":[{"type":"tool_result","content":"     1→\n     2→use x;"}]}}"#,
            "use x;",
        );
        says(r#"{"error":{"status":529,"error":{"message":"Overloaded"}}}"#, "Overloaded");
        says(r#"{"data":{"type":"hook_progress","hookName":"Stop"}}"#, "hook_progress Stop");
        says(r#"{"message":{"content":[{"type":"image","source":{"data":"QUJD"}}]}}"#, "[image]");
    }

    #[test]
    fn other_payloads_say_something_too() {
        says("", "");
        says("plain words\nmore", "plain words");
        says(r#""a string""#, "a string");
        says(r#"{"level":3,"msg":"started"}"#, "started");
        says(r#"{"a":1,"b":true,"c":null}"#, "a=1 b=true");
        says(r#"["one","two"]"#, "one");
        says("12.5", "12.5");
        assert_eq!(of(&[0, 1, 2, 3, 0xff, 0xfe]), "(6 bytes)");
    }

    #[test]
    fn nonsense_and_excess_do_no_harm() {
        for payload in [
            "{",
            "[",
            "\"",
            "{\"",
            "{\"a",
            "{\"a\":",
            "{\"a\":\"\\",
            "{\"a\":\"\\u12",
            "]]]]}}}}",
            "{\"a\":\"\\ud800\\u0041\"}",
            "{,,,:::}",
            "{\"message\":{\"content\":\"cut of",
        ] {
            let _ = of(payload.as_bytes());
        }
        says("{\"message\":{\"content\":\"cut of", "cut of");
        says(r#"{"text":"\ud83d\ude00 \ud800x"}"#, "😀 �x");
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(of(deep.as_bytes()), "");
        let long = format!("{{\"text\":\"{}\"}}", "é".repeat(1_000_000));
        assert!(of(long.as_bytes()).len() <= KEPT_BYTES + 4);
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        says(r#"{"text":"\u001b[31mred\u009b0m\u202e"}"#, "␛[31mred�0m�");
        assert!(!of(b"\x1b]0;title\x07").chars().any(text::is_unsafe));
    }
}
