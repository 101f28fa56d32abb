//! Anchors and depths under any arrival order.
//!
//! A weighted union-find without path compression: a union of two fragments costs O(log n), and
//! so does a query for an anchor or a depth, even when a chain arrives backwards.
//!
//! Path compression would be faster and wrong: without it each step of a path was made at one
//! commit and the steps along a path were made in order of commits, so that a query that ignores
//! later steps gives the answer as of an earlier commit.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::base::row::NONE;
use crate::log::index::rows::NOW;

/// The fragments of a log. Every row is a node; rows that were cut off get new nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forest {
    nodes: Vec<Node>,
    /// The nodes of moved rows, numbered from [`MOVED`] on.
    moved_nodes: Vec<Node>,
    /// The rows of the moved nodes.
    moved_rows: Vec<u32>,
    /// For a row that was moved, its nodes and the commit from which on it has each.
    moves: HashMap<u32, Vec<(u32, u32)>, RandomState>,
    /// The anchor and the depth of a set's representative, each with the commit from which
    /// on it holds. Without an entry the representative is the anchor.
    bases: HashMap<u32, Vec<Base>, RandomState>,
}

/// A node of the union-find.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// The node that it was put under, and the commit at which it was.
    up: u32,
    since: u32,
    /// Its depth minus that of the node that it was put under.
    weight: i32,
    /// The nodes of its set, while it is the representative.
    size: u32,
}

#[derive(Clone, Copy, Debug)]
struct Base {
    since: u32,
    anchor: u32,
    depth: u32,
}

/// The place of a row in its fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FragmentPosition {
    /// The row of the topmost known ancestor.
    pub(crate) anchor: u32,
    /// Edges between the row and its anchor.
    pub(crate) depth: u32,
}

/// How often a row may be moved on average, and how many moves are allowed in any case.
const MOVES_PER_ROW: usize = 4;
const MOVES_FREE: usize = 1 << 16;

/// The first number of a moved node. Rows have smaller numbers.
const MOVED: u32 = 1 << 31;

