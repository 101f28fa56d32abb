//! From the values of JSON to those of events.

use std::borrow::Cow;

use crate::id::EventId;
use crate::ingest::json::JsonStr;
use crate::limits;

/// A time as nanoseconds since the Unix epoch; none if they don't fit 64 bits.
pub(crate) fn parse_time(text: JsonStr<'_>) -> Option<i64> {
    let time: jiff::Timestamp = text.decode().parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

pub(crate) fn id(field: &str, text: JsonStr<'_>) -> Result<EventId, String> {
    let id = EventId::from(&*text.decode_exactly());
    let length = id.text_len();
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
