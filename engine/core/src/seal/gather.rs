//! Gathers the records of a log into chunks by instance, so that those of a chain are
//! neighbours in the heap.
//!
//! The log interleaves its instances. It is read front to back; each record goes to the open
//! chunk of its instance, which is written once it is full. Where the open chunks of all
//! instances would exceed [`GATHERED_BYTES`], the log is read several times, for some instances
//! each.

use crate::base::error::Result;
use crate::base::row::{Flags, NONE};
use crate::log::index::{Index, Row};
use crate::log::record::{FRAME_BYTES, Frame};
use crate::seal::spine::absent_parent;
use crate::seal::window::RecordWindow;
use crate::segment::chunks::{ChunkWriter, LARGE_CHUNK_BYTES, OpenChunk, Placed};
use crate::segment::output::Output;
use crate::segment::packed::{KnownColumns, Packer};
use crate::segment::spine::Entry;

/// Writes a heap.
pub(crate) struct Gatherer<'l, 'o> {
    pub(crate) window: RecordWindow<'l>,
    pub(crate) chunks: ChunkWriter,
    pub(crate) out: &'o mut Output,
    /// About how many bytes a chunk has before compression.
    pub(crate) chunk_bytes: usize,
    /// The record being added, as the heap will have it.
    pub(crate) packed: Vec<u8>,
}

/// The events and versions of a log, in its order, and their spine.
pub(crate) struct GatheredEvents<'a> {
    pub(crate) index: &'a Index,
    /// By the numbers that entries have for texts, those of the index.
    pub(crate) texts: &'a [u32],
    /// The record length of each row.
    pub(crate) lengths: &'a [u32],
    pub(crate) entries: &'a mut [Entry],
    pub(crate) first_seq: u64,
    pub(crate) packer: Packer,
}

impl Gatherer<'_, '_> {
    /// Writes the records of all rows and sets their addresses in the spine. O(rows) for each
    /// [`GATHERED_BYTES`] of open chunks.
    pub(crate) fn events(&mut self, events: &mut GatheredEvents<'_>) -> Result<()> {
        let bytes_of = events.bytes_by_instance();
        let mut first = 0;
        while first < bytes_of.len() {
            let mut waiting = 0;
            let fit = bytes_of[first..].iter().take_while(|&&bytes| {
                waiting += bytes.min(self.chunk_bytes as u64);
                waiting <= GATHERED_BYTES
            });
            let end = first + fit.count().max(1);
            self.instances(first, &bytes_of[first..end], events)?;
            first = end;
        }
        Ok(())
    }

    /// Writes records that no row has, in order. Returns the offset in the log and the heap
    /// address of each.
    pub(crate) fn others(&mut self, in_log: &[(u64, u32)]) -> Result<Vec<(u64, u32)>> {
        let mut placed: Vec<(u64, u32)> = in_log.iter().map(|&(offset, _)| (offset, 0)).collect();
        let mut chunk = OpenChunk::new(self.chunk_bytes);
        for (at, &(offset, length)) in in_log.iter().enumerate() {
            let ahead = in_log[at + 1..].iter().copied();
            let until = self.window.worth_reading(offset, length, ahead);
            self.add(&mut chunk, at as u32, (offset, length), until, &mut placed)?;
        }
        self.chunks.write(&mut chunk, self.out, &mut placed)?;
        Ok(placed)
    }

    /// Writes the records of some instances: from `first` on as many as `bytes_of` has,
    /// which are the bytes of each.
    fn instances(
        &mut self,
        first: usize,
        bytes_of: &[u64],
        events: &mut GatheredEvents<'_>,
    ) -> Result<()> {
        let mut waiting: Vec<Option<OpenChunk>> = Vec::new();
        waiting.resize_with(bytes_of.len(), || None);
        let among = first..first + bytes_of.len();
        for row in 0..events.rows().len() {
            let Some(instance) = events.instance(row).filter(|at| among.contains(at)) else {
                continue;
            };
            let chunk = waiting[instance - first].get_or_insert_with(|| {
                OpenChunk::with_room(self.chunk_bytes, bytes_of[instance - first])
            });
            let (offset, length) = events.in_log(row);
            let is_among =
                |&row: &usize| events.instance(row).is_some_and(|at| among.contains(&at));
            let ahead =
                (row + 1..events.rows().len()).filter(is_among).map(|row| events.in_log(row));
            let until = self.window.worth_reading(offset, length, ahead);
            self.add(chunk, row as u32, (offset, length), until, events)?;
        }
        // The rests of the instances share chunks: each is too little for one of its own.
        let mut rest = OpenChunk::new(self.chunk_bytes);
        for chunk in waiting.into_iter().flatten() {
            for (row, record) in chunk.records() {
                if rest.is_full_for(record.len()) {
                    self.chunks.write(&mut rest, self.out, events)?;
                }
                rest.add(row, record);
            }
        }
        self.chunks.write(&mut rest, self.out, events)
    }

