//! Opening a log: what is sound is applied, a torn end is cut, rot is passed over.
//!
//! Damage after the highest offset that any sound block calls durable is a torn
//! tail: the log is cut at the first bad block, even if sound ones follow, so
//! that the state is a prefix of what was written. Damage below it can only be
//! rot: everything there once was on disk.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::log::append::LogWriter;
use crate::log::block::{BlockBuilder, HEADER_BYTES, Header, Records, StoreId};
use crate::log::fields::ArchivedEventMeta;
use crate::log::index::{Entered, Index};
use crate::log::record::{
    ALIGN, ArchivedLinkMeta, FRAME_BYTES, Frame, RecordKind, access, quarantine_key,
};
use crate::log::scan::{Found, Scanner};
use crate::recovery::{Damage, RecoveryReport};
use crate::storage::{Storage, StorageFile};

/// A log that was opened: where it goes on, and the index of what it holds.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) log: LogWriter,
    pub(crate) index: Index,
    /// Blocks applied: the number of the newest commit.
    pub(crate) commit: u32,
}

/// Reads the log `name` and makes it ready for appending. Memory is bounded by
/// the index and the largest block.
pub(crate) fn recover(
    storage: &dyn Storage,
    file: &Arc<dyn StorageFile>,
    name: &str,
    segment: u64,
    store: StoreId,
    report: &mut RecoveryReport,
) -> Result<Recovered> {
    let mut recovery = Recovery { index: Index::default(), commit: 0, skipped_bytes: 0, report };
    let mut scanner = Scanner::new(&**file, name, segment, Some(store))?;
    let mut log = LogWriter {
        file: Arc::clone(file),
        name: name.to_owned(),
        store,
        segment,
        end: 0,
        durable: 0,
        previous: [0; 32],
        closed: false,
    };
    // What the whole log calls durable: known once damage made it worth reading.
    let mut durable_of_rest = None;
    while let Some(found) = scanner.next()? {
        match found {
            Found::Block(header) => {
                recovery.apply(&header, scanner.body(), name)?;
                log.durable = log.durable.max(header.durable);
                log.end = header.end();
                log.previous = header.digest;
                log.closed = header.records == 0;
            }
            Found::Damage(range, reason) => {
                let durable = match durable_of_rest {
                    Some(durable) => durable,
                    None => rest_of(scanner.lookahead())?.durable,
                };
                durable_of_rest = Some(durable);
                log.durable = log.durable.max(durable);
                if range.end <= log.durable {
                    recovery.skip(name, range.clone(), &reason);
                    log.end = range.end;
                    continue;
                }
                let cut = range.start.max(log.durable)..scanner.length();
                let kept_in = keep(storage, &**file, name, cut.clone())?;
                log.end = cut.start;
                if range.start < cut.start {
                    recovery.skip(name, range.start..cut.start, &reason);
                    let next_seq = rest_of(scanner.lookahead())?.next_seq;
                    recovery.mark_rot(&mut log, next_seq)?;
                }
                cut_off(&**file, name, log.end)?;
                recovery.report.cut.push(damage(name, &cut, &reason, kept_in));
                break;
            }
        }
    }
    if log.durable < log.end {
        recovery.report.rewritten_bytes += rewrite(&**file, name, log.durable..log.end)?;
        log.durable = log.end;
    }
    let Recovery { index, commit, .. } = recovery;
    Ok(Recovered { log, index, commit })
}

/// The store that a log's first sound block is of: how a lost manifest's is found.
pub(crate) fn store_of(
    file: &dyn StorageFile,
    name: &str,
    segment: u64,
) -> Result<Option<StoreId>> {
    let mut scanner = Scanner::new(file, name, segment, None)?;
    while let Some(found) = scanner.next()? {
        if let Found::Block(_) = found {
            return Ok(scanner.store());
        }
    }
    Ok(None)
}

struct Recovery<'r> {
    index: Index,
    commit: u32,
    /// Bytes passed over since the last sound block.
    skipped_bytes: u64,
    report: &'r mut RecoveryReport,
}