impl Forest {
    /// Reserves room for this many more rows.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.nodes.reserve(rows);
    }

    /// Adds the next row, a fragment of its own.
    pub(crate) fn push(&mut self) {
        self.nodes.push(Node::alone());
    }

    /// The place of a row as of a commit. O(log n).
    pub(crate) fn position(&self, row: u32, at: u32) -> FragmentPosition {
        let (set, below) = self.representative(self.node_of(row, at), at);
        let base = self.base(set, at);
        FragmentPosition {
            anchor: base.anchor,
            depth: base.depth.wrapping_add_signed(below as i32),
        }
    }

    /// Whether two rows are in one fragment now. O(log n).
    pub(crate) fn same_fragment(&self, a: u32, b: u32) -> bool {
        self.set_of(a) == self.set_of(b)
    }

    /// Hangs the fragment whose anchor is `child` under `parent`, which must be in another
    /// one. O(log n).
    pub(crate) fn hang(&mut self, child: u32, parent: u32, commit: u32) {
        let above = self.position(parent, NOW);
        let child_set = self.set_of(child);
        let parent_set = self.set_of(parent);
        debug_assert_ne!(child_set, parent_set, "a link within a fragment closes a cycle");
        let parent_base = self.base(parent_set, NOW);
        // The depth of the child's representative from now on.
        let child_depth = self.base(child_set, NOW).depth + above.depth + 1;
        let weight = i64::from(child_depth) - i64::from(parent_base.depth);
        let size = self.node(parent_set).size + self.node(child_set).size;
        if self.node(parent_set).size >= self.node(child_set).size {
            self.put_under(child_set, parent_set, weight, commit);
            self.node_mut(parent_set).size = size;
        } else {
            self.put_under(parent_set, child_set, -weight, commit);
            self.node_mut(child_set).size = size;
            let base = Base { since: commit, anchor: above.anchor, depth: child_depth };
            let bases = self.bases.entry(child_set).or_default();
            match bases.last_mut() {
                Some(last) if last.since == commit => *last = base,
                _ => bases.push(base),
            }
        }
    }

    /// Makes a fragment of rows that were cut off, each with its depth below the first,
    /// which is the anchor. They get new nodes: the old ones still answer for earlier
    /// commits. O(rows).
    pub(crate) fn cut_off(&mut self, rows: &[(u32, u32)], commit: u32) {
        let set = MOVED + self.moved_nodes.len() as u32;
        for (at, &(row, depth)) in rows.iter().enumerate() {
            let node = MOVED + self.moved_nodes.len() as u32;
            self.moved_nodes.push(match at {
                0 => Node { size: rows.len() as u32, ..Node::alone() },
                _ => Node { up: set, since: commit, weight: depth.cast_signed(), size: 1 },
            });
            self.moved_rows.push(row);
            self.moves.entry(row).or_default().push((commit, node));
        }
    }

    /// Whether the limit of moves is reached, which bounds the memory and the time that
    /// replacing links takes, however often a caller does it.
    pub(crate) fn is_worn(&self) -> bool {
        self.moved_nodes.len() > MOVES_PER_ROW * self.nodes.len() + MOVES_FREE
    }

    fn put_under(&mut self, node: u32, up: u32, weight: i64, commit: u32) {
        let node = self.node_mut(node);
        (node.up, node.since, node.weight) = (up, commit, weight as i32);
    }

    fn set_of(&self, row: u32) -> u32 {
        self.representative(self.node_of(row, NOW), NOW).0
    }

    /// A node's representative, and how much deeper the node lies.
    fn representative(&self, mut node: u32, at: u32) -> (u32, i64) {
        let mut below = 0;
        loop {
            let step = self.node(node);
            if step.up == NONE || step.since > at {
                return (node, below);
            }
            below += i64::from(step.weight);
            node = step.up;
        }
    }

    fn base(&self, set: u32, at: u32) -> Base {
        let bases = self.bases.get(&set).map_or(&[][..], Vec::as_slice);
        match bases.partition_point(|base| base.since <= at) {
            0 => Base { since: 0, anchor: self.row_of(set), depth: 0 },
            after => bases[after - 1],
        }
    }

    fn node_of(&self, row: u32, at: u32) -> u32 {
        if self.moves.is_empty() {
            return row;
        }
        let moves = self.moves.get(&row).map_or(&[][..], Vec::as_slice);
        match moves.partition_point(|&(since, _)| since <= at) {
            0 => row,
            after => moves[after - 1].1,
        }
    }

    fn row_of(&self, node: u32) -> u32 {
        if node < MOVED { node } else { self.moved_rows[(node - MOVED) as usize] }
    }

    fn node(&self, node: u32) -> &Node {
        if node < MOVED {
            &self.nodes[node as usize]
        } else {
            &self.moved_nodes[(node - MOVED) as usize]
        }
    }

    fn node_mut(&mut self, node: u32) -> &mut Node {
        if node < MOVED {
            &mut self.nodes[node as usize]
        } else {
            &mut self.moved_nodes[(node - MOVED) as usize]
        }
    }
}

impl Node {
    fn alone() -> Self {
        Self { up: NONE, since: NONE, weight: 0, size: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_arrives_backwards_has_its_depths_at_every_commit() {
        let mut forest = Forest::default();
        // Row n's parent is row n + 1, which arrives at commit n + 1.
        for row in 0..1000 {
            forest.push();
            if row > 0 {
                forest.hang(row - 1, row, row);
            }
        }
        for at in [0, 1, 2, 500, 999] {
            for row in 0..=at {
                let expected = FragmentPosition { anchor: at, depth: at - row };
                assert_eq!(forest.position(row, at), expected, "row {row} as of {at}");
            }
        }
    }

    #[test]
    fn rows_that_were_cut_off_keep_their_past() {
        let mut forest = Forest::default();
        (0..4).for_each(|_| forest.push());
        forest.hang(1, 0, 1);
        forest.hang(2, 1, 2);
        forest.cut_off(&[(1, 0), (2, 1)], 3);
        forest.hang(1, 3, 3);
        assert_eq!(forest.position(2, 2), FragmentPosition { anchor: 0, depth: 2 });
        assert_eq!(forest.position(2, 3), FragmentPosition { anchor: 3, depth: 2 });
        assert_eq!(forest.position(0, 3), FragmentPosition { anchor: 0, depth: 0 });
        assert!(!forest.same_fragment(0, 2));
    }
}