    /// Adds the record at an offset of the log to a chunk, which is written first if it is
    /// full. A read goes up to `until`.
    fn add(
        &mut self,
        chunk: &mut OpenChunk,
        number: u32,
        (offset, length): (u64, u32),
        until: u64,
        placed: &mut impl Placed,
    ) -> Result<()> {
        if !chunk.is_large(u64::from(length)) {
            self.packed.clear();
            let record = self.window.read(offset, length as usize, until)?;
            placed.pack(number, record, false, &mut self.packed)?;
            if chunk.is_full_for(self.packed.len()) {
                self.chunks.write(chunk, self.out, placed)?;
            }
            chunk.add(number, &self.packed);
            return Ok(());
        }
        let end = offset + u64::from(length);
        let frame = Frame::parse(self.window.read(offset, FRAME_BYTES, end)?, u64::from(length))?;
        let front = frame.payload_start();
        self.packed.clear();
        placed.pack(number, self.window.read(offset, front, end)?, true, &mut self.packed)?;
        if chunk.is_full_for(self.packed.len()) {
            self.chunks.write(chunk, self.out, placed)?;
        }
        chunk.add(number, &self.packed);
        self.chunks.write(chunk, self.out, placed)?;
        let mut at = offset + front as u64;
        while at < end {
            let length = (end - at).min(LARGE_CHUNK_BYTES as u64);
            self.chunks.write_payload(self.window.read(at, length as usize, end)?, self.out)?;
            at += length;
        }
        Ok(())
    }
}

impl<'a> GatheredEvents<'a> {
    fn rows(&self) -> &'a [Row] {
        self.index.rows()
    }

    /// The number of a row's instance; none where the row was lost. At most the number of
    /// the segment's texts, so that lists by instance are short.
    fn instance(&self, row: usize) -> Option<usize> {
        let entry = &self.entries[row];
        // 0 is that of events without an instance: their text number is `NONE`, all ones.
        (!entry.flags.has(Flags::LOST)).then(|| entry.instance.wrapping_add(1) as usize)
    }

    /// The offset and the length of a row's record in the log.
    fn in_log(&self, row: usize) -> (u64, u32) {
        (self.rows()[row].offset, self.lengths[row])
    }

    fn bytes_by_instance(&self) -> Vec<u64> {
        let mut bytes_of = Vec::new();
        for row in 0..self.rows().len() {
            let Some(instance) = self.instance(row) else { continue };
            if bytes_of.len() <= instance {
                bytes_of.resize(instance + 1, 0);
            }
            bytes_of[instance] += u64::from(self.lengths[row]);
        }
        bytes_of
    }
}

impl Placed for GatheredEvents<'_> {
    fn pack(&mut self, row: u32, record: &[u8], apart: bool, to: &mut Vec<u8>) -> Result<()> {
        let Entry { parent, time_ns, kind, instance, session, .. } = self.entries[row as usize];
        let index = self.index;
        let text = |number: u32| self.texts.get(number as usize).map(|&text| &**index.text(text));
        let parent = match parent.checked_sub(self.first_seq) {
            Some(parent) => Some(index.id(parent as u32)),
            None => absent_parent(index, row),
        };
        let known = KnownColumns {
            id: index.id(row),
            parent,
            time_ns,
            kind: text(kind).unwrap_or_default(),
            instance: text(instance).unwrap_or_default(),
            session: if session == NONE { None } else { text(session) },
        };
        self.packer.pack(record, apart, &known, to)
    }

    fn place(&mut self, row: u32, address: u32) {
        self.entries[row as usize].record = address;
    }
}

/// Records that no row has: they stay as they are.
impl Placed for Vec<(u64, u32)> {
    fn pack(&mut self, _: u32, record: &[u8], _: bool, to: &mut Vec<u8>) -> Result<()> {
        to.extend_from_slice(record);
        Ok(())
    }

    fn place(&mut self, number: u32, address: u32) {
        self[number as usize].1 = address;
    }
}

/// The most bytes of open chunks.
const GATHERED_BYTES: u64 = 8 << 20;
