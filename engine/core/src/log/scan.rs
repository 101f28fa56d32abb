//! Scans a log front to back for sound blocks and the damage between them.

use std::ops::Range;

use memchr::memmem;
use rkyv::util::AlignedVec;

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, FORMAT_VERSION, READ_VERSIONS, StoreId};
use crate::base::limits;
use crate::log::block::{HEADER_BYTES, Header, MAGIC, MAX_BODY_BYTES, digest, digest_begun};
use crate::log::record::ALIGN;
use crate::storage::StorageFile;

/// Reads the blocks of a log in order, some bytes ahead. Takes memory for the largest block.
pub(crate) struct Scanner<'f> {
    file: &'f dyn StorageFile,
    name: &'f str,
    segment: u64,
    /// The store that the blocks must be of; that of the first sound one if unknown.
    store: Option<StoreId>,
    /// The format of all blocks: that of the first sound one.
    format: Option<u32>,
    length: u64,
    at: u64,
    /// The digest and the sequence number that the next block must follow; none after
    /// damage.
    follows: Option<(Digest, u64)>,
    window: Window,
    /// The range in the window of the body of the last block.
    body: Range<usize>,
    /// Whether large bodies are digested in parts and not kept.
    passing: bool,
    /// Bytes digested for the last block.
    digested: u64,
    /// Bytes that may still be digested in the search for a block after damage: bytes that
    /// were made to look like many blocks can't make opening quadratic.
    search_budget: u64,
}

/// A read-ahead window over a log. The records of a block at its beginning are aligned.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Its offset in the log.
    at: u64,
    /// Only the first `filled` bytes are those of the log.
    bytes: AlignedVec<ALIGN>,
    filled: usize,
}

/// What a scanner finds.
#[derive(Debug)]
pub(crate) enum ScanItem {
    /// A sound block; its body is in [`Scanner::body`].
    Block(Header),
    /// A range without a sound block, and why.
    Damage(Range<u64>, String),
}

/// What is at an offset where a block may begin.
enum Candidate {
    Sound(Header),
    /// No sound block, and why.
    Unsound(String),
}

impl<'f> Scanner<'f> {
    pub(crate) fn new(
        file: &'f dyn StorageFile,
        name: &'f str,
        segment: u64,
        store: Option<StoreId>,
        follows: Option<(Digest, u64)>,
    ) -> Result<Self> {
        let length = file.len().map_err(|error| Error::io("read the length of", name, error))?;
        if length > MAX_LOG_BYTES {
            // A sparse file can have any length, and a search of it would not end.
            return Err(Error::damaged(format!(
                "{name}: expected a log of at most {MAX_LOG_BYTES} bytes, found {length}; nothing \
                 of it was read or changed: restore it from a copy, or cut it off behind its last \
                 block"
            )));
        }
        Ok(Self {
            file,
            name,
            segment,
            store,
            format: None,
            length,
            at: 0,
            follows,
            window: Window::default(),
            body: 0..0,
            passing: false,
            digested: 0,
            search_budget: length.saturating_mul(SEARCH_FACTOR),
        })
    }

    /// Starts at this offset, where a block ends. What the next one follows was given to
    /// [`new`](Self::new).
    pub(crate) fn starting_at(mut self, at: u64) -> Self {
        self.at = at;
        self
    }

    /// Stops at this offset, before the end of the log.
    pub(crate) fn up_to(mut self, end: u64) -> Self {
        self.length = self.length.min(end);
        self
    }

    /// Digests large bodies without keeping them, so that memory doesn't grow with blocks.
    pub(crate) fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// Another scanner that starts where this one is.
    pub(crate) fn lookahead(&self) -> Self {
        Self {
            format: self.format,
            file: self.file,
            name: self.name,
            segment: self.segment,
            store: self.store,
            length: self.length,
            at: self.at,
            follows: self.follows,
            window: Window::default(),
            body: 0..0,
            passing: self.passing,
            digested: 0,
            search_budget: self.search_budget,
        }
    }

    /// The body of the last block.
    pub(crate) fn body(&self) -> &[u8] {
        &self.window.bytes[self.body.clone()]
    }

    /// The range of that body in the window.
    pub(crate) fn body_range(&self) -> Range<usize> {
        self.body.clone()
    }

    /// The body length in the header of the next block, where that was read already.
    /// Unchecked: a hint.
    pub(crate) fn next_len(&self) -> Option<u64> {
        Some(Header::parse(self.window.header(self.at)?)?.body_len)
    }

