//! Writes a sealed file front to back.

use crate::base::error::{Error, Result};
use crate::segment::pages::{PAGE_BYTES, PageDigest, page_digest};
use crate::storage::{Storage, StorageFile};

/// A file being written, through a buffer of whole pages. The pages from
/// [`start_digests`](Output::start_digests) on are digested.
#[derive(Debug)]
pub(crate) struct Output {
    file: Box<dyn StorageFile>,
    name: String,
    buffer: Vec<u8>,
    /// Bytes written to the file: whole pages.
    flushed: u64,
    digests: Option<Vec<PageDigest>>,
}

impl Output {
    /// Creates the file.
    pub(crate) fn create(storage: &dyn Storage, name: &str) -> Result<Self> {
        let file = storage.create(name).map_err(|error| Error::io("make", name, error))?;
        Ok(Self {
            file,
            name: name.to_owned(),
            buffer: Vec::with_capacity(BUFFER_BYTES + PAGE_BYTES),
            flushed: 0,
            digests: None,
        })
    }

    /// The offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let room = BUFFER_BYTES - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Fills the page up with zeros.
    pub(crate) fn pad(&mut self) -> Result<()> {
        self.buffer.resize(self.buffer.len().next_multiple_of(PAGE_BYTES), 0);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Pads to a page and digests every page from here on.
    pub(crate) fn start_digests(&mut self) -> Result<()> {
        self.pad()?;
        self.flush()?;
        self.digests = Some(Vec::new());
        Ok(())
    }

    /// Pads to a page and returns the digests of the pages since
    /// [`start_digests`](Output::start_digests).
    pub(crate) fn end_digests(&mut self) -> Result<Vec<PageDigest>> {
        self.pad()?;
        self.flush()?;
        Ok(self.digests.take().unwrap_or_default())
    }

    /// Writes the rest of the buffer and syncs the file. Returns its length.
    pub(crate) fn finish(mut self) -> Result<u64> {
        self.flush()?;
        self.file.sync().map_err(|error| Error::io("sync", &self.name, error))?;
        Ok(self.flushed)
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(digests) = &mut self.digests {
            digests.extend(self.buffer.chunks(PAGE_BYTES).map(page_digest));
        }
        self.file
            .write_at(&self.buffer, self.flushed)
            .map_err(|error| Error::io("write", &self.name, error))?;
        self.flushed += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// The `N` bytes at `at` of a fixed-size entry.
pub(crate) fn field<const N: usize>(entry: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&entry[at..at + N]);
    field
}

/// Bytes written at a time: as many as come into memory with one page that is read.
const BUFFER_BYTES: usize = 16 * PAGE_BYTES;
