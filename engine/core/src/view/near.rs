//! Locating rows one after the other, which mostly lie in one part.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::view::{Source, View};

/// Locates rows, and remembers the part that the last one was in.
#[derive(Debug)]
pub(crate) struct Near<'p> {
    view: &'p View,
    last: Option<(Range<u64>, Source<'p>)>,
}

impl<'p> Near<'p> {
    pub(crate) fn new(view: &'p View) -> Self {
        Self { view, last: None }
    }

    /// The part that a row is in, and which of its rows it is. Fails where it has
    /// expired.
    pub(crate) fn locate(&mut self, seq: u64) -> Result<(&Source<'p>, u32)> {
        if !self.last.as_ref().is_some_and(|(seqs, _)| seqs.contains(&seq)) {
            let Some((source, _)) = self.view.locate(seq)? else {
                return Err(Error::expired(seq));
            };
            let first = source.first_seq();
            self.last = Some((first..first + u64::from(source.rows()), source));
        }
        match &self.last {
            Some((seqs, source)) => Ok((source, (seq - seqs.start) as u32)),
            None => Err(Error::expired(seq)),
        }
    }
}
