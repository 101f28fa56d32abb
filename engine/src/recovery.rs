//! What opening a store found and did.

/// What opening a store found and did. Nothing in it is a loss that was passed
/// over in silence: what was cut or skipped is kept where the report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Blocks that were read.
    pub blocks: u64,
    /// Records that were read.
    pub records: u64,
    /// The torn end of a log that was cut off.
    pub cut: Vec<Damage>,
    /// Damage within a log's durable part, passed over.
    pub skipped: Vec<Damage>,
    /// Bytes at the end of a log that were written and synced again, since they
    /// may not have reached the disk.
    pub rewritten_bytes: u64,
    /// Anything else that was mended, a sentence each.
    pub notes: Vec<String>,
}

impl RecoveryReport {
    /// Whether nothing had to be cut, skipped or mended.
    pub fn is_clean(&self) -> bool {
        self.cut.is_empty() && self.skipped.is_empty() && self.notes.is_empty()
    }
}

/// A stretch of a file that could not be read as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, within the store's folder.
    pub file: String,
    /// Where the stretch begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
    /// What was expected and what was found.
    pub reason: String,
    /// The file, within the store's folder, in which its bytes are kept.
    pub kept_in: String,
}
