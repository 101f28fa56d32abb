//! The real disk.

/// A folder on disk.
#[derive(Debug)]
pub struct Disk;
