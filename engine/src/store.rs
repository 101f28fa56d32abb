//! The store: opening, writing, and snapshots to read from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::batch::{Appended, Batch, Linked, Written};
use crate::error::Result;
use crate::event::{Event, Link, LinkKind};
use crate::id::EventId;
use crate::options::{Durability, WhenFull};
use crate::recovery::RecoveryReport;
use crate::snapshot::Snapshot;
use crate::storage::Storage;
use crate::writer::receipt::Receipt;

/// A store that is open for reading and writing. Clones share it; many threads
/// can use them at once. When the last is dropped, what was accepted is written.
#[derive(Clone, Debug)]
pub struct Store {}

#[allow(unused_variables)]
impl Store {
    /// Opens the store in this folder, making it if there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(path)
    }

    /// Sets options before opening.
    pub fn builder() -> StoreBuilder {
        StoreBuilder::default()
    }

    /// A store in memory that is gone when its last handle is: for tests.
    pub fn in_memory() -> Result<Self> {
        todo!()
    }

    /// Appends an event and waits until it is as durable as the store was opened for.
    pub fn append(&self, event: Event) -> Result<Appended> {
        todo!()
    }

    /// Appends events as one: after a crash all of them are there or none.
    pub fn append_batch(&self, events: impl IntoIterator<Item = Event>) -> Result<Vec<Appended>> {
        todo!()
    }

    /// Links an event to its parent after the fact.
    pub fn link(
        &self,
        child: impl Into<EventId>,
        parent: impl Into<EventId>,
        kind: LinkKind,
    ) -> Result<Linked> {
        todo!()
    }

    /// Writes a batch and waits until it is as durable as it asks for.
    pub fn write(&self, batch: impl Into<Batch>) -> Result<Written> {
        self.submit(batch)?.wait()
    }

    /// Hands a batch to the writer and returns at once, with a receipt to wait
    /// on or to `.await`.
    pub fn submit(&self, batch: impl Into<Batch>) -> Result<Receipt> {
        todo!()
    }

    /// The store as it is now.
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }

    /// Waits until everything accepted so far is on disk.
    pub fn flush(&self) -> Result<()> {
        todo!()
    }

    /// Writes what was accepted, syncs it and closes the store for all handles.
    /// Snapshots can still be read.
    pub fn close(self) -> Result<()> {
        todo!()
    }

    /// What opening found and did.
    pub fn recovery(&self) -> &RecoveryReport {
        todo!()
    }

    /// The store's folder; none where it is not on disk.
    pub fn path(&self) -> Option<&Path> {
        todo!()
    }

    /// Longest payload that the store takes, in bytes.
    pub fn max_payload_bytes(&self) -> usize {
        todo!()
    }
}

/// Options of a store that is about to be opened.
#[derive(Clone, Debug, Default)]
pub struct StoreBuilder {
    durability: Durability,
    when_full: WhenFull,
    max_payload_bytes: Option<usize>,
    queue_bytes: Option<usize>,
    cache_bytes: Option<usize>,
}

#[allow(unused_variables)]
impl StoreBuilder {
    /// Sets what an acknowledgement means; [`Durability::Sync`] unless set.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets what a write does when the queue is full; it waits unless set.
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets the longest payload in bytes: 128 MiB unless set, at most 1 GiB.
    #[must_use]
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.max_payload_bytes = Some(bytes);
        self
    }

    /// Sets how many bytes may wait to be written: 8 MiB unless set.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = Some(bytes);
        self
    }

    /// Sets how many log bytes are kept in memory for reading: 24 MiB unless set.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = Some(bytes);
        self
    }

    /// Opens the store in this folder, making it if there is none.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Store> {
        todo!()
    }

    /// Opens the store on another kind of storage, such as the simulated disk.
    pub fn open_on(self, storage: Arc<dyn Storage>) -> Result<Store> {
        todo!()
    }
}
