//! Links events to their parents, in whatever order they arrive, and answers for the links.

use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind};
use crate::base::row::{Flags, NONE};
use crate::log::index::cycle_edges::FoundCycleEdge;
use crate::log::index::{FragmentPosition, Index, MissingEntry};

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
        let asserted = self.asserted.take_waiting(id);
        match (parent, asserted) {
            (Some(parent), asserted) => {
                self.rows[row as usize].flags.set(Flags::NAMED, true);
                let link = self.rows[row as usize].flags.link();
                let agrees = |asserted: &Link| asserted.parent == parent && asserted.kind == link;
                if let Some(asserted) = asserted.filter(|asserted| !agrees(&asserted.link)) {
                    self.asserted.refuse(asserted.link, commit);
                }
                if !is_cross_ref {
                    self.seek_parent(row, parent, found, commit);
                }
            }
            (None, Some(asserted)) => self.take_asserted(row, asserted.link, asserted.made, commit),
            (None, None) => {}
        }
        // After its own link: which of two links closes a cycle depends on the order, and it was
        // acknowledged.
        for child in self.missing.arrived(id, commit) {
            self.connect(child, row, commit);
        }
    }

    /// The parent of a row, as of a commit. O(1).
    pub(crate) fn parent(&self, row: u32, at: u32) -> Parent {
        if let Some((parent, kind)) = self.plain_link(row, at) {
            return Parent::Known(parent, kind);
        }
        let entry = self.row(row);
        let named = entry.flags.has(Flags::NAMED);
        let holding = if named { None } else { self.asserted.holding(row) };
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
    #[inline]
    pub(crate) fn stored_link(&self, row: u32, at: u32) -> StoredLink {
        let row = self.row(row).first;
        let entry = self.row(row);
        // The common case, decided by the row alone.
        let is_plain = entry.flags.has(Flags::NAMED)
            && !entry.flags.has(Flags::CROSS_REF | Flags::CYCLE)
            && entry.linked_at <= at;
        if is_plain { StoredLink::Row(entry.parent) } else { self.other_stored_link(row, at) }
    }

    fn other_stored_link(&self, row: u32, at: u32) -> StoredLink {
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
        let FragmentPosition { anchor, depth } = forest.position(row, at);
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
        match self.asserted.former(row, at) {
            Some(former) => former.linked_at,
            None => self.row(row).linked_at,
        }
    }

    /// Every parent that was ever missing, in the order in which they were first named.
    pub(crate) fn missing(&self) -> &[MissingEntry] {
        self.missing.entries()
    }

    /// Whether two rows are in one fragment. O(log n).
    pub(crate) fn same_fragment(&self, a: u32, b: u32) -> bool {
        self.forest.same_fragment(a, b)
    }

    /// Whether any row waits for this parent.
    pub(crate) fn is_awaited(&self, parent: &EventId) -> bool {
        self.missing.is_open(parent)
    }

    /// The children in this log that name a row as their parent, as of a commit.
    pub(crate) fn named_children(&self, row: u32, at: u32) -> impl Iterator<Item = u32> {
        let named = |child: &u32| self.row(*child).flags.has(Flags::NAMED);
        self.children.edges(row, at).map(|(_, edge)| edge.child).filter(named)
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

    /// Links a row to its parent, or has it wait for the parent. `found` is the parent's
    /// row, where it was looked up before.
    pub(super) fn seek_parent(
        &mut self,
        row: u32,
        parent: EventId,
        found: Option<u32>,
        commit: u32,
    ) {
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
                self.cycle_edges.push(FoundCycleEdge { row: child, ends: None, since: commit });
            }
            return;
        }
        let named = row.flags.has(Flags::NAMED);
        // Anchors and depths in cross-segment references and in the spine are by stored links
        // alone: from the first asserted link on they need a forest of their own.
        if !named && self.firm.is_none() {
            self.firm = Some(Box::new(self.forest.clone()));
        }
        if let Some(firm) = self.firm.as_mut().filter(|_| named) {
            firm.hang(child, parent, commit);
        }
        self.children.add(parent, child, commit);
        self.forest.hang(child, parent, commit);
    }
}
