//! A storage whose reads, writes and syncs pass through a function.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::storage::{LockOutcome, Map, Storage, StorageFile};

/// What is done to a file or, by [`Operation::SyncDir`], to the folder.
///
/// ```
/// use forebear::storage::Operation;
///
/// let durable = |operation| matches!(operation, Operation::Sync | Operation::SyncDir);
/// assert!(durable(Operation::Sync) && !durable(Operation::Write));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// [`StorageFile::read_at`]
    Read,
    /// [`StorageFile::write_at`]
    Write,
    /// [`StorageFile::sync`]
    Sync,
    /// [`Storage::sync_dir`]
    SyncDir,
}

/// Another storage, of which each read, write and sync is handed to a function: to
/// fail, delay, count or time it. The function gets the operation and a closure that
/// does it, and its outcome is what the engine sees. Reads through
/// [maps](StorageFile::map) are loads from memory and do not pass through it.
///
/// ```
/// use std::io;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use forebear::storage::{Intercepted, Operation, SimulatedDisk};
/// use forebear::{Event, Store};
///
/// let gone = Arc::new(AtomicBool::new(false));
/// let is_gone = Arc::clone(&gone);
/// let disk = Intercepted::new(SimulatedDisk::new(), move |operation, perform| match operation {
///     Operation::Sync if is_gone.load(Ordering::Relaxed) => {
///         Err(io::Error::other("the disk is gone"))
///     }
///     _ => perform(),
/// });
/// let store = Store::builder().open_on(Arc::new(disk))?;
/// gone.store(true, Ordering::Relaxed);
/// assert!(store.append(Event::new("payment")).is_err());
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone)]
pub struct Intercepted<S> {
    storage: S,
    around: Arc<Around>,
}

type Around = dyn Fn(Operation, Perform<'_>) -> io::Result<()> + Send + Sync;
type Perform<'a> = &'a mut dyn FnMut() -> io::Result<()>;

impl<S: Storage> Intercepted<S> {
    /// Hands the operations of `storage` to `around`.
    ///
    /// An example is at [`Intercepted`].
    pub fn new(
        storage: S,
        around: impl Fn(Operation, &mut dyn FnMut() -> io::Result<()>) -> io::Result<()>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { storage, around: Arc::new(around) }
    }

    fn file(&self, file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(InterceptedFile { file, around: Arc::clone(&self.around) })
    }
}

impl<S: fmt::Debug> fmt::Debug for Intercepted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Intercepted").field(&self.storage).finish()
    }
}

impl<S: Storage> Storage for Intercepted<S> {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(self.storage.open(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(self.storage.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.storage.rename(from, to)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.storage.unlink(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.storage.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        (self.around)(Operation::SyncDir, &mut || self.storage.sync_dir())
    }

    fn lock(&self, name: &str, holder: &str) -> io::Result<LockOutcome> {
        self.storage.lock(name, holder)
    }

    fn path(&self) -> Option<&Path> {
        self.storage.path()
    }

    fn folder(&self, path: &Path) -> io::Result<Arc<dyn Storage>> {
        self.storage.folder(path)
    }

    fn link_to(&self, name: &str, other: &dyn Storage) -> io::Result<()> {
        self.storage.link_to(name, other)
    }
}

struct InterceptedFile {
    file: Box<dyn StorageFile>,
    around: Arc<Around>,
}

impl fmt::Debug for InterceptedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InterceptedFile").field(&self.file).finish()
    }
}

impl StorageFile for InterceptedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        (self.around)(Operation::Read, &mut || {
            read = self.file.read_at(buffer, offset)?;
            Ok(())
        })?;
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        (self.around)(Operation::Write, &mut || self.file.write_at(bytes, offset))
    }

    fn sync(&self) -> io::Result<()> {
        (self.around)(Operation::Sync, &mut || self.file.sync())
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
