//! Checking the logs: every block up to where a snapshot sees.

use std::io;
use std::time::Duration;

use super::Verifier;
use crate::base::error::{Error, Result};
use crate::base::sync::sleep;
use crate::log::block::HEADER_BYTES;
use crate::log::checkpoint::LogCheckpoint;
use crate::log::scan::{ScanItem, Scanner};
use crate::log::view::LogView;
use crate::manifest::ckp_name;
use crate::storage::StorageFile;

impl Verifier<'_> {
    pub(super) fn log(&mut self, log: &LogView) -> Result<()> {
        let visible = log.visible.log_end;
        let (name, file) = (log.log.reader.name(), log.log.reader.file());
        self.done.bytes += visible;
        // Read before the log, which only grows.
        let storage = self.view.segments.storage();
        let segment = log.log.segment;
        let checkpoint = self.store.and_then(|store| LogCheckpoint::read(storage, store, segment));
        let end = checkpoint.map_or(visible, |checkpoint| checkpoint.offset.max(visible));
        self.done.events += u64::from(log.visible.rows);
        let follows = self.chain.map(|chain| (chain, log.first_seq()));
        let scanner = Scanner::new(file, name, log.log.segment, self.store, follows);
        let Some(scanner) = self.ask(name, scanner)? else { return Ok(()) };
        let mut scanner = scanner.passing();
        if scanner.length() < end {
            let found = scanner.length();
            self.found(
                name,
                format!(
                    "expected {end} bytes, which were on disk, as {} says, found {found}; a backup \
                     may have the rest",
                    ckp_name(segment)
                ),
            );
        }
        loop {
            let next = scanner.next();
            match self.ask(name, next)?.flatten() {
                None => break,
                Some(ScanItem::Damage(range, reason)) if range.start >= end => {
                    if stays(file, name, range.start)? {
                        self.found(
                            name,
                            format!(
                                "{} bytes from byte {} on, behind the last sound block: {reason}; \
                                 opening the store to write to it keeps them aside and cuts them off",
                                range.end - range.start,
                                range.start
                            ),
                        );
                    }
                    break;
                }
                Some(ScanItem::Damage(range, reason)) => {
                    self.found(name, format!("bytes {} to {}: {reason}", range.start, range.end));
                    self.chain = None;
                }
                // It was written since.
                Some(ScanItem::Block(header)) if header.offset >= end => {}
                Some(ScanItem::Block(header)) => {
                    self.done.blocks += 1;
                    self.chain = Some(header.digest);
                    let told = checkpoint.filter(|told| told.offset == header.end());
                    if told.is_some_and(|told| told.last != [0; 32] && told.last != header.digest) {
                        let what = format!(
                            "expected the block that {} names to end at byte {}, found another; \
                             the log was replaced",
                            ckp_name(segment),
                            header.end()
                        );
                        self.found(name, what);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether the bytes behind the last sound block are still the same a moment later: a block
/// may be in the middle of being written.
fn stays(file: &dyn StorageFile, name: &str, at: u64) -> Result<bool> {
    let look = || -> io::Result<(u64, Vec<u8>)> {
        let mut bytes = vec![0; HEADER_BYTES];
        let read = file.read_at(&mut bytes, at)?;
        bytes.truncate(read);
        Ok((file.len()?, bytes))
    };
    let failed = |error| Error::io("read", name, error);
    let before = look().map_err(failed)?;
    sleep(WRITE_TIME);
    Ok(before == look().map_err(failed)?)
}

/// Longer than a write stands still.
const WRITE_TIME: Duration = Duration::from_millis(100);
