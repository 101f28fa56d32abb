//! What keeps the writer from writing for a while, and how it goes on without the store
//! being opened anew.
//!
//! A write that failed for want of room left nothing that was acknowledged: it is cut off
//! the log again, and what is in memory of the log is made anew from the log. After any
//! other failure of a write or sync it is uncertain what is on disk: that is poison, and
//! ends writing until the store is opened again.

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::sync::Instant;
use crate::base::warnings::WarningKind;
use crate::log::opened::{ListedLog, open_log};
use crate::log::recovery::cut_torn;
use crate::log::report::RecoveryReport;
use crate::writer::Writer;

/// Why nothing is written for now.
#[derive(Debug)]
pub(super) enum Stall {
    /// There was no room to write a block, or a batch could not be resolved to its end:
    /// the index knows more than the log.
    Log(Error),
    /// The log is full, and the one before it can't be sealed or the next not be made.
    Rotation { error: Error, again_at: Instant },
}

impl Writer {
    /// Fails where nothing can be written, once it was tried to go on: for a batch of so
    /// many bytes.
    pub(super) fn ensure_writable(&mut self, bytes: usize) -> Result<()> {
        if let Some(poison) = &self.poison {
            return Err(Error::poisoned(poison));
        }
        match &self.stall {
            None => {}
            Some(Stall::Log(error)) => {
                if error.is_disk_full() {
                    // Reading the whole log again is for when it is going to be of use.
                    self.probe_room(bytes)?;
                }
                self.recover()?;
            }
            Some(Stall::Rotation { error, again_at }) => {
                if Instant::now() < *again_at {
                    return Err(Error::stalled(error));
                }
                self.rotate_or_stall();
                if let Some(Stall::Rotation { error, .. }) = &self.stall {
                    return Err(Error::stalled(error));
                }
            }
        }
        if self.log.torn.is_some() {
            self.cut_torn().map_err(|error| Error::stalled(&error))?;
        }
        if let Some(poison) = &self.poison {
            return Err(Error::poisoned(poison));
        }
        if bytes > 0 { self.begin_writing() } else { Ok(()) }
    }

    /// Makes the log sound again, and what is in memory of it. Needs no room.
    pub(super) fn recover(&mut self) -> Result<()> {
        if let Some(poison) = &self.poison {
            return Err(Error::poisoned(poison));
        }
        if !matches!(self.stall, Some(Stall::Log(_))) {
            return Ok(());
        }
        match self.reload_log() {
            Ok(()) => {
                self.stall = None;
                self.shared.failures().stalled.set(None);
                Ok(())
            }
            Err(error) if error.is_disk_full() => Err(Error::stalled(&error)),
            Err(error) => {
                self.poison(&error);
                Err(error)
            }
        }
    }

    /// Fails where there is no room for so many bytes more.
    pub(super) fn probe_room(&mut self, bytes: usize) -> Result<()> {
        self.log.probe((bytes + ROOM_BYTES) as u64).map_err(|error| Error::stalled(&error))
    }

    /// Takes notice of a write or sync that failed.
    pub(super) fn note_failure(&mut self, error: &Error) {
        if error.is_disk_full() {
            self.stall(error);
        } else {
            self.poison(error);
        }
    }

    /// Writes nothing more before the log and what is in memory of it are sound again.
    pub(super) fn stall(&mut self, error: &Error) {
        if self.stall.is_some() {
            return;
        }
        self.stall = Some(Stall::Log(error.clone()));
        self.shared.failures().stalled.set(Some(error.clone()));
        if error.is_disk_full() {
            let message = "nothing is written until there is room on the disk";
            let view = self.shared.view();
            view.segments.warnings().report_error(WarningKind::DiskFull, message, error.clone());
        }
    }

    /// Keeps and cuts off the torn end that opening found and had no room to keep.
    pub(super) fn cut_torn(&mut self) -> Result<()> {
        let storage = Arc::clone(self.catalog.storage());
        let outcome = cut_torn(&*storage, &mut self.log);
        let cut = outcome.inspect_err(|error| {
            if !error.is_disk_full() {
                self.poison(error);
            }
        })?;
        if let Some(damage) = cut {
            let message = format!("the torn end of {} is kept in {}", damage.file, damage.kept_in);
            self.shared.view().segments.warnings().report(WarningKind::BytesSkipped, message);
        }
        Ok(())
    }

    /// Cuts off what was not shown to anybody, and makes the index anew: O(the log).
    fn reload_log(&mut self) -> Result<()> {
        self.log.take_back(self.published.log_end)?;
        let storage = Arc::clone(self.catalog.storage());
        let known = ListedLog::of_active(self.catalog.manifest().active);
        let cache_bytes = self.rotation.cache_bytes;
        let mut found = RecoveryReport::default();
        let (view, log) = open_log(&*storage, self.log.store, known, cache_bytes, &mut found)?;
        if view.visible.rows < self.published.rows || log.end < self.published.log_end {
            return Err(Error::damaged(format!(
                "{}: expected {} events in {} bytes, found {} in {}; the log was damaged since it \
                 was written: close the store and open it again",
                log.name, self.published.rows, self.published.log_end, view.visible.rows, log.end
            )));
        }
        self.log = log;
        self.active = Arc::clone(&view.log);
        self.published = view.visible;
        self.block.clear();
        self.ancestors.clear();
        self.shared.change(|shared| {
            shared.logs[1] = Some(view);
            // Some may lead through what was taken back.
            shared.joins = Arc::default();
        });
        self.look_anew();
        Ok(())
    }
}

/// Beside the bytes of a batch: what its records take in the block, the header, and what
/// the next manifest takes.
const ROOM_BYTES: usize = 16 << 10;
