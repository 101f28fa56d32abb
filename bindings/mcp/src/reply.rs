//! A reply in its two forms.

use serde_json::{Map, Value};

/// What a tool answers: the members that its `outputSchema` names, and lines for a model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    members: Map<String, Value>,
    text: String,
}

impl Reply {
    /// Sets a member.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.members.insert(name.to_owned(), value.into());
    }

    /// Adds lines to the text.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line.as_ref());
    }

    /// Says how many items could not be read.
    pub(crate) fn damaged(&mut self, count: usize) {
        if count > 0 {
            self.set("damaged", count);
            self.line(format!("left out as damaged: {count}; `forebear verify` says more"));
        }
    }

    /// Says how to get what comes next, in both forms.
    pub(crate) fn next(&mut self, cursor: Option<forebear::Cursor>) {
        if let Some(cursor) = cursor {
            self.set("next", cursor.to_string());
            self.line(format!("there is more: call again with cursor={cursor}"));
        }
    }

    /// The two forms, with how many secrets were taken out of them: of those that were taken
    /// out of all that was looked at, `redacted`, what there was no room for is not counted.
    pub(crate) fn finish(mut self, redacted: u64) -> (Value, String) {
        let shown = || Value::from(self.members.clone()).to_string().matches(MARK).count() as u64;
        let redacted = if redacted > 0 { redacted.min(shown()) } else { 0 };
        if redacted > 0 {
            self.set("redacted", redacted);
            self.line(format!("[secrets redacted here: {redacted}]"));
        }
        (Value::Object(self.members), self.text)
    }
}

/// How what stands in place of a secret begins.
const MARK: &str = "[redacted ";
