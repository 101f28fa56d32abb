//! Files that are written for a test and imported.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use forebear::Store;
use forebear::ingest::{ImportReport, IngestOptions, import};
use tempfile::TempDir;

pub(crate) fn files(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or_else(|| Path::new(""))).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Imports a folder's files from their start, wherever they were left.
pub(crate) fn imported(store: &Store, folder: &TempDir) -> ImportReport {
    let report = imported_with(store, IngestOptions::new([folder.path()]).again(true));
    assert_eq!(report.failed_files, []);
    report
}

pub(crate) fn imported_with(store: &Store, options: IngestOptions) -> ImportReport {
    // From the start, where a second time would go on behind what was read.
    import(store, &options.again(true), |_| ControlFlow::Continue(())).unwrap()
}
