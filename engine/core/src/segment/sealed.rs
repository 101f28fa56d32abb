//! An open sealed segment: its file and its index.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::kinds::Kinds;
use crate::base::state::KindId;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::base::warnings::Warnings;
use crate::manifest::Sealed;
use crate::segment::file::SegFile;
use crate::segment::heap::ChunkCache;
use crate::segment::index::SegmentIndex;
use crate::segment::late::LateParent;
use crate::segment::open_index;
use crate::segment::pages::Pages;
use crate::segment::spine::Entry;
use crate::storage::Storage;

/// An open sealed segment. Its rows are numbered from 0.
#[derive(Debug)]
pub(crate) struct Segment {
    sealed: Sealed,
    file: Arc<SegFile>,
    index: SegmentIndex,
    /// The pages of the index file, unless the index is in memory.
    index_pages: Option<Arc<Pages>>,
    cache: Arc<ChunkCache>,
    /// When it was last used, by the clock of [`Segments`](super::segments::Segments).
    used: AtomicU64,
}

impl Segment {
    /// Opens a segment whose file is open. An index that is missing or damaged is rebuilt,
    /// with a warning.
    pub(crate) fn open(
        storage: &dyn Storage,
        sealed: &Sealed,
        file: Arc<SegFile>,
        cache: &Arc<ChunkCache>,
        kinds: &Kinds,
        writable: bool,
        warnings: &Warnings,
    ) -> Result<Self> {
        let (index, index_pages) =
            open_index::open(storage, &file, cache, kinds, writable, warnings)?;
        let (sealed, cache, used) = (sealed.clone(), Arc::clone(cache), AtomicU64::new(0));
        Ok(Self { sealed, file, index, index_pages, cache, used })
    }

    /// Notes that it is being used.
    pub(crate) fn note_used(&self, now: u64) {
        self.used.store(now, Ordering::Relaxed);
    }

    pub(crate) fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// About how many bytes of its maps are in memory.
    pub(crate) fn resident_bytes(&self) -> usize {
        let index = self.index_pages.as_ref().map_or(0, |pages| pages.resident_bytes());
        self.file.resident_bytes() + index
    }

    /// Releases the pages of its maps to the system.
    pub(crate) fn release(&self) {
        self.file.release();
        if let Some(pages) = &self.index_pages {
            pages.release();
        }
    }

    /// The dictionary of its chunks.
    pub(crate) fn dictionary(&self) -> Result<&[u8]> {
        self.file.dictionary()
    }

    pub(crate) fn first_seq(&self) -> u64 {
        self.sealed.first_seq
    }

    pub(crate) fn rows(&self) -> u32 {
        self.sealed.rows
    }

    pub(crate) fn entry(&self, row: u32) -> Result<Entry> {
        self.file.entry(row)
    }

    pub(crate) fn id(&self, row: u32) -> Result<EventId> {
        self.file.id(row, &self.file.entry(row)?)
    }

    /// The text with this number; empty where it can't be read.
    pub(crate) fn text(&self, number: u32) -> &str {
        self.file.text(number).unwrap_or_default()
    }

    /// The late parent, in this segment, of an event of an earlier one. O(log n).
    pub(crate) fn late_parent(&self, child: u64) -> Result<Option<LateParent>> {
        self.file.late_parent(child)
    }

    /// Calls `show` with each row that names a parent in another segment, and the
    /// parent's id.
    pub(crate) fn absent_parents(
        &self,
        show: impl FnMut(u32, EventId) -> Result<()>,
    ) -> Result<()> {
        self.file.absent_parents(show)
    }

    /// The anchors before this sequence number of rows of this segment.
    pub(crate) fn anchors_before(&self, end: u64) -> Result<Vec<u64>> {
        self.file.anchors_before(end)
    }

    /// Its spine, its heap and its tables.
    pub(crate) fn file(&self) -> &SegFile {
        &self.file
    }

    pub(crate) fn index(&self) -> &SegmentIndex {
        &self.index
    }

    /// The decoded chunks of heaps, which all segments of a store share.
    pub(crate) fn chunks(&self) -> &ChunkCache {
        &self.cache
    }

    pub(crate) fn state_values(
        &self,
        kind: KindId,
        show: impl FnMut(&str, Option<&[u8]>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.index.state_values(kind, show)
    }
}
