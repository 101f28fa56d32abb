//! Which format a file has, by how it begins.

use std::io::{self, Read};
use std::path::Path;

use serde::de::IgnoredAny;
use serde_json::StreamDeserializer;
use serde_json::de::SliceRead;

use crate::formats::Format;
use crate::formats::mapping;
use crate::json::Cursor;

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    Lines(Format),
    /// It is one JSON document, not lines; and why so.
    Document(String),
}

/// Reads the beginning of a file, to know it by.
pub(crate) fn read_head(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// What a file with this name that begins so is. Lines of which none says its
/// format are taken for transcripts, which keep everything.
pub(crate) fn recognise(path: &Path, head: &[u8]) -> Recognised {
    if let Some(reason) = document(head) {
        return Recognised::Document(reason);
    }
    let engram = path.parent().and_then(Path::file_name).is_some_and(|name| name == ".engram");
    if engram {
        return Recognised::Lines(Format::Engram);
    }
    let mut lines = head.split(|byte| *byte == b'\n').take(LINES_LOOKED_AT);
    Recognised::Lines(lines.find_map(of_line).unwrap_or(Format::ClaudeCode))
}

/// Why a file that begins so is a document and not lines.
fn document(head: &[u8]) -> Option<String> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let is_array = text.starts_with(b"[");
    if !is_array && !text.starts_with(b"{") {
        return None;
    }
    let whole = (head.len() as u64) < HEAD_BYTES;
    let mut values: StreamDeserializer<'_, _, IgnoredAny> =
        StreamDeserializer::new(SliceRead::new(text));
    let (value, rest) = match values.next()? {
        Ok(_) => text.split_at(values.byte_offset()),
        // It goes on behind what was read, or was cut.
        Err(error) if error.is_eof() => (text.trim_ascii_end(), &b""[..]),
        Err(_) => return None,
    };
    let lines = value.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let lines = lines.take(3).count();
    // Lines of which one was cut would not be sound as one value for long.
    let complete = !rest.is_empty() || serde_json::from_slice::<IgnoredAny>(value).is_ok();
    let over_lines = lines > 2 || (lines == 2 && complete);
    let lone_array = is_array && complete && rest.trim_ascii().is_empty() && whole;
    let endless_array = is_array && !complete && !whole;
    if !over_lines && !lone_array && !endless_array {
        return None;
    }
    let found = if is_array { "an array" } else { "an object over several lines" };
    Some(format!(
        "expected lines with an object each, found {found}; write each of its objects on a line \
         of its own (`jq -c '.[]'` or `jq -c .`)"
    ))
}

/// The format that a line is of, if it says so.
fn of_line(line: &[u8]) -> Option<Format> {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&line[..error.valid_up_to()]).ok()?,
    };
    let signs = Signs::of(text.trim_start_matches('\u{feff}'));
    signs.format()
}

/// Keys and values by which formats differ.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a sign of its own")]
struct Signs {
    hook: bool,
    session_id: bool,
    codex: bool,
    instructions: bool,
    payload: bool,
    dotted_type: bool,
    data: bool,
    parent_id: bool,
    id: bool,
    uuid: bool,
    claude: bool,
    known_type: bool,
    tasks: bool,
    other_id: bool,
    other_parent: bool,
    kind: bool,
    time: bool,
}

impl Signs {
    fn of(object: &str) -> Self {
        let mut signs = Self::default();
        Cursor::new(object).object(|key, value| match key {
            "hook_event_name" => signs.hook = true,
            "session_id" => signs.session_id = true,
            "record_type" => signs.codex |= value.text().is_some_and(|v| v.decode() == "state"),
            "instructions" => signs.instructions = true,
            "payload" => signs.payload = value.is_object(),
            "data" => signs.data = value.is_object(),
            "source_task" | "target_task" => signs.tasks = true,
            "uuid" => signs.uuid = true,
            _ if CLAUDE_KEYS.contains(&key) => signs.claude = true,
            "type" => signs.line_type(value),
            _ => {
                signs.parent_id |= key == "parentId";
                signs.id |= key == "id";
                signs.other_id |= mapping::IDS.contains(&key);
                signs.other_parent |= mapping::PARENTS.contains(&key);
                signs.kind |= mapping::KINDS.contains(&key);
                signs.time |= mapping::TIMES.contains(&key);
            }
        });
        signs
    }

    fn line_type(&mut self, value: &mut Cursor<'_>) {
        self.kind = true;
        let Some(text) = value.text() else { return };
        let text = text.decode();
        self.codex |= CODEX_TYPES.contains(&&*text);
        self.dotted_type = text.contains('.');
        self.known_type = CLAUDE_TYPES.contains(&&*text);
    }

    /// Whether this is how the older rollouts begin.
    fn is_codex_head(&self) -> bool {
        self.instructions && self.id && self.time && !self.kind
    }

