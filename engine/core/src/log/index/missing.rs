//! Parents that are named and not stored, and who waits for them.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::base::id::EventId;
use crate::base::row::NONE;

/// The book of missing parents.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// Every parent that was ever named before it was stored, in the order it
    /// was first named.
    entries: Vec<Entry>,
    /// Those that are still not stored, and those that are by now.
    open: HashMap<EventId, u32, RandomState>,
    closed: HashMap<EventId, u32, RandomState>,
    /// Which parent a row waits for.
    awaited: HashMap<u32, EventId, RandomState>,
}

/// A parent that was named before it was stored.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: EventId,
    /// The rows that name it, in the order they came to.
    pub(crate) children: Vec<u32>,
    /// The commits from which and until which it was missing.
    pub(crate) since: u32,
    pub(crate) until: u32,
}

impl Missing {
    /// Lets a row wait for its parent.
    pub(crate) fn wait(&mut self, row: u32, parent: EventId, commit: u32) {
        let entry = *self.open.entry(parent.clone()).or_insert_with(|| {
            self.entries.push(Entry {
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

    /// Lets a row wait no longer.
    pub(crate) fn give_up(&mut self, row: u32) {
        self.awaited.remove(&row);
    }

    /// Closes the book on a parent that is stored now; returns the rows that
    /// waited for it, in the order they came to.
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
        // A row may have given up, and after that have come back: its last place counts.
        let awaited = &mut self.awaited;
        let mut waits = |row: &&u32| {
            let waits = awaited.get(row).is_some_and(|id| id == parent);
            waits && awaited.remove(row).is_some()
        };
        let mut rows: Vec<u32> = entry.children.iter().rev().filter(&mut waits).copied().collect();
        rows.reverse();
        rows
    }

    /// The parent that a row waits for now.
    pub(crate) fn awaited(&self, row: u32) -> Option<&EventId> {
        self.awaited.get(&row)
    }

    /// Whether any row waits for a parent.
    pub(crate) fn is_open(&self, parent: &EventId) -> bool {
        !self.open.is_empty() && self.open.contains_key(parent)
    }

    /// The rows that wait for a parent or waited until it came; some may have given
    /// up since.
    pub(crate) fn waiting_for(&self, parent: &EventId) -> &[u32] {
        if self.entries.is_empty() {
            return &[];
        }
        let entry = self.open.get(parent).or_else(|| self.closed.get(parent));
        entry.map_or(&[], |&entry| &self.entries[entry as usize].children)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}
