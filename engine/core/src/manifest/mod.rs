//! The manifest: the id of the store, its live segments and its policy.
//!
//! It is text and is replaced atomically: written under another name, synced and renamed, and
//! the folder synced. A segment or log that it doesn't name is not part of the store.
//! `docs/format.md` has an example.

mod catalog;
mod entries;
mod lines;
mod mark;
mod names;
mod retention;
mod salvage;

pub(crate) use catalog::Catalog;
pub(crate) use entries::{FullLog, LogStart, Sealed};
pub(crate) use mark::ManifestMark;
pub(crate) use names::{NAME, NEXT, ckp_name, idx_name, list, log_name, seg_name, segment_of};
pub(crate) use retention::Held;
pub use retention::{Retained, Retention};
pub(crate) use salvage::Salvaged;

use crate::base::error::{Error, Result};
use crate::base::format::{FORMAT_VERSION, StoreId};
use crate::base::kinds::NamedKind;
use crate::base::sync::now_ns;
use crate::storage::{Storage, copy};

use lines::{FIRST_WORDS, MAX_BYTES};

/// The content of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The version that it was read in. It is written in the newest.
    pub(crate) format: u32,
    pub(crate) store: StoreId,
    /// The kinds of state of the store, those that are built in aside.
    pub(crate) kinds: Vec<NamedKind>,
    /// Sealed segments, oldest first.
    pub(crate) sealed: Vec<Sealed>,
    /// The log that is full and not sealed yet.
    pub(crate) full: Option<FullLog>,
    /// The log that is being appended to.
    pub(crate) active: LogStart,
    /// The retention policy that is kept with the store.
    pub(crate) retention: Option<Retention>,
    /// Whether the store is an archive: sealed segments alone, without a log.
    pub(crate) archive: bool,
    /// Lines of others, which begin with `x-`. They are written back as they are.
    pub(crate) foreign: Vec<String>,
}

/// The outcome of reading the manifest.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, for a moment")]
pub(crate) enum Read {
    Sound(Manifest),
    Absent,
    /// Damaged; what was expected and what was found.
    Damaged(String),
}

impl Manifest {
    /// Reads the manifest. Fails where it is of a newer format or of another program.
    pub(crate) fn read(storage: &dyn Storage) -> Result<Read> {
        let file = match storage.open(NAME) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Read::Absent),
            Err(error) => return Err(Error::io("open", NAME, error)),
        };
        let length = file.len().map_err(|error| Error::io("read the length of", NAME, error))?;
        if length > MAX_BYTES {
            return Ok(Read::Damaged(format!(
                "expected at most {MAX_BYTES} bytes, found {length}"
            )));
        }
        let mut bytes = vec![0; length as usize];
        let length = file.read_at(&mut bytes, 0).map_err(|error| Error::io("read", NAME, error))?;
        Self::parse(&bytes[..length])
    }

    /// The manifest of a new store.
    pub(crate) fn new(store: StoreId, kinds: Vec<NamedKind>) -> Self {
        Self {
            format: FORMAT_VERSION,
            store,
            kinds,
            sealed: Vec::new(),
            full: None,
            active: LogStart::FIRST,
            retention: None,
            archive: false,
            foreign: Vec::new(),
        }
    }

    /// Whether the file [`NAME`] begins as a manifest does, damaged or not.
    pub(crate) fn looks_ours(storage: &dyn Storage) -> Result<bool> {
        let file = storage.open(NAME).map_err(|error| Error::io("open", NAME, error))?;
        let mut begin = [0; FIRST_WORDS.len()];
        file.read_at(&mut begin, 0).map_err(|error| Error::io("read", NAME, error))?;
        Ok(begin == *FIRST_WORDS.as_bytes())
    }

    /// Keeps a manifest that can't be used under another name, if there is one. It stays where
    /// it is until a new one takes its place: it is evidence. Durable when this returns.
    pub(crate) fn keep_damaged(storage: &dyn Storage) -> Result<()> {
        let kept = format!("{NAME}.damaged-{}", now_ns());
        let keep = || match storage.open(NAME) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(old) => {
                copy(&*old, old.len()?, storage, &kept)?;
                storage.sync_dir()
            }
        };
        keep().map_err(|error| Error::io("keep the damaged", NAME, error))
    }

    /// Replaces the manifest. It is durable when this returns.
    pub(crate) fn write(&self, storage: &dyn Storage) -> Result<()> {
        self.write_next(storage)?;
        Self::take_next(storage)
    }

    /// Writes the manifest beside the present one. It is durable when this returns; after
    /// an error nothing is left of it.
    fn write_next(&self, storage: &dyn Storage) -> Result<()> {
        let text = self.to_text();
        let file = storage.create(NEXT).map_err(|error| Error::io("make", NEXT, error))?;
        let written = file
            .write_at(text.as_bytes(), 0)
            .map_err(|error| Error::io("write", NEXT, error))
            .and_then(|()| file.sync().map_err(|error| Error::io("sync", NEXT, error)));
        written.inspect_err(|_| {
            // On a full disk each byte counts. The next change replaces what is left.
            let _ = storage.unlink(NEXT);
        })
    }

    /// Has the manifest that was written beside take the place of the present one.
    fn take_next(storage: &dyn Storage) -> Result<()> {
        storage.rename(NEXT, NAME).map_err(|error| Error::io("rename", NEXT, error))?;
        storage.sync_dir().map_err(|error| Error::io("sync the folder of", NAME, error))
    }
}
