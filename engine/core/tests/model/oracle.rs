//! The model: rows in a list and a parent map, and every question answered by
//! looking at all of them. Nothing here is clever, and nothing is the engine's.

use std::collections::{BTreeMap, HashMap, HashSet};

use forebear::{AppendStatus, LinkKind, Linked};

use crate::history::{AssertedLink, Draft};

/// An event or a version of one, as it was stored. Its sequence number is its
/// place in [`Model::rows`], from 1.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) draft: Draft,
    pub(crate) version: bool,
}

/// The link of a stored event to its parent.
#[derive(Clone, Debug)]
pub(crate) struct Tie {
    pub(crate) parent: u32,
    pub(crate) kind: LinkKind,
    /// The asserted link it came from; none where the event named its parent itself.
    pub(crate) asserted: Option<AssertedLink>,
    pub(crate) state: TieState,
    /// When it became known, which orders children.
    pub(crate) known: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TieState {
    /// The parent is not stored.
    Waiting,
    Followed,
    /// It closes a cycle, which was found at this moment.
    CycleEdge(u64),
}

/// How a walk upwards ends, by numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalkEnd {
    Root,
    Missing(u32),
    Cycle(u32),
    DepthLimit(u32),
    Stopped(u32),
}

/// A parent that is named and not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) id: u32,
    pub(crate) children: u64,
    pub(crate) first_child: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    rows: Vec<Row>,
    /// Where in `rows` the event of an id stands; versions aside.
    events: HashMap<u32, usize>,
    ties: HashMap<u32, Tie>,
    /// The strongest link asserted for a child that names no parent, stored or not.
    asserted: HashMap<u32, AssertedLink>,
    /// Asserted links that lost, in the order they did.
    refused: Vec<AssertedLink>,
    clock: u64,
}

impl Model {
    /// Stores an event; says what became of it and the sequence number of the
    /// row that holds it.
    pub(crate) fn append(&mut self, draft: &Draft) -> (AppendStatus, u64) {
        let equal = self.rows.iter().position(|row| same(&row.draft, draft));
        if let Some(at) = equal {
            return (AppendStatus::Repeat, at as u64 + 1);
        }
        let seq = self.rows.len() as u64 + 1;
        let version = self.events.contains_key(&draft.id);
        self.rows.push(Row { draft: draft.clone(), version });
        if version {
            return (AppendStatus::Version, seq);
        }
        self.events.insert(draft.id, self.rows.len() - 1);
        self.arrive(draft);
        (AppendStatus::New, seq)
    }

    /// Takes an asserted link; says what became of it.
    pub(crate) fn asserted(&mut self, asserted: AssertedLink) -> Linked {
        let stored = self.events.contains_key(&asserted.child);
        let named = self.ties.get(&asserted.child);
        if let Some(named) = named.filter(|tie| tie.asserted.is_none()) {
            return if (named.parent, named.kind) == (asserted.parent, asserted.kind) {
                Linked::Repeat
            } else {
                self.refuse(asserted)
            };
        }
        let Some(standing) = self.asserted.get(&asserted.child).copied() else {
            return self.hold(asserted, stored);
        };
        let same_edge = (standing.parent, standing.kind) == (asserted.parent, asserted.kind);
        match (same_edge, beats(&asserted, &standing)) {
            (true, false) => Linked::Repeat,
            // It says the same with more strength: the link stays as it is.
            (true, true) => {
                self.asserted.insert(asserted.child, asserted);
                if let Some(tie) = self.ties.get_mut(&asserted.child) {
                    tie.asserted = Some(asserted);
                }
                Linked::Accepted
            }
            (false, true) => {
                self.refuse(standing);
                self.hold(asserted, stored)
            }
            (false, false) => self.refuse(asserted),
        }
    }

    fn hold(&mut self, asserted: AssertedLink, stored: bool) -> Linked {
        self.asserted.insert(asserted.child, asserted);
        if stored { self.tie_to(asserted) } else { Linked::Accepted }
    }

