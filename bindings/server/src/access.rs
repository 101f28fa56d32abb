//! The store that is served: open for writing, or read while another process writes to it.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use forebear::{
    Durability, Error, ErrorKind, Filter, Reader, Result, Snapshot, StartFrom, Store, Subscription,
    WhenFull,
};
use hyper::StatusCode;

use crate::failure::{HttpFailure, HttpResult};
use crate::notice::notice;

/// The store that is served.
pub(crate) struct StoreAccess {
    path: PathBuf,
    takes_over: bool,
    mode: RwLock<Mode>,
}

#[derive(Clone)]
enum Mode {
    Writing(Store),
    /// Why nothing can be written: who writes.
    Reading(Reader, String),
}

impl StoreAccess {
    /// Opens the store, made if it is missing; for reading alone where that is wanted, or where
    /// another process writes to it.
    pub(crate) fn open(path: &Path, read_only: bool) -> Result<Self> {
        let mode = if read_only {
            Mode::Reading(forebear::read(path)?, "the server was started to read alone".to_owned())
        } else {
            match open_to_write(path) {
                Ok(store) => Mode::Writing(store),
                Err(error) if error.is_locked() => {
                    Mode::Reading(forebear::read(path)?, format!("{error:#}"))
                }
                Err(error) => return Err(error),
            }
        };
        let (path, mode) = (path.to_owned(), RwLock::new(mode));
        Ok(Self { path, takes_over: !read_only, mode })
    }

    /// The store's folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Why nothing can be written, if so.
    pub(crate) fn why_read_only(&self) -> Option<String> {
        match self.mode() {
            Mode::Writing(_) => None,
            Mode::Reading(_, why) => Some(why),
        }
    }

    /// The store, to write to.
    pub(crate) fn store(&self) -> HttpResult<Store> {
        match self.mode() {
            Mode::Writing(store) => Ok(store),
            Mode::Reading(_, why) if !self.takes_over => Err(HttpFailure::new(
                StatusCode::FORBIDDEN,
                format!("nothing can be written here: {why}"),
            )),
            Mode::Reading(_, why) => {
                Err(HttpFailure::busy(format!("nothing can be written here now: {why}"), 5))
            }
        }
    }

    /// The same for whoever waits for the store.
    pub(crate) fn store_if_free(&self) -> Result<Store> {
        match self.mode() {
            Mode::Writing(store) => Ok(store),
            Mode::Reading(_, why) => Err(Error::new(ErrorKind::Locked, why)),
        }
    }

    /// Asks the store as it is now. A question that needs what expires meanwhile is asked again.
    pub(crate) fn ask<T>(&self, question: impl Fn(&Snapshot) -> HttpResult<T>) -> HttpResult<T> {
        let mode = self.mode();
        for _ in 1..ASKED_MAX {
            match question(&mode.snapshot()?) {
                Err(HttpFailure::Store(error)) if error.is_expired() => {}
                answer => return answer,
            }
        }
        question(&mode.snapshot()?)
    }

    /// Follows what is stored.
    pub(crate) fn subscribe(&self, filter: Filter, start: StartFrom) -> Result<Subscription> {
        match self.mode() {
            Mode::Writing(store) => store.subscribe(filter, start),
            Mode::Reading(reader, _) => reader.subscribe(filter, start),
        }
    }

    /// Opens the store for writing, where the process that wrote to it has ended; whether that
    /// was so.
    pub(crate) fn take_over(&self) -> bool {
        if !self.takes_over || matches!(self.mode(), Mode::Writing(_)) {
            return false;
        }
        match open_to_write(&self.path) {
            Ok(store) => {
                notice("the store is free: what is sent to this server is written from now on");
                *self.mode.write().unwrap_or_else(PoisonError::into_inner) = Mode::Writing(store);
                true
            }
            Err(error) => {
                let mut mode = self.mode.write().unwrap_or_else(PoisonError::into_inner);
                if let Mode::Reading(_, why) = &mut *mode {
                    *why = format!("{error:#}");
                }
                false
            }
        }
    }

    /// Writes what was accepted and closes the store.
    pub(crate) fn close(&self) -> Result<()> {
        match self.mode() {
            Mode::Writing(store) => store.close(),
            Mode::Reading(..) => Ok(()),
        }
    }

    fn mode(&self) -> Mode {
        self.mode.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Mode {
    fn snapshot(&self) -> Result<Snapshot> {
        match self {
            Self::Writing(store) => Ok(store.snapshot()),
            Self::Reading(reader, _) => reader.snapshot(),
        }
    }
}

fn open_to_write(path: &Path) -> Result<Store> {
    let store =
        forebear::builder().durability(Durability::Flush).when_full(WhenFull::Return).open(path)?;
    let recovery = store.recovery();
    for (what, damages) in
        [("cut off a torn end", &recovery.cut), ("skipped damage", &recovery.skipped)]
    {
        for damage in damages {
            notice(&format!(
                "{what}: {} at byte {}, {} bytes, kept in {}: {}",
                damage.file, damage.offset, damage.length, damage.kept_in, damage.reason
            ));
        }
    }
    if let Some(repair) = &recovery.manifest {
        notice(&repair.to_string());
    }
    Ok(store)
}

/// How often a question is asked whose segments expire meanwhile.
const ASKED_MAX: usize = 4;
