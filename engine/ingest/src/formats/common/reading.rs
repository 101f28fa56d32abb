//! From what a payload reads as to what an event has.

use std::borrow::Cow;

use forebear_core::{Event, Tokens, Usage, limits};
use forebear_readings::{Reading, Text};

use crate::formats::common::labels::{MAX_CALLS, MAX_TOOLS, TOOL, TOOL_USE_ID, numbered};
use crate::formats::common::values::cut;

/// The value of a label.
pub(crate) fn label_text(text: &Text<'_>) -> String {
    cut_text(text.start(limits::MAX_LABEL_VALUE_BYTES), limits::MAX_LABEL_VALUE_BYTES)
}

/// A text cut to so many bytes.
pub(crate) fn cut_text<'t>(text: impl Into<Cow<'t, str>>, max_bytes: usize) -> String {
    cut(text.into(), max_bytes)
}

/// Adds the calls that an event makes or answers, by which files are linked: of calls the
/// tools as well.
pub(crate) fn with_calls(mut event: Event, reading: &Reading<'_>) -> Event {
    for (n, call) in reading.calls.iter().take(MAX_CALLS).enumerate() {
        if n < MAX_TOOLS {
            event = event
                .label(numbered(TOOL, n), call.tool.as_ref().map_or_else(String::new, label_text));
        }
        if let Some(id) = &call.id {
            event = event.label(numbered(TOOL_USE_ID, n), label_text(id));
        }
    }
    if reading.calls.is_empty() {
        for (n, result) in reading.results.iter().take(MAX_TOOLS).enumerate() {
            if let Some(id) = &result.call_id {
                event = event.label(numbered(TOOL_USE_ID, n), label_text(id));
            }
        }
    }
    event
}

/// Adds what a message took. A message that isn't named counts by itself.
pub(crate) fn with_usage(event: Event, reading: &Reading<'_>) -> Event {
    let Some(usage) = &reading.usage else { return event };
    let tokens = usage.tokens;
    if tokens == Tokens::default() {
        return event;
    }
    let message = usage.message_id.as_ref().map_or_else(String::new, |message| {
        cut_text(message.start(limits::MAX_NAME_BYTES), limits::MAX_NAME_BYTES)
    });
    event.usage(Usage {
        message,
        input: tokens.input,
        output: tokens.output,
        cache_read: tokens.cache_read,
        cache_written: tokens.cache_written,
    })
}
