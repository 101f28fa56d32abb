//! Recovers a log: applies sound blocks, cuts a torn tail, skips rot.
//!
//! Damage beyond the highest offset that any sound block calls durable is a torn tail. The log
//! is cut at the first bad block even if sound ones follow, so that what is recovered is a
//! prefix of what was written. Damage below that offset can only be rot: every byte there was on
//! disk once.

use std::ops::Range;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::format::StoreId;
use crate::log::ahead::apply_ahead;
use crate::log::append::{LogWriter, Torn};
use crate::log::block::{BlockBuilder, Header};
use crate::log::checkpoint::LogCheckpoint;
use crate::log::index::Index;
use crate::log::record::ALIGN;
use crate::log::replay::{MIN_EVENT_BYTES, ParsedBlock, Replay, parse};
use crate::log::report::{Damage, RecoveryReport};
use crate::log::scan::{ScanItem, Scanner};
use crate::manifest::{LogStart, ckp_name};
use crate::storage::{Storage, StorageFile};

/// A recovered log: its writer and its index.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) log: LogWriter,
    pub(crate) index: Index,
    /// The number of blocks applied, which is the newest commit.
    pub(crate) commit: u32,
}

/// What is known of how far a log was on disk, beside its own blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownDurable {
    /// Up to where it was, as the manifest says.
    pub(crate) offset: u64,
    pub(crate) checkpoint: Option<LogCheckpoint>,
}

/// Recovers the log `name` for appending. It is `known` to have been on disk up to somewhere.
/// Takes memory for the index and the largest block.
pub(crate) fn recover(
    storage: &dyn Storage,
    file: &Arc<dyn StorageFile>,
    name: &str,
    start: LogStart,
    known: KnownDurable,
    store: StoreId,
    report: &mut RecoveryReport,
) -> Result<Recovered> {
    let mut recovery = Recovery { replay: Replay::new(start.first_seq), roomy: false, report };
    let follows = Some((start.previous, start.first_seq));
    let mut scanner = Scanner::new(&**file, name, start.segment, Some(store), follows)?;
    let mut log = LogWriter::new(Arc::clone(file), name.to_owned(), store, start);
    let checkpoint = known.checkpoint;
    log.durable = known.offset.max(checkpoint.map_or(0, |checkpoint| checkpoint.offset));
    // The end of the last sound block.
    let mut sound = 0;
    let mut first = None;
    let length = scanner.length();
    if length > ALONE_BYTES {
        // Two threads, since checking blocks takes about as long as indexing their records.
        let dictionary = std::mem::take(recovery.replay.index.dictionary_mut());
        let behind = apply_ahead(scanner, dictionary, |header, body, parsed| {
            recovery.apply(header, body, parsed, name)?;
            recovery.make_room(header.end(), length);
            log.follow(header);
            sound = header.end();
            Ok(())
        })?;
        (scanner, first) = (behind.scanner, behind.found);
        *recovery.replay.index.dictionary_mut() = behind.dictionary;
    }
    // The highest durable offset in the rest of the log, which is read once there is damage.
    let mut durable_of_rest = None;
    while let Some(found) = first.take().map_or_else(|| scanner.next(), |found| Ok(Some(found)))? {
        match found {
            ScanItem::Block(header) => {
                let parsed = parse(scanner.body(), recovery.replay.index.dictionary_mut());
                recovery.apply(&header, scanner.body(), parsed, name)?;
                log.follow(&header);
                sound = header.end();
            }
            ScanItem::Damage(range, reason) => {
                let durable = match durable_of_rest {
                    Some(durable) => durable,
                    None => rest_of(scanner.lookahead())?.durable,
                };
                durable_of_rest = Some(durable);
                // A sound block behind the damage proves how far the log was on disk: below that
                // the damage is rot and what follows stays, above it the write was torn and all
                // that follows goes, sound or not, so that the state is a prefix.
                log.durable = log.durable.max(durable);
                if range.end <= log.durable {
                    recovery.skip(name, range.clone(), &reason);
                    log.end = range.end;
                    continue;
                }
                let cut = range.start.max(log.durable)..scanner.length();
                log.end = cut.start;
                let kept_in = match keep(storage, &**file, name, cut.clone()) {
                    Ok(kept_in) => kept_in,
                    // What is rot before it is marked by a block, for which there must be room.
                    Err(error) if error.is_disk_full() && range.start == cut.start => {
                        recovery.report.cut.push(damage(name, &cut, &reason, name.to_owned()));
                        log.torn = Some(Torn { range: cut, reason });
                        break;
                    }
                    Err(error) => return Err(error),
                };
                if range.start < cut.start {
                    recovery.skip(name, range.start..cut.start, &reason);
                    if checkpoint.is_none_or(|checkpoint| checkpoint.offset <= sound) {
                        let next_seq = rest_of(scanner.lookahead())?.next_seq;
                        recovery.mark_rot(&mut log, next_seq)?;
                    }
                }
                cut_off(&**file, name, log.end)?;
                recovery.report.cut.push(damage(name, &cut, &reason, kept_in));
                break;
            }
        }
    }
    if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.offset > sound) {
        recovery.mark_lost(&mut log, &checkpoint, sound, length, name)?;
    }
    if log.durable < log.end {
        recovery.report.rewritten_bytes += rewrite(&**file, name, log.durable..log.end)?;
        log.durable = log.end;
    }
    let Replay { index, commit, .. } = recovery.replay;
    Ok(Recovered { log, index, commit })
}

