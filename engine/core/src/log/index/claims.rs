//! Links that come from claims instead of from the events themselves: which one
//! holds, which wait for their child, which were refused.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::base::id::EventId;
use crate::base::link::Link;

/// The book of claims.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// The claim that holds for a row, and since which commit.
    holding: HashMap<u32, Holding, RandomState>,
    /// What a row had before, oldest first.
    former: HashMap<u32, Vec<Former>, RandomState>,
    /// Claims whose child is not stored in this log: the one that stands last, and
    /// before it those that did.
    waiting: HashMap<EventId, Vec<Holding>, RandomState>,
    /// The children that claims were made for, by parent.
    under: HashMap<EventId, Vec<EventId>, RandomState>,
    refused: Vec<Refused>,
    refused_before: HashSet<Link, RandomState>,
}

/// The moment at which a claim was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Made {
    /// How many rows there were.
    pub(crate) rows: u32,
    /// How many claims.
    pub(crate) claims: u32,
}

/// A claim that holds.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    pub(crate) link: Link,
    pub(crate) since: u32,
    pub(crate) made: Made,
}

/// The claim that held for a row until a stronger one came, and what the row had
/// for a parent.
#[derive(Clone, Debug)]
pub(crate) struct Former {
    pub(crate) link: Link,
    pub(crate) since: u32,
    pub(crate) until: u32,
    pub(crate) made: Made,
    /// The parent's row and the commit at which the link to it became known.
    pub(crate) parent: u32,
    pub(crate) linked_at: u32,
    pub(crate) cycle: bool,
}

/// A claim that lost.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) link: Link,
    pub(crate) since: u32,
}

impl Claims {
    /// The claim that holds for a row now.
    pub(crate) fn holding(&self, row: u32) -> Option<&Holding> {
        self.holding.get(&row)
    }

    pub(crate) fn hold(&mut self, row: u32, holding: Holding) {
        self.add_under(&holding.link);
        self.holding.insert(row, holding);
    }

    pub(crate) fn add_former(&mut self, row: u32, former: Former) {
        self.former.entry(row).or_default().push(former);
    }

    /// What a row had as of a commit before the claim that holds now.
    pub(crate) fn former(&self, row: u32, at: u32) -> Option<&Former> {
        let former = self.former.get(&row)?;
        let begun = former.partition_point(|former| former.since <= at);
        former[..begun].last().filter(|former| at < former.until)
    }

    /// The claim that waits for this child to be stored, as of a commit.
    pub(crate) fn waiting(&self, child: &EventId, at: u32) -> Option<&Holding> {
        if self.waiting.is_empty() {
            return None;
        }
        self.waiting.get(child)?.iter().rev().find(|holding| holding.since <= at)
    }

    /// Keeps a claim until its child is stored, in place of the one that waited.
    pub(crate) fn wait(&mut self, holding: Holding) {
        self.add_under(&holding.link);
        self.waiting.entry(holding.link.child.clone()).or_default().push(holding);
    }

    pub(crate) fn take_waiting(&mut self, child: &EventId) -> Option<Holding> {
        if self.waiting.is_empty() { None } else { self.waiting.remove(child)?.pop() }
    }

    /// The children for which claims that name this parent were made, some twice.
    pub(crate) fn under(&self, parent: &EventId) -> &[EventId] {
        if self.under.is_empty() {
            return &[];
        }
        self.under.get(parent).map_or(&[], Vec::as_slice)
    }

    /// Every claim that stands at the end.
    pub(crate) fn all_standing(&self) -> impl Iterator<Item = &Holding> {
        self.holding.values().chain(self.waiting.values().filter_map(|held| held.last()))
    }

    /// Whether there is any that holds or waits, or did.
    pub(crate) fn has_any(&self) -> bool {
        !self.under.is_empty()
    }

    /// The children that claims wait for.
    pub(crate) fn waited_for(&self) -> impl Iterator<Item = &EventId> {
        self.waiting.keys()
    }

    /// The rows that claims hold for.
    pub(crate) fn held_rows(&self) -> impl Iterator<Item = u32> {
        self.holding.keys().copied()
    }

    fn add_under(&mut self, link: &Link) {
        self.under.entry(link.parent.clone()).or_default().push(link.child.clone());
    }

    /// Books a claim that lost; returns whether it had not before.
    pub(crate) fn refuse(&mut self, link: Link, commit: u32) -> bool {
        let new = self.refused_before.insert(link.clone());
        if new {
            self.refused.push(Refused { link, since: commit });
        }
        new
    }

    /// Whether this very claim was refused before.
    pub(crate) fn was_refused(&self, link: &Link) -> bool {
        self.refused_before.contains(link)
    }

    /// Refused claims as of a commit, in the order they were refused.
    pub(crate) fn refused(&self, at: u32) -> &[Refused] {
        &self.refused[..self.refused.partition_point(|refused| refused.since <= at)]
    }
}

/// What a new claim does to the one that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It says the same with no more strength.
    Repeat,
    /// It says the same with more strength.
    Strengthen,
    /// It says otherwise, and wins.
    Replace,
    /// It says otherwise, and loses.
    Refuse,
}

/// Weighs a new claim against the one that stands: more strength wins, then a
/// smaller order, then the one that was first.
pub(crate) fn weigh(standing: &Link, new: &Link) -> Verdict {
    let same = standing.parent == new.parent && standing.kind == new.kind;
    match (same, new.outranks(standing)) {
        (true, false) => Verdict::Repeat,
        (true, true) => Verdict::Strengthen,
        (false, true) => Verdict::Replace,
        (false, false) => Verdict::Refuse,
    }
}
