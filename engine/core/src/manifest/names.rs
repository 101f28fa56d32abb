//! The names of a store's files.

/// The name of the manifest.
pub(crate) const NAME: &str = "MANIFEST";
/// Where the next one is written before it takes the name.
pub(crate) const NEXT: &str = "MANIFEST.next";

/// The name of a segment's log.
pub(crate) fn log_name(segment: u64) -> String {
    format!("{segment:010}.log")
}

/// The name of a sealed segment's file.
pub(crate) fn seg_name(segment: u64) -> String {
    format!("{segment:010}.seg")
}

/// The name of a sealed segment's index.
pub(crate) fn idx_name(segment: u64) -> String {
    format!("{segment:010}.idx")
}

/// The segment that a file is of, where its name ends so.
pub(crate) fn segment_of(name: &str, ending: &str) -> Option<u64> {
    let number = name.strip_suffix(ending)?;
    (number.len() == 10).then(|| number.parse().ok()).flatten()
}
