//! A folder in plain memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::sync::RwLock;

use super::{LockGuard, LockOutcome, Storage, StorageFile};

/// A folder in memory that is gone with its last handle; clones share it. Syncing does
/// nothing: memory has no more durable state to reach. It has no maps, so that readers
/// copy what they read into the caches, as they do of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The files of this folder and of its siblings.
    folders: Arc<RwLock<BTreeMap<PathBuf, MemoryFolder>>>,
    /// Which of them it is; empty for the first.
    path: PathBuf,
}

type MemoryFolder = BTreeMap<String, Arc<FileNode>>;

/// A file's bytes. Like a file of the system, it lives on under an open handle when
/// its name is gone.
#[derive(Debug, Default)]
struct FileNode {
    bytes: RwLock<Vec<u8>>,
}

impl Memory {
    fn read<T>(&self, read: impl FnOnce(&MemoryFolder) -> T) -> T {
        read(self.folders.read().get(&self.path).unwrap_or(&MemoryFolder::new()))
    }

    fn change<T>(&self, change: impl FnOnce(&mut MemoryFolder) -> T) -> T {
        change(self.folders.write().entry(self.path.clone()).or_default())
    }
}

impl Storage for Memory {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let node = self.read(|folder| folder.get(name).cloned()).ok_or_else(|| missing(name))?;
        Ok(Box::new(MemoryFile(node)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let node = Arc::<FileNode>::default();
        self.change(|folder| folder.insert(name.to_owned(), Arc::clone(&node)));
        Ok(Box::new(MemoryFile(node)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|folder| {
            let node = folder.remove(from).ok_or_else(|| missing(from))?;
            folder.insert(to.to_owned(), node);
            Ok(())
        })
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.change(|folder| folder.remove(name)).map(drop).ok_or_else(|| missing(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.read(|folder| folder.keys().cloned().collect()))
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    /// Always free: only the store that made the folder has a handle to it.
    fn lock(&self, _name: &str, _holder: &str) -> io::Result<LockOutcome> {
        Ok(LockOutcome::Taken(Box::new(Unshared)))
    }

    fn path(&self) -> Option<&Path> {
        None
    }

    fn folder(&self, path: &Path) -> io::Result<Arc<dyn Storage>> {
        Ok(Arc::new(Self { folders: Arc::clone(&self.folders), path: path.to_owned() }))
    }
}

#[derive(Debug)]
struct MemoryFile(Arc<FileNode>);

impl StorageFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.bytes.read();
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
        let rest = rest.unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        let start = to_len(offset)?;
        let end = start.checked_add(new.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        let mut bytes = self.0.bytes.write();
        if end > bytes.len() {
            resize(&mut bytes, end)?;
        }
        bytes[start..end].copy_from_slice(new);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.bytes.read().len() as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        resize(&mut self.0.bytes.write(), to_len(length)?)
    }
}

/// The lock of a folder that nobody else can open.
#[derive(Debug)]
struct Unshared;

impl LockGuard for Unshared {}

/// Cuts the bytes or fills them up with zeros; an error, not an abort, where there is
/// no memory for that.
fn resize(bytes: &mut Vec<u8>, length: usize) -> io::Result<()> {
    bytes
        .try_reserve(length.saturating_sub(bytes.len()))
        .map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(length, 0);
    Ok(())
}

fn to_len(length: u64) -> io::Result<usize> {
    usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no file {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_outlives_its_name_and_folders_are_apart() -> io::Result<()> {
        let memory = Memory::default();
        let file = memory.create("old")?;
        file.write_at(b"bytes", 3)?;
        memory.rename("old", "new")?;
        let other = memory.folder(Path::new("archive"))?;
        memory.link_to("new", &*other)?;
        memory.unlink("new")?;
        assert_eq!(memory.list()?, [""; 0]);
        assert_eq!(memory.folder(Path::new("archive"))?.list()?, ["new"]);
        let mut buffer = [1; 10];
        assert_eq!((file.read_at(&mut buffer, 2)?, file.read_at(&mut [0; 1], 9)?), (6, 0));
        assert_eq!(&buffer[..6], b"\0bytes");
        assert!(memory.open("new").is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
        Ok(())
    }
}
