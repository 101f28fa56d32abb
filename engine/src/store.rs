//! The store: opening, writing, and snapshots to read from.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::batch::{Appended, Batch, Linked, Written};
use crate::error::{Error, Result};
use crate::event::{Event, Link, LinkKind};
use crate::id::EventId;
use crate::limits;
use crate::log::record::Encoded;
use crate::opening;
use crate::options::{Durability, WhenFull};
use crate::recovery::RecoveryReport;
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::storage::{Disk, LockGuard, SimulatedDisk, Storage};
use crate::writer::Writer;
use crate::writer::queue::{Job, Queue, queue};
use crate::writer::receipt::Receipt;

/// A store that is open for reading and writing. Clones share it; many threads
/// can use them at once. When the last is dropped, what was accepted is written.
///
/// ```
/// use forebear::{Event, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let store = Store::open(&path)?;
/// store.append(Event::new("started").id("boot"))?;
/// store.close()?;
///
/// let store = Store::open(&path)?;
/// assert!(store.recovery().is_clean());
/// assert!(store.snapshot().contains("boot")?);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    /// Taken when the store is dropped, which ends the writer.
    queue: Option<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
    options: StoreBuilder,
    recovery: RecoveryReport,
    storage: Arc<dyn Storage>,
}

impl Store {
    /// Opens the store in this folder, making it if there is none. Takes about
    /// as long as reading the active log does.
    ///
    /// Fails where another process has it open for writing
    /// ([`Error::is_locked`]), and where the folder holds something else or a
    /// newer format ([`Error::is_foreign`]).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(path)
    }

    /// Sets options before opening.
    pub fn builder() -> StoreBuilder {
        StoreBuilder::default()
    }

    /// A store in memory that is gone when its last handle is: for tests.
    pub fn in_memory() -> Result<Self> {
        Self::builder().open_on(Arc::new(SimulatedDisk::new()))
    }

    /// Appends an event and waits until it is as durable as the store was opened for.
    pub fn append(&self, event: Event) -> Result<Appended> {
        let mut written = self.write(event)?;
        written.events.pop().ok_or_else(Error::closed)
    }

    /// Appends events as one: after a crash all of them are there or none.
    pub fn append_batch(&self, events: impl IntoIterator<Item = Event>) -> Result<Vec<Appended>> {
        Ok(self.write(events.into_iter().collect::<Batch>())?.events)
    }

    /// Links an event to its parent after the fact. Neither need be stored yet.
    pub fn link(
        &self,
        child: impl Into<EventId>,
        parent: impl Into<EventId>,
        kind: LinkKind,
    ) -> Result<Linked> {
        let mut written = self.write(Link::new(child, parent, kind))?;
        written.links.pop().ok_or_else(Error::closed)
    }

    /// Writes a batch and waits until it is as durable as it asks for.
    pub fn write(&self, batch: impl Into<Batch>) -> Result<Written> {
        self.submit(batch)?.wait()
    }

    /// Hands a batch to the writer and returns at once, with a receipt to wait
    /// on or to `.await`. Fails at once where a field is over its limit; then
    /// nothing of the batch is stored.
    pub fn submit(&self, batch: impl Into<Batch>) -> Result<Receipt> {
        let batch = batch.into();
        let options = &self.0.options;
        batch.validate(options.max_payload())?;
        let records = batch.len();
        let events: Vec<_> = batch.events.into_iter().map(Encoded::event).collect();
        let links: Vec<_> = batch.links.iter().map(Encoded::link).collect();
        let quarantined: Vec<_> = batch.quarantined.into_iter().map(Encoded::quarantined).collect();
        let bytes = [&events, &links, &quarantined].into_iter().flatten().map(Encoded::len).sum();
        if records > 1 && bytes > limits::MAX_BATCH_BYTES {
            return Err(Error::limit("batch", limits::MAX_BATCH_BYTES, bytes));
        }
        let (receipt, answer) = Receipt::pair();
        let job = Job {
            events,
            links,
            quarantined,
            durability: batch.durability.unwrap_or(options.durability),
            answer,
            bytes,
            close: false,
        };
        self.send(job, batch.when_full.unwrap_or(options.when_full))?;
        Ok(receipt)
    }

    /// The store as it is now. O(1).
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(&self.0.shared)
    }

    /// Waits until everything accepted so far is on disk.
    pub fn flush(&self) -> Result<()> {
        self.write(Batch::new().durability(Durability::Sync).when_full(WhenFull::Block)).map(drop)
    }

    /// Writes what was accepted, syncs it and closes the store for all handles.
    /// Snapshots can still be read.
    pub fn close(self) -> Result<()> {
        let (receipt, answer) = Receipt::pair();
        let job = Job {
            events: Vec::new(),
            links: Vec::new(),
            quarantined: Vec::new(),
            durability: Durability::Sync,
            answer,
            bytes: 0,
            close: true,
        };
        self.send(job, WhenFull::Block)?;
        let outcome = receipt.wait().map(drop);
        // The lock is free once the writer is gone.
        if let Some(writer) = self.0.writer.lock().take() {
            let _ = writer.join();
        }
        outcome
    }

    /// What opening found and did.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.0.recovery
    }

    /// The store's folder; none where it is not on disk.
    pub fn path(&self) -> Option<&Path> {
        self.0.storage.path()
    }

    /// Longest payload that the store takes, in bytes.
    pub fn max_payload_bytes(&self) -> usize {
        self.0.options.max_payload()
    }

    fn send(&self, job: Job, when_full: WhenFull) -> Result<()> {
        self.0.queue.as_ref().ok_or_else(Error::closed)?.send(job, when_full)
    }
}

