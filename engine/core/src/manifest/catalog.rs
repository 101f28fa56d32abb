//! The manifest of an open store, which the writer and the sealer change.

use std::sync::Arc;

use crate::base::error::Result;
use crate::base::format::FORMAT_VERSION;
use crate::base::kinds::NamedKind;
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::base::warnings::{WarningKind, Warnings};
use crate::manifest::Manifest;
use crate::storage::Storage;

/// The manifest in memory, kept equal to the one on disk.
#[derive(Debug)]
pub(crate) struct Catalog {
    storage: Arc<dyn Storage>,
    /// The kinds of state that the manifest is to name.
    kinds: Vec<NamedKind>,
    warnings: Arc<Warnings>,
    manifest: Mutex<Manifest>,
    /// Whether what is in memory is on disk: not after a change that failed midway.
    certain: AtomicBool,
}

impl Catalog {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        manifest: Manifest,
        kinds: Vec<NamedKind>,
        warnings: Arc<Warnings>,
    ) -> Self {
        let certain = AtomicBool::new(true);
        Self { storage, kinds, warnings, manifest: Mutex::new(manifest), certain }
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

    /// Makes the manifest one of this format that names all kinds, if it is not.
    pub(crate) fn bring_up_to_date(&self) -> Result<()> {
        let manifest = self.manifest.lock();
        let is_up_to_date = manifest.format == FORMAT_VERSION && manifest.kinds == self.kinds;
        drop(manifest);
        if is_up_to_date { Ok(()) } else { self.change(|_| {}) }
    }

    /// Changes the manifest, which is of this format and names all kinds from then on. The
    /// change is durable when this returns. After an error memory keeps the old one, and so
    /// does the disk unless [`is_certain`](Self::is_certain) says otherwise.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        let mut manifest = self.manifest.lock();
        let mut next = manifest.clone();
        change(&mut next);
        next.format = FORMAT_VERSION;
        next.kinds.clone_from(&self.kinds);
        // Up to the rename the old one is on disk for sure, after the folder's sync the new one.
        // Between the two nobody can say, and no file that either of them names may go.
        next.write_next(&*self.storage)?;
        self.certain.store(false, Ordering::Release);
        Manifest::take_next(&*self.storage)?;
        self.certain.store(true, Ordering::Release);
        let before = std::mem::replace(&mut *manifest, next);
        drop(manifest);
        self.report(&before);
        Ok(())
    }

    /// Reports what the manifest became that it was not before.
    fn report(&self, before: &Manifest) {
        if before.format < FORMAT_VERSION {
            let message = format!(
                "the store is of format {FORMAT_VERSION} from now on, and was of format {}: older \
                 releases of forebear can't open it any more",
                before.format
            );
            self.warnings.report(WarningKind::FormatUpgraded, message);
        }
        let last = before.sealed.last().map(|sealed| sealed.segment);
        for kind in self.kinds.iter().filter(|kind| !before.kinds.contains(kind)) {
            if let Some(last) = last {
                let message = format!(
                    "the store has state of the kind {:?} from now on; segments up to {last} were \
                     sealed without it, and count as if they had none",
                    kind.name
                );
                self.warnings.report(WarningKind::KindAdded, message);
            }
        }
    }
}
