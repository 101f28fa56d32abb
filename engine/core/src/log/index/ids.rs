//! Rows by their ids.

use std::hash::BuildHasher;
use std::sync::Arc;

use crate::base::id::EventId;
use crate::base::row::Flags;
use crate::log::index::{Index, InternedEvent};

/// What a lookup found for an event before it is added.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LookUp {
    /// The hash of its id.
    pub(super) hash: u64,
    /// The row of the event with its id.
    pub(super) first: Option<u32>,
    /// The row of its parent.
    pub(super) parent: Option<u32>,
    /// The number of rows at the time: what was not found may have been added since.
    pub(super) rows: usize,
}

impl Index {
    /// Looks up the event's id and parent. Called for many events before the first of them
    /// is added, so that their cache misses overlap.
    pub(crate) fn look_up(&self, seen: &InternedEvent) -> LookUp {
        let hash = self.hasher.hash_one(&seen.id);
        let first = self.find_hashed(hash, &seen.id);
        let parent = seen.parent.as_ref().and_then(|parent| self.find(parent));
        LookUp { hash, first, parent, rows: self.rows.len() }
    }

    /// The row of the event with this id, or where that is in an earlier segment of its
    /// first version here. O(1).
    pub(crate) fn find(&self, id: &EventId) -> Option<u32> {
        self.find_hashed(self.hasher.hash_one(id), id)
    }

    /// The row of an event. A version of an event in an earlier segment has no such row.
    pub(crate) fn event_row(&self, id: &EventId) -> Option<u32> {
        self.find(id).filter(|&row| !self.row(row).flags.has(Flags::VERSION))
    }

    /// The id of a row's event.
    pub(crate) fn id(&self, row: u32) -> EventId {
        let row = self.row(row);
        if row.flags.has(Flags::TEXT) {
            let [a, b, c, d, ..] = row.id;
            EventId::from_text(Arc::clone(&self.texts[u32::from_le_bytes([a, b, c, d]) as usize]))
        } else {
            EventId::from_uuid_bytes(row.id)
        }
    }

    pub(super) fn find_hashed(&self, hash: u64, id: &EventId) -> Option<u32> {
        self.ids.find(hash, |&row| self.has_id(row, id)).copied()
    }

    pub(super) fn has_id(&self, row: u32, id: &EventId) -> bool {
        let row = self.row(row);
        if let Some(uuid) = id.as_uuid() {
            return !row.flags.has(Flags::TEXT) && row.id == *uuid.as_bytes();
        }
        let [a, b, c, d, ..] = row.id;
        row.flags.has(Flags::TEXT)
            && id.as_text() == Some(&*self.texts[u32::from_le_bytes([a, b, c, d]) as usize])
    }

    pub(super) fn add_id(&mut self, row: u32, hash: u64) {
        // Taken out, since it calls back for the ids of rows when it grows.
        let mut ids = std::mem::take(&mut self.ids);
        ids.insert_unique(hash, row, |&other| self.hasher.hash_one(self.id(other)));
        self.ids = ids;
    }

    pub(super) fn id_bytes(&mut self, id: &EventId, flags: &mut Flags) -> [u8; 16] {
        if let Some(uuid) = id.as_uuid() {
            return uuid.into_bytes();
        }
        flags.set(Flags::TEXT, true);
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&(self.texts.len() as u32).to_le_bytes());
        self.texts.push(id.as_text().unwrap_or_default().into());
        bytes
    }
}
