//! Follows a log that another process appends to: applies sound blocks and leaves an incomplete
//! one for the next call. Nothing is locked or written.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, StoreId};
use crate::base::sync::{Instant, Mutex, RwLock};
use crate::base::warnings::{WarningKind, Warnings};
use crate::log::ahead::apply_ahead;
use crate::log::block::{HEADER_BYTES, Header};
use crate::log::checkpoint::LogCheckpoint;
use crate::log::index::Index;
use crate::log::reader::LogReader;
use crate::log::recovery::rest_of;
use crate::log::replay::Replay;
use crate::log::scan::{ScanItem, Scanner};
use crate::log::view::{Log, LogView, Visible};
use crate::manifest::{FullLog, LogStart, log_name};
use crate::storage::StorageFile;

/// A log and how far it was followed.
#[derive(Debug)]
pub(crate) struct LogFollower {
    log: Arc<Log>,
    file: Arc<dyn StorageFile>,
    name: String,
    store: StoreId,
    start: LogStart,
    /// Applies blocks. While it does, its index is swapped with that of the log.
    replay: Replay,
    visible: Visible,
    /// The offset of the next block, and the digest and sequence number that it must
    /// follow: none after damage.
    end: u64,
    follows: Option<(Digest, u64)>,
    /// The offset and the digest of the last block.
    last: Option<(u64, Digest)>,
    durability: DurableExtent,
    /// The log was this long when it was first followed; 0 once that was looked at.
    expected: u64,
    /// Whether a sync by this process has failed.
    sync_failed: bool,
    /// What was found after the last block and is no sound one.
    left: Option<Left>,
    /// Whether the log is full and all of it was applied.
    complete: bool,
    /// Takes a warning of each damaged range that is skipped.
    warnings: Arc<Warnings>,
}

/// How much of a log is known to be on disk.
#[derive(Debug, Default)]
struct DurableExtent {
    offset: u64,
    rows: u32,
    /// For blocks that are not known to be: the end of each and the rows up to there.
    pending: VecDeque<(u64, u32)>,
}

/// The tail of a log that has no sound block.
#[derive(Debug)]
struct Left {
    length: u64,
    header: Vec<u8>,
    at: Instant,
}

/// The outcome of following a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// Zero or more blocks were applied.
    On,
    /// The log was cut or rewritten: it has to be followed from its beginning.
    Replaced,
}

impl LogFollower {
    pub(crate) fn new(
        file: Arc<dyn StorageFile>,
        store: StoreId,
        start: LogStart,
        checkpoint: Option<LogCheckpoint>,
        cache_bytes: usize,
        warnings: Arc<Warnings>,
    ) -> Self {
        let durable = checkpoint.map_or(0, |checkpoint| checkpoint.offset);
        let name = log_name(start.segment);
        let reader = LogReader::new(Arc::clone(&file), name.clone(), cache_bytes).of_another();
        reader.map_up_to(durable);
        let log = Log {
            segment: start.segment,
            first_seq: start.first_seq,
            index: RwLock::new(Index::default()),
            reader,
            reduced: Mutex::default(),
        };
        Self {
            log: Arc::new(log),
            file,
            name,
            store,
            start,
            replay: Replay::new(start.first_seq),
            visible: Visible::default(),
            end: 0,
            follows: Some((start.previous, start.first_seq)),
            last: None,
            durability: DurableExtent { offset: durable, ..DurableExtent::default() },
            expected: durable,
            sync_failed: false,
            left: None,
            complete: false,
            warnings,
        }
    }

    /// Whether it follows this log.
    pub(crate) fn is_of(&self, store: StoreId, start: LogStart) -> bool {
        self.store == store && self.start == start
    }

    /// A view of the log as far as it was followed.
    pub(crate) fn view(&self) -> LogView {
        LogView { log: Arc::clone(&self.log), visible: self.visible }
    }

