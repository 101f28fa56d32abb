//! Reading a store from any process, while another one writes to it.

mod builder;

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::format::StoreId;
use crate::base::kind::StateKind;
use crate::base::kinds::Kinds;
use crate::base::options::Caches;
use crate::base::sync::{Mutex, sleep};
use crate::base::warnings::{Warning, WarningKind};
use crate::log::checkpoint::LogCheckpoint;
use crate::log::follow::{Followed, LogFollower};
use crate::manifest::{self, LogStart, Manifest, ManifestMark, Read, Retention, log_name};
use crate::query::filter::Filter;
use crate::segment::segments::Segments;
use crate::snapshot::Snapshot;
use crate::storage::Storage;
use crate::subscription::{Current, Feed, StartFrom, Subscription};
use crate::view::View;
use crate::view::joins::Joins;

pub use builder::ReaderBuilder;

/// A store open for reading, in any process and any number of them, whether or not
/// one has it open for writing. It takes no lock, needs no server and writes
/// nothing, so that a store that can't be written will do. Cheap to clone.
///
/// A snapshot shows whatever had been written when it was asked for, though it may
/// not be on disk yet: a power loss can take away what was already seen.
///
/// ```
/// use forebear::{Event, Reader, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let store = Store::open(&path)?;
/// let reader = Reader::open(&path)?; // Mostly in another process.
/// store.append(Event::new("started").id("boot"))?;
/// assert!(reader.snapshot()?.contains("boot")?);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone)]
pub struct Reader(Arc<ReaderInner>);

struct ReaderInner {
    storage: Arc<dyn Storage>,
    segments: Arc<Segments>,
    joins: Arc<Joins>,
    cache_bytes: usize,
    /// The kinds of state that were handed in.
    kinds: Vec<Arc<dyn StateKind>>,
    state: Mutex<ReadState>,
}

/// The state of reading: the manifest and the logs that are followed.
#[derive(Debug, Default)]
struct ReadState {
    seen: Option<SeenManifest>,
    full: Option<LogFollower>,
    active: Option<LogFollower>,
    current: Option<Current>,
}

#[derive(Debug)]
struct SeenManifest {
    mark: ManifestMark,
    manifest: Manifest,
    /// Whether the one with this mark can't be used, and this is the one before it.
    outdated: bool,
}

