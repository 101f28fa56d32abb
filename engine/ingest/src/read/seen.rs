//! What the system says of a file without reading it.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use forebear_core::Time;

/// Which file it is, how long, and when it was changed. Equal means unchanged, once
/// it has [settled](Self::has_settled).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileStamp {
    pub(crate) file: FileId,
    pub(crate) size: u64,
    pub(crate) modified_ns: i64,
    /// When the content, the name or anything else about it changed, which no
    /// program can set.
    pub(crate) changed_ns: i64,
}

/// A file, whatever it is called. All 0 where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl FileStamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let modified_ns = Time::from(modified).ns();
        let (file, changed_ns) = identity(metadata, modified_ns);
        Self { file, size: metadata.len(), modified_ns, changed_ns }
    }

    /// Of a database with the log beside it, into which others write first.
    pub(crate) fn of_database(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&fs::metadata(path)?).with_log(path))
    }

    /// Of a file: of what is called as databases are, with its log.
    pub(crate) fn of_file(path: &Path, metadata: &Metadata) -> Self {
        let seen = Self::of(metadata);
        let is_database = path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("db"));
        if is_database { seen.with_log(path) } else { seen }
    }

    fn with_log(self, path: &Path) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push(LOG_SUFFIX);
        let Ok(log) = fs::metadata(log) else { return self };
        let log = Self::of(&log);
        Self {
            size: self.size.saturating_add(log.size),
            modified_ns: self.modified_ns.max(log.modified_ns),
            changed_ns: self.changed_ns.max(log.changed_ns),
            ..self
        }
    }

    /// Whether a later change would show: the times of files advance in steps, and
    /// what is changed twice within one looks as if it had been changed once.
    pub(crate) fn has_settled(&self, now_ns: i64) -> bool {
        self.age_ns(now_ns) >= STEP_NS
    }

    /// How long ago it changed.
    pub(crate) fn age_ns(&self, now_ns: i64) -> i64 {
        now_ns.saturating_sub(self.modified_ns.max(self.changed_ns))
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata, _modified_ns: i64) -> (FileId, i64) {
    use std::os::unix::fs::MetadataExt;
    let file = FileId { device: metadata.dev(), inode: metadata.ino() };
    let seconds_ns = metadata.ctime().saturating_mul(1_000_000_000);
    (file, seconds_ns.saturating_add(metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata, modified_ns: i64) -> (FileId, i64) {
    (FileId::default(), modified_ns)
}

/// What the name of a database's log ends with.
pub(crate) const LOG_SUFFIX: &str = "-wal";
/// Longer than a step of any file system's clock: 10 ms on most, 2 s on FAT.
const STEP_NS: i64 = 2_000_000_000;
