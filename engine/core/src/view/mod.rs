//! What a snapshot sees: sealed segments and logs, oldest first, as one sequence of
//! rows. Each of them is a source of rows.

pub(crate) mod joins;
#[cfg(feature = "serde")]
pub(crate) mod json;
mod late;
mod log;
mod lookup;
pub(crate) mod near;
mod revisions;
mod sealed;
pub(crate) mod source;
mod state;
pub(crate) mod stored;

use std::fmt;
use std::sync::Arc;

use crate::base::error::Result;
use crate::log::view::{Log, LogView, Visible};
use crate::manifest::Sealed;
use crate::segment::list::SealedList;
use crate::segment::segments::Segments;
use crate::view::joins::Joins;

pub(crate) use source::{RowSource, Source};

/// The segments and logs of one moment. Cheap to clone.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) sealed: SealedList,
    /// The logs that are not sealed, oldest first: the last is appended to.
    pub(crate) logs: [Option<LogView>; 2],
    pub(crate) segments: Arc<Segments>,
    /// Cached links between fragments. All views of a store share them.
    pub(crate) joins: Arc<Joins>,
}

impl View {
    /// The sequence number of the first row that has not expired.
    pub(crate) fn first_seq(&self) -> u64 {
        match self.sealed.first() {
            Some(sealed) => sealed.first_seq,
            None => self.logs().next().map_or(1, LogView::first_seq),
        }
    }

    /// The sequence number behind the last row.
    pub(crate) fn end_seq(&self) -> u64 {
        match self.logs().last() {
            Some(log) => log.end_seq(),
            None => self.sealed.last().map_or(1, Sealed::end_seq),
        }
    }

    /// Whether the row is there and not expired.
    pub(crate) fn holds(&self, seq: u64) -> bool {
        (self.first_seq()..self.end_seq()).contains(&seq)
    }

    /// The sequence number behind the last row of a sealed segment.
    pub(crate) fn sealed_end(&self) -> u64 {
        self.sealed.last().map_or(0, Sealed::end_seq)
    }

    /// How many sources there are.
    pub(crate) fn len(&self) -> usize {
        self.sealed.len() + self.logs().count()
    }

    /// The number of the segment that a source is or will be sealed as.
    pub(crate) fn segment(&self, number: usize) -> u64 {
        match self.sealed.get(number) {
            Some(sealed) => sealed.segment,
            None => self.log(number - self.sealed.len()).log.segment,
        }
    }

    /// The source with this number, from 0 for the oldest.
    pub(crate) fn source(&self, number: usize) -> Result<Source> {
        match self.sealed.get(number) {
            Some(sealed) => self.segments.open(sealed).map(Source::Sealed),
            None => Ok(Source::Log(self.log(number - self.sealed.len()).clone())),
        }
    }

    /// The number of the source that a row is in.
    pub(crate) fn number_of(&self, seq: u64) -> Option<usize> {
        if !self.holds(seq) {
            return None;
        }
        let before = self.logs().take_while(|log| log.first_seq() <= seq).count();
        if before > 0 {
            return Some(self.sealed.len() + before - 1);
        }
        self.sealed.partition_point(|sealed| sealed.first_seq <= seq).checked_sub(1)
    }

    /// The source that a row is in, and which of its rows it is.
    pub(crate) fn locate(&self, seq: u64) -> Result<Option<(Source, u32)>> {
        let Some(number) = self.number_of(seq) else { return Ok(None) };
        let source = self.source(number)?;
        let row = (seq - source.first_seq()) as u32;
        Ok(Some((source, row)))
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.iter().map(Sealed::bytes).sum();
        sealed + self.logs().map(|log| log.visible.log_end).sum::<u64>()
    }

    /// Extends what is visible of a log.
    pub(crate) fn set_visible(&mut self, log: &Arc<Log>, visible: Visible) {
        for view in self.logs.iter_mut().flatten() {
            if Arc::ptr_eq(&view.log, log) {
                view.visible = visible;
            }
        }
    }

    /// The same view without the active log.
    pub(crate) fn earlier(&self) -> Self {
        let [first, last] = &self.logs;
        let logs = if last.is_some() { [first.clone(), None] } else { [None, None] };
        Self { logs, ..self.clone() }
    }

    pub(crate) fn logs(&self) -> impl DoubleEndedIterator<Item = &LogView> {
        self.logs.iter().flatten()
    }

    fn log(&self, number: usize) -> &LogView {
        let mut logs = self.logs();
        let first = logs.nth(number);
        first.expect("numbers of sources are below their count")
    }
}

impl fmt::Debug for View {
    /// The extent alone: services print what holds a snapshot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("segments", &self.sealed.len())
            .field("first_seq", &self.first_seq())
            .field("end_seq", &self.end_seq())
            .finish_non_exhaustive()
    }
}
