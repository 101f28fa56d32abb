//! What is looked for in texts, and in the bytes that they are stored as.

use std::ops::Range;

use forebear_core::{Error, Result, StoredEvent};
use forebear_readings::Readings;
use regex::bytes::{Regex as BytesRegex, RegexBuilder as BytesRegexBuilder};
use regex::{Regex, RegexBuilder};

/// Bytes that a compiled expression takes at most.
const COMPILED_BYTES: usize = 4 << 20;

/// Words or an expression to look for.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    text: Regex,
    /// A word that all its matches have; none where there is no such word.
    word: Option<Word>,
}

/// A word, and how payloads may spell it.
#[derive(Clone, Debug)]
struct Word {
    /// In small letters.
    text: String,
    spellings: BytesRegex,
    /// Letters and digits of ASCII that are escaped, which hardly anything does: a payload
    /// with one of them may spell anything.
    escaped: BytesRegex,
    /// Escapes of the two others that are the same as one of those but for their case.
    escaped_alike: Option<BytesRegex>,
}

impl Needle {
    /// Case counts only where a letter that is looked for is a capital.
    pub(crate) fn new(words: &str, is_regex: bool) -> Result<Self> {
        if words.is_empty() {
            return Err(Error::invalid("expected something to look for, found an empty text"));
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
        // An expression has no word that all its matches have.
        let word = longest_word(words).filter(|_| !is_regex);
        Ok(Self { text, word: word.and_then(|word| Word::new(word, any_case)) })
    }

    /// Whether the reading of an event may say it: false only where it can't.
    pub(crate) fn may_be_in(&self, event: &StoredEvent, readings: &Readings) -> bool {
        self.word.as_ref().is_none_or(|word| {
            word.may_be_in(event.payload().unwrap_or_default())
                || readings.may_add(event, &word.text)
        })
    }

    /// Where a text says it first.
    pub(crate) fn find(&self, text: &str) -> Option<Range<usize>> {
        self.text.find(text).map(|found| found.range())
    }
}

impl Word {
    /// None where its spellings take too much: then every text is read.
    fn new(word: &str, any_case: bool) -> Option<Self> {
        let spellings = BytesRegexBuilder::new(&spellings(word))
            .case_insensitive(any_case)
            .size_limit(COMPILED_BYTES)
            .build()
            .ok()?;
        let escaped = BytesRegex::new(ESCAPED).ok()?;
        let text = word.to_lowercase();
        let alike = any_case && text.contains(['s', 'k']);
        let escaped_alike = alike.then(|| BytesRegex::new(ESCAPED_ALIKE)).transpose().ok()?;
        Some(Self { text, spellings, escaped, escaped_alike })
    }

