//! Texts within a number of bytes.

/// The text, or its head and its tail with what is left out between them counted, in at
/// most so many bytes. `more` says how to get the rest.
pub(crate) fn middle(text: &str, max_bytes: usize, more: &str) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    // The number has at most as many digits as that of all.
    let mark = |left_out: usize| format!(" […{left_out} bytes{more}…] ");
    let room = max_bytes.saturating_sub(mark(text.len()).len());
    if room < SENSIBLE_BYTES {
        return end(text, max_bytes);
    }
    let head = text.floor_char_boundary(room * 2 / 3);
    let tail = text.ceil_char_boundary(text.len() - (room - head));
    format!("{}{}{}", text[..head].trim_end(), mark(tail - head), text[tail..].trim_start())
}

/// The beginning of a text in at most so many bytes, with `…` where there was more.
pub(crate) fn end(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let room = max_bytes.saturating_sub('…'.len_utf8());
    let cut = text[..text.floor_char_boundary(room)].trim_end();
    if max_bytes < '…'.len_utf8() { String::new() } else { format!("{cut}…") }
}

/// The text on one line.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Below so many bytes a head and a tail say less than a beginning.
const SENSIBLE_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_longer_than_it_may_be() {
        let text = "héad ".repeat(40) + &" täil".repeat(40);
        for max in 0..text.len() + 2 {
            for cut in [middle(&text, max, ": show x"), end(&text, max)] {
                assert!(cut.len() <= max, "{max}: {cut}");
            }
        }
        let cut = middle(&text, 200, "");
        assert!(
            cut.starts_with("héad") && cut.ends_with("täil") && cut.contains(" bytes"),
            "{cut}"
        );
        assert_eq!(middle("short", 200, ""), "short");
        assert_eq!(one_line(" a\n b\t c "), "a b c");
    }
}
