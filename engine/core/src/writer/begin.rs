//! What comes before the first record: a store of this format, which names its kinds of
//! state.

use crate::base::error::{Error, Result};
use crate::base::format::FORMAT_VERSION;
use crate::base::limits;
use crate::base::warnings::WarningKind;
use crate::log::encoded::Encoded;
use crate::manifest::{Retention, log_name};
use crate::writer::Writer;

impl Writer {
    /// Makes the store one of this format that names the kinds of state it is given, before
    /// a first record is written. A log holds blocks of one format, so that one of an older
    /// format is full with that.
    pub(super) fn begin_writing(&mut self) -> Result<()> {
        if self.has_begun {
            self.expect_growable()?;
        } else {
            self.begin()?;
        }
        self.push_settings();
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        if self.log.format != FORMAT_VERSION && self.log.end > 0 {
            // What can't be gone on from after a failure, it has taken notice of.
            self.rotate()?;
        } else {
            self.log.format = FORMAT_VERSION;
            let outcome = self.catalog.bring_up_to_date();
            outcome.map_err(|error| {
                if error.is_disk_full() {
                    return Error::stalled(&error);
                }
                self.poison(&error);
                error
            })?;
        }
        self.has_begun = true;
        Ok(())
    }

    /// Puts the store's settings into the block where the log says otherwise, as it does at
    /// its head: without a manifest they are known from there.
    fn push_settings(&mut self) {
        if *self.active.index.read().settings() == self.settings {
            return;
        }
        self.push(&Encoded::settings(&self.settings));
        self.active.index.write().set_settings(self.settings.clone());
    }

    /// Keeps a policy with the store: in the manifest, which counts, then in the log.
    pub(super) fn set_retention(&mut self, retention: Option<Retention>) -> Result<()> {
        let words = retention.as_ref().map(Retention::to_text);
        self.catalog.change(|manifest| manifest.retention = retention)?;
        self.settings.retention = words;
        if self.poison.is_some() || self.stall.is_some() {
            // It goes in front of the next batch.
            return Ok(());
        }
        self.begin_writing()?;
        self.sync_wanted = true;
        self.commit();
        Ok(())
    }

    /// Whether this process has all kinds of state of the store, without which no log can
    /// be sealed.
    pub(super) fn can_seal(&self) -> bool {
        self.shared.view().kinds().expect_all("to seal its logs").is_ok()
    }

    /// Whether a full log waits to be sealed.
    pub(super) fn has_full_log(&self) -> bool {
        matches!(&self.shared.view().logs, [Some(_), Some(_)])
    }

    /// Whether the active log goes on though it is full: a full one waits already, and
    /// this process can't seal it. Nothing is lost: whoever can seals both, later. Rows and
    /// bytes bound it, as for any segment, and not the size of its index in memory.
    pub(super) fn must_grow(&mut self) -> bool {
        if !self.has_full_log() {
            return false;
        }
        // Each write asks, and the kinds of a process stay the same.
        if self.grows {
            return true;
        }
        let view = self.shared.view();
        let Err(error) = view.kinds().expect_all("to seal its logs") else { return false };
        self.grows = true;
        let message = format!("{} goes on though it is full", log_name(self.log.segment));
        view.segments.warnings().report_error(WarningKind::KindMissing, message, error);
        true
    }

    /// Refuses writes to a log that would become too long to be sealed, since this process
    /// can't seal it.
    fn expect_growable(&self) -> Result<()> {
        if can_grow(self.published.rows, self.log.end) {
            return Ok(());
        }
        self.shared.view().kinds().expect_all("to seal its log, which can't become longer")
    }
}

/// Whether a log of so many rows and bytes takes another batch. One of more than twice
/// [`MAX_SEGMENT_BYTES`](limits::MAX_SEGMENT_BYTES) could not be opened again.
fn can_grow(rows: u32, bytes: u64) -> bool {
    rows < limits::MAX_SEGMENT_EVENTS && bytes < limits::MAX_SEGMENT_BYTES
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::can_grow;
    use crate::base::limits;
    use crate::log::opened::{ListedLog, open_log};
    use crate::log::record::SettingsMeta;
    use crate::log::report::RecoveryReport;
    use crate::manifest::{Manifest, Read};
    use crate::storage::{SimulatedDisk, Storage};
    use crate::{Event, Retention, Store};

    /// The settings as the active log has them.
    fn settings(storage: &dyn Storage) -> SettingsMeta {
        let Ok(Read::Sound(manifest)) = Manifest::read(storage) else { panic!("has a manifest") };
        let (known, mut report) =
            (ListedLog::of_active(manifest.active), RecoveryReport::default());
        let (view, _) = open_log(storage, manifest.store, known, 1 << 20, &mut report).unwrap();
        view.log.index.read().settings().clone()
    }

    #[test]
    fn a_log_that_no_process_seals_stays_within_what_opening_takes() {
        let (rows, bytes) = (limits::MAX_SEGMENT_EVENTS, limits::MAX_SEGMENT_BYTES);
        assert!(can_grow(rows - 1, bytes - 1));
        assert!(!can_grow(rows, 0) && !can_grow(1, bytes));
    }

    #[test]
    fn the_policy_stands_in_the_log_and_at_the_head_of_the_next() {
        let disk = SimulatedDisk::new();
        let store = Store::builder().open_on(Arc::new(disk.clone())).unwrap();
        store.append(Event::new("note")).unwrap();
        assert_eq!(settings(&disk), SettingsMeta::default());
        let policy = Retention::new().max_events(7);
        let kept = SettingsMeta { retention: Some(policy.to_text()), archive: false };
        store.set_retention(Some(policy)).unwrap();
        assert_eq!(settings(&disk), kept);
        store.seal().unwrap();
        assert_eq!(settings(&disk), SettingsMeta::default(), "an empty log");
        store.append(Event::new("note")).unwrap();
        assert_eq!(settings(&disk), kept);
        drop(store);
        let store = Store::builder().open_on(Arc::new(disk.clone())).unwrap();
        let before = disk.open("0000000002.log").unwrap().len().unwrap();
        store.append(Event::new("note").id("a")).unwrap();
        let once = disk.open("0000000002.log").unwrap().len().unwrap() - before;
        store.append(Event::new("note").id("b")).unwrap();
        let twice = disk.open("0000000002.log").unwrap().len().unwrap() - before;
        assert_eq!(twice, 2 * once, "it is written once a log");
        store.set_retention(None).unwrap();
        assert_eq!(settings(&disk), SettingsMeta::default());
    }
}
