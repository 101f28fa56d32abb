//! The records on a line, and what else stands there.

use std::fmt::Write;
use std::str::Utf8Error;

use serde::de::IgnoredAny;
use serde_json::StreamDeserializer;
use serde_json::de::SliceRead;

use crate::adapter::Adapter;
use crate::read::torn::whole_behind;

/// Goes over a line. Of objects it is usually one, but several may be glued together,
/// and anything may stand around them. What is no object and stands together is one
/// part, and a line has at most 64 of those: then the rest of the line, from the
/// next fault to the last, is one too, after the objects in between.
///
/// A record that a crash cut off may have whole ones behind it, written when the program
/// ran again: those are records too.
#[derive(Debug)]
pub(crate) struct LineParts<'l> {
    line: &'l [u8],
    /// Says what is a record where that can't be seen from where it stands.
    adapter: Option<&'l dyn Adapter>,
    at: usize,
    /// What is no object, until its end is known.
    rubbish: Option<Rubbish>,
    /// The record that ended it.
    record: Option<LinePart<'l>>,
    bad_stretches: usize,
}

/// A stretch of a line that is no object.
#[derive(Debug)]
struct Rubbish {
    at: usize,
    end: usize,
    /// What is wrong with its beginning.
    reason: String,
    faults: usize,
    /// Whether the last of them is an object that goes on behind the line.
    unfinished: bool,
}

/// A stretch of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LinePart<'l> {
    /// Where it begins on the line, in bytes.
    pub(crate) at: usize,
    pub(crate) content: PartContent<'l>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PartContent<'l> {
    /// A record: a well-formed object, without the space around it, or a line.
    Record(&'l str),
    /// Something else, and what is wrong with it; unfinished where it ends the line and
    /// may be the beginning of an object.
    Rubbish { bytes: &'l [u8], reason: String, unfinished: bool },
}

impl<'l> LineParts<'l> {
    /// Goes over a line that is a record as it stands.
    pub(crate) fn whole(line: &'l [u8]) -> Self {
        let mut parts = Self::of_objects(line, None);
        let at = parts.at;
        let bytes = trim_end(&line[at..]);
        if !bytes.is_empty() {
            match std::str::from_utf8(bytes) {
                Ok(text) => {
                    parts.record = Some(LinePart { at, content: PartContent::Record(text) });
                }
                Err(error) => parts.add_rubbish(at, bytes, false, || not_utf_8(&error)),
            }
        }
        parts.at = line.len();
        parts
    }

    /// Goes over a line of objects, past a byte order mark at its beginning.
    pub(crate) fn of_objects(line: &'l [u8], adapter: Option<&'l dyn Adapter>) -> Self {
        let at = if line.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self { line, adapter, at, rubbish: None, record: None, bad_stretches: 0 }
    }

    /// Reads to the end of the next object and returns it, or of whatever else
    /// comes next, which is added to the rubbish.
    fn object(&mut self) -> Option<LinePart<'l>> {
        let at = self.at;
        let mut values: StreamDeserializer<'_, _, IgnoredAny> =
            StreamDeserializer::new(SliceRead::new(&self.line[at..]));
        // `IgnoredAny` keeps nothing and skips nested values without recursion.
        let value = values.next()?;
        if let Err(error) = value {
            self.rubbish(&error);
            return None;
        }
        self.at += values.byte_offset();
        let bytes = &self.line[at..self.at];
        match std::str::from_utf8(bytes) {
            Ok(text) if text.starts_with('{') => {
                return Some(LinePart { at, content: PartContent::Record(text) });
            }
            Ok(_) => {
                self.add_rubbish(at, bytes, false, || {
                    "expected a JSON object, found another value".to_owned()
                });
            }
            Err(error) => {
                self.add_rubbish(at, bytes, false, || not_utf_8(&error));
            }
        }
        None
    }

    /// No value begins here: what follows is lost, up to whole objects that end the line,
    /// or up to a run of NUL. Those are holes that a crash leaves in a file; behind them
    /// writing went on.
    fn rubbish(&mut self, error: &serde_json::Error) {
        let at = self.at;
        let rest = &self.line[at..];
        let hole = memchr::memchr(0, rest).unwrap_or(rest.len());
        let zeros = rest[hole..].iter().take_while(|byte| **byte == 0).count();
        let whole = whole_behind(&rest[..hole], self.adapter);
        let bytes = &rest[..whole.unwrap_or(hole + zeros)];
        self.at += bytes.len();
        let unfinished = error.is_eof() && bytes.len() == rest.len() && rest.starts_with(b"{");
        self.add_rubbish(at, trim_end(bytes), unfinished, || {
            if hole == 0 {
                format!("expected a JSON object, found {zeros} NUL bytes")
            } else if whole.is_some() {
                format!("expected a JSON object, found one that was cut off: {error}")
            } else {
                format!("expected a JSON object: {error}")
            }
        });
    }

    /// Adds bytes that are no object to those before them.
    fn add_rubbish(
        &mut self,
        at: usize,
        bytes: &[u8],
        unfinished: bool,
        reason: impl FnOnce() -> String,
    ) {
        let end = at + bytes.len();
        match &mut self.rubbish {
            Some(rubbish) => {
                rubbish.end = end;
                rubbish.faults += 1;
                rubbish.unfinished = unfinished;
            }
            None => {
                self.rubbish = Some(Rubbish { at, end, reason: reason(), faults: 1, unfinished });
            }
        }
    }

    /// The rubbish so far, as a part.
    fn take_rubbish(&mut self) -> Option<LinePart<'l>> {
        let Rubbish { at, end, mut reason, faults, unfinished } = self.rubbish.take()?;
        self.bad_stretches += 1;
        if faults > 1 {
            let _ = write!(reason, " (the first of {faults} faults that stand together)");
        }
        let content = PartContent::Rubbish { bytes: &self.line[at..end], reason, unfinished };
        Some(LinePart { at, content })
    }
}

