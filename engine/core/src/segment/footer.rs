//! The footer: the last 1024 bytes of a `.seg` file, which say what it holds and where.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, FORMAT_VERSION, READ_VERSIONS, StoreId};
use crate::base::state::{KindId, KindSet};
use crate::manifest::Sealed;
use crate::segment::pages::PAGE_BYTES;

/// Bytes of a footer, whatever the segment holds.
pub(crate) const FOOTER_BYTES: usize = 1024;

/// What a sealed segment holds and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footer {
    /// The version of its format and of its index's. In version 1 every instance has a
    /// scope of its own; from version 2 on the spine says which have.
    pub(crate) format: u32,
    pub(crate) store: StoreId,
    pub(crate) segment: u64,
    pub(crate) first_seq: u64,
    /// Events and versions, with those that were lost to damage.
    pub(crate) rows: u32,
    pub(crate) events: u32,
    pub(crate) versions: u32,
    /// Chunks of the heap, texts of the string table, entries of the block list.
    pub(crate) chunks: u32,
    pub(crate) texts: u32,
    pub(crate) blocks: u32,
    /// The least and the greatest time of an event. Without events the least is
    /// `i64::MAX` and the greatest `i64::MIN`.
    pub(crate) time_min_ns: i64,
    pub(crate) time_max_ns: i64,
    /// When the last block was written.
    pub(crate) written_ns: i64,
    /// Bytes of the heap before compression, and where in it the records of other kinds
    /// than events and versions begin.
    pub(crate) raw_bytes: u64,
    pub(crate) others_at: u64,
    /// Length of the log that was sealed.
    pub(crate) log_bytes: u64,
    /// Length of the `.idx` file.
    pub(crate) index_bytes: u64,
    /// The least sequence number among its anchors, the children of its late parents and
    /// its own rows: expiring that event changes what is above rows of this segment.
    pub(crate) reach: u64,
    /// Asserted links that stand in it, and cycle edges that it marks.
    pub(crate) asserted_links: u32,
    pub(crate) marks: u32,
    /// Keys of state for which values were carried over into it.
    pub(crate) carried: u32,
    /// Rows that replace others, of this segment or earlier ones.
    pub(crate) superseding: u32,
    pub(crate) sections: [Section; SECTIONS],
    /// The digests of the block before its first, and of its last.
    pub(crate) before: Digest,
    pub(crate) last: Digest,
    /// The digest of the section [`PAGE_DIGESTS`].
    pub(crate) pages: Digest,
    /// The digest of the section [`DICTIONARY`]. Segments sealed in a row share a
    /// dictionary, so that decoders are keyed by this.
    pub(crate) dictionary: Digest,
    /// The kinds of state that it was sealed with, those that are built in among them;
    /// empty in version 1: see [`kinds`](Self::kinds).
    pub(crate) sealed_with: KindSet,
    /// The floor: the oldest segment that the store had when this one was sealed. All
    /// before it were dropped by then. 0 in version 1, which doesn't say.
    pub(crate) floor: u64,
}

/// The range of a section in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The sections in the order of the file. The last has the digests of the pages of all
/// others but the heap, whose chunks have digests in [`CHUNKS`].
pub(crate) const HEAP: usize = 0;
pub(crate) const CHUNKS: usize = 1;
pub(crate) const DICTIONARY: usize = 2;
pub(crate) const SPINE: usize = 3;
pub(crate) const SLOTS: usize = 4;
pub(crate) const PARENTS: usize = 5;
pub(crate) const ANCHORS: usize = 6;
pub(crate) const TEXT_IDS: usize = 7;
pub(crate) const STRINGS: usize = 8;
pub(crate) const BLOCKS: usize = 9;
pub(crate) const LATE: usize = 10;
pub(crate) const FILTER: usize = 11;
pub(crate) const INDEX_DIGESTS: usize = 12;
pub(crate) const PAGE_DIGESTS: usize = 13;
pub(crate) const SECTIONS: usize = 14;

