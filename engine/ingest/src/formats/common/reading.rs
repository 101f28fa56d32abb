//! From what a payload reads as to what an event has.

use std::borrow::Cow;

use forebear_core::{Event, limits};
use forebear_readings::{Reading, Text};

use crate::formats::common::tokens;
use crate::formats::common::values::cut;

/// The value of a label.
pub(crate) fn label_text(text: &Text<'_>) -> String {
    cut_text(text.start(limits::MAX_LABEL_VALUE_BYTES), limits::MAX_LABEL_VALUE_BYTES)
}

/// A text cut to so many bytes.
pub(crate) fn cut_text<'t>(text: impl Into<Cow<'t, str>>, max_bytes: usize) -> String {
    cut(text.into(), max_bytes)
}

/// Adds what a message took. A message that isn't named counts by itself.
pub(crate) fn with_usage(event: Event, reading: &Reading<'_>) -> Event {
    let Some(usage) = &reading.usage else { return event };
    let message = usage.message_id.as_ref().map_or_else(String::new, |message| {
        cut_text(message.start(limits::MAX_NAME_BYTES), limits::MAX_NAME_BYTES)
    });
    match tokens::usage(message, usage.tokens) {
        Some(usage) => event.usage(usage),
        None => event,
    }
}
