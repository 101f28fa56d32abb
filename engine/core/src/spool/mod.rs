//! The spool: a folder in the store's through which processes hand batches in while
//! another one has the store open for writing.

pub(crate) mod drain;
mod file;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::event::Event;
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::sync::{Instant, Mutex, now_ns, sleep};
use crate::batch::Batch;
use crate::spool::file::Contents;
use crate::storage::{Disk, Storage};
use crate::store::Store;

/// The name of the folder.
pub(crate) const FOLDER: &str = "spool";
/// The source of the checkpoint that says which files were taken in last. Nobody else
/// may write it.
pub(crate) const CHECKPOINT: &str = "spool:";

/// Hands batches in to a store that another process has open for writing.
///
/// A batch goes into a file in the store's folder, and whoever has the store open for
/// writing takes it in within a tenth of a second or so: exactly once, in the order in
/// which one spool's batches were submitted, with all the checks that
/// [`Store::write`](crate::Store::write) makes. If nobody has, the next one to open it
/// does. A file that can't be taken in is kept beside, and told of in
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
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Arc<dyn Storage>,
    /// The store's folder, where it is on disk.
    store: Option<PathBuf>,
    /// Tells this spool's files from all others'.
    submitter: u64,
    last: Mutex<Last>,
}

/// What the newest file's name was made of.
#[derive(Debug, Default)]
struct Last {
    time_ns: u64,
    number: u32,
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
        let path = path.as_ref();
        let disk = Disk::open(path).map_err(|error| Error::io("open", path, error))?;
        Self::open_on(&disk)
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
    pub fn open_on(storage: &dyn Storage) -> Result<Self> {
        let folder = folder_of(storage).map_err(|error| Error::io("open", FOLDER, error))?;
        let (submitter, _) = uuid::Uuid::new_v4().as_u64_pair();
        let (store, last) = (storage.path().map(Path::to_owned), Mutex::new(Last::default()));
        Ok(Self(Arc::new(Inner { folder, store, submitter, last })))
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
        batch.validate(limits::MAX_BATCH_BYTES)?;
        let ids = batch.events.iter().map(|event| event.id.clone()).collect();
        self.hand_in(batch, Contents::Batch, ids)
    }

    /// Hands in the payload of a hook of Claude Code, which came at this time (in
    /// nanoseconds since the Unix epoch), as
    /// [`append_hook`](crate::ingest::append_hook) takes it. What event it stands for
    /// and what that hangs on is found out when it is taken in, by what the store knows
    /// of the session then; a payload that is none is quarantined. Two syncs, and
    /// nothing is read.
    ///
    /// ```
    /// use forebear::{Filter, Spool, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let payload = r#"{"session_id":"s","hook_event_name":"SessionStart"}"#;
    /// Spool::open(&path)?.submit_hook(payload, 1)?;
    /// let store = Store::open(&path)?;
    /// store.drain_spool()?;
    /// let page = store.snapshot().events(&Filter::new().session("s"))?;
    /// assert_eq!(page.items[0].kind(), "SessionStart");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn submit_hook(&self, payload: impl Into<Vec<u8>>, time_ns: i64) -> Result<Ticket> {
        let batch = Batch::from(Event::new("hook").payload(payload).time_ns(time_ns));
        batch.validate(limits::MAX_BATCH_BYTES)?;
        self.hand_in(batch, Contents::Hook, Vec::new())
    }

    fn hand_in(&self, batch: Batch, contents: Contents, ids: Vec<EventId>) -> Result<Ticket> {
        let bytes = file::encode(&batch.encode(), contents)?;
        let inner = &*self.0;
        // Under the lock, so that files appear in the order of their names.
        let mut last = inner.last.lock();
        last.time_ns = now_ns().cast_unsigned().max(last.time_ns);
        last.number = last.number.wrapping_add(1);
        let name = file_name(last.time_ns, inner.submitter, last.number);
        inner.write(&name, &bytes).inspect_err(|_| {
            // It may not have come to be, or have its name already.
            let _ = inner.folder.unlink(&format!("{name}{UNFINISHED}"));
        })?;
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

    /// The store, opened, if nobody has it open for writing.
    pub(crate) fn open_if_free(&self) -> Result<Option<Store>> {
        let Some(path) = &self.0.store else { return Ok(None) };
        match Store::open(path) {
            Ok(store) => Ok(Some(store)),
            Err(error) if error.is_locked() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The store's folder; none where it is not on disk.
    pub(crate) fn store_path(&self) -> Option<&Path> {
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
        let names = self.0.folder.list().map_err(|error| Error::io("list", FOLDER, error))?;
        Ok(names.iter().filter(|name| is_file_name(name)).count() as u64)
    }
}

impl Inner {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let next = format!("{name}{UNFINISHED}");
        let failed = |action: &'static str| {
            let place = format!("{FOLDER}/{next}");
            move |error| Error::io(action, place, error)
        };
        let file = self.folder.create(&next).map_err(failed("make"))?;
        file.write_at(bytes, 0).map_err(failed("write"))?;
        file.sync().map_err(failed("sync"))?;
        self.folder.rename(&next, name).map_err(failed("rename"))?;
        self.folder.sync_dir().map_err(failed("sync the folder of"))
    }
}

impl Ticket {
    /// The ids of the batch's events, in the order they were added; none of a hook's
    /// payload.
    pub fn ids(&self) -> &[EventId] {
        &self.ids
    }

    /// Whether the batch has been taken in; every reader sees it then, and it is on
    /// disk. Fails where it was refused ([`Error::is_invalid`]).
    pub fn is_drained(&self) -> Result<bool> {
        if self.is_there(&self.name)? {
            return Ok(false);
        }
        if self.is_there(&format!("{}{REFUSED}", self.name))? {
            return Err(Error::invalid(format!(
                "the batch was refused and is kept as {FOLDER}/{}{REFUSED}; why, the store's \
                 quarantined input says",
                self.name
            )));
        }
        Ok(true)
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

    fn is_there(&self, name: &str) -> Result<bool> {
        match self.spool.0.folder.open(name) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("open", Path::new(FOLDER).join(name), error)),
        }
    }
}

/// The folder in a store's folder, made if it is missing.
fn folder_of(storage: &dyn Storage) -> io::Result<Arc<dyn Storage>> {
    let path = storage.path().map(|path| path.join(FOLDER));
    storage.folder(&path.unwrap_or_else(|| FOLDER.into()))
}

/// A name that sorts by time, and by number among those of one spool.
fn file_name(time_ns: u64, submitter: u64, number: u32) -> String {
    format!("{time_ns:016x}-{submitter:016x}-{number:08x}{ENDING}")
}

/// Whether a name is one that a spool gives to a file which is whole.
fn is_file_name(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(ENDING) else { return false };
    let mut parts = stem.split('-');
    let is_part = |part: Option<&str>, digits: usize| {
        part.is_some_and(|part| {
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    is_part(parts.next(), 16)
        && is_part(parts.next(), 16)
        && is_part(parts.next(), 8)
        && parts.next().is_none()
}

const ENDING: &str = ".batch";
/// What a file's name ends with while it is written.
const UNFINISHED: &str = ".next";
/// What the name of a file ends with that was refused.
const REFUSED: &str = ".refused";
/// How often whoever waits looks whether the store is free.
const TAKE_OVER_TIME: Duration = Duration::from_secs(1);
/// How often a ticket is looked at that is waited for.
const WAIT_TIME: Duration = Duration::from_millis(5);
