//! Pages of a sealed file, each checked against its digest before it is first read.
//!
//! The spine and redb trust the bytes that they read. A page is digested when it is first
//! touched; from then on a read costs the test of one bit.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use twox_hash::XxHash3_128;

use crate::base::error::{Error, Result};
use crate::base::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::storage::{Map, StorageFile};

/// Size of a page. Sections of a sealed file begin at multiples of it.
pub(crate) const PAGE_BYTES: usize = 4096;

/// XXH3-128 of a page. It detects damage and need not resist forgery: whoever can forge a page
/// can forge its digest.
pub(crate) type PageDigest = [u8; 16];

/// The digest of a page or a chunk.
pub(crate) fn page_digest(page: &[u8]) -> PageDigest {
    XxHash3_128::oneshot(page).to_le_bytes()
}

/// The digests of all pages of a file; the last page may be shorter.
pub(crate) fn page_digests(bytes: &[u8]) -> Vec<PageDigest> {
    bytes.chunks(PAGE_BYTES).map(page_digest).collect()
}

/// A range of a file: mapped, or read into memory where the storage has no maps.
#[derive(Debug)]
pub(crate) enum FileBytes {
    Mapped(Map),
    Read(Vec<u8>),
}

/// Page digests in the bytes of a file. The creator has checked those bytes.
#[derive(Clone, Debug)]
pub(crate) struct Digests {
    bytes: Arc<FileBytes>,
    range: Range<usize>,
}

/// A range of a file whose pages are checked as they are read.
pub(crate) struct Pages {
    bytes: Arc<FileBytes>,
    /// How many of the bytes are pages. What follows is checked in other ways.
    length: usize,
    digests: Digests,
    checked: PageSet,
    name: String,
    /// The offset of the pages in the file, for error messages.
    offset: u64,
}

/// A set of pages: a bit for each.
pub(crate) struct PageSet {
    words: Box<[AtomicU64]>,
    /// Runs of 16 pages with at least one in the set.
    runs: AtomicUsize,
}

impl FileBytes {
    /// Maps a range of a file, or reads it where there are no maps.
    pub(crate) fn load(
        file: &dyn StorageFile,
        name: &str,
        offset: u64,
        length: usize,
    ) -> Result<Self> {
        let map =
            if length == 0 { None } else { file.map(offset, length).map_err(io("map", name))? };
        if let Some(map) = map {
            map.expect_jumps();
            return Ok(Self::Mapped(map));
        }
        // The caller bounded the length by that of the file.
        let mut bytes = vec![0; length];
        let read = file.read_at(&mut bytes, offset).map_err(io("read", name))?;
        if read < length {
            return Err(Error::damaged(format!(
                "{name}: expected {length} bytes at byte {offset}, found {read} before the end"
            )));
        }
        Ok(Self::Read(bytes))
    }

    /// Releases mapped pages to the system.
    pub(crate) fn release(&self) {
        if let Self::Mapped(map) = self {
            map.release();
        }
    }
}

impl FileBytes {
    /// Prefetches the cache line with the byte `at`, where it is mapped.
    pub(crate) fn prefetch_line(&self, at: usize) {
        if let Self::Mapped(map) = self {
            map.prefetch_line(at);
        }
    }
}

impl AsRef<[u8]> for FileBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Read(bytes) => bytes,
        }
    }
}

impl Digests {
    /// The digests in this range of bytes that the caller has checked.
    pub(crate) fn new(bytes: Arc<FileBytes>, range: Range<usize>) -> Self {
        Self { bytes, range }
    }

    /// The number of pages that they cover.
    pub(crate) fn len(&self) -> usize {
        self.range.len() / size_of::<PageDigest>()
    }

    /// The digest of a page.
    pub(crate) fn of(&self, page: usize) -> Option<&PageDigest> {
        self.bytes.get(self.range.clone())?.as_chunks().0.get(page)
    }
}

impl Pages {
    /// The pages in the first `length` of bytes that are at `offset` of the file `name`.
    pub(crate) fn new(
        name: &str,
        bytes: Arc<FileBytes>,
        offset: u64,
        length: usize,
        digests: Digests,
    ) -> Result<Self> {
        let pages = length.div_ceil(PAGE_BYTES);
        if length > bytes.len() || pages != digests.len() {
            return Err(Error::damaged(format!(
                "{name}: expected {pages} digests for the {length} bytes at byte {offset}, found \
                 {} and {} bytes",
                digests.len(),
                bytes.len()
            )));
        }
        let checked = PageSet::new(pages);
        Ok(Self { bytes, length, digests, checked, name: name.to_owned(), offset })
    }

    /// Opens a file that consists of pages alone.
    pub(crate) fn open(
        file: &dyn StorageFile,
        name: &str,
        length: u64,
        digests: Digests,
    ) -> Result<Self> {
        let found = file.len().map_err(io("read the length of", name))?;
        let pages = length.div_ceil(PAGE_BYTES as u64);
        if found != length || pages != digests.len() as u64 {
            return Err(Error::damaged(format!(
                "{name}: expected {length} bytes in {pages} pages, found {found} bytes and {} \
                 digests",
                digests.len()
            )));
        }
        let bytes = Arc::new(FileBytes::load(file, name, 0, found as usize)?);
        Self::new(name, bytes, 0, found as usize, digests)
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The bytes in this range, their pages checked.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        if range.start > range.end || range.end > self.length {
            return Err(self.outside(&range));
        }
        for page in range.start / PAGE_BYTES..range.end.div_ceil(PAGE_BYTES) {
            if !self.checked.has(page) {
                self.check(page)?;
            }
        }
        Ok(&self.bytes[range])
    }

