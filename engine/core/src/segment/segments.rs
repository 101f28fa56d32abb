//! The open segments of a store, a cache of those used last.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::kinds::Kinds;
use crate::base::sync::RwLock;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::base::warnings::Warnings;
use crate::manifest::{self, Manifest, Read, Sealed, seg_name};
use crate::segment::filters::Filters;
use crate::segment::heap::ChunkCache;
use crate::segment::sealed::Segment;
use crate::storage::Storage;

/// Opens segments on first use and closes those that were not used for longest.
#[derive(Debug)]
pub(crate) struct Segments {
    storage: Arc<dyn Storage>,
    open: Cache<u64, Arc<Segment>>,
    filters: Filters,
    chunks: Arc<ChunkCache>,
    /// Bytes of maps that may be in memory before some are released.
    map_budget: u64,
    /// Counts lookups of segments: the time by which least recently used is decided.
    clock: AtomicU64,
    /// Whether rebuilt indexes may be written.
    writable: bool,
    /// The kinds of state of the store, which can become more.
    kinds: RwLock<Arc<Kinds>>,
    warnings: Arc<Warnings>,
}

impl Segments {
    /// `cache_bytes` bounds the decoded chunks in memory, `map_budget` the resident bytes of
    /// maps.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        cache_bytes: usize,
        map_budget: u64,
        writable: bool,
    ) -> Self {
        Self {
            storage,
            open: Cache::new(OPEN_MAX),
            filters: Filters::default(),
            chunks: Arc::new(ChunkCache::new(cache_bytes)),
            map_budget,
            clock: AtomicU64::new(0),
            writable,
            kinds: RwLock::default(),
            warnings: Arc::default(),
        }
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// The kinds of state of the store.
    pub(crate) fn kinds(&self) -> Arc<Kinds> {
        Arc::clone(&self.kinds.read())
    }

    /// Sets the kinds of state, of which the store can get more.
    pub(crate) fn set_kinds(&self, kinds: Arc<Kinds>) {
        *self.kinds.write() = kinds;
    }

    /// The segment, opened unless it is open.
    pub(crate) fn open(&self, sealed: &Sealed) -> Result<Arc<Segment>> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        if now.is_multiple_of(BUDGET_TURNS) {
            self.release_over_budget();
        }
        if let Some(segment) = self.open.get(&sealed.segment) {
            segment.note_used(now);
            return Ok(segment);
        }
        self.open.get_or_insert_with(&sealed.segment, || {
            let (storage, warnings, kinds) = (&*self.storage, &*self.warnings, self.kinds());
            self.filters
                .file(storage, sealed)
                .and_then(|file| {
                    let chunks = &self.chunks;
                    Segment::open(storage, sealed, file, chunks, &kinds, self.writable, warnings)
                })
                .map(|segment| {
                    segment.note_used(now);
                    Arc::new(segment)
                })
                .map_err(|error| self.explain(error, sealed))
        })
    }

    /// Releases the maps of the least recently used segments once all have more than the
    /// budget, until a quarter of it is free. Filters, which every lookup reads, stay unless
    /// they exceed the budget by themselves.
    fn release_over_budget(&self) {
        let mut segments: Vec<_> = self
            .open
            .iter()
            .map(|(_, segment)| (segment.last_used(), segment.resident_bytes() as u64, segment))
            .collect();
        let filters = self.filters.resident_bytes(|segment| self.open.contains_key(&segment));
        let mut resident =
            filters as u64 + segments.iter().map(|&(_, bytes, _)| bytes).sum::<u64>();
        if resident <= self.map_budget {
            return;
        }
        let wanted = self.map_budget - self.map_budget / 4;
        segments.sort_unstable_by_key(|&(used, ..)| used);
        for (_, bytes, segment) in segments {
            if resident <= wanted {
                return;
            }
            segment.release();
            resident -= bytes;
        }
        if resident > self.map_budget {
            self.filters.release();
        }
    }

    /// Opens groups of filters anew, since another process may have sealed segments.
    pub(crate) fn reopen_filters(&self) {
        self.filters.reopen_incomplete();
    }

    /// The indices of the segments of a list that may hold or name an id.
    pub(crate) fn candidates(
        &self,
        sealed: &[Sealed],
        id: &EventId,
    ) -> impl DoubleEndedIterator<Item = usize> + use<> {
        self.filters.candidates(&*self.storage, sealed, id).into_iter()
    }

    /// [`candidates`](Self::candidates) for many filter keys: calls `found` with the index of
    /// a key and that of a segment, in no order.
    pub(crate) fn candidates_of(
        &self,
        sealed: &[Sealed],
        keys: &[u64],
        found: impl FnMut(usize, usize),
    ) {
        self.filters.candidates_of(&*self.storage, sealed, keys, found);
    }

    /// Closes segments that have expired. Returns the names of the files that only they
    /// shared.
    pub(crate) fn forget(&self, gone: Range<u64>) -> Vec<String> {
        gone.clone().for_each(|segment| {
            self.open.remove(&segment);
        });
        self.filters.evict_before(gone.end, gone)
    }

    /// Merges the filters of the newest group where it is due.
    pub(crate) fn merge_filters(&self, sealed: &[Sealed]) -> Result<()> {
        self.filters.merge_newest(&*self.storage, sealed)
    }

    /// Takes the warnings of background work of this store.
    pub(crate) fn warnings(&self) -> &Arc<Warnings> {
        &self.warnings
    }

    /// Closes a segment, so that its files are opened anew on next use.
    pub(crate) fn close(&self, segment: u64) {
        self.open.remove(&segment);
    }

    /// Repairs a group of filters. Returns whether that was needed.
    pub(crate) fn repair_group(&self, sealed: &[Sealed], group: u64) -> Result<bool> {
        self.filters.repair_group(&*self.storage, sealed, group)
    }

    /// Turns a missing file into an error that says whether its segment has expired, or
    /// what to do if it has not, and one that is no regular file into damage.
    pub(crate) fn explain(&self, error: Error, sealed: &Sealed) -> Error {
        if error.io_kind() == Some(ErrorKind::InvalidData) {
            return Error::damaged(format!("{error:#}"));
        }
        if error.io_kind() != Some(ErrorKind::NotFound) {
            return error;
        }
        match Manifest::read(&*self.storage) {
            Ok(Read::Sound(manifest)) => {
                let listed =
                    manifest.sealed.binary_search_by_key(&sealed.segment, |other| other.segment);
                if listed.is_err() {
                    return Error::expired(sealed.first_seq);
                }
                Error::damaged(format!(
                    "expected the segment {}, which {} names, found no such file; restore it from \
                     a copy, or drop it and all before it with `retain`",
                    seg_name(sealed.segment),
                    manifest::NAME
                ))
            }
            _ => error,
        }
    }
}

/// The most segments that are open at a time, which take some 100 KiB of memory each.
const OPEN_MAX: usize = 256;
/// Lookups of segments between two checks of the map budget.
const BUDGET_TURNS: u64 = 64;
