//! Times as a person at this terminal reads and writes them: in one zone for the whole run.

use std::sync::OnceLock;

pub(crate) use forebear_wire::time::{difference, parse_length, rfc3339, took};
use forebear_wire::time::{parse as parse_in_utc, timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Bytes of a date as it is written: 2026-03-01.
const DATE_BYTES: usize = 10;

/// The zone of this run; UTC until it is chosen.
static ZONE: OnceLock<TimeZone> = OnceLock::new();

/// Shows times and reads dates in the zone of the system from here on.
pub(crate) fn use_local_zone() {
    // It is chosen once, before anything is read.
    let _ = ZONE.set(TimeZone::system());
}

/// Reads a time as [`forebear_wire::time::parse`] does, and `today` and `yesterday`: their
/// beginning, as that of a date, in the zone of this run.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let zone = zone();
    let day = match text.trim() {
        "today" => Some(Timestamp::now().to_zoned(zone.clone()).date()),
        "yesterday" => {
            let today = Timestamp::now().to_zoned(zone.clone()).date();
            today.checked_sub(Span::new().days(1)).ok()
        }
        // What reads a date would read one with a time of day, too, and drop that.
        date if date.len() == DATE_BYTES => date.parse::<Date>().ok(),
        _ => None,
    };
    let Some(day) = day else { return parse_in_utc(text) };
    let begin = day.to_zoned(zone).map_err(|error| error.to_string())?.timestamp();
    i64::try_from(begin.as_nanosecond())
        .map_err(|_| format!("expected a time in the years 1677 to 2262, found {text:?}"))
}

/// Date and time of day, to the second.
pub(crate) fn clock(ns: i64) -> String {
    show(ns, "%Y-%m-%d %H:%M:%S")
}

/// Day and time of day to the minute, where it is of this year; else the date.
pub(crate) fn short(ns: i64) -> String {
    let this_year = Timestamp::now().to_zoned(zone()).year();
    if timestamp(ns).to_zoned(zone()).year() == this_year {
        return show(ns, "%m-%d %H:%M");
    }
    day(ns)
}

/// The day.
pub(crate) fn day(ns: i64) -> String {
    show(ns, "%Y-%m-%d")
}

/// The time of day, to the second.
pub(crate) fn time_of_day(ns: i64) -> String {
    show(ns, "%H:%M:%S")
}

/// What the zone is called at this time: `UTC`, `CET`.
pub(crate) fn zone_name(ns: i64) -> String {
    show(ns, "%Z")
}

fn show(ns: i64, format: &str) -> String {
    timestamp(ns).to_zoned(zone()).strftime(format).to_string()
}

fn zone() -> TimeZone {
    ZONE.get().cloned().unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_in_the_zone_that_is_shown() {
        let day_ns = 86_400_000_000_000;
        let today = parse("today").expect("a day");
        assert_eq!(today % day_ns, 0);
        assert_eq!(parse("yesterday"), Ok(today - day_ns));
        assert_eq!(parse(&day(today)), Ok(today));
        assert_eq!(zone_name(today), "UTC");
        assert!(parse("2026-13-01").is_err() && parse("soon").is_err());
    }
}
