//! Opening regular files, and nothing that merely has their name.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a file, and refuses whatever else has its name: a symlink is not followed, and
/// neither a FIFO, a socket nor a device is waited for, read or written.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    safely(options, path)?;
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
        // What the system says of a symlink or a socket differs and names neither.
        Err(error) => return Err(refusal(path, fs::symlink_metadata(path)).unwrap_or(error)),
    };
    match refusal(path, file.metadata()) {
        None => Ok(file),
        Some(refused) => Err(refused),
    }
}

/// Refuses anything but a folder, a symlink to one included; nothing where there is
/// none of this name.
pub(super) fn check_folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!(
                "expected a folder at {}, found {}, which is not followed; move it away",
                path.display(),
                name_of(found.file_type())
            ),
        )),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "the same signature where it can fail")]
fn safely(options: &mut OpenOptions, _path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    // Opening a FIFO waits for its other end unless told not to. Regular files ignore it.
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    Ok(())
}

/// Where opening has no such flags, the name is looked at first.
#[cfg(not(unix))]
fn safely(_options: &mut OpenOptions, path: &Path) -> io::Result<()> {
    refusal(path, fs::symlink_metadata(path)).map_or(Ok(()), Err)
}

/// Why this is not opened, where it is there and no regular file.
fn refusal(path: &Path, found: io::Result<Metadata>) -> Option<io::Error> {
    let kind = found.ok()?.file_type();
    (!kind.is_file()).then(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "expected a regular file at {}, found {}, which is neither followed nor read; \
                 move it away and put the file itself in its place",
                path.display(),
                name_of(kind)
            ),
        )
    })
}

#[cfg(unix)]
fn name_of(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    match kind {
        kind if kind.is_symlink() => "a symlink",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_file() => "a file",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn name_of(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_symlink() => "a symlink",
        kind if kind.is_dir() => "a folder",
        _ => "a file of another kind",
    }
}
