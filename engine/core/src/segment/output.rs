//! Writing a sealed file from its first byte to its last.

use crate::base::error::{Error, Result};
use crate::segment::pages::{PAGE_BYTES, PageDigest, page_digest};
use crate::storage::{Storage, StorageFile};

/// A file in the making. What is written goes through a buffer of whole pages;
/// the pages from [`start_digests`](Output::start_digests) on are digested.
#[derive(Debug)]
pub(crate) struct Output {
    file: Box<dyn StorageFile>,
    name: String,
    buffer: Vec<u8>,
    /// Bytes written to the file: a multiple of a page.
    flushed: u64,
    digests: Option<Vec<PageDigest>>,
}

impl Output {
    /// Makes the file.
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

    /// Where the next byte goes.
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

    /// Keeps the digests of the pages from here on, which is where a page begins.
    pub(crate) fn start_digests(&mut self) -> Result<()> {
        self.pad()?;
        self.flush()?;
        self.digests = Some(Vec::new());
        Ok(())
    }

    /// The digests of the pages since [`start_digests`](Output::start_digests).
    pub(crate) fn end_digests(&mut self) -> Result<Vec<PageDigest>> {
        self.pad()?;
        self.flush()?;
        Ok(self.digests.take().unwrap_or_default())
    }

    /// Writes what is left and syncs the file. Returns its length.
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

/// `N` bytes of a fixed-size entry, from `at` on.
pub(crate) fn field<const N: usize>(entry: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&entry[at..at + N]);
    field
}

/// Bytes written at a time; whole pages, as many as come into memory with one of them
/// when they are read.
const BUFFER_BYTES: usize = 16 * PAGE_BYTES;
