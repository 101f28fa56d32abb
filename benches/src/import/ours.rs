//! The import as a service does it, at `Flush`.

use std::ops::ControlFlow;
use std::path::Path;

use forebear::Durability;
use forebear::ingest::{IngestOptions, import as import_into};

use crate::import::Result;
use crate::process;

/// Imports everything and closes the store: how many rows, and the most memory that
/// was no file's.
pub(crate) fn import(source: &Path, folder: &Path) -> Result<(u64, u64)> {
    let store = forebear::builder().durability(Durability::Flush).open(folder.join("forebear"))?;
    let options = IngestOptions::new([source]).format("claude-code");
    let (mut most, mut told) = (0, 0);
    let report = import_into(&store, &options, |progress| {
        if progress.bytes - told >= LOOK_BYTES {
            told = progress.bytes;
            most = most.max(process::anonymous_bytes().unwrap_or_default());
        }
        ControlFlow::Continue(())
    })?;
    store.close()?;
    Ok((report.events + report.versions + report.without_id, most))
}

/// Memory is looked at each so many bytes.
const LOOK_BYTES: u64 = 8 << 20;
