//! The manifest: which store this is and which segments are live.
//!
//! A few lines of text, replaced as a whole: written beside, synced, renamed,
//! and the folder synced. `docs/format.md` has an example.

mod catalog;
mod entries;
mod lines;
mod mark;
mod names;
mod retention;

pub(crate) use catalog::Catalog;
pub(crate) use entries::{FullLog, LogStart, Sealed};
pub(crate) use mark::Mark;
pub(crate) use names::{NAME, NEXT, idx_name, log_name, seg_name, segment_of};
pub(crate) use retention::Held;
pub use retention::{Retained, Retention};

use crate::base::error::{Error, Result};
use crate::base::format::StoreId;
use crate::storage::Storage;

use lines::{FIRST_WORDS, MAX_BYTES};

/// What the manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) store: StoreId,
    /// Sealed segments, oldest first.
    pub(crate) sealed: Vec<Sealed>,
    /// The log that is full and waits to be sealed.
    pub(crate) full: Option<FullLog>,
    /// The log that is appended to.
    pub(crate) active: LogStart,
    /// The policy by which old segments go.
    pub(crate) retention: Option<Retention>,
    /// Whether it is an archive, which has no log.
    pub(crate) archive: bool,
}

/// What reading the manifest found.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, for a moment")]
pub(crate) enum Read {
    Sound(Manifest),
    Absent,
    /// Not what was written; what is wrong with it.
    Damaged(String),
}

impl Manifest {
    /// Reads the manifest. Fails where it is of a newer format or of something else.
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

    /// A new store's.
    pub(crate) fn new(store: StoreId) -> Self {
        Self {
            store,
            sealed: Vec::new(),
            full: None,
            active: LogStart::FIRST,
            retention: None,
            archive: false,
        }
    }

    /// Whether the file of that name begins as a manifest does.
    pub(crate) fn looks_ours(storage: &dyn Storage) -> Result<bool> {
        let file = storage.open(NAME).map_err(|error| Error::io("open", NAME, error))?;
        let mut begin = [0; FIRST_WORDS.len()];
        file.read_at(&mut begin, 0).map_err(|error| Error::io("read", NAME, error))?;
        Ok(begin == *FIRST_WORDS.as_bytes())
    }

    /// Replaces the manifest. It is durable when this returns.
    pub(crate) fn write(&self, storage: &dyn Storage) -> Result<()> {
        let text = self.to_text();
        let file = storage.create(NEXT).map_err(|error| Error::io("make", NEXT, error))?;
        file.write_at(text.as_bytes(), 0).map_err(|error| Error::io("write", NEXT, error))?;
        file.sync().map_err(|error| Error::io("sync", NEXT, error))?;
        storage.rename(NEXT, NAME).map_err(|error| Error::io("rename", NEXT, error))?;
        storage.sync_dir().map_err(|error| Error::io("sync the folder of", NAME, error))
    }
}
