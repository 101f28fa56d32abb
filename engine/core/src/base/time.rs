//! Points in time, from and to the types that programs keep them in.

use std::fmt;
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

impl fmt::Display for Time {
    /// RFC 3339 in UTC, with as many digits of a second as it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ns) = (self.0.div_euclid(NS), self.0.rem_euclid(NS));
        let (days, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if ns > 0 {
            write!(f, ".{}", format!("{ns:09}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// Year, month and day of so many days after the Unix epoch in the Gregorian calendar:
/// `civil_from_days` of Howard Hinnant, <https://howardhinnant.github.io/date_algorithms.html>.
fn date(days: i64) -> (i64, i64, i64) {
    // Counted from the first of March of the year 0, so that a leap day ends its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = year_of_era + 400 * era + i64::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day)
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

const NS: i64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;
/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

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
    #[cfg(feature = "jiff")]
    fn times_read_as_jiff_writes_them() {
        // Steps of no round length, from the first time to the last.
        let steps = (i64::MIN..=i64::MAX).step_by(1_800_000_000_000_007);
        for ns in steps.chain(TIMES).chain([i64::MIN, 951_782_400_000_000_000, 100_000_000]) {
            let time = Time::from_ns(ns);
            assert_eq!(time.to_string(), jiff::Timestamp::from(time).to_string(), "{ns}");
        }
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
