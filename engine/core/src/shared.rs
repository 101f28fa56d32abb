//! What the writer, the sealer and the snapshots of a store have in common.

use std::sync::Arc;

use crate::base::sync::RwLock;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::log::view::{Log, Visible};
use crate::view::View;

/// What new snapshots see.
#[derive(Debug)]
pub(crate) struct Shared {
    view: RwLock<Arc<View>>,
    /// Counts the times that segments or logs came or went.
    generation: AtomicU64,
}

impl Shared {
    pub(crate) fn new(view: View) -> Self {
        Self { view: RwLock::new(Arc::new(view)), generation: AtomicU64::new(0) }
    }

    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Shows a block that was written to the last log to all later snapshots.
    pub(crate) fn publish(&self, log: &Arc<Log>, visible: Visible) {
        let mut view = self.view.write();
        let mut next = View::clone(&view);
        next.set_visible(log, visible);
        *view = Arc::new(next);
    }

    /// Changes which segments and logs there are.
    pub(crate) fn change(&self, change: impl FnOnce(&mut View)) {
        let mut view = self.view.write();
        let mut next = View::clone(&view);
        change(&mut next);
        *view = Arc::new(next);
        self.generation.fetch_add(1, Ordering::Release);
    }
}
