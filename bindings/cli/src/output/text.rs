//! Text that is safe to show, and as wide as there is room for.

use std::borrow::Cow;

use forebear::EventId;
use unicode_width::UnicodeWidthChar;

/// Characters for each column, at most: marks without a width could otherwise
/// be piled up without end.
const CHARS_PER_COLUMN: usize = 4;

/// Columns of an id that is no UUID, in a picture: it can't be shortened, only cut.
const TEXT_ID_COLUMNS: usize = 20;

/// The text on one line, nothing in it that a terminal would obey: control
/// characters become the pictures of them, what turns the direction of writing
/// becomes `�`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unsafe) {
        Cow::Owned(text.chars().map(harmless).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// As [`clean`], but lines stay lines and tabs become spaces.
pub(crate) fn clean_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars()
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            other => harmless(other),
        })
        .collect()
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

/// An id as short as it can be and still, nearly always, found by: a random
/// UUID's first 8 digits, those of a UUIDv7 up to where it gets random.
pub(crate) fn short_id(id: &EventId) -> String {
    match id.as_uuid() {
        Some(uuid) => {
            let digits = if uuid.get_version_num() == 7 { 18 } else { 8 };
            uuid.to_string()[..digits].to_owned()
        }
        None => cut(&clean(id.as_text().unwrap_or_default()), TEXT_ID_COLUMNS).into_owned(),
    }
}

/// An id to be typed: short if it is a UUID, else as it is, since only whole text
/// finds an event.
pub(crate) fn typed_id(id: &EventId) -> String {
    match id.as_text() {
        Some(text) => clean(text).into_owned(),
        None => short_id(id),
    }
}

/// A number with a thin mark between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 event`, `2 events`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// Bytes in the unit that reads best.
#[allow(clippy::cast_precision_loss)] // two digits are shown
pub(crate) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    let mut unit = 0;
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{number} bytes") } else { format!("{value:.1} {}", units[unit]) }
}

/// Whether a terminal might obey the character instead of showing it.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' // directions of writing
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}' // tags
        )
}

fn harmless(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if is_unsafe(c) => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let nasty = "a\x1b]0;x\x07\u{9b}31m\r\n\u{202e}b\u{7f}";
        assert!(!clean(nasty).chars().any(is_unsafe));
        assert!(clean_lines(nasty).chars().all(|c| c == '\n' || !is_unsafe(c)));
    }

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

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(123_456), "123,456");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
