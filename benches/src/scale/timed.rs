//! How long a disk's syncs took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forebear::storage::{Disk, Intercepted, Operation};

use crate::scale::write::WRITER;

/// The time of all syncs so far, of files and of the folder, that the writer waited
/// for: the files of dropped segments are removed by another thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Syncing(Arc<AtomicU64>);

impl Syncing {
    pub(crate) fn so_far(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// The disk, whose syncs are timed.
    pub(crate) fn time(&self, disk: Disk) -> Intercepted<Disk> {
        let nanoseconds = Arc::clone(&self.0);
        Intercepted::new(disk, move |operation, perform| {
            let begun = Instant::now();
            let outcome = perform();
            if matches!(operation, Operation::Sync | Operation::SyncDir)
                && std::thread::current().name() == Some(WRITER)
            {
                nanoseconds.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
            }
            outcome
        })
    }
}
