//! Hands events to the store without a wait, and counts what is lost.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebear::{Batch, Durability, Event, Result, Store};

use crate::builder::OverflowPolicy;

thread_local! {
    /// Whether this thread is in the store already: what it says there is not recorded.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Where the layer's events go.
#[derive(Debug)]
pub(crate) struct Outlet {
    store: Store,
    on_overflow: OverflowPolicy,
    lost: AtomicU64,
    /// Those of them that no event has told yet.
    untold: AtomicU64,
    /// How many of the next are sampled, since the queue was full.
    sampled: AtomicU64,
}

impl Outlet {
    pub(crate) fn new(store: Store, on_overflow: OverflowPolicy) -> Self {
        Self {
            store,
            on_overflow,
            lost: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
        }
    }

    /// Hands an event or link to the writer's queue: no I/O in this thread.
    pub(crate) fn send(&self, batch: impl Into<Batch>, is_error: bool) {
        let inside = Inside::enter();
        if inside.is_none() {
            return;
        }
        if !is_error && self.is_sampled_out() {
            self.lose();
            return;
        }
        if let Err(error) = self.submit(batch.into()) {
            if error.is_full() {
                self.sampled.store(SAMPLED_AFTER_FULL, Ordering::Relaxed);
            }
            self.lose();
            return;
        }
        self.tell_lost();
    }

    /// Stores how many were lost since it was last told, where any were.
    fn tell_lost(&self) {
        let untold = self.untold.swap(0, Ordering::Relaxed);
        if untold == 0 {
            return;
        }
        let event = Event::new("lost").label("count", untold.to_string());
        let event = event.payload(format!("{{\"lost\":{untold}}}"));
        if self.submit(Batch::from(event)).is_err() {
            self.untold.fetch_add(untold, Ordering::Relaxed);
        }
    }

    fn submit(&self, batch: Batch) -> Result<()> {
        let when_full = match self.on_overflow {
            OverflowPolicy::Block => forebear::WhenFull::Block,
            OverflowPolicy::Drop | OverflowPolicy::Sample(_) => forebear::WhenFull::Return,
        };
        let batch = batch.durability(Durability::Buffered).when_full(when_full);
        self.store.submit(batch).map(drop)
    }

    fn is_sampled_out(&self) -> bool {
        let OverflowPolicy::Sample(of) = self.on_overflow else { return false };
        let left = self.sampled.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        // Two threads may take the same number: they sample a little more or less.
        self.sampled.store(left - 1, Ordering::Relaxed);
        !left.is_multiple_of(u64::from(of.max(1)))
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.untold.fetch_add(1, Ordering::Relaxed);
    }
}

/// Flushes what the layer took when it is dropped: keep it until the program ends.
#[derive(Debug)]
#[must_use = "what was taken last is flushed when it is dropped"]
pub struct Guard(Arc<Outlet>);

impl Guard {
    pub(crate) fn new(outlet: Arc<Outlet>) -> Self {
        Self(outlet)
    }

    /// Waits until everything that was taken is on disk.
    pub fn flush(&self) -> Result<()> {
        let _inside = Inside::enter();
        self.0.store.flush()?;
        if self.0.untold.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        // There is room now.
        self.0.tell_lost();
        self.0.store.flush()
    }

    /// How many spans, ends of spans, events and links were lost.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Whoever cares about the outcome has called `flush`.
        let _ = self.flush();
    }
}

/// Says that this thread is in the store.
struct Inside;

impl Inside {
    /// None where it already is.
    fn enter() -> Option<Self> {
        let entered = INSIDE.try_with(|inside| !inside.replace(true)).unwrap_or_default();
        // Made only where it was entered: dropping one leaves.
        entered.then(|| Self)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.set(false));
    }
}

/// So many are sampled each time that the queue was full.
const SAMPLED_AFTER_FULL: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_inside_does_not_leave() {
        let outer = Inside::enter();
        assert!(outer.is_some());
        assert!(Inside::enter().is_none());
        assert!(Inside::enter().is_none(), "the refused one left");
        drop(outer);
        assert!(Inside::enter().is_some());
    }
}
