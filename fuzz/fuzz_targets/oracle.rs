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
    /// Where half a record stands at the end, which waits for the rest.
    pub waiting: Option<Range<usize>>,
    /// The first object within a last line that may wait for its rest.
    pub within_last: Option<usize>,
    /// Whether any object behind one that was cut off counts as a record.
    takes_any: bool,
}

/// What was found on a line so far.
#[derive(Debug, Default)]
struct Found {
    objects: u64,
    bad: bool,
    /// Where what is no object began, and whether something else was bad before.
    stretch: Option<(usize, bool)>,
}

impl Found {
    fn fault(&mut self, at: usize) {
        self.stretch.get_or_insert((at, self.bad));
        self.bad = true;
    }
}

impl Expected {
    pub fn report(&self) -> ImportReport {
        let contents: usize = self.contents.values().map(Vec::len).sum();
        let mut report = ImportReport::default();
        report.files = 1;
        report.bytes = self.bytes;
        report.lines = self.lines;
        report.events = self.contents.len() as u64;
        report.repeats = self.repeats;
        report.versions = (contents - self.contents.len()) as u64;
        report.without_id = self.without_id;
        report.glued_lines = self.glued_lines;
        report.bad_lines = self.bad_lines;
        report.waiting_lines = u64::from(self.waiting.is_some());
        report
    }

    fn line(&mut self, offset: usize, line: &[u8], is_last: bool, max_bytes: usize) {
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
        let mut found = Found::default();
        // A NUL stands in no JSON value: what is on either side is read by itself.
        for part in line[at..].split(|byte| *byte == 0) {
            if at > 0 && line[at - 1] == 0 {
                found.fault(offset + at - 1);
            }
            let waits = is_last && at + part.len() == line.len();
            self.part(&mut found, offset + at, part, waits);
            at += part.len() + 1;
        }
        self.lines += u64::from(found.objects > 0 || found.bad);
        self.glued_lines += u64::from(found.objects > 1);
        self.bad_lines += u64::from(found.bad);
    }

    /// Reads values one after the other.
    fn part(&mut self, found: &mut Found, offset: usize, part: &[u8], waits: bool) {
        let mut begin = 0;
        loop {
            let mut values =
                serde_json::Deserializer::from_slice(&part[begin..]).into_iter::<IgnoredAny>();
            let skipped = part[begin..].iter().take_while(|b| b.is_ascii_whitespace()).count();
            let at = begin + skipped;
            match values.next() {
                None => return,
                Some(Ok(_)) => {
                    let end = begin + values.byte_offset();
                    let bytes = &part[at..end];
                    if bytes.starts_with(b"{") && std::str::from_utf8(bytes).is_ok() {
                        found.objects += 1;
                        found.stretch = None;
                        self.objects.push(offset + at..offset + end);
                        self.object(bytes);
                    } else {
                        found.fault(offset + at);
                    }
                    begin = end;
                }
                Some(Err(error)) => {
                    let rest = &part[at..];
                    let may_wait = waits && error.is_eof() && rest.starts_with(b"{");
                    if let Some(whole) = whole_behind(rest, self.takes_any) {
                        if may_wait {
                            self.within_last.get_or_insert(self.objects.len());
                        }
                        found.fault(offset + at);
                        begin = at + whole;
                    } else if may_wait {
                        let (from, bad) = found.stretch.unwrap_or((offset + at, found.bad));
                        found.bad = bad;
                        self.waiting = Some(from..offset + part.len());
                        return;
                    } else {
                        found.fault(offset + at);
                        return;
                    }
                }
            }
        }
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
    read_lines(input, max_bytes, Expected::default())
}

/// As [`read`], where any object behind one that was cut off counts as a record.
pub fn read_any(input: &[u8], max_bytes: usize) -> Expected {
    read_lines(input, max_bytes, Expected { takes_any: true, ..Expected::default() })
}

fn read_lines(input: &[u8], max_bytes: usize, mut expected: Expected) -> Expected {
    expected.bytes = input.len() as u64;
    let mut offset = 0;
    for line in input.split(|byte| *byte == b'\n') {
        let is_last = offset + line.len() == input.len();
        expected.line(offset, line, is_last, max_bytes);
        offset += line.len() + 1;
    }
    expected
}

/// Where the longest part of a damaged stretch begins that is nothing but objects, up to
/// its end.
fn whole_behind(stretch: &[u8], takes_any: bool) -> Option<usize> {
    let begins = (1..stretch.len()).filter(|at| stretch[*at] == b'{');
    begins.into_iter().find(|at| {
        let mut values =
            serde_json::Deserializer::from_slice(&stretch[*at..]).into_iter::<IgnoredAny>();
        let (mut begin, mut first) = (*at, None);
        loop {
            match values.next() {
                None => break,
                Some(Err(_)) => return false,
                Some(Ok(_)) => {}
            }
            let end = at + values.byte_offset();
            let object = stretch[begin..end].trim_ascii();
            if !object.starts_with(b"{") || std::str::from_utf8(object).is_err() {
                return false;
            }
            first.get_or_insert(object);
            begin = end;
        }
        first.is_some_and(|object| {
            let keys = serde_json::from_slice::<Keys>(object).expect("a well-formed object").0;
            let is_record = || keys.iter().any(|key| OWN_KEYS.contains(&&**key));
            !keys.is_empty() && (takes_any || !may_hold_value(&stretch[..*at]) || is_record())
        })
    })
}

/// Whether a value may come where a damaged record was cut.
fn may_hold_value(stub: &[u8]) -> bool {
    let (mut open, mut last, mut rest) = (Vec::new(), b' ', stub);
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'"' => loop {
                match rest {
                    [] => return !stub.starts_with(b"{"),
                    [b'\\', _, after @ ..] | [b'\\', after @ ..] => rest = after,
                    [b'"', after @ ..] => {
                        rest = after;
                        break;
                    }
                    [_, after @ ..] => rest = after,
                }
            },
            b'{' | b'[' => open.push(*byte),
            b'}' | b']' => _ = open.pop(),
            _ => {}
        }
        if !matches!(byte, b' ' | b'\t' | b'\r') {
            last = *byte;
        }
    }
    let in_array = open.last() == Some(&b'[');
    !stub.starts_with(b"{") || last == b':' || last == b'[' || last == b',' && in_array
}

/// Keys of which a record of a transcript has one, and what is inside one has none.
const OWN_KEYS: [&[u8]; 4] = [b"sessionId", b"leafUuid", b"parentUuid", b"snapshot"];

/// The keys of an object.
struct Keys(Vec<Vec<u8>>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some(Text(key)) = map.next_key()? {
                    map.next_value::<IgnoredAny>()?;
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Members)
    }
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
