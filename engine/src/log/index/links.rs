//! How events find their parents, in whatever order they arrive.

use crate::batch::Linked;
use crate::event::{Link, LinkKind};
use crate::id::EventId;
use crate::log::index::claims::{Former, Verdict, weigh};
use crate::log::index::{Flags, Index, MissingEntry, NONE, NOW, Position, Refused};

/// What a row has for a parent, as of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// None: it neither names one nor was linked to one.
    None,
    /// A stored event.
    Known(u32, LinkKind),
    /// An event that is not stored.
    Missing(EventId, LinkKind),
    /// A stored event that goes back to the row itself.
    Closing(u32, LinkKind),
}

impl Index {
    /// Links an event that was just added to its parent, and to those that
    /// waited for it: its own link first, then theirs, in the order they came.
    pub(super) fn link_arrival(
        &mut self,
        row: u32,
        id: &EventId,
        parent: Option<EventId>,
        commit: u32,
    ) {
        let claim = self.claims.take_waiting(id);
        match (parent, claim) {
            (Some(parent), claim) => {
                self.rows[row as usize].flags.set(Flags::NAMED, true);
                let link = self.rows[row as usize].flags.link();
                let agrees = |claim: &Link| claim.parent == parent && claim.kind == link;
                if let Some(claim) = claim.filter(|claim| !agrees(claim)) {
                    self.claims.refuse(claim, commit);
                }
                self.seek_parent(row, parent, commit);
            }
            (None, Some(claim)) => self.take_claim(row, claim, commit),
            (None, None) => {}
        }
        for child in self.missing.arrived(id, commit) {
            self.connect(child, row, commit);
        }
    }

    /// What a claim would come to. Nothing is changed.
    pub(crate) fn judge(&self, claim: &Link) -> Linked {
        let Some(child) = self.find(&claim.child) else {
            return match self.claims.waiting(&claim.child).map(|standing| weigh(standing, claim)) {
                None | Some(Verdict::Replace | Verdict::Strengthen) => Linked::Accepted,
                Some(Verdict::Repeat) => Linked::Repeat,
                Some(Verdict::Refuse) => self.refusal(claim),
            };
        };
        if self.row(child).flags.has(Flags::NAMED) {
            let named = match self.parent(child, NOW) {
                Parent::Known(parent, kind) | Parent::Closing(parent, kind) => {
                    Some((self.id(parent), kind))
                }
                Parent::Missing(parent, kind) => Some((parent, kind)),
                Parent::None => None,
            };
            let same = named.is_some_and(|named| named == (claim.parent.clone(), claim.kind));
            return if same { Linked::Repeat } else { self.refusal(claim) };
        }
        match self.claims.holding(child).map(|holding| weigh(&holding.link, claim)) {
            Some(Verdict::Replace) if self.forest.is_worn() => self.refusal(claim),
            None | Some(Verdict::Replace | Verdict::Strengthen) => Linked::Accepted,
            Some(Verdict::Repeat) => Linked::Repeat,
            Some(Verdict::Refuse) => self.refusal(claim),
        }
    }

    /// Takes a claim from the log; returns what came of it.
    pub(crate) fn claim(&mut self, claim: Link, commit: u32) -> Linked {
        let verdict = self.judge(&claim);
        if verdict == Linked::Refused {
            self.claims.refuse(claim, commit);
            return verdict;
        }
        if verdict != Linked::Accepted {
            return verdict;
        }
        let Some(child) = self.find(&claim.child) else {
            if let Some(standing) = self.claims.waiting(&claim.child)
                && weigh(standing, &claim) == Verdict::Replace
            {
                let lost = standing.clone();
                self.claims.refuse(lost, commit);
            }
            self.claims.wait(claim);
            return Linked::Accepted;
        };
        match self.claims.holding(child).map(|holding| weigh(&holding.link, &claim)) {
            Some(Verdict::Strengthen) => {
                self.remember(child, commit);
                self.claims.hold(child, claim, commit);
                return Linked::Accepted;
            }
            Some(_) => self.release(child, commit),
            None => {}
        }
        self.take_claim(child, claim, commit);
        let closing = self.row(child).flags.has(Flags::CLOSING);
        if closing { Linked::Closing } else { Linked::Accepted }
    }