    fn refuse(&mut self, asserted: AssertedLink) -> Linked {
        if self.refused.contains(&asserted) {
            return Linked::Repeat;
        }
        self.refused.push(asserted);
        Linked::Refused
    }

    /// The event has just been stored: its own link first, then the links of
    /// those that wait for it.
    fn arrive(&mut self, draft: &Draft) {
        let asserted = self.asserted.get(&draft.id).copied();
        if let Some(parent) = draft.parent {
            self.join(draft.id, parent, draft.link, None);
            if let Some(asserted) = asserted {
                self.asserted.remove(&draft.id);
                // One that says what the event says itself is no rival.
                if (asserted.parent, asserted.kind) != (parent, draft.link) {
                    self.refuse(asserted);
                }
            }
        } else if let Some(asserted) = asserted {
            self.tie_to(asserted);
        }
        let mut waiting: Vec<(u64, u32)> = self
            .ties
            .iter()
            .filter(|(_, tie)| tie.parent == draft.id && tie.state == TieState::Waiting)
            .map(|(&child, tie)| (tie.known, child))
            .collect();
        waiting.sort_unstable();
        for (_, child) in waiting {
            self.complete(child);
        }
    }

    fn tie_to(&mut self, asserted: AssertedLink) -> Linked {
        match self.join(asserted.child, asserted.parent, asserted.kind, Some(asserted)) {
            TieState::CycleEdge(_) => Linked::CycleEdge,
            TieState::Followed | TieState::Waiting => Linked::Accepted,
        }
    }

    fn join(
        &mut self,
        child: u32,
        parent: u32,
        kind: LinkKind,
        asserted: Option<AssertedLink>,
    ) -> TieState {
        let known = self.tick();
        self.ties.insert(child, Tie { parent, kind, asserted, state: TieState::Waiting, known });
        if self.events.contains_key(&parent) {
            self.complete(child);
        }
        self.ties[&child].state
    }

