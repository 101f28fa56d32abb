//! Reading a log from its beginning: sound blocks, and damage between them.

use std::ops::Range;

use memchr::memmem;

use crate::error::{Error, Result};
use crate::log::block::{
    Digest, FORMAT_VERSION, HEADER_BYTES, Header, MAGIC, MAX_BODY_BYTES, StoreId, digest,
};
use crate::log::record::ALIGN;
use crate::storage::StorageFile;

/// Reads the blocks of a log in order. Memory is bounded by the largest block.
pub(crate) struct Scanner<'f> {
    file: &'f dyn StorageFile,
    name: &'f str,
    segment: u64,
    /// The store the blocks must be of; taken from the first sound one if unknown.
    store: Option<StoreId>,
    length: u64,
    at: u64,
    /// What the next block must go on from; none after damage.
    follows: Option<(Digest, u64)>,
    body: Vec<u8>,
    /// Bytes that may still be digested while looking for a block after damage,
    /// so that bytes made to look like many blocks can't hold up the opening.
    search_budget: u64,
}

/// What a scanner found next.
#[derive(Debug)]
pub(crate) enum Found {
    /// A sound block; its body is in [`Scanner::body`].
    Block(Header),
    /// A stretch that is no sound block.
    Damage(Range<u64>, String),
}

impl<'f> Scanner<'f> {
    pub(crate) fn new(
        file: &'f dyn StorageFile,
        name: &'f str,
        segment: u64,
        store: Option<StoreId>,
    ) -> Result<Self> {
        let length = file.len().map_err(|error| Error::io("read the length of", name, error))?;
        Ok(Self {
            file,
            name,
            segment,
            store,
            length,
            at: 0,
            follows: Some(([0; 32], 1)),
            body: Vec::new(),
            search_budget: length.saturating_mul(SEARCH_FACTOR),
        })
    }

    /// A scanner that goes on where this one is.
    pub(crate) fn lookahead(&self) -> Self {
        Self {
            file: self.file,
            name: self.name,
            segment: self.segment,
            store: self.store,
            length: self.length,
            at: self.at,
            follows: self.follows,
            body: Vec::new(),
            search_budget: self.search_budget,
        }
    }

    /// The records of the block found last.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The store that the blocks are of, once a sound one was found.
    pub(crate) fn store(&self) -> Option<StoreId> {
        self.store
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The next block or stretch of damage; none at the end of the log. Fails
    /// where the log can't be read or is of a newer format.
    pub(crate) fn next(&mut self) -> Result<Option<Found>> {
        if self.at >= self.length {
            return Ok(None);
        }
        let begin = self.at;
        match self.block_at(begin)? {
            Ok(header) => {
                self.at = header.end();
                Ok(Some(Found::Block(header)))
            }
            Err(reason) => {
                self.follows = None;
                self.at = self.search(begin)?;
                Ok(Some(Found::Damage(begin..self.at, reason)))
            }
        }
    }

    /// The block at `at`, or why there is none.
    fn block_at(&mut self, at: u64) -> Result<std::result::Result<Header, String>> {
        let mut front = [0; HEADER_BYTES];
        let read = self.read(&mut front, at)?;
        if read < HEADER_BYTES {
            return Ok(Err(format!(
                "expected a block's header of {HEADER_BYTES} bytes, found {read} before the end"
            )));
        }
        let Some(header) = Header::parse(&front) else {
            return Ok(Err("expected a block's first bytes, found something else".into()));
        };
        if let Some(reason) = self.misfit(&header, at) {
            return Ok(Err(reason));
        }
        // No more than the file holds, as `misfit` has checked.
        self.body.resize(header.body_len as usize, 0);
        let mut body = std::mem::take(&mut self.body);
        let read = self.read(&mut body, at + HEADER_BYTES as u64)?;
        self.body = body;
        if read < self.body.len() || digest(&front, &self.body) != header.digest {
            return Ok(
                Err("the block's bytes do not have the digest that its header gives".into()),
            );
        }
        if header.version != FORMAT_VERSION {
            return Err(Error::foreign(format!(
                "{}: expected a log of format {FORMAT_VERSION}, found format {} at byte {at}; \
                 open it with a newer release of forebear",
                self.name, header.version
            )));
        }
        if let Some((previous, seq)) = self.follows
            && (header.previous != previous || header.first_seq < seq)
        {
            return Ok(Err("the block does not go on from the one before it".into()));
        }
        self.store = Some(header.store);
        self.follows = Some((header.digest, header.first_seq));
        Ok(Ok(header))
    }

    /// Why a header can't be that of the block at `at`.
    fn misfit(&self, header: &Header, at: u64) -> Option<String> {
        let room = self.length - at - HEADER_BYTES as u64;
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

    /// Where after `begin` the next sound block is, or the log's end.
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
                // Left empty by what merely begins like a block, which is cheap
                // to tell and must not use the budget up.
                self.body.clear();
                let sound = self.block_at(candidate)?.is_ok();
                let digested = self.body.len() as u64;
                self.search_budget = self.search_budget.saturating_sub(digested);
                // The block is read again by the caller, and must stand alone there too.
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
            // The magic may lie across the edge of two windows.
            at += (read - MAGIC.len() + 1) as u64;
        }
        Ok(self.length)
    }

    fn read(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
        self.file.read_at(buffer, at).map_err(|error| Error::io("read", self.name, error))
    }
}

/// How often the log's length may be digested in looking for blocks after damage.
const SEARCH_FACTOR: u64 = 4;
/// Bytes read at a time while looking for a block.
const SEARCH_WINDOW_BYTES: usize = 64 << 10;
