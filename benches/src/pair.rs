//! The same data set on both sides.

use std::error::Error;

use tempfile::TempDir;

use crate::data::{Chains, EVENTS, Random, Tip};
use crate::ours::Ours;
use crate::sqlite::Sqlite;

/// A data set of chains of one depth, in forebear and in SQLite.
#[derive(Debug)]
pub struct Pair {
    ours: Ours,
    sqlite: Sqlite,
    tips: Vec<Tip>,
    _folder: TempDir,
}

impl Pair {
    /// Writes chains of `depth` edges to both, and walks each of them once: all
    /// that is measured after is warm on both sides, as far as their caches go.
    pub fn build(depth: usize) -> Result<Self, Box<dyn Error>> {
        let folder = TempDir::new()?;
        let chains = Chains::new(depth, EVENTS);
        let pair = Self {
            ours: Ours::build(folder.path(), &chains)?,
            sqlite: Sqlite::build(folder.path(), &chains)?,
            tips: chains.tips,
            _folder: folder,
        };
        for tip in &pair.tips {
            pair.ours(*tip);
            pair.sqlite(*tip);
        }
        Ok(pair)
    }

    /// The tip of a random chain.
    pub fn tip(&self, random: &mut Random) -> Tip {
        *random.pick(&self.tips)
    }

    /// Walks from a tip in forebear and checks the sum of the payloads' bytes.
    ///
    /// # Panics
    ///
    /// If the sum is wrong: a figure for a wrong answer is worth nothing.
    pub fn ours(&self, tip: Tip) {
        let sum = self.ours.sum_payloads(tip.id).expect("the store was just written");
        assert_eq!(sum, tip.sum, "forebear's chain is not what was written");
    }

    /// Walks from a tip in forebear without payloads; returns how many events
    /// it met.
    ///
    /// # Panics
    ///
    /// If the store cannot be read.
    pub fn ours_columns(&self, tip: Tip) -> u64 {
        self.ours.count(tip.id).expect("the store was just written")
    }

    /// Walks from a tip in SQLite and checks the sum of the payloads' bytes.
    ///
    /// # Panics
    ///
    /// If the sum is wrong.
    pub fn sqlite(&self, tip: Tip) {
        let sum = self.sqlite.sum_payloads(tip.id).expect("the database was just written");
        assert_eq!(sum, tip.sum, "SQLite's chain is not what was written");
    }
}
