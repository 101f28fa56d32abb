//! The text of the manifest: a line for each entry, and a last one with the digest of the
//! others.

use std::fmt::Write;

use crate::base::error::{Error, Result};
use crate::base::format::{FORMAT_VERSION, READ_VERSIONS};
use crate::base::kinds::NamedKind;
use crate::base::state::KindId;
use crate::manifest::names::NAME;
use crate::manifest::{FullLog, LogStart, Manifest, Read, Retention, Sealed};

impl Manifest {
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{FIRST_WORDS}{FORMAT_VERSION}\n");
        // Writing to a String can't fail.
        let _ = writeln!(text, "store {}", hex(&self.store));
        for NamedKind { id, name, provider } in &self.kinds {
            let _ = writeln!(text, "kind {} name={name} provider={provider}", id.number());
        }
        for sealed in &self.sealed {
            let _ = writeln!(
                text,
                "segment {} first={} rows={} lost={} from={} to={} written={} raw={} seg={} idx={} \
                 reach={} claims={} marks={} carried={} footer={} last={}{}",
                sealed.segment,
                sealed.first_seq,
                sealed.rows,
                sealed.lost,
                sealed.min_time_ns,
                sealed.max_time_ns,
                sealed.written_ns,
                sealed.raw_bytes,
                sealed.seg_bytes,
                sealed.idx_bytes,
                sealed.reach,
                sealed.asserted_links,
                sealed.marks,
                sealed.carried,
                hex(&sealed.footer),
                hex(&sealed.last),
                superseding(sealed.superseding),
            );
        }
        if let Some(FullLog { start, length }) = &self.full {
            let _ = writeln!(text, "full {} length={length}", start.to_text());
        }
        let _ = writeln!(text, "active {}", self.active.to_text());
        if let Some(retention) = &self.retention {
            let _ = writeln!(text, "retention {}", retention.to_text());
        }
        if self.archive {
            let _ = writeln!(text, "{ARCHIVE_LINE}");
        }
        for line in &self.foreign {
            let _ = writeln!(text, "{line}");
        }
        let digest = blake3::hash(text.as_bytes()).to_hex();
        let _ = writeln!(text, "{DIGEST_WORD}{digest}");
        text
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Read> {
        let damaged = |reason: &str| Ok(Read::Damaged(reason.to_owned()));
        let Ok(text) = std::str::from_utf8(bytes) else {
            return damaged("expected text, found other bytes");
        };
        let Some((content, digest)) = text
            .rfind(DIGEST_WORD)
            .filter(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n')
            .map(|at| (&text[..at], text[at + DIGEST_WORD.len()..].trim_end()))
        else {
            return damaged("expected a last line with a digest, found none");
        };
        if blake3::hash(content.as_bytes()).to_hex().as_str() != digest {
            return damaged("the lines do not have the digest that the last one gives");
        }
        let Some(version) = content.lines().next().and_then(|line| line.strip_prefix(FIRST_WORDS))
        else {
            return Err(Error::foreign(format!(
                "{NAME}: expected a first line of {FIRST_WORDS:?} and a number, found something \
                 else; this folder belongs to another program"
            )));
        };
        let newer = |what: &str| {
            Err(Error::newer(format!(
                "{NAME}: expected a store of format {FORMAT_VERSION} or before, found {what}: it was \
                 written by a newer forebear; open it with that"
            )))
        };
        let Some(format) = version.parse().ok().filter(|found| READ_VERSIONS.contains(found))
        else {
            return newer(&format!("one of format {version}"));
        };
        // With the right digest the lines are those that were written, never damaged ones.
        match Self::parse_lines(content, format) {
            Ok(manifest) if manifest.is_sound() => Ok(Read::Sound(manifest)),
            Ok(_) => damaged("expected segments and logs that follow each other, found others"),
            Err(line) => newer(&format!("the line {line:?}")),
        }
    }

    /// Fails with the first line that says what this program does not know.
    fn parse_lines(content: &str, format: u32) -> std::result::Result<Self, String> {
        let (mut store, mut active) = (None, None);
        let kinds = if format == 1 { NamedKind::of_format_1() } else { Vec::new() };
        let mut manifest = Self { format, ..Self::new([0; 16], kinds) };
        for line in content.lines().skip(1) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let mut parse = || {
                match word {
                    "store" => store = Some(from_hex(rest)?),
                    "kind" if format > 1 => manifest.kinds.push(NamedKind::parse(rest)?),
                    "segment" => manifest.sealed.push(Sealed::parse(rest)?),
                    "full" => manifest.full = Some(FullLog::parse(rest)?),
                    "active" => active = Some(LogStart::parse(rest, &["first", "previous"])?),
                    "retention" => manifest.retention = Some(parse_retention(rest)?),
                    ARCHIVE_LINE if rest.is_empty() => manifest.archive = true,
                    _ if word.starts_with(FOREIGN_PREFIX) => manifest.foreign.push(line.to_owned()),
                    _ => return None,
                }
                Some(())
            };
            parse().ok_or_else(|| line.to_owned())?;
        }
        let missing = || "store … active …, which are missing".to_owned();
        (manifest.store, manifest.active) = store.zip(active).ok_or_else(missing)?;
        Ok(manifest)
    }

