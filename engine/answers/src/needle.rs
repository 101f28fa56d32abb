//! What is looked for in texts, and in the bytes that they are stored as.

use std::fmt::Write as _;
use std::ops::Range;

use forebear_core::{Error, Result};
use regex::bytes::{Regex as BytesRegex, RegexBuilder as BytesRegexBuilder};
use regex::{Regex, RegexBuilder};

/// Bytes that a compiled expression may take.
const COMPILED_BYTES: usize = 4 << 20;

/// What is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    text: Regex,
    /// Of plain words: what every payload has in it that says them, however it escapes them.
    raw: Option<BytesRegex>,
}

impl Needle {
    /// Plain words, or an expression. Without a capital letter in it case doesn't matter.
    pub(crate) fn new(words: &str, is_regex: bool) -> Result<Self> {
        if words.is_empty() {
            return Err(Error::invalid("expected a text to look for, found none".to_owned()));
        }
        let any_case = !has_capitals(words, is_regex);
        let pattern = if is_regex { words.to_owned() } else { regex::escape(words) };
        let text = RegexBuilder::new(&pattern)
            .case_insensitive(any_case)
            .multi_line(true)
            .size_limit(COMPILED_BYTES)
            .build()
            .map_err(|error| {
                Error::invalid(format!("expected a regular expression, found {words:?}: {error}"))
            })?;
        let raw = (!is_regex).then(|| {
            BytesRegexBuilder::new(&spellings(words))
                .case_insensitive(any_case)
                .size_limit(COMPILED_BYTES)
                .build()
        });
        // Where the spellings take too much, every text is read.
        Ok(Self { text, raw: raw.and_then(std::result::Result::ok) })
    }

    /// Whether a payload may say it: false only where it can't.
    pub(crate) fn may_be_in(&self, payload: &[u8]) -> bool {
        self.raw.as_ref().is_none_or(|raw| raw.is_match(payload))
    }

    /// Where a text says it first.
    pub(crate) fn find(&self, text: &str) -> Option<Range<usize>> {
        self.text.find(text).map(|found| found.range())
    }
}

/// Whether there is a capital letter, other than in the name of a class.
fn has_capitals(words: &str, is_regex: bool) -> bool {
    let mut escaped = false;
    words.chars().any(|c| {
        let is_class = is_regex && escaped;
        escaped = c == '\\' && !escaped;
        c.is_uppercase() && !is_class
    })
}

/// An expression for the words as JSON may spell them: each character as it is or escaped.
fn spellings(words: &str) -> String {
    let mut pattern = String::new();
    for c in words.chars() {
        let plain = regex::escape(c.encode_utf8(&mut [0; 4]));
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '/' => "\\/",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            // Other letters and digits are never escaped in practice.
            c if c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | ',' | ':') => {
                pattern.push_str(&plain);
                continue;
            }
            _ => "",
        };
        let units = c.encode_utf16(&mut [0; 2]).iter().fold(String::new(), |mut units, unit| {
            // Writing to a string can't fail.
            let _ = write!(units, "\\\\u(?i:{unit:04x})");
            units
        });
        pattern.push_str("(?:");
        pattern.push_str(&plain);
        for other in [regex::escape(short), units] {
            if !other.is_empty() {
                pattern.push('|');
                pattern.push_str(&other);
            }
        }
        pattern.push(')');
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found() {
        for (words, payload) in [
            ("a \"b\"", r#"{"t":"a \"b\""}"#),
            ("C:\\x", r#"{"t":"C:\\x"}"#),
            ("a/b", r#"{"t":"a\/b"}"#),
            ("one\ntwo", r#"{"t":"one\ntwo"}"#),
            ("one\ntwo", "one\ntwo"),
            ("é", r#"{"t":"\u00E9"}"#),
            ("é", r#"{"t":"é"}"#),
            ("😀", r#"{"t":"\ud83d\uDE00"}"#),
            ("<b>", r#"{"t":"\u003cb\u003e"}"#),
            ("fail", "FAIL"),
        ] {
            assert!(Needle::new(words, false).unwrap().may_be_in(payload.as_bytes()), "{words}");
        }
        assert!(!Needle::new("other", false).unwrap().may_be_in(b"words"));
    }

    #[test]
    fn a_capital_makes_case_matter() {
        let finds =
            |words, is_regex, text| Needle::new(words, is_regex).unwrap().find(text).is_some();
        assert!(finds("fail", false, "FAIL") && !finds("Fail", false, "FAIL"));
        assert!(finds(r"f\S+l", true, "FAIL") && !finds(r"F\S+l", true, "FAIL"));
        assert!(finds("^two$", true, "one\ntwo\nthree"));
        assert!(Needle::new("(", true).is_err() && Needle::new("", false).is_err());
        assert!(!finds("a.c", false, "abc"));
    }
}
