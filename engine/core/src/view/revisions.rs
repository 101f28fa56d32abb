//! Which rows a view sees are replaced by newer ones.

use crate::base::error::Result;
use crate::view::View;

impl View {
    /// Whether any row may be replaced: where none is, nothing has to be looked up.
    pub(crate) fn has_revisions(&self) -> bool {
        self.sealed.superseding_end() > 0
            || self.logs().any(|log| !log.index().revisions().is_empty())
    }

    /// Whether a later row that the view sees replaces this one. O(log n) for each source
    /// behind it that replaces any.
    pub(crate) fn is_superseded(&self, seq: u64) -> Result<bool> {
        Ok(self.superseded_by(seq)?.is_some())
    }

    /// The newest row that stands in place of this one: itself where none replaces it.
    pub(crate) fn newest(&self, seq: u64) -> Result<u64> {
        if !self.has_revisions() {
            return Ok(seq);
        }
        let mut newest = seq;
        // It ends: what replaces a row has a greater number.
        while let Some(by) = self.superseded_by(newest)?.filter(|&by| by > newest) {
            newest = by;
        }
        Ok(newest)
    }

    fn superseded_by(&self, seq: u64) -> Result<Option<u64>> {
        let Some(first) = self.number_of(seq) else { return Ok(None) };
        for number in first..self.len() {
            if self.sealed.get(number).is_some_and(|sealed| sealed.superseding == 0) {
                continue;
            }
            let source = self.source(number)?;
            if let Some(row) = source.superseded_by(seq)? {
                return Ok(Some(source.first_seq() + u64::from(row)));
            }
        }
        Ok(None)
    }
}
