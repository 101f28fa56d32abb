//! Times as people and scripts write them.

use std::borrow::Cow;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// Bytes of a date as it is written: 2026-03-01.
const DATE_BYTES: usize = 10;

/// Digits of a second's fraction down to the nanosecond.
const FRACTION_DIGITS: usize = 9;

/// Reads a time into nanoseconds since the Unix epoch: RFC 3339, a date (its
/// beginning in UTC), integer nanoseconds, or how long ago (`2h`, `3d`, `1h30m`).
pub fn parse(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(ns) = text.parse::<i64>() {
        return Ok(ns);
    }
    if let Some(ns) = parse_rfc3339(text) {
        return ns;
    }
    // What reads a date would read one with a time of day, too, and drop that.
    if text.len() == DATE_BYTES
        && let Ok(date) = text.parse::<Date>()
    {
        return date
            .to_zoned(TimeZone::UTC)
            .map_err(|error| error.to_string())
            .and_then(|zoned| in_range(zoned.timestamp()));
    }
    if without_excess_digits(text).parse::<DateTime>().is_ok() {
        return Err(format!(
            "expected an offset behind the time of day, such as the Z in 2026-03-01T12:00:00Z, \
             found {text:?}"
        ));
    }
    let ago = length(text).ok_or_else(|| {
        format!(
            "expected RFC 3339 (2026-03-01T12:00:00Z), a date, integer nanoseconds or \
             how long ago (90m, 2h, 3d), found {text:?}"
        )
    })?;
    Timestamp::now().checked_sub(ago).map_err(|error| error.to_string()).and_then(in_range)
}

/// Reads RFC 3339 alone into nanoseconds since the Unix epoch; `None` where it is
/// something else. Digits beyond nanoseconds are dropped.
pub fn parse_rfc3339(text: &str) -> Option<Result<i64, String>> {
    without_excess_digits(text).parse::<Timestamp>().ok().map(in_range)
}

/// Reads a length of time (`10s`, `90m`, `1h`, `3d`).
pub fn parse_length(text: &str) -> Result<Duration, String> {
    length(text.trim())
        .and_then(|length| Duration::try_from(length).ok())
        .filter(|length| !length.is_zero())
        .ok_or_else(|| {
            format!("expected a length of time such as 10s, 5m, 1h or 1d, found {text:?}")
        })
}

/// RFC 3339 in UTC, with as many digits of a second as it takes.
pub fn rfc3339(ns: i64) -> String {
    timestamp(ns).to_string()
}

/// The time between two events: `+340ms`, `+3.2s`, `+4m05s`, `+2d03h`.
pub fn difference(from_ns: i64, to_ns: i64) -> String {
    let sign = if to_ns < from_ns { '-' } else { '+' };
    format!("{sign}{}", took(Duration::from_nanos(from_ns.abs_diff(to_ns))))
}

/// A length of time in the unit that reads best.
pub fn took(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 if length.as_nanos() == 0 => "0s".to_owned(),
        0 if length.as_nanos() < 1_000 => format!("{}ns", length.as_nanos()),
        0 if length.as_micros() < 1_000 => format!("{}µs", length.as_micros()),
        0 => format!("{}ms", length.as_millis()),
        1..60 => format!("{}.{}s", seconds, length.subsec_millis() / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// The same as a `jiff` timestamp.
pub fn timestamp(ns: i64) -> Timestamp {
    // A timestamp reaches from the year -9999 to 9999, far beyond what 64 bits
    // of nanoseconds can say.
    Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn in_range(timestamp: Timestamp) -> Result<i64, String> {
    i64::try_from(timestamp.as_nanosecond())
        .map_err(|_| format!("expected a time in the years 1677 to 2262, found {timestamp}"))
}

/// The text without digits of a second's fraction that are finer than nanoseconds.
fn without_excess_digits(text: &str) -> Cow<'_, str> {
    let Some(point) = text.find('.') else {
        return Cow::Borrowed(text);
    };
    let (whole, fraction) = text.split_at(point + 1);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= FRACTION_DIGITS {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{whole}{}{}", &fraction[..FRACTION_DIGITS], &fraction[digits..]))
}

fn length(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Some(length.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_say_a_time_are_read() {
        let ns = 1_772_366_400_000_000_000;
        assert_eq!(parse("1772366400000000000"), Ok(ns));
        assert_eq!(parse("2026-03-01T12:00:00Z"), Ok(ns));
        assert_eq!(parse("2026-03-01T13:00:00+01:00"), Ok(ns));
        assert_eq!(parse("2026-03-01"), Ok(ns - 12 * 3_600_000_000_000));
        assert_eq!(rfc3339(ns), "2026-03-01T12:00:00Z");
        assert_eq!(rfc3339(ns + 120_000_000), "2026-03-01T12:00:00.12Z");
        for ago in ["2h", "3d", "90m", "1w", "1h30m", "2h ago"] {
            let then = parse(ago).expect(ago);
            assert!(then < Timestamp::now().as_nanosecond() as i64, "{ago}");
        }
        for bad in ["", "yesterday-ish", "2026-13-01", "3000-01-01T00:00:00Z"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_of_day_needs_an_offset() {
        for local in [
            "2026-03-01T12:00:00",
            "2026-03-01 12:00",
            "2026-03-01T12",
            "2026-03-01T12:00:00.1234567891",
        ] {
            let error = parse(local).expect_err(local);
            assert!(error.contains("offset") && error.contains('Z'), "{error}");
        }
    }

    #[test]
    fn digits_beyond_nanoseconds_are_dropped() {
        let ns = parse("2026-03-01T12:00:00.123456789Z");
        assert_eq!(parse("2026-03-01T12:00:00.1234567899999Z"), ns);
        assert_eq!(parse("2026-03-01T13:00:00.123456789012345678901234567890+01:00"), ns);
        assert_eq!(parse_rfc3339("2h"), None);
        assert_eq!(parse_rfc3339("17"), None);
        assert_eq!(parse_rfc3339("2026-03-01"), None);
    }

    #[test]
    fn differences_are_short() {
        let second = 1_000_000_000;
        for (ns, shown) in [
            (0, "+0s"),
            (1_500, "+1µs"),
            (340_000_000, "+340ms"),
            (3 * second + 290_000_000, "+3.2s"),
            (245 * second, "+4m05s"),
            (2 * 86_400 * second + 3 * 3600 * second, "+2d03h"),
            (-second, "-1.0s"),
        ] {
            assert_eq!(difference(0, ns), shown);
        }
        assert_eq!(difference(i64::MIN, i64::MAX), "+213503d23h");
    }

    #[test]
    fn extreme_times_can_be_shown() {
        assert!(rfc3339(i64::MIN).starts_with("1677-"));
        assert!(rfc3339(i64::MAX).starts_with("2262-"));
    }
}
