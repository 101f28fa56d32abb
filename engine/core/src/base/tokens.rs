//! Tokens that messages took.

use crate::base::event::Usage;

/// Tokens that messages took.
///
/// ```
/// use forebear::{Event, SessionReads, Tokens, Usage};
///
/// let store = forebear::in_memory()?;
/// let usage = Usage { message: "m1".into(), input: 7, ..Usage::default() };
/// store.append(Event::new("answer").session("s").usage(usage))?;
/// let session = store.snapshot().session("s")?.expect("it has events");
/// assert_eq!(session.tokens, Tokens { input: 7, ..Tokens::default() });
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Tokens {
    /// Read anew.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
    /// Read from a cache.
    pub cache_read: u64,
    /// Written to a cache.
    pub cache_written: u64,
}

impl Tokens {
    /// The greater of both in each field: what a message took that was reported twice.
    #[must_use]
    pub fn max_of_each(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: self.cache_read.max(other.cache_read),
            cache_written: self.cache_written.max(other.cache_written),
        }
    }

    /// Both together. A sum that 64 bits can't hold stays at the greatest they can.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_written: self.cache_written.saturating_add(other.cache_written),
        }
    }
}

impl From<&Usage> for Tokens {
    fn from(usage: &Usage) -> Self {
        Self {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_written: usage.cache_written,
        }
    }
}
