//! Which rows a view sees are replaced by newer ones.

use crate::base::error::{Error, Result};
use crate::base::row::Flags;
use crate::view::View;

impl View {
    /// Whether any row may be replaced: where none is, nothing has to be looked up.
    pub(crate) fn has_revisions(&self) -> bool {
        self.sealed.superseding_end() > 0
            || self.logs().any(|log| !log.index().revisions().is_empty())
    }

    /// Whether a row that the view sees replaces this one, or another one tells what it does.
    /// O(log n) for each source behind it that replaces any.
    pub(crate) fn is_superseded(&self, seq: u64) -> Result<bool> {
        match self.superseded_by(seq)? {
            (None, Some(damage)) => Err(damage),
            (by, _) => Ok(by.is_some()),
        }
    }

    /// The newest revision of this row: itself where it has none. Fails where a source that may
    /// have a newer one can't be read.
    pub(crate) fn newest(&self, seq: u64) -> Result<u64> {
        match self.newest_readable(seq)? {
            (_, Some(damage)) => Err(damage),
            (newest, None) => Ok(newest),
        }
    }

    /// The newest row of those that can be read, and what keeps it from being known whether
    /// there is a newer one.
    pub(crate) fn newest_readable(&self, seq: u64) -> Result<(u64, Option<Error>)> {
        if !self.has_revisions() {
            return Ok((seq, None));
        }
        let mut newest = seq;
        loop {
            let (by, damage) = self.superseded_by(newest)?;
            // It ends: what replaces a row has a greater number, unless it is told elsewhere.
            match by.filter(|&by| by > newest) {
                Some(by) if self.is_version(by)? => newest = by,
                // Of another id, which tells the same.
                Some(_) => return Ok((newest, None)),
                None => return Ok((newest, damage)),
            }
        }
    }

    /// Whether an event is left out of what is counted since another one tells the same.
    pub(crate) fn is_retold(&self, seq: u64) -> Result<bool> {
        if !self.has_revisions() {
            return Ok(false);
        }
        match self.superseded_by(seq)? {
            (Some(by), _) => Ok(by == seq || !self.is_version(by)?),
            (None, Some(damage)) => Err(damage),
            (None, None) => Ok(false),
        }
    }

    fn is_version(&self, seq: u64) -> Result<bool> {
        match self.locate(seq)? {
            Some((source, row)) => Ok(source.flags(row)?.has(Flags::VERSION)),
            None => Ok(false),
        }
    }

    /// The row that replaces this one, of which there is one at most; where it is not found,
    /// what could not be searched for damage.
    fn superseded_by(&self, seq: u64) -> Result<(Option<u64>, Option<Error>)> {
        let Some(first) = self.number_of(seq) else { return Ok((None, None)) };
        let mut damage = None;
        for number in first..self.len() {
            if self.sealed.get(number).is_some_and(|sealed| sealed.superseding == 0) {
                continue;
            }
            match self.superseded_in(number, seq) {
                Ok(None) => {}
                Ok(by) => return Ok((by, None)),
                // The others may have it.
                Err(error) if error.is_damaged() => damage = damage.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Ok((None, damage))
    }

    fn superseded_in(&self, number: usize, seq: u64) -> Result<Option<u64>> {
        let source = self.source(number)?;
        let by = source.superseded_by(seq)?;
        Ok(by.map(|row| source.first_seq() + u64::from(row)))
    }
}
