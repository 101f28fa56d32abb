//! The formats that a process reads, and which of them a file is of.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use forebear_core::{Error, Result};
use forebear_readings::Readings;
use serde::de::IgnoredAny;
use serde_json::StreamDeserializer;
use serde_json::de::SliceRead;

use crate::adapter::{Adapter, Confidence, Unit, takes_lines};
use crate::formats;
use crate::read::sniff::not_text;

/// The formats that a process reads.
///
/// The default has all formats that were compiled in. A file is read by the adapter that
/// is surest of its path, else by the one surest of the first line that says anything,
/// else by the fallback; see [`Confidence`].
///
/// ```
/// use std::path::Path;
/// use forebear::ingest::Registry;
///
/// let registry = Registry::default();
/// let head = br#"{"session_id":"s","hook_event_name":"Stop"}"#;
/// assert_eq!(registry.recognise(Path::new("hooks.jsonl"), head)?.name(), "hook");
/// assert!(registry.names().any(|name| name == "codex"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    /// In the order of precedence.
    adapters: Vec<Arc<dyn Adapter>>,
    fallback: Option<String>,
}

/// What a file was taken for.
#[derive(Clone, Debug)]
pub(crate) struct Recognised {
    pub(crate) adapter: Arc<dyn Adapter>,
    /// Whether it is one JSON document, which the adapter unfolds.
    pub(crate) is_document: bool,
}

impl Recognised {
    /// As of this format, which was named, for a file that begins so.
    pub(crate) fn of(adapter: Arc<dyn Adapter>, path: &Path, head: &[u8]) -> Self {
        let text = document_text(path, head).unwrap_or_default();
        let is_document = adapter.recognise_document(text) > Confidence::No;
        Self { adapter, is_document }
    }
}

impl Registry {
    /// A registry without a format.
    ///
    /// ```
    /// use forebear::ingest::{Registry, formats};
    ///
    /// let only_codex = Registry::empty().with(formats::Codex);
    /// assert!(only_codex.names().eq(["codex"]));
    /// ```
    pub fn empty() -> Self {
        Self { adapters: Vec::new(), fallback: None }
    }

    /// Adds a format before all others, in place of one with its name.
    ///
    /// An example is at [`Adapter`].
    #[must_use]
    pub fn with(self, adapter: impl Adapter + 'static) -> Self {
        self.with_shared(Arc::new(adapter))
    }

    fn with_shared(mut self, adapter: Arc<dyn Adapter>) -> Self {
        self.adapters.retain(|known| known.name() != adapter.name());
        self.adapters.insert(0, adapter);
        self
    }

    /// Reads files of lines that no format recognises as of this one, unless another
    /// format alone [takes](Adapter::takes_file) their path. Of the default registry it
    /// is `ndjson`, which takes any lines of JSON as events; without one such a file is not
    /// read, and reported.
    #[must_use]
    pub fn fallback(mut self, name: impl Into<String>) -> Self {
        self.fallback = Some(name.into());
        self
    }

