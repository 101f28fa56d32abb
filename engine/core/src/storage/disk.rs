//! The real disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LockGuard, LockOutcome, Map, Storage, StorageFile, copy, is_full, regular};

/// Most bytes that are read of what a lock's holder wrote about itself.
const MAX_HOLDER_BYTES: u64 = 4096;

/// A folder on disk, readable by its owner alone: folders are made with mode
/// 0700 and files with mode 0600 where the system has modes.
///
/// What is assumed of the system: `fdatasync` on a file makes its bytes and its
/// length durable, `fsync` on a folder makes its names durable, and renaming
/// within a folder is atomic. macOS gets `F_FULLFSYNC`. Windows has no sync of
/// folders; NTFS journals names by itself.
///
/// ```
/// use forebear::storage::{Disk, Storage};
///
/// let folder = tempfile::tempdir()?;
/// let disk = Disk::open(folder.path().join("events.forebear"))?;
/// let file = disk.create("note")?;
/// file.write_at(b"kept", 0)?;
/// file.sync()?;
/// disk.sync_dir()?;
/// assert_eq!(disk.list()?, ["note"]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    writable: bool,
}

impl Disk {
    /// Opens the folder, making it and the folders above it where they are
    /// missing. A folder that it made is durable once this returns.
    ///
    /// # Errors
    ///
    /// Those of the system, and [`io::ErrorKind::NotADirectory`] where the path
    /// is something else than a folder.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let folder = std::path::absolute(path)?;
        make_folder(&folder)?;
        Ok(Self { folder, writable: true })
    }

    /// Opens a folder that is there, for reading alone: files are opened so that no
    /// permission to write is needed, and whatever would change something fails
    /// with [`io::ErrorKind::ReadOnlyFilesystem`].
    ///
    /// # Errors
    ///
    /// Those of the system, [`io::ErrorKind::NotFound`] where there is no such
    /// folder and [`io::ErrorKind::NotADirectory`] where the path is something else.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use forebear::storage::{Disk, Storage};
    ///
    /// let folder = tempfile::tempdir()?;
    /// std::fs::write(folder.path().join("note"), "kept")?;
    /// let disk = Disk::open_read_only(folder.path())?;
    /// assert_eq!(disk.open("note")?.len()?, 4);
    /// assert!(disk.create("other").is_err_and(|e| e.kind() == ErrorKind::ReadOnlyFilesystem));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open_read_only(path: impl AsRef<Path>) -> io::Result<Self> {
        let folder = std::path::absolute(path)?;
        if !fs::metadata(&folder)?.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                format!("expected a folder at {}, found a file", folder.display()),
            ));
        }
        Ok(Self { folder, writable: false })
    }

    /// Fails where the folder was opened for reading alone.
    fn check_writable(&self) -> io::Result<()> {
        if self.writable {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::ReadOnlyFilesystem,
            format!("{} was opened for reading alone", self.folder.display()),
        ))
    }

    fn join(&self, name: &str) -> io::Result<PathBuf> {
        let plain = !name.is_empty()
            && name != "."
            && name != ".."
            && !name.contains(['/', '\\', '\0'])
            && !(cfg!(windows) && name.contains(':'));
        if plain {
            Ok(self.folder.join(name))
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("expected a plain file name, found {name:?}"),
            ))
        }
    }
}

