//! How the engine is opened, read and trimmed, in one place.

use std::path::Path;
use std::sync::Arc;

use forebear::storage::Storage;
use forebear::{Durability, Reader, Result, Retention, Snapshot, Store, StoreBuilder};

/// Opens a store for writing, making it if there is none.
pub(crate) fn open(folder: &Path, segment_events: u32) -> Result<Store> {
    builder(segment_events).open(folder)
}

/// Opens a store for writing on another storage.
pub(crate) fn open_on(storage: Arc<dyn Storage>, segment_events: u32) -> Result<Store> {
    builder(segment_events).open_on(storage)
}

/// A store that is read as from another process.
#[derive(Debug)]
pub(crate) struct OtherReader(Reader);

impl OtherReader {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        forebear::read(folder).map(Self)
    }

    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        self.0.snapshot()
    }
}

/// Has everything sealed.
pub(crate) fn seal(store: &Store) -> Result<()> {
    store.seal()
}

/// How many events are in the active log.
pub(crate) fn active_events(store: &Store) -> Option<u64> {
    store.snapshot().segments().last().map(|segment| segment.events)
}

/// How many segments there are, the active one included.
pub(crate) fn segments(store: &Store) -> u64 {
    store.snapshot().segments().len() as u64
}

/// Drops the oldest segment; false where it is the only one.
pub(crate) fn drop_oldest(store: &Store) -> Result<bool> {
    let segments = store.snapshot().segments();
    let rest: u64 = segments.iter().skip(1).map(|segment| segment.events).sum();
    if segments.len() < 2 {
        return Ok(false);
    }
    store.retain(&Retention::new().max_events(rest)).map(|_| true)
}

fn builder(segment_events: u32) -> StoreBuilder {
    forebear::builder()
        .durability(Durability::Flush)
        .segment_events(segment_events)
        .segment_bytes(SEGMENT_BYTES)
        .map_budget(MAP_BYTES)
}

/// Never reached, so that the number of events decides where a segment ends.
const SEGMENT_BYTES: u64 = 1 << 30;
/// What an ingesting process may have mapped of sealed files: the filters of a group of
/// segments and the tables of the last ones.
const MAP_BYTES: u64 = 48 << 20;
