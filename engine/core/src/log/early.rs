//! Syncs a log in the background while it is written, so that little is left to wait for when it
//! is full.

use std::io;
use std::sync::Arc;

use crate::base::sync::{Thread, spawn};
use crate::storage::StorageFile;

/// A background sync. Its outcome must be collected before another sync is trusted: the system
/// reports a failed write to one fsync only, and a later one succeeds without it.
#[derive(Debug, Default)]
pub(crate) struct EarlySync {
    thread: Option<Thread<io::Result<u64>>>,
    /// The log's end when the last sync began: the offset that it makes durable.
    begun_to: u64,
}

impl EarlySync {
    /// Starts a sync of a log that ends at `end`, where none is in flight and enough was
    /// written since the last and since `durable`. Returns the durable offset that a
    /// finished sync has reached, 0 where none has.
    pub(crate) fn advance(
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
        // If there can be no thread, the log is synced at its end alone.
        self.thread = spawn("forebear-syncer", sync).ok();
        self.begun_to = end;
        Ok(synced)
    }

    /// Waits for the in-flight sync. Returns the durable offset that it has reached, 0
    /// where none was in flight.
    pub(crate) fn finish(&mut self) -> io::Result<u64> {
        match self.thread.take().map(Thread::join) {
            None => Ok(0),
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(io::Error::other("syncing the log panicked; please report it")),
        }
    }
}

/// Bytes that must be written before the next sync begins.
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
        assert_eq!(early.advance(&file, 0, EARLY_BYTES - 1).expect("nothing to do"), 0);
        assert_eq!(early.advance(&file, EARLY_BYTES, 2 * EARLY_BYTES - 1).expect("nothing"), 0);
        assert_eq!(disk.operations(), begun, "too little was written");
        assert_eq!(early.advance(&file, 0, EARLY_BYTES).expect("begins"), 0);
        assert_eq!(early.finish().expect("synced"), EARLY_BYTES);
        assert_eq!(early.finish().expect("none goes on"), 0);
        disk.fail_at(disk.operations() + 1, Fault::Io);
        early.advance(&file, EARLY_BYTES, 2 * EARLY_BYTES).expect("begins");
        assert!(early.finish().is_err(), "the one that syncs next must know");
    }
}