    fn format(&self) -> Option<Format> {
        if self.hook && self.session_id {
            Some(Format::Hook)
        } else if self.codex && !self.claude && !self.uuid || self.is_codex_head() {
            Some(Format::Codex)
        } else if self.dotted_type && self.data && (self.parent_id || self.id) {
            Some(Format::Copilot)
        } else if self.claude || self.known_type && !self.other_id && !self.other_parent {
            Some(Format::ClaudeCode)
        } else if self.uuid {
            Some(if self.other_parent { Format::Ndjson } else { Format::ClaudeCode })
        } else if self.tasks && self.time {
            Some(Format::Engram)
        } else if self.other_id || self.other_parent || self.kind && self.time {
            Some(Format::Ndjson)
        } else {
            None
        }
    }
}

/// Keys that transcripts of Claude Code alone have.
const CLAUDE_KEYS: &[&str] = &[
    "parentUuid",
    "logicalParentUuid",
    "leafUuid",
    "isSidechain",
    "messageId",
    "snapshot",
    "toolUseResult",
    "sourceToolAssistantUUID",
    "isApiErrorMessage",
    "userType",
    "gitBranch",
];
/// Types of lines that those have.
const CLAUDE_TYPES: &[&str] = &[
    "user",
    "assistant",
    "system",
    "progress",
    "summary",
    "file-history-snapshot",
    "queue-operation",
    "custom-title",
];
const CODEX_TYPES: &[&str] =
    &["session_meta", "response_item", "event_msg", "turn_context", "compacted"];

/// How much of a file is looked at to know it.
const HEAD_BYTES: u64 = 64 << 10;
/// Lines that may say nothing.
const LINES_LOOKED_AT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Recognised {
        recognise(Path::new("/x/events.jsonl"), head.as_bytes())
    }

    #[test]
    fn a_format_is_known_by_its_lines() {
        for (head, format) in [
            ("", Format::ClaudeCode),
            ("{}\nx\n", Format::ClaudeCode),
            (r#"{"uuid":"a"}"#, Format::ClaudeCode),
            (r#"{"type":"summary","leafUuid":"l"}"#, Format::ClaudeCode),
            (r#"{"type":"user","message":{},"uuid":"a","sessionId":"s"}"#, Format::ClaudeCode),
            (r#"{"parentUuid":null,"uuid":"a","message":{"content":"cut of"#, Format::ClaudeCode),
            (r#"{"timestamp":"t","type":"session_meta","payload":{"id":"s"}}"#, Format::Codex),
            (r#"{"id":"s","timestamp":"t","instructions":null}"#, Format::Codex),
            (r#"{"record_type":"state"}"#, Format::Codex),
            (
                r#"{"type":"session.start","data":{},"id":"a","timestamp":"t","parentId":null}"#,
                Format::Copilot,
            ),
            (r#"{"session_id":"s","hook_event_name":"Stop"}"#, Format::Hook),
            (r#"{"id":"e","kind":"k","source_task":"t","timestamp":"t"}"#, Format::Engram),
            (r#"{"id":"a","parent":"b"}"#, Format::Ndjson),
            (r#"{"uuid":"a","caused_by":"b"}"#, Format::Ndjson),
            (r#"{"ts":1,"type":"user","id":"a"}"#, Format::Ndjson),
            ("nothing\n{\"a\":1}\n{\"span_id\":\"a\"}", Format::Ndjson),
        ] {
            assert_eq!(of(head), Recognised::Lines(format), "{head}");
        }
        let tasks = recognise(Path::new("/x/.engram/items.jsonl"), br#"{"id":"t","title":"x"}"#);
        assert_eq!(tasks, Recognised::Lines(Format::Engram));
    }

    #[test]
    fn documents_are_told_from_lines() {
        for head in [
            "[]",
            "[{\"uuid\":\"a\"}]\n",
            "[\n{\"uuid\":\"a\"},\n{\"uuid\":\"b\"}\n]\n",
            "{\n  \"uuid\": \"a\"\n}\n",
            "\u{feff}{\n  \"a\": {\n  \"b\": 1,\n",
            "{\n}\n{\n}\n",
        ] {
            assert!(matches!(of(head), Recognised::Document(_)), "{head}");
        }
        for head in [
            "{\"uuid\":\"a\"}\n",
            "{\"uuid\":\"a\"} {\"uuid\":\"b\"}\n{\"uuid\":\"c\"}",
            "[1]\n{\"uuid\":\"a\"}\n",
            "{\"a\":[1,\n{\"uuid\":\"b\"}\n{\"uuid\":\"c\"}\n",
            "{\"a\":\n{\"uuid\":\"b\"}\n",
            "{\"a\":\"cut\n{\"uuid\":\"b\"}\n",
            "[1,2",
            "x",
        ] {
            assert!(matches!(of(head), Recognised::Lines(_)), "{head}");
        }
        let endless = format!("[{}", "1,".repeat(HEAD_BYTES as usize));
        let head = read_head(endless.as_bytes()).unwrap();
        assert!(matches!(recognise(Path::new("x"), &head), Recognised::Document(_)));
        let long_line = format!("{{\"uuid\":\"{}\"}}", "x".repeat(HEAD_BYTES as usize));
        let head = read_head(long_line.as_bytes()).unwrap();
        assert_eq!(recognise(Path::new("x"), &head), Recognised::Lines(Format::ClaudeCode));
    }
}
