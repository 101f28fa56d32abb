//! What wakes a follower: changes reported by the system, and a request to stop.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Stops a follower's [`run`](crate::Follower::run), from any thread.
///
/// An example is at [`Follower::run`](crate::Follower::run).
#[derive(Clone, Debug)]
pub struct StopHandle(pub(crate) Arc<FollowSignal>);

impl StopHandle {
    /// Stops the run within some tens of milliseconds, or once the line that is being
    /// read is stored. What was read is stored, and nothing more is read.
    pub fn stop(&self) {
        self.0.state.lock().stopped = true;
        self.0.woken.notify_all();
    }
}

#[derive(Debug, Default)]
pub(crate) struct FollowSignal {
    state: Mutex<SignalState>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct SignalState {
    stopped: bool,
    changes: Changes,
}

/// What changed since the last call.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) paths: BTreeSet<PathBuf>,
    /// Whether there were too many changes to list, or some were missed.
    pub(crate) all: bool,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.all
    }
}

impl FollowSignal {
    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Reports changes; without a path, that some were missed.
    pub(crate) fn changed(&self, paths: Vec<PathBuf>) {
        let mut state = self.state.lock();
        let changes = &mut state.changes;
        changes.all |= paths.is_empty() || changes.paths.len() + paths.len() > MAX_PATHS;
        if changes.all {
            changes.paths.clear();
        } else {
            changes.paths.extend(paths);
        }
        drop(state);
        self.woken.notify_all();
    }

    /// Waits for changes or a stop, at most until then.
    pub(crate) fn wait(&self, until: Instant) {
        let mut state = self.state.lock();
        while !state.stopped && state.changes.is_empty() {
            if self.woken.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
    }

    /// Waits for a stop, at most so long.
    pub(crate) fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state.lock();
        while !state.stopped && !self.woken.wait_until(&mut state, until).timed_out() {}
    }

    pub(crate) fn take_changes(&self) -> Changes {
        std::mem::take(&mut self.state.lock().changes)
    }
}

/// Paths that are remembered one by one.
const MAX_PATHS: usize = 4096;
