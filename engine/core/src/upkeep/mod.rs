//! Looking after a store: checking it, copying it, making indexes again.

pub(crate) mod backup;
mod mend;
pub(crate) mod rebuild;
pub(crate) mod repair;
pub(crate) mod verify;

use std::path::Path;

use crate::base::error::Result;
use crate::snapshot::Snapshot;
use crate::upkeep::backup::Backup;
use crate::upkeep::verify::{Finding, Verified};

impl Snapshot {
    /// Checks every file against its digests and against all others, and reports what
    /// is not as it was written. Reads everything; some microseconds an event, and
    /// the memory of one segment's index.
    ///
    /// Fails where a file can't be read, as opposed to being damaged.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started"))?;
    /// store.seal()?;
    /// let verified = store.snapshot().verify(&mut |finding| eprintln!("{finding}"))?;
    /// assert!(verified.is_sound());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn verify(&self, report: &mut dyn FnMut(Finding)) -> Result<Verified> {
        verify::verify(&self.view, report)
    }

    /// Makes a copy of the store in an empty folder, which is made if it is missing:
    /// a store of its own that holds what this snapshot sees. Sealed files, which
    /// never change, are linked where the file system can; logs are copied.
    ///
    /// Fails with [`Error::is_expired`](crate::Error::is_expired) where segments were
    /// dropped meanwhile: try again with a new snapshot and another folder.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let store = Store::open(folder.path().join("events.forebear"))?;
    /// store.append(Event::new("started").id("boot"))?;
    /// let copy = folder.path().join("copy.forebear");
    /// store.snapshot().backup(&copy)?;
    /// assert!(Store::open(&copy)?.snapshot().contains("boot")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn backup(&self, folder: impl AsRef<Path>) -> Result<Backup> {
        backup::backup(&self.view, folder.as_ref())
    }
}
