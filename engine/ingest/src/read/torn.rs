//! Whole records behind one that a crash cut off: the program that wrote it ran again,
//! and went on where the file ended.

use serde::de::IgnoredAny;
use serde_json::StreamDeserializer;
use serde_json::de::SliceRead;

use crate::adapter::Adapter;

/// Where the whole records begin that end a stretch which begins with something else: the
/// longest part of it, up to its end, that is nothing but objects.
///
/// An object that stands *inside* the damaged record must not become one. Where the record
/// was cut within a text, a key or a number, no object can begin: what begins there is a
/// record of its own. Where a value was due, the object may be that value: then it has to
/// be what the format calls a record.
///
/// Reads no more than a few times the stretch, however many objects seem to begin in it.
pub(crate) fn whole_behind(stretch: &[u8], adapter: Option<&dyn Adapter>) -> Option<usize> {
    let last = stretch.iter().rposition(|byte| !byte.is_ascii_whitespace())?;
    if stretch[last] != b'}' {
        return None;
    }
    let stretch = &stretch[..=last];
    let mut budget = BUDGET_TIMES * stretch.len() + BUDGET_BYTES;
    let mut place = JsonState::new(stretch);
    for at in memchr::memchr_iter(b'{', stretch).skip_while(|at| *at == 0) {
        if !begins_object(&stretch[at..]) {
            continue;
        }
        match objects(&stretch[at..]) {
            Ok(first) => {
                let is_apart = !place.may_hold_value(at);
                if is_apart || adapter.is_some_and(|adapter| adapter.is_record(first)) {
                    return Some(at);
                }
                budget = budget.checked_sub(stretch.len() - at)?;
            }
            Err(read) => budget = budget.checked_sub(read)?,
        }
    }
    None
}

/// Whether an object with a member may begin here: `{}` may as well stand in a text.
fn begins_object(bytes: &[u8]) -> bool {
    bytes[1..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'"')
}

/// The first of the objects that these bytes consist of; else how many were read to see
/// that they don't.
fn objects(bytes: &[u8]) -> Result<&str, usize> {
    let mut values: StreamDeserializer<'_, _, IgnoredAny> =
        StreamDeserializer::new(SliceRead::new(bytes));
    let mut first = None;
    let mut begin = 0;
    while let Some(value) = values.next() {
        if let Err(error) = value {
            return Err(if error.is_eof() { bytes.len() } else { begin + error.column() });
        }
        let end = values.byte_offset();
        let text = std::str::from_utf8(&bytes[begin..end]).map_err(|_| end)?.trim_ascii_start();
        if !text.starts_with('{') {
            return Err(end);
        }
        first.get_or_insert(text);
        begin = end;
    }
    first.ok_or(0)
}

/// What a damaged record expects, place by place.
#[derive(Debug)]
struct JsonState<'s> {
    stretch: &'s [u8],
    at: usize,
    /// Within a text, and whether the next byte of it is escaped.
    text: Option<bool>,
    /// Whether each of what is open is an array, the innermost last.
    arrays: Vec<bool>,
    /// Whether a value may come next.
    value: bool,
    /// Whether it is known what is open.
    is_known: bool,
}

impl<'s> JsonState<'s> {
    fn new(stretch: &'s [u8]) -> Self {
        Self {
            stretch,
            at: 0,
            text: None,
            arrays: Vec::new(),
            value: false,
            is_known: stretch.starts_with(b"{"),
        }
    }

    /// Whether the damaged record may have a value at this place, which comes after
    /// those that were asked for before.
    fn may_hold_value(&mut self, at: usize) -> bool {
        for byte in &self.stretch[self.at..at] {
            self.pass(*byte);
        }
        self.at = at;
        !self.is_known || self.text.is_none() && self.value
    }

