//! Options of a store, and opening it with them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::kind::StateKind;
use crate::base::limits;
use crate::base::options::{Caches, Durability, WhenFull, in_range};
use crate::decoder::{Decoder, Decoders};
use crate::storage::{Disk, Memory, Storage};
use crate::store::Store;
use crate::store::opening;
use crate::upkeep::repair::{self, Repaired};
use crate::writer::rotate::Rotation;

/// Options of a store that is about to be opened.
///
/// ```
/// use forebear::{Durability, Store, WhenFull};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let store = Store::builder()
///     .durability(Durability::Flush) // An append returns once the system has it.
///     .when_full(WhenFull::Return) // And fails rather than wait for room.
///     .max_payload_bytes(1 << 20)
///     .queue_bytes(16 << 20)
///     .cache_bytes(64 << 20)
///     .open(&path)?;
/// assert_eq!(store.max_payload_bytes(), 1 << 20);
/// # Ok::<(), forebear::Error>(())
/// ```
///
/// Options are checked when the store is opened; the order in which they are set does not
/// matter.
#[derive(Clone, Debug, Default)]
pub struct StoreBuilder {
    durability: Durability,
    when_full: WhenFull,
    max_payload_bytes: Option<usize>,
    memory_budget: Option<usize>,
    queue_bytes: Option<usize>,
    caches: Caches,
    segment_bytes: Option<u64>,
    segment_events: Option<u32>,
    seal_in_writer: bool,
    seal_again: Option<Duration>,
    decoders: Decoders,
    kinds: Vec<Arc<dyn StateKind>>,
}

