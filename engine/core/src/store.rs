//! The store: opening, writing, and snapshots to read from.

mod builder;
mod feed;
mod lock;
mod opening;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::event::Event;
use crate::base::health::{Health, SealingHealth, SpoolHealth};
use crate::base::id::EventId;
use crate::base::kinds::Kinds;
use crate::base::limits;
use crate::base::link::{Link, LinkKind, Linked};
use crate::base::options::{Durability, WhenFull};
use crate::base::process::Owner;
use crate::base::sync::channel::bounded;
use crate::base::sync::{Mutex, Thread, spawn};
use crate::base::trace;
use crate::base::warnings::Warning;
use crate::batch::{Appended, Batch, Written};
use crate::lineage::chain::Chain;
use crate::log::encoded::EncodedBatch;
use crate::log::report::RecoveryReport;
use crate::manifest::{Retained, Retention};
use crate::query::filter::Filter;
use crate::segment::segments::Segments;
use crate::shared::{Failures, Shared};
use crate::snapshot::Snapshot;
use crate::spool;
use crate::spool::drain::Drain;
use crate::storage::Storage;
use crate::subscription::{StartFrom, Subscription};
use crate::upkeep::rebuild::{self, Rebuilt};
use crate::view::stored::StoredEvent;
use crate::writer::Writer;
use crate::writer::lock::{Tried, WriterLock};
use crate::writer::queue::{Job, Queue, WriterCommand, queue};
use crate::writer::receipt::Receipt;

use builder::Settings;
pub use builder::StoreBuilder;
use feed::StoreFeed;
use lock::StoreLock;

/// A store that is open for reading and writing. Clones share it; many threads
/// can use them at once. When the last is dropped, what was accepted is written.
///
/// A fork copies no threads, so that the store is the parent's alone: in the child each
/// call that needs the writer, dropping included, returns at once with an error
/// ([`Error::is_closed`]) and lets go of the lock. Snapshots can be read there; what is
/// written later a [`Reader`](crate::Reader) shows, opened in the child.
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
#[derive(Clone)]
pub struct Store(Arc<StoreInner>);

struct StoreInner {
    shared: Arc<Shared>,
    /// Taken when the store is dropped, which ends the writer.
    queue: Option<Queue>,
    writer: Arc<WriterLock>,
    thread: Mutex<Option<Thread<()>>>,
    /// Taken when the store is dropped, too: it has the queue as well.
    drain: Mutex<Option<Drain>>,
    settings: Settings,
    kinds: Arc<Kinds>,
    recovery: RecoveryReport,
    storage: Arc<dyn Storage>,
    owner: Owner,
    lock: StoreLock,
    /// The folder through which other processes hand batches in.
    spool: Option<Arc<dyn Storage>>,
}