/// Cuts the torn end off that opening had no room to keep, now that it is kept. Returns
/// what is to be reported.
pub(crate) fn cut_torn(storage: &dyn Storage, log: &mut LogWriter) -> Result<Option<Damage>> {
    let Some(Torn { range, reason }) = log.torn.clone() else { return Ok(None) };
    let kept_in = keep(storage, &*log.file, &log.name, range.clone())?;
    cut_off(&*log.file, &log.name, range.start)?;
    log.torn = None;
    Ok(Some(damage(&log.name, &range, &reason, kept_in)))
}

/// The store and the format of a log's first sound block, for a store whose manifest is lost.
pub(crate) fn store_of(
    file: &dyn StorageFile,
    name: &str,
    segment: u64,
) -> Result<Option<(StoreId, u32)>> {
    let mut scanner = Scanner::new(file, name, segment, None, None)?;
    while let Some(found) = scanner.next()? {
        if let ScanItem::Block(_) = found {
            return Ok(scanner.store().zip(scanner.format()));
        }
    }
    Ok(None)
}

/// Applies blocks and collects what was skipped.
struct Recovery<'r> {
    replay: Replay,
    /// Whether room was made in the index for the rest of the log.
    roomy: bool,
    report: &'r mut RecoveryReport,
}

impl Recovery<'_> {
    fn apply(
        &mut self,
        header: &Header,
        body: &[u8],
        parsed: Result<ParsedBlock>,
        name: &str,
    ) -> Result<()> {
        self.replay.apply_parsed(header, body, parsed, name)?;
        self.report.blocks += 1;
        self.report.records += u64::from(header.records);
        Ok(())
    }

    /// Reserves room in the index, once, for the events of the rest of the log, estimated by
    /// those up to `end`.
    fn make_room(&mut self, end: u64, length: u64) {
        if !self.roomy && end >= SAMPLE_BYTES {
            self.roomy = true;
            let rows = self.replay.index.rows().len() as u64;
            self.replay.index.reserve((rows * (length - end) / end) as usize);
        }
    }

    fn skip(&mut self, name: &str, range: Range<u64>, reason: &str) {
        self.replay.skip(range.end - range.start);
        self.report.skipped.push(damage(name, &range, reason, name.to_owned()));
    }

    /// Goes on behind a log that ends before its checkpoint. No number that its events may
    /// have had is given again: an empty block with the next one follows, behind as many
    /// bytes as the lost events can't have had less than, so that a recovery that has no
    /// checkpoint any more reads it the same way. What was not written of those is a hole.
    fn mark_lost(
        &mut self,
        log: &mut LogWriter,
        checkpoint: &LogCheckpoint,
        sound: u64,
        length: u64,
        name: &str,
    ) -> Result<()> {
        let LogCheckpoint { offset, seq_limit, .. } = *checkpoint;
        let least = seq_limit.saturating_sub(self.replay.next_seq()) * MIN_EVENT_BYTES;
        let end = log.end.max(offset).max(sound + least).next_multiple_of(ALIGN as u64);
        if length < offset {
            let (begin, missing) = (sound.max(length), offset - sound.max(length));
            let reason = format!(
                "expected blocks up to byte {offset}, which were on disk as {} says, found the \
                 end of the log at byte {length}; no sequence number below {seq_limit} is given \
                 again, and a backup may have the events",
                ckp_name(log.segment)
            );
            self.report.skipped.push(damage(
                name,
                &(begin..begin + missing),
                &reason,
                String::new(),
            ));
        }
        if length < end {
            // A block that was cut within its zeros would be sound again with a hole behind it.
            let filler = &[0xff; ALIGN][..((end - length) as usize).min(ALIGN)];
            let written = log.file.write_at(filler, length);
            written.map_err(|error| Error::io("mark what is lost in", name, error))?;
        }
        self.replay.skip(end - sound);
        log.end = end;
        self.mark_rot(log, Some(seq_limit))
    }

    /// Ends rot that reaches up to the torn tail. The block that proves that the rot was on
    /// disk is about to be cut off. An empty block takes its place and continues after the
    /// lost sequence numbers: without it the next recovery would take the rot for torn and
    /// hand those numbers out again.
    fn mark_rot(&mut self, log: &mut LogWriter, next_seq: Option<u64>) -> Result<()> {
        let (seq, lost) = self.replay.lose_up_to(next_seq)?;
        log.durable = log.end;
        log.write(&mut BlockBuilder::new(), seq + lost)?;
        log.sync()
    }
}

