//! What the writer, the sealer and the snapshots of a store have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::parts::{Log, Parts, Visible};

/// What new snapshots see.
#[derive(Debug)]
pub(crate) struct Shared {
    parts: RwLock<Arc<Parts>>,
    /// Counts the times that segments or logs came or went.
    generation: AtomicU64,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts: RwLock::new(Arc::new(parts)), generation: AtomicU64::new(0) }
    }

    pub(crate) fn parts(&self) -> Arc<Parts> {
        Arc::clone(&self.parts.read())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Shows a block that was written to the last log to all later snapshots.
    pub(crate) fn publish(&self, log: &Arc<Log>, visible: Visible) {
        let mut parts = self.parts.write();
        let mut next = Parts::clone(&parts);
        next.set_visible(log, visible);
        *parts = Arc::new(next);
    }

    /// Changes which segments and logs there are.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.write();
        let mut next = Parts::clone(&parts);
        change(&mut next);
        *parts = Arc::new(next);
        self.generation.fetch_add(1, Ordering::Release);
    }
}