    /// The formats' names, in the order of precedence.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.adapters.iter().map(|adapter| adapter.name())
    }

    /// The format of this name. Fails where there is none ([`Error::is_invalid`]); the
    /// message has all names.
    ///
    /// ```
    /// use forebear::ingest::Registry;
    ///
    /// let error = Registry::default().find("cobol").expect_err("no such format");
    /// assert!(error.to_string().contains("claude-code"));
    /// ```
    pub fn find(&self, name: &str) -> Result<Arc<dyn Adapter>> {
        let found = self.adapters.iter().find(|adapter| adapter.name() == name);
        found.cloned().ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            Error::invalid(format!("expected a format ({}), found {name:?}", names.join(", ")))
        })
    }

    /// The name of the format that lines of no known tool are read as; see
    /// [`fallback`](Self::fallback).
    pub fn fallback_name(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The format of a file with this path that begins so: the first 64 KiB or all of it.
    /// Fails where it is no text, one JSON document and not lines, or of no format
    /// ([`Error::is_invalid`]); the message says what it is and what to do.
    pub fn recognise(&self, path: &Path, head: &[u8]) -> Result<Arc<dyn Adapter>> {
        self.recognise_file(path, head).map(|found| found.adapter)
    }

    /// As [`recognise`](Self::recognise), and whether the file is a document.
    pub(crate) fn recognise_file(&self, path: &Path, head: &[u8]) -> Result<Recognised> {
        if let Some(why) = not_text(head) {
            return Err(Error::invalid(why));
        }
        if let Some(text) = document_text(path, head)
            && let Some(adapter) = self.surest(|adapter| adapter.recognise_document(text))
        {
            return Ok(Recognised { adapter, is_document: true });
        }
        let lines = head.split(|byte| *byte == b'\n').take(HEAD_LINES);
        let mut lines = lines.filter_map(valid_start);
        let found = self
            .surest(|adapter| adapter.recognise_path(path))
            .or_else(|| lines.find_map(|line| self.surest(|adapter| adapter.recognise(line))))
            .or_else(|| self.fallback_for(path));
        if found.as_ref().is_none_or(|adapter| adapter.unit() == Unit::Object)
            && let Some(reason) = document(head)
        {
            return Err(Error::invalid(reason));
        }
        let adapter = found.ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            Error::invalid(format!(
                "expected a file of a known format ({}), found one that none recognises; name its \
                 format",
                names.join(", ")
            ))
        })?;
        Ok(Recognised { adapter, is_document: false })
    }

    /// What reads the payloads of its formats' events, by the formats' names.
    ///
    /// ```
    /// use forebear::ingest::Registry;
    /// use forebear::readings::Payload;
    ///
    /// let readings = Registry::default().readings();
    /// let payload = Payload::new("note", b"plain words");
    /// assert_eq!(readings.read(None, &payload).text.to_string(), "plain words");
    /// ```
    pub fn readings(&self) -> Readings {
        let readers = self.adapters.iter();
        let readers = readers.filter_map(|adapter| Some((adapter.name(), adapter.payloads()?)));
        readers.fold(Readings::default(), |readings, (name, reader)| readings.with(name, reader))
    }

    /// Its formats, in the order of precedence.
    pub(crate) fn adapters(&self) -> &[Arc<dyn Adapter>] {
        &self.adapters
    }

    /// Whether a file that is found in a folder may be of any of the formats.
    pub(crate) fn takes_file(&self, path: &Path) -> bool {
        self.adapters.iter().any(|adapter| adapter.takes_file(path))
    }

    /// A file that nobody takes was named, and is read whatever it is called.
    fn fallback_for(&self, path: &Path) -> Option<Arc<dyn Adapter>> {
        let fallback = self.find(self.fallback.as_deref()?).ok()?;
        (fallback.takes_file(path) || !self.takes_file(path)).then_some(fallback)
    }

    fn surest(&self, ask: impl Fn(&dyn Adapter) -> Confidence) -> Option<Arc<dyn Adapter>> {
        let answers = self.adapters.iter().map(|adapter| (ask(&**adapter), adapter));
        // Of equal ones the last is the maximum: in reverse the first in the registry.
        let (surest, adapter) = answers.rev().max_by_key(|(confidence, _)| *confidence)?;
        (surest > Confidence::No).then(|| Arc::clone(adapter))
    }
}

impl Default for Registry {
    fn default() -> Self {
        let adapters = formats::all().into_iter().rev();
        let registry = adapters.fold(Self::empty(), Self::with_shared);
        match formats::FALLBACK {
            Some(name) => registry.fallback(name),
            None => registry,
        }
    }
}

/// Reads the beginning of a file, to recognise it by.
pub(crate) fn read_head(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// A line up to what is no UTF-8, as where the head ends within a character.
fn valid_start(line: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&line[..error.valid_up_to()]).ok()?,
    };
    Some(text.trim_start_matches('\u{feff}'))
}

/// The beginning of a file that may be one JSON document: it is one value, and not the one
/// line that a file of lines has so far.
fn document_text<'h>(path: &Path, head: &'h [u8]) -> Option<&'h str> {
    let text = valid_start(head)?.trim_ascii();
    let mut values: StreamDeserializer<'_, _, IgnoredAny> =
        StreamDeserializer::new(SliceRead::new(text.as_bytes()));
    let is_one = match values.next()? {
        Ok(_) => text[values.byte_offset()..].trim_ascii().is_empty(),
        // It continues behind what was read, or was cut.
        Err(error) => error.is_eof(),
    };
    let is_line = takes_lines(path) && !text.contains('\n');
    (is_one && !is_line).then_some(text)
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
        // It continues behind what was read, or was cut.
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

/// How much of a file is read to recognise it.
const HEAD_BYTES: u64 = 64 << 10;
/// Lines that may say nothing.
const HEAD_LINES: usize = 64;

