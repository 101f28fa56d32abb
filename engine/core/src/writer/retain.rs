//! Dropping what a policy does not keep.

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::sync::now_ns;
use crate::base::trace;
use crate::base::warnings::WarningKind;
use crate::manifest::Sealed;
use crate::manifest::{Held, Retained, Retention, idx_name, seg_name};
use crate::view::View;
use crate::writer::Writer;
use crate::writer::archive::archive;

impl Writer {
    /// Drops the segments that are due, or reports which would be.
    pub(super) fn retain(&mut self, retention: &Retention) -> Result<Retained> {
        if !retention.is_dry_run() {
            self.shared.view().kinds().expect_all("to drop segments")?;
            // On a full disk it takes the room in which the manifest is written.
            self.pause_sealing();
            if !due(&self.shared.view(), retention).is_empty() {
                // What is carried over goes to a log of this format.
                self.begin_writing()?;
            }
        }
        let view = self.shared.view();
        let due = due(&view, retention);
        if !due.is_empty() && !retention.is_dry_run() {
            self.archive(retention, due)?;
            self.let_go(&view, due)?;
        }
        Ok(Retained {
            segments: due.len() as u64,
            events: due.iter().map(|sealed| u64::from(sealed.rows)).sum(),
            bytes: due.iter().map(Sealed::bytes).sum(),
        })
    }

    /// Drops what the policy that is kept with the store does not keep. While its
    /// archive can't be written or their state not read, nothing goes, and appends go on.
    pub(super) fn apply_retention(&mut self) {
        let Some(retention) = self.catalog.manifest().retention else { return };
        let view = self.shared.view();
        let due = due(&view, &retention);
        if due.is_empty() {
            return;
        }
        let gone = self.archive(&retention, due).and_then(|()| self.let_go(&view, due));
        if let Err(error) = gone {
            let message = "nothing was dropped";
            view.segments.warnings().report_error(WarningKind::RetentionFailed, message, error);
        }
    }

    /// Carries over what must outlive the oldest segments and drops them. Where there is
    /// no room for the former, their indexes make some: those can be made again.
    fn let_go(&mut self, view: &View, going: &[Sealed]) -> Result<()> {
        let outcome = self.carry(view, going.len()).and_then(|()| self.drop_oldest(view, going));
        match outcome {
            Err(error) if error.is_disk_full() => self.let_go_without_room(view, going),
            outcome => outcome,
        }
    }

    fn let_go_without_room(&mut self, view: &View, going: &[Sealed]) -> Result<()> {
        // What is to be carried over is read before the indexes go which say it.
        self.recover()?;
        self.held_back = Some(Vec::new());
        let read = self.carry(view, going.len());
        let carried = self.held_back.take().unwrap_or_default();
        read?;
        let storage = Arc::clone(self.catalog.storage());
        for sealed in going {
            view.segments.close(sealed.segment);
            // One that is not there or stays makes no room.
            let _ = storage.unlink(&idx_name(sealed.segment));
        }
        let _ = storage.sync_dir();
        let bytes = carried.iter().map(|record| record.record().len()).sum();
        self.probe_room(bytes)?;
        carried.iter().try_for_each(|record| self.push_carried(record))?;
        self.end_carrying()?;
        self.drop_oldest(view, going)
    }

    /// Keeps the segments where the policy says, if it does. They are durable there
    /// when this returns.
    fn archive(&self, retention: &Retention, due: &[Sealed]) -> Result<()> {
        let Some(path) = retention.archive_to() else { return Ok(()) };
        let storage = self.catalog.storage();
        let folder = storage.folder(path).map_err(|error| Error::io("open", path, error))?;
        let kinds = self.shared.view().kinds().named();
        archive(&**storage, &*folder, path, self.log.store, kinds, due)
    }

    /// Drops the oldest segments, whose state was carried: from the manifest first, then
    /// their files.
    fn drop_oldest(&mut self, view: &View, going: &[Sealed]) -> Result<()> {
        let count = going.len();
        // What was carried over is on disk by now. Readers ignore it while the manifest names the
        // segments, and count it from this change on: in this order nothing counts twice or not
        // at all.
        self.catalog.change(|manifest| drop(manifest.sealed.drain(..count)))?;
        self.shared.change(|view| view.sealed = view.sealed[count..].into());
        self.look_anew();
        let storage = self.catalog.storage();
        let first = going.first().map_or(0, |sealed| sealed.segment);
        trace::dropped(first, count);
        let mut names = view.segments.forget(first..first + count as u64);
        for sealed in going {
            names.extend([idx_name(sealed.segment), seg_name(sealed.segment)]);
        }
        let in_background = self.rotation.in_background;
        self.removals.remove(storage, &view.segments, &names, in_background)?;
        if self.is_sealing_due() {
            // It may have failed for want of the room that there is now.
            self.removals.wait();
            self.start_sealing();
        }
        Ok(())
    }
}

/// The oldest segments, up to the first that is not due.
fn due<'p>(view: &'p View, retention: &Retention) -> &'p [Sealed] {
    let held = Held {
        events: view.logs().map(|log| u64::from(log.visible.rows)).sum(),
        bytes: view.logs().map(|log| log.visible.log_end).sum(),
    };
    &view.sealed[..retention.due(&view.sealed, held, now_ns())]
}
