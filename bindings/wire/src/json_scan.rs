//! The texts in what may be JSON: its beginning only, cut off, or no good.

/// Bytes that are kept of any one text.
pub(crate) const KEPT_BYTES: usize = 600;

/// Levels of nesting whose names are kept track of.
const MAX_LEVELS: usize = 8;

/// A text, or a number or another word.
pub(crate) struct JsonToken {
    /// What it says, cut to [`KEPT_BYTES`].
    pub(crate) text: String,
    /// Whether it stands in quotes.
    pub(crate) is_text: bool,
}

/// Walks over what may be JSON and hands out each text, number and word with the
/// names that lead to it, an empty one for each list. Neither recurses nor
/// keeps more than [`KEPT_BYTES`] of a text; it goes on after nonsense.
pub(crate) fn scan(bytes: &[u8], mut visit: impl FnMut(&[String], &JsonToken)) {
    let mut open: Vec<u8> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut name_next = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                open.push(byte);
                if open.len() <= MAX_LEVELS {
                    path.push(String::new());
                }
                name_next = byte == b'{';
                at += 1;
            }
            b'}' | b']' => {
                open.pop();
                path.truncate(open.len());
                name_next = false;
                at += 1;
            }
            b',' => {
                name_next = open.last() == Some(&b'{');
                at += 1;
            }
            b':' => {
                name_next = false;
                at += 1;
            }
            b'"' => {
                let (text, end) = string(bytes, at + 1);
                at = end;
                if open.len() > path.len() {
                    continue;
                }
                match path.last_mut() {
                    Some(name) if name_next => *name = text,
                    _ => visit(&path, &JsonToken { text, is_text: true }),
                }
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => {
                let length = bytes[at..]
                    .iter()
                    .position(|b| {
                        matches!(b, b',' | b'}' | b']' | b':' | b'"') || b.is_ascii_whitespace()
                    })
                    .unwrap_or(bytes.len() - at)
                    .max(1);
                let word = &bytes[at..at + length];
                at += length;
                if open.len() == path.len() && word != b"null" {
                    let text =
                        String::from_utf8_lossy(&word[..length.min(KEPT_BYTES)]).into_owned();
                    visit(&path, &JsonToken { text, is_text: false });
                }
            }
        }
    }
}

/// The string whose first character stands at `at`, its beginning only if it is
/// long, and where it ends.
fn string(bytes: &[u8], mut at: usize) -> (String, usize) {
    let mut kept: Vec<u8> = Vec::new();
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => break,
            b'\\' => {
                let escape = bytes.get(at).copied().unwrap_or(b' ');
                at += 1;
                let c = match escape {
                    b'n' => '\n',
                    b't' => '\t',
                    b'r' => '\r',
                    b'b' | b'f' => ' ',
                    b'u' => unicode(bytes, &mut at),
                    other => char::from(other),
                };
                if kept.len() < KEPT_BYTES {
                    kept.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            byte if kept.len() < KEPT_BYTES => kept.push(byte),
            _ => {}
        }
    }
    let mut text = String::from_utf8_lossy(&kept).into_owned();
    if kept.len() >= KEPT_BYTES {
        // The last character may have been cut in two.
        while text.ends_with('\u{fffd}') {
            text.pop();
        }
    }
    (text, at.min(bytes.len()))
}

/// The character whose four digits stand at `at`, or the pair of them that
/// stands for one; `�` for half a pair.
fn unicode(bytes: &[u8], at: &mut usize) -> char {
    let Some(first) = four_digits(bytes, *at) else {
        return char::REPLACEMENT_CHARACTER;
    };
    *at += 4;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    match (bytes.get(*at..*at + 2), four_digits(bytes, *at + 2)) {
        (Some(b"\\u"), Some(second @ 0xdc00..0xe000)) => {
            *at += 6;
            char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
                .unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ => char::REPLACEMENT_CHARACTER,
    }
}

fn four_digits(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = std::str::from_utf8(bytes.get(at..at + 4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}
