//! Files mapped into memory. The one place with `unsafe` code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::{Mmap, MmapOptions};

/// A stretch of a file, mapped for reading.
///
/// ```
/// use forebear::storage::{Disk, Storage};
///
/// # let folder = tempfile::tempdir()?;
/// let disk = Disk::open(folder.path())?;
/// let file = disk.create("log")?;
/// file.write_at(b"mapped bytes", 0)?;
/// let map = file.map(7, 5)?.expect("disks have maps");
/// assert_eq!(&map[..], b"bytes");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Map(Mmap);

impl Map {
    /// Maps `length` bytes of the file from `offset` on.
    ///
    /// Fails with [`io::ErrorKind::UnexpectedEof`] where the file is shorter.
    pub(super) fn new(file: &File, offset: u64, length: usize) -> io::Result<Self> {
        let end = offset.checked_add(length as u64);
        let file_length = file.metadata()?.len();
        if end.is_none_or(|end| end > file_length) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "expected {length} bytes at byte {offset} to map, found a file of {file_length}"
                ),
            ));
        }
        // SAFETY: the bytes of a mapped stretch must not change or vanish while
        // the map lives. `StorageFile::map` hands that duty to its callers, who
        // map sealed files, which never change, and the written part of a log
        // whose lock this process holds: it is cut only before it is mapped, and
        // what follows the written part is added outside of the map.
        unsafe { MmapOptions::new().offset(offset).len(length).map(file) }.map(Self)
    }
}

impl Map {
    /// Has the processor fetch the first bytes from `at` on, without waiting for
    /// them. A hint: it does nothing where there is no such instruction.
    pub(crate) fn prefetch(&self, at: usize) {
        #[cfg(target_arch = "x86_64")]
        for line in self.0.get(at..).unwrap_or_default().chunks(LINE_BYTES).take(LINES) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: prefetching reads nothing and can't fault; the instruction
            // belongs to SSE, which every x86-64 processor has.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }

    /// Has the processor fetch the cache line at `at`. A hint, as above.
    #[inline]
    pub(crate) fn prefetch_line(&self, at: usize) {
        #[cfg(target_arch = "x86_64")]
        if let Some(byte) = self.0.get(at) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: as above.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(byte).cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }

    /// Tells the system that reads jump about, so that it reads nothing ahead. A
    /// hint: it does nothing where there is no such call.
    pub(crate) fn expect_jumps(&self) {
        // A hint that is not taken costs nothing but speed.
        #[cfg(unix)]
        let _ = self.0.advise(memmap2::Advice::Random);
    }

    /// Gives the memory of the mapped pages back to the system. Reading them again
    /// fetches them from the file. It does nothing where there is no such call.
    pub(crate) fn release(&self) {
        #[cfg(unix)]
        {
            // SAFETY: the advice is unsafe because it throws changes away. This map
            // is for reading and of a file: there are none, and the next access
            // finds the bytes of the file.
            let advised = unsafe { self.0.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
            // Where the system won't, the pages stay until it wants them.
            let _ = advised;
        }
    }
}

/// Size of a cache line, and how many are fetched: a record of 640 bytes.
#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;
#[cfg(target_arch = "x86_64")]
const LINES: usize = 10;

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
