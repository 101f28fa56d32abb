//! JSON as text: made safe for a line or a terminal, or spread out for reading,
//! without parsing it into a tree. All of it takes valid JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::text;

/// Levels that are indented; deeper ones stay at that margin, so that no
/// nesting makes the text grow out of proportion.
const MAX_INDENT: usize = 24;

/// The JSON without the whitespace between its parts, on one line therefore.
pub fn compact(json: &str) -> String {
    let mut compacted = String::with_capacity(json.len());
    for part in Parts(json) {
        if !part.starts_with([' ', '\t', '\r', '\n']) {
            compacted.push_str(part);
        }
    }
    compacted
}

/// The JSON with what a terminal might obey written as escapes. Such characters
/// stand in strings only, where an escape means the same.
pub fn shown(json: &str) -> Cow<'_, str> {
    if !json.chars().any(text::is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if text::is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// The JSON spread over lines, two spaces for each level.
pub fn indent(json: &str) -> String {
    let mut spread = String::with_capacity(json.len() * 2);
    let mut level = 0_usize;
    let mut opened = false;
    for part in Parts(json) {
        let first = part.as_bytes()[0];
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'}' | b']' => {
                level = level.saturating_sub(1);
                if !opened {
                    new_line(&mut spread, level);
                }
            }
            _ if opened => new_line(&mut spread, level),
            _ => {}
        }
        spread.push_str(part);
        opened = matches!(first, b'{' | b'[');
        match first {
            b'{' | b'[' => level += 1,
            b',' => new_line(&mut spread, level),
            b':' => spread.push(' '),
            _ => {}
        }
    }
    spread
}

fn new_line(spread: &mut String, level: usize) {
    spread.push('\n');
    spread.extend(std::iter::repeat_n("  ", level.min(MAX_INDENT)));
}

/// Strings, runs of whitespace, single marks, and everything else.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.0.as_bytes();
        let length = match bytes.first()? {
            b'"' => string_length(bytes),
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            first => {
                let space = first.is_ascii_whitespace();
                bytes
                    .iter()
                    .position(|b| {
                        matches!(b, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':')
                            || b.is_ascii_whitespace() != space
                    })
                    .unwrap_or(bytes.len())
            }
        };
        // Every end lies after an ASCII character or before one.
        let (part, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(part)
    }
}

/// Bytes of the string that begins here, its quotes included.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_is_dropped() {
        assert_eq!(
            compact("{\n  \"a b\" : [ 1,\t2.50 ],\r\n \"q\\\" \": \"x\\\\\" }\n"),
            r#"{"a b":[1,2.50],"q\" ":"x\\"}"#
        );
    }

    #[test]
    fn text_is_spread_out_and_stays_the_same_json() {
        let json = r#"{"a":[1,{"b":[]}],"c":{}}"#;
        let spread = indent(json);
        assert_eq!(compact(&spread), json);
        assert_eq!(
            spread,
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}"
        );
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(indent(&deep).len() < 5000 * 2 * 60);
    }

    #[test]
    fn escapes_mean_the_same() {
        let json = "{\"a\":\"\u{9b}31m\u{202e}\u{e0041}\"}";
        let shown = shown(json);
        assert!(!shown.chars().any(text::is_unsafe));
        let before: serde_json::Value = serde_json::from_str(json).unwrap();
        let after: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(before, after);
    }
}
