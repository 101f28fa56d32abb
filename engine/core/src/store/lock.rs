//! The lock of an open store.

use std::sync::Arc;

use crate::base::sync::Mutex;
use crate::storage::LockGuard;

type HeldLock = Box<dyn LockGuard + Send + Sync>;

/// The lock that the writer holds as long as it runs. A forked child has a copy of it.
#[derive(Clone, Debug)]
pub(super) struct StoreLock(Arc<Mutex<Option<HeldLock>>>);

impl StoreLock {
    pub(super) fn new(guard: HeldLock) -> Self {
        Self(Arc::new(Mutex::new(Some(guard))))
    }

    /// Ends the lock.
    pub(super) fn release(&self) {
        drop(self.0.lock().take());
    }

    /// In a forked child: closes what the child has of it. The parent goes on holding it.
    pub(super) fn let_go(&self) {
        // Held only while the parent released it, which needs no help then.
        if let Some(mut held) = self.0.try_lock()
            && let Some(mut guard) = held.take()
        {
            guard.let_go();
            // Dropped, it would end the parent's lock too.
            std::mem::forget(guard);
        }
    }
}
