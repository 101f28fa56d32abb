//! Handing batches in to a store that another process has open for writing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::kinds::Kinds;
use crate::base::limits;
use crate::base::sync::{Instant, sleep};
use crate::batch::Batch;
use crate::spool::{self, Contents, FOLDER, ForeignContents, SpoolFileState, SpoolFolder};
use crate::storage::{Disk, Storage};
use crate::store::{Store, StoreBuilder};

/// Hands batches in to a store that another process has open for writing.
///
/// A batch goes into a file in the store's folder, and whoever has the store open for
/// writing takes it in within a tenth of a second or so: exactly once, in the order in
/// which one spool's batches were submitted, with all the checks that
/// [`Store::write`] makes. If nobody has, the next one to open it
/// does. A file that can't be taken in is kept beside, and listed by
/// [`Snapshot::quarantined`](crate::Snapshot::quarantined).
///
/// ```
/// use std::time::Duration;
/// use forebear::{Event, Spool, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let store = Store::open(&path)?; // Mostly in another process.
/// let ticket = Spool::open(&path)?.submit(Event::new("note").id("handed in"))?;
/// assert!(ticket.wait(Duration::from_mins(1))?);
/// assert!(store.snapshot().contains("handed in")?);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spool(Arc<SpoolInner>);

#[derive(Debug)]
struct SpoolInner {
    folder: SpoolFolder,
    /// The store's folder, where it is on disk.
    store: Option<PathBuf>,
    /// How the store is opened where nobody has it open.
    builder: StoreBuilder,
    /// The kinds of state that it is given.
    kinds: Kinds,
}

/// A batch that was handed in.
///
/// ```
/// use forebear::{Event, Spool, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let ticket = Spool::open(&path)?.submit(Event::new("note").id("early"))?;
/// assert_eq!(ticket.ids(), ["early".into()]);
/// assert!(!ticket.is_drained()?, "nobody has the store open");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ticket {
    spool: Spool,
    name: String,
    ids: Vec<EventId>,
}