    /// `N` bytes at `at`, their pages checked.
    #[inline]
    pub(crate) fn array<const N: usize>(&self, at: usize) -> Result<&[u8; N]> {
        let end = at.saturating_add(N);
        self.bytes(at..end)?.first_chunk().ok_or_else(|| self.outside(&(at..end)))
    }

    /// Copies the bytes at `at` into the buffer, their pages checked.
    pub(crate) fn read(&self, at: u64, buffer: &mut [u8]) -> Result<()> {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        buffer.copy_from_slice(self.bytes(at..at.saturating_add(buffer.len()))?);
        Ok(())
    }

    /// All bytes, with no page checked.
    pub(crate) fn file_bytes(&self) -> &Arc<FileBytes> {
        &self.bytes
    }

    /// Bytes of the pages read since the last release: about as much as the map has in
    /// memory.
    pub(crate) fn resident_bytes(&self) -> usize {
        self.checked.resident_bytes().min(self.length)
    }

    /// Releases the pages to the system. They are checked again when they are next read.
    pub(crate) fn release(&self) {
        self.checked.clear();
        self.bytes.release();
    }

    #[cold]
    fn check(&self, page: usize) -> Result<()> {
        let at = page * PAGE_BYTES;
        let bytes = &self.bytes[at..(at + PAGE_BYTES).min(self.length)];
        if self.digests.of(page) != Some(&page_digest(bytes)) {
            return Err(Error::damaged(format!(
                "{}: the page at byte {} does not have the digest that was kept of it",
                self.name,
                self.offset + at as u64
            )));
        }
        self.checked.set(page);
        Ok(())
    }

    #[cold]
    fn outside(&self, range: &Range<usize>) -> Error {
        Error::damaged(format!(
            "{}: expected bytes {} to {} of {} bytes of tables, found their end before",
            self.name, range.start, range.end, self.length
        ))
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("name", &self.name)
            .field("length", &self.length)
            .field("resident_bytes", &self.resident_bytes())
            .finish_non_exhaustive()
    }
}

impl PageSet {
    pub(crate) fn new(count: usize) -> Self {
        let words = (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { words, runs: AtomicUsize::new(0) }
    }

    #[inline]
    pub(crate) fn has(&self, at: usize) -> bool {
        let word = self.words.get(at / 64);
        word.is_some_and(|word| word.load(Ordering::Acquire) & (1 << (at % 64)) != 0)
    }

    pub(crate) fn set(&self, at: usize) {
        if let Some(word) = self.words.get(at / 64) {
            let before = word.fetch_or(1 << (at % 64), Ordering::AcqRel);
            if before >> (at % 64 / RUN_PAGES * RUN_PAGES) & RUN == 0 {
                self.runs.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    /// About how many bytes of a map are in memory once these pages were read: the system
    /// reads the pages around one, too.
    pub(crate) fn resident_bytes(&self) -> usize {
        self.runs.load(Ordering::Relaxed) * RUN_PAGES * PAGE_BYTES
    }

    pub(crate) fn clear(&self) {
        for word in &self.words {
            let before = word.swap(0, Ordering::AcqRel);
            let marked = |run: &usize| before >> (run * RUN_PAGES) & RUN != 0;
            let runs = (0..64 / RUN_PAGES).filter(marked).count();
            self.runs.fetch_sub(runs, Ordering::Relaxed);
        }
    }
}

/// Pages that Linux maps along with one that is touched, where they are cached.
const RUN_PAGES: usize = 16;
/// The bits of a run.
const RUN: u64 = 0xffff;

impl fmt::Debug for PageSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} marked", self.count())
    }
}

fn io<'n>(action: &'n str, name: &'n str) -> impl Fn(std::io::Error) -> Error + 'n {
    move |error| Error::io(action, name, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Disk, SimulatedDisk, Storage};

    fn open(storage: &dyn Storage, bytes: &[u8]) -> Pages {
        let file = storage.create("pages").expect("makes");
        file.write_at(bytes, 0).expect("writes");
        let digests = page_digests(bytes).concat();
        let all = 0..digests.len();
        let digests = Digests::new(Arc::new(FileBytes::Read(digests)), all);
        Pages::open(&*file, "pages", bytes.len() as u64, digests).expect("opens")
    }

    #[test]
    fn every_changed_byte_is_noticed_mapped_or_read_and_after_a_release() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::open(folder.path()).expect("opens");
        let simulated = SimulatedDisk::new();
        let bytes: Vec<u8> = (0..3 * PAGE_BYTES + 100).map(|at| (at % 251) as u8).collect();
        for storage in [&disk as &dyn Storage, &simulated] {
            let pages = open(storage, &bytes);
            assert_eq!(pages.bytes(4000..4200).expect("sound"), &bytes[4000..4200]);
            assert_eq!(pages.resident_bytes(), bytes.len(), "the pages around them too");
            pages.release();
            assert_eq!(pages.resident_bytes(), 0);
            assert_eq!(pages.bytes(0..bytes.len()).expect("sound"), bytes);
            assert!(pages.bytes(bytes.len() - 1..bytes.len() + 1).is_err());
            assert!(pages.array::<8>(usize::MAX - 3).is_err());
            assert!(pages.read(u64::MAX, &mut [0; 4]).is_err());
        }
        let pages = open(&disk, &bytes);
        let file = disk.open("pages").expect("opens");
        for at in (0..bytes.len()).step_by(97) {
            file.write_at(&[bytes[at] ^ 1], at as u64).expect("writes");
            pages.release();
            let error = pages.bytes(at..at + 1).expect_err("changed");
            assert!(error.is_damaged() && error.to_string().contains("pages: the page at byte"));
            file.write_at(&[bytes[at]], at as u64).expect("writes");
        }
        pages.release();
        assert!(pages.bytes(0..bytes.len()).is_ok(), "the file is as it was");
    }
}
