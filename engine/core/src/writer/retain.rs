//! Dropping what a policy does not keep.

use crate::archive::archive;
use crate::error::{Error, Result};
use crate::event::now_ns;
use crate::parts::Parts;
use crate::retention::{Held, Retained, Retention};
use crate::segment::manifest::{idx_name, seg_name};
use crate::segment::sealed::Sealed;
use crate::writer::Writer;

impl Writer {
    /// Drops the segments that are due, or tells which would be.
    pub(super) fn retain(&mut self, retention: &Retention) -> Result<Retained> {
        if !retention.is_dry_run() {
            // On a full disk it takes the room in which the manifest is written.
            self.pause_sealing();
        }
        let parts = self.shared.parts();
        let due = due(&parts, retention);
        if !due.is_empty() && !retention.is_dry_run() {
            self.archive(retention, due)?;
            self.carry(&parts, due.len())?;
            self.drop_oldest(&parts, due)?;
        }
        Ok(Retained {
            segments: due.len() as u64,
            events: due.iter().map(|sealed| u64::from(sealed.rows)).sum(),
            bytes: due.iter().map(Sealed::bytes).sum(),
        })
    }

    /// Drops what the policy that is kept with the store does not keep. While its
    /// archive can't be written or their state not read, nothing goes, and appends go on.
    pub(super) fn apply_retention(&mut self) -> Result<()> {
        let Some(retention) = self.catalog.manifest().retention else { return Ok(()) };
        let parts = self.shared.parts();
        let due = due(&parts, &retention);
        if due.is_empty() {
            return Ok(());
        }
        let kept = self.archive(&retention, due).and_then(|()| self.carry(&parts, due.len()));
        match kept {
            Ok(()) => self.drop_oldest(&parts, due),
            Err(error) if self.poison.is_none() => {
                parts.segments.note(format!("nothing was dropped: {error}"));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps the segments where the policy says, if it does. They are durable there
    /// when this returns.
    fn archive(&self, retention: &Retention, due: &[Sealed]) -> Result<()> {
        let Some(path) = retention.archive_to() else { return Ok(()) };
        let storage = self.catalog.storage();
        let folder = storage.folder(path).map_err(|error| Error::io("open", path, error))?;
        archive(&**storage, &*folder, path, self.log.store, due)
    }

    /// Drops the oldest segments, whose state was carried: from the manifest first, then
    /// their files.
    fn drop_oldest(&mut self, parts: &Parts, going: &[Sealed]) -> Result<()> {
        let count = going.len();
        self.catalog.change(|manifest| drop(manifest.sealed.drain(..count)))?;
        self.shared.change(|parts| parts.sealed = parts.sealed[count..].into());
        self.look_anew();
        let storage = self.catalog.storage();
        let first = going.first().map_or(0, |sealed| sealed.segment);
        let mut names = parts.segments.forget(first..first + count as u64);
        for sealed in going {
            names.extend([idx_name(sealed.segment), seg_name(sealed.segment)]);
        }
        self.removals.remove(storage, &parts.segments, &names, self.rotation.in_background)
    }
}

/// The oldest segments, up to the first that is not due.
fn due<'p>(parts: &'p Parts, retention: &Retention) -> &'p [Sealed] {
    let held = Held {
        events: parts.logs().map(|log| u64::from(log.visible.rows)).sum(),
        bytes: parts.logs().map(|log| log.visible.log_end).sum(),
    };
    &parts.sealed[..retention.due(&parts.sealed, held, now_ns())]
}
