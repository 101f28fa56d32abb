//! Folders of stores.

use std::path::Path;

/// Whether the folder holds a store's files. Opening one for writing would make them.
pub fn holds_store(path: &Path) -> bool {
    path.read_dir().is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| {
                let name = entry.file_name();
                name == "MANIFEST"
                    || Path::new(&name)
                        .extension()
                        .is_some_and(|extension| extension == "log" || extension == "seg")
            })
        })
    })
}