    /// Whether each segment and log starts where the one before it ends.
    fn is_sound(&self) -> bool {
        let starts = self.sealed.iter().map(|sealed| (sealed.segment, sealed.first_seq));
        let full = self.full.iter().map(|full| (full.start.segment, full.start.first_seq));
        let active = (self.active.segment, self.active.first_seq);
        let starts: Vec<_> = starts.chain(full).chain([active]).collect();
        let follows = starts.is_sorted_by(|a, b| a.0 + 1 == b.0 && a.1 <= b.1);
        let ends = self.sealed.iter().zip(starts.iter().skip(1));
        let kinds = self.kinds.is_sorted_by(|a, b| a.id < b.id);
        kinds && follows && ends.into_iter().all(|(sealed, next)| sealed.end_seq() == next.1)
    }
}

/// A retention policy, of which every word is known.
pub(super) fn parse_retention(text: &str) -> Option<Retention> {
    has_only(text, &["max_age_ns", "max_bytes", "max_events", "archive"])?;
    Retention::parse(text)
}

impl LogStart {
    fn to_text(self) -> String {
        format!("{} first={} previous={}", self.segment, self.first_seq, hex(&self.previous))
    }

    pub(super) fn parse(text: &str, known: &[&str]) -> Option<Self> {
        let (segment, words) = text.split_once(' ')?;
        has_only(words, known)?;
        Some(Self {
            segment: segment.parse().ok()?,
            first_seq: value(text, "first")?.parse().ok()?,
            previous: from_hex(value(text, "previous")?)?,
        })
    }
}

impl FullLog {
    fn parse(text: &str) -> Option<Self> {
        let start = LogStart::parse(text, &["first", "previous", "length"])?;
        Some(Self { start, length: value(text, "length")?.parse().ok()? })
    }
}

impl NamedKind {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, words) = text.split_once(' ')?;
        has_only(words, &["name", "provider"])?;
        let named = Self {
            id: KindId::new(number.parse().ok()?),
            name: value(words, "name")?.to_owned(),
            provider: value(words, "provider")?.to_owned(),
        };
        named.is_sound().then_some(named)
    }
}

impl Sealed {
    /// Parses the words in the order in which they are written, which is faster than a
    /// lookup of each: a large store has thousands of these lines, and readers parse them
    /// whenever a segment is added.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let segment = words.next()?.parse().ok()?;
        let mut next = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
        let mut sealed = Self {
            segment,
            first_seq: next("first")?.parse().ok()?,
            rows: next("rows")?.parse().ok()?,
            lost: next("lost")?.parse().ok()?,
            min_time_ns: next("from")?.parse().ok()?,
            max_time_ns: next("to")?.parse().ok()?,
            written_ns: next("written")?.parse().ok()?,
            raw_bytes: next("raw")?.parse().ok()?,
            seg_bytes: next("seg")?.parse().ok()?,
            idx_bytes: next("idx")?.parse().ok()?,
            reach: next("reach")?.parse().ok()?,
            asserted_links: next("claims")?.parse().ok()?,
            marks: next("marks")?.parse().ok()?,
            carried: next("carried")?.parse().ok()?,
            superseding: 0,
            footer: from_hex(next("footer")?)?,
            last: from_hex(next("last")?)?,
        };
        if let Some(word) = words.next() {
            sealed.superseding = word.strip_prefix(SUPERSEDING)?.parse().ok()?;
        }
        words.next().is_none().then_some(sealed)
    }
}

/// The last word of a segment that has rows which replace others.
fn superseding(rows: u32) -> String {
    if rows == 0 { String::new() } else { format!(" {SUPERSEDING}{rows}") }
}

/// Whether all words of a line have one of these keys.
fn has_only(line: &str, keys: &[&str]) -> Option<()> {
    let is_known = |word: &str| word.split_once('=').is_some_and(|(key, _)| keys.contains(&key));
    line.split(' ').all(is_known).then_some(())
}

