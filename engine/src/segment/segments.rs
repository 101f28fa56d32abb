//! The open segments of a store: those used last.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::error::{Error, Result};
use crate::id::EventId;
use crate::parts::joins::Joins;
use crate::segment::filters::Filters;
use crate::segment::heap::ChunkCache;
use crate::segment::manifest::{Manifest, Read};
use crate::segment::sealed::{Sealed, Segment};
use crate::storage::Storage;

/// Opens segments when they are first asked for.
#[derive(Debug)]
pub(crate) struct Segments {
    storage: Arc<dyn Storage>,
    open: Cache<u64, Arc<Segment>>,
    filters: Filters,
    chunks: Arc<ChunkCache>,
    joins: Joins,
    /// How many bytes of maps may be in memory before they are given back.
    map_budget: u64,
    /// Whether indexes that are made again may be written.
    writable: bool,
    /// What was mended, a sentence each.
    notes: Mutex<Vec<String>>,
}

impl Segments {
    /// `cache_bytes` is how many decoded bytes are kept for reading.
    pub(crate) fn new(storage: Arc<dyn Storage>, cache_bytes: usize, writable: bool) -> Self {
        Self {
            storage,
            open: Cache::new(OPEN_MAX),
            filters: Filters::default(),
            chunks: Arc::new(ChunkCache::new(cache_bytes)),
            joins: Joins::new(),
            map_budget: MAP_BUDGET_BYTES,
            writable,
            notes: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// The segment, opened if it is not.
    pub(crate) fn open(&self, sealed: &Sealed) -> Result<Arc<Segment>> {
        if let Some(segment) = self.open.get(&sealed.segment) {
            return Ok(segment);
        }
        self.release_over_budget();
        self.open.get_or_insert_with(&sealed.segment, || {
            let tell = |note| self.note(note);
            let storage = &*self.storage;
            self.filters
                .file(storage, sealed)
                .and_then(|file| {
                    Segment::open(storage, sealed, file, &self.chunks, self.writable, &tell)
                })
                .map(Arc::new)
                .map_err(|error| self.explain(error, sealed))
        })
    }

    /// Gives the memory of maps back to the system once they have more than the
    /// budget. Called when a segment is opened.
    fn release_over_budget(&self) {
        let resident: usize =
            self.open.iter().map(|(_, segment)| segment.file().resident_bytes()).sum();
        if resident as u64 > self.map_budget {
            self.open.iter().for_each(|(_, segment)| segment.file().release());
        }
    }

    /// Takes notice of segments that came, sealed by another process.
    pub(crate) fn look_again(&self) {
        self.filters.look_again();
    }

    /// The numbers of the segments in a list that may hold an id or name it.
    pub(crate) fn candidates(
        &self,
        sealed: &[Sealed],
        id: &EventId,
    ) -> impl DoubleEndedIterator<Item = usize> + use<> {
        self.filters.candidates(&*self.storage, sealed, id).into_iter()
    }

    /// What is known of the links between pieces.
    pub(crate) fn joins(&self) -> &Joins {
        &self.joins
    }

    /// Closes segments that have expired; returns the names of the files that were
    /// theirs together.
    pub(crate) fn forget(&self, gone: Range<u64>) -> Vec<String> {
        gone.clone().for_each(|segment| {
            self.open.remove(&segment);
        });
        self.filters.forget_before(gone.end, gone)
    }

    /// Merges the filters of the last segments where they complete a group.
    pub(crate) fn merge_filters(&self, sealed: &[Sealed]) -> Result<()> {
        self.filters.merge_last(&*self.storage, sealed)
    }

    /// Keeps a sentence for who asks what happened.
    pub(crate) fn note(&self, note: String) {
        let mut notes = self.notes.lock();
        if notes.len() < NOTES_MAX {
            notes.push(note);
        }
    }

    /// Closes a segment, so that its files are opened anew.
    pub(crate) fn close(&self, segment: u64) {
        self.open.remove(&segment);
    }

    /// Makes the filters of a group again where that is needed; whether it was.
    pub(crate) fn mend_group(&self, sealed: &[Sealed], group: u64) -> Result<bool> {
        self.filters.mend_group(&*self.storage, sealed, group)
    }

    /// What was mended since the last call.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock())
    }

    /// A file that is gone because its segment is says that.
    fn explain(&self, error: Error, sealed: &Sealed) -> Error {
        if error.io_kind() != Some(ErrorKind::NotFound) {
            return error;
        }
        match Manifest::read(&*self.storage) {
            Ok(Read::Sound(manifest)) => {
                let listed =
                    manifest.sealed.binary_search_by_key(&sealed.segment, |other| other.segment);
                if listed.is_ok() { error } else { Error::expired(sealed.first_seq) }
            }
            _ => error,
        }
    }
}

/// Most sentences that are kept.
const NOTES_MAX: usize = 1000;
/// Most segments that are open at a time: some 100 KiB of memory each.
const OPEN_MAX: usize = 256;
/// Bytes of maps that may be in memory before they are given back to the system.
const MAP_BUDGET_BYTES: u64 = 1 << 30;
