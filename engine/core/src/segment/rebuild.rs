//! Rebuilds the blocks of a log from the segment that it became, byte for byte.

use std::ops::Range;

use rkyv::util::AlignedVec;

use crate::base::error::Result;
use crate::base::format::Digest;
use crate::base::row::Flags;
use crate::log::block::{Header, digest};
use crate::log::index::Index;
use crate::log::record::ALIGN;
use crate::log::replay::Replay;
use crate::segment::blocks::{ListReader, Listed};
use crate::segment::file::SegFile;
use crate::segment::heap::ChunkCache;

/// Iterates over the blocks of the log that a segment was made from.
#[derive(Debug)]
pub(crate) struct Blocks<'s> {
    segment: &'s SegFile,
    cache: &'s ChunkCache,
    list: ListReader<'s>,
    next_row: u32,
    /// Where in the heap, before compression, the next record of another kind begins.
    next_other: u64,
    last: Digest,
    body: AlignedVec<ALIGN>,
    others: Vec<(u64, u32)>,
}

/// A rebuilt block of a log, or a gap in it.
#[derive(Debug)]
pub(crate) enum RebuiltBlock {
    /// A block whose digest was checked; [`Blocks::body`] has its body.
    Block(Header),
    /// A range that was damaged when the log was sealed.
    Gap(Range<u64>),
}

/// The index of a log, replayed from its segment.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) index: Index,
    /// For each record that is neither an event nor a version, its offset in the log and
    /// its heap address.
    pub(crate) others: Vec<(u64, u32)>,
}

impl SegFile {
    /// The blocks of the log. Takes memory for the largest block and the cache.
    pub(crate) fn blocks<'s>(&'s self, cache: &'s ChunkCache) -> Result<Blocks<'s>> {
        let footer = self.footer();
        let list = ListReader::new(
            self.block_list()?,
            footer.before,
            footer.first_seq,
            footer.store,
            footer.segment,
        );
        Ok(Blocks {
            segment: self,
            cache,
            list,
            next_row: 0,
            next_other: footer.others_at,
            last: footer.before,
            body: AlignedVec::new(),
            others: Vec::new(),
        })
    }

    /// Replays the blocks into the index that the log had when it was frozen.
    pub(crate) fn replay(&self, cache: &ChunkCache) -> Result<Replayed> {
        let mut replay = Replay::new(self.footer().first_seq);
        let mut others = Vec::new();
        let mut blocks = self.blocks(cache)?;
        while let Some(next) = blocks.next()? {
            match next {
                RebuiltBlock::Block(header) => {
                    replay.apply(&header, blocks.body(), self.name())?;
                    others.extend_from_slice(blocks.others());
                }
                RebuiltBlock::Gap(range) => replay.skip(range.end - range.start),
            }
        }
        Ok(Replayed { index: replay.index, others })
    }
}

impl Blocks<'_> {
    /// The next block or gap; none at the end of the log.
    pub(crate) fn next(&mut self) -> Result<Option<RebuiltBlock>> {
        match self.list.next().map_err(|error| self.segment.damaged(&format!("{error:#}")))? {
            Some(Listed::Gap(range)) => Ok(Some(RebuiltBlock::Gap(range))),
            Some(Listed::Block(header, runs)) => {
                self.rebuild(&header, &runs)?;
                self.last = header.digest;
                Ok(Some(RebuiltBlock::Block(header)))
            }
            None => {
                let footer = self.segment.footer();
                if self.next_row != footer.rows
                    || self.next_other != footer.raw_bytes
                    || self.last != footer.last
                {
                    return Err(self.segment.damaged(&format!(
                        "expected blocks with {} rows that end with the digest in the footer, \
                         found {}",
                        footer.rows, self.next_row
                    )));
                }
                Ok(None)
            }
        }
    }

    /// The body of the last block, as it was in the log.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The records of the last block that are neither events nor versions: the offset in
    /// the log and the heap address of each.
    pub(crate) fn others(&self) -> &[(u64, u32)] {
        &self.others
    }

    fn rebuild(&mut self, header: &Header, runs: &[u32]) -> Result<()> {
        self.body.clear();
        self.others.clear();
        let front = header.to_log_bytes();
        self.skip_lost(header)?;
        for (at, &run) in runs.iter().enumerate() {
            for _ in 0..run {
                if at % 2 == 0 { self.add_row(header)? } else { self.add_other(header)? }
            }
        }
        if self.body.len() as u64 == header.body_len && digest(&front, &self.body) == header.digest
        {
            return Ok(());
        }
        Err(self.segment.damaged(&format!(
            "expected the block at byte {} of the log with the digest it had, found other records",
            header.offset
        )))
    }

    /// Skips the rows that were lost before a block.
    fn skip_lost(&mut self, header: &Header) -> Result<()> {
        let first_seq = self.segment.footer().first_seq;
        while first_seq + u64::from(self.next_row) < header.first_seq {
            // `entry` fails behind the last row, which bounds the loop whatever the header says.
            if !self.segment.entry(self.next_row)?.flags.has(Flags::LOST) {
                return Err(self.segment.damaged(&format!(
                    "expected row {} in a block, found it in none",
                    self.next_row
                )));
            }
            self.next_row += 1;
        }
        Ok(())
    }

    fn add_row(&mut self, header: &Header) -> Result<()> {
        let room = self.room(header);
        self.segment.copy_row(self.next_row, room, self.cache, &mut self.body)?;
        self.next_row += 1;
        Ok(())
    }

    fn add_other(&mut self, header: &Header) -> Result<()> {
        let record = (self.next_other / ALIGN as u64) as u32;
        let begin = header.offset + (crate::log::block::HEADER_BYTES + self.body.len()) as u64;
        self.others.push((begin, record));
        let room = self.room(header);
        let length = self.segment.copy_other(record, room, self.cache, &mut self.body)?;
        self.next_other += length as u64;
        Ok(())
    }

    /// The bytes that the body still lacks: no record may have more.
    fn room(&self, header: &Header) -> usize {
        header.body_len as usize - self.body.len()
    }
}
