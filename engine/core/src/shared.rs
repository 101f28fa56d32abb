//! What the threads of a store share: the view that is published, and its state.

use std::sync::Arc;

use crate::base::error::Error;
use crate::base::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::base::sync::{Mutex, RwLock, Signal};
use crate::log::view::{Log, Visible};
use crate::view::View;

/// What new snapshots see.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The same view twice, changed one after the other: in a forked child, in which a
    /// thread that was changing it is gone, at least one can be read.
    views: [RwLock<Arc<View>>; 2],
    /// Held by whoever changes them.
    changing: Mutex<()>,
    /// Counts the times that segments or logs came or went.
    generation: AtomicU64,
    /// The sequence number behind the last row that is known to be on disk.
    durable_end: AtomicU64,
    /// Whether the writer has ended: nothing is published any more.
    ended: AtomicBool,
    /// Raised whenever any of this has changed.
    changed: Arc<Signal>,
    failures: Failures,
}

/// What failed behind the scenes and was not made good since.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// Why every write is refused.
    pub(crate) poisoned: BackgroundFailure,
    /// Why writes are refused for now.
    pub(crate) stalled: BackgroundFailure,
    /// Why the full log is not sealed yet.
    pub(crate) sealing: BackgroundFailure,
    /// Why the last round of draining the spool ended early.
    pub(crate) spool: BackgroundFailure,
}

#[derive(Debug, Default)]
pub(crate) struct BackgroundFailure(Mutex<Option<Error>>);

impl BackgroundFailure {
    pub(crate) fn set(&self, error: Option<Error>) {
        *self.0.lock() = error;
    }

    pub(crate) fn get(&self) -> Option<Error> {
        self.0.lock().clone()
    }
}

impl Shared {
    pub(crate) fn new(view: View) -> Self {
        let view = Arc::new(view);
        Self {
            // Opening syncs what it accepts.
            durable_end: AtomicU64::new(view.end_seq()),
            views: [RwLock::new(Arc::clone(&view)), RwLock::new(view)],
            changing: Mutex::new(()),
            generation: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            changed: Arc::default(),
            failures: Failures::default(),
        }
    }

    pub(crate) fn view(&self) -> Arc<View> {
        loop {
            for view in &self.views {
                // While the first is being changed, the second is as it was before.
                if let Some(view) = view.try_read() {
                    return Arc::clone(&view);
                }
            }
            std::hint::spin_loop();
        }
    }

    pub(crate) fn failures(&self) -> &Failures {
        &self.failures
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Shows a block that was written to the last log to all later snapshots.
    pub(crate) fn publish(&self, log: &Arc<Log>, visible: Visible) {
        self.replace(|view| view.set_visible(log, visible));
        self.changed.raise();
    }

    /// Says that all rows before this sequence number are on disk.
    pub(crate) fn set_durable(&self, end_seq: u64) {
        self.durable_end.fetch_max(end_seq, Ordering::Release);
        self.changed.raise();
    }

    /// The sequence number behind the last row that is known to be on disk.
    pub(crate) fn durable_end(&self) -> u64 {
        self.durable_end.load(Ordering::Acquire)
    }

    /// Says that the writer has ended.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.changed.raise();
    }

    /// Whether the writer has ended. What is seen after this said so is all there is.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// What is raised whenever there is something new.
    pub(crate) fn changed(&self) -> &Arc<Signal> {
        &self.changed
    }

    /// Changes which segments and logs there are.
    pub(crate) fn change(&self, change: impl FnOnce(&mut View)) {
        self.replace(change);
        self.generation.fetch_add(1, Ordering::Release);
        self.changed.raise();
    }

    fn replace(&self, change: impl FnOnce(&mut View)) {
        // Taken before either view and held over both: of two changes at once the later one would
        // be made of the view that the earlier one has not replaced yet, and undo it.
        let _changing = self.changing.lock();
        let mut next = View::clone(&self.view());
        change(&mut next);
        let next = Arc::new(next);
        for view in &self.views {
            *view.write() = Arc::clone(&next);
        }
    }
}
