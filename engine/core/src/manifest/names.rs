//! The names of a store's files.

use crate::base::error::{Error, Result};
use crate::storage::Storage;

/// The name of the manifest.
pub(crate) const NAME: &str = "MANIFEST";
/// Where the next manifest is written before it is renamed to [`NAME`].
pub(crate) const NEXT: &str = "MANIFEST.next";

pub(crate) fn log_name(segment: u64) -> String {
    format!("{segment:010}.log")
}

pub(crate) fn seg_name(segment: u64) -> String {
    format!("{segment:010}.seg")
}

pub(crate) fn idx_name(segment: u64) -> String {
    format!("{segment:010}.idx")
}

/// The checkpoint of a log.
pub(crate) fn ckp_name(segment: u64) -> String {
    format!("{segment:010}.ckp")
}

/// The names of all files in a store's folder.
pub(crate) fn list(storage: &dyn Storage) -> Result<Vec<String>> {
    storage.list().map_err(|error| Error::io("list", "the store's folder", error))
}

/// The segment number in a file name with this ending, the dot included.
pub(crate) fn segment_of(name: &str, ending: &str) -> Option<u64> {
    let number = name.strip_suffix(ending)?;
    (number.len() == 10).then(|| number.parse().ok()).flatten()
}
