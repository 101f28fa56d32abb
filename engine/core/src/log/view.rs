//! An unsealed log: its index in memory and the reader of its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::kind::Reduced;
use crate::base::state::KindId;
use crate::base::sync::{Mutex, RwLock, RwLockReadGuard};
use crate::log::index::Index;
use crate::log::reader::LogReader;

/// A log with its index. The writer adds to the newest while readers query it. The writer holds
/// the lock of the index for a record at a time, readers for a bounded number of steps, so that
/// neither waits long for the other.
#[derive(Debug)]
pub(crate) struct Log {
    /// The number of the segment that it will become.
    pub(crate) segment: u64,
    /// The sequence number of its first row.
    pub(crate) first_seq: u64,
    pub(crate) index: RwLock<Index>,
    pub(crate) reader: LogReader,
    /// What its rows came to by each kind of state when somebody last asked, and as of
    /// when.
    pub(crate) reduced: Mutex<BTreeMap<KindId, (Visible, Arc<Reduced>)>>,
}

/// How much of a log a snapshot sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Visible {
    /// The newest commit. Blocks are numbered from 1.
    pub(crate) commit: u32,
    /// Events and versions.
    pub(crate) rows: u32,
    /// The end of the log.
    pub(crate) log_end: u64,
}

/// A log as of a commit.
#[derive(Clone, Debug)]
pub(crate) struct LogView {
    pub(crate) log: Arc<Log>,
    pub(crate) visible: Visible,
}

impl LogView {
    pub(crate) fn first_seq(&self) -> u64 {
        self.log.first_seq
    }

    pub(crate) fn end_seq(&self) -> u64 {
        self.log.first_seq + u64::from(self.visible.rows)
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.log.index.read()
    }

    /// The commit as of which to query the index.
    pub(crate) fn at(&self) -> u32 {
        self.visible.commit
    }

    pub(crate) fn sees(&self, row: u32) -> bool {
        row < self.visible.rows
    }
}
