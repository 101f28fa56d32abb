//! The manifest of an open store, which the writer and the sealer change.

use std::sync::Arc;

use crate::base::error::Result;
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::manifest::Manifest;
use crate::storage::Storage;

/// The manifest in memory, kept equal to the one on disk.
#[derive(Debug)]
pub(crate) struct Catalog {
    storage: Arc<dyn Storage>,
    manifest: Mutex<Manifest>,
    /// Whether what is in memory is on disk: not after a change that failed midway.
    certain: AtomicBool,
}

impl Catalog {
    pub(crate) fn new(storage: Arc<dyn Storage>, manifest: Manifest) -> Self {
        Self { storage, manifest: Mutex::new(manifest), certain: AtomicBool::new(true) }
    }

    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// A copy of the current manifest.
    pub(crate) fn manifest(&self) -> Manifest {
        self.manifest.lock().clone()
    }

    /// Whether the manifest on disk is the one in memory.
    pub(crate) fn is_certain(&self) -> bool {
        self.certain.load(Ordering::Acquire)
    }

    /// Changes the manifest. The change is durable when this returns. After an error memory
    /// keeps the old one, and so does the disk unless [`is_certain`](Self::is_certain) says
    /// otherwise.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        let mut manifest = self.manifest.lock();
        let mut next = manifest.clone();
        change(&mut next);
        next.write_next(&*self.storage)?;
        self.certain.store(false, Ordering::Release);
        Manifest::take_next(&*self.storage)?;
        self.certain.store(true, Ordering::Release);
        *manifest = next;
        Ok(())
    }
}
