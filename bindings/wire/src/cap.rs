//! Texts within a number of bytes, as JSON writes them.

use std::io::{self, Write};

use serde_json::Value;

/// Bytes that JSON takes for the text within its quotes. O(its length).
pub fn json_bytes(text: &str) -> usize {
    text.chars().map(char_bytes).sum()
}

/// Bytes of the value as `serde_json` writes it on one line. O(its length).
pub fn value_bytes(value: &Value) -> usize {
    struct ByteCounter(usize);

    impl Write for ByteCounter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counted = ByteCounter(0);
    // Neither a value nor counting fails.
    let _ = serde_json::to_writer(&mut counted, value);
    counted.0
}

/// The text, or its head and its tail with what is left out between them counted, in at most
/// so many bytes of JSON. `more` follows the count: how to get the rest.
///
/// ```
/// use forebear_wire::cap;
///
/// let text = "head".to_owned() + &" and so on".repeat(100) + " tail";
/// let cut = cap::middle(&text, 80, ": see get_event");
/// assert!(cut.len() <= 80 && cut.starts_with("head") && cut.ends_with("tail"), "{cut}");
/// assert!(cut.contains(" bytes: see get_event…] "), "{cut}");
/// ```
pub fn middle(text: &str, max_bytes: usize, more: &str) -> String {
    if json_bytes(text) <= max_bytes {
        return text.to_owned();
    }
    // The number has at most as many digits as that of all.
    let mark = |left_out: usize| format!(" […{left_out} bytes{more}…] ");
    let room = max_bytes.saturating_sub(json_bytes(&mark(text.len())));
    if room < SENSIBLE_BYTES {
        return start(text, max_bytes);
    }
    let head = prefix(text, room * 2 / 3);
    let tail = suffix(&text[head.len()..], room - json_bytes(head));
    let left_out = text.len() - head.len() - tail.len();
    format!("{}{}{}", head.trim_end(), mark(left_out), tail.trim_start())
}

/// The beginning of a text in at most so many bytes of JSON, with `…` where there was more.
pub fn start(text: &str, max_bytes: usize) -> String {
    if json_bytes(text) <= max_bytes {
        return text.to_owned();
    }
    let Some(room) = max_bytes.checked_sub('…'.len_utf8()) else { return String::new() };
    format!("{}…", prefix(text, room).trim_end())
}

/// The longest beginning of the text that takes at most so many bytes of JSON.
pub fn prefix(text: &str, max_bytes: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += char_bytes(c);
        if used > max_bytes {
            return &text[..at];
        }
    }
    text
}

/// The longest end of the text that takes at most so many bytes of JSON.
fn suffix(text: &str, max_bytes: usize) -> &str {
    let mut used = 0;
    let mut begin = text.len();
    for (at, c) in text.char_indices().rev() {
        used += char_bytes(c);
        if used > max_bytes {
            break;
        }
        begin = at;
    }
    &text[begin..]
}

/// Bytes that `serde_json` takes for a character.
fn char_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        c => c.len_utf8(),
    }
}

/// Below so many bytes a head and a tail say less than a beginning.
const SENSIBLE_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_serde_json() {
        let text: String = ('\0'..='\u{ff}').chain("é\u{2028}😀\\\"/".chars()).collect();
        let json = serde_json::to_string(&text).expect("a text");
        assert_eq!(json_bytes(&text), json.len() - 2);
        assert_eq!(value_bytes(&serde_json::json!({"a": [1, null, text]})), json.len() + 15);
    }

    #[test]
    fn nothing_is_longer_than_it_may_be() {
        let text = "hé\nad\u{1}".repeat(40) + &" t\"äil".repeat(40);
        for max in 0..json_bytes(&text) + 2 {
            for cut in [middle(&text, max, ": get x"), start(&text, max)] {
                assert!(json_bytes(&cut) <= max, "{max}: {cut:?}");
            }
        }
        let cut = middle(&text, 200, "");
        assert!(
            cut.starts_with("hé") && cut.ends_with("äil") && cut.contains(" bytes…] "),
            "{cut}"
        );
        assert_eq!(middle("short", 200, ""), "short");
    }
}