    /// The sequence number after the last row that is known to be on disk.
    pub(crate) fn durable_end_seq(&self) -> u64 {
        let rows = if self.complete { self.visible.rows } else { self.durability.rows };
        self.start.first_seq + u64::from(rows)
    }

    /// The file and the offset up to which a sync by this process would make it durable;
    /// none where it is. Also none after a failed sync: pages that were not written can look
    /// clean to the next one, so that only the writer's headers count from then on.
    pub(crate) fn to_sync(&self) -> Option<(Arc<dyn StorageFile>, u64)> {
        let asks = !self.complete && !self.sync_failed && !self.durability.pending.is_empty();
        asks.then(|| (Arc::clone(&self.file), self.end))
    }

    /// Notes the outcome of a sync of this file, which was followed up to `end`.
    pub(crate) fn note_synced(&mut self, file: &Arc<dyn StorageFile>, end: u64, done: bool) {
        if !Arc::ptr_eq(&self.file, file) {
            return;
        }
        if done {
            self.durability.reach(end);
        } else {
            self.sync_failed = true;
        }
    }

    /// Applies the blocks that were appended. Stops at one that is not sound, unless a later
    /// header calls it durable: then it is rot and is skipped. After an error the log has
    /// to be followed from its beginning.
    pub(crate) fn follow(&mut self) -> Result<Followed> {
        if self.complete {
            return Ok(Followed::On);
        }
        let length = self.length()?;
        if length < self.end {
            return Ok(Followed::Replaced);
        }
        let followed = if length == self.end || self.is_left(length)? {
            Followed::On
        } else {
            self.apply_up_to(length, 0)?
        };
        let expected = std::mem::take(&mut self.expected);
        if self.end < expected && followed == Followed::On {
            let message = format!(
                "the sound blocks of {} end at byte {}, {} bytes before where it was on disk: \
                 events are lost, which a backup may have",
                self.name,
                self.end,
                expected - self.end
            );
            self.warnings.report(WarningKind::BytesSkipped, message);
        }
        Ok(followed)
    }

    /// Applies the rest of a full log, of which every byte was on disk. `end_seq` is the
    /// sequence number after its last row.
    pub(crate) fn complete(&mut self, full: &FullLog, end_seq: u64) -> Result<Followed> {
        if self.complete {
            return Ok(Followed::On);
        }
        if self.length()? < self.end {
            return Ok(Followed::Replaced);
        }
        let followed = self.apply_up_to(full.length, full.length)?;
        if followed == Followed::On {
            let rows = end_seq.saturating_sub(self.start.first_seq);
            let lost = rows.saturating_sub(u64::from(self.visible.rows));
            let mut index = self.log.index.write();
            index.add_lost(lost)?;
            self.visible.rows = index.rows().len() as u32;
            self.visible.log_end = full.length;
            self.log.reader.map_up_to(self.end);
            self.complete = true;
        }
        Ok(followed)
    }

    fn length(&self) -> Result<u64> {
        self.file.len().map_err(|error| Error::io("read the length of", &self.name, error))
    }

