//! A signal that wakes whoever waits for the next one, and costs who raises it next to
//! nothing while nobody does.

use std::time::Duration;

use crate::base::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Instant, Mutex};

/// Counts how often it was raised.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicU64,
    waiting: AtomicUsize,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Signal {
    /// How often it was raised so far.
    pub(crate) fn raised(&self) -> u64 {
        self.raised.load(Ordering::SeqCst)
    }

    /// Raises it. Two atomic operations while nobody waits.
    pub(crate) fn raise(&self) {
        // In the reverse order of `wait_past`: of a waiter and whoever raises, at least
        // one sees what the other wrote, so that no wake-up is lost.
        self.raised.fetch_add(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let _guard = self.lock.lock();
            self.changed.notify_all();
        }
    }

    /// Waits until it was raised more often than `seen` times, at most so long.
    pub(crate) fn wait_past(&self, seen: u64, at_most: Duration) {
        let begun = Instant::now();
        let mut guard = self.lock.lock();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        while self.raised() <= seen {
            let left = at_most.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            let _ = self.changed.wait_for(&mut guard, left);
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::sync::spawn;

    #[test]
    fn no_signal_is_missed_between_looking_and_waiting() {
        let signal = Arc::new(Signal::default());
        let (from, to) = (Arc::clone(&signal), Arc::new(Signal::default()));
        let back = Arc::clone(&to);
        let thread = spawn("pong", move || {
            for seen in 0..10_000 {
                from.wait_past(seen, Duration::from_mins(1));
                back.raise();
            }
        });
        let begun = Instant::now();
        for seen in 0..10_000 {
            signal.raise();
            to.wait_past(seen, Duration::from_mins(1));
        }
        thread.expect("starts").join().expect("ends");
        assert!(begun.elapsed() < Duration::from_mins(1), "a wait that ran into its limit");
    }
}
