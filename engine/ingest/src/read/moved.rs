//! Files that were read under another name.

use std::collections::{HashMap, HashSet};
use std::iter;

use forebear_core::{Result, Snapshot};

use crate::read::position::ReadPosition;
use crate::read::seen::FileId;

/// The positions of files that are new under their names, by what file they are.
#[derive(Debug, Default)]
pub(crate) struct Moved(HashMap<FileId, ReadPosition>);

impl Moved {
    /// Looks through all positions in the store for those of these files.
    pub(crate) fn find(snapshot: &Snapshot, wanted: &HashSet<FileId>) -> Result<Self> {
        let mut found = Self::default();
        if wanted.is_empty() {
            return Ok(found);
        }
        for checkpoint in snapshot.checkpoints() {
            if let Some(position) = ReadPosition::decode(&checkpoint?.position)
                && wanted.contains(&position.seen.file)
            {
                found.add(position);
            }
        }
        Ok(found)
    }

    /// Adds a position, unless one of the same file is further.
    pub(crate) fn add(&mut self, position: ReadPosition) {
        // Where the system gives files no numbers, a name is all there is.
        if position.seen.file == FileId::default() {
            return;
        }
        let known = self.0.entry(position.seen.file).or_insert_with(|| position.clone());
        if known.taken < position.taken {
            *known = position;
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        other.0.into_values().for_each(|position| self.add(position));
    }

    /// From where a file may be read on, the likeliest first. Its own position is the
    /// one kept under its name.
    pub(crate) fn positions(&self, own: Option<ReadPosition>, file: FileId) -> Vec<ReadPosition> {
        let moved = self.0.get(&file).cloned();
        match (own, moved) {
            (Some(own), Some(moved)) if own == moved => vec![own],
            (Some(own), moved) if own.seen.file == file => iter::once(own).chain(moved).collect(),
            (own, moved) => moved.into_iter().chain(own).collect(),
        }
    }
}
