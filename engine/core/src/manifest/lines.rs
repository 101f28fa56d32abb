//! The text of the manifest: a line for each entry, and a last one with the digest of the
//! others.

use std::fmt::Write;

use crate::base::error::{Error, Result};
use crate::base::format::FORMAT_VERSION;
use crate::manifest::names::NAME;
use crate::manifest::{FullLog, LogStart, Manifest, Read, Retention, Sealed};

impl Manifest {
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{FIRST_WORDS}{FORMAT_VERSION}\n");
        // Writing to a String can't fail.
        let _ = writeln!(text, "store {}", hex(&self.store));
        for sealed in &self.sealed {
            let _ = writeln!(
                text,
                "segment {} first={} rows={} lost={} from={} to={} written={} raw={} seg={} idx={} \
                 reach={} claims={} marks={} carried={} footer={} last={}",
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
        if version != FORMAT_VERSION.to_string() {
            return Err(Error::newer(format!(
                "{NAME}: expected a store of format {FORMAT_VERSION}, found format {version}; \
                 open it with a newer release of forebear"
            )));
        }
        match Self::parse_lines(content) {
            Some(manifest) => Ok(Read::Sound(manifest)),
            None => damaged("expected lines that give the store, its segments and its active log"),
        }
    }

    fn parse_lines(content: &str) -> Option<Self> {
        let (mut store, mut active) = (None, None);
        let mut manifest = Self::new([0; 16]);
        for line in content.lines().skip(1) {
            if line == ARCHIVE_LINE {
                manifest.archive = true;
                continue;
            }
            let (word, rest) = line.split_once(' ')?;
            match word {
                "store" => store = Some(from_hex(rest)?),
                "segment" => manifest.sealed.push(Sealed::parse(rest)?),
                "full" => {
                    let length = value(rest, "length")?.parse().ok()?;
                    manifest.full = Some(FullLog { start: LogStart::parse(rest)?, length });
                }
                "active" => active = Some(LogStart::parse(rest)?),
                "retention" => manifest.retention = Some(Retention::parse(rest)?),
                _ => return None,
            }
        }
        (manifest.store, manifest.active) = (store?, active?);
        manifest.is_sound().then_some(manifest)
    }

    /// Whether each segment and log starts where the one before it ends.
    fn is_sound(&self) -> bool {
        let starts = self.sealed.iter().map(|sealed| (sealed.segment, sealed.first_seq));
        let full = self.full.iter().map(|full| (full.start.segment, full.start.first_seq));
        let active = (self.active.segment, self.active.first_seq);
        let starts: Vec<_> = starts.chain(full).chain([active]).collect();
        let follows = starts.is_sorted_by(|a, b| a.0 + 1 == b.0 && a.1 <= b.1);
        let ends = self.sealed.iter().zip(starts.iter().skip(1));
        follows && ends.into_iter().all(|(sealed, next)| sealed.end_seq() == next.1)
    }
}

impl LogStart {
    fn to_text(self) -> String {
        format!("{} first={} previous={}", self.segment, self.first_seq, hex(&self.previous))
    }

    fn parse(text: &str) -> Option<Self> {
        Some(Self {
            segment: text.split(' ').next()?.parse().ok()?,
            first_seq: value(text, "first")?.parse().ok()?,
            previous: from_hex(value(text, "previous")?)?,
        })
    }
}

impl Sealed {
    /// Parses the words in the order in which they are written, which is faster than a
    /// lookup of each: a large store has thousands of these lines, and readers parse them
    /// whenever a segment is added.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let segment = words.next()?.parse().ok()?;
        let mut next = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
        Some(Self {
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
            footer: from_hex(next("footer")?)?,
            last: from_hex(next("last")?)?,
        })
    }
}

/// The value of `key=` in a line.
pub(crate) fn value<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(HEX[usize::from(digit)])).collect()
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
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
const ARCHIVE_LINE: &str = "archive";
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
        let manifest = Manifest {
            store: [7; 16],
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
                footer: [1; 32],
                last: [2; 32],
            }],
            full: Some(FullLog { start: start(2, 6), length: 700 }),
            active: start(3, 8),
            retention: Some(Retention::new().max_events(10)),
            archive: true,
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

    #[test]
    fn a_newer_format_is_refused() {
        let body = "forebear store, format 2\nstore 00\nactive 1\n";
        let text = format!("{body}digest {}\n", blake3::hash(body.as_bytes()).to_hex());
        assert!(Manifest::parse(text.as_bytes()).is_err_and(|error| error.is_foreign()));
    }
}