    fn pass(&mut self, byte: u8) {
        if let Some(escaped) = self.text {
            self.text =
                if !escaped && byte == b'"' { None } else { Some(!escaped && byte == b'\\') };
            return;
        }
        match byte {
            b'"' => (self.text, self.value) = (Some(false), false),
            b'{' | b'[' => {
                self.arrays.push(byte == b'[');
                self.value = byte == b'[';
                self.is_known &= self.arrays.len() <= MAX_DEPTH;
                self.arrays.truncate(MAX_DEPTH);
            }
            b'}' | b']' => {
                self.arrays.pop();
                self.value = false;
            }
            b':' => self.value = true,
            b',' => self.value = self.arrays.last() == Some(&true),
            b' ' | b'\t' | b'\r' => {}
            _ => self.value = false,
        }
    }
}

/// How much is read at most: so many times the stretch, and so many bytes more.
const BUDGET_TIMES: usize = 16;
const BUDGET_BYTES: usize = 64 << 10;
/// Deeper than this it isn't known what is open.
const MAX_DEPTH: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{Confidence, Parser, SourceFile};

    /// A format whose records have an `id`.
    #[derive(Debug)]
    struct Ids;

    impl Adapter for Ids {
        fn name(&self) -> &'static str {
            "ids"
        }

        fn recognise(&self, line: &str) -> Confidence {
            if line.contains("\"id\":") { Confidence::Likely } else { Confidence::No }
        }

        fn parser(&self, _file: &SourceFile<'_>) -> Box<dyn Parser> {
            unreachable!("nothing is parsed")
        }
    }

    fn behind(stretch: &str) -> Option<&str> {
        whole_behind(stretch.as_bytes(), Some(&Ids)).map(|at| &stretch[at..])
    }

    #[test]
    fn whole_records_behind_a_cut_one_are_found_wherever_it_was_cut() {
        let whole = r#"{"id":"a","x":{"y":["{",1]}}"#;
        for stub in [
            "{",
            "{\"",
            r#"{"k"#,
            r#"{"k""#,
            r#"{"k":"#,
            r#"{"k":12"#,
            r#"{"k":tr"#,
            r#"{"k":"te"#,
            r#"{"k":"te\"#,
            r#"{"k":"te\u00"#,
            r#"{"k":1,"#,
            r#"{"k":[1,"#,
            r#"{"k":{"l":[{"m":"te {"#,
            r#"{"k":{"l":1}"#,
            r#"{"k":NaN}"#,
        ] {
            assert_eq!(behind(&format!("{stub}{whole}")), Some(whole), "{stub}");
            let two = format!("{whole} {whole}");
            assert_eq!(behind(&format!("{stub}{two} ")).map(str::trim_end), Some(&*two), "{stub}");
        }
    }

    #[test]
    fn an_object_inside_a_damaged_record_is_none() {
        for stretch in [
            r#"{"k":{"l":1}"#,
            r#"{"k":[{"l":1},{"l":2}"#,
            r#"{"k":{"l":[{"m":{"n":"o"}}]}"#,
            r#"{"k":"{\"id\":1}"#,
            r#"{"k":"use {}"#,
            r#"{"k":1,{}"#,
            r#"k":{"l":1}"#,
            r#"x {"l":1}"#,
            r#"{"k":{"id":1} tail"#,
            "{",
            "}",
            "",
        ] {
            assert_eq!(behind(stretch), None, "{stretch}");
        }
    }

    #[test]
    fn what_it_reads_is_bounded() {
        let deep = "{\"a\":".repeat(200_000) + "}";
        assert_eq!(behind(&deep), None);
        let many = "{\"a\":1},".repeat(200_000) + "}";
        assert_eq!(behind(&many), None);
        // Each of the objects may stand inside something, and all behind each are whole.
        let begun = std::time::Instant::now();
        let values = format!("x {}", "{\"a\":1} ".repeat(200_000));
        assert_eq!(behind(&values), None);
        assert!(begun.elapsed().as_secs() < 10, "it takes no time that grows with the square");
    }
}
