//! How far a log was known to be on disk, kept beside it: what its own blocks say is gone
//! where they are.
//!
//! A checkpoint is written after the log was synced up to its offset, and is itself never
//! synced: one that a power loss takes costs the check, and no event. So it costs a write of
//! 128 bytes to the system's memory where a log is first written to, before it is closed, and
//! with a sync once the log has grown by a page: microseconds beside a sync.

use std::io::ErrorKind;

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, StoreId};
use crate::log::append::LogWriter;
use crate::manifest::ckp_name;
use crate::storage::{Storage, StorageFile};

/// What is known of a log from beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogCheckpoint {
    /// Counts the checkpoints of a log; its parity is the slot.
    number: u64,
    store: StoreId,
    segment: u64,
    /// The log was on disk up to here.
    pub(crate) offset: u64,
    /// No sequence number from here on was given to anybody.
    pub(crate) seq_limit: u64,
    /// The digest of the block that ends at `offset`; zeros where none was known to.
    pub(crate) last: Digest,
}

impl LogCheckpoint {
    /// The newest checkpoint of a log. None where there is none that can be used, which is
    /// no damage of the store's.
    pub(crate) fn read(storage: &dyn Storage, store: StoreId, segment: u64) -> Option<Self> {
        let file = storage.open(&ckp_name(segment)).ok()?;
        let mut slots = [0; 2 * SLOT_BYTES];
        let read = file.read_at(&mut slots, 0).ok()?;
        let found = slots[..read].chunks_exact(SLOT_BYTES).filter_map(Self::from_bytes);
        let ours = found.filter(|found| (found.store, found.segment) == (store, segment));
        ours.max_by_key(|found| found.number)
    }

    fn to_bytes(self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.store);
        bytes[32..40].copy_from_slice(&self.segment.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.number.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.offset.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.seq_limit.to_le_bytes());
        bytes[64..96].copy_from_slice(&self.last);
        let digest = blake3::hash(&bytes[..96]);
        bytes[96..].copy_from_slice(digest.as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let digested = bytes.get(..96)?;
        if *digested.first_chunk::<8>()? != MAGIC
            || digested[8..12] != VERSION.to_le_bytes()
            || bytes.get(96..SLOT_BYTES)? != blake3::hash(digested).as_bytes()
        {
            return None;
        }
        let number = |at: usize| Some(u64::from_le_bytes(*digested.get(at..)?.first_chunk()?));
        Some(Self {
            store: *digested.get(16..)?.first_chunk()?,
            segment: number(32)?,
            number: number(40)?,
            offset: number(48)?,
            seq_limit: number(56)?,
            last: *digested.get(64..)?.first_chunk()?,
        })
    }
}

/// Writes the checkpoints of the log that is appended to.
#[derive(Debug, Default)]
pub(crate) struct CheckpointWriter {
    file: Option<Box<dyn StorageFile>>,
    last: Option<LogCheckpoint>,
}

impl CheckpointWriter {
    /// Writes a checkpoint where one is due: for the first block of an opening, once the
    /// log grew or used up the numbers that the last one left, and when it is closed. Until
    /// then sequence numbers up to `next_seq` were given. What can't be written is done
    /// without.
    pub(crate) fn note(
        &mut self,
        storage: &dyn Storage,
        log: &LogWriter,
        next_seq: u64,
        closing: bool,
    ) {
        if self.last.is_some_and(|last| last.segment != log.segment) {
            *self = Self::default();
        }
        let is_due = |last: &LogCheckpoint| {
            next_seq > last.seq_limit || log.durable >= last.offset + EVERY_BYTES
        };
        if !closing && self.last.as_ref().is_some_and(|last| !is_due(last)) {
            return;
        }
        // The check is done without; the next write tries again.
        let _ = self.write(storage, log, next_seq, closing);
    }

    fn write(
        &mut self,
        storage: &dyn Storage,
        log: &LogWriter,
        next_seq: u64,
        closing: bool,
    ) -> Result<()> {
        let before = match self.last {
            Some(last) => Some(last),
            None => LogCheckpoint::read(storage, log.store, log.segment),
        };
        let checkpoint = LogCheckpoint {
            number: before.map_or(0, |before| before.number + 1),
            store: log.store,
            segment: log.segment,
            offset: log.durable,
            seq_limit: if closing { next_seq } else { next_seq + NUMBERS_AHEAD },
            last: if log.durable == log.end { log.previous } else { [0; 32] },
        };
        let same = |before: &LogCheckpoint| {
            LogCheckpoint { number: before.number, ..checkpoint } == *before
        };
        // Nothing was written to a log that ends with the mark of a close.
        let is_closed = closing && log.closed && before.is_some();
        if log.end == 0 || is_closed || before.as_ref().is_some_and(same) {
            return Ok(());
        }
        let name = ckp_name(log.segment);
        let file = match self.file.take() {
            Some(file) => file,
            None => match storage.open(&name) {
                Err(error) if error.kind() == ErrorKind::NotFound => storage.create(&name),
                opened => opened,
            }
            .map_err(|error| Error::io("open", &name, error))?,
        };
        let at = checkpoint.number % 2 * SLOT_BYTES as u64;
        file.write_at(&checkpoint.to_bytes(), at)
            .map_err(|error| Error::io("write", &name, error))?;
        (self.file, self.last) = (Some(file), Some(checkpoint));
        Ok(())
    }
}

/// Removes the checkpoint of a log that is full: the manifest has its length.
pub(crate) fn remove_checkpoint(storage: &dyn Storage, segment: u64) {
    // The next opening removes what is left.
    let _ = storage.unlink(&ckp_name(segment));
}

/// The first bytes of a slot.
const MAGIC: [u8; 8] = *b"frbrCKP\n";
const VERSION: u32 = 1;
/// Bytes of a checkpoint. Two slots are written in turn, so that a torn write leaves the one
/// before; what lies behind them is left alone.
const SLOT_BYTES: usize = 128;
/// A log of which this much more is on disk is due for a checkpoint.
const EVERY_BYTES: u64 = 4 << 10;
/// Sequence numbers that may be given before the next checkpoint.
const NUMBERS_AHEAD: u64 = 1 << 12;
