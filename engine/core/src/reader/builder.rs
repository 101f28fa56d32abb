//! Options for reading a store, and opening it with them.

use std::path::Path;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::kind::StateKind;
use crate::base::options::Caches;
use crate::reader::Reader;
use crate::storage::{Disk, Storage};

/// How to open a store for reading.
///
/// An example is at [`Reader::builder`].
#[derive(Clone, Debug, Default)]
pub struct ReaderBuilder {
    caches: Caches,
    kinds: Vec<Arc<dyn StateKind>>,
}

impl ReaderBuilder {
    /// Sets how many decoded bytes are kept in memory: 16 MiB unless set.
    /// 0 keeps none.
    ///
    /// An example is at [`Reader::builder`].
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.caches.bytes = Some(bytes);
        self
    }

    /// Sets how many bytes of sealed files may stay mapped in memory: 1 GiB unless
    /// set. As for [`StoreBuilder::map_budget`](crate::StoreBuilder::map_budget).
    ///
    /// An example is at [`Reader::builder`].
    #[must_use]
    pub fn map_budget(mut self, bytes: u64) -> Self {
        self.caches.map_bytes = Some(bytes);
        self
    }

    /// Gives the reader a [kind of state](crate::state::StateKind), so that it can read
    /// what the store has of it.
    ///
    /// An example of a kind is at [`StateKind`].
    #[must_use]
    pub fn state_kind(mut self, kind: Arc<dyn StateKind>) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Gives the reader several [kinds of state](crate::state::StateKind).
    #[must_use]
    pub fn state_kinds(mut self, kinds: impl IntoIterator<Item = Arc<dyn StateKind>>) -> Self {
        self.kinds.extend(kinds);
        self
    }

    /// Opens the store in a folder, as [`Reader::open`].
    ///
    /// An example is at [`Reader::builder`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Reader> {
        let path = path.as_ref();
        let disk = Disk::open_read_only(path).map_err(|error| Error::io("open", path, error))?;
        self.open_storage(Arc::new(disk))
    }

    /// Opens the store on a storage of your own, as [`Reader::open_on`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use forebear::{Reader, Store, storage::SimulatedDisk};
    ///
    /// let disk = Arc::new(SimulatedDisk::new());
    /// let store = Store::builder().open_on(disk.clone())?;
    /// let reader = Reader::builder().cache_bytes(4 << 20).open_on(disk)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[cfg(feature = "testing")]
    pub fn open_on(self, storage: Arc<dyn Storage>) -> Result<Reader> {
        self.open_storage(storage)
    }

    fn open_storage(self, storage: Arc<dyn Storage>) -> Result<Reader> {
        Reader::start(self.caches, &self.kinds, storage)
    }
}
