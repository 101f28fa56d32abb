//! How much an answer may read.

use std::time::{Duration, Instant};

use forebear_core::StoredEvent;

/// What an answer reads at most. An answer that ends early says so.
///
/// ```
/// use std::time::Duration;
/// use forebear::answers::Budget;
///
/// let budget = Budget::default().events(10_000).bytes(64 << 20).time(Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    events: u64,
    bytes: u64,
    time: Duration,
}

impl Budget {
    /// Reads at most so many events: 50,000 unless set.
    #[must_use]
    pub fn events(mut self, events: u64) -> Self {
        self.events = events;
        self
    }

    /// Reads at most so many bytes of payloads: 256 MiB unless set.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Takes at most so long: 5 s unless set.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// A part of it: the whole divided by this.
    pub(crate) fn part(self, of: u32) -> Self {
        let of = of.max(1);
        Self {
            events: self.events / u64::from(of),
            bytes: self.bytes / u64::from(of),
            time: self.time / of,
        }
    }

    pub(crate) fn start(self) -> Meter {
        Meter { left: self, ends: Instant::now().checked_add(self.time), used_up: false }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { events: 50_000, bytes: 256 << 20, time: Duration::from_secs(5) }
    }
}

/// What is left of a budget.
#[derive(Debug)]
pub(crate) struct Meter {
    left: Budget,
    ends: Option<Instant>,
    used_up: bool,
}

impl Meter {
    /// Takes an event from what is left; false where it is too much.
    pub(crate) fn take(&mut self, event: &StoredEvent) -> bool {
        let bytes = event.payload().map_or(0, |payload| payload.len() as u64);
        let late = self.left.events.is_multiple_of(EVENTS_BETWEEN_CLOCKS)
            && self.ends.is_some_and(|ends| Instant::now() > ends);
        if late || self.left.events == 0 || self.left.bytes < bytes {
            self.used_up = true;
            return false;
        }
        self.left.events -= 1;
        self.left.bytes -= bytes;
        true
    }

    /// Whether something was too much.
    pub(crate) fn is_used_up(&self) -> bool {
        self.used_up
    }
}

/// Asking the time costs as much as reading a small event.
const EVENTS_BETWEEN_CLOCKS: u64 = 16;