    /// What a row has for a parent, as of a commit. O(1).
    pub(crate) fn parent(&self, row: u32, at: u32) -> Parent {
        if let Some((parent, kind)) = self.plain_link(row, at) {
            return Parent::Known(parent, kind);
        }
        let entry = self.row(row);
        let named = entry.flags.has(Flags::NAMED);
        let holding = if named { None } else { self.claims.holding(row) };
        if !named && holding.is_none_or(|holding| holding.since > at) {
            return self.former_parent(row, at);
        }
        let kind = entry.flags.link();
        if entry.parent == NONE || entry.linked_at > at {
            let id = match self.missing.awaited(row) {
                Some(id) => id.clone(),
                None => self.id(entry.parent),
            };
            return Parent::Missing(id, kind);
        }
        if entry.flags.has(Flags::CLOSING) {
            Parent::Closing(entry.parent, kind)
        } else {
            Parent::Known(entry.parent, kind)
        }
    }

    /// The commit at which the link that a row has as of `at` became known.
    pub(crate) fn linked_at(&self, row: u32, at: u32) -> u32 {
        match self.claims.former(row, at) {
            Some(former) => former.linked_at,
            None => self.row(row).linked_at,
        }
    }

    /// The row that a walk goes on to. O(1), one cache line.
    pub(crate) fn cause(&self, row: u32, at: u32) -> Option<(u32, LinkKind)> {
        match self.parent(row, at) {
            Parent::Known(parent, kind) => Some((parent, kind)),
            _ => None,
        }
    }

    /// Where a row lies in its piece, as of a commit. O(log n).
    pub(crate) fn position(&self, row: u32, at: u32) -> Position {
        self.forest.position(row, at)
    }

    /// An upper bound of how many rows the row's piece holds.
    pub(crate) fn piece_size(&self, row: u32) -> u32 {
        self.forest.piece_size(row)
    }

    /// The children of a row as of a commit, in the order in which the links
    /// became known, each with the number of its edge.
    pub(crate) fn children(&self, row: u32, at: u32) -> impl Iterator<Item = (u32, u32)> {
        self.family.edges(row, at).map(|(number, edge)| (number, edge.child))
    }

    /// The children after the one that an edge leads to.
    pub(crate) fn children_after(&self, edge: u32, at: u32) -> impl Iterator<Item = (u32, u32)> {
        self.family.edges_after(edge, at).map(|(number, edge)| (number, edge.child))
    }

    /// The edge from a parent to a child as of a commit.
    pub(crate) fn edge(&self, parent: u32, child: u32, at: u32) -> Option<u32> {
        self.family.edge(parent, child, at)
    }

    /// Every parent that was missing at some time, in the order it was first named.
    pub(crate) fn missing(&self) -> &[MissingEntry] {
        self.missing.entries()
    }

    /// Refused claims as of a commit.
    pub(crate) fn refused(&self, at: u32) -> &[Refused] {
        self.claims.refused(at)
    }

    /// Rows whose link was found to close a cycle, as of a commit.
    pub(crate) fn closing(&self, at: u32) -> &[(u32, u32)] {
        &self.closing[..self.closing.partition_point(|&(_, since)| since <= at)]
    }

    /// The claim that a row's parent comes from, as of a commit.
    pub(crate) fn claimed(&self, row: u32, at: u32) -> Option<&Link> {
        match self.claims.holding(row) {
            Some(holding) if holding.since <= at => Some(&holding.link),
            _ => self.claims.former(row, at).map(|former| &former.link),
        }
    }

    /// The usual case, told from the row alone: one link, known and followed.
    #[inline]
    fn plain_link(&self, row: u32, at: u32) -> Option<(u32, LinkKind)> {
        let entry = self.row(row);
        let plain = entry.linked_at <= at && !entry.flags.has(Flags::CLOSING | Flags::HISTORY);
        plain.then(|| (entry.parent, entry.flags.link()))
    }