impl StoreBuilder {
    /// Sets what an acknowledgement means; [`Durability::Sync`] unless set.
    ///
    /// ```
    /// use forebear::{Durability, Event, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::builder().durability(Durability::Flush).open(&path)?;
    /// store.append(Event::new("started"))?; // Survives a killed process from here on.
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets what a write does when the queue is full; it waits unless set.
    ///
    /// ```
    /// use forebear::{Event, Store, WhenFull};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::builder().when_full(WhenFull::Return).open(&path)?;
    /// match store.submit(Event::new("sample")) {
    ///     Ok(receipt) => drop(receipt.wait()?),
    ///     Err(error) if error.is_full() => eprintln!("left out a sample: {error}"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets the longest payload in bytes, 1 to 1 GiB: 128 MiB unless set.
    ///
    /// ```
    /// use forebear::storage::SimulatedDisk;
    /// use forebear::{Event, Store};
    ///
    /// # let disk = std::sync::Arc::new(SimulatedDisk::new());
    /// let store = Store::builder().max_payload_bytes(1024).open_on(disk)?;
    /// let long = Event::new("log").payload(vec![b' '; 1025]);
    /// assert!(store.append(long).is_err_and(|error| error.is_invalid()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.max_payload_bytes = Some(bytes);
        self
    }

    /// Sets how many bytes may wait to be written: 8 MiB unless set.
    ///
    /// One batch larger than that waits until it is alone.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = forebear::Store::builder().queue_bytes(64 << 20).open(&path)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = Some(bytes);
        self
    }

    /// Sets how many decoded bytes are kept in memory for reading: 16 MiB unless set. 0
    /// keeps none.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = forebear::Store::builder().cache_bytes(8 << 20).open(&path)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.caches.bytes = Some(bytes);
        self
    }

    /// Sets how much memory the store is to make do with, at least 1 MiB: 64 MiB unless
    /// set. Three eighths each go to the index of the active log, which bounds how much
    /// one segment holds, and to decoded bytes kept for reading; an eighth to the write
    /// queue. [`cache_bytes`](Self::cache_bytes) and [`queue_bytes`](Self::queue_bytes)
    /// say otherwise for their share. What else there is has to do with the rest; sealing takes about as much
    /// as the index again while it runs. Mapped files are the system's, and not
    /// counted.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = forebear::Store::builder().memory_budget(16 << 20).open(&path)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = Some(bytes);
        self
    }

    /// Sets how many bytes of sealed files may stay mapped in memory: 1 GiB unless
    /// set. Beyond that those used longest ago are given back to the system, which
    /// reads them again when they are asked for; what is being read at the moment can
    /// be above it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = forebear::Store::builder().map_budget(32 << 20).open(&path)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn map_budget(mut self, bytes: u64) -> Self {
        self.caches.map_bytes = Some(bytes);
        self
    }

    /// Sets at how many bytes of log a segment is full: 64 MiB unless set.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = forebear::Store::builder().segment_bytes(16 << 20).open(&path)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = Some(bytes);
        self
    }

    /// Sets at how many events and versions a segment is full, 1 to
    /// [`limits::MAX_SEGMENT_EVENTS`]: 131,072 unless set.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = forebear::Store::builder().segment_events(10_000).open(&path)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn segment_events(mut self, events: u32) -> Self {
        self.segment_events = Some(events);
        self
    }

    /// Sets whether full logs are sealed by a thread of their own, as they are
    /// unless set, or by the writer, which then keeps appends waiting.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = forebear::Store::builder().seal_in_background(false).open(&path)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn seal_in_background(mut self, background: bool) -> Self {
        self.seal_in_writer = !background;
        self
    }

    /// Gives the store a [kind of state](crate::state::StateKind). The store's manifest
    /// names it once something was written, and from then on whoever seals the store or
    /// drops segments of it must have it.
    ///
    /// An example is at [`StateKind`].
    #[must_use]
    pub fn state_kind(mut self, kind: Arc<dyn StateKind>) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Gives the store several [kinds of state](crate::state::StateKind), as
    /// [`state_kind`](Self::state_kind) gives it one.
    #[must_use]
    pub fn state_kinds(mut self, kinds: impl IntoIterator<Item = Arc<dyn StateKind>>) -> Self {
        self.kinds.extend(kinds);
        self
    }

    /// The kinds of state that the store is given.
    pub(crate) fn kinds(&self) -> &[Arc<dyn StateKind>] {
        &self.kinds
    }

    /// Has this decoder turn what other processes hand in for it through
    /// [`Spool::submit_foreign`](crate::Spool::submit_foreign) into batches. Of two with
    /// one name the second counts. The one with an empty name gets files of the spool's
    /// version 1, which name none.
    ///
    /// An example is at [`Decoder`].
    #[must_use]
    pub fn decoder(mut self, name: impl Into<String>, decoder: Arc<dyn Decoder>) -> Self {
        self.decoders.add(name.into(), decoder);
        self
    }

    /// Sets how long a sealing that failed is left alone: a minute unless set.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let store = forebear::Store::builder().seal_again(Duration::from_millis(10)).in_memory()?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn seal_again(mut self, after: Duration) -> Self {
        self.seal_again = Some(after);
        self
    }

    /// Opens the store in this folder, making it if there is none; see
    /// [`Store::open`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("folders/are/made/events.forebear");
    /// let store = forebear::Store::builder().open(&path)?;
    /// assert!(path.is_dir());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn open(self, path: impl AsRef<Path>) -> Result<Store> {
        let path = path.as_ref();
        let disk = Disk::open(path).map_err(|error| Error::io("open", path, error))?;
        self.open_storage(Arc::new(disk))
    }

    /// Makes the manifest of a store again that is lost or damaged, which opening refuses to
    /// do where there are sealed segments: from the footers of segments and the logs, the
    /// longest past that fits together. Nothing is removed; files that are no part of it are
    /// moved to the folder `damaged`. Does nothing where the manifest is sound.
    ///
    /// Fails as opening does where the store is open for writing, and where there is nothing
    /// to make a manifest from ([`Error::is_damaged`]).
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let store = Store::open(folder.path())?;
    /// store.append(Event::new("started").id("boot"))?;
    /// store.seal()?;
    /// store.close()?;
    /// std::fs::write(folder.path().join("MANIFEST"), "nothing of ours").expect("writes");
    /// assert!(Store::open(folder.path()).is_err_and(|error| error.is_damaged()));
    ///
    /// let repaired = Store::builder().repair(folder.path())?;
    /// assert_eq!((repaired.segments, repaired.moved.len()), (1, 0));
    /// assert!(Store::open(folder.path())?.snapshot().contains("boot")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn repair(&self, path: impl AsRef<Path>) -> Result<Repaired> {
        let path = path.as_ref();
        let disk = Disk::open(path).map_err(|error| Error::io("open", path, error))?;
        self.repair_on(&disk)
    }

    /// The same on any storage.
    pub fn repair_on(&self, storage: &dyn Storage) -> Result<Repaired> {
        let _lock = opening::lock(storage)?;
        repair::repair(storage, &self.kinds, None)
    }

    /// As [`repair`](Self::repair), with a backup or an archive of the store at hand: where a
    /// sealed segment is damaged or missing, the file from there that the manifest names takes its
    /// place, and the old one is kept in the folder `damaged`. Reads every byte of the sealed
    /// segments.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let (path, copy) = (folder.path().join("events"), folder.path().join("copy"));
    /// let store = Store::open(&path)?;
    /// store.append(Event::new("started").id("boot"))?;
    /// store.seal()?;
    /// store.snapshot().backup(&copy)?;
    /// store.close()?;
    /// std::fs::remove_file(path.join("0000000001.seg")).expect("removes");
    ///
    /// let repaired = Store::builder().repair_from(&path, &copy)?;
    /// assert_eq!(repaired.restored, ["0000000001.seg"]);
    /// assert!(Store::open(&path)?.snapshot().contains("boot")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn repair_from(&self, path: impl AsRef<Path>, from: impl AsRef<Path>) -> Result<Repaired> {
        let (path, from) = (path.as_ref(), from.as_ref());
        let copies = Disk::open_read_only(from).map_err(|error| Error::io("open", from, error))?;
        let disk = Disk::open(path).map_err(|error| Error::io("open", path, error))?;
        self.repair_from_on(&disk, &copies)
    }

    /// The same on any storage.
    pub fn repair_from_on(&self, storage: &dyn Storage, from: &dyn Storage) -> Result<Repaired> {
        let _lock = opening::lock(storage)?;
        repair::repair(storage, &self.kinds, Some(from))
    }

    /// Makes a store in memory, as [`Store::in_memory`].
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::builder().segment_events(2).in_memory()?;
    /// store.append_batch((0..5).map(|n| Event::new("tick").time_ns(n)))?;
    /// store.flush()?; // A log that is full is left behind the batch that filled it.
    /// assert!(store.snapshot().segments().len() > 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn in_memory(self) -> Result<Store> {
        self.open_storage(Arc::new(Memory::default()))
    }

    /// Opens the store on another kind of storage, such as the simulated disk.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use forebear::storage::SimulatedDisk;
    /// use forebear::{Event, Store};
    ///
    /// let disk = SimulatedDisk::new();
    /// let store = Store::builder().open_on(Arc::new(disk.clone()))?;
    /// store.append(Event::new("started").id("boot"))?;
    ///
    /// let after = Store::builder().open_on(Arc::new(disk.power_loss(7)))?;
    /// assert!(after.snapshot().contains("boot")?, "it was acknowledged as synced");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[cfg(feature = "testing")]
    pub fn open_on(self, storage: Arc<dyn Storage>) -> Result<Store> {
        self.open_storage(storage)
    }

    fn open_storage(self, storage: Arc<dyn Storage>) -> Result<Store> {
        Store::start(self.settings()?, storage)
    }

    /// The resolved options; fails with the name of the first option that makes no sense.
    fn settings(self) -> Result<Settings> {
        let budget = self.memory_budget;
        in_range("memory_budget", budget, limits::MIN_MEMORY_BUDGET, usize::MAX)?;
        let most = limits::MAX_PAYLOAD_BYTES;
        in_range("max_payload_bytes", self.max_payload_bytes, 1, most)?;
        in_range("queue_bytes", self.queue_bytes, 1, usize::MAX)?;
        in_range("segment_bytes", self.segment_bytes, 1, limits::MAX_SEGMENT_BYTES)?;
        in_range("segment_events", self.segment_events, 1, limits::MAX_SEGMENT_EVENTS)?;
        let share = |eighths| budget.map(|budget| budget / 8 * eighths);
        let caches = Caches { bytes: self.caches.bytes.or(share(3)), ..self.caches };
        let rotation = Rotation {
            bytes: self.segment_bytes.unwrap_or(limits::SEGMENT_BYTES),
            events: self.segment_events.unwrap_or(limits::SEGMENT_EVENTS),
            index_bytes: share(3).unwrap_or(limits::SEGMENT_INDEX_BYTES),
            in_background: !self.seal_in_writer,
            cache_bytes: caches.bytes(),
            seal_again: self.seal_again.unwrap_or(limits::SEAL_AGAIN_TIME),
        };
        Ok(Settings {
            durability: self.durability,
            when_full: self.when_full,
            max_payload: self.max_payload_bytes.unwrap_or(limits::DEFAULT_MAX_PAYLOAD_BYTES),
            queue_bytes: self.queue_bytes.or(share(1)).unwrap_or(limits::DEFAULT_QUEUE_BYTES),
            caches,
            rotation,
            decoders: self.decoders,
            kinds: self.kinds,
        })
    }
}

