//! Locating rows one after the other, which mostly lie in one segment.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::view::{Source, View};

/// Locates rows, and remembers the source that the last one was in.
#[derive(Debug, Default)]
pub(crate) struct Near {
    last: Option<(Range<u64>, Source)>,
}

impl Near {
    /// Whether a row is in the source that the last one was in.
    #[inline]
    pub(crate) fn has(&self, seq: u64) -> bool {
        self.last.as_ref().is_some_and(|(seqs, _)| seqs.contains(&seq))
    }

    /// The source that a row of the view is in, and which of its rows it is. Fails where
    /// it has expired. The view is the same at each call.
    #[inline]
    pub(crate) fn locate(&mut self, view: &View, seq: u64) -> Result<(&Source, u32)> {
        if !self.has(seq) {
            self.go_to(view, seq)?;
        }
        match &self.last {
            Some((seqs, source)) => Ok((source, (seq - seqs.start) as u32)),
            None => Err(Error::expired(seq)),
        }
    }

    #[cold]
    fn go_to(&mut self, view: &View, seq: u64) -> Result<()> {
        let Some((source, _)) = view.locate(seq)? else { return Err(Error::expired(seq)) };
        let first = source.first_seq();
        self.last = Some((first..first + u64::from(source.rows()), source));
        Ok(())
    }
}