impl Storage for Disk {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let path = self.join(name)?;
        let mut options = if self.writable { options() } else { read_only() };
        Ok(Box::new(DiskFile { file: regular::open(&path, &mut options)? }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.check_writable()?;
        let path = self.join(name)?;
        let file = regular::open(&path, options().create(true).truncate(true))?;
        Ok(Box::new(DiskFile { file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check_writable()?;
        fs::rename(self.join(from)?, self.join(to)?)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.check_writable()?;
        fs::remove_file(self.join(name)?)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            // A name that is not UTF-8 is none of ours; it is still shown, so
            // that a folder of other things isn't taken for an empty one.
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.check_writable()?;
        sync_folder(&self.folder)
    }

    fn lock(&self, name: &str, holder: &str) -> io::Result<LockOutcome> {
        self.check_writable()?;
        let path = self.join(name)?;
        let mut file = regular::open(&path, options().create(true).truncate(false))?;
        match file.try_lock() {
            Ok(()) => {
                name_holder(&mut file, holder)?;
                Ok(LockOutcome::Taken(Box::new(DiskLock { file: Some(file) })))
            }
            Err(TryLockError::WouldBlock) => {
                let mut held_by = Vec::new();
                // Where locks keep readers out (Windows) the holder stays unnamed.
                let _ = file.take(MAX_HOLDER_BYTES).read_to_end(&mut held_by);
                Ok(LockOutcome::HeldBy(String::from_utf8_lossy(&held_by).into_owned()))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.folder)
    }

    fn folder(&self, path: &Path) -> io::Result<Arc<dyn Storage>> {
        Ok(Arc::new(Self::open(path)?))
    }

    fn subfolder(&self, name: &str) -> io::Result<Arc<dyn Storage>> {
        let path = self.join(name)?;
        regular::check_folder(&path)?;
        if self.writable {
            return Ok(Arc::new(Self::open(path)?));
        }
        Ok(Arc::new(Self::open_read_only(path)?))
    }

    fn link_to(&self, name: &str, other: &dyn Storage) -> io::Result<()> {
        let from = self.join(name)?;
        // A second link to what is no file would be none either.
        let file = self.open(name)?;
        if let Some(folder) = other.path() {
            let to = folder.join(name);
            match fs::hard_link(&from, &to) {
                Ok(()) => return Ok(()),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
                    ) =>
                {
                    return Err(error);
                }
                // Another file system, or one without links.
                Err(_) if to.exists() => return Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => {}
            }
        }
        copy(&*file, file.len()?, other, name)
    }
}

#[derive(Debug)]
struct DiskFile {
    file: File,
}

impl StorageFile for DiskFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match read_once(&self.file, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            match write_once(&self.file, &bytes[written..], offset + written as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn map(&self, offset: u64, length: usize) -> io::Result<Option<Map>> {
        Map::new(&self.file, offset, length).map(Some)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}

/// Writes down who holds the lock, for people. A full disk leaves it unsaid: the lock is
/// what counts.
fn name_holder(file: &mut File, holder: &str) -> io::Result<()> {
    match file.set_len(0).and_then(|()| file.write_all(holder.as_bytes())) {
        Err(error) if is_full(&error) => Ok(()),
        outcome => outcome,
    }
}

/// Holds the lock as long as the file is open; a process that dies closes it.
#[derive(Debug)]
struct DiskLock {
    file: Option<File>,
}

impl LockGuard for DiskLock {
    fn let_go(&mut self) {
        self.file = None;
    }
}

impl Drop for DiskLock {
    /// Unlocks it in so many words: a forked child may have the file open still.
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Closing it unlocks it too, unless such a child is there.
            let _ = file.unlock();
        }
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn read_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

/// Makes a folder and those above it where they are missing, each durable in
/// the one above before the next is made.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|ancestor| !ancestor.is_dir()).collect();
    let found = folder.ancestors().nth(missing.len());
    if let Some(above) = found.and_then(Path::parent) {
        // A process that was killed may have made the last one and not synced it.
        // Where the one above can't be read, it wasn't ours to make.
        match sync_folder(above) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            result => result?,
        }
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    for path in missing.into_iter().rev() {
        match builder.create(path) {
            // Another process may have made it at the same moment.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(io::Error::new(
                    io::ErrorKind::NotADirectory,
                    format!("expected a folder at {}, found a file", path.display()),
                ));
            }
            result => result?,
        }
        if let Some(above) = path.parent() {
            sync_folder(above)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature where it can fail")]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn read_once(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(unix)]
fn write_once(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_once(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
fn write_once(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (tempfile::TempDir, Disk) {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::open(folder.path().join("a/b")).expect("opens");
        (folder, disk)
    }

    #[test]
    fn what_is_written_is_read_back_and_reads_stop_at_the_end() {
        let (_folder, disk) = disk();
        let file = disk.create("log").expect("creates");
        file.write_at(b"hello", 3).expect("writes");
        file.sync().expect("syncs");
        disk.sync_dir().expect("syncs");
        let mut buffer = [9; 16];
        assert_eq!(file.read_at(&mut buffer, 0).expect("reads"), 8);
        assert_eq!(&buffer[..8], b"\0\0\0hello");
        assert_eq!(file.read_at(&mut buffer, 8).expect("reads"), 0);
        assert_eq!(file.read_at(&mut buffer, 1000).expect("reads"), 0);
        file.set_len(4).expect("cuts");
        assert_eq!(disk.open("log").expect("opens").len().expect("has one"), 4);
    }

    #[test]
    fn names_are_listed_renamed_and_removed() {
        let (_folder, disk) = disk();
        for name in ["b", "a"] {
            disk.create(name).expect("creates");
        }
        fs::create_dir(disk.folder.join("spool")).expect("makes");
        assert_eq!(disk.list().expect("lists"), ["a", "b", "spool"]);
        disk.rename("a", "b").expect("renames");
        assert_eq!(disk.list().expect("lists"), ["b", "spool"]);
        disk.unlink("b").expect("unlinks");
        let missing = disk.open("b").expect_err("is gone").kind();
        assert_eq!(missing, io::ErrorKind::NotFound);
    }

    #[test]
    fn names_with_separators_are_refused() {
        let (_folder, disk) = disk();
        for name in ["", ".", "..", "a/b", "../a", "/a", "a\\b", "a\0"] {
            let error = disk.create(name).expect_err(name);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn a_file_in_the_way_of_the_folder_is_an_error() {
        let (folder, disk) = disk();
        disk.create("file").expect("creates");
        for path in ["a/b/file", "a/b/file/below"] {
            let error = Disk::open(folder.path().join(path)).expect_err(path);
            assert_eq!(error.kind(), io::ErrorKind::NotADirectory, "{path}");
        }
    }

    #[test]
    fn a_lock_names_its_holder_and_ends_with_its_guard() {
        let (_folder, disk) = disk();
        disk.lock("LOCK", "a longer earlier holder").expect("locks");
        let LockOutcome::Taken(guard) = disk.lock("LOCK", "process 7").expect("locks") else {
            panic!("nobody holds it");
        };
        let LockOutcome::HeldBy(holder) = disk.lock("LOCK", "process 8").expect("answers") else {
            panic!("it is held");
        };
        assert_eq!(holder, "process 7");
        drop(guard);
        assert!(matches!(disk.lock("LOCK", "process 8").expect("locks"), LockOutcome::Taken(_)));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_at_once_and_not_followed() {
        use std::os::unix::fs::symlink;
        use std::os::unix::net::UnixListener;

        let (folder, disk) = disk();
        let outside = folder.path().join("outside");
        fs::write(&outside, "not the store's").expect("writes");
        let path = |name: &str| disk.folder.join(name);
        symlink(&outside, path("symlink")).expect("links");
        symlink(folder.path().join("nowhere"), path("dangling")).expect("links");
        let made = std::process::Command::new("mkfifo").arg(path("fifo")).status().expect("runs");
        assert!(made.success());
        let _listener = UnixListener::bind(path("socket")).expect("binds");
        fs::create_dir(path("folder")).expect("makes");
        let read_only = Disk::open_read_only(&disk.folder).expect("opens");
        for (name, found) in [
            ("symlink", "a symlink"),
            ("dangling", "a symlink"),
            ("fifo", "a FIFO"),
            ("socket", "a socket"),
            ("folder", "a folder"),
        ] {
            let other = Disk::open(folder.path().join("other")).expect("opens");
            let outcomes = [
                disk.open(name).map(drop),
                read_only.open(name).map(drop),
                disk.create(name).map(drop),
                disk.lock(name, "process 7").map(drop),
                disk.link_to(name, &other),
            ];
            for outcome in outcomes {
                let error = outcome.expect_err(name).to_string();
                assert!(error.contains(found) && error.contains("regular file"), "{error}");
            }
            let made = disk.subfolder(name).map(drop);
            assert_eq!(made.is_ok(), name == "folder", "{name}: {made:?}");
        }
        assert_eq!(fs::read(&outside).expect("reads"), b"not the store's");
        assert!(!folder.path().join("nowhere").exists(), "nothing is made through a symlink");
        assert_eq!(disk.open("missing").expect_err("none").kind(), io::ErrorKind::NotFound);
        assert!(disk.subfolder("new").is_ok(), "it is made");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read() {
        use std::os::unix::fs::PermissionsExt;

        let (folder, disk) = disk();
        disk.create("log").expect("creates");
        let _guard = disk.lock("LOCK", "process 7").expect("locks");
        for (path, mode) in [("a", 0o700), ("a/b", 0o700), ("a/b/log", 0o600), ("a/b/LOCK", 0o600)]
        {
            let metadata = fs::metadata(folder.path().join(path)).expect("is there");
            assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
        }
    }
}
