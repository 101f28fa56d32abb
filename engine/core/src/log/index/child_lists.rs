//! The children of each row, in the order in which the links became known.

use crate::base::row::NONE;

/// A linked list of children under each row.
#[derive(Debug, Default)]
pub(crate) struct ChildLists {
    edges: Vec<ChildEdge>,
    lists: Vec<ChildList>,
}

/// A child in its parent's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChildEdge {
    pub(crate) child: u32,
    next: u32,
    /// The commits from which on and until which the link holds.
    since: u32,
    until: u32,
}

#[derive(Clone, Copy, Debug)]
struct ChildList {
    /// The first and the last child of the row.
    first: u32,
    last: u32,
    /// The edge from the row's own parent.
    own: u32,
}

impl ChildLists {
    /// Reserves room for this many more rows.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.edges.reserve(rows);
        self.lists.reserve(rows);
    }

    /// Adds the next row, without children.
    pub(crate) fn push(&mut self) {
        self.lists.push(ChildList { first: NONE, last: NONE, own: NONE });
    }

    /// Adds a child at the end of the parent's list.
    pub(crate) fn add(&mut self, parent: u32, child: u32, commit: u32) {
        let edge = self.edges.len() as u32;
        self.edges.push(ChildEdge { child, next: NONE, since: commit, until: NONE });
        let siblings = &mut self.lists[parent as usize];
        match siblings.last {
            NONE => siblings.first = edge,
            last => self.edges[last as usize].next = edge,
        }
        siblings.last = edge;
        self.lists[child as usize].own = edge;
    }

    /// Ends the edge from a row's parent: from this commit on it does not hold.
    pub(crate) fn end(&mut self, child: u32, commit: u32) {
        if let Some(edge) = self.edges.get_mut(self.lists[child as usize].own as usize) {
            edge.until = commit;
        }
        self.lists[child as usize].own = NONE;
    }

    /// The edges to children that hold as of a commit, each with its number.
    pub(crate) fn edges(&self, parent: u32, at: u32) -> impl Iterator<Item = (u32, ChildEdge)> {
        self.walk(self.lists[parent as usize].first, at)
    }

    fn walk(&self, first: u32, at: u32) -> impl Iterator<Item = (u32, ChildEdge)> {
        let get = move |number: u32| self.edges.get(number as usize).map(|edge| (number, *edge));
        std::iter::successors(get(first), move |(_, edge)| get(edge.next))
            .filter(move |(_, edge)| edge.since <= at && at < edge.until)
    }
}
