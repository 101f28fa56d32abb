//! The block list of a segment: the headers of its log's blocks, delta-encoded. With the
//! records in the heap it gives back each block of the log byte for byte.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, StoreId};
use crate::log::block::{HEADER_BYTES, Header, MAX_BODY_BYTES};

/// Encodes a block list.
#[derive(Debug)]
pub(crate) struct BlockList {
    bytes: Vec<u8>,
    count: u32,
    at: DeltaBase,
}

/// The state that the next entry is encoded against.
#[derive(Clone, Copy, Debug)]
struct DeltaBase {
    offset: u64,
    next_seq: u64,
    written_ns: i64,
    previous: Digest,
}

/// An entry of a block list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// A block: its header, and the lengths of its runs of records. Runs of events and
    /// versions alternate with runs of other kinds, the former first.
    Block(Header, Vec<u32>),
    /// A damaged range of the log.
    Gap(Range<u64>),
}

/// Decodes a block list.
#[derive(Debug)]
pub(crate) struct ListReader<'a> {
    bytes: &'a [u8],
    at: DeltaBase,
    store: StoreId,
    segment: u64,
}

impl BlockList {
    /// An empty list for a log whose first block follows the block with the digest `before`.
    pub(crate) fn new(before: Digest, first_seq: u64) -> Self {
        Self { bytes: Vec::new(), count: 0, at: DeltaBase::first(before, first_seq) }
    }

    /// Adds a block; `runs` as in [`Listed::Block`].
    pub(crate) fn add(&mut self, header: &Header, runs: &[u32]) {
        let follows = header.previous == self.at.previous;
        self.bytes.push(if follows { BLOCK } else { BLOCK_AFTER_DAMAGE });
        let lost = header.first_seq - self.at.next_seq;
        let wait = header.written_ns.wrapping_sub(self.at.written_ns);
        for number in [
            u64::from(header.version),
            header.body_len,
            lost,
            ((wait << 1) ^ (wait >> 63)).cast_unsigned(),
            header.offset - header.durable,
            runs.len() as u64,
        ] {
            put(&mut self.bytes, number);
        }
        for &run in runs {
            put(&mut self.bytes, u64::from(run));
        }
        if !follows {
            self.bytes.extend_from_slice(&header.previous);
        }
        self.bytes.extend_from_slice(&header.digest);
        self.at.advance(header, runs);
        self.count += 1;
    }

    /// Adds a damaged range.
    pub(crate) fn add_gap(&mut self, range: &Range<u64>) {
        self.bytes.push(GAP);
        put(&mut self.bytes, range.end - range.start);
        self.at.offset = range.end;
        self.count += 1;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of entries: blocks and gaps.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The digest of the last block, and when it was written.
    pub(crate) fn last(&self) -> (Digest, i64) {
        (self.at.previous, self.at.written_ns)
    }
}

impl<'a> ListReader<'a> {
    /// A reader of the list of this store's segment.
    pub(crate) fn new(
        bytes: &'a [u8],
        before: Digest,
        first_seq: u64,
        store: StoreId,
        segment: u64,
    ) -> Self {
        Self { bytes, at: DeltaBase::first(before, first_seq), store, segment }
    }

    /// The next entry; none at the end of the list.
    pub(crate) fn next(&mut self) -> Result<Option<Listed>> {
        let Some((&tag, rest)) = self.bytes.split_first() else {
            return Ok(None);
        };
        self.bytes = rest;
        match tag {
            GAP => {
                let begin = self.at.offset;
                let end = begin.checked_add(self.take()?).ok_or_else(damaged)?;
                self.at.offset = end;
                Ok(Some(Listed::Gap(begin..end)))
            }
            BLOCK | BLOCK_AFTER_DAMAGE => self.block(tag).map(Some),
            _ => Err(damaged()),
        }
    }

