//! Links events to their parents, in whatever order they arrive, and answers for the links.

use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind, Linked};
use crate::base::row::{Flags, NONE};
use crate::log::index::claims::{Former, Holding, Made, Verdict, weigh};
use crate::log::index::{CycleEdge, Index, MissingEntry, NOW, Position, Refused};

/// The parent of a row, as of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// It neither names one nor has an asserted link.
    None,
    /// A stored event.
    Known(u32, LinkKind),
    /// An event that is not stored.
    Missing(EventId, LinkKind),
    /// A stored event that goes back to the row itself: a cycle edge.
    Cycle(u32, LinkKind),
}

/// The stored link of a row: what its event names, without asserted links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredLink {
    /// It names none.
    None,
    /// A row of this log.
    Row(u32),
    /// An event of an earlier segment.
    Earlier(u64, EventId),
    /// An event that neither this log nor an earlier segment had.
    Awaited(EventId),
    /// A row of this log that goes back to the row itself: a cycle edge.
    Cycle(u32),
}

/// The place of a row by stored links alone, the anchor possibly in an earlier segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirmPosition {
    pub(crate) anchor: Anchor,
    /// Stored links between the row and the anchor.
    pub(crate) depth: u32,
}

/// The topmost event that stored links lead to from a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// A row of this log.
    Row(u32),
    /// An event of an earlier segment.
    Earlier(u64, EventId),
}

impl Index {
    /// Links an event that was just added to its parent, then those that waited for it, in
    /// the order in which they came. Recovery replays in this order, so that the same link
    /// of a cycle becomes its cycle edge.
    pub(super) fn link_arrival(
        &mut self,
        row: u32,
        id: &EventId,
        parent: Option<EventId>,
        found: Option<u32>,
        is_cross_ref: bool,
        commit: u32,
    ) {
        let claim = self.claims.take_waiting(id);
        match (parent, claim) {
            (Some(parent), claim) => {
                self.rows[row as usize].flags.set(Flags::NAMED, true);
                let link = self.rows[row as usize].flags.link();
                let agrees = |claim: &Link| claim.parent == parent && claim.kind == link;
                if let Some(claim) = claim.filter(|claim| !agrees(&claim.link)) {
                    self.claims.refuse(claim.link, commit);
                }
                if !is_cross_ref {
                    self.seek_parent(row, parent, found, commit);
                }
            }
            (None, Some(claim)) => self.take_claim(row, claim.link, claim.made, commit),
            (None, None) => {}
        }
        for child in self.missing.arrived(id, commit) {
            self.connect(child, row, commit);
        }
    }

