//! Cycle edges: links that would close a cycle, within the log and through other segments.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::base::id::EventId;
use crate::base::row::{Flags, NONE};
use crate::log::index::{Index, NOW, Parent};

/// A cycle edge.
#[derive(Clone, Debug)]
pub(crate) struct FoundCycleEdge {
    /// The child's row, where it is in this log.
    pub(super) row: u32,
    /// The child and the parent, where the child is not in this log.
    pub(super) ends: Option<(EventId, EventId)>,
    /// The commit at which it was found.
    pub(super) since: u32,
}

/// The cycle edges through other segments, by child.
pub(crate) type CycleMarks = HashMap<EventId, Vec<CycleMark>, RandomState>;

/// A cycle edge through other segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CycleMark {
    pub(crate) parent: EventId,
    /// The commit at which it was found.
    pub(crate) since: u32,
}

impl Index {
    /// The cycle edges that were found, as of a commit.
    pub(crate) fn cycle_edges(&self, at: u32) -> &[FoundCycleEdge] {
        &self.cycle_edges[..self.cycle_edges.partition_point(|edge| edge.since <= at)]
    }

    /// The child and the parent of a cycle edge; none where another link has replaced it
    /// since.
    pub(crate) fn cycle_edge_ends(
        &self,
        edge: &FoundCycleEdge,
        at: u32,
    ) -> Option<(EventId, EventId)> {
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

    pub(super) fn is_marked(&self, child: u32, parent: u32) -> bool {
        if self.marks.is_empty() {
            return false;
        }
        let parent = self.id(parent);
        self.marks(&self.id(child)).iter().any(|mark| mark.parent == parent)
    }

    /// Records a cycle edge through other segments.
    pub(crate) fn mark_cycle_edge(&mut self, child: EventId, parent: EventId, commit: u32) {
        let ends = Some((child.clone(), parent.clone()));
        self.cycle_edges.push(FoundCycleEdge { row: NONE, ends, since: commit });
        self.marks.entry(child).or_default().push(CycleMark { parent, since: commit });
    }

    /// The cycle edges of this child through other segments.
    pub(crate) fn marks(&self, child: &EventId) -> &[CycleMark] {
        if self.marks.is_empty() {
            return &[];
        }
        self.marks.get(child).map_or(&[], Vec::as_slice)
    }
}