impl Drop for Inner {
    /// Ends the writer, which writes what was accepted first, and waits for it.
    fn drop(&mut self) {
        self.queue = None;
        // A waker may have dropped the last handle on the writer's own thread, which
        // goes on after it and writes what was accepted.
        if let Some(writer) = self.writer.get_mut().take()
            && writer.thread().id() != std::thread::current().id()
        {
            let _ = writer.join();
        }
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

    /// Opens the store in this folder, making it if there is none; see
    /// [`Store::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Store> {
        let path = path.as_ref();
        let disk = Disk::open(path).map_err(|error| Error::io("open", path, error))?;
        self.open_on(Arc::new(disk))
    }

    /// Opens the store on another kind of storage, such as the simulated disk.
    pub fn open_on(self, storage: Arc<dyn Storage>) -> Result<Store> {
        if self.max_payload() > limits::MAX_PAYLOAD_BYTES {
            let found = self.max_payload();
            return Err(Error::limit("max_payload_bytes", limits::MAX_PAYLOAD_BYTES, found));
        }
        let cache_bytes = self.cache_bytes.unwrap_or(limits::DEFAULT_CACHE_BYTES);
        let opened = opening::open(&*storage, cache_bytes)?;
        let shared = Arc::new(opened.shared);
        let (queue, jobs) = queue(self.queue_bytes.unwrap_or(limits::DEFAULT_QUEUE_BYTES));
        let writer = Writer::new(Arc::clone(&shared), opened.log, jobs);
        let lock = opened.lock;
        let thread = std::thread::Builder::new()
            .name("forebear-writer".to_owned())
            .spawn(move || run(writer, lock))
            .map_err(|error| Error::io("start the writer thread for", "the store", error))?;
        Ok(Store(Arc::new(Inner {
            shared,
            queue: Some(queue),
            writer: Mutex::new(Some(thread)),
            storage,
            options: self,
            recovery: opened.recovery,
        })))
    }

    fn max_payload(&self) -> usize {
        self.max_payload_bytes.unwrap_or(limits::DEFAULT_MAX_PAYLOAD_BYTES)
    }
}

/// The writer thread: it holds the store's lock as long as it runs.
fn run(writer: Writer, lock: Box<dyn LockGuard + Send + Sync>) {
    writer.run();
    drop(lock);
}
