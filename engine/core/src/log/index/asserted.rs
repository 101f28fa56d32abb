//! Asserted links: which holds for a row, which wait for their child, which were refused.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::base::id::EventId;
use crate::base::link::Link;

/// The asserted links of a log, past and present.
#[derive(Debug, Default)]
pub(crate) struct AssertedLinks {
    /// The one that holds for a row.
    holding: HashMap<u32, Holding, RandomState>,
    /// Those that held for a row before, oldest first.
    former: HashMap<u32, Vec<Former>, RandomState>,
    /// Those whose child is not stored in this log. The last stands, the others did before.
    waiting: HashMap<EventId, Vec<Holding>, RandomState>,
    /// The children of asserted links, by parent.
    under: HashMap<EventId, Vec<EventId>, RandomState>,
    refused: Vec<Refused>,
    refused_before: HashSet<Link, RandomState>,
}

/// The moment at which a link was asserted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Made {
    /// The number of rows before it.
    pub(crate) rows: u32,
    /// The number of asserted links up to and with it.
    pub(crate) links: u32,
}

/// An asserted link that holds.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    pub(crate) link: Link,
    pub(crate) since: u32,
    pub(crate) made: Made,
}

/// An asserted link that held for a row until a stronger one came, and the row's parent by it.
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

/// An asserted link that lost.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) link: Link,
    pub(crate) since: u32,
}

impl AssertedLinks {
    /// The link that holds for a row now.
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

    /// The link that held for a row as of a commit, where that is not the one that holds now.
    pub(crate) fn former(&self, row: u32, at: u32) -> Option<&Former> {
        let former = self.former.get(&row)?;
        let begun = former.partition_point(|former| former.since <= at);
        former[..begun].last().filter(|former| at < former.until)
    }

    /// The link that waits for this child to be stored, as of a commit.
    pub(crate) fn waiting(&self, child: &EventId, at: u32) -> Option<&Holding> {
        if self.waiting.is_empty() {
            return None;
        }
        self.waiting.get(child)?.iter().rev().find(|holding| holding.since <= at)
    }

    /// Has a link wait until its child is stored, in place of the one that waited.
    pub(crate) fn wait(&mut self, holding: Holding) {
        self.add_under(&holding.link);
        self.waiting.entry(holding.link.child.clone()).or_default().push(holding);
    }

    pub(crate) fn take_waiting(&mut self, child: &EventId) -> Option<Holding> {
        if self.waiting.is_empty() { None } else { self.waiting.remove(child)?.pop() }
    }

    /// The children with asserted links to this parent, some of them twice.
    pub(crate) fn under(&self, parent: &EventId) -> &[EventId] {
        if self.under.is_empty() {
            return &[];
        }
        self.under.get(parent).map_or(&[], Vec::as_slice)
    }

    /// Every link that stands now.
    pub(crate) fn all_standing(&self) -> impl Iterator<Item = &Holding> {
        self.holding.values().chain(self.waiting.values().filter_map(|held| held.last()))
    }

    /// Whether any link holds or waits, or did.
    pub(crate) fn has_any(&self) -> bool {
        !self.under.is_empty()
    }

    /// The children that links wait for.
    pub(crate) fn waited_for(&self) -> impl Iterator<Item = &EventId> {
        self.waiting.keys()
    }

    /// The rows that links hold for.
    pub(crate) fn held_rows(&self) -> impl Iterator<Item = u32> {
        self.holding.keys().copied()
    }

    fn add_under(&mut self, link: &Link) {
        self.under.entry(link.parent.clone()).or_default().push(link.child.clone());
    }

    /// Records a link that lost. Returns whether it was new.
    pub(crate) fn refuse(&mut self, link: Link, commit: u32) -> bool {
        let new = self.refused_before.insert(link.clone());
        if new {
            self.refused.push(Refused { link, since: commit });
        }
        new
    }

    /// Whether this very link was refused.
    pub(crate) fn was_refused(&self, link: &Link) -> bool {
        self.refused_before.contains(link)
    }

    /// The refused links as of a commit, in the order in which they were refused.
    pub(crate) fn refused(&self, at: u32) -> &[Refused] {
        &self.refused[..self.refused.partition_point(|refused| refused.since <= at)]
    }
}

/// The outcome of an assertion against the link that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same link with no more strength.
    Repeat,
    /// The same link with more strength.
    Strengthen,
    /// Another link, which wins.
    Replace,
    /// Another link, which loses.
    Refuse,
}

/// Weighs a new link against the one that stands: more strength wins, then a smaller order, then
/// the one that was asserted first.
pub(crate) fn weigh(standing: &Link, new: &Link) -> Verdict {
    let same = standing.parent == new.parent && standing.kind == new.kind;
    match (same, new.outranks(standing)) {
        (true, false) => Verdict::Repeat,
        (true, true) => Verdict::Strengthen,
        (false, true) => Verdict::Replace,
        (false, false) => Verdict::Refuse,
    }
}
