//! Waking futures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakes a future. A waker is someone else's code: its panic must not end the thread that
/// calls it, which may be the writer's.
pub(crate) fn wake(waker: Waker) {
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}
