//! The spool's folder, and the names of the files in it.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::sync::{Mutex, now_ns};
use crate::spool::FOLDER;
use crate::storage::Storage;

/// The folder, for one process that hands batches in.
#[derive(Debug)]
pub(crate) struct SpoolFolder {
    storage: Arc<dyn Storage>,
    /// Tells this process's files from all others'.
    submitter: u64,
    newest: Mutex<Newest>,
}

/// What the newest file's name was made of.
#[derive(Debug, Default)]
struct Newest {
    time_ns: u64,
    number: u32,
}

/// What has become of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpoolFileState {
    Waiting,
    Drained,
    Refused,
}

impl SpoolFolder {
    pub(crate) fn open(storage: &dyn Storage) -> Result<Self> {
        let folder = folder_of(storage).map_err(|error| Error::io("open", FOLDER, error))?;
        let (submitter, _) = uuid::Uuid::new_v4().as_u64_pair();
        Ok(Self { storage: folder, submitter, newest: Mutex::default() })
    }

    /// Adds a file with these bytes, durably; returns its name.
    pub(crate) fn add(&self, bytes: &[u8]) -> Result<String> {
        // Under the lock, so that files appear in the order of their names.
        let mut newest = self.newest.lock();
        newest.time_ns = now_ns().cast_unsigned().max(newest.time_ns);
        newest.number = newest.number.wrapping_add(1);
        let name = file_name(newest.time_ns, self.submitter, newest.number);
        self.write(&name, bytes).inspect_err(|_| {
            // It may not have come to be, or have its name already.
            let _ = self.storage.unlink(&format!("{name}{UNFINISHED}"));
        })?;
        Ok(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let next = format!("{name}{UNFINISHED}");
        let failed = |action: &'static str| {
            let place = format!("{FOLDER}/{next}");
            move |error| Error::io(action, place, error)
        };
        let file = self.storage.create(&next).map_err(failed("make"))?;
        file.write_at(bytes, 0).map_err(failed("write"))?;
        // Synced before it has its name: whoever finds the name finds all of the bytes, after a
        // power loss too.
        file.sync().map_err(failed("sync"))?;
        self.storage.rename(&next, name).map_err(failed("rename"))?;
        self.storage.sync_dir().map_err(failed("sync the folder of"))
    }

    pub(crate) fn find(&self, name: &str) -> Result<SpoolFileState> {
        if self.is_there(name)? {
            Ok(SpoolFileState::Waiting)
        } else if self.is_there(&refused(name))? {
            Ok(SpoolFileState::Refused)
        } else {
            Ok(SpoolFileState::Drained)
        }
    }

    fn is_there(&self, name: &str) -> Result<bool> {
        match self.storage.open(name) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("open", Path::new(FOLDER).join(name), error)),
        }
    }

    /// How many files wait.
    pub(crate) fn waiting(&self) -> Result<u64> {
        count(&*self.storage).map(|(waiting, _)| waiting)
    }
}

/// The folder in a store's folder, made if it is missing.
pub(super) fn folder_of(storage: &dyn Storage) -> io::Result<Arc<dyn Storage>> {
    storage.subfolder(FOLDER)
}

/// How many files of a spool's folder wait, and how many were refused. O(files).
pub(crate) fn count(folder: &dyn Storage) -> Result<(u64, u64)> {
    let names = folder.list().map_err(|error| Error::io("list", FOLDER, error))?;
    let is_refused = |name: &&String| name.strip_suffix(REFUSED).is_some_and(is_file_name);
    let waiting = names.iter().filter(|name| is_file_name(name)).count();
    Ok((waiting as u64, names.iter().filter(is_refused).count() as u64))
}

/// A name that sorts by time, and by number among those of one submitter.
fn file_name(time_ns: u64, submitter: u64, number: u32) -> String {
    format!("{time_ns:016x}-{submitter:016x}-{number:08x}{ENDING}")
}

/// The name under which a file is kept that was refused.
pub(crate) fn refused(name: &str) -> String {
    format!("{name}{REFUSED}")
}

/// Whether a name is one that a spool gives to a file which is whole.
pub(super) fn is_file_name(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(ENDING) else { return false };
    let mut parts = stem.split('-');
    let is_part = |part: Option<&str>, digits: usize| {
        part.is_some_and(|part| {
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    is_part(parts.next(), 16)
        && is_part(parts.next(), 16)
        && is_part(parts.next(), 8)
        && parts.next().is_none()
}

const ENDING: &str = ".batch";
/// What the name of a file ends with that was refused.
const REFUSED: &str = ".refused";
/// What a file's name ends with while it is written.
pub(super) const UNFINISHED: &str = ".next";
