//! Locating rows one after the other, which mostly lie in one part.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::parts::{Part, Parts};

/// Locates rows, and remembers the part that the last one was in.
#[derive(Debug)]
pub(crate) struct Near<'p> {
    parts: &'p Parts,
    last: Option<(Range<u64>, Part<'p>)>,
}

impl<'p> Near<'p> {
    pub(crate) fn new(parts: &'p Parts) -> Self {
        Self { parts, last: None }
    }

    /// The part that a row is in, and which of its rows it is. Fails where it has
    /// expired.
    pub(crate) fn locate(&mut self, seq: u64) -> Result<(&Part<'p>, u32)> {
        if !self.last.as_ref().is_some_and(|(seqs, _)| seqs.contains(&seq)) {
            let Some((part, _)) = self.parts.locate(seq)? else {
                return Err(Error::expired(seq));
            };
            let first = part.first_seq();
            self.last = Some((first..first + u64::from(part.rows()), part));
        }
        match &self.last {
            Some((seqs, part)) => Ok((part, (seq - seqs.start) as u32)),
            None => Err(Error::expired(seq)),
        }
    }
}
