//! What opening a store found and did.

use std::fmt;

/// What opening a store found and did. Bytes that were cut or skipped are kept in the files
/// that it names.
///
/// ```
/// use std::sync::Arc;
/// use forebear::{Batch, Durability, Event, Store, storage::SimulatedDisk};
///
/// let disk = SimulatedDisk::new();
/// let store = Store::builder().open_on(Arc::new(disk.clone()))?;
/// store.write(Batch::from(Event::new("started")).durability(Durability::Flush))?;
/// let killed = disk.kill();
/// let log = killed.read("0000000001.log").expect("it is there");
/// killed.truncate("0000000001.log", log.len() - 1).expect("cuts");
///
/// let store = Store::builder().open_on(Arc::new(killed))?;
/// let cut = &store.recovery().cut[0];
/// println!("{} at byte {}: {}; kept in {}", cut.file, cut.offset, cut.reason, cut.kept_in);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Blocks that were read.
    pub blocks: u64,
    /// Records that were read.
    pub records: u64,
    /// Torn tails of logs that were cut off.
    pub cut: Vec<Damage>,
    /// Damage within the durable part of a log, which was skipped.
    pub skipped: Vec<Damage>,
    /// Bytes at the end of a log that were rewritten and synced, since they may not have
    /// reached the disk.
    pub rewritten_bytes: u64,
    /// The manifest, where it was missing or damaged and was made again.
    pub manifest: Option<ManifestRepair>,
}

impl RecoveryReport {
    /// Whether nothing had to be cut, skipped or mended.
    ///
    /// ```
    /// let store = forebear::Store::in_memory()?;
    /// assert!(store.recovery().is_clean());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_clean(&self) -> bool {
        self.cut.is_empty() && self.skipped.is_empty() && self.manifest.is_none()
    }
}

/// A damaged range of a file.
///
/// ```
/// use forebear::{Damage, Store};
///
/// let store = Store::in_memory()?;
/// let found = store.recovery();
/// let lost: u64 = found.cut.iter().chain(&found.skipped).map(|damage: &Damage| damage.length).sum();
/// assert_eq!(lost, 0);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Damage {
    /// The file, within the store's folder.
    pub file: String,
    /// Where the range begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
    /// What was expected and what was found.
    pub reason: String,
    /// The file, within the store's folder, in which its bytes are kept.
    pub kept_in: String,
}

/// A manifest that was made again.
///
/// ```
/// use std::sync::Arc;
/// use forebear::{Event, Store, storage::SimulatedDisk};
///
/// let disk = SimulatedDisk::new();
/// Store::builder().open_on(Arc::new(disk.clone()))?.append(Event::new("started"))?;
/// let killed = disk.kill();
/// killed.truncate("MANIFEST", 0).expect("cuts");
///
/// let store = Store::builder().open_on(Arc::new(killed))?;
/// let repair = store.recovery().manifest.as_ref().expect("it was damaged");
/// assert_eq!(repair.made_from, "0000000001.log");
/// println!("{repair}");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ManifestRepair {
    /// The file, within the store's folder, that it was made from.
    pub made_from: String,
    /// What was expected of the old one and what was found.
    pub reason: String,
}

impl fmt::Display for ManifestRepair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the manifest was made again from {}: {}", self.made_from, self.reason)
    }
}
