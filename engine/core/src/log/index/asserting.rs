//! Asserts links: decides which of several holds for a child, and moves what hangs below it.

use crate::base::id::EventId;
use crate::base::link::{Link, Linked};
use crate::base::row::{Flags, NONE};
use crate::log::index::asserted::{Former, Holding, Made, Refused, Verdict, weigh};
use crate::log::index::{Index, NOW, Parent};

impl Index {
    /// What asserting a link would result in. Changes nothing.
    pub(crate) fn judge(&self, link: &Link) -> Linked {
        let Some(child) = self.event_row(&link.child) else {
            return match self.asserted.waiting(&link.child, NOW).map(|held| weigh(&held.link, link))
            {
                None | Some(Verdict::Replace | Verdict::Strengthen) => Linked::Accepted,
                Some(Verdict::Repeat) => Linked::Repeat,
                Some(Verdict::Refuse) => self.refusal(link),
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
            let same = named.is_some_and(|named| named == (link.parent.clone(), link.kind));
            return if same { Linked::Repeat } else { self.refusal(link) };
        }
        match self.asserted.holding(child).map(|holding| weigh(&holding.link, link)) {
            Some(Verdict::Replace) if self.forest.is_worn() => self.refusal(link),
            None | Some(Verdict::Replace | Verdict::Strengthen) => Linked::Accepted,
            Some(Verdict::Repeat) => Linked::Repeat,
            Some(Verdict::Refuse) => self.refusal(link),
        }
    }

    /// Asserts a link that is in the log.
    ///
    /// One that was refused stays refused: what replaces the winner later is stronger
    /// still, and the outcome was acknowledged.
    pub(crate) fn assert_link(&mut self, link: Link, commit: u32) -> Linked {
        let verdict = self.judge(&link);
        if verdict == Linked::Refused {
            self.asserted.refuse(link, commit);
            return verdict;
        }
        if verdict != Linked::Accepted {
            return verdict;
        }
        let Some(child) = self.event_row(&link.child) else {
            let mut made = self.next_made();
            if let Some(standing) = self.asserted.waiting(&link.child, NOW) {
                if weigh(&standing.link, &link) == Verdict::Replace {
                    let lost = standing.link.clone();
                    self.asserted.refuse(lost, commit);
                } else {
                    made = standing.made;
                }
            }
            self.asserted.wait(Holding { link, since: commit, made });
            return Linked::Accepted;
        };
        match self.asserted.holding(child).map(|holding| weigh(&holding.link, &link)) {
            Some(Verdict::Strengthen) => {
                self.remember(child, commit);
                let made =
                    self.asserted.holding(child).map(|holding| holding.made).unwrap_or_default();
                self.asserted.hold(child, Holding { link, since: commit, made });
                return Linked::Accepted;
            }
            Some(_) => self.release(child, commit),
            None => {}
        }
        let made = self.next_made();
        self.take_asserted(child, link, made, commit);
        let cycle = self.row(child).flags.has(Flags::CYCLE);
        if cycle { Linked::CycleEdge } else { Linked::Accepted }
    }

    /// Records an asserted link that lost to one in an earlier segment.
    pub(crate) fn refuse(&mut self, link: Link, commit: u32) {
        self.asserted.refuse(link, commit);
    }

    /// The asserted link that stands in this log for a child, wherever that is stored, and
    /// when it was asserted.
    pub(crate) fn standing(&self, child: &EventId, at: u32) -> Option<(&Link, Made)> {
        if let Some(row) = self.event_row(child) {
            if self.row(row).flags.has(Flags::NAMED) {
                return None;
            }
            if let Some(holding) = self.asserted.holding(row).filter(|held| held.since <= at) {
                return Some((&holding.link, holding.made));
            }
            if let Some(former) = self.asserted.former(row, at) {
                return Some((&former.link, former.made));
            }
        }
        self.asserted.waiting(child, at).map(|waiting| (&waiting.link, waiting.made))
    }

    /// Every asserted link that stands now.
    pub(crate) fn all_standing(&self) -> impl Iterator<Item = (&Link, Made)> {
        self.asserted.all_standing().map(|holding| (&holding.link, holding.made))
    }

    /// Whether any asserted link stands in this log, or did.
    pub(crate) fn has_asserted(&self) -> bool {
        self.asserted.has_any()
    }

    /// The children with asserted links to this parent, some of them twice.
    pub(crate) fn asserted_children_of(&self, parent: &EventId) -> &[EventId] {
        self.asserted.under(parent)
    }

    /// The children with asserted links, wherever they are stored.
    pub(crate) fn asserted_children(&self) -> impl Iterator<Item = EventId> {
        let held = self.asserted.held_rows().map(|row| self.id(row));
        held.chain(self.asserted.waited_for().cloned())
    }

    /// Whether this very link was refused.
    pub(crate) fn was_refused(&self, link: &Link) -> bool {
        self.asserted.was_refused(link)
    }

    /// The refused links, as of a commit.
    pub(crate) fn refused(&self, at: u32) -> &[Refused] {
        self.asserted.refused(at)
    }

    /// The moment at which the next link is asserted.
    pub(super) fn next_made(&mut self) -> Made {
        self.asserted_count += 1;
        Made { rows: self.rows.len() as u32, links: self.asserted_count }
    }

    pub(super) fn refusal(&self, link: &Link) -> Linked {
        if self.asserted.was_refused(link) { Linked::Repeat } else { Linked::Refused }
    }

    pub(super) fn take_asserted(&mut self, row: u32, link: Link, made: Made, commit: u32) {
        let parent = link.parent.clone();
        self.rows[row as usize].flags.set_link(link.kind);
        self.asserted.hold(row, Holding { link, since: commit, made });
        self.seek_parent(row, parent, None, commit);
    }

    /// Takes the link of a weaker assertion from a row and records it as refused. O(events
    /// below the row): they move to a fragment of their own.
    pub(super) fn release(&mut self, row: u32, commit: u32) {
        let Some(link) = self.remember(row, commit) else {
            return;
        };
        self.asserted.refuse(link, commit);
        self.missing.give_up(row);
        let entry = *self.row(row);
        let linked = entry.parent != NONE;
        let cycle = entry.flags.has(Flags::CYCLE);
        if linked && !cycle {
            self.children.end(row, commit);
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
    pub(super) fn remember(&mut self, row: u32, commit: u32) -> Option<Link> {
        let holding = self.asserted.holding(row)?.clone();
        let entry = *self.row(row);
        self.asserted.add_former(
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
    pub(super) fn subtree(&self, row: u32) -> Vec<(u32, u32)> {
        let mut below = vec![(row, 0)];
        let mut next = 0;
        while let Some(&(parent, depth)) = below.get(next) {
            below.extend(self.children.edges(parent, NOW).map(|(_, edge)| (edge.child, depth + 1)));
            next += 1;
        }
        below
    }

    pub(super) fn former_parent(&self, row: u32, at: u32) -> Parent {
        match self.asserted.former(row, at) {
            None => Parent::None,
            Some(Former { link, linked_at, .. }) if *linked_at > at => {
                Parent::Missing(link.parent.clone(), link.kind)
            }
            Some(former) if former.cycle => Parent::Cycle(former.parent, former.link.kind),
            Some(former) => Parent::Known(former.parent, former.link.kind),
        }
    }
}
