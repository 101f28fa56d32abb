//! Events for `tracing`, all of them. Without the feature they cost nothing.
//!
//! Their target is `forebear`. What is rare is `info`, what comes with each rotation
//! `debug`; each warning is a `warn`.
#![cfg_attr(not(feature = "tracing"), allow(unused_variables, reason = "nobody listens"))]

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

/// A store was opened for writing; `clean` says that nothing had to be repaired.
pub(crate) fn opened(path: Option<&Path>, segments: usize, next_seq: u64, clean: bool) {
    #[cfg(feature = "tracing")]
    {
        let path = path.map(|path| tracing::field::display(path.display()));
        tracing::info!(target: TARGET, path, segments, next_seq, clean, "store opened");
    }
}

/// All handles are gone or one closed the store.
pub(crate) fn closed(path: Option<&Path>) {
    #[cfg(feature = "tracing")]
    {
        let path = path.map(|path| tracing::field::display(path.display()));
        tracing::info!(target: TARGET, path, "store closed");
    }
}

/// A log was full, and this one is the next.
pub(crate) fn rotated(segment: u64, first_seq: u64) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: TARGET, segment, first_seq, "rotated to the next log");
}

/// A full log became a segment.
pub(crate) fn sealed(segment: u64, took: Duration) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: TARGET, segment, took_us = took.as_micros() as u64, "log sealed");
}

/// Retention dropped the oldest segments.
pub(crate) fn dropped(first: u64, segments: usize) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: TARGET, first, segments, "segments dropped");
}

/// A warning was added to those that are kept.
pub(crate) fn warning(kind: &str, number: u64, text: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: TARGET, kind, number, "{text}");
}

#[cfg(feature = "tracing")]
const TARGET: &str = "forebear";
