//! Opening a log of the store for reading and appending.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::format::StoreId;
use crate::base::sync::{Mutex, RwLock};
use crate::log::append::LogWriter;
use crate::log::checkpoint::LogCheckpoint;
use crate::log::reader::LogReader;
use crate::log::recovery::{KnownDurable, Recovered, recover};
use crate::log::report::RecoveryReport;
use crate::log::view::{Log, LogView, Visible};
use crate::manifest::{LogStart, log_name};
use crate::storage::{Storage, StorageFile};

/// What the manifest says of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListedLog {
    pub(crate) start: LogStart,
    /// Up to where it was on disk.
    pub(crate) durable: u64,
    /// The sequence number behind its last, where nothing is added to it any more.
    pub(crate) end: Option<u64>,
}

impl ListedLog {
    /// Of the log that is appended to.
    pub(crate) fn of_active(start: LogStart) -> Self {
        Self { start, durable: 0, end: None }
    }
}

/// Recovers a log and makes it ready for reading and appending.
pub(crate) fn open_log(
    storage: &dyn Storage,
    store: StoreId,
    known: ListedLog,
    cache_bytes: usize,
    recovery: &mut RecoveryReport,
) -> Result<(LogView, LogWriter)> {
    let ListedLog { start, durable, end } = known;
    let name = log_name(start.segment);
    let file = open_file(storage, &name)?;
    // Of a full log the manifest says how long it is.
    let checkpoint = match end {
        Some(_) => None,
        None => LogCheckpoint::read(storage, store, start.segment),
    };
    let known = KnownDurable { offset: durable, checkpoint };
    let Recovered { log, mut index, commit } =
        recover(storage, &file, &name, start, known, store, recovery)?;
    if let Some(end) = end {
        index.add_lost((end - start.first_seq).saturating_sub(index.rows().len() as u64))?;
    }
    let visible = Visible { commit, rows: index.rows().len() as u32, log_end: log.end };
    let reader = LogReader::new(file, name, cache_bytes);
    let opened = Log {
        segment: start.segment,
        first_seq: start.first_seq,
        index: RwLock::new(index),
        reader,
        reduced: Mutex::default(),
    };
    Ok((LogView { log: Arc::new(opened), visible }, log))
}

/// Opens the file of a log.
pub(crate) fn open_file(storage: &dyn Storage, name: &str) -> Result<Arc<dyn StorageFile>> {
    match storage.open(name) {
        Ok(file) => Ok(Arc::from(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::damaged(format!(
            "expected the log {name}, which the manifest names, found no such file; restore it \
             from a copy"
        ))),
        Err(error) => Err(Error::io("open", name, error)),
    }
}
