//! What comes before the first record: a store of this format, which names its kinds of
//! state.

use crate::base::error::{Error, Result};
use crate::base::format::FORMAT_VERSION;
use crate::base::limits;
use crate::base::warnings::WarningKind;
use crate::manifest::log_name;
use crate::writer::Writer;

impl Writer {
    /// Makes the store one of this format that names the kinds of state it is given, before
    /// a first record is written. A log holds blocks of one format, so that one of an older
    /// format is full with that.
    pub(super) fn begin_writing(&mut self) -> Result<()> {
        if self.has_begun {
            return self.expect_room();
        }
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
    /// this process can't seal it. Nothing is lost: whoever can seals both, later.
    pub(super) fn must_grow(&mut self) -> bool {
        if !self.has_full_log() {
            return false;
        }
        let view = self.shared.view();
        let Err(error) = view.kinds().expect_all("to seal its logs") else { return false };
        if !std::mem::replace(&mut self.grows, true) {
            let message = format!("{} goes on though it is full", log_name(self.log.segment));
            view.segments.warnings().report_error(WarningKind::KindMissing, message, error);
        }
        true
    }

    /// Refuses writes to a log that would become too long to be sealed, since this process
    /// can't seal it.
    fn expect_room(&self) -> Result<()> {
        if self.published.rows < limits::MAX_SEGMENT_EVENTS {
            return Ok(());
        }
        self.shared.view().kinds().expect_all("to seal its log, which can't become longer")
    }
}
