//! What a transcript holds, by `serde_json` alone.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use forebear::ingest::ImportReport;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What should come of an import.
#[derive(Debug, Default)]
pub struct Expected {
    bytes: u64,
    lines: u64,
    glued_lines: u64,
    bad_lines: u64,
    without_id: u64,
    repeats: u64,
    /// The contents seen under each uuid.
    contents: HashMap<Vec<u8>, Vec<Vec<u8>>>,
    /// Where objects stand.
    pub objects: Vec<Range<usize>>,
    /// Where byte order marks stand that begin a line.
    pub marks: Vec<Range<usize>>,
}

impl Expected {
    pub fn report(&self) -> ImportReport {
        let contents: usize = self.contents.values().map(Vec::len).sum();
        ImportReport {
            files: 1,
            bytes: self.bytes,
            lines: self.lines,
            events: self.contents.len() as u64,
            repeats: self.repeats,
            versions: (contents - self.contents.len()) as u64,
            without_id: self.without_id,
            glued_lines: self.glued_lines,
            bad_lines: self.bad_lines,
            ..ImportReport::default()
        }
    }

    fn line(&mut self, offset: usize, line: &[u8], max_bytes: usize) {
        if line.len() > max_bytes {
            self.lines += 1;
            self.bad_lines += 1;
            return;
        }
        let mut at = 0;
        if line.starts_with(MARK) {
            at = MARK.len();
            self.marks.push(offset..offset + at);
        }
        let (mut objects, mut bad) = (0, false);
        // A NUL stands in no JSON value: what is on either side is read by itself.
        for part in line[at..].split(|byte| *byte == 0) {
            let (found, whole) = self.part(offset + at, part);
            objects += found;
            bad |= !whole;
            at += part.len() + 1;
        }
        bad |= line.contains(&0);
        self.lines += u64::from(objects > 0 || bad);
        self.glued_lines += u64::from(objects > 1);
        self.bad_lines += u64::from(bad);
    }

    /// Reads values one after the other; returns how many are objects, and
    /// whether there is nothing else.
    fn part(&mut self, offset: usize, part: &[u8]) -> (u64, bool) {
        let (mut objects, mut whole) = (0, true);
        let mut values = serde_json::Deserializer::from_slice(part).into_iter::<IgnoredAny>();
        let mut begin = 0;
        while let Some(value) = values.next() {
            if value.is_err() {
                return (objects, false);
            }
            let end = values.byte_offset();
            let skipped = part[begin..end].iter().take_while(|b| b.is_ascii_whitespace()).count();
            let bytes = &part[begin + skipped..end];
            if bytes.starts_with(b"{") && std::str::from_utf8(bytes).is_ok() {
                objects += 1;
                self.objects.push(offset + begin + skipped..offset + end);
                self.object(bytes);
            } else {
                whole = false;
            }
            begin = end;
        }
        (objects, whole)
    }

    fn object(&mut self, bytes: &[u8]) {
        let uuid = serde_json::from_slice::<Uuid>(bytes).expect("a well-formed object").0;
        match uuid.filter(|uuid| !uuid.is_empty()) {
            None => self.without_id += 1,
            Some(uuid) => {
                let contents = self.contents.entry(uuid).or_default();
                if contents.iter().any(|content| content == bytes) {
                    self.repeats += 1;
                } else {
                    contents.push(bytes.to_vec());
                }
            }
        }
    }
}

/// Reads a transcript whose lines of more than `max_bytes` are not loaded.
pub fn read(input: &[u8], max_bytes: usize) -> Expected {
    let mut expected = Expected { bytes: input.len() as u64, ..Expected::default() };
    let mut offset = 0;
    for line in input.split(|byte| *byte == b'\n') {
        expected.line(offset, line, max_bytes);
        offset += line.len() + 1;
    }
    expected
}

/// The string under the last `uuid` of an object.
struct Uuid(Option<Vec<u8>>);

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Uuid;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Uuid, A::Error> {
                let mut uuid = None;
                while let Some(Text(key)) = map.next_key()? {
                    if key == b"uuid" {
                        let value: &RawValue = map.next_value()?;
                        uuid = serde_json::from_str::<Text>(value.get()).ok().map(|text| text.0);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Uuid(uuid))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The bytes of a string. A surrogate without its partner stays the escape that it
/// is, so that two ids which differ are not taken for one.
struct Text(Vec<u8>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                let mut text = Vec::with_capacity(bytes.len());
                let mut rest = bytes;
                while let [first, tail @ ..] = rest {
                    // How serde_json writes a lone surrogate: three bytes, ED A0..BF xx.
                    if let [0xed, high @ 0xa0..=0xff, low, after @ ..] = rest {
                        let unit = 0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f);
                        text.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                        rest = after;
                    } else {
                        text.push(*first);
                        rest = tail;
                    }
                }
                Ok(Text(text))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

const MARK: &[u8] = b"\xef\xbb\xbf";