/// What the blocks after damage say.
pub(super) struct Rest {
    /// The highest durable offset in any of their headers.
    pub(super) durable: u64,
    /// The first sequence number of the first of them.
    next_seq: Option<u64>,
}

pub(super) fn rest_of(mut scanner: Scanner<'_>) -> Result<Rest> {
    let mut rest = Rest { durable: 0, next_seq: None };
    while let Some(found) = scanner.next()? {
        if let ScanItem::Block(header) = found {
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

/// Copies a range of a log to a file whose name has a digest of the bytes, so that keeping the
/// same bytes twice makes one file. Returns the name.
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
    let written = copy(file, name, range.clone(), |bytes, at| {
        side.write_at(bytes, at - range.start).map_err(|error| Error::io("write", &kept, error))
    });
    written
        .and_then(|()| side.sync().map_err(|error| Error::io("sync", &kept, error)))
        .inspect_err(|_| {
            // Half a copy takes room and keeps nothing.
            let _ = storage.unlink(&kept);
        })?;
    storage.sync_dir().map_err(|error| Error::io("sync the folder of", &kept, error))?;
    Ok(kept)
}

/// Rewrites the tail of a log with its own bytes and syncs it: a page whose write failed can
/// look clean and never reach the disk.
fn rewrite(file: &dyn StorageFile, name: &str, range: Range<u64>) -> Result<u64> {
    copy(file, name, range.clone(), |bytes, at| {
        file.write_at(bytes, at).map_err(|error| Error::io("write again", name, error))
    })?;
    file.sync().map_err(|error| Error::io("sync", name, error))?;
    Ok(range.end - range.start)
}

/// Reads a range of a file, [`COPY_BYTES`] at a time.
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

/// A log of at most this many bytes is read by one thread.
const ALONE_BYTES: u64 = 256 << 10;
/// Bytes of a log from which the number of its events is estimated.
const SAMPLE_BYTES: u64 = 1 << 20;
/// Bytes copied at a time.
const COPY_BYTES: usize = 256 << 10;
