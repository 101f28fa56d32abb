//! The clock.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use std::time::Instant;

/// Now, in nanoseconds since the Unix epoch.
pub(crate) fn now_ns() -> i64 {
    system_time_ns(SystemTime::now())
}

/// A time in nanoseconds since the Unix epoch; beyond what 64 bits can say, the
/// farthest that they can.
pub(crate) fn system_time_ns(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}
