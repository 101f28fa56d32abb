//! From texts of what a payload reads as to values of events.

use std::borrow::Cow;

use forebear_core::limits;
use forebear_readings::Text;

use crate::formats::common::values::cut;

/// The value of a label.
pub(crate) fn label_text(text: &Text<'_>) -> String {
    cut_text(text.start(limits::MAX_LABEL_VALUE_BYTES), limits::MAX_LABEL_VALUE_BYTES)
}

/// A text cut to so many bytes.
pub(crate) fn cut_text<'t>(text: impl Into<Cow<'t, str>>, max_bytes: usize) -> String {
    cut(text.into(), max_bytes)
}