    /// Swaps the window, so that blocks in it can be used while the scanner continues in
    /// another.
    pub(crate) fn swap_window(&mut self, other: Window) -> Window {
        self.body = 0..0;
        std::mem::replace(&mut self.window, Window { filled: 0, ..other })
    }

    /// The format of the blocks, once one was found.
    pub(crate) fn format(&self) -> Option<u32> {
        self.format
    }

    /// The store of the blocks, once a sound one was found.
    pub(crate) fn store(&self) -> Option<StoreId> {
        self.store
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The next block or damaged range; none at the end of the log. Fails where the log
    /// can't be read or is of a newer format.
    pub(crate) fn next(&mut self) -> Result<Option<ScanItem>> {
        if self.at >= self.length {
            return Ok(None);
        }
        let begin = self.at;
        match self.block_at(begin)? {
            Candidate::Sound(header) => {
                self.at = header.end();
                Ok(Some(ScanItem::Block(header)))
            }
            Candidate::Unsound(reason) => {
                self.follows = None;
                self.at = self.search(begin)?;
                Ok(Some(ScanItem::Damage(begin..self.at, reason)))
            }
        }
    }

    /// The block at `at`, or why there is no sound one.
    fn block_at(&mut self, at: u64) -> Result<Candidate> {
        self.body = 0..0;
        if self.window.header(at).is_none() {
            self.fill(at)?;
        }
        let Some(&front) = self.window.header(at) else {
            let read = self.window.filled;
            return Ok(Candidate::Unsound(format!(
                "expected a block's header of {HEADER_BYTES} bytes, found {read} before the end"
            )));
        };
        let Some(header) = Header::parse(&front) else {
            return Ok(Candidate::Unsound(
                "expected a block's first bytes, found something else".into(),
            ));
        };
        if let Some(reason) = self.misfit(&header, at) {
            return Ok(Candidate::Unsound(reason));
        }
        if self.digest_of(&front, &header)? != Some(header.digest) {
            return Ok(Candidate::Unsound(
                "the block's bytes do not have the digest that its header gives".into(),
            ));
        }
        if !READ_VERSIONS.contains(&header.version) {
            return Err(Error::newer(format!(
                "{}: expected a log of format {FORMAT_VERSION} or before, found format {} at byte \
                 {at}: it was written by a newer forebear; open it with that",
                self.name, header.version
            )));
        }
        if self.format.is_some_and(|format| format != header.version) {
            return Ok(Candidate::Unsound(
                "the block is of another format than those before it".into(),
            ));
        }
        if let Some((previous, seq)) = self.follows
            && (header.previous != previous || header.first_seq < seq)
        {
            return Ok(Candidate::Unsound(
                "the block does not go on from the one before it".into(),
            ));
        }
        self.store = Some(header.store);
        self.format = Some(header.version);
        self.follows = Some((header.digest, header.first_seq));
        Ok(Candidate::Sound(header))
    }

    /// Reads and digests the block with this header; none where the file ends within it.
    fn digest_of(&mut self, front: &[u8; HEADER_BYTES], header: &Header) -> Result<Option<Digest>> {
        self.digested = header.body_len;
        if self.passing && header.body_len > PASSED_BODY_BYTES {
            return self.digest_passing(front, header);
        }
        // `misfit` checked that the body is within the file: the allocation is bounded.
        let begin = (header.offset - self.window.at) as usize + HEADER_BYTES;
        let end = begin + header.body_len as usize;
        self.extend(end)?;
        self.body = begin..end.min(self.window.filled);
        Ok((self.body.end == end).then(|| digest(front, self.body())))
    }

    fn digest_passing(
        &self,
        front: &[u8; HEADER_BYTES],
        header: &Header,
    ) -> Result<Option<Digest>> {
        let mut hasher = digest_begun(front);
        let mut part = vec![0; PASSING_BYTES];
        let mut at = header.offset + HEADER_BYTES as u64;
        while at < header.end() {
            let wanted = (header.end() - at).min(PASSING_BYTES as u64) as usize;
            let read = self
                .file
                .read_at(&mut part[..wanted], at)
                .map_err(|error| Error::io("read", self.name, error))?;
            if read < wanted {
                return Ok(None);
            }
            hasher.update(&part[..wanted]);
            at += wanted as u64;
        }
        Ok(Some(*hasher.finalize().as_bytes()))
    }

    /// Why this header can't be that of the block at `at`; checked before the body is read.
    fn misfit(&self, header: &Header, at: u64) -> Option<String> {
        // Another process may have appended to the log meanwhile.
        let room = self.length.saturating_sub(at + HEADER_BYTES as u64);
        if self.store.is_some_and(|store| store != header.store) {
            return Some("the block belongs to another store".into());
        }
        if header.segment != self.segment || header.offset != at {
            return Some(format!(
                "expected a block of segment {} at byte {at}, found one of segment {} at byte {}",
                self.segment, header.segment, header.offset
            ));
        }
        if header.body_len > room.min(MAX_BODY_BYTES) {
            return Some(format!(
                "expected a body of {} bytes, found {room} before the end",
                header.body_len
            ));
        }
        (header.durable > at).then(|| {
            format!("the block at byte {at} calls bytes after it durable ({})", header.durable)
        })
    }

    /// The offset of the next sound block after `begin`, or the end of the log.
    fn search(&mut self, begin: u64) -> Result<u64> {
        let finder = memmem::Finder::new(&MAGIC);
        let mut window = vec![0; SEARCH_WINDOW_BYTES];
        let mut at = begin + 1;
        while at < self.length && self.search_budget > 0 {
            let read = self.read(&mut window, at)?;
            for hit in finder.find_iter(&window[..read]) {
                let candidate = at + hit as u64;
                if !candidate.is_multiple_of(ALIGN as u64) {
                    continue;
                }
                // Bytes that merely begin like a block are rejected by their header,
                // digest nothing and so use no budget.
                self.digested = 0;
                let sound = matches!(self.block_at(candidate)?, Candidate::Sound(_));
                self.search_budget = self.search_budget.saturating_sub(self.digested);
                // The caller reads the block again, and there too it follows nothing.
                self.follows = None;
                if sound {
                    return Ok(candidate);
                }
                if self.search_budget == 0 {
                    return Ok(self.length);
                }
            }
            if read < window.len() {
                break;
            }
            // The magic number may cross the edge of two windows.
            at += (read - MAGIC.len() + 1) as u64;
        }
        Ok(self.length)
    }

    /// Refills the window from `at` on.
    fn fill(&mut self, at: u64) -> Result<()> {
        if self.window.bytes.len() > KEPT_WINDOW_BYTES {
            self.window = Window::default();
        }
        (self.window.at, self.window.filled) = (at, 0);
        self.extend(READ_AHEAD_BYTES)
    }

    /// Extends the window to this length or the end of the log.
    fn extend(&mut self, length: usize) -> Result<()> {
        let mut window = std::mem::take(&mut self.window);
        let from = window.filled;
        if from < length {
            if window.bytes.len() < length {
                window.bytes.reserve_exact(length - window.bytes.len());
                window.bytes.resize(length, 0);
            }
            window.filled += self.read(&mut window.bytes[from..length], window.at + from as u64)?;
        }
        self.window = window;
        Ok(())
    }

    fn read(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
        self.file.read_at(buffer, at).map_err(|error| Error::io("read", self.name, error))
    }
}

impl Window {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Bytes of memory that it takes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The header at `at` of the log, where the window has all of it.
    fn header(&self, at: u64) -> Option<&[u8; HEADER_BYTES]> {
        let start = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.bytes().get(start..)?.first_chunk()
    }
}

/// Longer than any log: a full one may still get a batch and carried-over state.
const MAX_LOG_BYTES: u64 = 2 * limits::MAX_SEGMENT_BYTES;
const _: () = assert!(limits::MAX_SEGMENT_BYTES > 2 * MAX_BODY_BYTES);
/// Bytes read at a time, unless a block needs more.
const READ_AHEAD_BYTES: usize = 256 << 10;
/// The most bytes of memory that are kept for the next window.
const KEPT_WINDOW_BYTES: usize = 4 << 20;
/// The budget of a search for blocks after damage, in lengths of the log.
const SEARCH_FACTOR: u64 = 4;
/// Bodies of up to this size are kept even where large ones aren't.
const PASSED_BODY_BYTES: u64 = 2 << 20;
/// Bytes of a body digested at a time where it isn't kept.
const PASSING_BYTES: usize = 256 << 10;
/// Bytes read at a time in a search.
const SEARCH_WINDOW_BYTES: usize = 64 << 10;