    fn apply_up_to(&mut self, end: u64, mut durable: u64) -> Result<Followed> {
        let (file, name) = (Arc::clone(&self.file), self.name.clone());
        let segment = self.start.segment;
        let mut scanner = Scanner::new(&*file, &name, segment, Some(self.store), self.follows)?
            .starting_at(self.end)
            .up_to(end);
        let mut first = None;
        if self.visible.commit == 0 && scanner.length() > ALONE_BYTES {
            // No snapshot sees the log yet, so that its index may be swapped out meanwhile.
            self.swap_index();
            let dictionary = std::mem::take(self.replay.index.dictionary_mut());
            let behind = apply_ahead(scanner, dictionary, |header, body, parsed| {
                self.replay.apply_parsed(header, body, parsed, &name)?;
                self.note_applied(header, self.replay.index.rows().len() as u32);
                Ok(())
            })?;
            (scanner, first) = (behind.scanner, behind.found);
            *self.replay.index.dictionary_mut() = behind.dictionary;
            self.swap_index();
        }
        while let Some(found) =
            first.take().map_or_else(|| scanner.next(), |found| Ok(Some(found)))?
        {
            match found {
                ScanItem::Block(header) => self.apply(&header, scanner.body())?,
                ScanItem::Damage(range, reason) => {
                    durable = durable.max(self.durability.offset);
                    if durable < range.end {
                        durable = durable.max(rest_of(scanner.lookahead())?.durable);
                    }
                    if durable < range.end {
                        if !self.stands()? {
                            return Ok(Followed::Replaced);
                        }
                        let header = self.header_at(self.end)?;
                        self.left =
                            Some(Left { length: scanner.length(), header, at: Instant::now() });
                        break;
                    }
                    let length = range.end - range.start;
                    let message = format!(
                        "passed over {length} bytes of {name} from byte {} on: {reason}",
                        range.start
                    );
                    self.warnings.report(WarningKind::BytesSkipped, message);
                    self.replay.skip(length);
                    self.end = range.end;
                    self.follows = None;
                }
            }
        }
        Ok(Followed::On)
    }

    fn apply(&mut self, header: &Header, body: &[u8]) -> Result<()> {
        let log = Arc::clone(&self.log);
        let mut index = log.index.write();
        std::mem::swap(&mut *index, &mut self.replay.index);
        let outcome = self.replay.apply(header, body, &self.name);
        std::mem::swap(&mut *index, &mut self.replay.index);
        let rows = index.rows().len() as u32;
        drop(index);
        outcome?;
        self.note_applied(header, rows);
        Ok(())
    }

    fn note_applied(&mut self, header: &Header, rows: u32) {
        self.visible = Visible { commit: self.replay.commit, rows, log_end: header.end() };
        self.end = header.end();
        self.follows = Some((header.digest, header.first_seq));
        self.last = Some((header.offset, header.digest));
        self.left = None;
        self.log.reader.map_up_to(header.durable);
        self.durability.add(header, rows);
    }

    fn swap_index(&mut self) {
        std::mem::swap(&mut *self.log.index.write(), &mut self.replay.index);
    }

    /// Whether the tail is the one in which no sound block was found a moment ago, so that a
    /// tail that is torn for good is not searched at every call.
    fn is_left(&self, length: u64) -> Result<bool> {
        match &self.left {
            Some(left) if left.length == length && left.at.elapsed() < LEFT_TIME => {
                Ok(self.header_at(self.end)? == left.header)
            }
            _ => Ok(false),
        }
    }

    /// Whether the last block is still in the log. If not, the log was cut or rewritten.
    fn stands(&self) -> Result<bool> {
        let Some((at, digest)) = self.last else { return Ok(true) };
        let bytes = self.header_at(at)?;
        let header = bytes.first_chunk().and_then(Header::parse);
        Ok(header.is_some_and(|header| header.digest == digest))
    }

    fn header_at(&self, at: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; HEADER_BYTES];
        let read = self
            .file
            .read_at(&mut bytes, at)
            .map_err(|error| Error::io("read", &self.name, error))?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

impl DurableExtent {
    fn add(&mut self, header: &Header, rows: u32) {
        self.pending.push_back((header.end(), rows));
        self.reach(header.durable);
    }

    fn reach(&mut self, offset: u64) {
        self.offset = self.offset.max(offset);
        while let Some(&(end, rows)) = self.pending.front()
            && end <= self.offset
        {
            self.rows = rows;
            self.pending.pop_front();
        }
    }
}

/// A log of at most this many bytes is read by one thread.
const ALONE_BYTES: u64 = 256 << 10;
/// For how long a tail of the same length and header is taken to be the same.
const LEFT_TIME: Duration = Duration::from_millis(100);
