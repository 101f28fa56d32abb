//! Threads. Each has a name, by which it is known in debuggers and panics.

use std::io;
use std::thread::{self, Builder, JoinHandle, Scope, ScopedJoinHandle};

pub(crate) use std::thread::{scope, sleep};

/// A thread that was started. It goes on when this is dropped.
#[derive(Debug)]
pub(crate) struct Thread<T>(JoinHandle<T>);

/// Starts a thread. Fails where the system can start no more.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Thread<T>> {
    Builder::new().name(name.to_owned()).spawn(work).map(Thread)
}

/// Starts a thread that ends within a [`scope`]. Fails as [`spawn`] does.
pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().name(name.to_owned()).spawn_scoped(scope, work)
}

impl<T> Thread<T> {
    /// Waits for its end; fails where it panicked.
    pub(crate) fn join(self) -> thread::Result<T> {
        self.0.join()
    }

    /// Forgets a thread that a fork left behind in the parent: waiting for it, or even
    /// detaching it, would touch what is not there.
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Whether it is the thread that asks, which can't wait for itself.
    pub(crate) fn is_current(&self) -> bool {
        self.0.thread().id() == thread::current().id()
    }
}