impl Store {
    /// Opens the store in this folder, making it if there is none. Takes about
    /// as long as reading the active log does.
    ///
    /// Fails where it is open for writing already, in this process or another
    /// ([`Error::is_locked`]); where the folder holds something else or a newer
    /// format ([`Error::is_foreign`]); and where what is there can't be seen for a
    /// store any more ([`Error::is_damaged`]). Lesser damage is mended and
    /// reported: see [`recovery`](Self::recovery).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// store.append(Event::new("started"))?;
    /// assert!(Store::open(&path).is_err_and(|error| error.is_locked()), "one writer at a time");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(path)
    }

    /// Sets options before opening.
    ///
    /// ```
    /// use forebear::{Durability, Store, WhenFull};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::builder()
    ///     .durability(Durability::Flush)
    ///     .when_full(WhenFull::Return)
    ///     .open(&path)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn builder() -> StoreBuilder {
        StoreBuilder::default()
    }

    /// A store in memory that is gone when its last handle is: for tests.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started"))?;
    /// assert_eq!(store.path(), None);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn in_memory() -> Result<Self> {
        Self::builder().in_memory()
    }

    /// Appends an event and waits until it is as durable as the store was opened for.
    ///
    /// Fails as [`submit`](Self::submit) does, and as [`Receipt::wait`] does.
    ///
    /// ```
    /// use forebear::{AppendStatus, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let event = Event::new("job").id("call").payload(r#"{"to":"ada"}"#);
    /// assert_eq!(store.append(event.clone())?.status, AppendStatus::New);
    /// assert_eq!(store.append(event)?.status, AppendStatus::Repeat);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn append(&self, event: Event) -> Result<Appended> {
        let mut written = self.write(event)?;
        written.events.pop().ok_or_else(Error::closed)
    }

    /// Appends events as one: after a crash all of them are there or none.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let appended = store.append_batch([
    ///     Event::new("job").id("call"),
    ///     Event::new("job_done").id("result").parent("call"),
    /// ])?;
    /// assert_eq!(appended[1].id.to_string(), "result");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn append_batch(&self, events: impl IntoIterator<Item = Event>) -> Result<Vec<Appended>> {
        Ok(self.write(events.into_iter().collect::<Batch>())?.events)
    }

    /// Links an event to its parent after the fact. Neither need be stored yet.
    ///
    /// ```
    /// use forebear::{Event, LinkKind, Linked, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("worker"))?;
    /// assert_eq!(store.link("worker", "call", LinkKind::Spawned)?, Linked::Accepted);
    /// store.append(Event::new("job").id("call"))?;
    /// assert!(store.snapshot().is_ancestor("call", "worker")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
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
    ///
    /// ```
    /// use forebear::{Batch, Durability, Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let batch = Batch::new().event(Event::new("heartbeat")).durability(Durability::Buffered);
    /// let written = store.write(batch)?;
    /// assert_eq!(written.events[0].seq, 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn write(&self, batch: impl Into<Batch>) -> Result<Written> {
        let Prepared { records, durability, when_full } = self.prepare(batch.into())?;
        self.0.check_owner()?;
        let queue = self.0.queue.as_ref().ok_or_else(Error::closed)?;
        let records = match self.0.writer.try_write(queue, records, durability) {
            Tried::Written(outcome) => return outcome,
            // It would wait for what it is about to write itself.
            Tried::NotNow(_) if queue.is_of_writer() => return Err(Error::full()),
            Tried::NotNow(records) => records,
        };
        let (receipt, answer) = Receipt::pair();
        queue.send(Job::of(records, durability, answer), when_full)?;
        receipt.wait()
    }

    /// Hands a batch to the writer, with a receipt to wait on or to `.await`.
    ///
    /// It does not wait for the batch to be written, but while the write queue is
    /// full it waits for room, unless the batch or else the store says
    /// [`WhenFull::Return`]: then the error is one for which [`Error::is_full`]
    /// holds. Waiting for room blocks the thread; async callers want
    /// [`write_async`](Self::write_async).
    ///
    /// Fails too where a field is over its limit ([`Error::is_invalid`]) and where
    /// the store is closed ([`Error::is_closed`]); then nothing of the batch is
    /// stored. The receipt reports what goes wrong in writing it.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let first = store.submit(Event::new("request").id("a"))?;
    /// let second = store.submit(Event::new("answer").id("b").parent("a"))?;
    /// second.wait()?;
    /// first.wait()?;
    /// assert_eq!(store.snapshot().depth("b")?, Some(1));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn submit(&self, batch: impl Into<Batch>) -> Result<Receipt> {
        let Prepared { records, durability, when_full } = self.prepare(batch.into())?;
        let (receipt, answer) = Receipt::pair();
        self.send(Job::of(records, durability, answer), when_full)?;
        Ok(receipt)
    }

    /// Writes a batch and waits until it is as durable as it asks for, without blocking
    /// the thread: neither for that nor for room in the write queue. In any async runtime.
    ///
    /// Dropped before it has room, it writes nothing; later, the batch is written all the
    /// same. While it waits for room it has its turn in the queue, polled or not: others that
    /// came later wait behind it, so poll it to its end or drop it. Fails as [`submit`](Self::submit) and [`Receipt::wait`] do, but never for want
    /// of room.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// async fn record(store: &Store) -> forebear::Result<u64> {
    ///     let request = Event::new("request");
    ///     let answer = Event::new("answer").parent(&request);
    ///     let written = store.write_async(vec![request, answer]).await?;
    ///     Ok(written.events[1].seq)
    /// }
    /// # let store = Store::in_memory()?;
    /// # let mut task = std::pin::pin!(record(&store));
    /// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// # let seq = loop {
    /// #     match std::future::Future::poll(task.as_mut(), &mut context) {
    /// #         std::task::Poll::Ready(seq) => break seq?,
    /// #         std::task::Poll::Pending => std::thread::yield_now(),
    /// #     }
    /// # };
    /// # assert_eq!(seq, 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub async fn write_async(&self, batch: impl Into<Batch>) -> Result<Written> {
        let Prepared { records, durability, .. } = self.prepare(batch.into())?;
        let (receipt, answer) = Receipt::pair();
        let job = Job::of(records, durability, answer);
        self.0.check_owner()?;
        self.0.queue.as_ref().ok_or_else(Error::closed)?.send_async(job).await?;
        receipt.await
    }

    /// The store as it is now. O(1).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let before = store.snapshot();
    /// store.append(Event::new("started").id("boot"))?;
    /// assert!(!before.contains("boot")?);
    /// assert!(store.snapshot().contains("boot")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.0.shared.view())
    }

    /// The events that the filter takes, as they are stored, in order of their sequence
    /// numbers. Woken by the writer, not by polling; it does not keep the store open, and ends once it is closed.
    ///
    /// ```
    /// use forebear::{Event, Filter, StartFrom, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let mut errors = store.subscribe(Filter::new().errors(), StartFrom::Now)?;
    /// store.append(Event::new("tick"))?;
    /// store.append(Event::new("error").id("failure"))?;
    /// let event = errors.next().expect("the store is open")?;
    /// assert_eq!(event.id().to_string(), "failure");
    /// store.close()?;
    /// assert!(errors.next().is_none());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn subscribe(&self, filter: impl Into<Filter>, start: StartFrom) -> Result<Subscription> {
        let shared = Arc::clone(&self.0.shared);
        let signal = Arc::clone(shared.changed());
        let feed = StoreFeed { shared, store: Arc::downgrade(&self.0) };
        Subscription::new(Box::new(feed), signal, filter.into(), start)
    }

    /// The event with this id as of now: its first version. To ask several questions of
    /// one moment, take a [`snapshot`](Self::snapshot).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started").id("boot"))?;
    /// assert_eq!(store.get("boot")?.map(|event| event.seq()), Some(1));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn get(&self, id: impl Into<EventId>) -> Result<Option<StoredEvent>> {
        self.snapshot().get(id)
    }

    /// The walk from an event to its root as of now; none if the event is not stored.
    ///
    /// An example is at [`Chain`].
    pub fn chain(&self, id: impl Into<EventId>) -> Result<Option<Chain>> {
        self.snapshot().chain(id)
    }

    /// Waits until everything accepted so far is on disk.
    ///
    /// ```
    /// use forebear::{Durability, Event, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::builder().durability(Durability::Buffered).open(&path)?;
    /// store.append(Event::new("started"))?;
    /// store.flush()?; // From here on it survives a power loss.
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn flush(&self) -> Result<()> {
        self.write(Batch::new().durability(Durability::Sync).when_full(WhenFull::Block)).map(drop)
    }

    /// Goes on to the next log and waits until everything before is sealed. O(events
    /// of the log): some microseconds each.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started").id("boot"))?;
    /// store.seal()?;
    /// assert!(store.snapshot().contains("boot")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn seal(&self) -> Result<()> {
        self.command(WriterCommand::Seal)
    }

    /// Drops what a policy does not keep, now. O(segments dropped). Nothing of it is
    /// found any more when this returns; the system frees its files meanwhile, at the
    /// latest before the store is closed.
    ///
    /// ```
    /// use forebear::{Event, Retention, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started").id("boot"))?;
    /// store.seal()?;
    /// let would = store.retain(&Retention::new().max_bytes(0).dry_run(true))?;
    /// assert_eq!(would.segments, 1);
    /// assert!(store.snapshot().contains("boot")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn retain(&self, retention: &Retention) -> Result<Retained> {
        let (answer, retained) = bounded(1);
        self.command(WriterCommand::Retain(retention.clone(), answer))?;
        retained.try_recv().map_err(|_| Error::closed())
    }

    /// Keeps a policy with the store, to be applied whenever a log is full, or none.
    /// Where its archive can't be written, nothing is dropped until it can.
    ///
    /// ```
    /// use std::time::Duration;
    /// use forebear::{Retention, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let ninety_days = Duration::from_secs(90 * 24 * 60 * 60);
    /// store.set_retention(Some(Retention::new().max_age(ninety_days)))?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn set_retention(&self, retention: Option<Retention>) -> Result<()> {
        let retention = retention.map(|retention| retention.to_keep()).transpose()?;
        self.command(WriterCommand::SetRetention(retention))
    }

    /// Goes through all sealed segments and makes indexes that are missing or damaged
    /// again. O(events): some microseconds each.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let store = Store::open(folder.path())?;
    /// store.append(Event::new("started"))?;
    /// store.seal()?;
    /// std::fs::remove_file(folder.path().join("0000000001.idx")).expect("it is there");
    /// assert_eq!(store.rebuild()?.made, ["0000000001.idx"]);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn rebuild(&self) -> Result<Rebuilt> {
        self.0.check_owner()?;
        rebuild::rebuild(&self.0.shared.view())
    }

    /// What went wrong or was repaired behind the scenes and no call returned, oldest
    /// first: the newest 256, since the store was opened. Asking takes none away.
    /// O(those kept).
    ///
    /// ```
    /// let store = forebear::Store::in_memory()?;
    /// assert!(store.warnings().is_empty());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn warnings(&self) -> Vec<Warning> {
        self.warnings_after(0)
    }

    /// The warnings whose [number](Warning::number) is beyond this one, for whoever asks
    /// again and again. O(those kept).
    ///
    /// ```
    /// let store = forebear::Store::in_memory()?;
    /// let mut seen = 0;
    /// // Now and then:
    /// for warning in store.warnings_after(seen) {
    ///     eprintln!("{warning}");
    ///     seen = warning.number();
    /// }
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn warnings_after(&self, number: u64) -> Vec<Warning> {
        if self.0.check_owner().is_err() {
            return Vec::new();
        }
        self.0.shared.view().segments.warnings().after(number)
    }

    /// How the store is doing: what waits, and what failed and was not made good since.
    /// O(batches in the spool); it waits for no write.
    ///
    /// An example is at [`Health`].
    pub fn health(&self) -> Health {
        if let Err(error) = self.0.check_owner() {
            return Health { poisoned: Some(error), ..Health::default() };
        }
        let view = self.0.shared.view();
        let failures = self.0.shared.failures();
        let full = view.logs[0].as_ref().filter(|_| view.logs[1].is_some());
        let active = view.logs().last();
        Health {
            queue: self.0.queue.as_ref().map(Queue::health).unwrap_or_default(),
            sealing: SealingHealth {
                logs: full.iter().count(),
                bytes: full.map_or(0, |log| log.visible.log_end),
                active_bytes: active.map_or(0, |log| log.visible.log_end),
                last_error: failures.sealing.get(),
            },
            spool: self.0.spool.as_ref().map(|folder| spool_health(&**folder, failures)),
            poisoned: failures.poisoned.get(),
            stalled: failures.stalled.get(),
            last_warning: view.segments.warnings().last(),
        }
    }

    /// Takes in what other processes handed in through a [`Spool`](crate::Spool) now;
    /// returns how many batches. On a real disk the store does it by itself.
    ///
    /// ```
    /// use forebear::{Event, Spool, Store, storage::SimulatedDisk};
    ///
    /// let disk = SimulatedDisk::new();
    /// let store = Store::builder().open_on(std::sync::Arc::new(disk.clone()))?;
    /// Spool::open_on(&disk)?.submit(Event::new("note").id("handed in"))?;
    /// assert_eq!(store.drain_spool()?, 1);
    /// assert!(store.snapshot().contains("handed in")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn drain_spool(&self) -> Result<u64> {
        self.0.check_owner()?;
        self.0.drain.lock().as_ref().map_or(Ok(0), Drain::now)
    }

    /// Writes what was accepted, syncs it and closes the store for all handles.
    /// Snapshots can still be read.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let other = store.clone();
    /// store.close()?;
    /// assert!(other.append(Event::new("late")).is_err_and(|error| error.is_closed()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn close(self) -> Result<()> {
        self.0.check_owner()?;
        if let Some(drain) = self.0.drain.lock().as_mut() {
            drain.stop(true);
        }
        let outcome = self.command(WriterCommand::Close);
        // The lock is free once the writer is gone.
        if let Some(thread) = self.0.thread.lock().take() {
            let _ = thread.join();
        }
        outcome
    }

    /// What opening found and did.
    ///
    /// ```
    /// use forebear::Store;
    ///
    /// let store = Store::in_memory()?;
    /// for damage in &store.recovery().cut {
    ///     eprintln!("cut {} bytes off {}, kept in {}", damage.length, damage.file, damage.kept_in);
    /// }
    /// assert!(store.recovery().is_clean());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn recovery(&self) -> &RecoveryReport {
        &self.0.recovery
    }

    /// The store's folder; none where it is not on disk.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = forebear::Store::open(&path)?;
    /// assert!(store.path().is_some_and(|folder| folder.ends_with("events.forebear")));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.0.storage.path()
    }

    /// Longest payload that the store takes, in bytes.
    ///
    /// ```
    /// use forebear::{Store, limits};
    ///
    /// let store = Store::in_memory()?;
    /// assert_eq!(store.max_payload_bytes(), limits::DEFAULT_MAX_PAYLOAD_BYTES);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn max_payload_bytes(&self) -> usize {
        self.0.settings.max_payload
    }

    /// Opens a store and starts its threads.
    fn start(settings: Settings, storage: Arc<dyn Storage>) -> Result<Self> {
        let (cache_bytes, map_bytes) = (settings.caches.bytes(), settings.caches.map_bytes());
        let segments = Arc::new(Segments::new(Arc::clone(&storage), cache_bytes, map_bytes, true));
        let opened = opening::open(&storage, cache_bytes, segments, &settings.kinds)?;
        let (shared, catalog) = (Arc::new(opened.shared), Arc::new(opened.catalog));
        let kinds = shared.view().kinds();
        let (queue, jobs) = queue(settings.queue_bytes);
        let writer = Writer::new(Arc::clone(&shared), catalog, opened.log, settings.rotation)
            .ok_or_else(Error::closed)?;
        let writer = Arc::new(WriterLock::new(writer));
        let lock = StoreLock::new(opened.lock);
        let held = lock.clone();
        let view = shared.view();
        let (path, clean) = (storage.path(), opened.recovery.is_clean());
        let owned_path = path.map(Path::to_owned);
        trace::opened(path, view.sealed.len(), view.end_seq(), clean);
        let ends = WriterEnd(Arc::clone(&shared));
        let served = Arc::clone(&writer);
        let work = move || {
            served.run(&jobs);
            // Whoever waits for room is refused before the store can be opened again.
            drop(jobs);
            held.release();
            drop(ends);
            trace::closed(owned_path.as_deref());
        };
        let thread = spawn("forebear-writer", work)
            .map_err(|error| Error::io("start the writer thread for", "the store", error))?;
        let max_payload = settings.max_payload;
        let decode = settings.decoders.clone().over(Arc::clone(&shared), max_payload);
        let drain = Drain::start(
            &*storage,
            Arc::clone(&shared),
            queue.clone(),
            Box::new(decode),
            max_payload,
        );
        let spool = drain.as_ref().map(|drain| Arc::clone(drain.folder()));
        Ok(Self(Arc::new(StoreInner {
            shared,
            spool,
            drain: Mutex::new(drain),
            queue: Some(queue),
            writer,
            thread: Mutex::new(Some(thread)),
            storage,
            settings,
            kinds,
            recovery: opened.recovery,
            owner: Owner::this_process(),
            lock,
        })))
    }

    /// Checks and encodes a batch.
    fn prepare(&self, batch: Batch) -> Result<Prepared> {
        let settings = &self.0.settings;
        batch.validate(settings.max_payload, &self.0.kinds)?;
        let records = batch.len();
        let durability = batch.durability.unwrap_or(settings.durability);
        let when_full = batch.when_full.unwrap_or(settings.when_full);
        let encoded = batch.encode(Some(&self.0.kinds))?;
        let bytes = encoded.bytes();
        if records > 1 && bytes > limits::MAX_BATCH_BYTES {
            return Err(Error::too_long("batch", limits::MAX_BATCH_BYTES, bytes));
        }
        Ok(Prepared { records: encoded, durability, when_full })
    }

    /// Has the writer do what is no write, after all that was asked before.
    fn command(&self, command: WriterCommand) -> Result<()> {
        let (receipt, answer) = Receipt::pair();
        let job = Job::of(EncodedBatch::default(), Durability::Sync, answer);
        self.send(Job { command: Some(command), ..job }, WhenFull::Block)?;
        receipt.wait().map(drop)
    }

    fn send(&self, job: Job, when_full: WhenFull) -> Result<()> {
        self.0.check_owner()?;
        self.0.queue.as_ref().ok_or_else(Error::closed)?.send(job, when_full)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut store = f.debug_struct("Store");
        store.field("path", &self.path());
        // In a forked child the lock of what is published may be held for ever.
        if self.0.owner.is_here() {
            store.field("view", &self.0.shared.view());
        }
        store.finish_non_exhaustive()
    }
}

