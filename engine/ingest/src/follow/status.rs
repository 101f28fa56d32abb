//! The state of a follower, and how far files were read.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use forebear_core::listing::{Checkpoints, Listing, Parameters, Position};
use forebear_core::{Checkpoint, Page, Query, Result, Snapshot};
use serde::{Deserialize, Serialize};

use crate::read::position::ReadPosition;

/// The state of a follower, for health checks.
///
/// The follower keeps it in the store too, so that other processes see it: see
/// [`last`](Self::last).
///
/// ```
/// use forebear::ingest::{IngestOptions, Follower};
///
/// # let store = forebear::in_memory()?;
/// # let folder = tempfile::tempdir().expect("a folder");
/// std::fs::write(folder.path().join("a.jsonl"), "{\"uuid\":\"a\"}\n{\"uuid\":").expect("writes");
/// let mut follower = Follower::new(&store, IngestOptions::new([folder.path()]))?;
/// follower.poll_once()?;
/// let status = follower.status();
/// assert_eq!((status.files, status.events, status.bytes_behind, status.bytes_waiting), (1, 1, 0, 8));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FollowStatus {
    /// When this was so, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// The process that follows.
    pub process: u32,
    /// Files that are followed.
    pub files: u64,
    /// Files of which there is more to read.
    pub files_behind: u64,
    /// Bytes that are there and not read yet.
    pub bytes_behind: u64,
    /// How long ago the first of them were written, by the file's modification time.
    pub seconds_behind: f64,
    /// Bytes of last lines that have no end yet.
    pub bytes_waiting: u64,
    /// Events and versions stored since the follower began, those without an id of
    /// their own among them.
    pub events: u64,
    /// How many of them a second, over the last ten seconds.
    pub events_per_second: f64,
    /// Pieces of input quarantined since the follower began.
    pub quarantined: u64,
    /// Times that a file could not be read.
    pub read_errors: u64,
    /// Files and folders that can't be read now, the first few, and why.
    pub failing: Vec<(PathBuf, String)>,
    /// What the process holds in memory, where the system says so.
    pub memory_bytes: Option<u64>,
    /// Whether the system reports changes; else files are polled.
    pub is_notified: bool,
    /// Whether the follower was stopped in good order.
    pub has_ended: bool,
}

impl FollowStatus {
    /// What the follower of a store last kept of its status, in whatever process: at
    /// most ten seconds old while anything changes, and a minute while nothing does.
    ///
    /// ```
    /// use forebear::ingest::{IngestOptions, FollowStatus, Follower};
    ///
    /// let store = forebear::in_memory()?;
    /// let mut follower = Follower::new(&store, IngestOptions::new(["/not/there/yet"]))?;
    /// let stop = follower.stop_handle();
    /// stop.stop();
    /// follower.run(|_| {})?;
    /// let last = FollowStatus::last(&store.snapshot())?.expect("it ran");
    /// assert!(last.has_ended);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn last(snapshot: &Snapshot) -> Result<Option<Self>> {
        let kept = snapshot.checkpoint(STATUS_SOURCE)?;
        Ok(kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut status = self.clone();
        loop {
            match serde_json::to_vec(&status) {
                Ok(bytes) if bytes.len() <= MAX_STATUS_BYTES => return bytes,
                _ if status.failing.pop().is_some() => {}
                _ => return Vec::new(),
            }
        }
    }
}

/// How far a file was read.
///
/// ```
/// use std::ops::ControlFlow;
/// use forebear::ingest::{FilePosition, IngestOptions, import};
///
/// # let store = forebear::in_memory()?;
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let file = folder.path().join("session.jsonl");
/// std::fs::write(&file, "{\"uuid\":\"a\"}\n").expect("writes");
/// import(&store, &IngestOptions::new([&file]), |_| ControlFlow::Continue(()))?;
/// let page = FilePosition::list(&store.snapshot()).page()?;
/// assert_eq!((page.items[0].offset, page.items[0].lines), (13, 1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilePosition {
    /// The file.
    pub path: PathBuf,
    /// What lies before, in bytes, is in the store.
    pub offset: u64,
    /// Lines before that.
    pub lines: u64,
    /// How long the file was when that was read.
    pub size: u64,
    /// Its format.
    pub format: String,
}

impl FilePosition {
    /// How far each file was read that was ever imported or followed, in order of
    /// paths. Costs what [`Snapshot::checkpoints`] does.
    pub fn list(snapshot: &Snapshot) -> Query<FilePositions> {
        Query::new(FilePositions { checkpoints: snapshot.checkpoints().into_listing() })
    }

    fn of(checkpoint: Checkpoint) -> Option<Self> {
        let position = ReadPosition::decode(&checkpoint.position)?;
        Some(Self {
            path: checkpoint.source.into(),
            offset: position.taken,
            lines: position.line.lines,
            size: position.seen.size,
            format: position.format,
        })
    }
}

/// How far files were read. Asked by [`FilePosition::list`].
#[derive(Clone, Debug)]
pub struct FilePositions {
    checkpoints: Checkpoints,
}

impl Listing for FilePositions {
    type Item = FilePosition;
    const NAME: &'static str = "file-positions";

    fn parameters(&self, parameters: &mut Parameters) {
        self.checkpoints.parameters(parameters);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<FilePosition, Position>> {
        let Page { items, next, damaged } = self.checkpoints.read(after, limit)?;
        let items = items.into_iter().filter_map(FilePosition::of).collect();
        Ok(Page::new(items, next).with_damaged(damaged))
    }
}

/// The rate at which a count rises, over the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    /// The count at some times, the oldest first.
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    pub(crate) fn sample(&mut self, now: Instant, count: u64) {
        let last = self.samples.back().map(|(time, _)| *time);
        if last.is_none_or(|last| now.duration_since(last) >= SAMPLE_TIME) {
            self.samples.push_back((now, count));
        }
        while self.samples.len() > 1 && now.duration_since(self.samples[0].0) > RATE_TIME {
            self.samples.pop_front();
        }
    }

    pub(crate) fn per_second(&self, now: Instant, count: u64) -> f64 {
        let Some((since, before)) = self.samples.front() else {
            return 0.0;
        };
        let seconds = now.duration_since(*since).max(SAMPLE_TIME).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate is not exact")]
        let risen = count.saturating_sub(*before) as f64;
        risen / seconds
    }
}

/// What this process holds in memory, where the system says so.
pub(crate) fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The name under which the status is kept: no file's, since those are absolute paths.
pub(crate) const STATUS_SOURCE: &str = "forebear:follower";
/// Most bytes of a checkpoint.
const MAX_STATUS_BYTES: usize = 4096;
const SAMPLE_TIME: Duration = Duration::from_secs(1);
const RATE_TIME: Duration = Duration::from_secs(10);
