//! The seam through which all input and output goes: a folder of files.
//!
//! [`Disk`] is the real one. The others are in memory: a plain one, and with feature
//! `testing` `SimulatedDisk`, which has the faults that disks have; the crash tests run
//! on it, and `Intercepted`, which hands the operations of another to a function. The seam
//! is public under that feature alone, so that it can grow.

mod copy;
mod disk;
#[cfg(feature = "testing")]
mod intercepted;
mod mapping;
mod memory;
mod regular;
#[cfg(feature = "testing")]
mod simulator;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) use copy::copy;
pub use disk::Disk;
#[cfg(feature = "testing")]
pub use intercepted::{Intercepted, Operation};
pub use mapping::Map;
pub(crate) use memory::Memory;
#[cfg(feature = "testing")]
pub use simulator::{Fault, SimulatedDisk};

/// A folder of files. Names are relative to it.
///
/// The contract of each method says what is durable once it has returned: that
/// is what the store's promises rest on.
///
/// ```
/// use forebear::storage::{SimulatedDisk, Storage};
///
/// let folder: Box<dyn Storage> = Box::new(SimulatedDisk::new());
/// let file = folder.create("new")?;
/// file.write_at(b"all of it", 0)?;
/// file.sync()?; // The bytes are durable,
/// folder.rename("new", "whole")?;
/// folder.sync_dir()?; // and so is the name: whoever opens it finds all of it.
/// assert_eq!(folder.list()?, ["whole"]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Storage: Debug + Send + Sync {
    /// Opens an existing file for reading and, unless the folder is open for reading
    /// alone, for writing.
    /// [`io::ErrorKind::NotFound`] where there is none; what is there and no regular
    /// file is refused: a symlink is not followed, a FIFO not waited for.
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Makes a file, empty even if there was one of this name, and opens it.
    /// Its name is durable after the next [`sync_dir`](Storage::sync_dir).
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Gives a file another name, replacing what had it. Readers see either the
    /// old or the new one; which survives a power loss is certain after the next
    /// [`sync_dir`](Storage::sync_dir).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Durable after the next [`sync_dir`](Storage::sync_dir).
    fn unlink(&self, name: &str) -> io::Result<()>;

    /// The names of all files and of folders in the folder, sorted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes names durable: files made, renamed and removed so far.
    fn sync_dir(&self) -> io::Result<()>;

    /// Takes the one lock of the folder, or says who holds it. The lock ends
    /// with the guard or with the process.
    fn lock(&self, name: &str, holder: &str) -> io::Result<LockOutcome>;

    /// The folder on disk, where it is one.
    fn path(&self) -> Option<&Path>;

    /// Another folder of the same kind, made if it is missing. It is durable once
    /// this returns.
    fn folder(&self, path: &Path) -> io::Result<Arc<dyn Storage>> {
        let _ = path;
        Err(io::Error::new(io::ErrorKind::Unsupported, "this storage has no other folders"))
    }

    /// A folder in this one, made if it is missing and this one can be written. It is
    /// durable once this returns. A symlink to a folder is refused, not followed.
    fn subfolder(&self, name: &str) -> io::Result<Arc<dyn Storage>> {
        self.folder(&self.path().map_or_else(|| name.into(), |path| path.join(name)))
    }

    /// Gives a file of this folder its name in another folder too, by a second link
    /// to it or else by a copy. [`io::ErrorKind::AlreadyExists`] where that folder
    /// has one of this name.
    ///
    /// The file must be synced and never be changed again. Its bytes are durable
    /// there once this returns, and its name after the other folder's next
    /// [`sync_dir`](Storage::sync_dir).
    fn link_to(&self, name: &str, other: &dyn Storage) -> io::Result<()> {
        if other.open(name).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = self.open(name)?;
        copy(&*file, file.len()?, other, name)
    }
}

/// An open file. Writing past the end makes it longer.
///
/// ```
/// use forebear::storage::{SimulatedDisk, Storage};
///
/// let file = SimulatedDisk::new().create("log")?;
/// file.write_at(b"durable", 3)?;
/// let mut buffer = [0; 16];
/// assert_eq!(file.read_at(&mut buffer, 0)?, 10);
/// assert_eq!(&buffer[..10], b"\0\0\0durable");
/// # Ok::<(), std::io::Error>(())
/// ```
#[allow(
    clippy::len_without_is_empty,
    reason = "a file's length takes a call of the system; nobody asks for less"
)]
pub trait StorageFile: Debug + Send + Sync {
    /// Reads into `buffer` from `offset` on; returns how many bytes there were,
    /// fewer than asked for only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. Other readers see them once it has
    /// returned; they are durable after the next [`sync`](StorageFile::sync).
    /// After an error any part of them may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes content and length durable. After an error they may never be:
    /// calling it again proves nothing.
    fn sync(&self) -> io::Result<()>;

    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Maps a stretch of the file into memory for reading; none where this
    /// storage has no maps. Costs no memory of the process's own.
    ///
    /// The stretch must lie within the file and stay: whoever cuts it off while
    /// it is mapped has the process killed on the next access, and so does a
    /// disk that can't read it.
    fn map(&self, offset: u64, length: usize) -> io::Result<Option<Map>> {
        let _ = (offset, length);
        Ok(None)
    }

    /// Cuts the file or fills it up with zeros.
    /// Durable after the next [`sync`](StorageFile::sync).
    fn set_len(&self, length: u64) -> io::Result<()>;
}

/// Whether there was no room for what was to be written.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What came of trying to lock a folder.
///
/// ```
/// use forebear::storage::{LockOutcome, SimulatedDisk, Storage};
///
/// let disk = SimulatedDisk::new();
/// let guard = match disk.lock("LOCK", "process 7")? {
///     LockOutcome::Taken(guard) => guard,
///     LockOutcome::HeldBy(holder) => panic!("held by {holder}"),
/// };
/// assert!(matches!(disk.lock("LOCK", "process 8")?, LockOutcome::HeldBy(by) if by == "process 7"));
/// drop(guard);
/// assert!(matches!(disk.lock("LOCK", "process 8")?, LockOutcome::Taken(_)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub enum LockOutcome {
    /// The lock, held until this is dropped.
    Taken(Box<dyn Send + Sync + LockGuard>),
    /// Another holds it: what it wrote about itself.
    HeldBy(String),
}

/// Holds the folder's lock until dropped.
///
/// ```
/// use std::fs::File;
/// use forebear::storage::LockGuard;
///
/// /// Of a storage of your own: the system's lock ends with the file.
/// #[derive(Debug)]
/// struct FileLock(File);
///
/// impl LockGuard for FileLock {}
/// ```
pub trait LockGuard: Debug {
    /// Closes what a forked child has of the lock, which stays with the parent. It is
    /// not dropped afterwards.
    fn let_go(&mut self) {}
}