/// The value of `key=` in a line.
pub(crate) fn value<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(HEX[usize::from(digit)])).collect()
}

pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = from_digits(*pair)?;
    }
    Some(bytes)
}

pub(crate) fn from_hex_bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    rest.is_empty().then(|| pairs.iter().map(|&pair| from_digits(pair)).collect())?
}

fn from_digits([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(high)? * 16 + digit(low)?) as u8)
}

const HEX: &[u8; 16] = b"0123456789abcdef";
pub(super) const FIRST_WORDS: &str = "forebear store, format ";
const DIGEST_WORD: &str = "digest ";
const SUPERSEDING: &str = "superseding=";
pub(super) const ARCHIVE_LINE: &str = "archive";
/// What lines of others begin with.
pub(super) const FOREIGN_PREFIX: &str = "x-";
/// Bytes of the last line, with the digest.
pub(super) const MARK_BYTES: usize = DIGEST_WORD.len() + 64 + 1;
/// The most bytes of a manifest that are read.
pub(super) const MAX_BYTES: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_as_it_was_written_and_notices_every_changed_byte() {
        let start = |segment, first_seq| LogStart { segment, first_seq, previous: [9; 32] };
        let kind = |number, name: &str| NamedKind {
            id: KindId::new(number),
            name: name.into(),
            provider: "a-crate".into(),
        };
        let manifest = Manifest {
            format: FORMAT_VERSION,
            store: [7; 16],
            kinds: vec![kind(4, "session"), kind(16, "counts")],
            sealed: vec![Sealed {
                segment: 1,
                first_seq: 1,
                rows: 5,
                lost: 1,
                min_time_ns: -5,
                max_time_ns: i64::MAX,
                written_ns: 3,
                raw_bytes: 100,
                seg_bytes: 50,
                idx_bytes: 20,
                reach: 1,
                asserted_links: 2,
                marks: 3,
                carried: 4,
                superseding: 5,
                footer: [1; 32],
                last: [2; 32],
            }],
            full: Some(FullLog { start: start(2, 6), length: 700 }),
            active: start(3, 8),
            retention: Some(Retention::new().max_events(10)),
            archive: true,
            foreign: vec!["x-note kept as it is".into(), "x-mark".into()],
        };
        let text = manifest.to_text();
        assert!(
            matches!(Manifest::parse(text.as_bytes()), Ok(Read::Sound(read)) if read == manifest)
        );
        for at in 0..text.trim_end().len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(!matches!(Manifest::parse(&bytes), Ok(Read::Sound(_))), "byte {at}");
        }
    }

    /// What reading these lines gives, with a digest that fits.
    fn parse(lines: &str) -> Result<Read> {
        let digest = blake3::hash(lines.as_bytes()).to_hex();
        Manifest::parse(format!("{lines}digest {digest}\n").as_bytes())
    }

    fn lines(format: u32, more: &str) -> String {
        let zeros = "0".repeat(64);
        let store = &zeros[..32];
        format!("{FIRST_WORDS}{format}\nstore {store}\nactive 1 first=1 previous={zeros}\n{more}")
    }

    #[test]
    fn what_is_not_known_was_written_by_a_newer_program_and_is_no_damage() {
        for more in [
            "unknown\n",
            "unknown word\n",
            "archive of=more\n",
            "retention max_events=1 max_unknown=2\n",
            "kind 16 name=counts provider=a-crate unknown=1\n",
            "kind 3 name=counts provider=a-crate\n",
        ] {
            let error = parse(&lines(FORMAT_VERSION, more)).expect_err("is not known");
            assert!(error.is_newer() && error.to_string().contains("newer forebear"), "{error}");
        }
        assert!(parse(&lines(FORMAT_VERSION + 1, "")).is_err_and(|error| error.is_newer()));
        let kind = "kind 16 name=counts provider=a-crate\n";
        assert!(parse(&lines(1, kind)).is_err_and(|error| error.is_newer()), "not in format 1");
    }

    #[test]
    fn a_manifest_of_format_1_names_the_kinds_that_all_its_stores_had() {
        let Ok(Read::Sound(manifest)) = parse(&lines(1, "x-mine 1\n")) else {
            panic!("expected a sound manifest");
        };
        assert_eq!((manifest.format, &*manifest.foreign), (1, &["x-mine 1".to_owned()][..]));
        assert_eq!(manifest.kinds, NamedKind::of_format_1());
        let text = manifest.to_text();
        assert!(text.starts_with("forebear store, format 2\n") && text.contains("\nx-mine 1\n"));
        assert!(text.contains("\nkind 4 name=session provider=forebear-sessions\n"), "{text}");
    }
}
