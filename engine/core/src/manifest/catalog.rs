//! The manifest of an open store, which the writer and the sealer change.

use std::sync::Arc;

use crate::base::error::Result;
use crate::base::sync::Mutex;
use crate::manifest::Manifest;
use crate::storage::Storage;

/// The manifest in memory, kept equal to the one on disk.
#[derive(Debug)]
pub(crate) struct Catalog {
    storage: Arc<dyn Storage>,
    manifest: Mutex<Manifest>,
}

impl Catalog {
    pub(crate) fn new(storage: Arc<dyn Storage>, manifest: Manifest) -> Self {
        Self { storage, manifest: Mutex::new(manifest) }
    }

    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// A copy of the current manifest.
    pub(crate) fn manifest(&self) -> Manifest {
        self.manifest.lock().clone()
    }

    /// Changes the manifest. The change is durable when this returns. After an error it may
    /// or may not be on disk, and memory keeps the old one.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        let mut manifest = self.manifest.lock();
        let mut next = manifest.clone();
        change(&mut next);
        next.write(&*self.storage)?;
        *manifest = next;
        Ok(())
    }
}