impl Reader {
    /// Opens the store in a folder. O(what its logs hold), which is bounded.
    ///
    /// Fails where there is no store ([`Error::is_foreign`]) or its files are not
    /// what was written ([`Error::is_damaged`]).
    ///
    /// ```
    /// use forebear::Reader;
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// assert!(Reader::open(folder.path()).is_err_and(|error| error.is_foreign()), "it is empty");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(path)
    }

    /// Options for opening a store for reading.
    ///
    /// ```
    /// use forebear::{Reader, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// let reader = Reader::builder().cache_bytes(4 << 20).map_budget(64 << 20).open(&path)?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn builder() -> ReaderBuilder {
        ReaderBuilder::default()
    }

    /// Opens the store on a storage of your own. Nothing in it is changed.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use forebear::{Event, Reader, Store, storage::SimulatedDisk};
    ///
    /// let disk = Arc::new(SimulatedDisk::new());
    /// let store = Store::builder().open_on(disk.clone())?;
    /// store.append(Event::new("tick"))?;
    /// assert_eq!(Reader::open_on(disk)?.snapshot()?.stats()?.events, 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[cfg(feature = "testing")]
    pub fn open_on(storage: Arc<dyn Storage>) -> Result<Self> {
        Self::builder().open_on(storage)
    }

    fn start(
        caches: Caches,
        kinds: &[Arc<dyn StateKind>],
        storage: Arc<dyn Storage>,
    ) -> Result<Self> {
        let (cache_bytes, map_bytes) = (caches.bytes(), caches.map_bytes());
        let segments = Arc::new(Segments::new(Arc::clone(&storage), cache_bytes, map_bytes, false));
        let state = Mutex::new(ReadState::default());
        let (kinds, joins) = (kinds.to_vec(), Arc::default());
        let reader =
            Self(Arc::new(ReaderInner { storage, segments, joins, cache_bytes, kinds, state }));
        reader.refresh()?;
        Ok(reader)
    }

    /// The store as it is now: every write that returned before this was called is
    /// seen. A few system calls where nothing has changed, else O(what was added).
    ///
    /// ```
    /// use forebear::{Event, Reader, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// let reader = Reader::open(&path)?;
    /// let before = reader.snapshot()?;
    /// store.append(Event::new("started").id("boot"))?;
    /// assert!(!before.contains("boot")?, "as it was");
    /// assert!(reader.snapshot()?.contains("boot")?);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot::new(self.current()?.view))
    }

    /// Reads what was written since, so that the next snapshot has less to do.
    /// [`snapshot`](Self::snapshot) does it by itself.
    ///
    /// ```
    /// use forebear::{Reader, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// Reader::open(&path)?.refresh()?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn refresh(&self) -> Result<()> {
        self.current().map(drop)
    }

    /// Asks a question of a new snapshot, and asks again of a newer one where what it needed
    /// expired meanwhile.
    ///
    /// ```
    /// use forebear::{Event, Filter, Reader, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// store.append(Event::new("started"))?;
    /// let reader = Reader::open(&path)?;
    /// let page = reader.ask(|snapshot| snapshot.events(Filter::new()).page())?;
    /// assert_eq!(page.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn ask<T>(&self, question: impl Fn(&Snapshot) -> Result<T>) -> Result<T> {
        for _ in 1..ASKED_MAX {
            match question(&self.snapshot()?) {
                Err(error) if error.is_expired() => {}
                answer => return answer,
            }
        }
        question(&self.snapshot()?)
    }

    /// The events that the filter takes, as they are stored, in order of their
    /// sequence numbers.
    ///
    /// ```
    /// use forebear::{Event, Filter, Reader, StartFrom, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// let mut errors = Reader::open(&path)?.subscribe(Filter::new().errors(), StartFrom::Now)?;
    /// store.append(Event::new("tick"))?;
    /// store.append(Event::new("error").id("failure"))?;
    /// let event = errors.next().expect("it goes on for ever")?;
    /// assert_eq!(event.id().to_string(), "failure");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn subscribe(&self, filter: impl Into<Filter>, start: StartFrom) -> Result<Subscription> {
        Subscription::new(Box::new(self.clone()), Arc::default(), filter.into(), start)
    }

    /// Warnings of damage that reading skipped or did without, oldest first: the newest 256
    /// since the reader was opened. Reading them removes none. O(those kept).
    ///
    /// ```
    /// use forebear::{Reader, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// assert!(Reader::open(&path)?.warnings().is_empty());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn warnings(&self) -> Vec<Warning> {
        self.warnings_after(0)
    }

    /// The warnings whose [number](Warning::number) is beyond this one, as
    /// [`Store::warnings_after`](crate::Store::warnings_after).
    pub fn warnings_after(&self, number: u64) -> Vec<Warning> {
        self.0.segments.warnings().after(number)
    }

    /// The policy that is kept with the store, to be applied whenever a log is full; none where
    /// everything is kept. Reads the manifest.
    ///
    /// ```
    /// use forebear::{Event, Reader, Retention, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// let reader = Reader::open(&path)?;
    /// assert_eq!(reader.retention()?, None);
    /// store.set_retention(Some(Retention::new().max_events(1_000_000)))?;
    /// let policy = reader.retention()?.expect("just set");
    /// assert_eq!(policy.to_string(), "more than 1000000 events");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn retention(&self) -> Result<Option<Retention>> {
        Ok(self.0.read_manifest()?.retention)
    }

    /// The folder of the store, where it is on disk.
    ///
    /// ```
    /// use forebear::{Reader, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// assert_eq!(Reader::open(&path)?.path(), store.path());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.0.storage.path()
    }

    /// Syncs the logs that are followed, as any process may. O(bytes not yet on disk);
    /// other calls proceed meanwhile.
    pub(crate) fn sync(&self) {
        let files: Vec<_> = {
            let state = self.0.state.lock();
            state.full.iter().chain(&state.active).filter_map(LogFollower::to_sync).collect()
        };
        for (file, end) in files {
            let done = file.sync().is_ok();
            let mut state = self.0.state.lock();
            let ReadState { full, active, .. } = &mut *state;
            for follower in full.iter_mut().chain(active) {
                follower.note_synced(&file, end, done);
            }
        }
    }

    /// The newest view.
    pub(crate) fn current(&self) -> Result<Current> {
        let mut state = self.0.state.lock();
        for turn in 0..TURNS_MAX {
            match self.0.look(&mut state, turn >= DAMAGED_TURNS_MAX) {
                Ok(Some(current)) => return Ok(current),
                // The files went away between reading the manifest and opening them.
                Ok(None) => {}
                // It may be half replaced, by a copy that another program makes of it.
                Err(error) if error.is_damaged() && turn < DAMAGED_TURNS_MAX => {}
                Err(error) => return Err(error),
            }
            sleep(Duration::from_millis(turn.min(10)));
        }
        Err(Error::damaged(format!(
            "expected the logs that {} names, found one of them missing {TURNS_MAX} times; restore \
             it from a copy",
            manifest::NAME
        )))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Feed for Reader {
    fn current(&self) -> Result<Current> {
        self.current()
    }

    fn sync(&self) {
        self.sync();
    }

    /// Another process may open the store for writing at any time.
    fn has_ended(&self) -> bool {
        false
    }

    fn poll_time(&self) -> Duration {
        POLL_TIME
    }
}

impl ReaderInner {
    /// Reads the manifest and then the logs that it names. None where a log is gone, since
    /// the manifest was replaced meanwhile.
    ///
    /// The manifest need not be read again afterwards: whatever was written before it was
    /// read is in the files that it names, and those stay true when they are sealed. A
    /// damaged manifest is an error, or where that is `tolerated`, the one read before
    /// stays in use.
    fn look(&self, state: &mut ReadState, tolerated: bool) -> Result<Option<Current>> {
        // In this order, so that at worst an unchanged manifest is read again.
        let Some(mark) = ManifestMark::read(&*self.storage)? else { return Err(self.no_store()) };
        let changed = state.seen.as_ref().is_none_or(|seen| seen.mark != mark);
        if changed {
            let (manifest, outdated) = match (self.read_manifest(), state.seen.take()) {
                (Ok(manifest), before) => {
                    state.seen = before;
                    (manifest, false)
                }
                (Err(error), Some(before)) if error.is_damaged() && tolerated => {
                    if !before.outdated {
                        let message = "the previous manifest stays in effect";
                        let warnings = self.segments.warnings();
                        warnings.report_error(WarningKind::ManifestUnusable, message, error);
                    }
                    (before.manifest, true)
                }
                (Err(error), before) => {
                    state.seen = before;
                    return Err(error);
                }
            };
            self.segments.reopen_filters();
            if let Some(SeenManifest { manifest: before, .. }) = &state.seen {
                if before.store != manifest.store {
                    return Err(Error::foreign(
                        "expected the store that was opened, found another in its place; open it \
                         anew",
                    ));
                }
                self.forget_expired(before, &manifest);
            }
            let kinds = Kinds::named_alone(&manifest.kinds, &self.kinds)?;
            self.segments.set_kinds(Arc::new(kinds));
            state.seen = Some(SeenManifest { mark, manifest, outdated });
        }
        let ReadState {
            seen: Some(SeenManifest { manifest, outdated, .. }),
            full,
            active,
            current,
        } = state
        else {
            return Ok(None);
        };
        if let Some(old) = active.take_if(|active| !active.is_of(manifest.store, manifest.active)) {
            // The log that was active is full now, or sealed.
            *full = Some(old);
        }
        if let Some(log) = &manifest.full {
            let end_seq = manifest.active.first_seq;
            let follow = |follower: &mut LogFollower| follower.complete(log, end_seq);
            if !self.follow(full, manifest.store, log.start, follow)? {
                state.seen = None;
                return Ok(None);
            }
        } else {
            *full = None;
        }
        let start = manifest.active;
        let found = self.follow(active, manifest.store, start, LogFollower::follow)?;
        if !found && !manifest.archive {
            if *outdated || self.is_unchanged(mark)? {
                let name = log_name(start.segment);
                return Err(Error::damaged(format!(
                    "expected the log {name}, which {} names, found no such file; restore it from \
                     a copy",
                    manifest::NAME
                )));
            }
            state.seen = None;
            return Ok(None);
        }
        let logs = [&*full, &*active].map(|log| log.as_ref().map(LogFollower::view));
        let followers = [&*full, &*active].into_iter().flatten();
        let durable_end =
            followers.map(LogFollower::durable_end_seq).max().unwrap_or(start.first_seq);
        let durable_end = durable_end.max(start.first_seq);
        let same = current.as_ref().filter(|_| !changed).is_some_and(|current| {
            current.view.logs.iter().zip(&logs).all(|(before, now)| match (before, now) {
                (Some(before), Some(now)) => {
                    Arc::ptr_eq(&before.log, &now.log) && before.visible == now.visible
                }
                (None, None) => true,
                _ => false,
            })
        });
        if !same {
            let sealed = match current {
                Some(current) if !changed => current.view.sealed.clone(),
                _ => manifest.sealed.as_slice().into(),
            };
            let view = View {
                sealed,
                logs,
                segments: Arc::clone(&self.segments),
                joins: Arc::clone(&self.joins),
            };
            *current = Some(Current { view: Arc::new(view), durable_end });
        }
        let current = current.clone().map(|current| Current { durable_end, ..current });
        Ok(current)
    }

    /// Follows a log, from its beginning where another one was followed before. False where
    /// there is no such file.
    fn follow(
        &self,
        follower: &mut Option<LogFollower>,
        store: StoreId,
        start: LogStart,
        follow: impl Fn(&mut LogFollower) -> Result<Followed>,
    ) -> Result<bool> {
        let mut known = follower.take().filter(|follower| follower.is_of(store, start));
        for _ in 0..REPLACED_MAX {
            let mut log = match known.take() {
                Some(log) => log,
                None => match self.open_log(store, start)? {
                    Some(log) => log,
                    None => return Ok(false),
                },
            };
            // A follower that failed is dropped: the next call starts a new one.
            if follow(&mut log)? == Followed::On {
                *follower = Some(log);
                return Ok(true);
            }
            self.joins.clear();
        }
        let name = log_name(start.segment);
        Err(Error::damaged(format!("expected {name} to grow, found it cut again and again")))
    }

    fn open_log(&self, store: StoreId, start: LogStart) -> Result<Option<LogFollower>> {
        let name = log_name(start.segment);
        // Before the log, which is no shorter than an earlier checkpoint says.
        let checkpoint = LogCheckpoint::read(&*self.storage, store, start.segment);
        match self.storage.open(&name) {
            Ok(file) => {
                let warnings = Arc::clone(self.segments.warnings());
                Ok(Some(LogFollower::new(
                    Arc::from(file),
                    store,
                    start,
                    checkpoint,
                    self.cache_bytes,
                    warnings,
                )))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", &name, error)),
        }
    }

    fn is_unchanged(&self, mark: ManifestMark) -> Result<bool> {
        Ok(ManifestMark::read(&*self.storage)? == Some(mark))
    }

    fn read_manifest(&self) -> Result<Manifest> {
        match Manifest::read(&*self.storage)? {
            Read::Sound(manifest) => Ok(manifest),
            Read::Absent => Err(self.no_store()),
            Read::Damaged(reason) => Err(Error::damaged(format!(
                "{} can't be used ({reason}); open the store for writing, which makes it again \
                 where that is possible, or restore it from a copy",
                manifest::NAME
            ))),
        }
    }

    fn no_store(&self) -> Error {
        let place = self.storage.path().map(|path| format!(" at {}", path.display()));
        Error::foreign(format!(
            "expected a store{}, found no {}; check the path",
            place.unwrap_or_default(),
            manifest::NAME
        ))
    }

    fn forget_expired(&self, before: &Manifest, now: &Manifest) {
        let Some(first) = before.sealed.first().map(|sealed| sealed.segment) else { return };
        let end = now.sealed.first().map_or(now.active.segment, |sealed| sealed.segment);
        if first < end {
            self.segments.forget(first..end);
        }
    }
}

/// How often a subscription looks for what another process wrote.
const POLL_TIME: Duration = Duration::from_millis(10);
/// Attempts at a question whose data expires meanwhile.
const ASKED_MAX: usize = 4;
/// Attempts at a manifest whose files are gone when they are opened.
const TURNS_MAX: u64 = 100;
/// Attempts at a damaged manifest: 45 milliseconds.
const DAMAGED_TURNS_MAX: u64 = 10;
/// Attempts at following a log from its beginning.
const REPLACED_MAX: usize = 3;
