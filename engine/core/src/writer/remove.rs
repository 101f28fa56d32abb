//! Removing files that the manifest does not name any more. The system takes some
//! milliseconds to free a large one: nobody needs to wait for it.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::sync::{Thread, spawn};
use crate::base::warnings::WarningKind;
use crate::segment::segments::Segments;
use crate::storage::Storage;

/// The threads that remove files. They have ended once this is dropped.
#[derive(Debug, Default)]
pub(super) struct Removals(Vec<Thread<()>>);

impl Removals {
    /// Removes files in another thread, or in this one where `in_background` is false
    /// or there can be none. What a thread can't remove is reported, and goes when the
    /// store is next opened, as it does if the process ends before.
    pub(super) fn remove(
        &mut self,
        storage: &Arc<dyn Storage>,
        segments: &Arc<Segments>,
        names: &[String],
        in_background: bool,
    ) -> Result<()> {
        self.0.retain(|thread| !thread.is_finished());
        let work = {
            let (storage, segments) = (Arc::clone(storage), Arc::clone(segments));
            let names = names.to_vec();
            move || {
                if let Err(error) = remove_all(&*storage, &names) {
                    let message = "a file of dropped segments stays until the next opening";
                    segments.warnings().report_error(WarningKind::FileNotRemoved, message, error);
                }
            }
        };
        let remover = || spawn("forebear-remover", work);
        match in_background.then(remover) {
            Some(Ok(thread)) => {
                self.0.push(thread);
                Ok(())
            }
            Some(Err(_)) | None => remove_all(&**storage, names),
        }
    }

    /// Waits until all is removed.
    pub(super) fn wait(&mut self) {
        for thread in self.0.drain(..) {
            // One that panicked leaves files behind, as the end of the process would.
            let _ = thread.join();
        }
    }
}

impl Drop for Removals {
    fn drop(&mut self) {
        self.wait();
    }
}

fn remove_all(storage: &dyn Storage, names: &[String]) -> Result<()> {
    for name in names {
        match storage.unlink(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::io("remove", name, error));
            }
            _ => {}
        }
    }
    storage.sync_dir().map_err(|error| Error::io("sync the folder of", "the segments", error))
}
