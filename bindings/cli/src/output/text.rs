//! Text that is safe to show, and as wide as there is room for.

use std::borrow::Cow;

use forebear::EventId;
use forebear_wire::id;
pub(crate) use forebear_wire::text::{bytes, clean, clean_lines, counted, is_unsafe, thousands};
use unicode_width::UnicodeWidthChar;

/// Characters for each column, at most: marks without a width could otherwise
/// be piled up without end.
const CHARS_PER_COLUMN: usize = 4;

/// Columns of an id that is no UUID, in a picture: it can't be shortened, only cut.
const TEXT_ID_COLUMNS: usize = 20;

/// A number in three digits or so: `840`, `12k`, `3.1M`.
pub(crate) fn short_number(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..10_000 => format!("{}.{}k", number / 1_000, number / 100 % 10),
        10_000..1_000_000 => format!("{}k", number / 1_000),
        1_000_000..1_000_000_000 => format!("{}.{}M", number / 1_000_000, number / 100_000 % 10),
        _ => format!("{}.{}G", number / 1_000_000_000, number / 100_000_000 % 10),
    }
}

/// The text cut to so many columns, the last of them `…` if there was more.
pub(crate) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    let mut used = 0;
    let mut fits = 0;
    for (count, (at, c)) in text.char_indices().enumerate() {
        used += c.width().unwrap_or(0);
        if used > columns || count >= columns.saturating_mul(CHARS_PER_COLUMN) {
            return Cow::Owned(format!("{}…", &text[..fits]));
        }
        if used < columns {
            fits = at + c.len_utf8();
        }
    }
    Cow::Borrowed(text)
}

/// The text in exactly so many columns: cut, or filled up with spaces.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    let missing = columns.saturating_sub(width(&cut));
    format!("{cut}{:missing$}", "")
}

/// The text in lines of at most so many columns, broken between words where that
/// can be. Lines after the first begin as far to the right as the first, or after
/// `hang` columns if that is more.
pub(crate) fn wrap(text: &str, columns: usize, hang: usize) -> Vec<String> {
    let indent = (text.len() - text.trim_start_matches(' ').len()).max(hang).min(columns / 2);
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let indent = if lines.is_empty() { 0 } else { indent };
        let (line, after) = first_line(rest, columns.saturating_sub(indent).max(1));
        lines.push(format!("{:indent$}{line}", ""));
        if after.is_empty() {
            return lines;
        }
        rest = after;
    }
}

/// As much of the text as fits, and what remains.
fn first_line(text: &str, columns: usize) -> (&str, &str) {
    let begin = text.len() - text.trim_start_matches(' ').len();
    let mut used = 0;
    let mut space = None;
    for (count, (at, c)) in text.char_indices().enumerate() {
        used += c.width().unwrap_or(0);
        if c == ' ' && at >= begin {
            space = Some(at);
        }
        if used > columns || count >= columns.saturating_mul(CHARS_PER_COLUMN) {
            // A character that is wider than the line stands on it all the same.
            let end = space.unwrap_or(at.max(text.chars().next().map_or(0, char::len_utf8)));
            return (text[..end].trim_end_matches(' '), text[end..].trim_start_matches(' '));
        }
    }
    (text, "")
}

/// Columns that the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// An id as short as it can be and still, nearly always, found by.
pub(crate) fn short_id(id: &EventId) -> String {
    id::short_uuid(id).unwrap_or_else(|| {
        cut(&clean(id.as_text().unwrap_or_default()), TEXT_ID_COLUMNS).into_owned()
    })
}

/// An id to be typed: short if it is a UUID, else as it is, since only whole text
/// finds an event.
pub(crate) fn typed_id(id: &EventId) -> String {
    match id.as_text() {
        Some(text) => clean(text).into_owned(),
        None => short_id(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns_not_characters() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語日本語", 6), "日本…");
        assert_eq!(width(&fit("日本", 7)), 7);
        let pile = format!("e{}", "\u{301}".repeat(1000));
        assert!(cut(&pile, 10).chars().count() <= 41);
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("one two", 7, 0), ["one two"]);
        assert_eq!(wrap("one two three", 7, 0), ["one two", "three"]);
        assert_eq!(wrap("  one two three", 8, 0), ["  one", "  two", "  three"]);
        assert_eq!(wrap("one two", 5, 2), ["one", "  two"]);
        assert_eq!(wrap("abcdefghij", 4, 0), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("日本語", 4, 0), ["日本", "語"]);
        assert_eq!(wrap("日本", 1, 0), ["日", "本"]);
        assert_eq!(wrap("a  b", 4, 0), ["a  b"]);
        assert_eq!(wrap("", 4, 0), [""]);
    }
}
