//! The spool: a folder in the store's, a file for each batch that a process hands in
//! while another one has the store open for writing. [`SpoolFolder`] is its side of whoever
//! hands in, [`drain`] that of the writer.

pub(crate) mod drain;
mod file;
mod folder;

pub(crate) use file::{Contents, ForeignContents, encode};
pub(crate) use folder::{SpoolFileState, SpoolFolder, count, refused};

/// The name of the folder.
pub(crate) const FOLDER: &str = "spool";