impl Spool {
    /// The spool of the store in this folder. Both are made if they are missing.
    ///
    /// ```
    /// use forebear::{Event, Spool, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// Spool::open(&path)?.submit(Event::new("note").id("early"))?;
    /// let store = Store::open(&path)?;
    /// store.drain_spool()?;
    /// assert!(store.snapshot().contains("early")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, StoreBuilder::default())
    }

    /// As [`open`](Self::open). Wherever the spool opens the store by itself, since
    /// nobody has it open, it does so as this builder says.
    ///
    /// ```
    /// use forebear::{Durability, Event, Spool, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let spool = Spool::open_with(&path, Store::builder().segment_events(1000))?;
    /// spool.submit(Event::new("note").id("early"))?;
    /// assert!(spool.drain_if_free()?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn open_with(path: impl AsRef<Path>, builder: StoreBuilder) -> Result<Self> {
        let path = path.as_ref();
        let disk = Disk::open(path).map_err(|error| Error::io("open", path, error))?;
        Self::on(&disk, builder)
    }

    /// The spool of the store on a storage of your own.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use forebear::{Event, Spool, Store, storage::SimulatedDisk};
    ///
    /// let disk = SimulatedDisk::new();
    /// Spool::open_on(&disk)?.submit(Event::new("note").id("early"))?;
    /// let store = Store::builder().open_on(Arc::new(disk))?;
    /// assert!(store.snapshot().contains("early")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[cfg(feature = "testing")]
    pub fn open_on(storage: &dyn Storage) -> Result<Self> {
        Self::on(storage, StoreBuilder::default())
    }

    fn on(storage: &dyn Storage, builder: StoreBuilder) -> Result<Self> {
        let (store, folder) = (storage.path().map(Path::to_owned), SpoolFolder::open(storage)?);
        let kinds = Kinds::new(&[], builder.kinds())?;
        Ok(Self(Arc::new(SpoolInner { folder, store, builder, kinds })))
    }

    /// Hands a batch in. It survives a power loss once this returns, whatever
    /// durability the batch asks for. Two syncs.
    ///
    /// Fails where the batch breaks a limit ([`Error::is_invalid`]); a batch of more
    /// than [`MAX_BATCH_BYTES`](limits::MAX_BATCH_BYTES) does so even if it is a
    /// single record.
    ///
    /// ```
    /// use forebear::{Batch, Event, Spool};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let spool = Spool::open(&path)?;
    /// spool.submit(Batch::from(Event::new("line")).checkpoint("app.log", "line 1"))?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn submit(&self, batch: impl Into<Batch>) -> Result<Ticket> {
        let batch = batch.into();
        batch.validate(limits::MAX_BATCH_BYTES, &self.0.kinds)?;
        let ids = batch.events.iter().map(|event| event.id.clone()).collect();
        self.hand_in(&Contents::Batch(batch.encode(None)?), ids)
    }

    /// Hands in bytes that a [`Decoder`](crate::Decoder) of this name turns into a batch
    /// when they are taken in, and that came at this time (in nanoseconds since the Unix
    /// epoch): for contents whose events depend on what is stored by then. What can't be
    /// decoded is refused as a batch is; while whoever has the store open lacks the
    /// decoder, it stays where it is. Two syncs, and nothing is read.
    ///
    /// Fails where the name has not 1 to [`MAX_KIND_BYTES`](limits::MAX_KIND_BYTES) bytes
    /// or the bytes are more than [`MAX_BATCH_BYTES`](limits::MAX_BATCH_BYTES) less a few
    /// hundred ([`Error::is_invalid`]).
    ///
    /// An example is at [`Decoder`](crate::Decoder).
    pub fn submit_foreign(
        &self,
        decoder: &str,
        bytes: impl Into<Vec<u8>>,
        time_ns: i64,
    ) -> Result<Ticket> {
        let foreign = ForeignContents { decoder: decoder.to_owned(), bytes: bytes.into(), time_ns };
        self.hand_in(&Contents::Foreign(foreign), Vec::new())
    }

    fn hand_in(&self, contents: &Contents, ids: Vec<EventId>) -> Result<Ticket> {
        let name = self.0.folder.add(&spool::encode(contents)?)?;
        Ok(Ticket { spool: self.clone(), name, ids })
    }

    /// Opens the store if nobody has it open for writing, which takes in what waits,
    /// and closes it. Returns whether nobody had. Only where the store is on disk.
    ///
    /// ```
    /// use forebear::{Event, Reader, Spool};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let spool = Spool::open(&path)?;
    /// spool.submit(Event::new("note").id("early"))?;
    /// assert!(spool.drain_if_free()?);
    /// assert!(Reader::open(&path)?.snapshot()?.contains("early")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn drain_if_free(&self) -> Result<bool> {
        let Some(store) = self.open_if_free()? else { return Ok(false) };
        store.drain_spool()?;
        store.close()?;
        Ok(true)
    }

    /// Opens the store if nobody has it open for writing, for who wants to go on with it;
    /// what waits is taken in meanwhile. None where somebody has, or where it is not on
    /// disk.
    ///
    /// ```
    /// use forebear::{Event, Spool, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let spool = Spool::open(&path)?;
    /// match spool.open_if_free()? {
    ///     Some(store) => drop(store.append(Event::new("note"))?),
    ///     None => drop(spool.submit(Event::new("note"))?),
    /// }
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn open_if_free(&self) -> Result<Option<Store>> {
        let Some(path) = &self.0.store else { return Ok(None) };
        match self.0.builder.clone().open(path) {
            Ok(store) => Ok(Some(store)),
            Err(error) if error.is_locked() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The store's folder; none where it is not on disk.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let spool = forebear::Spool::open(&path)?;
    /// assert!(spool.store_path().is_some_and(|folder| folder.ends_with("events.forebear")));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn store_path(&self) -> Option<&Path> {
        self.0.store.as_deref()
    }

    /// How many batches wait to be taken in.
    ///
    /// ```
    /// use forebear::{Event, Spool};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let spool = Spool::open(&path)?;
    /// spool.submit(Event::new("note"))?;
    /// assert_eq!(spool.waiting()?, 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn waiting(&self) -> Result<u64> {
        self.0.folder.waiting()
    }
}

impl Ticket {
    /// The ids of the batch's events, in the order they were added; none of foreign
    /// contents.
    pub fn ids(&self) -> &[EventId] {
        &self.ids
    }

    /// Whether the batch has been taken in; every reader sees it then, and it is on
    /// disk. Fails where it was refused ([`Error::is_invalid`]).
    pub fn is_drained(&self) -> Result<bool> {
        match self.spool.0.folder.find(&self.name)? {
            SpoolFileState::Waiting => Ok(false),
            SpoolFileState::Drained => Ok(true),
            SpoolFileState::Refused => Err(Error::invalid(format!(
                "the batch was refused and is kept as {FOLDER}/{}; why, the store's quarantined \
                 input says",
                spool::refused(&self.name)
            ))),
        }
    }

    /// Waits until the batch has been taken in, but no longer than this; returns
    /// whether it was. Fails as [`is_drained`](Self::is_drained) does.
    ///
    /// Where nobody has the store open any more, it does as
    /// [`Spool::drain_if_free`] about once a second.
    ///
    /// An example is at [`Spool`].
    pub fn wait(&self, at_most: Duration) -> Result<bool> {
        let begun = Instant::now();
        let mut tried = begun;
        loop {
            if self.is_drained()? {
                return Ok(true);
            }
            if tried.elapsed() >= TAKE_OVER_TIME {
                self.spool.drain_if_free()?;
                tried = Instant::now();
            }
            let Some(left) = at_most.checked_sub(begun.elapsed()) else { return Ok(false) };
            sleep(left.min(WAIT_TIME));
        }
    }
}

/// How often whoever waits looks whether the store is free.
const TAKE_OVER_TIME: Duration = Duration::from_secs(1);
/// How often a ticket is looked at that is waited for.
const WAIT_TIME: Duration = Duration::from_millis(5);
