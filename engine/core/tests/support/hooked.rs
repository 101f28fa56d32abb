//! A simulated disk that asks before it reads and syncs.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use forebear::storage::{LockOutcome, SimulatedDisk, Storage, StorageFile};

/// What is about to be done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Read,
    Sync,
}

/// Calls a function before each read and sync, which fail with its error.
#[derive(Clone)]
pub(crate) struct Hooked {
    disk: SimulatedDisk,
    before: Arc<dyn Fn(Doing) -> io::Result<()> + Send + Sync>,
}

impl Hooked {
    pub(crate) fn new(before: impl Fn(Doing) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { disk: SimulatedDisk::new(), before: Arc::new(before) }
    }

    fn file(&self, file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(HookedFile { file, hooked: self.clone() })
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hooked").field(&self.disk).finish()
    }
}

#[derive(Debug)]
struct HookedFile {
    file: Box<dyn StorageFile>,
    hooked: Hooked,
}

impl Storage for Hooked {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(self.disk.open(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(self.disk.create(name)?))
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
        self.disk.sync_dir()
    }

    fn lock(&self, name: &str, holder: &str) -> io::Result<LockOutcome> {
        self.disk.lock(name, holder)
    }

    fn path(&self) -> Option<&Path> {
        None
    }
}

impl StorageFile for HookedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.hooked.before)(Doing::Read)?;
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        (self.hooked.before)(Doing::Sync)?;
        self.file.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}
