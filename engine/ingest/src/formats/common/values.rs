//! From the values of JSON to those of events.

use std::borrow::Cow;

use forebear_core::{EventId, limits};

use forebear_readings::json::{JsonStr, Scalar};

/// What a time's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimeUnit {
    /// The unit that a number of this size most likely has.
    pub(crate) fn of(size: i128) -> Self {
        match size {
            size if size < 100_000_000_000 => Self::Seconds,
            size if size < 100_000_000_000_000 => Self::Milliseconds,
            size if size < 100_000_000_000_000_000 => Self::Microseconds,
            _ => Self::Nanoseconds,
        }
    }

    pub(crate) fn ns(self) -> i32 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }
}

/// A time as nanoseconds since the Unix epoch; none if they don't fit 64 bits.
pub(crate) fn parse_time(text: JsonStr<'_>) -> Option<i64> {
    let time: jiff::Timestamp = text.decode().parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

pub(crate) fn id(field: &str, text: JsonStr<'_>) -> Result<EventId, String> {
    let id = EventId::from(&*text.decode_exactly());
    let length = id.as_text().map_or(uuid::fmt::Hyphenated::LENGTH, str::len);
    if length > limits::MAX_ID_BYTES {
        return Err(format!(
            "expected a {field} of at most {} bytes, found one of {length}",
            limits::MAX_ID_BYTES
        ));
    }
    Ok(id)
}

pub(crate) fn is(text: Option<JsonStr<'_>>, expected: &str) -> bool {
    text.is_some_and(|text| text.decode() == expected)
}

/// The value of a label.
pub(crate) fn label_value(value: JsonStr<'_>) -> String {
    text(value, limits::MAX_LABEL_VALUE_BYTES)
}

pub(crate) fn text(value: JsonStr<'_>, max_bytes: usize) -> String {
    cut(value.decode(), max_bytes)
}

/// A text cut to so many bytes, not within a character.
pub(crate) fn cut(text: Cow<'_, str>, max_bytes: usize) -> String {
    let mut text = text.into_owned();
    text.truncate(text.floor_char_boundary(max_bytes));
    text
}

/// The last name of a path of any system.
pub(crate) fn last_name(path: &str) -> Option<String> {
    let name = path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next();
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The text of a string, number or truth value.
pub(crate) fn scalar_text(value: Scalar<'_>) -> Cow<'_, str> {
    match value {
        Scalar::Text(text) => text.decode(),
        Scalar::Number(text) => Cow::Borrowed(text),
        Scalar::Bool(true) => Cow::Borrowed("true"),
        Scalar::Bool(false) => Cow::Borrowed("false"),
    }
}

/// The id that a string or a number is.
pub(crate) fn scalar_id(field: &str, value: Scalar<'_>) -> Result<Option<EventId>, String> {
    match value {
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Text(text) => id(field, text).map(Some),
        Scalar::Number(text) => id(field, JsonStr::plain(text)).map(Some),
        Scalar::Bool(_) => Ok(None),
    }
}

/// A time as nanoseconds since the Unix epoch: RFC 3339, or a number of the unit;
/// without one, of the unit that gives a year from 1973 to 5138.
pub(crate) fn scalar_time(value: Scalar<'_>, unit: Option<TimeUnit>) -> Option<i64> {
    match value {
        Scalar::Text(text) => parse_time(text).or_else(|| number_time(&text.decode(), unit)),
        Scalar::Number(text) => number_time(text, unit),
        Scalar::Bool(_) => None,
    }
}

fn number_time(text: &str, unit: Option<TimeUnit>) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    if digits.contains(['e', 'E']) {
        return float_time(text, unit);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let unit_ns = i128::from(unit.unwrap_or_else(|| TimeUnit::of(whole)).ns());
    // Nine digits are all that a second's nanoseconds have.
    let fraction = &fraction[..fraction.len().min(9)];
    let parts = 10_i128.pow(fraction.len() as u32);
    let fraction: i128 = fraction.parse().ok()?;
    let ns = whole.checked_mul(unit_ns)?.checked_add(fraction * unit_ns / parts)?;
    i64::try_from(sign * ns).ok()
}

fn float_time(text: &str, unit: Option<TimeUnit>) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    let ns = number * f64::from(unit.unwrap_or_else(|| TimeUnit::of(number.abs() as i128)).ns());
    (ns.abs() < MAX_NS).then_some(ns as i64)
}

/// What 64 bits of nanoseconds hold, and a little less than that.
const MAX_NS: f64 = 9.2e18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_times_of_the_unit_that_fits_or_is_given() {
        for (text, unit, expected) in [
            ("1700000000", None, Some(1_700_000_000_000_000_000)),
            ("1700000000.25", None, Some(1_700_000_000_250_000_000)),
            ("1700000000123", None, Some(1_700_000_000_123_000_000)),
            ("1700000000123456", None, Some(1_700_000_000_123_456_000)),
            ("1700000000123456789", None, Some(1_700_000_000_123_456_789)),
            ("1.7e9", None, Some(1_700_000_000_000_000_000)),
            ("-1", None, Some(-1_000_000_000)),
            ("5", Some(TimeUnit::Milliseconds), Some(5_000_000)),
            ("5.5", Some(TimeUnit::Microseconds), Some(5_500)),
            ("5.9", Some(TimeUnit::Nanoseconds), Some(5)),
            ("99999999999999999999999999999999999999999", None, None),
            ("1e300", None, None),
            ("", None, None),
            ("1.", None, None),
            ("--1", None, None),
            ("yesterday", None, None),
        ] {
            assert_eq!(number_time(text, unit), expected, "{text}");
        }
    }
}