impl Footer {
    /// What the manifest says of the segment, whose file has so many bytes.
    pub(crate) fn to_sealed(&self, seg_bytes: u64) -> Sealed {
        Sealed {
            segment: self.segment,
            first_seq: self.first_seq,
            rows: self.rows,
            lost: self.rows - (self.events + self.versions),
            min_time_ns: self.time_min_ns,
            max_time_ns: self.time_max_ns,
            written_ns: self.written_ns,
            raw_bytes: self.log_bytes,
            seg_bytes,
            idx_bytes: self.index_bytes,
            reach: self.reach,
            asserted_links: self.asserted_links,
            marks: self.marks,
            carried: self.carried,
            superseding: self.superseding,
            footer: self.digest(),
            last: self.last,
        }
    }

    /// The footer's bytes, its digest last.
    pub(crate) fn to_bytes(&self) -> [u8; FOOTER_BYTES] {
        let mut out = FieldCodec { bytes: [0; FOOTER_BYTES], at: 0 };
        out.put(MAGIC);
        out.put(self.format.to_le_bytes());
        out.put(self.rows.to_le_bytes());
        out.put(self.store);
        for number in [self.segment, self.first_seq] {
            out.put(number.to_le_bytes());
        }
        for number in [self.events, self.versions, self.chunks, self.texts, self.blocks, 0] {
            out.put(number.to_le_bytes());
        }
        for time in [self.time_min_ns, self.time_max_ns, self.written_ns] {
            out.put(time.to_le_bytes());
        }
        for number in [self.raw_bytes, self.others_at, self.log_bytes, self.index_bytes, self.reach]
        {
            out.put(number.to_le_bytes());
        }
        for number in [self.asserted_links, self.marks, self.carried, self.superseding] {
            out.put(number.to_le_bytes());
        }
        for section in self.sections {
            out.put(section.offset.to_le_bytes());
            out.put(section.length.to_le_bytes());
        }
        for digest in [self.before, self.last, self.pages, self.dictionary] {
            out.put(digest);
        }
        out.put(self.sealed_with.0);
        out.put(self.floor.to_le_bytes());
        debug_assert!(out.at <= DIGEST_AT, "the fields fit");
        let digest = *blake3::hash(&out.bytes[..DIGEST_AT]).as_bytes();
        out.bytes[DIGEST_AT..].copy_from_slice(&digest);
        out.bytes
    }

    /// The footer's own digest, by which the manifest identifies the file.
    pub(crate) fn digest(&self) -> Digest {
        let bytes = self.to_bytes();
        let mut digest = [0; 32];
        digest.copy_from_slice(&bytes[DIGEST_AT..]);
        digest
    }

    /// Parses the footer of a file of `file_length` bytes. `expected` is the footer's digest
    /// in the manifest. The sections of a footer that parses fill the file.
    pub(crate) fn parse(
        bytes: &[u8; FOOTER_BYTES],
        name: &str,
        file_length: u64,
        expected: Option<&Digest>,
    ) -> Result<Self> {
        let damaged = |what: &str| {
            Error::damaged(format!(
                "{name}: {what} in the last {FOOTER_BYTES} of its {file_length} bytes"
            ))
        };
        if bytes[..MAGIC.len()] != MAGIC {
            return Err(damaged("expected a segment's footer, found something else"));
        }
        let digest = *blake3::hash(&bytes[..DIGEST_AT]).as_bytes();
        if digest[..] != bytes[DIGEST_AT..] {
            return Err(damaged("expected a footer with the digest it bears, found other bytes"));
        }
        if expected.is_some_and(|expected| *expected != digest) {
            return Err(damaged("expected the footer that the manifest names, found another"));
        }
        let mut fields = FieldCodec { bytes: *bytes, at: MAGIC.len() };
        let format = fields.u32();
        if !READ_VERSIONS.contains(&format) {
            return Err(Error::newer(format!(
                "{name}: expected a segment of format {FORMAT_VERSION} or before, found format \
                 {format}: it was written by a newer forebear; open it with that"
            )));
        }
        let rows = fields.u32();
        let footer = Self {
            format,
            rows,
            store: fields.take(),
            segment: fields.u64(),
            first_seq: fields.u64(),
            events: fields.u32(),
            versions: fields.u32(),
            chunks: fields.u32(),
            texts: fields.u32(),
            blocks: (fields.u32(), fields.u32()).0,
            time_min_ns: fields.i64(),
            time_max_ns: fields.i64(),
            written_ns: fields.i64(),
            raw_bytes: fields.u64(),
            others_at: fields.u64(),
            log_bytes: fields.u64(),
            index_bytes: fields.u64(),
            reach: fields.u64(),
            asserted_links: fields.u32(),
            marks: fields.u32(),
            carried: fields.u32(),
            superseding: fields.u32(),
            sections: std::array::from_fn(|_| Section {
                offset: fields.u64(),
                length: fields.u64(),
            }),
            before: fields.take(),
            last: fields.take(),
            pages: fields.take(),
            dictionary: fields.take(),
            sealed_with: KindSet(fields.take()),
            floor: fields.u64(),
        };
        footer.check(file_length).map_err(|what| damaged(&what))?;
        Ok(footer)
    }

