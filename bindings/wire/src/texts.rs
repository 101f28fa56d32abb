//! What events say, for pages that show a few of them at a time.

use forebear::readings::{Call, CallResult, Readings, Role, Text, Texts};
use forebear::{Result, Snapshot, StoredEvent};
use serde::Serialize;

use crate::redact::Redactor;
use crate::{gist, text};

/// Events that are read at most.
pub const MAX_TEXTS: usize = 200;

/// Bytes of each text unless another number is asked for.
pub const DEFAULT_TEXT_BYTES: usize = 2_000;

/// Bytes of each text at most.
pub const MAX_TEXT_BYTES: usize = 64 << 10;

/// What an event says. Secrets of known shapes are taken out, and characters that a terminal
/// would obey.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EventText {
    /// The event's sequence number.
    pub seq: u64,
    /// The event's id.
    pub id: String,
    /// On one line.
    pub gist: String,
    /// Whose words they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Said>,
    /// What was thought before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Said>,
    /// What went wrong, where it is no call's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Said>,
    /// What the words before a compaction came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Said>,
    /// The calls that it makes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallText>,
    /// The results that it gives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ResultText>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why part of it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
}

/// A text, as far as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Said {
    /// Its beginning.
    pub text: String,
    /// Whether there is more of it.
    pub more: bool,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CallText {
    /// What results name it by.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// What it is about.
    pub about: String,
    /// All that it is called with.
    pub input: Said,
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ResultText {
    /// The call.
    pub id: String,
    /// What it gave.
    pub text: Said,
    /// Whether it failed.
    pub failed: bool,
    /// Whether someone refused or stopped it.
    pub interrupted: bool,
    /// The exit code of a command.
    pub exit_code: Option<i64>,
    /// What the call took, where the result says so.
    pub took_ms: Option<u64>,
}

/// What the events with these sequence numbers say, at most [`MAX_TEXTS`] of them; those that
/// are not stored, or no longer, are left out. O(payloads).
///
/// ```
/// use forebear::Event;
/// use forebear::readings::Readings;
/// use forebear_wire::texts::texts;
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("note").payload(r#"{"msg":"started"}"#))?;
/// let said = texts(&store.snapshot(), &Readings::default(), &[1, 2], 100)?;
/// assert_eq!(said.len(), 1);
/// assert_eq!(said[0].text.as_ref().map(|said| said.text.as_str()), Some("started"));
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn texts(
    snapshot: &Snapshot,
    readings: &Readings,
    seqs: &[u64],
    max_bytes: usize,
) -> Result<Vec<EventText>> {
    let mut writing =
        Writing { secrets: Redactor::new(), max_bytes: max_bytes.min(MAX_TEXT_BYTES) };
    let mut items = Vec::new();
    for &seq in seqs.iter().take(MAX_TEXTS) {
        if !snapshot.holds(seq) {
            continue;
        }
        match snapshot.event(seq) {
            Ok(event) => items.push(writing.event(&event, readings)),
            Err(error) if error.is_damaged() => {
                items.push(EventText {
                    seq,
                    damaged: Some(error.to_string()),
                    ..EventText::default()
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(items)
}

struct Writing {
    secrets: Redactor,
    max_bytes: usize,
}

impl Writing {
    fn event(&mut self, event: &StoredEvent, readings: &Readings) -> EventText {
        let reading = readings.of(event);
        EventText {
            seq: event.seq(),
            id: event.id().to_string(),
            gist: self.secrets.text(&gist::of_event(event)).into_owned(),
            role: reading.role.map(Role::name),
            text: self.blocks(&reading.text),
            thinking: self.blocks(&reading.thinking),
            error: reading.error.as_ref().map(|text| self.said(text)),
            summary: reading.summary.as_ref().map(|text| self.said(text)),
            calls: reading.calls.iter().map(|call| self.call(call)).collect(),
            results: reading.results.iter().map(|result| self.result(result)).collect(),
            model: reading.model.as_ref().map(|text| self.line(text)),
            damaged: event.damage().map(ToString::to_string),
        }
    }

    fn call(&mut self, call: &Call<'_>) -> CallText {
        let mut line =
            |text: Option<&Text<'_>>| text.map(|text| self.line(text)).unwrap_or_default();
        let (id, tool, about) =
            (line(call.id.as_ref()), line(call.tool.as_ref()), line(call.target.as_ref()));
        let input = call.input.as_ref().map(|text| self.said(text)).unwrap_or_default();
        CallText { id, tool, about, input }
    }

    fn result(&mut self, result: &CallResult<'_>) -> ResultText {
        ResultText {
            id: result.call_id.as_ref().map(|text| self.line(text)).unwrap_or_default(),
            text: self.blocks(&result.text).unwrap_or_default(),
            failed: result.has_failed(),
            interrupted: result.interruption.is_some(),
            exit_code: result.exit_code,
            took_ms: result.duration_ns.map(|ns| ns / 1_000_000),
        }
    }

    fn blocks(&mut self, texts: &Texts<'_>) -> Option<Said> {
        if texts.is_blank() {
            return None;
        }
        let start = texts.start(self.max_bytes + CHAR_BYTES);
        Some(self.cut(&start))
    }

    fn said(&mut self, text: &Text<'_>) -> Said {
        let start = text.start(self.max_bytes + CHAR_BYTES);
        self.cut(&start)
    }

    fn line(&mut self, of: &Text<'_>) -> String {
        let start = of.start(LINE_BYTES.min(self.max_bytes));
        text::clean(&self.secrets.text(&start)).into_owned()
    }

    fn cut(&mut self, start: &str) -> Said {
        let more = start.len() > self.max_bytes;
        let start = &start[..start.floor_char_boundary(self.max_bytes)];
        Said { text: text::clean_lines(&self.secrets.text(start)), more }
    }
}

/// Bytes of a character at most: a text that is read so far beyond what is wanted of it tells
/// whether there is more.
const CHAR_BYTES: usize = 4;

/// Bytes of what stands on one line.
const LINE_BYTES: usize = 1_000;

#[cfg(test)]
mod tests {
    use forebear::Event;

    use super::*;

    #[test]
    fn texts_are_cut_cleaned_and_say_that_there_is_more() {
        let store = forebear::in_memory().unwrap();
        let payload = format!(r#"{{"msg":"<b>\u001b[31m{}"}}"#, "é".repeat(100));
        store.append(Event::new("note").id("n").payload(payload)).unwrap();
        let said = texts(&store.snapshot(), &Readings::default(), &[1], 50).unwrap();
        let words = said[0].text.as_ref().unwrap();
        assert!(words.more && words.text.len() <= 60, "{words:?}");
        assert!(words.text.starts_with("<b>\u{241b}[31mé"), "{words:?}");
        assert_eq!(said[0].id, "n");
    }

    #[test]
    fn secrets_stay_where_they_are_stored() {
        let store = forebear::in_memory().unwrap();
        let key = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
        store.append(Event::new("note").payload(format!(r#"{{"msg":"{key}"}}"#))).unwrap();
        let said = texts(&store.snapshot(), &Readings::default(), &[1], 2_000).unwrap();
        assert!(!format!("{said:?}").contains(&key), "{said:?}");
    }
}
