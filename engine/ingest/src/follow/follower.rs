//! The follower: reads what is there, and what is new, until it is stopped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebear_core::{Result, Store, Time};

use crate::choice::Choice;
use crate::follow::signal::{FollowSignal, StopHandle};
use crate::follow::status::{FollowStatus, Rate, STATUS_SOURCE, memory_bytes};
use crate::follow::tracked::Tracked;
use crate::follow::watch::Watch;
use crate::importer::Importer;
use crate::options::IngestOptions;
use crate::read::moved::Moved;
use crate::target::Target;

/// Follows files: reads what is there, and what is written to them, as events.
///
/// Each event is stored once, whatever happens: how far a file was read is kept in
/// the store, in one block with the events. Files may grow by parts of lines, be
/// renamed, replaced, cut, rewritten and deleted. A file that no longer holds what
/// was read is read from its start again: events known already are repeats, changed
/// ones versions.
///
/// ```
/// use forebear::Store;
/// use forebear::ingest::{IngestOptions, Follower};
///
/// let store = forebear::in_memory()?;
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let file = folder.path().join("session.jsonl");
/// let mut follower = Follower::new(&store, IngestOptions::new([folder.path()]))?;
/// std::fs::write(&file, "{\"uuid\":\"a\"}\n{\"uuid\":\"b\",").expect("writes");
/// assert_eq!(follower.poll_once()?.events, 1);
/// std::fs::write(&file, "{\"uuid\":\"a\"}\n{\"uuid\":\"b\",\"parentUuid\":\"a\"}").expect("writes");
/// assert_eq!(follower.poll_once()?.events, 1);
/// assert_eq!(store.snapshot().depth("b")?, Some(1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
pub struct Follower {
    pub(super) store: Store,
    pub(super) options: IngestOptions,
    pub(super) importer: Importer,
    pub(super) signal: Arc<FollowSignal>,
    pub(super) files: BTreeMap<PathBuf, Tracked>,
    /// Files that wait for their first turn, and those that take turns.
    pub(super) waiting: VecDeque<PathBuf>,
    pub(super) active: VecDeque<PathBuf>,
    /// Files that were read since links were last made.
    pub(super) touched: BTreeSet<PathBuf>,
    /// Files that are ready to be read on.
    pub(super) ready: BTreeSet<PathBuf>,
    /// Where files that are new under their name were read to.
    pub(super) moved: Moved,
    /// How often all files were searched for.
    pub(super) searches: u64,
    /// Whether more files are there than are remembered.
    pub(super) overflowed: bool,
    /// Folders that could not be examined, and why.
    pub(super) failed: Vec<(PathBuf, String)>,
    pub(super) read_errors: u64,
    pub(super) is_notified: bool,
    pub(super) rate: Rate,
    pub(super) stored_status: Option<(Instant, FollowStatus)>,
}

/// What a poll did.
///
/// An example is at [`Follower::poll_once`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Polled {
    /// Bytes read, those included that were read before and were compared.
    pub bytes: u64,
    /// Events and versions newly stored.
    pub events: u64,
    /// Whether there is more to read at once: a backlog is read in parts.
    pub more: bool,
}

