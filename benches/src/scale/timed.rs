//! A disk that says how long its syncs took.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forebear::storage::{Disk, LockOutcome, Map, Storage, StorageFile};

use crate::scale::write::WRITER;

#[derive(Debug)]
pub(crate) struct Timed {
    disk: Disk,
    syncing: Syncing,
}

/// Nanoseconds of all syncs so far that the writer waited for.
#[derive(Clone, Debug, Default)]
struct Syncing(Arc<AtomicU64>);

#[derive(Debug)]
struct TimedFile {
    file: Box<dyn StorageFile>,
    syncing: Syncing,
}

impl Timed {
    pub(crate) fn new(disk: Disk) -> Self {
        Self { disk, syncing: Syncing::default() }
    }

    /// How long all syncs took so far, of files and of the folder, that the writer
    /// waited for: the files of dropped segments are removed by another thread.
    pub(crate) fn syncing(&self) -> Duration {
        Duration::from_nanos(self.syncing.0.load(Ordering::Relaxed))
    }

    fn timed(&self, file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(TimedFile { file, syncing: self.syncing.clone() })
    }
}

impl Syncing {
    fn time<T>(&self, sync: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let outcome = sync();
        if std::thread::current().name() == Some(WRITER) {
            self.0.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
        outcome
    }
}

impl Storage for Timed {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.disk.open(name).map(|file| self.timed(file))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.disk.create(name).map(|file| self.timed(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.disk.unlink(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.syncing.time(|| self.disk.sync_dir())
    }

    fn lock(&self, name: &str, holder: &str) -> io::Result<LockOutcome> {
        self.disk.lock(name, holder)
    }

    fn path(&self) -> Option<&Path> {
        self.disk.path()
    }
}

impl StorageFile for TimedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.syncing.time(|| self.file.sync())
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn map(&self, offset: u64, length: usize) -> io::Result<Option<Map>> {
        self.file.map(offset, length)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}
