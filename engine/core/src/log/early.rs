//! Syncing a log while it is written, so that little is left to wait for at its end.

use std::io;
use std::sync::Arc;

use crate::base::sync::{Thread, spawn};
use crate::storage::StorageFile;

/// A sync of the part of a log that was written when it began. Its outcome has to be
/// asked for before another sync is trusted: the system reports a failure once.
#[derive(Debug, Default)]
pub(crate) struct EarlySync {
    thread: Option<Thread<io::Result<u64>>>,
    /// Up to where the last one that began syncs.
    begun_to: u64,
}

impl EarlySync {
    /// Begins a sync of a log that ends here and is `durable` so far, in another thread,
    /// where enough was written since. Returns up to where one that has ended has
    /// synced.
    pub(crate) fn go_on(
        &mut self,
        file: &Arc<dyn StorageFile>,
        durable: u64,
        end: u64,
    ) -> io::Result<u64> {
        if end < self.begun_to.max(durable) + EARLY_BYTES {
            return Ok(0);
        }
        if self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(0);
        }
        let synced = self.finish()?;
        let file = Arc::clone(file);
        let sync = move || file.sync().map(|()| end);
        // Without another thread the log is synced at its end, as if this were not.
        self.thread = spawn("forebear-syncer", sync).ok();
        self.begun_to = end;
        Ok(synced)
    }

    /// Waits for the one that goes on; returns up to where it has synced.
    pub(crate) fn finish(&mut self) -> io::Result<u64> {
        match self.thread.take().map(Thread::join) {
            None => Ok(0),
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(io::Error::other("syncing the log panicked; please report it")),
        }
    }
}

/// Bytes of a log after which the next sync begins.
const EARLY_BYTES: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Fault, SimulatedDisk, Storage};

    #[test]
    fn what_an_early_sync_came_to_is_told_once_it_is_asked() {
        let disk = SimulatedDisk::new();
        let file: Arc<dyn StorageFile> = Arc::from(disk.create("log").expect("makes"));
        let mut early = EarlySync::default();
        let begun = disk.operations();
        assert_eq!(early.go_on(&file, 0, EARLY_BYTES - 1).expect("nothing to do"), 0);
        assert_eq!(early.go_on(&file, EARLY_BYTES, 2 * EARLY_BYTES - 1).expect("nothing"), 0);
        assert_eq!(disk.operations(), begun, "too little was written");
        assert_eq!(early.go_on(&file, 0, EARLY_BYTES).expect("begins"), 0);
        assert_eq!(early.finish().expect("synced"), EARLY_BYTES);
        assert_eq!(early.finish().expect("none goes on"), 0);
        disk.fail_at(disk.operations() + 1, Fault::Io);
        early.go_on(&file, EARLY_BYTES, 2 * EARLY_BYTES).expect("begins");
        assert!(early.finish().is_err(), "the one that syncs next must know");
    }
}