impl Follower {
    /// A follower, which begins to read when it is polled or run. Fails where an option
    /// makes no sense or names a format that is not known ([`Error::is_invalid`]).
    ///
    /// [`Error::is_invalid`]: forebear_core::Error::is_invalid
    ///
    /// ```
    /// use forebear::ingest::{IngestOptions, Follower};
    ///
    /// # let store = forebear::in_memory()?;
    /// let follower = Follower::new(&store, IngestOptions::new(["/home/me/.claude/projects"]))?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn new(store: &Store, options: IngestOptions) -> Result<Self> {
        options.validate()?;
        let (target, choice) = (Target::Store(store.clone()), Choice::new(&options)?);
        Ok(Self {
            importer: Importer::new(target, options.durability, choice),
            store: store.clone(),
            options,
            signal: Arc::default(),
            files: BTreeMap::new(),
            waiting: VecDeque::new(),
            active: VecDeque::new(),
            touched: BTreeSet::new(),
            ready: BTreeSet::new(),
            moved: Moved::default(),
            searches: 0,
            overflowed: false,
            failed: Vec::new(),
            read_errors: 0,
            is_notified: false,
            rate: Rate::default(),
            stored_status: None,
        })
    }

    /// Examines all files and reads what is new, at most 64 MiB: for tests, and for
    /// services with a loop of their own. What it counts is stored when it returns,
    /// and agents are linked to the calls that started them.
    ///
    /// An error only if the store fails: then open the store again, and make another
    /// follower. A file that can't be read is tried again later; see
    /// [`status`](Self::status).
    ///
    /// ```
    /// use forebear::ingest::{IngestOptions, Follower};
    ///
    /// # let store = forebear::in_memory()?;
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let mut follower = Follower::new(&store, IngestOptions::new([folder.path()]))?;
    /// while follower.poll_once()?.more {}
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn poll_once(&mut self) -> Result<Polled> {
        self.search()?;
        self.read_all()
    }

    /// Follows until it is [stopped](Self::stop_handle), as the system reports changes or,
    /// where it can't, by polling all files. `report` is called after each round of
    /// reading.
    ///
    /// Ends with a sync of the store. Fails as [`poll_once`](Self::poll_once) does.
    ///
    /// ```
    /// use std::thread;
    /// use forebear::ingest::{IngestOptions, Follower};
    ///
    /// # let store = forebear::in_memory()?;
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let mut follower = Follower::new(&store, IngestOptions::new([folder.path()]))?;
    /// let stop = follower.stop_handle();
    /// let running = thread::spawn(move || follower.run(|_| {}));
    /// stop.stop();
    /// running.join().expect("no panic")?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn run(&mut self, mut report: impl FnMut(&FollowStatus)) -> Result<()> {
        let mut watch = (!self.options.poll_only).then(|| Watch::new(Arc::clone(&self.signal)));
        let mut search_at = Instant::now();
        while !self.signal.is_stopped() {
            let changes = self.signal.take_changes();
            let begun = Instant::now();
            let moved = watch.as_ref().is_some_and(|watch| watch.has_moved(&self.options.paths));
            if begun >= search_at || changes.all || moved {
                if let Some(watch) = &mut watch {
                    watch.ensure(&self.options.paths);
                    self.is_notified = watch.is_complete();
                }
                self.search()?;
                let pause = self.options.poll_interval;
                // Notifications may be missed, so that it searches all the same, less often.
                search_at = begun + if self.is_notified { pause.max(SEARCH_TIME) } else { pause };
            } else if self.check_changed(&changes.paths)? {
                search_at = begun;
            }
            let polled = self.read_all()?;
            let status = self.status();
            self.store_status(&status)?;
            report(&status);
            if !polled.more {
                // Several changes are read in one go.
                self.signal.rest(GATHER_TIME);
                let retry_at = self.files.values().filter_map(|file| Some(file.retry.as_ref()?.at));
                // Nothing reports what appears where no folder was.
                let poll_at = Instant::now() + self.options.poll_interval;
                self.signal.wait(retry_at.fold(search_at.min(poll_at), Instant::min));
            }
        }
        self.finish_links()?;
        self.store_status(&FollowStatus { has_ended: true, ..self.status() })?;
        self.importer.settle_all()?;
        self.importer.flush()
    }

    /// Stops [`run`](Self::run), from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(Arc::clone(&self.signal))
    }

    /// Its state now. O(files).
    ///
    /// An example is at [`FollowStatus`].
    pub fn status(&self) -> FollowStatus {
        let time_ns = Time::now().ns();
        let (mut files_behind, mut bytes_behind, mut bytes_waiting) = (0, 0, 0);
        let mut oldest_ns = time_ns;
        let mut failing = self.failed.clone();
        // All in one pass, since it is made after each round.
        for (path, file) in &self.files {
            bytes_waiting += file.scanned.saturating_sub(file.taken);
            if file.behind() > 0 || file.unfinished {
                files_behind += 1;
                bytes_behind += file.behind();
                oldest_ns = oldest_ns.min(file.seen.modified_ns);
            }
            if let Some(retry) = &file.retry
                && failing.len() < MAX_FAILING
            {
                failing.push((path.clone(), retry.error.clone()));
            }
        }
        FollowStatus {
            time_ns,
            process: std::process::id(),
            files: self.files.len() as u64,
            files_behind,
            bytes_behind,
            seconds_behind: seconds(time_ns.saturating_sub(oldest_ns)),
            bytes_waiting,
            events: self.importer.stored,
            events_per_second: self.rate.per_second(Instant::now(), self.importer.stored),
            quarantined: self.importer.report.quarantined,
            read_errors: self.read_errors,
            failing,
            memory_bytes: memory_bytes(),
            is_notified: self.is_notified,
            has_ended: false,
        }
    }

    /// Stores the status, now and then.
    fn store_status(&mut self, status: &FollowStatus) -> Result<()> {
        let now = Instant::now();
        self.rate.sample(now, self.importer.stored);
        let due = self.stored_status.as_ref().is_none_or(|(at, last)| {
            let counts = |status: &FollowStatus| {
                (status.files, status.bytes_behind, status.events, status.read_errors)
            };
            let age = now.duration_since(*at);
            age >= IDLE_KEEP_TIME || age >= KEEP_TIME && counts(last) != counts(status)
        });
        if due || status.has_ended {
            self.importer.checkpoint(STATUS_SOURCE, status.encode())?;
            self.importer.settle_all()?;
            self.stored_status = Some((now, status.clone()));
        }
        Ok(())
    }
}

fn seconds(ns: i64) -> f64 {
    Duration::from_nanos(u64::try_from(ns).unwrap_or(0)).as_secs_f64()
}

pub(super) const MAX_FAILING: usize = 20;
/// Changes within this time are read together.
const GATHER_TIME: Duration = Duration::from_millis(100);
/// How often all files are searched for where the system reports changes.
const SEARCH_TIME: Duration = Duration::from_secs(30);
/// How often the status is stored, while anything changes and while nothing does.
const KEEP_TIME: Duration = Duration::from_secs(10);
const IDLE_KEEP_TIME: Duration = Duration::from_mins(1);