    /// What asserting a link would result in. Changes nothing.
    pub(crate) fn judge(&self, claim: &Link) -> Linked {
        let Some(child) = self.event_row(&claim.child) else {
            return match self.claims.waiting(&claim.child, NOW).map(|held| weigh(&held.link, claim))
            {
                None | Some(Verdict::Replace | Verdict::Strengthen) => Linked::Accepted,
                Some(Verdict::Repeat) => Linked::Repeat,
                Some(Verdict::Refuse) => self.refusal(claim),
            };
        };
        if self.row(child).flags.has(Flags::NAMED) {
            let named = match self.parent(child, NOW) {
                Parent::Known(parent, kind) | Parent::Cycle(parent, kind) => {
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

    /// Asserts a link that is in the log.
    ///
    /// One that was refused stays refused: what replaces the winner later is stronger
    /// still, and the outcome was acknowledged.
    pub(crate) fn claim(&mut self, claim: Link, commit: u32) -> Linked {
        let verdict = self.judge(&claim);
        if verdict == Linked::Refused {
            self.claims.refuse(claim, commit);
            return verdict;
        }
        if verdict != Linked::Accepted {
            return verdict;
        }
        let Some(child) = self.event_row(&claim.child) else {
            let mut made = self.claim_made();
            if let Some(standing) = self.claims.waiting(&claim.child, NOW) {
                if weigh(&standing.link, &claim) == Verdict::Replace {
                    let lost = standing.link.clone();
                    self.claims.refuse(lost, commit);
                } else {
                    made = standing.made;
                }
            }
            self.claims.wait(Holding { link: claim, since: commit, made });
            return Linked::Accepted;
        };
        match self.claims.holding(child).map(|holding| weigh(&holding.link, &claim)) {
            Some(Verdict::Strengthen) => {
                self.remember(child, commit);
                let made =
                    self.claims.holding(child).map(|holding| holding.made).unwrap_or_default();
                self.claims.hold(child, Holding { link: claim, since: commit, made });
                return Linked::Accepted;
            }
            Some(_) => self.release(child, commit),
            None => {}
        }
        let made = self.claim_made();
        self.take_claim(child, claim, made, commit);
        let cycle = self.row(child).flags.has(Flags::CYCLE);
        if cycle { Linked::Closing } else { Linked::Accepted }
    }

    /// The parent of a row, as of a commit. O(1).
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
            let cross_ref = || self.cross_ref.get(&row)?.parent_id.as_ref();
            let id = match self.missing.awaited(row).or_else(cross_ref) {
                Some(id) => id.clone(),
                None => self.id(entry.parent),
            };
            return Parent::Missing(id, kind);
        }
        if entry.flags.has(Flags::CYCLE) {
            Parent::Cycle(entry.parent, kind)
        } else {
            Parent::Known(entry.parent, kind)
        }
    }

    /// The stored link of a row, as of a commit. A version has that of its event. O(1).
    pub(crate) fn stored_link(&self, row: u32, at: u32) -> StoredLink {
        let row = self.row(row).first;
        let entry = self.row(row);
        if !entry.flags.has(Flags::NAMED) {
            return StoredLink::None;
        }
        if entry.flags.has(Flags::CROSS_REF)
            && let Some(cross_ref) = self.cross_ref.get(&row)
        {
            let id = cross_ref.parent_id.clone().unwrap_or_default();
            return match cross_ref.parent {
                0 => StoredLink::Awaited(id),
                seq => StoredLink::Earlier(seq, id),
            };
        }
        if entry.parent == NONE {
            return StoredLink::Awaited(self.missing.awaited(row).cloned().unwrap_or_default());
        }
        if entry.linked_at > at {
            return StoredLink::Awaited(self.id(entry.parent));
        }
        if entry.flags.has(Flags::CYCLE) {
            StoredLink::Cycle(entry.parent)
        } else {
            StoredLink::Row(entry.parent)
        }
    }

    /// The place of a row by stored links alone, as of a commit. O(log n).
    pub(crate) fn firm_position(&self, row: u32, at: u32) -> FirmPosition {
        let row = self.row(row).first;
        let forest = self.firm.as_deref().unwrap_or(&self.forest);
        let Position { anchor, depth } = forest.position(row, at);
        match self.cross_ref.get(&anchor) {
            None => FirmPosition { anchor: Anchor::Row(anchor), depth },
            Some(cross_ref) => FirmPosition {
                anchor: Anchor::Earlier(cross_ref.anchor, cross_ref.anchor_id.clone()),
                depth: depth + cross_ref.depth,
            },
        }
    }

    /// The commit at which the link became known that a row has as of `at`.
    pub(crate) fn linked_at(&self, row: u32, at: u32) -> u32 {
        match self.claims.former(row, at) {
            Some(former) => former.linked_at,
            None => self.row(row).linked_at,
        }
    }

    /// Every parent that was ever missing, in the order in which they were first named.
    pub(crate) fn missing(&self) -> &[MissingEntry] {
        self.missing.entries()
    }

    /// The refused links, as of a commit.
    pub(crate) fn refused(&self, at: u32) -> &[Refused] {
        self.claims.refused(at)
    }

    /// The cycle edges that were found, as of a commit.
    pub(crate) fn cycle_edges(&self, at: u32) -> &[CycleEdge] {
        &self.cycle_edges[..self.cycle_edges.partition_point(|edge| edge.since <= at)]
    }

    /// The child and the parent of a cycle edge; none where another link has replaced it
    /// since.
    pub(crate) fn cycle_edge_ends(&self, edge: &CycleEdge, at: u32) -> Option<(EventId, EventId)> {
        if edge.ends.is_some() {
            return edge.ends.clone();
        }
        match self.parent(edge.row, at) {
            Parent::Cycle(parent, _) if self.linked_at(edge.row, at) == edge.since => {
                Some((self.id(edge.row), self.id(parent)))
            }
            _ => None,
        }
    }

    /// Whether two rows are in one fragment. O(log n).
    pub(crate) fn same_fragment(&self, a: u32, b: u32) -> bool {
        self.forest.same_fragment(a, b)
    }

    /// Whether any row waits for this parent.
    pub(crate) fn is_awaited(&self, parent: &EventId) -> bool {
        self.missing.is_open(parent)
    }

    /// The asserted link that stands in this log for a child, wherever that is stored, and
    /// when it was asserted.
    pub(crate) fn standing(&self, child: &EventId, at: u32) -> Option<(&Link, Made)> {
        if let Some(row) = self.event_row(child) {
            if self.row(row).flags.has(Flags::NAMED) {
                return None;
            }
            if let Some(holding) = self.claims.holding(row).filter(|held| held.since <= at) {
                return Some((&holding.link, holding.made));
            }
            if let Some(former) = self.claims.former(row, at) {
                return Some((&former.link, former.made));
            }
        }
        self.claims.waiting(child, at).map(|waiting| (&waiting.link, waiting.made))
    }

    /// Whether the link from `child` to `parent` is a cycle edge: through other segments,
    /// or within this log where it was asserted.
    pub(crate) fn is_cycle_edge(&self, child: &EventId, parent: &EventId, at: u32) -> bool {
        if self.marks(child).iter().any(|mark| mark.since <= at && mark.parent == *parent) {
            return true;
        }
        if self.cycle_edges.is_empty() {
            return false;
        }
        self.event_row(child).is_some_and(|row| {
            matches!(self.parent(row, at), Parent::Cycle(found, _) if self.id(found) == *parent)
        })
    }

    /// Whether there is any cycle edge that the spine will not have.
    pub(crate) fn has_marks(&self) -> bool {
        !self.marks.is_empty() || !self.cycle_edges.is_empty()
    }

    /// Whether the link of an event of an earlier segment was found here to be a cycle edge.
    pub(crate) fn is_marked_across(&self, child: &EventId, parent: &EventId) -> bool {
        self.marks(child).iter().any(|mark| mark.parent == *parent)
    }

    /// Whether any asserted link stands in this log, or did.
    pub(crate) fn has_claims(&self) -> bool {
        self.claims.has_any()
    }

    /// Every cycle edge that the spine will not have: child and parent.
    pub(crate) fn all_marks(&self) -> Vec<(EventId, EventId)> {
        let marked = self.marks.iter();
        let mut all: Vec<_> = marked
            .flat_map(|(child, marks)| {
                marks.iter().map(|mark| (child.clone(), mark.parent.clone()))
            })
            .collect();
        for edge in self.cycle_edges.iter().filter(|edge| edge.row != NONE) {
            if !self.row(edge.row).flags.has(Flags::NAMED) {
                all.extend(self.cycle_edge_ends(edge, NOW));
            }
        }
        all.sort();
        all.dedup();
        all
    }

    /// The children with asserted links to this parent, some of them twice.
    pub(crate) fn claimed_under(&self, parent: &EventId) -> &[EventId] {
        self.claims.under(parent)
    }

    /// The children with asserted links, wherever they are stored.
    pub(crate) fn claimed_children(&self) -> impl Iterator<Item = EventId> {
        let held = self.claims.held_rows().map(|row| self.id(row));
        held.chain(self.claims.waited_for().cloned())
    }

    /// Every asserted link that stands now.
    pub(crate) fn all_standing(&self) -> impl Iterator<Item = (&Link, Made)> {
        self.claims.all_standing().map(|holding| (&holding.link, holding.made))
    }

    /// Whether this very link was refused.
    pub(crate) fn was_refused(&self, claim: &Link) -> bool {
        self.claims.was_refused(claim)
    }

    /// The children in this log that name a row as their parent, as of a commit.
    pub(crate) fn named_children(&self, row: u32, at: u32) -> impl Iterator<Item = u32> {
        let named = |child: &u32| self.row(*child).flags.has(Flags::NAMED);
        self.family.edges(row, at).map(|(_, edge)| edge.child).filter(named)
    }

    /// The rows that name an event of an earlier segment as their parent.
    pub(crate) fn children_of_earlier(&self, seq: u64) -> &[u32] {
        self.children_of_earlier.get(&seq).map_or(&[], Vec::as_slice)
    }

    /// The rows that name a parent which neither this log nor an earlier segment had.
    pub(crate) fn awaiting(&self, parent: &EventId) -> impl Iterator<Item = u32> {
        let rows = self.missing.waiting_for(parent).iter().copied();
        rows.filter(|&row| self.row(row).flags.has(Flags::NAMED))
    }

    /// The common case, decided by the row alone: one link, known and followed.
    #[inline]
    fn plain_link(&self, row: u32, at: u32) -> Option<(u32, LinkKind)> {
        let entry = self.row(row);
        let plain = entry.linked_at <= at && !entry.flags.has(Flags::CYCLE | Flags::HISTORY);
        plain.then(|| (entry.parent, entry.flags.link()))
    }

    /// The row of an event. A version of an event in an earlier segment has no such row.
    pub(crate) fn event_row(&self, id: &EventId) -> Option<u32> {
        self.find(id).filter(|&row| !self.row(row).flags.has(Flags::VERSION))
    }

    fn is_marked(&self, child: u32, parent: u32) -> bool {
        if self.marks.is_empty() {
            return false;
        }
        let parent = self.id(parent);
        self.marks(&self.id(child)).iter().any(|mark| mark.parent == parent)
    }

    /// The moment at which the next link is asserted.
    fn claim_made(&mut self) -> Made {
        self.claims_made += 1;
        Made { rows: self.rows.len() as u32, claims: self.claims_made }
    }

    fn refusal(&self, claim: &Link) -> Linked {
        if self.claims.was_refused(claim) { Linked::Repeat } else { Linked::Refused }
    }

    fn take_claim(&mut self, row: u32, claim: Link, made: Made, commit: u32) {
        let parent = claim.parent.clone();
        self.rows[row as usize].flags.set_link(claim.kind);
        self.claims.hold(row, Holding { link: claim, since: commit, made });
        self.seek_parent(row, parent, None, commit);
    }

    /// Links a row to its parent, or has it wait for the parent. `found` is the parent's
    /// row, where it was looked up before.
    fn seek_parent(&mut self, row: u32, parent: EventId, found: Option<u32>, commit: u32) {
        let found = found.or_else(|| self.find(&parent));
        // A version of an event in an earlier segment is not that event.
        match found.filter(|&found| !self.row(found).flags.has(Flags::VERSION)) {
            Some(parent) => self.connect(row, parent, commit),
            None => self.missing.wait(row, parent, commit),
        }
    }

    /// Links a row that has no link yet to its parent; both are stored.
    ///
    /// The link whose last end arrives last closes the cycle, so that walks over followed
    /// links end: `hang` is called for two different fragments only.
    fn connect(&mut self, child: u32, parent: u32, commit: u32) {
        let marked = self.is_marked(child, parent);
        let cycle = marked || self.forest.same_fragment(child, parent);
        let row = &mut self.rows[child as usize];
        (row.parent, row.linked_at) = (parent, commit);
        row.flags.set(Flags::CYCLE, cycle);
        if cycle {
            // A marked one is in the list already.
            if !marked {
                self.cycle_edges.push(CycleEdge { row: child, ends: None, since: commit });
            }
            return;
        }
        let named = row.flags.has(Flags::NAMED);
        if !named && self.firm.is_none() {
            self.firm = Some(Box::new(self.forest.clone()));
        }
        if let Some(firm) = self.firm.as_mut().filter(|_| named) {
            firm.hang(child, parent, commit);
        }
        self.family.add(parent, child, commit);
        self.forest.hang(child, parent, commit);
    }

    /// Takes the link of a weaker assertion from a row and records it as refused. O(events
    /// below the row): they move to a fragment of their own.
    fn release(&mut self, row: u32, commit: u32) {
        let Some(link) = self.remember(row, commit) else {
            return;
        };
        self.claims.refuse(link, commit);
        self.missing.give_up(row);
        let entry = *self.row(row);
        let linked = entry.parent != NONE;
        let cycle = entry.flags.has(Flags::CYCLE);
        if linked && !cycle {
            self.family.end(row, commit);
            let below = self.subtree(row);
            self.forest.cut_off(&below, commit);
        }
        if cycle && entry.linked_at == commit {
            // Found and replaced within one commit, so that no snapshot can see it.
            let of_commit = self.cycle_edges.partition_point(|edge| edge.since < commit);
            let found = self.cycle_edges[of_commit..].iter().position(|edge| edge.row == row);
            found.map(|at| self.cycle_edges.remove(of_commit + at));
        }
        let entry = &mut self.rows[row as usize];
        (entry.parent, entry.linked_at) = (NONE, NONE);
        entry.flags.set(Flags::CYCLE, false);
        entry.flags.set(Flags::HISTORY, true);
    }

    /// Keeps the asserted link of a row for snapshots from before `commit`, and returns it.
    fn remember(&mut self, row: u32, commit: u32) -> Option<Link> {
        let holding = self.claims.holding(row)?.clone();
        let entry = *self.row(row);
        self.claims.add_former(
            row,
            Former {
                link: holding.link.clone(),
                since: holding.since,
                until: commit,
                made: holding.made,
                parent: entry.parent,
                linked_at: entry.linked_at,
                cycle: entry.flags.has(Flags::CYCLE),
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
            Some(former) if former.cycle => Parent::Cycle(former.parent, former.link.kind),
            Some(former) => Parent::Known(former.parent, former.link.kind),
        }
    }
}