/// The options of a store, checked and complete.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) durability: Durability,
    pub(super) when_full: WhenFull,
    pub(super) max_payload: usize,
    pub(super) queue_bytes: usize,
    pub(super) caches: Caches,
    pub(super) rotation: Rotation,
    pub(super) decoders: Decoders,
    pub(super) kinds: Vec<Arc<dyn StateKind>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_options_does_not_matter() {
        let one = Store::builder().memory_budget(8 << 20).cache_bytes(5).queue_bytes(7);
        let other = Store::builder().queue_bytes(7).cache_bytes(5).memory_budget(8 << 20);
        for builder in [one, other] {
            let settings = builder.settings().expect("they make sense");
            assert_eq!((settings.caches.bytes(), settings.queue_bytes), (5, 7));
            assert_eq!(settings.rotation.index_bytes, 3 << 20);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let new = Store::builder;
        for (builder, says) in [
            (new().segment_events(0), "segment_events: expected 1 to 4194304, found 0"),
            (new().segment_events(u32::MAX), "segment_events: expected 1 to 4194304"),
            (new().segment_bytes(0), "segment_bytes: expected 1 to 4294967296, found 0"),
            (new().queue_bytes(0), "queue_bytes: expected at least 1, found 0"),
            (new().max_payload_bytes(0), "max_payload_bytes: expected 1 to 1073741824, found 0"),
            (new().memory_budget(1 << 19), "memory_budget: expected at least 1048576"),
        ] {
            let error = builder.in_memory().expect_err("it makes no sense");
            assert!(error.is_invalid() && error.to_string().starts_with(says), "{error}");
        }
        new().cache_bytes(0).map_budget(0).in_memory().expect("a store without caches");
    }
}
