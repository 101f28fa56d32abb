//! The state of a followed file.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::read::reader::FileReader;
use crate::read::seen::FileStamp;

/// The state of a followed file: some 300 bytes while nothing is read of it.
#[derive(Debug, Default)]
pub(crate) struct Tracked {
    /// As it was when it was last examined.
    pub(crate) seen: FileStamp,
    /// Whether a change since would show in `seen`.
    pub(crate) settled: bool,
    /// Up to where it is in the store, and up to where nothing but part of a line is left.
    pub(crate) taken: u64,
    pub(crate) scanned: u64,
    /// Whether it waits for its turn.
    pub(crate) queued: bool,
    /// Whether its last turn ended before the file did.
    pub(crate) unfinished: bool,
    /// In which search for files it was found last.
    pub(crate) search: u64,
    /// Its reader, which reads on without reading all again.
    pub(crate) reader: Option<Box<FileReader>>,
    /// When that was last used.
    pub(crate) used: Option<Instant>,
    pub(crate) retry: Option<Retry>,
}

/// A file that could not be read.
#[derive(Debug)]
pub(crate) struct Retry {
    failures: u32,
    pub(crate) at: Instant,
    pub(crate) error: String,
}

impl Tracked {
    /// A file that need not be read: the store has all of it.
    pub(crate) fn unchanged(seen: FileStamp, taken: u64) -> Self {
        Self { seen, settled: true, taken, scanned: seen.size, ..Self::default() }
    }

    /// Whether there may be something to read, given how it looks now.
    pub(crate) fn may_have_changed(&self, seen: &FileStamp, now_ns: i64) -> bool {
        if self.unfinished || self.retry.is_some() || self.seen != *seen {
            return true;
        }
        // It looks the same, but was read so soon after a change that a second one may
        // not show. A small file is read again at once, a large one when it rests.
        let rest_ns = REST_NS.saturating_add_unsigned(self.taken.saturating_mul(1000));
        !self.settled && (self.taken <= SMALL_BYTES || seen.age_ns(now_ns) >= rest_ns)
    }

    /// Notes that the file could not be read; it is tried again later and later, each
    /// file in a rhythm of its own.
    pub(crate) fn failed(&mut self, path: &Path, error: String, now: Instant) {
        let failures = self.retry.as_ref().map_or(0, |retry| retry.failures).saturating_add(1);
        let longest = FIRST_RETRY.saturating_mul(1 << failures.min(20)).min(LAST_RETRY);
        let mut hasher = DefaultHasher::new();
        (path, failures).hash(&mut hasher);
        let jitter = u32::try_from(hasher.finish() % 512).unwrap_or(0);
        let wait = longest / 2 + longest / 1024 * jitter;
        self.retry = Some(Retry { failures, at: now + wait, error });
        self.reader = None;
        self.unfinished = false;
    }

    /// Whether it could not be read and its time has not come.
    pub(crate) fn is_put_off(&self, now: Instant) -> bool {
        self.retry.as_ref().is_some_and(|retry| now < retry.at)
    }

    /// Bytes that were not read yet.
    pub(crate) fn behind(&self) -> u64 {
        self.seen.size.saturating_sub(self.scanned)
    }
}

const SMALL_BYTES: u64 = 64 << 10;
const REST_NS: i64 = 10_000_000_000;
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_come_later_and_later_and_not_all_at_once() {
        let now = Instant::now();
        let waits = |path: &str| {
            let mut tracked = Tracked::default();
            let waits = (0..30).map(|_| {
                tracked.failed(Path::new(path), String::new(), now);
                tracked.retry.as_ref().unwrap().at - now
            });
            waits.collect::<Vec<_>>()
        };
        let (a, b) = (waits("a"), waits("b"));
        assert_ne!(a, b);
        assert!(a[0] <= FIRST_RETRY * 2 && a[0] >= FIRST_RETRY);
        assert!(a[4] > a[0] && a[8] > a[4]);
        assert!(a.iter().all(|wait| *wait <= LAST_RETRY));
        assert!(a[29] >= LAST_RETRY / 2);
    }
}
