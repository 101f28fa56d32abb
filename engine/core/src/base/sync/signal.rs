//! A signal that wakes whoever waits for the next one, and costs who raises it next to
//! nothing while nobody does.

use std::collections::HashMap;
use std::task::Waker;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::base::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Instant, Mutex, wake};

/// Counts how often it was raised.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicU64,
    /// Threads that wait and wakers that are registered.
    waiting: AtomicUsize,
    wakers: Mutex<Wakers>,
    changed: Condvar,
}

/// What wakes the futures that wait for a signal.
#[derive(Debug, Default)]
struct Wakers {
    by_key: HashMap<u64, Waker, RandomState>,
    #[cfg(feature = "stream")]
    next_key: u64,
}

impl Signal {
    /// How often it was raised so far.
    pub(crate) fn raised(&self) -> u64 {
        self.raised.load(Ordering::SeqCst)
    }

    /// Raises it. Two atomic operations while nobody waits.
    pub(crate) fn raise(&self) {
        // In the reverse order of `wait_past` and `register`: of a waiter and whoever raises,
        // at least one sees what the other wrote, so that no wake-up is lost.
        self.raised.fetch_add(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let mut wakers = self.wakers.lock();
            self.changed.notify_all();
            let woken = std::mem::take(&mut wakers.by_key);
            self.waiting.fetch_sub(woken.len(), Ordering::SeqCst);
            // A waker may register again at once.
            drop(wakers);
            woken.into_values().for_each(wake);
        }
    }

    /// Waits until it was raised more often than `seen` times, at most so long.
    pub(crate) fn wait_past(&self, seen: u64, at_most: Duration) {
        let begun = Instant::now();
        let mut guard = self.wakers.lock();
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

    /// A key under which one future registers its wakers.
    #[cfg(feature = "stream")]
    pub(crate) fn new_key(&self) -> u64 {
        let mut wakers = self.wakers.lock();
        wakers.next_key += 1;
        wakers.next_key
    }

    /// Has a waker woken once the signal was raised more often than `seen` times, in place of
    /// the one that the key had. Returns false, and keeps no waker, where it already was.
    #[cfg(feature = "stream")]
    pub(crate) fn register(&self, key: u64, seen: u64, waker: &Waker) -> bool {
        let mut wakers = self.wakers.lock();
        if wakers.by_key.insert(key, waker.clone()).is_none() {
            self.waiting.fetch_add(1, Ordering::SeqCst);
        }
        if self.raised() > seen {
            self.remove(&mut wakers, key);
            return false;
        }
        true
    }

    /// Forgets the waker of a key.
    #[cfg(feature = "stream")]
    pub(crate) fn unregister(&self, key: u64) {
        self.remove(&mut self.wakers.lock(), key);
    }

    #[cfg(feature = "stream")]
    fn remove(&self, wakers: &mut Wakers, key: u64) {
        if wakers.by_key.remove(&key).is_some() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
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