    fn may_be_in(&self, payload: &[u8]) -> bool {
        self.spellings.is_match(payload)
            || self.escaped.is_match(payload)
            || self.escaped_alike.as_ref().is_some_and(|alike| alike.is_match(payload))
    }
}

/// Whether a letter stands there that is a capital; of an expression those that stand for
/// themselves: `\S` stands for what is no space.
fn has_capitals(words: &str, is_regex: bool) -> bool {
    let mut before = None;
    words.chars().any(|c| {
        let escaped = is_regex && before == Some('\\');
        before = if escaped { None } else { Some(c) };
        c.is_uppercase() && !escaped
    })
}

/// The longest run of letters and digits. What stands between two of them may be spelled in
/// any way: JSON within JSON escapes it again, and a reader may have put it there.
fn longest_word(words: &str) -> Option<&str> {
    let runs = words.split(|c: char| !c.is_alphanumeric());
    runs.filter(|run| !run.is_empty()).max_by_key(|run| run.len())
}

/// An expression for a word as JSON, or JSON within JSON, may spell it: any letter but those
/// of ASCII may be escaped. Which one an escape is of is left to the text: it may differ in
/// case.
fn spellings(word: &str) -> String {
    let mut pattern = String::new();
    for c in word.chars() {
        let plain = regex::escape(c.encode_utf8(&mut [0; 4]));
        if c.is_ascii() {
            pattern.push_str(&plain);
        } else {
            // Two units of UTF-16 at most.
            pattern.push_str("(?:");
            pattern.push_str(&plain);
            pattern.push_str(r"|(?:\\+u[0-9A-Fa-f]{4}){1,2})");
        }
    }
    pattern
}

/// An escape of a letter or digit of ASCII. One literal begins it, which is fast to look for.
const ESCAPED: &str = r"\\u00(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])";

/// An escape of the long s or of the sign of Kelvin.
const ESCAPED_ALIKE: &str = r"\\u(?:017[Ff]|212[Aa])";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_escaped_in_json_is_found_in_its_bytes() {
        let payload = r#"{"t":"say \"no\" to C:\\temp\nand \/ \u00e9t\u00C9 \ud83d\ude00"}"#;
        for words in ["say \"no\"", "c:\\temp", "temp\nand", "and /", "été", "é", "😀"] {
            assert!(may_be_in(words, payload), "{words}");
        }
        for (words, payload) in [
            ("é", r#"{"t":"\u00E9"}"#),
            ("😀", r#"{"t":"\ud83d\uDE00"}"#),
            ("<b>", r#"{"t":"\u003cb\u003e"}"#),
            ("fail", "FAIL"),
            // JSON within JSON.
            ("say \"no\"", r#"{"arguments":"{\"t\":\"say \\\"no\\\"\"}"}"#),
            ("a\\b", r#"{"arguments":"{\"t\":\"a\\\\b\"}"}"#),
            ("é", r#"{"arguments":"{\"t\":\"\\u00e9\"}"}"#),
            // Put together by a reader.
            ("cargo test --quiet", r#"{"command":["cargo","test","--quiet"]}"#),
            ("mcp__files__read", r#"{"server":"files","tool":"read"}"#),
            // Letters that are escaped in the other case, and those that never are.
            ("über", r#"{"t":"\u00DCber"}"#),
            ("straße über", r#"{"t":"STRA\u1E9EE \u00dcBER"}"#),
            ("fail", r#"{"t":"\u0066a\u0069l"}"#),
            ("task", r#"{"t":"ta\u017F\u212A"}"#),
        ] {
            assert!(may_be_in(words, payload), "{words}");
        }
    }

    /// A text between quotes, each character escaped as `how` says.
    fn quoted(text: &str, how: &[u8]) -> String {
        let escape = |unit: &str| format!("\\u{unit}");
        let mut json = String::from("\"");
        for (c, how) in text.chars().zip(how.iter().cycle()) {
            let short = match c {
                '"' | '\\' => Some(c),
                '\n' => Some('n'),
                '\t' => Some('t'),
                _ => None,
            };
            match (how % 3, short) {
                (1, _) => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                    json += &escape(&format!("{unit:04x}"));
                }),
                (2, _) => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                    json += &escape(&format!("{unit:04X}"));
                }),
                (_, Some(short)) => json.extend(['\\', short]),
                _ => json.push(c),
            }
        }
        json + "\""
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_match_in_the_text_is_never_missed_in_the_payload(
            text in "[a-cA-CsSkKſK_0-3éÉßẞ日😀\"\\\\/\n\t .-]{1,40}",
            how in prop::collection::vec(0_u8..3, 1..8),
            deep in 0_usize..3,
            (from, length) in (0_usize..40, 1_usize..12),
            lowered in any::<bool>(),
        ) {
            let from = from % text.chars().count();
            let words: String = text.chars().skip(from).take(length).collect();
            let words = if lowered { words.to_lowercase() } else { words };
            let needle = Needle::new(&words, false).unwrap();
            let mut payload = quoted(&text, &how);
            for _ in 0..deep {
                payload = quoted(&payload, &[0]);
            }
            if needle.find(&text).is_some() {
                prop_assert!(may_be_in(&words, &payload), "{words:?} in {payload}");
            }
        }
    }

    #[track_caller]
    fn may_be_in(words: &str, payload: &str) -> bool {
        let needle = Needle::new(words, false).unwrap();
        needle.word.is_none_or(|word| word.may_be_in(payload.as_bytes()))
    }

    #[test]
    fn what_is_nowhere_in_the_bytes_is_not_read() {
        assert!(!may_be_in("needle", r#"{"t":"hay \u001b[0m \u003c \u0026"}"#));
    }

    #[test]
    fn case_counts_where_a_capital_is_looked_for() {
        let at = |words, text: &str| Needle::new(words, false).unwrap().find(text);
        assert_eq!(at("fail", "it FAILS"), Some(3..7));
        assert_eq!(at("Fail", "it FAILS"), None);
        assert_eq!(at("a.b", "axb a.b"), Some(4..7));
        let regex = |words, text: &str| Needle::new(words, true).unwrap().find(text);
        assert_eq!(regex(r"\Serror", "an ERROR, XERROR"), Some(10..16));
        assert_eq!(regex(r"^b", "a\nB"), Some(2..3));
    }

    #[test]
    fn what_can_not_be_looked_for_is_refused() {
        assert!(Needle::new("", false).is_err());
        assert!(Needle::new("(", true).is_err());
        assert!(Needle::new(&"a{1000}".repeat(1000), true).is_err());
    }
}
