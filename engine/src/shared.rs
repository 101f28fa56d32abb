//! What the writer and the snapshots of a store have in common.

use parking_lot::RwLock;

use crate::log::index::Index;
use crate::log::reader::LogReader;

/// The state that the writer changes and snapshots read.
///
/// The writer holds the index's lock for one record at a time, readers for a
/// bounded number of steps or for what one page is found by.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) index: RwLock<Index>,
    pub(crate) reader: LogReader,
    visible: RwLock<Visible>,
}

/// How far a snapshot sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visible {
    /// The newest commit: blocks count from 1.
    pub(crate) commit: u32,
    /// Events and versions.
    pub(crate) rows: u32,
    /// Where the log ends.
    pub(crate) log_end: u64,
}

impl Shared {
    pub(crate) fn new(index: Index, reader: LogReader, visible: Visible) -> Self {
        Self { index: RwLock::new(index), reader, visible: RwLock::new(visible) }
    }

    pub(crate) fn visible(&self) -> Visible {
        *self.visible.read()
    }

    /// Shows a block that was written to all later snapshots.
    pub(crate) fn publish(&self, visible: Visible) {
        *self.visible.write() = visible;
    }
}
