//! Warnings: what went wrong or was repaired behind the scenes.

use std::collections::VecDeque;
use std::fmt;
use std::time::SystemTime;

use crate::base::error::Error;
use crate::base::sync::Mutex;
use crate::base::time::Time;
use crate::base::trace;

/// Something that went wrong or was repaired behind the scenes, which no call returns.
/// Its text is one line that says what to do, if anything is to be done.
///
/// From [`Store::warnings`](crate::Store::warnings) and
/// [`Reader::warnings`](crate::Reader::warnings).
///
/// ```
/// use forebear::{Event, Store, WarningKind};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// let store = Store::open(folder.path())?;
/// store.append(Event::new("started").id("boot"))?;
/// store.seal()?;
/// std::fs::remove_file(folder.path().join("0000000001.idx")).expect("it is there");
/// assert!(store.snapshot().contains("boot")?);
///
/// let warnings = store.warnings();
/// assert_eq!(warnings[0].kind(), WarningKind::IndexRebuilt);
/// assert!(warnings[0].to_string().starts_with("0000000001.idx was made again"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Warning {
    number: u64,
    time: Time,
    kind: WarningKind,
    message: String,
    error: Option<Error>,
}

/// What a [`Warning`] is about, in kinds that a program treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// An index was missing or damaged; it was made again from its segment.
    IndexRebuilt,
    /// An index that was made again could not be written, and is in memory alone.
    IndexNotWritten,
    /// A full log could not be sealed. It is tried again each minute, at the next rotation,
    /// and whenever segments were dropped.
    SealFailed,
    /// A write failed. The store refuses all others until it is opened again.
    Poisoned,
    /// There was no room on the disk for a write. The store goes on once there is.
    DiskFull,
    /// The retention policy could not be applied, so that nothing was dropped.
    RetentionFailed,
    /// State of segments that were dropped could not be carried over.
    StateLost,
    /// A file that is not needed any more could not be removed.
    FileNotRemoved,
    /// What other processes handed in could not all be taken in.
    SpoolFailed,
    /// What other processes handed in waits for a decoder that this one lacks.
    DecoderMissing,
    /// Damaged bytes of a log were passed over.
    BytesSkipped,
    /// Events were stored while an earlier segment that may know them can't be read for
    /// damage: they may be stored there too.
    Unchecked,
    /// The manifest can't be used; the previous one stays in effect.
    ManifestUnusable,
    /// The store was of an older format; older releases can't open it any more.
    FormatUpgraded,
    /// The store got a kind of state that its sealed segments know nothing of.
    KindAdded,
    /// The process lacks a kind of state that the store has: full logs are not sealed, and
    /// nothing is dropped.
    KindMissing,
}

impl WarningKind {
    /// The kind's name, such as `index_rebuilt`.
    pub fn as_str(self) -> &'static str {
        match self {
            WarningKind::IndexRebuilt => "index_rebuilt",
            WarningKind::IndexNotWritten => "index_not_written",
            WarningKind::SealFailed => "seal_failed",
            WarningKind::Poisoned => "poisoned",
            WarningKind::DiskFull => "disk_full",
            WarningKind::RetentionFailed => "retention_failed",
            WarningKind::StateLost => "state_lost",
            WarningKind::FileNotRemoved => "file_not_removed",
            WarningKind::SpoolFailed => "spool_failed",
            WarningKind::DecoderMissing => "decoder_missing",
            WarningKind::BytesSkipped => "bytes_skipped",
            WarningKind::Unchecked => "unchecked",
            WarningKind::ManifestUnusable => "manifest_unusable",
            WarningKind::FormatUpgraded => "format_upgraded",
            WarningKind::KindAdded => "kind_added",
            WarningKind::KindMissing => "kind_missing",
        }
    }
}

impl Warning {
    /// Its number, from 1 in the order in which they came. One that follows on a gap
    /// shows that those between were dropped.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What it is about.
    pub fn kind(&self) -> WarningKind {
        self.kind
    }

    /// When it came.
    pub fn time(&self) -> SystemTime {
        self.time.into()
    }

    /// What came of it, without what failed.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What failed, where something did.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.error.as_ref().map_or(Ok(()), |error| write!(f, ": {error:#}"))
    }
}

/// The warnings of an open store or reader: the newest [`KEPT_MAX`]. Whoever asks has a
/// position of its own, so that none takes them away from another.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    kept: VecDeque<Warning>,
    last: u64,
}

impl Warnings {
    /// Reports what is no failure of a call.
    pub(crate) fn report(&self, kind: WarningKind, message: impl Into<String>) {
        self.add(kind, message.into(), None);
    }

    /// Reports what failed behind the scenes: `message` says what came of it.
    pub(crate) fn report_error(&self, kind: WarningKind, message: impl Into<String>, error: Error) {
        self.add(kind, message.into(), Some(error));
    }

    /// Those kept whose number is beyond this one, oldest first. O(those kept).
    pub(crate) fn after(&self, number: u64) -> Vec<Warning> {
        let ring = self.0.lock();
        ring.kept.iter().filter(|warning| warning.number > number).cloned().collect()
    }

    pub(crate) fn last(&self) -> Option<Warning> {
        self.0.lock().kept.back().cloned()
    }

    fn add(&self, kind: WarningKind, message: String, error: Option<Error>) {
        let mut ring = self.0.lock();
        ring.last += 1;
        let warning = Warning { number: ring.last, time: Time::now(), kind, message, error };
        trace::warning(kind.as_str(), warning.number, &warning);
        if ring.kept.len() == KEPT_MAX {
            ring.kept.pop_front();
        }
        ring.kept.push_back(warning);
    }
}

/// Most warnings that are kept: those that a service logs every minute or so.
const KEPT_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_each_asker_has_its_own_position() {
        let warnings = Warnings::default();
        for number in 0..KEPT_MAX + 2 {
            warnings.report(WarningKind::BytesSkipped, number.to_string());
        }
        let all = warnings.after(0);
        assert_eq!((all.len(), all[0].number()), (KEPT_MAX, 3), "two were dropped");
        assert_eq!(warnings.after(all[0].number()).len(), KEPT_MAX - 1);
        assert_eq!(warnings.after(0).len(), KEPT_MAX, "asking takes none away");
        let last = warnings.last().expect("there are some");
        assert!(warnings.after(last.number()).is_empty());
    }
}