impl Recovery<'_> {
    fn apply(&mut self, header: &Header, body: &[u8], name: &str) -> Result<()> {
        let located = |error: &Error| {
            Error::damaged(format!(
                "{name}: the block at byte {} bears its digest and yet can't be read ({error}); \
                 it was written wrong, so please report it",
                header.offset
            ))
        };
        self.leave_room(header.first_seq).map_err(|error| located(&error))?;
        self.commit += 1;
        let mut records = 0;
        for record in Records::new(body) {
            let (at, frame, bytes) = record.map_err(|error| located(&error))?;
            let offset = header.offset + (HEADER_BYTES + at) as u64;
            let entered = Entered { offset, commit: self.commit };
            self.apply_record(frame, bytes, entered).map_err(|error| located(&error))?;
            records += 1;
        }
        if records != header.records {
            let found =
                Error::damaged(format!("expected {} records, found {records}", header.records));
            return Err(located(&found));
        }
        self.report.blocks += 1;
        self.report.records += u64::from(records);
        Ok(())
    }

    /// Leaves room for what was lost to damage before a block.
    fn leave_room(&mut self, first_seq: u64) -> Result<()> {
        let next_seq = self.index.rows().len() as u64 + 1;
        let lost_max = std::mem::take(&mut self.skipped_bytes) / MIN_EVENT_BYTES;
        match first_seq.checked_sub(next_seq) {
            Some(lost) if lost <= lost_max => self.index.add_lost(lost),
            _ => Err(Error::damaged(format!(
                "expected sequence number {next_seq}, or up to {lost_max} more, found {first_seq}"
            ))),
        }
    }

    fn apply_record(&mut self, frame: Frame, bytes: &[u8], entered: Entered) -> Result<()> {
        // Bodies are read to addresses of any alignment; rkyv wants its own.
        let mut meta = rkyv::util::AlignedVec::<ALIGN>::with_capacity(frame.meta_len);
        meta.extend_from_slice(&bytes[FRAME_BYTES..FRAME_BYTES + frame.meta_len]);
        let payload = frame
            .payload_len
            .map(|length| &bytes[frame.payload_start()..frame.payload_start() + length]);
        match frame.kind {
            RecordKind::Event | RecordKind::Version => {
                let fields = ArchivedEventMeta::read(&meta)?;
                self.index.add_event(fields, payload, entered)?;
            }
            RecordKind::Link => {
                let claim = access::<ArchivedLinkMeta>(&meta)?.to_link()?;
                self.index.claim(claim, entered.commit);
            }
            RecordKind::Quarantined => {
                let key = quarantine_key(access(&meta)?, payload.unwrap_or_default());
                self.index.add_quarantined(key, entered);
            }
        }
        Ok(())
    }

    fn skip(&mut self, name: &str, range: Range<u64>, reason: &str) {
        self.skipped_bytes += range.end - range.start;
        self.report.skipped.push(damage(name, &range, reason, name.to_owned()));
    }

    /// Ends rot that reaches up to the torn end. The block that proves that it was
    /// on disk is about to be cut off: an empty one takes its place, and goes on
    /// behind the sequence numbers that were lost.
    fn mark_rot(&mut self, log: &mut LogWriter, next_seq: Option<u64>) -> Result<()> {
        let seq = self.index.rows().len() as u64 + 1;
        let lost_max = std::mem::take(&mut self.skipped_bytes) / MIN_EVENT_BYTES;
        let lost = next_seq.map_or(0, |next| next.saturating_sub(seq).min(lost_max));
        self.index.add_lost(lost)?;
        self.commit += 1;
        log.durable = log.end;
        log.write(&mut BlockBuilder::new(), seq + lost)?;
        log.sync()
    }
}

/// What stands behind damage.
struct Rest {
    /// The highest offset that any sound block there calls durable.
    durable: u64,
    /// The sequence number with which the first of them begins.
    next_seq: Option<u64>,
}

fn rest_of(mut scanner: Scanner<'_>) -> Result<Rest> {
    let mut rest = Rest { durable: 0, next_seq: None };
    while let Some(found) = scanner.next()? {
        if let Found::Block(header) = found {
            rest.durable = rest.durable.max(header.durable);
            rest.next_seq = rest.next_seq.or(Some(header.first_seq));
        }
    }
    Ok(rest)
}

fn cut_off(file: &dyn StorageFile, name: &str, end: u64) -> Result<()> {
    file.set_len(end)
        .and_then(|()| file.sync())
        .map_err(|error| Error::io("cut the torn end of", name, error))
}

fn damage(name: &str, range: &Range<u64>, reason: &str, kept_in: String) -> Damage {
    Damage {
        file: name.to_owned(),
        offset: range.start,
        length: range.end - range.start,
        reason: reason.to_owned(),
        kept_in,
    }
}

/// Copies a stretch of a log to a file beside it, named for what it holds, so
/// that keeping the same bytes again makes no second file. Returns the name.
fn keep(
    storage: &dyn Storage,
    file: &dyn StorageFile,
    name: &str,
    range: Range<u64>,
) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    copy(file, name, range.clone(), |bytes, _| {
        hasher.update(bytes);
        Ok(())
    })?;
    let digest = hasher.finalize().to_hex();
    let kept = format!("{name}.cut-{}-{}", range.start, &digest[..8]);
    let side = storage.create(&kept).map_err(|error| Error::io("make", &kept, error))?;
    copy(file, name, range.clone(), |bytes, at| {
        side.write_at(bytes, at - range.start).map_err(|error| Error::io("write", &kept, error))
    })?;
    side.sync().map_err(|error| Error::io("sync", &kept, error))?;
    storage.sync_dir().map_err(|error| Error::io("sync the folder of", &kept, error))?;
    Ok(kept)
}

/// Writes the end of a log again, the same bytes, and syncs it: a page that
/// failed to sync once can look clean and yet never reach the disk.
fn rewrite(file: &dyn StorageFile, name: &str, range: Range<u64>) -> Result<u64> {
    copy(file, name, range.clone(), |bytes, at| {
        file.write_at(bytes, at).map_err(|error| Error::io("write again", name, error))
    })?;
    file.sync().map_err(|error| Error::io("sync", name, error))?;
    Ok(range.end - range.start)
}

/// Reads a stretch of a file, a piece at a time.
fn copy(
    file: &dyn StorageFile,
    name: &str,
    range: Range<u64>,
    mut to: impl FnMut(&[u8], u64) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut at = range.start;
    while at < range.end {
        let wanted = (range.end - at).min(COPY_BYTES as u64) as usize;
        let read = file
            .read_at(&mut buffer[..wanted], at)
            .map_err(|error| Error::io("read", name, error))?;
        if read == 0 {
            break;
        }
        to(&buffer[..read], at)?;
        at += read as u64;
    }
    Ok(())
}

/// Fewer bytes than any event takes in a log.
const MIN_EVENT_BYTES: u64 = 2 * FRAME_BYTES as u64;
/// Bytes copied at a time.
const COPY_BYTES: usize = 256 << 10;