    /// Both ends of the child's link are stored: follows it unless that would
    /// lead round in a circle.
    fn complete(&mut self, child: u32) {
        let parent = self.ties[&child].parent;
        let closes = child == parent || self.ancestors(parent).contains(&child);
        let state = if closes { TieState::CycleEdge(self.tick()) } else { TieState::Followed };
        if let Some(tie) = self.ties.get_mut(&child) {
            tie.state = state;
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

/// Questions.
impl Model {
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.events.contains_key(&id)
    }

    /// The event's row and its sequence number.
    pub(crate) fn event(&self, id: u32) -> Option<(&Row, u64)> {
        let at = *self.events.get(&id)?;
        Some((&self.rows[at], at as u64 + 1))
    }

    pub(crate) fn versions(&self, id: u32) -> Vec<u64> {
        (1..).zip(&self.rows).filter(|(_, row)| row.draft.id == id).map(|(seq, _)| seq).collect()
    }

    pub(crate) fn tie(&self, id: u32) -> Option<&Tie> {
        self.ties.get(&id)
    }

    pub(crate) fn followed_parent(&self, id: u32) -> Option<u32> {
        self.ties.get(&id).filter(|tie| tie.state == TieState::Followed).map(|tie| tie.parent)
    }

    /// What the event goes back to, the nearest first.
    pub(crate) fn ancestors(&self, id: u32) -> Vec<u32> {
        std::iter::successors(self.followed_parent(id), |&id| self.followed_parent(id)).collect()
    }

    pub(crate) fn root(&self, id: u32) -> u32 {
        self.ancestors(id).last().copied().unwrap_or(id)
    }

    pub(crate) fn depth(&self, id: u32) -> u64 {
        self.ancestors(id).len() as u64
    }

    /// The walk upwards, and how it ends.
    pub(crate) fn walk(
        &self,
        id: u32,
        max_depth: u64,
        stop_at: Option<LinkKind>,
    ) -> (Vec<u32>, WalkEnd) {
        let mut walked = vec![id];
        let mut at = id;
        loop {
            let Some(tie) = self.ties.get(&at) else {
                return (walked, WalkEnd::Root);
            };
            let end = match tie.state {
                TieState::Waiting => WalkEnd::Missing(tie.parent),
                TieState::CycleEdge(_) => WalkEnd::Cycle(tie.parent),
                TieState::Followed if stop_at == Some(tie.kind) => WalkEnd::Stopped(tie.parent),
                TieState::Followed if walked.len() as u64 > max_depth => {
                    WalkEnd::DepthLimit(tie.parent)
                }
                TieState::Followed => {
                    at = tie.parent;
                    walked.push(at);
                    continue;
                }
            };
            return (walked, end);
        }
    }

    /// The children, in the order in which their links became known.
    pub(crate) fn children(&self) -> HashMap<u32, Vec<u32>> {
        let mut known: Vec<(u64, u32, u32)> = self
            .ties
            .iter()
            .filter(|(_, tie)| tie.state == TieState::Followed)
            .map(|(&child, tie)| (tie.known, tie.parent, child))
            .collect();
        known.sort_unstable();
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (_, parent, child) in known {
            children.entry(parent).or_default().push(child);
        }
        children
    }

    /// The nearest event that both go back to or are.
    pub(crate) fn common(&self, a: u32, b: u32) -> Option<u32> {
        let of_b: HashSet<u32> = std::iter::once(b).chain(self.ancestors(b)).collect();
        std::iter::once(a).chain(self.ancestors(a)).find(|id| of_b.contains(id))
    }

    /// Events without any link, in the order they were stored.
    pub(crate) fn roots(&self) -> Vec<u32> {
        self.rows
            .iter()
            .filter(|row| !row.version && !self.ties.contains_key(&row.draft.id))
            .map(|row| row.draft.id)
            .collect()
    }

    /// Parents that are named and not stored, by when they came to be named.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let mut waiting: BTreeMap<u32, Vec<(u64, u64, u32)>> = BTreeMap::new();
        for (&child, tie) in &self.ties {
            if tie.state == TieState::Waiting {
                let stored = self.events[&child] as u64;
                let entry = waiting.entry(tie.parent).or_default();
                entry.push((stored, tie.known, child));
            }
        }
        waiting
            .into_iter()
            .map(|(id, mut children)| {
                children.sort_unstable();
                Missing { id, children: children.len() as u64, first_child: children[0].2 }
            })
            .collect()
    }

    /// Asserted links that lost, and what the child has instead.
    pub(crate) fn refused(&self) -> Vec<(AssertedLink, Option<u32>)> {
        let parent = |asserted: &AssertedLink| self.ties.get(&asserted.child).map(|tie| tie.parent);
        self.refused.iter().map(|asserted| (*asserted, parent(asserted))).collect()
    }

    /// Links that close a cycle, in the order they were found: child and parent.
    pub(crate) fn cycle_edges(&self) -> Vec<(u32, u32, LinkKind)> {
        let mut edges: Vec<_> = self
            .ties
            .iter()
            .filter_map(|(&child, tie)| match tie.state {
                TieState::CycleEdge(moment) => Some((moment, child, tie.parent, tie.kind)),
                TieState::Waiting | TieState::Followed => None,
            })
            .collect();
        edges.sort_unstable();
        edges.into_iter().map(|(_, child, parent, kind)| (child, parent, kind)).collect()
    }
}

/// Equal payload bytes; without a payload, equal fields.
fn same(a: &Draft, b: &Draft) -> bool {
    a.id == b.id
        && match (&a.payload, &b.payload) {
            (Some(a), Some(b)) => a == b,
            (None, None) => a == b,
            _ => false,
        }
}

/// Whether the new link wins over the old.
fn beats(new: &AssertedLink, old: &AssertedLink) -> bool {
    (new.strength, -new.order) > (old.strength, -old.order)
}