    fn refusal(&self, claim: &Link) -> Linked {
        if self.claims.was_refused(claim) { Linked::Repeat } else { Linked::Refused }
    }

    fn take_claim(&mut self, row: u32, claim: Link, commit: u32) {
        let parent = claim.parent.clone();
        self.rows[row as usize].flags.set_link(claim.kind);
        self.claims.hold(row, claim, commit);
        self.seek_parent(row, parent, commit);
    }

    fn seek_parent(&mut self, row: u32, parent: EventId, commit: u32) {
        match self.find(&parent) {
            Some(parent) => self.connect(row, parent, commit),
            None => self.missing.wait(row, parent, commit),
        }
    }

    /// Links a row that has no link yet to its parent, both being stored.
    fn connect(&mut self, child: u32, parent: u32, commit: u32) {
        let closing = self.forest.same_piece(child, parent);
        let row = &mut self.rows[child as usize];
        (row.parent, row.linked_at) = (parent, commit);
        row.flags.set(Flags::CLOSING, closing);
        if closing {
            self.closing.push((child, commit));
        } else {
            self.family.add(parent, child, commit);
            self.forest.hang(child, parent, commit);
        }
    }

    /// Takes from a row the link that a weaker claim gave it, and books both.
    /// O(events below the row), which are moved to a piece of their own.
    fn release(&mut self, row: u32, commit: u32) {
        let Some(link) = self.remember(row, commit) else {
            return;
        };
        self.claims.refuse(link, commit);
        self.missing.give_up(row);
        let entry = *self.row(row);
        let linked = entry.parent != NONE;
        let closing = entry.flags.has(Flags::CLOSING);
        if linked && !closing {
            self.family.end(row, commit);
            let below = self.subtree(row);
            self.forest.cut_off(&below, commit);
        }
        if closing && entry.linked_at == commit {
            // Found and replaced within one commit: no snapshot will see it.
            let of_commit = self.closing.partition_point(|&(_, since)| since < commit);
            let found = self.closing[of_commit..].iter().position(|&(child, _)| child == row);
            found.map(|at| self.closing.remove(of_commit + at));
        }
        let entry = &mut self.rows[row as usize];
        (entry.parent, entry.linked_at) = (NONE, NONE);
        entry.flags.set(Flags::CLOSING, false);
        entry.flags.set(Flags::HISTORY, true);
    }

    /// Books what a row has by the claim that holds for it, so that snapshots of
    /// before `commit` go on seeing it; returns the claim.
    fn remember(&mut self, row: u32, commit: u32) -> Option<Link> {
        let holding = self.claims.holding(row)?.clone();
        let entry = *self.row(row);
        self.claims.add_former(
            row,
            Former {
                link: holding.link.clone(),
                since: holding.since,
                until: commit,
                parent: entry.parent,
                linked_at: entry.linked_at,
                closing: entry.flags.has(Flags::CLOSING),
            },
        );
        Some(holding.link)
    }

    /// A row and all below it, each with its depth below the row.
    fn subtree(&self, row: u32) -> Vec<(u32, u32)> {
        let mut below = vec![(row, 0)];
        let mut next = 0;
        while let Some(&(parent, depth)) = below.get(next) {
            below.extend(self.family.edges(parent, NOW).map(|(_, edge)| (edge.child, depth + 1)));
            next += 1;
        }
        below
    }

    fn former_parent(&self, row: u32, at: u32) -> Parent {
        match self.claims.former(row, at) {
            None => Parent::None,
            Some(Former { link, linked_at, .. }) if *linked_at > at => {
                Parent::Missing(link.parent.clone(), link.kind)
            }
            Some(former) if former.closing => Parent::Closing(former.parent, former.link.kind),
            Some(former) => Parent::Known(former.parent, former.link.kind),
        }
    }
}
