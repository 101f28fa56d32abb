//! Appends blocks to the log and syncs them.

use std::ops::Range;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, FORMAT_VERSION, StoreId};
use crate::base::sync::now_ns;
use crate::log::block::{BlockBuilder, Header};
use crate::log::early::EarlySync;
use crate::manifest::LogStart;
use crate::storage::StorageFile;

/// A log that is open for appending. The writer alone owns it.
#[derive(Debug)]
pub(crate) struct LogWriter {
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) name: String,
    pub(crate) store: StoreId,
    pub(crate) segment: u64,
    /// The format of its blocks, which all have the same.
    pub(crate) format: u32,
    /// The offset of the next block.
    pub(crate) end: u64,
    /// The durable offset: the log up to here is known to be on disk.
    pub(crate) durable: u64,
    /// The digest of the last block; before the first, what the log follows.
    pub(crate) previous: Digest,
    /// Whether the last block is empty, which marks a clean close.
    pub(crate) closed: bool,
    /// A torn end behind it that there was no room to keep elsewhere. It is kept and cut off
    /// before anything is written.
    pub(crate) torn: Option<Torn>,
    early: EarlySync,
}

/// The torn end of a log, still in it.
#[derive(Clone, Debug)]
pub(crate) struct Torn {
    pub(crate) range: Range<u64>,
    pub(crate) reason: String,
}

impl LogWriter {
    /// Starts an empty log.
    pub(crate) fn new(
        file: Arc<dyn StorageFile>,
        name: String,
        store: StoreId,
        start: LogStart,
    ) -> Self {
        Self {
            file,
            name,
            store,
            segment: start.segment,
            format: FORMAT_VERSION,
            end: 0,
            durable: 0,
            previous: start.previous,
            closed: false,
            torn: None,
            early: EarlySync::default(),
        }
    }

    /// Writes a block; the system has it when this returns. `first_seq` is the sequence
    /// number of its first event.
    pub(crate) fn write(&mut self, block: &mut BlockBuilder, first_seq: u64) -> Result<()> {
        let header = block.seal(Header {
            version: self.format,
            records: 0,
            store: self.store,
            segment: self.segment,
            offset: self.end,
            body_len: 0,
            first_seq,
            written_ns: now_ns(),
            // What a sync has returned for, and not a byte more: below it recovery takes damage
            // for rot and keeps what follows, above it for a torn end and cuts it off.
            durable: self.durable,
            previous: self.previous,
            digest: [0; 32],
        });
        self.file
            .write_at(block.bytes(), self.end)
            .map_err(|error| Error::io("write a block to", &self.name, error))?;
        self.end = header.end();
        self.previous = header.digest;
        self.closed = block.is_empty();
        Ok(())
    }

    /// Cuts off what is behind `end`, up to where blocks were shown: none of it was
    /// acknowledged. The log has to be opened again then. Fails where a sync had failed too.
    pub(crate) fn take_back(&mut self, end: u64) -> Result<()> {
        let synced = self.early.finish();
        self.note_early(synced)?;
        if self.torn.is_some() {
            // Nothing was written behind it.
            return Ok(());
        }
        self.file
            .set_len(end)
            .and_then(|()| self.file.sync())
            .map_err(|error| Error::io("cut off what was not written whole in", &self.name, error))
    }

    /// Fails where there is no room for so many bytes more: zeros are written behind the
    /// last block, and cut off.
    pub(crate) fn probe(&self, bytes: u64) -> Result<()> {
        let begin = self.torn.as_ref().map_or(self.end, |torn| torn.range.end);
        let zeros = vec![0; bytes.clamp(1, PROBE_BYTES) as usize];
        let mut outcome = Ok(());
        for at in (begin..begin + bytes).step_by(zeros.len()) {
            let length = (begin + bytes - at).min(zeros.len() as u64) as usize;
            outcome = outcome.and_then(|()| self.file.write_at(&zeros[..length], at));
        }
        let cut = self.file.set_len(begin);
        outcome.and(cut).map_err(|error| Error::io("make room in", &self.name, error))
    }

    /// Continues after a block that recovery found in the log.
    pub(crate) fn follow(&mut self, header: &Header) {
        self.durable = self.durable.max(header.durable);
        self.format = header.version;
        self.end = header.end();
        self.previous = header.digest;
        self.closed = header.records == 0;
    }

    /// Starts a sync in another thread once enough was written since the last.
    pub(crate) fn sync_early(&mut self) -> Result<()> {
        let synced = self.early.advance(&self.file, self.durable, self.end);
        self.note_early(synced)
    }

    /// Syncs the log unless all of it is known to be on disk.
    pub(crate) fn sync(&mut self) -> Result<()> {
        let synced = self.early.finish();
        // A sync that failed is not tried again: pages that were not written may look clean by
        // now, and a second call would succeed without them.
        self.note_early(synced)?;
        if self.durable < self.end {
            self.file.sync().map_err(|error| Error::io("sync", &self.name, error))?;
            self.durable = self.end;
        }
        Ok(())
    }

    /// Syncs the log and appends an empty block, whose header calls all before it durable:
    /// the next opening rewrites nothing but that block.
    pub(crate) fn close(&mut self, next_seq: u64) -> Result<()> {
        self.sync()?;
        if self.end > 0 && !self.closed && self.torn.is_none() {
            self.write(&mut BlockBuilder::new(), next_seq)?;
            self.sync()?;
        }
        Ok(())
    }

    fn note_early(&mut self, synced: std::io::Result<u64>) -> Result<()> {
        let synced = synced.map_err(|error| Error::io("sync", &self.name, error))?;
        self.durable = self.durable.max(synced);
        Ok(())
    }
}

/// Bytes written at a time in looking for room.
const PROBE_BYTES: u64 = 1 << 20;
