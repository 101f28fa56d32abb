//! A cursor over JSON text that is known to be well formed, for reading a few
//! fields out of it without copying, whatever types the others have.
//!
//! `serde_json` would refuse a whole document for one lone surrogate escape or
//! one field of an unexpected type; this passes over what it was not asked for.
//! Text that is not well formed gives wrong fields, never a panic or a loop.

use std::borrow::Cow;

/// A place in a text, at the beginning of a value.
///
/// ```
/// use forebear::readings::json::JsonCursor;
///
/// let (mut name, mut size) = (None, None);
/// JsonCursor::new(r#"{"size":3,"more":[1,{}],"name":"a\u0062"}"#).object(|key, value| match key {
///     "name" => name = value.string(),
///     "size" => size = value.number(),
///     _ => {}
/// });
/// assert_eq!(name.expect("a string").decode(), "ab");
/// assert_eq!(size, Some(3));
/// ```
#[derive(Debug)]
pub struct JsonCursor<'t> {
    text: &'t str,
    at: usize,
}

/// A string as it stands between its quotes, escapes and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonStr<'t>(&'t str);

/// A value that is neither an object nor an array nor null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar<'t> {
    /// A string.
    Text(JsonStr<'t>),
    /// As it stands there.
    Number(&'t str),
    /// A truth value.
    Bool(bool),
}

impl<'t> JsonCursor<'t> {
    /// At the value that a text begins with.
    pub fn new(text: &'t str) -> Self {
        let mut cursor = Self { text, at: 0 };
        cursor.skip_space();
        cursor
    }

    /// Calls `each` with every member of the object here and the cursor at its
    /// value, which `each` reads or leaves alone. Does nothing if the value here
    /// is not an object.
    pub fn object(&mut self, mut each: impl FnMut(&str, &mut Self)) {
        if !self.take(b'{') {
            return;
        }
        while let Some(key) = self.string() {
            if !self.take(b':') {
                return;
            }
            self.read_or_skip(|cursor| each(&key.decode(), cursor));
            if !self.take(b',') {
                break;
            }
        }
        self.take(b'}');
    }

    /// Calls `each` with the cursor at every item of the array here. Does
    /// nothing if the value here is not an array.
    pub fn array(&mut self, mut each: impl FnMut(&mut Self)) {
        if !self.take(b'[') || self.take(b']') {
            return;
        }
        while self.peek().is_some() {
            self.read_or_skip(&mut each);
            if !self.take(b',') {
                break;
            }
        }
        self.take(b']');
    }

    /// The string here; none, and nothing read, if it is something else.
    pub fn string(&mut self) -> Option<JsonStr<'t>> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at + 1;
        // Of a text that was cut off, all there is.
        let is_closed = self.skip_string();
        let end = self.at.saturating_sub(usize::from(is_closed)).max(start);
        self.skip_space();
        self.text.get(start..end).map(JsonStr)
    }

    /// The string here, unless it is empty.
    pub fn text(&mut self) -> Option<JsonStr<'t>> {
        self.string().filter(|text| !text.is_empty())
    }

    /// The string, number or truth value here; none, and nothing read, if it is
    /// something else.
    pub fn scalar(&mut self) -> Option<Scalar<'t>> {
        let kind = self.peek()?;
        if kind == b'"' {
            return self.string().map(Scalar::Text);
        }
        if !matches!(kind, b't' | b'f' | b'-' | b'0'..=b'9') {
            return None;
        }
        let start = self.at;
        self.skip_scalar();
        let text = self.text.get(start..self.at)?;
        self.skip_space();
        Some(match kind {
            b't' => Scalar::Bool(true),
            b'f' => Scalar::Bool(false),
            _ => Scalar::Number(text),
        })
    }

    /// The value here as it stands in the text.
    pub fn raw(&mut self) -> &'t str {
        let start = self.at;
        self.skip_value();
        self.text.get(start..self.at).unwrap_or_default().trim_ascii_end()
    }

    /// Whether an object is here.
    pub fn is_object(&self) -> bool {
        self.peek() == Some(b'{')
    }

    /// Whether an array is here.
    pub fn is_array(&self) -> bool {
        self.peek() == Some(b'[')
    }

    /// Whether a string is here.
    pub fn is_string(&self) -> bool {
        self.peek() == Some(b'"')
    }

    /// Whether `false` is here.
    pub fn is_false(&self) -> bool {
        self.rest().starts_with(b"false")
    }

    /// Whether `true` is here.
    pub fn is_true(&self) -> bool {
        self.rest().starts_with(b"true")
    }

    /// The whole number here, 0 or more; none if it is something else.
    pub fn number(&self) -> Option<u64> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, behind) = self.rest().split_at(digits);
        if matches!(behind.first(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The whole number here, of either sign; none if it is something else.
    pub fn integer(&self) -> Option<i64> {
        let digits = self.rest().strip_prefix(b"-").unwrap_or(self.rest());
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if matches!(digits.get(length), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        let end = self.rest().len() - digits.len() + length;
        std::str::from_utf8(&self.rest()[..end]).ok()?.parse().ok()
    }

    fn read_or_skip(&mut self, read: impl FnOnce(&mut Self)) {
        let before = self.at;
        read(self);
        if self.at == before {
            self.skip_value();
        }
    }

    /// Passes over the value here, without recursion.
    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => _ = self.skip_string(),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                _ if depth == 0 => self.skip_scalar(),
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            if depth == 0 {
                break;
            }
        }
        self.skip_space();
    }

    /// Passes over the string here; returns whether its end is there.
    fn skip_string(&mut self) -> bool {
        self.at += 1;
        loop {
            let Some(found) = memchr::memchr2(b'"', b'\\', self.rest()) else {
                self.at = self.text.len();
                return false;
            };
            self.at += found;
            if self.peek() == Some(b'"') {
                self.at += 1;
                return true;
            }
            // A backslash and the byte that it escapes, which is ASCII.
            self.at += 2;
        }
    }

    fn skip_scalar(&mut self) {
        let length = self
            .rest()
            .iter()
            .position(|byte| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace());
        self.at += length.unwrap_or(self.rest().len()).max(1);
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Reads this byte and the space behind it, if it is here.
    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.at += 1;
            self.skip_space();
        }
        here
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

impl<'t> JsonStr<'t> {
    /// A text without quotes or backslashes, as a string that says the same.
    pub fn plain(text: &'t str) -> Self {
        Self(text)
    }

    /// Whether there is nothing between the quotes.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// What stands between the quotes.
    pub fn raw(self) -> &'t str {
        self.0
    }

    /// The beginning of the text that the string stands for, of at most so many bytes and
    /// whole characters. O(`max_bytes`).
    pub fn decode_start(self, max_bytes: usize) -> Cow<'t, str> {
        // An escape has at most six times the bytes that it stands for, a pair of them
        // three times; a start that cuts one decodes to something else only behind it.
        let longest = max_bytes.saturating_mul(ESCAPE_BYTES).saturating_add(2 * ESCAPE_BYTES);
        let start = Self(&self.0[..self.0.floor_char_boundary(longest)]);
        match start.decode() {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..text.floor_char_boundary(max_bytes)]),
            Cow::Owned(mut text) => {
                text.truncate(text.floor_char_boundary(max_bytes));
                Cow::Owned(text)
            }
        }
    }

    /// The text that the string stands for. A surrogate escape without its
    /// partner stands for no character and becomes U+FFFD.
    pub fn decode(self) -> Cow<'t, str> {
        self.decode_with(|decoded, _| decoded.push(char::REPLACEMENT_CHARACTER))
    }

    /// The same for ids, of which two that differ must not become one: such an
    /// escape stays what it is, its digits in lower case.
    pub fn decode_exactly(self) -> Cow<'t, str> {
        self.decode_with(|decoded, escape| decoded.push_str(&escape.to_ascii_lowercase()))
    }

    fn decode_with(self, no_character: impl Fn(&mut String, &str)) -> Cow<'t, str> {
        let Some(first) = memchr::memchr(b'\\', self.0.as_bytes()) else {
            return Cow::Borrowed(self.0);
        };
        let mut decoded = String::with_capacity(self.0.len());
        decoded.push_str(&self.0[..first]);
        let mut rest = &self.0[first..];
        while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
            decoded.push_str(&rest[..at]);
            let (character, length) = unescape(&rest[at..]);
            match character {
                Some(character) => decoded.push(character),
                None => no_character(&mut decoded, rest.get(at..at + length).unwrap_or_default()),
            }
            rest = rest.get(at + length..).unwrap_or_default();
        }
        decoded.push_str(rest);
        Cow::Owned(decoded)
    }
}

