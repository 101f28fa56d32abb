//! The clock.

#[cfg(feature = "testing")]
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use std::time::Instant;

/// Now, in nanoseconds since the Unix epoch.
pub(crate) fn now_ns() -> i64 {
    #[cfg(feature = "testing")]
    if let now_ns @ 1.. = FROZEN_NS.load(Ordering::Relaxed) {
        return now_ns;
    }
    system_time_ns(SystemTime::now())
}

/// Stops the clock of the whole process at this time, in nanoseconds since the Unix epoch
/// and after it, so that a test writes the same bytes whenever it runs.
#[cfg(feature = "testing")]
pub fn freeze_clock(now_ns: i64) {
    FROZEN_NS.store(now_ns, Ordering::Relaxed);
}

/// A time in nanoseconds since the Unix epoch; beyond what 64 bits can say, the
/// farthest that they can.
pub(crate) fn system_time_ns(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

/// When the clock was stopped; 0 while it goes.
#[cfg(feature = "testing")]
static FROZEN_NS: AtomicI64 = AtomicI64::new(0);
