//! The follower: looks at files, and reads what is new in them.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebear_core::{Result, Snapshot, Store, Time};

use crate::choice::Choice;
use crate::follow::signal::{Signal, StopHandle};
use crate::follow::status::{FollowStatus, Rate, STATUS_SOURCE, memory_bytes};
use crate::follow::tracked::Tracked;
use crate::follow::watch::Watch;
use crate::importer::Importer;
use crate::options::IngestOptions;
use crate::read::find::{FileToRead, Files};
use crate::read::moved::Moved;
use crate::read::position::{Position, source_name};
use crate::read::reader::{FileReader, LastLine, Turn, open};
use crate::read::seen::{FileId, Seen};
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
/// let store = Store::in_memory()?;
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
    store: Store,
    options: IngestOptions,
    importer: Importer,
    signal: Arc<Signal>,
    files: BTreeMap<PathBuf, Tracked>,
    /// Files that wait for their first turn, and those that take turns.
    waiting: VecDeque<PathBuf>,
    active: VecDeque<PathBuf>,
    /// Files that were read since links were last made.
    touched: BTreeSet<PathBuf>,
    /// Files that are ready to be read on.
    ready: BTreeSet<PathBuf>,
    /// Where files that are new under their name were read to.
    moved: Moved,
    /// How often all files were searched for.
    searches: u64,
    /// Whether more files are there than are remembered.
    overflowed: bool,
    /// Folders that could not be looked at.
    failed: Vec<(PathBuf, String)>,
    read_errors: u64,
    is_notified: bool,
    rate: Rate,
    told: Option<(Instant, FollowStatus)>,
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
    /// # let store = forebear::Store::in_memory()?;
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
            told: None,
        })
    }

    /// Looks at all files and reads what is new, at most 64 MiB: for tests, and for
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
    /// # let store = forebear::Store::in_memory()?;
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let mut follower = Follower::new(&store, IngestOptions::new([folder.path()]))?;
    /// while follower.poll_once()?.more {}
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn poll_once(&mut self) -> Result<Polled> {
        self.search()?;
        self.read_all()
    }

    /// Follows until it is [stopped](Self::stop_handle), as the system tells of changes
    /// or, where it can't, by looking at all files in turn. `tell` is called each time
    /// that something was read or looked for.
    ///
    /// Ends with a sync of the store. Fails as [`poll_once`](Self::poll_once) does.
    ///
    /// ```
    /// use std::thread;
    /// use forebear::ingest::{IngestOptions, Follower};
    ///
    /// # let store = forebear::Store::in_memory()?;
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let mut follower = Follower::new(&store, IngestOptions::new([folder.path()]))?;
    /// let stop = follower.stop_handle();
    /// let running = thread::spawn(move || follower.run(|_| {}));
    /// stop.stop();
    /// running.join().expect("no panic")?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn run(&mut self, mut tell: impl FnMut(&FollowStatus)) -> Result<()> {
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
                // Told of changes, it searches for what it may have missed all the same.
                search_at = begun + if self.is_notified { pause.max(SEARCH_TIME) } else { pause };
            } else if self.look_at(&changes.paths)? {
                search_at = begun;
            }
            let polled = self.read_all()?;
            let status = self.status();
            self.keep(&status)?;
            tell(&status);
            if !polled.more {
                // Several changes are read in one go.
                self.signal.rest(GATHER_TIME);
                let retry_at = self.files.values().filter_map(|file| Some(file.retry.as_ref()?.at));
                // What comes to be where nothing was, no one tells of.
                let look_at = Instant::now() + self.options.poll_interval;
                self.signal.wait(retry_at.fold(search_at.min(look_at), Instant::min));
            }
        }
        self.finish_links()?;
        self.keep(&FollowStatus { has_ended: true, ..self.status() })?;
        self.importer.settle_all()?;
        self.importer.flush()
    }

    /// What ends [`run`](Self::run), from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(Arc::clone(&self.signal))
    }

    /// How it is doing. O(files).
    ///
    /// An example is at [`FollowStatus`].
    pub fn status(&self) -> FollowStatus {
        let time_ns = Time::now().ns();
        let (mut files_behind, mut bytes_behind, mut bytes_waiting) = (0, 0, 0);
        let mut oldest_ns = time_ns;
        let mut failing = self.failed.clone();
        // All in one pass: it is made each time that something moves.
        for (path, file) in &self.files {
            bytes_waiting += file.looked.saturating_sub(file.taken);
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

    /// Keeps the status in the store, now and then.
    fn keep(&mut self, status: &FollowStatus) -> Result<()> {
        let now = Instant::now();
        self.rate.sample(now, self.importer.stored);
        let due = self.told.as_ref().is_none_or(|(at, last)| {
            let counts = |status: &FollowStatus| {
                (status.files, status.bytes_behind, status.events, status.read_errors)
            };
            let age = now.duration_since(*at);
            age >= IDLE_KEEP_TIME || age >= KEEP_TIME && counts(last) != counts(status)
        });
        if due || status.has_ended {
            self.importer.note(STATUS_SOURCE, status.encode())?;
            self.importer.settle_all()?;
            self.told = Some((now, status.clone()));
        }
        Ok(())
    }

    /// Searches for all files, and queues those that may have something new.
    fn search(&mut self) -> Result<()> {
        let found = Files::find_present(&self.options.paths, self.importer.choice());
        self.failed =
            found.failed.iter().map(|(path, error)| (path.clone(), format!("{error:#}"))).collect();
        self.failed.truncate(MAX_FAILING);
        self.searches += 1;
        let snapshot = self.store.snapshot();
        let mut new = HashSet::new();
        for file in found.found {
            self.look(&snapshot, file, &mut new)?;
        }
        self.find_moved(&snapshot, &new)?;
        let search = self.searches;
        self.files.retain(|_, file| file.search == search);
        self.ready.retain(|path| self.files.contains_key(path));
        self.touched.retain(|path| self.files.contains_key(path));
        Ok(())
    }

    /// Looks at files of which the system says that they changed, and at those whose
    /// time has come to be tried again; returns whether to search for more.
    fn look_at(&mut self, paths: &BTreeSet<PathBuf>) -> Result<bool> {
        let snapshot = self.store.snapshot();
        let (mut new, mut search) = (HashSet::new(), false);
        let now = Instant::now();
        let due =
            self.files.iter().filter(|(_, file)| file.retry.is_some() && !file.is_put_off(now));
        let due: Vec<PathBuf> = due.map(|(path, _)| path.clone()).collect();
        for path in paths.iter().chain(&due) {
            let looked = fs::canonicalize(path).and_then(|real| Ok((fs::metadata(&real)?, real)));
            let Ok((metadata, real)) = looked else {
                // One that is to be tried again has gone: it is found when it is back.
                if self.files.get(path).is_some_and(|file| file.retry.is_some()) {
                    self.files.remove(path);
                }
                continue;
            };
            let is_followed =
                self.importer.choice().takes_file(path) || self.files.contains_key(&real);
            if metadata.is_dir() {
                search = true;
            } else if metadata.is_file() && is_followed {
                let file = FileToRead { path: real, seen: Seen::of(&metadata) };
                self.look(&snapshot, file, &mut new)?;
            }
        }
        self.find_moved(&snapshot, &new)?;
        Ok(search)
    }

    /// Queues a file if it may have something new. Adds it to `new` if it was not
    /// known under its name.
    fn look(
        &mut self,
        snapshot: &Snapshot,
        file: FileToRead,
        new: &mut HashSet<FileId>,
    ) -> Result<()> {
        let now_ns = Time::now().ns();
        let FileToRead { path, seen } = file;
        if let Some(tracked) = self.files.get_mut(&path) {
            tracked.search = self.searches;
            if tracked.queued
                || tracked.is_put_off(Instant::now())
                || !tracked.may_have_changed(&seen, now_ns)
            {
                return Ok(());
            }
            if tracked.seen.file != seen.file {
                new.insert(seen.file);
            }
            tracked.seen.size = seen.size;
            tracked.queued = true;
            self.waiting.push_back(path);
            return Ok(());
        }
        let known = Position::of(snapshot, &source_name(&path))?;
        if known.as_ref().is_none_or(|known| known.seen.file != seen.file) {
            new.insert(seen.file);
        }
        let has_room = self.files.len() < MAX_FILES;
        let tracked = match known {
            Some(known) if known.is_current(&seen) => Tracked::unchanged(seen, &known),
            _ => Tracked { seen, queued: true, ..Tracked::default() },
        };
        if tracked.queued {
            self.waiting.push_back(path.clone());
        } else if !has_room {
            self.overflowed = true;
            return Ok(());
        }
        self.files.insert(path, Tracked { search: self.searches, ..tracked });
        Ok(())
    }

    /// Finds out under which names files that are new under theirs were read before.
    fn find_moved(&mut self, snapshot: &Snapshot, new: &HashSet<FileId>) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        // What is not remembered from before this run is in the store alone.
        let mut moved = if self.searches <= 1 || self.overflowed {
            Moved::find(snapshot, new)?
        } else {
            Moved::default()
        };
        for (path, tracked) in &self.files {
            if new.contains(&tracked.seen.file) {
                let position =
                    tracked.source.as_ref().and_then(|source| source.position().cloned());
                let position = match position {
                    Some(position) => Some(position),
                    None => Position::of(snapshot, &source_name(path))?,
                };
                if let Some(position) = position {
                    moved.add(position);
                }
            }
        }
        self.moved.merge(moved);
        Ok(())
    }

    /// Reads what is queued, each file some in turn.
    fn read_all(&mut self) -> Result<Polled> {
        let (stored, mut bytes) = (self.importer.stored, 0);
        while bytes < POLL_BYTES && !self.signal.is_stopped() {
            while self.active.len() < MAX_ACTIVE
                && let Some(path) = self.waiting.pop_front()
            {
                self.active.push_back(path);
            }
            let Some(path) = self.active.pop_front() else {
                break;
            };
            bytes += self.read(&path)?;
            if self.files.get(&path).is_some_and(|file| file.queued) {
                self.active.push_back(path);
            }
            if self.touched.len() >= MAX_READY || self.importer.links_are_due() {
                self.finish_links()?;
            }
        }
        self.finish_links()?;
        let more = !self.active.is_empty() || !self.waiting.is_empty();
        if !more {
            self.moved = Moved::default();
        }
        Ok(Polled { bytes, events: self.importer.stored - stored, more })
    }

    /// Reads some of a file; returns how much.
    fn read(&mut self, path: &Path) -> Result<u64> {
        let Some(mut tracked) = self.files.remove(path) else {
            return Ok(0);
        };
        tracked.queued = false;
        let before = tracked.source.as_ref().map_or(0, |source| source.looked);
        match self.read_tracked(path, &mut tracked)? {
            Ok(()) => {}
            // It is looked for again where it may have gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.ready.remove(path);
                self.touched.remove(path);
                return Ok(0);
            }
            Err(error) => {
                self.read_errors += 1;
                self.ready.remove(path);
                self.touched.remove(path);
                tracked.failed(path, format!("{error:#}"), Instant::now());
            }
        }
        let after = tracked.source.as_ref().map_or(0, |source| source.looked);
        self.files.insert(path.to_owned(), tracked);
        Ok(after.saturating_sub(before))
    }

    fn read_tracked(&mut self, path: &Path, tracked: &mut Tracked) -> Result<io::Result<()>> {
        let (mut file, seen, now_ns) = match open(path) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let unfinished = std::mem::take(&mut tracked.unfinished);
        let before = tracked.source.take();
        let mut source = match before {
            Some(source) => match source.goes_on(&mut file, &seen, unfinished) {
                Ok(true) => source,
                Ok(false) => {
                    let known = source.position().cloned();
                    self.source(path, seen, known)?
                }
                Err(error) => return Ok(Err(error)),
            },
            None => self.source(path, seen, None)?,
        };
        if !unfinished || !source.has_begun() {
            source.opened(seen, now_ns);
        }
        let turn = match self.turn(&mut source, &mut file)? {
            Ok(turn) => turn,
            Err(error) => return Ok(Err(error)),
        };
        tracked.unfinished = turn != Turn::End;
        tracked.queued = tracked.unfinished;
        (tracked.seen, tracked.settled) = source.seen();
        tracked.seen.size = tracked.seen.size.max(source.looked);
        (tracked.taken, tracked.looked) = (source.taken(), source.looked);
        tracked.retry = None;
        tracked.used = Some(Instant::now());
        tracked.source = Some(source);
        self.ready.insert(path.to_owned());
        self.touched.insert(path.to_owned());
        Ok(Ok(()))
    }

    fn turn(&mut self, source: &mut FileReader, file: &mut File) -> Result<io::Result<Turn>> {
        match source.still_waits(file) {
            Ok(true) => return Ok(Ok(Turn::End)),
            Ok(false) => {}
            Err(error) => return Ok(Err(error)),
        }
        let mut lines = match source.lines(file, &self.importer) {
            Ok(lines) => lines,
            Err(error) => return Ok(Err(error)),
        };
        source.turn(&mut lines, &mut self.importer, TURN_BYTES, LastLine::Waits)
    }

    /// A file that is to be read from where it was left, if it still holds that.
    fn source(&self, path: &Path, seen: Seen, known: Option<Position>) -> Result<Box<FileReader>> {
        let own = match known {
            Some(known) => Some(known),
            None => Position::of(&self.store.snapshot(), &source_name(path))?,
        };
        Ok(Box::new(FileReader::new(path, seen, self.moved.positions(own, seen.file))))
    }

    /// Makes the links that follow from what was read, and lets go of what is needed
    /// to read on of files that rest.
    fn finish_links(&mut self) -> Result<()> {
        for path in &self.touched {
            if let Some(source) = self.files.get_mut(path).and_then(|file| file.source.as_mut()) {
                source.link(&mut self.importer)?;
            }
        }
        self.importer.settle_links()?;
        for path in std::mem::take(&mut self.touched) {
            if let Some(source) = self.files.get_mut(&path).and_then(|file| file.source.as_mut()) {
                source.is_linked();
            }
        }
        self.rest();
        Ok(())
    }

    fn rest(&mut self) {
        let now = Instant::now();
        let mut resting: Vec<_> = self
            .ready
            .iter()
            .filter_map(|path| {
                let file = self.files.get(path)?;
                (!file.unfinished).then(|| (file.used, path.clone()))
            })
            .collect();
        resting.sort_unstable();
        let too_many = self.ready.len().saturating_sub(MAX_READY);
        for (at, (used, path)) in resting.into_iter().enumerate() {
            let is_idle = used.is_none_or(|used| now.duration_since(used) >= READY_TIME);
            if at < too_many || is_idle {
                self.ready.remove(&path);
                if let Some(file) = self.files.get_mut(&path) {
                    file.source = None;
                }
            }
        }
    }
}

fn seconds(ns: i64) -> f64 {
    Duration::from_nanos(u64::try_from(ns).unwrap_or(0)).as_secs_f64()
}

/// Most bytes that a poll reads, and roughly those that a file's turn does.
const POLL_BYTES: u64 = 64 << 20;
const TURN_BYTES: u64 = 1 << 20;
/// Files that take turns. Those that wait come in as others are done.
const MAX_ACTIVE: usize = 32;
/// Files that are ready to be read on: 10 KB each, and some more for their agents.
const MAX_READY: usize = 64;
const READY_TIME: Duration = Duration::from_mins(10);
/// Files that are remembered. What rests beyond that is looked up in the store each
/// time that all are searched for.
const MAX_FILES: usize = 50_000;
const MAX_FAILING: usize = 20;
/// Changes within this time are read together.
const GATHER_TIME: Duration = Duration::from_millis(100);
/// How often all files are searched for where the system tells of changes.
const SEARCH_TIME: Duration = Duration::from_secs(30);
/// How often the status is kept, while anything changes and while nothing does.
const KEEP_TIME: Duration = Duration::from_secs(10);
const IDLE_KEEP_TIME: Duration = Duration::from_mins(1);