impl<'l> Iterator for LineParts<'l> {
    type Item = LinePart<'l>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(record) = self.record.take() {
            return Some(record);
        }
        loop {
            let rest = &self.line[self.at..];
            let Some(space) = rest.iter().position(|byte| !is_space(*byte)) else {
                self.at = self.line.len();
                return self.take_rubbish();
            };
            self.at += space;
            let Some(object) = self.object() else {
                continue;
            };
            if self.bad_stretches == MAX_RUBBISH_PARTS {
                return Some(object);
            }
            let Some(rubbish) = self.take_rubbish() else {
                return Some(object);
            };
            self.record = Some(object);
            return Some(rubbish);
        }
    }
}

fn not_utf_8(error: &Utf8Error) -> String {
    format!("expected UTF-8, found invalid bytes: {error}")
}

/// Space between JSON values.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let last = bytes.iter().rposition(|byte| !is_space(*byte));
    &bytes[..last.map_or(0, |last| last + 1)]
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Most parts of a line that are no objects, but for a last one with the rest.
const MAX_RUBBISH_PARTS: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use forebear_readings::json::{JsonCursor, JsonStr};

    /// Each part's place and bytes, and whether it is an object.
    fn parts(line: &[u8]) -> Vec<(usize, &[u8], bool)> {
        LineParts::of_objects(line, None)
            .map(|part| match part.content {
                PartContent::Record(text) => (part.at, text.as_bytes(), true),
                PartContent::Rubbish { bytes, reason, .. } => {
                    assert!(reason.starts_with("expected "), "{reason}");
                    (part.at, bytes, false)
                }
            })
            .collect()
    }

    #[test]
    fn blank_lines_hold_nothing() {
        for line in [&b""[..], b" \t\r", b"\xef\xbb\xbf", b"\xef\xbb\xbf \r"] {
            assert_eq!(parts(line), [], "{line:?}");
        }
    }

    #[test]
    fn a_line_that_is_a_record_is_one_part() {
        let parts = |line| LineParts::whole(line).collect::<Vec<_>>();
        for (line, at, record) in
            [(&b"INFO {} \0 x\r"[..], 0, "INFO {} \0 x"), (b"\xef\xbb\xbf {} {}", 3, " {} {}")]
        {
            let content = PartContent::Record(record);
            assert_eq!(parts(line), [LinePart { at, content }]);
        }
        assert_eq!(parts(b" \t\r"), []);
        assert!(matches!(
            &parts(b"caf\xe9")[..],
            [LinePart { at: 0, content: PartContent::Rubbish { bytes: b"caf\xe9", .. } }]
        ));
    }

    #[test]
    fn objects_are_found_without_the_space_around_them() {
        assert_eq!(parts(b"\xef\xbb\xbf {\"a\":1} \r"), [(4, &b"{\"a\":1}"[..], true)]);
        assert_eq!(
            parts(b"{}{\"b\":{}} {}"),
            [(0, &b"{}"[..], true), (2, b"{\"b\":{}}", true), (11, b"{}", true)]
        );
    }

    #[test]
    fn an_object_before_rubbish_counts() {
        assert_eq!(
            parts(b"{\"a\":1} // note {} \r"),
            [(0, &b"{\"a\":1}"[..], true), (8, b"// note {}", false)]
        );
        assert_eq!(
            parts(b"{}{\"cut\":\"of"),
            [(0, &b"{}"[..], true), (2, b"{\"cut\":\"of", false)]
        );
    }

    #[test]
    fn other_values_are_rubbish_and_one_piece_where_they_stand_together() {
        assert_eq!(
            parts(b"[1] {} \"s\" 12 null {}"),
            [
                (0, &b"[1]"[..], false),
                (4, b"{}", true),
                (7, b"\"s\" 12 null", false),
                (19, b"{}", true),
            ]
        );
        for line in [&b"{\"a\":NaN}"[..], b"NaN", b"{\"a\":Infinity}", b"12ab {}"] {
            assert_eq!(parts(line), [(0, line, false)]);
        }
    }

    #[test]
    fn invalid_utf_8_spoils_its_own_value_alone() {
        assert_eq!(
            parts(b"{\"a\":\"\xff\"}{\"b\":\"\xc3\xa9\"}"),
            [(0, &b"{\"a\":\"\xff\"}"[..], false), (9, b"{\"b\":\"\xc3\xa9\"}", true)]
        );
        assert_eq!(parts(b"\xff{}"), [(0, &b"\xff{}"[..], false)]);
    }

    #[test]
    fn objects_behind_runs_of_nul_count() {
        assert_eq!(
            parts(b"\0\0\0{\"a\":1}\0\0"),
            [(0, &b"\0\0\0"[..], false), (3, b"{\"a\":1}", true), (10, b"\0\0", false)]
        );
        assert_eq!(
            parts(b"{\"cut\":\"of\0\0{}"),
            [(0, &b"{\"cut\":\"of\0\0"[..], false), (12, b"{}", true)]
        );
    }

    #[test]
    fn a_line_has_a_bounded_number_of_pieces_beside_its_objects() {
        let line = b"x\0{}".repeat(1000);
        let found = parts(&line);
        let (objects, rubbish): (Vec<_>, Vec<_>) = found.into_iter().partition(|part| part.2);
        assert_eq!((objects.len(), rubbish.len()), (1000, 65));
        assert_eq!((rubbish[63].0, rubbish[63].1), (63 * 4, &b"x\0"[..]));
        assert_eq!((rubbish[64].0, rubbish[64].1), (64 * 4, &line[64 * 4..line.len() - 2]));
    }

    #[test]
    fn nesting_costs_no_stack() {
        let depth = 100_000;
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(parts(deep.as_bytes()), [(0, deep.as_bytes(), true)]);
        let open = "{\"a\":".repeat(depth);
        assert_eq!(parts(open.as_bytes()), [(0, open.as_bytes(), false)]);
    }

    #[test]
    fn lone_surrogates_and_duplicate_keys_are_well_formed() {
        let line = br#"{"\ud800":"\udfff","a":1,"a":2}"#;
        assert_eq!(parts(line), [(0, &line[..], true)]);
    }

    /// Lines put together of parts, sound and broken.
    fn fragments() -> impl Strategy<Value = Vec<u8>> {
        let fragment = prop::sample::select(vec![
            &br#"{"uuid":"a","x":[1,{"y":null}]}"#[..],
            br#"{"type":"user","uuid":"b","uuid":"c\n"}"#,
            br#"{"uuid":7} "#,
            br#"{"\u0075uid" : "\u00e9" , "z":-0.5e3 }"#,
            b"{",
            b"}",
            b"[",
            b"]",
            b"\"",
            b"\\",
            b":",
            b",",
            b"\"uuid\"",
            b"\"d\"",
            b"\\ud800",
            b"1",
            b"true",
            b"NaN",
            b" ",
            b"\t\r",
            b"\x0c",
            b"\0\0",
            b"\xff",
            b"\xc3\xa9",
            BYTE_ORDER_MARK,
        ]);
        prop::collection::vec(fragment, 0..12).prop_map(|fragments| fragments.concat())
    }

    proptest! {
        #[test]
        fn every_byte_but_space_is_in_one_piece_and_objects_are_those_of_serde_json(line in fragments()) {
            let mut end = if line.starts_with(BYTE_ORDER_MARK) { 3 } else { 0 };
            for part in LineParts::of_objects(&line, None) {
                prop_assert!(line[end..part.at].iter().all(|byte| is_space(*byte)));
                let bytes = match part.content {
                    PartContent::Rubbish { bytes, .. } => bytes,
                    PartContent::Record(object) => {
                        let mut uuid = None;
                        JsonCursor::new(object).object(|key, value| {
                            if key == "uuid" {
                                uuid = value.text();
                            }
                        });
                        let uuid = uuid.map(JsonStr::decode);
                        match serde_json::from_str::<serde_json::Map<_, _>>(object) {
                            Ok(map) => {
                                let expected = map.get("uuid").and_then(|uuid: &Value| uuid.as_str());
                                let expected = expected.filter(|uuid| !uuid.is_empty());
                                prop_assert_eq!(uuid.as_deref(), expected);
                            }
                            // The one thing in which we are more tolerant.
                            Err(error) => prop_assert!(object.contains("\\u"), "{}", error),
                        }
                        object.as_bytes()
                    }
                };
                prop_assert!(!bytes.is_empty());
                prop_assert_eq!(&line[part.at..][..bytes.len()], bytes);
                end = part.at + bytes.len();
            }
            prop_assert!(line[end..].iter().all(|byte| is_space(*byte)));
        }
    }
}
