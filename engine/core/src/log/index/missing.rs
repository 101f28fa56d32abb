//! Missing parents: those that are named and not stored, and the rows that wait for them.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::base::id::EventId;
use crate::base::row::NONE;

/// Missing parents, past and present.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// Every parent that was named before it was stored, in the order in which they were
    /// first named.
    entries: Vec<MissingEntry>,
    /// The entries of parents that are still missing, and of those that arrived.
    open: HashMap<EventId, u32, RandomState>,
    closed: HashMap<EventId, u32, RandomState>,
    /// The parent that a row waits for.
    awaited: HashMap<u32, EventId, RandomState>,
}

/// A parent that was named before it was stored.
#[derive(Clone, Debug)]
pub(crate) struct MissingEntry {
    pub(crate) id: EventId,
    /// The rows that wait for it or did, in the order in which they began to.
    pub(crate) children: Vec<u32>,
    /// The commits from which on and until which it was missing.
    pub(crate) since: u32,
    pub(crate) until: u32,
}

impl Missing {
    /// Has a row wait for its parent.
    pub(crate) fn wait(&mut self, row: u32, parent: EventId, commit: u32) {
        let entry = *self.open.entry(parent.clone()).or_insert_with(|| {
            self.entries.push(MissingEntry {
                id: parent.clone(),
                children: Vec::new(),
                since: commit,
                until: NONE,
            });
            (self.entries.len() - 1) as u32
        });
        self.entries[entry as usize].children.push(row);
        self.awaited.insert(row, parent);
    }

    /// Ends a row's wait.
    pub(crate) fn give_up(&mut self, row: u32) {
        self.awaited.remove(&row);
    }

    /// Notes that a parent is stored now. Returns the rows that waited for it, in the order
    /// in which they began to.
    pub(crate) fn arrived(&mut self, parent: &EventId, commit: u32) -> Vec<u32> {
        if self.open.is_empty() {
            return Vec::new();
        }
        let Some(entry) = self.open.remove(parent) else {
            return Vec::new();
        };
        self.closed.insert(parent.clone(), entry);
        let entry = &mut self.entries[entry as usize];
        entry.until = commit;
        // A row may have stopped waiting and begun again: its last entry counts.
        let awaited = &mut self.awaited;
        let mut waits = |row: &&u32| {
            let waits = awaited.get(row).is_some_and(|id| id == parent);
            waits && awaited.remove(row).is_some()
        };
        let mut rows: Vec<u32> = entry.children.iter().rev().filter(&mut waits).copied().collect();
        rows.reverse();
        rows
    }

    /// The parent that a row is waiting for.
    pub(crate) fn awaited(&self, row: u32) -> Option<&EventId> {
        self.awaited.get(&row)
    }

    /// Whether any row is waiting for this parent.
    pub(crate) fn is_open(&self, parent: &EventId) -> bool {
        !self.open.is_empty() && self.open.contains_key(parent)
    }

    /// The rows that wait for a parent or waited until it came; some may have stopped since.
    pub(crate) fn waiting_for(&self, parent: &EventId) -> &[u32] {
        if self.entries.is_empty() {
            return &[];
        }
        let entry = self.open.get(parent).or_else(|| self.closed.get(parent));
        entry.map_or(&[], |&entry| &self.entries[entry as usize].children)
    }

    pub(crate) fn entries(&self) -> &[MissingEntry] {
        &self.entries
    }
}
