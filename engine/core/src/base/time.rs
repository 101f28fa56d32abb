//! Points in time, from and to the types that programs keep them in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::sync::{now_ns, system_time_ns};

/// A point in time in nanoseconds since the Unix epoch, from the year 1677 to 2262.
///
/// Whatever takes a time takes this, a [`SystemTime`], and under the features `jiff` and
/// `chrono` a `jiff::Timestamp` or a `chrono::DateTime`; it becomes each of them again.
/// Times out of range become the nearest in range.
///
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
/// use forebear::{Event, Time};
///
/// let time = Time::from_ns(5_000_000);
/// assert_eq!(SystemTime::from(time), UNIX_EPOCH + Duration::from_millis(5));
/// assert_eq!(Event::new("tick").id("t").time(time), Event::new("tick").id("t").time_ns(5_000_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// Now, by the system's clock.
    pub fn now() -> Self {
        Self(now_ns())
    }

    /// So many nanoseconds after the Unix epoch, or before it where negative.
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn ns(self) -> i64 {
        self.0
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        Self(system_time_ns(time))
    }
}

impl From<Time> for SystemTime {
    /// Exact where the system counts nanoseconds; Windows counts hundreds of them.
    fn from(time: Time) -> Self {
        let distance = Duration::from_nanos(time.0.unsigned_abs());
        let moved = if time.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        // All systems' clocks reach farther than 292 years from the epoch.
        moved.unwrap_or(UNIX_EPOCH)
    }
}

#[cfg(feature = "jiff")]
impl From<jiff::Timestamp> for Time {
    fn from(time: jiff::Timestamp) -> Self {
        let nearest = if time.as_second() < 0 { i64::MIN } else { i64::MAX };
        Self(i64::try_from(time.as_nanosecond()).unwrap_or(nearest))
    }
}

#[cfg(feature = "jiff")]
impl From<Time> for jiff::Timestamp {
    fn from(time: Time) -> Self {
        // jiff reaches from the year -9999 to 9999, so that no time is out of its range.
        Self::from_nanosecond(time.0.into()).unwrap_or(Self::UNIX_EPOCH)
    }
}

#[cfg(feature = "chrono")]
impl<Z: chrono::TimeZone> From<chrono::DateTime<Z>> for Time {
    fn from(time: chrono::DateTime<Z>) -> Self {
        let nearest = if time.timestamp() < 0 { i64::MIN } else { i64::MAX };
        Self(time.timestamp_nanos_opt().unwrap_or(nearest))
    }
}

#[cfg(feature = "chrono")]
impl From<Time> for chrono::DateTime<chrono::Utc> {
    fn from(time: Time) -> Self {
        Self::from_timestamp_nanos(time.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: [i64; 7] =
        [i64::MIN, -1_500_000_001, -1, 0, 1, 1_700_000_000_123_456_789, i64::MAX];

    #[test]
    #[cfg(unix)]
    fn times_survive_the_system_type() {
        for ns in TIMES {
            let time = Time::from_ns(ns);
            assert_eq!(Time::from(SystemTime::from(time)), time, "{ns}");
        }
        let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(Time::from(far).ns(), i64::MAX);
    }

    #[test]
    #[cfg(feature = "jiff")]
    fn times_survive_jiff() {
        for ns in TIMES {
            let time = Time::from_ns(ns);
            assert_eq!(Time::from(jiff::Timestamp::from(time)), time, "{ns}");
        }
        assert_eq!(Time::from(jiff::Timestamp::MIN).ns(), i64::MIN);
        assert_eq!(Time::from(jiff::Timestamp::MAX).ns(), i64::MAX);
    }

    #[test]
    #[cfg(feature = "chrono")]
    fn times_survive_chrono() {
        use chrono::{DateTime, Utc};
        for ns in TIMES {
            let time = Time::from_ns(ns);
            assert_eq!(Time::from(DateTime::<Utc>::from(time)), time, "{ns}");
        }
        assert_eq!(Time::from(DateTime::<Utc>::MIN_UTC).ns(), i64::MIN);
        assert_eq!(Time::from(DateTime::<Utc>::MAX_UTC).ns(), i64::MAX);
    }
}
