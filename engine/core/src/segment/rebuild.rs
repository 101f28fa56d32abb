//! Making a log's blocks again from a sealed segment.

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

/// The blocks of the log that a segment was made from, in their order.
#[derive(Debug)]
pub(crate) struct Blocks<'s> {
    segment: &'s SegFile,
    cache: &'s ChunkCache,
    list: ListReader<'s>,
    next_row: u32,
    /// Where the next record of another kind lies, before compression.
    next_other: u64,
    last: Digest,
    body: AlignedVec<ALIGN>,
    others: Vec<(u64, u32)>,
}

/// What comes next in a log.
#[derive(Debug)]
pub(crate) enum Rebuilt {
    /// A block, its digest checked; its body is in [`Blocks::body`].
    Block(Header),
    /// A stretch that was damaged when the log was sealed.
    Gap(Range<u64>),
}

/// What replaying a segment gives.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) index: Index,
    /// Where in the log and where in the heap each record lies that is neither an
    /// event nor a version.
    pub(crate) others: Vec<(u64, u32)>,
}

impl SegFile {
    /// The blocks of the log. Memory is bounded by the largest block and the cache.
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

    /// The index of the log as it was when it was frozen, made from its blocks.
    pub(crate) fn replay(&self, cache: &ChunkCache) -> Result<Replayed> {
        let mut replay = Replay::new(self.footer().first_seq);
        let mut others = Vec::new();
        let mut blocks = self.blocks(cache)?;
        while let Some(next) = blocks.next()? {
            match next {
                Rebuilt::Block(header) => {
                    replay.apply(&header, blocks.body(), self.name())?;
                    others.extend_from_slice(blocks.others());
                }
                Rebuilt::Gap(range) => replay.skip(range.end - range.start),
            }
        }
        Ok(Replayed { index: replay.index, others })
    }
}

impl Blocks<'_> {
    /// The next block or gap; none at the end of the log.
    pub(crate) fn next(&mut self) -> Result<Option<Rebuilt>> {
        match self.list.next().map_err(|error| self.segment.damaged(&format!("{error:#}")))? {
            Some(Listed::Gap(range)) => Ok(Some(Rebuilt::Gap(range))),
            Some(Listed::Block(header, runs)) => {
                self.rebuild(&header, &runs)?;
                self.last = header.digest;
                Ok(Some(Rebuilt::Block(header)))
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

    /// The records of the block found last, as they lay in the log.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The records of that block that are neither events nor versions: where in
    /// the log and where in the heap each begins.
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

    /// Passes over the rows that were lost before a block.
    fn skip_lost(&mut self, header: &Header) -> Result<()> {
        let first_seq = self.segment.footer().first_seq;
        while first_seq + u64::from(self.next_row) < header.first_seq {
            // Fails behind the last row, which bounds the loop.
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

    /// Bytes that the block's body still has.
    fn room(&self, header: &Header) -> usize {
        header.body_len as usize - self.body.len()
    }
}
