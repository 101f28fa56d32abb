//! The questions, asked of forebear.

use std::path::Path;

use forebear::{Batch, Detail, Durability, Event, EventId, Result, Snapshot, Store, StoredEvent};

use crate::data::{Chains, Item, byte_sum};

/// Events in a batch while a data set is written.
const BATCH: usize = 10_000;

/// A store that holds a data set, in the active segment.
#[derive(Debug)]
pub struct Ours {
    snapshot: Snapshot,
}

impl Ours {
    /// Writes the chains to a new store.
    pub fn build(folder: &Path, chains: &Chains) -> Result<Self> {
        let store = forebear::open(folder.join("events.forebear"))?;
        for items in chains.items.chunks(BATCH) {
            store.write(batch(items).durability(Durability::Flush))?;
        }
        Self::of(store)
    }

    /// What a store holds, which is closed.
    pub fn of(store: Store) -> Result<Self> {
        let snapshot = store.snapshot();
        store.close()?;
        Ok(Self { snapshot })
    }

    /// Walks to the root and adds up all bytes of all payloads.
    pub fn sum_payloads(&self, id: [u8; 16]) -> Result<u64> {
        sum_payloads(walk(&self.snapshot, id, u64::MAX, Detail::Payload)?)
    }

    /// Walks to the root and counts the events, without their payloads.
    pub fn count(&self, id: [u8; 16]) -> Result<u64> {
        walk(&self.snapshot, id, u64::MAX, Detail::Columns)?
            .try_fold(0, |count, event| event.map(|_| count + 1))
    }
}

/// Walks up from an event, at most so many links.
pub(crate) fn walk(
    snapshot: &Snapshot,
    id: [u8; 16],
    max_depth: u64,
    detail: Detail,
) -> Result<impl Iterator<Item = Result<StoredEvent>> + use<>> {
    let chain = snapshot.chain(event_id(id))?;
    // An event that is not there gives nothing, which the caller finds wrong.
    Ok(chain.map(|chain| chain.max_depth(max_depth).detail(detail)).into_iter().flatten())
}

/// Adds up all bytes of all payloads.
pub(crate) fn sum_payloads(mut events: impl Iterator<Item = Result<StoredEvent>>) -> Result<u64> {
    events.try_fold(0, |sum, event| Ok(sum + event?.payload().map_or(0, byte_sum)))
}

/// The events in one batch.
pub fn batch(items: &[Item]) -> Batch {
    items.iter().map(event).collect()
}

/// The event as forebear takes it.
pub fn event(item: &Item) -> Event {
    let event = Event::new("tool_use")
        .id(event_id(item.id))
        .instance("main")
        .time_ns(0)
        .payload(item.payload.clone());
    match item.parent {
        Some(parent) => event.parent(event_id(parent)),
        None => event,
    }
}

pub(crate) fn event_id(bytes: [u8; 16]) -> EventId {
    EventId::from(uuid::Uuid::from_bytes(bytes))
}
