//! Texts of a payload, borrowed and decoded late.

use std::borrow::Cow;
use std::fmt;

use crate::json::JsonStr;

/// A text of a payload: as it stands there, or put together by a reader.
///
/// Decoding costs only when asked for, and [`start`](Self::start) only what it gives: a
/// page of events with payloads of megabytes decodes a line of each.
///
/// ```
/// use forebear::readings::{Text, json::JsonCursor};
///
/// let mut cursor = JsonCursor::new(r#""one\ntwo""#);
/// let text = Text::from(cursor.string().expect("a string"));
/// assert_eq!(text.start(4), "one\n");
/// assert_eq!(text.decode(), "one\ntwo");
/// assert_eq!(text, Text::from("one\ntwo"));
/// ```
#[derive(Clone, Debug)]
pub struct Text<'p>(Repr<'p>);

#[derive(Clone, Debug)]
enum Repr<'p> {
    /// As it stands between two quotes.
    Json(JsonStr<'p>),
    Plain(Cow<'p, str>),
}

impl Text<'_> {
    /// All of it.
    pub fn decode(&self) -> Cow<'_, str> {
        match &self.0 {
            Repr::Json(text) => text.decode(),
            Repr::Plain(text) => Cow::Borrowed(text),
        }
    }

    /// Its beginning, of at most so many bytes and whole characters. O(`max_bytes`).
    pub fn start(&self, max_bytes: usize) -> Cow<'_, str> {
        match &self.0 {
            Repr::Json(text) => text.decode_start(max_bytes),
            Repr::Plain(text) => Cow::Borrowed(&text[..text.floor_char_boundary(max_bytes)]),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.raw_len() == 0
    }

    /// Whether there is nothing but white space in it. O(the white space at its start).
    pub fn is_blank(&self) -> bool {
        // A run of white space that is longer than this says nothing either.
        self.start(BLANK_BYTES).trim_start().is_empty()
    }

    /// Whether it begins so, white space at its start left out.
    pub fn begins(&self, with: &str) -> bool {
        self.start(BLANK_BYTES + with.len()).trim_start().starts_with(with)
    }

    /// About how many bytes it has: escapes are counted as they stand.
    pub fn raw_len(&self) -> usize {
        match &self.0 {
            Repr::Json(text) => text.raw().len(),
            Repr::Plain(text) => text.len(),
        }
    }

    /// The same, independent of the payload.
    pub fn into_owned(self) -> Text<'static> {
        let text = match self.0 {
            Repr::Json(text) => text.decode().into_owned(),
            Repr::Plain(text) => text.into_owned(),
        };
        Text(Repr::Plain(Cow::Owned(text)))
    }
}

/// White space at the start of a text that is looked behind.
const BLANK_BYTES: usize = 1 << 10;

impl<'p> From<JsonStr<'p>> for Text<'p> {
    fn from(text: JsonStr<'p>) -> Self {
        Self(Repr::Json(text))
    }
}

impl<'p> From<&'p str> for Text<'p> {
    fn from(text: &'p str) -> Self {
        Self(Repr::Plain(Cow::Borrowed(text)))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Repr::Plain(Cow::Owned(text)))
    }
}

impl<'p> From<Cow<'p, str>> for Text<'p> {
    fn from(text: Cow<'p, str>) -> Self {
        Self(Repr::Plain(text))
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.decode() == other.decode()
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.decode() == other
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.decode() == *other
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decode())
    }
}

/// Texts in the order in which they stand in a payload, a block each.
///
/// ```
/// use forebear::readings::Texts;
///
/// let texts: Texts<'_> = ["one", "two"].into_iter().map(Into::into).collect();
/// assert_eq!(texts.to_string(), "one\ntwo");
/// assert_eq!(texts.start(5), "one\nt");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts<'p>(Vec<Text<'p>>);

impl<'p> Texts<'p> {
    /// Adds a text at the end.
    pub fn push(&mut self, text: impl Into<Text<'p>>) {
        self.0.push(text.into());
    }

    /// Adds a text at the end, if there is one.
    pub fn extend(&mut self, text: Option<impl Into<Text<'p>>>) {
        self.0.extend(text.map(Into::into));
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Text<'p>> {
        self.0.iter()
    }

    /// The first.
    pub fn first(&self) -> Option<&Text<'p>> {
        self.0.first()
    }

    /// Whether there is none with anything in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Text::is_empty)
    }

    /// Whether there is none with anything but white space in it.
    pub fn is_blank(&self) -> bool {
        self.0.iter().all(Text::is_blank)
    }

    /// The first that says something begins so.
    pub fn begins(&self, with: &str) -> bool {
        self.0.iter().find(|text| !text.is_blank()).is_some_and(|text| text.begins(with))
    }

    /// The beginning of all, a line feed between two, of at most so many bytes and whole
    /// characters. O(`max_bytes`).
    pub fn start(&self, max_bytes: usize) -> Cow<'_, str> {
        if let [only] = &*self.0 {
            return only.start(max_bytes);
        }
        let mut start = String::new();
        for (n, text) in self.0.iter().enumerate() {
            if n > 0 {
                start.push('\n');
            }
            if start.len() >= max_bytes {
                break;
            }
            // Room for one character more, so that a cut shows.
            start.push_str(&text.start(max_bytes - start.len() + char::MAX_LEN_UTF8));
        }
        start.truncate(start.floor_char_boundary(max_bytes));
        Cow::Owned(start)
    }
}

impl<'a, 'p> IntoIterator for &'a Texts<'p> {
    type Item = &'a Text<'p>;
    type IntoIter = std::slice::Iter<'a, Text<'p>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'p> FromIterator<Text<'p>> for Texts<'p> {
    fn from_iter<I: IntoIterator<Item = Text<'p>>>(texts: I) -> Self {
        Self(texts.into_iter().collect())
    }
}

impl<'p, T: Into<Text<'p>>> From<T> for Texts<'p> {
    fn from(text: T) -> Self {
        Self(vec![text.into()])
    }
}

impl fmt::Display for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, text) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            text.fmt(f)?;
        }
        Ok(())
    }
}

/// The text on one line: its words with a space between them.
///
/// ```
/// assert_eq!(forebear::readings::one_line(" two\n  words "), "two words");
/// ```
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::JsonCursor;

    #[test]
    fn a_start_is_the_beginning_of_the_whole() {
        let quoted = r#""a\u00e9é\ud83d\ude00\n\\z\ud800x""#;
        let text = Text::from(JsonCursor::new(quoted).string().unwrap());
        let whole = text.decode().into_owned();
        for length in 0..=whole.len() + 2 {
            let start = text.start(length);
            assert_eq!(start, whole[..whole.floor_char_boundary(length)], "{length}");
        }
    }

    #[test]
    fn a_start_of_several_crosses_from_one_to_the_next() {
        let texts: Texts<'_> = ["é", "", "zwei"].into_iter().map(Into::into).collect();
        let whole = texts.to_string();
        for length in 0..=whole.len() {
            let start = texts.start(length);
            assert!(whole.starts_with(&*start), "{start:?} of {whole:?}");
        }
        assert!(Texts::default().is_blank() && Texts::from(" \n").is_blank());
        assert!(Texts::from("  <tag>x").begins("<tag>"));
    }
}