    /// The kinds of state that it was sealed with.
    pub(crate) fn kinds(&self) -> KindSet {
        if self.format > 1 {
            return self.sealed_with;
        }
        KindId::OF_FORMAT_1.map(|(id, _)| id).into_iter().chain(KindId::BUILT_IN).collect()
    }

    /// The bytes of a section.
    pub(crate) fn section(&self, section: usize) -> Range<u64> {
        let Section { offset, length } = self.sections[section];
        offset..offset + length
    }

    /// The range of the pages that have digests.
    pub(crate) fn paged(&self) -> Range<u64> {
        self.sections[CHUNKS].offset..self.sections[PAGE_DIGESTS].offset
    }

    /// Checks that the sections follow each other, each at the beginning of a page, and
    /// fill the file. Lengths taken from a footer are trusted from here on.
    fn check(&self, file_length: u64) -> std::result::Result<(), String> {
        let mut end = 0_u64;
        for Section { offset, length } in self.sections {
            if offset != end.next_multiple_of(PAGE_BYTES as u64) || length > file_length {
                return Err(format!("a section of {length} bytes at byte {offset} does not fit"));
            }
            end = offset + length;
        }
        let pages = self.paged().end.saturating_sub(self.paged().start) / PAGE_BYTES as u64;
        let spine = u64::from(self.rows) * super::spine::ENTRY_BYTES as u64;
        let slots = u64::from(self.rows) * super::order::SLOT_BYTES as u64;
        let index_pages = self.index_bytes.div_ceil(PAGE_BYTES as u64);
        let fits = end + FOOTER_BYTES as u64 == file_length
            && self.sections[PAGE_DIGESTS].length == pages * DIGEST_BYTES
            && self.sections[INDEX_DIGESTS].length == index_pages * DIGEST_BYTES
            && self.sections[SPINE].length == spine
            && self.sections[SLOTS].length == slots
            && self.others_at <= self.raw_bytes
            && self.raw_bytes <= MAX_RAW_BYTES;
        if fits { Ok(()) } else { Err("the lengths do not agree with each other".to_owned()) }
    }
}

/// Writes or reads fixed-size fields in sequence.
struct FieldCodec {
    bytes: [u8; FOOTER_BYTES],
    at: usize,
}

impl FieldCodec {
    fn put<const N: usize>(&mut self, field: [u8; N]) {
        self.bytes[self.at..self.at + N].copy_from_slice(&field);
        self.at += N;
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        field
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.take())
    }
}

/// The first bytes of every footer.
const MAGIC: [u8; 8] = *b"frbrSEG\n";
/// The offset of the footer's digest, which covers all bytes before it.
const DIGEST_AT: usize = FOOTER_BYTES - 32;
/// Size of a page's digest.
const DIGEST_BYTES: u64 = 16;
/// Records have addresses of 32 bits, in units of 16 bytes.
pub(crate) const MAX_RAW_BYTES: u64 = (u32::MAX as u64) << 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_reads_as_it_was_written_and_notices_every_changed_byte() {
        let mut footer =
            Footer { format: 1, segment: 7, first_seq: 9, time_min_ns: -1, ..Footer::default() };
        for section in &mut footer.sections[CHUNKS..] {
            section.offset = 0;
        }
        let bytes = footer.to_bytes();
        let length = FOOTER_BYTES as u64;
        let digest = footer.digest();
        assert_eq!(Footer::parse(&bytes, "seg", length, Some(&digest)).expect("sound"), footer);
        assert!(Footer::parse(&bytes, "seg", length, Some(&[1; 32])).is_err());
        assert!(Footer::parse(&bytes, "seg", length + 1, None).is_err());
        for at in 0..FOOTER_BYTES {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert!(Footer::parse(&changed, "seg", length, None).is_err(), "byte {at}");
        }
    }
}
