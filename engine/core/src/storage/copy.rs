//! Copying files from one folder to another.

use std::io;

use super::{Storage, StorageFile};

/// Copies the first `length` bytes of a file to a new file of another folder and
/// syncs it. Its name is durable after that folder's next
/// [`sync_dir`](Storage::sync_dir).
pub(crate) fn copy(
    from: &dyn StorageFile,
    length: u64,
    to: &dyn Storage,
    name: &str,
) -> io::Result<()> {
    let file = to.create(name)?;
    let mut buffer = vec![0; length.min(PIECE_BYTES) as usize];
    let mut at = 0;
    while at < length {
        let wanted = (length - at).min(PIECE_BYTES) as usize;
        let read = from.read_at(&mut buffer[..wanted], at)?;
        if read < wanted {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("expected {length} bytes to copy, found {}", at + read as u64),
            ));
        }
        file.write_at(&buffer[..read], at)?;
        at += read as u64;
    }
    file.sync()
}

/// Bytes copied at a time.
const PIECE_BYTES: u64 = 256 << 10;
