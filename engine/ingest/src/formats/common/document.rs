//! Documents of JSON, which are read as lines.

/// Adds a value as a line: without the space between its parts, as a document is written
/// that people are to read.
pub(crate) fn add_line(lines: &mut Vec<u8>, value: &str) {
    lines.extend(compact(value).as_bytes());
    lines.push(b'\n');
}

/// A value without the space between its parts.
pub(crate) fn compact(value: &str) -> String {
    let mut compacted = String::with_capacity(value.len());
    let (mut in_text, mut escaped, mut kept) = (false, false, 0);
    for (at, byte) in value.bytes().enumerate() {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            // Space is ASCII: what is between is whole characters.
            compacted.push_str(&value[kept..at]);
            kept = at + 1;
        } else {
            in_text = byte == b'"';
        }
    }
    compacted.push_str(&value[kept..]);
    compacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_goes_where_it_says_nothing() {
        let mut lines = Vec::new();
        add_line(&mut lines, "{\n  \"a b\": [ 1,\t\"c \\\" \\\\\", {} ]\r\n}");
        assert_eq!(lines, b"{\"a b\":[1,\"c \\\" \\\\\",{}]}\n");
    }
}