/// The character that an escape at the beginning of `text` stands for, if it
/// does for one, and how long the escape is.
fn unescape(text: &str) -> (Option<char>, usize) {
    let character = match text.as_bytes().get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unescape_unicode(text),
        Some(byte) if byte.is_ascii() => char::from(*byte),
        _ => return (None, 1),
    };
    (Some(character), 2)
}

fn unescape_unicode(text: &str) -> (Option<char>, usize) {
    let Some(unit) = utf16_unit(text) else {
        return (None, 2);
    };
    let follower = text.get(ESCAPE_BYTES..).and_then(utf16_unit);
    let pair = [unit, follower.unwrap_or_default()];
    match char::decode_utf16(pair).next() {
        Some(Ok(character)) => (Some(character), ESCAPE_BYTES * character.len_utf16()),
        _ => (None, ESCAPE_BYTES),
    }
}

fn utf16_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

/// Length of `\uXXXX`.
const ESCAPE_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Vec<(String, Option<String>)> {
        let mut found = Vec::new();
        JsonCursor::new(text).object(|key, value| {
            let string = value.string().map(|s| s.decode().into_owned());
            found.push((key.to_owned(), string));
        });
        found
    }

    #[test]
    fn members_are_found_whatever_stands_between_them() {
        let text = r#" { "a" : "x\"}" , "b":[{"a":"]"},1,[]], "c" :{"d":{}}, "e":-1.5e3,"f":true ,"":"" } "#;
        let found = strings(text);
        let keys: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["a", "b", "c", "e", "f", ""]);
        assert_eq!(found[0].1.as_deref(), Some("x\"}"));
        assert_eq!(found[1].1, None);
        assert_eq!(found[5].1.as_deref(), Some(""));
    }

    #[test]
    fn items_are_found_and_nested_values_read_in_place() {
        let mut found = Vec::new();
        JsonCursor::new(r#"[1,"s",{"id":"a","x":[1]},[ ],{"id":"b"}]"#).array(|item| {
            item.object(|key, value| {
                if key == "id" {
                    found.extend(value.string().map(|s| s.decode().into_owned()));
                }
            });
        });
        assert_eq!(found, ["a", "b"]);
    }

    #[test]
    fn escapes_are_decoded_as_serde_json_does() {
        for text in
            [r#""plain""#, r#""\"\\\/\b\f\n\r\tz""#, r#""\u00e9é\u20AC""#, r#""a\ud83d\ude00b""#]
        {
            let expected: String = serde_json::from_str(text).unwrap();
            assert_eq!(JsonCursor::new(text).string().unwrap().decode(), expected, "{text}");
        }
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        for (text, expected) in [
            (r#""a\ud800b""#, "a\u{fffd}b"),
            (r#""\udc00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud800A""#, "\u{fffd}A"),
        ] {
            assert_eq!(JsonCursor::new(text).string().unwrap().decode(), expected, "{text}");
        }
    }

    #[test]
    fn lone_surrogates_stay_apart_where_texts_are_to_be_told_apart() {
        for (text, expected) in [
            (r#""a\ud800b""#, "a\\ud800b"),
            (r#""a\uD801b""#, "a\\ud801b"),
            (r#""\ud800\ud83d\ude00\ufffd""#, "\\ud800😀\u{fffd}"),
        ] {
            assert_eq!(
                JsonCursor::new(text).string().unwrap().decode_exactly(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn any_text_ends_without_a_panic() {
        let whole = r#"{"a":"\ud83d\ude00é","b":[1,{"c":null}],"é\u12":tru}]"#;
        for (at, _) in whole.char_indices() {
            for text in [&whole[..at], &whole[at..]] {
                strings(text);
                JsonCursor::new(text).array(|item| item.object(|_, _| {}));
                JsonCursor::new(text).skip_value();
                JsonStr(text).decode();
            }
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let depth = 100_000;
        let text = format!(r#"{{"deep":{}{},"a":"x"}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(strings(&text)[1].1.as_deref(), Some("x"));
    }
}