#[cfg(test)]
#[cfg(all(
    feature = "claude-code",
    feature = "codex",
    feature = "copilot",
    feature = "engram",
    feature = "hook",
    feature = "ndjson"
))]
mod tests {
    use super::*;

    fn recognise(path: &str, head: &[u8]) -> Result<String> {
        let adapter = Registry::default().recognise(Path::new(path), head)?;
        Ok(adapter.name().to_owned())
    }

    fn of(head: &str) -> Option<String> {
        recognise("/x/events.jsonl", head.as_bytes()).ok()
    }

    #[test]
    fn a_format_is_known_by_its_lines() {
        for (head, format) in [
            // What says nothing is no tool's.
            ("", "ndjson"),
            ("{}\nx\n", "ndjson"),
            (r#"{"a":1}"#, "ndjson"),
            (r#"{"uuid":"a"}"#, "claude-code"),
            (r#"{"type":"summary","leafUuid":"l"}"#, "claude-code"),
            (r#"{"type":"user","message":{},"uuid":"a","sessionId":"s"}"#, "claude-code"),
            (r#"{"parentUuid":null,"uuid":"a","message":{"content":"cut of"#, "claude-code"),
            (r#"{"timestamp":"t","type":"session_meta","payload":{"id":"s"}}"#, "codex"),
            (r#"{"id":"s","timestamp":"t","instructions":null}"#, "codex"),
            (r#"{"record_type":"state"}"#, "codex"),
            (
                r#"{"type":"session.start","data":{},"id":"a","timestamp":"t","parentId":null}"#,
                "copilot",
            ),
            (r#"{"session_id":"s","hook_event_name":"Stop"}"#, "hook"),
            (r#"{"id":"e","kind":"k","source_task":"t","timestamp":"t"}"#, "engram"),
            (r#"{"id":"a","parent":"b"}"#, "ndjson"),
            (r#"{"uuid":"a","caused_by":"b"}"#, "ndjson"),
            (r#"{"ts":1,"type":"user","id":"a"}"#, "ndjson"),
            ("nothing\n{\"a\":1}\n{\"span_id\":\"a\"}", "ndjson"),
            // Where several are meant: what says so, then keys that one alone has.
            (r#"{"session_id":"s","hook_event_name":"Stop","gitBranch":"b"}"#, "hook"),
            (r#"{"type":"compacted","payload":{},"gitBranch":"b"}"#, "claude-code"),
            (r#"{"type":"user","uuid":"a","source_task":"t","timestamp":"t"}"#, "claude-code"),
            (r#"{"uuid":"a","parent":"b","source_task":"t","timestamp":"t"}"#, "ndjson"),
        ] {
            assert_eq!(of(head), Some(format.to_owned()), "{head}");
        }
        let tasks = recognise("/x/.engram/items.jsonl", br#"{"id":"t","title":"x"}"#);
        assert_eq!(tasks.ok().as_deref(), Some("engram"));
    }

    #[test]
    fn documents_are_told_from_lines() {
        for (head, says) in [
            (&b"SQLite format 3\0"[..], "SQLite database of no known tool"),
            (b"\xff\xfe{\0", "iconv"),
            (b"\x1f\x8b\x08", "gunzip"),
        ] {
            let why = recognise("/x/events.jsonl", head).unwrap_err().to_string();
            assert!(why.contains(says), "{why}");
        }
        for head in [
            "[]",
            "[{\"uuid\":\"a\"}]\n",
            "[\n{\"uuid\":\"a\"},\n{\"uuid\":\"b\"}\n]\n",
            "{\n  \"uuid\": \"a\"\n}\n",
            "\u{feff}{\n  \"a\": {\n  \"b\": 1,\n",
            "{\n}\n{\n}\n",
        ] {
            assert_eq!(of(head), None, "{head}");
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
            assert!(of(head).is_some(), "{head}");
        }
        let endless = format!("[{}", "1,".repeat(HEAD_BYTES as usize));
        let head = read_head(endless.as_bytes()).unwrap();
        assert!(recognise("x.jsonl", &head).is_err_and(|error| error.is_invalid()));
        let long_line = format!("{{\"uuid\":\"{}\"}}", "x".repeat(HEAD_BYTES as usize));
        let head = read_head(long_line.as_bytes()).unwrap();
        assert_eq!(recognise("x.jsonl", &head).ok().as_deref(), Some("claude-code"));
    }
}
