//! Texts within a number of bytes.

pub(crate) use forebear_readings::one_line;

/// The text, or its head and its tail with what is left out between them counted, in at
/// most so many bytes.
pub(crate) fn middle(text: &str, max_bytes: usize) -> String {
    Ends { head: text, tail: text, bytes: text.len() }.middle(max_bytes)
}

/// A text as far as its head and its tail are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<'t> {
    pub(crate) head: &'t str,
    pub(crate) tail: &'t str,
    /// Bytes of all of it.
    pub(crate) bytes: usize,
}

impl Ends<'_> {
    /// As [`middle`], of a text whose ends are known for two thirds and a third of
    /// `max_bytes`, or all of it.
    pub(crate) fn middle(self, max_bytes: usize) -> String {
        let Self { head, tail, bytes } = self;
        if bytes <= max_bytes && head.len() == bytes {
            return head.to_owned();
        }
        // The number has at most as many digits as that of all.
        let mark = |left_out: usize| format!(" […{left_out} bytes…] ");
        let room = max_bytes.saturating_sub(mark(bytes).len());
        if room < SENSIBLE_BYTES {
            return end(head, max_bytes);
        }
        let head = &head[..head.floor_char_boundary(room * 2 / 3)];
        let from = tail.len().saturating_sub(room - head.len());
        let tail = &tail[tail.ceil_char_boundary(from)..];
        let left_out = mark(bytes - head.len() - tail.len());
        format!("{}{left_out}{}", head.trim_end(), tail.trim_start())
    }
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

/// Below so many bytes a head and a tail say less than a beginning.
const SENSIBLE_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_longer_than_it_may_be() {
        let text = "héad ".repeat(40) + &" täil".repeat(40);
        for max in 0..text.len() + 2 {
            for cut in [middle(&text, max), end(&text, max)] {
                assert!(cut.len() <= max, "{max}: {cut}");
            }
        }
        let cut = middle(&text, 200);
        assert!(
            cut.starts_with("héad") && cut.ends_with("täil") && cut.contains(" bytes"),
            "{cut}"
        );
        assert_eq!(middle("short", 200), "short");
        assert_eq!(one_line(" a\n b\t c "), "a b c");
    }
}
