//! Documents of JSON, which are read as lines.

/// Adds a value as a line: without the space between its parts, as a document is written
/// that people are to read.
pub(crate) fn add_line(lines: &mut Vec<u8>, value: &str) {
    let mut in_text = false;
    let mut escaped = false;
    for byte in value.bytes() {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_text = byte == b'"';
        }
        lines.push(byte);
    }
    lines.push(b'\n');
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