    fn block(&mut self, tag: u8) -> Result<Listed> {
        let version = u32::try_from(self.take()?).map_err(|_| damaged())?;
        let body_len = self.take()?;
        let lost = self.take()?;
        let wait = self.take()?;
        let wait = (wait >> 1).cast_signed() ^ -(wait & 1).cast_signed();
        let behind = self.take()?;
        let count = self.take()?;
        // Checked before anything is allocated: a run takes at least a byte.
        if body_len > MAX_BODY_BYTES || count > self.bytes.len() as u64 {
            return Err(damaged());
        }
        let runs = (0..count)
            .map(|_| u32::try_from(self.take()?).map_err(|_| damaged()))
            .collect::<Result<Vec<u32>>>()?;
        let records = runs.iter().try_fold(0_u32, |sum, &run| sum.checked_add(run));
        let previous = if tag == BLOCK { self.at.previous } else { self.take_digest()? };
        let offset = self.at.offset;
        let header = Header {
            version,
            records: records.ok_or_else(damaged)?,
            store: self.store,
            segment: self.segment,
            offset,
            body_len,
            first_seq: self.at.next_seq.checked_add(lost).ok_or_else(damaged)?,
            written_ns: self.at.written_ns.wrapping_add(wait),
            durable: offset.checked_sub(behind).ok_or_else(damaged)?,
            previous,
            digest: self.take_digest()?,
        };
        if offset.checked_add(HEADER_BYTES as u64 + body_len).is_none()
            || header.first_seq.checked_add(u64::from(header.records)).is_none()
        {
            return Err(damaged());
        }
        self.at.advance(&header, &runs);
        Ok(Listed::Block(header, runs))
    }

    fn take(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.bytes.split_first().ok_or_else(damaged)?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(damaged())
    }

    fn take_digest(&mut self) -> Result<Digest> {
        let (digest, rest) = self.bytes.split_first_chunk().ok_or_else(damaged)?;
        self.bytes = rest;
        Ok(*digest)
    }
}

impl DeltaBase {
    fn first(before: Digest, first_seq: u64) -> Self {
        Self { offset: 0, next_seq: first_seq, written_ns: 0, previous: before }
    }

    fn advance(&mut self, header: &Header, runs: &[u32]) {
        let events: u64 = runs.iter().step_by(2).map(|&run| u64::from(run)).sum();
        *self = Self {
            offset: header.end(),
            next_seq: header.first_seq + events,
            written_ns: header.written_ns,
            previous: header.digest,
        };
    }
}

/// Appends a LEB128 number.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn damaged() -> Error {
    Error::damaged("expected the list of a segment's blocks, found something else")
}

/// The tags that entries begin with.
const GAP: u8 = 0;
const BLOCK: u8 = 1;
const BLOCK_AFTER_DAMAGE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(offset: u64, first_seq: u64, records: u32, previous: u8) -> Header {
        Header {
            version: 1,
            records,
            store: [5; 16],
            segment: 3,
            offset,
            body_len: 1000,
            first_seq,
            written_ns: i64::MAX - offset.cast_signed(),
            durable: offset / 2,
            previous: [previous; 32],
            digest: [previous + 1; 32],
        }
    }

    #[test]
    fn a_list_reads_as_it_was_written_and_changed_bytes_are_no_panic() {
        let first = header(0, 100, 7, 9);
        let after_gap = header(first.end() + 50, 110, 0, 40);
        let mut list = BlockList::new([9; 32], 100);
        list.add(&first, &[3, 4]);
        list.add_gap(&(first.end()..after_gap.offset));
        list.add(&after_gap, &[]);
        let read = |bytes: &[u8]| {
            let mut reader = ListReader::new(bytes, [9; 32], 100, [5; 16], 3);
            let mut entries = Vec::new();
            while let Some(entry) = reader.next()? {
                entries.push(entry);
            }
            Ok::<_, Error>(entries)
        };
        let entries = [
            Listed::Block(first, vec![3, 4]),
            Listed::Gap(first.end()..after_gap.offset),
            Listed::Block(after_gap, vec![]),
        ];
        assert_eq!(read(list.bytes()).expect("sound"), entries);
        for at in 0..list.bytes().len() {
            for bit in 0..8 {
                let mut changed = list.bytes().to_vec();
                changed[at] ^= 1 << bit;
                let _ = read(&changed);
            }
            let _ = read(&list.bytes()[..at]);
        }
    }
}