impl StoreInner {
    /// Fails in a child that was forked off, which lets go of the lock then.
    fn check_owner(&self) -> Result<()> {
        self.owner.check().inspect_err(|_| self.lock.let_go())
    }
}

impl Drop for StoreInner {
    /// Ends the writer, which writes what was accepted first, and waits for it.
    fn drop(&mut self) {
        if self.check_owner().is_err() {
            // The threads are the parent's. What they hold is not even looked at.
            if let Some(thread) = self.thread.get_mut().take() {
                thread.forget();
            }
            let writer = Arc::clone(&self.writer);
            std::mem::forget((self.drain.get_mut().take(), self.queue.take(), writer));
            return;
        }
        // A waker may have dropped the last handle on the writer's own thread, which
        // goes on after it and writes what was accepted.
        let thread = self.thread.get_mut().take();
        let thread = thread.filter(|thread| !thread.is_current());
        if let Some(mut drain) = self.drain.get_mut().take() {
            drain.stop(thread.is_some());
        }
        // The drain, which has a sender too, is stopped by now. The writer goes on for as long as
        // there is one: joined before this one goes, it would never end.
        self.queue = None;
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn spool_health(folder: &dyn Storage, failures: &Failures) -> SpoolHealth {
    let (waiting, refused, error) = match spool::count(folder) {
        Ok((waiting, refused)) => (waiting, refused, None),
        Err(error) => (0, 0, Some(error)),
    };
    SpoolHealth { waiting, refused, last_error: error.or_else(|| failures.spool.get()) }
}

/// A batch that was checked and encoded, how durable it is to be, and what to do while the
/// queue is full.
struct Prepared {
    records: EncodedBatch,
    durability: Durability,
    when_full: WhenFull,
}

/// Says that the writer has ended, however it did: subscriptions must not wait for it.
struct WriterEnd(Arc<Shared>);

impl Drop for WriterEnd {
    fn drop(&mut self) {
        self.0.end();
    }
}
