//! Resolving the link from an event to its parent, across segments.

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::link::LinkKind;
use crate::base::row::{AssertedLink, StoredParent};
use crate::lineage::chain_end::ChainEnd;
use crate::log::index::{Verdict, weigh};
use crate::view::{RowSource, View};

/// Where the link of an event leads.
#[derive(Clone, Debug)]
pub(crate) enum ParentLink {
    /// Nowhere: the event has no parent.
    Root,
    /// To a stored event.
    Known(u64, LinkKind),
    /// To an event that is not stored.
    Missing(EventId, LinkKind),
    /// To an event that has expired.
    Expired(EventId, LinkKind),
    /// To a stored event that goes back to this one: it is never followed.
    Cycle(EventId, LinkKind),
    /// Nobody can say: what would tell is damaged.
    Damaged(Box<Unreadable>),
}

/// A link that leads to where something is damaged.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    /// The parent, where the event's own segment names it.
    pub(crate) parent: Option<EventId>,
    pub(crate) kind: Option<LinkKind>,
    pub(crate) error: Error,
}

impl ParentLink {
    pub(crate) fn is_root(&self) -> bool {
        matches!(self, ParentLink::Root)
    }

    /// The stored parent, where there is one. Fails where damage keeps it from being known.
    pub(crate) fn known(self) -> Result<Option<(u64, LinkKind)>> {
        match self {
            ParentLink::Known(parent, kind) => Ok(Some((parent, kind))),
            ParentLink::Damaged(unreadable) => Err(unreadable.error),
            ParentLink::Root
            | ParentLink::Missing(..)
            | ParentLink::Expired(..)
            | ParentLink::Cycle(..) => Ok(None),
        }
    }

    /// What kept it from being known.
    pub(crate) fn damage(&self) -> Option<&Error> {
        match self {
            ParentLink::Damaged(unreadable) => Some(&unreadable.error),
            _ => None,
        }
    }

    /// The parent's id.
    pub(crate) fn parent_id(&self, view: &View) -> Result<Option<EventId>> {
        match self {
            ParentLink::Root => Ok(None),
            ParentLink::Known(parent, _) => view.id(*parent),
            ParentLink::Missing(id, _) | ParentLink::Expired(id, _) | ParentLink::Cycle(id, _) => {
                Ok(Some(id.clone()))
            }
            ParentLink::Damaged(unreadable) => Ok(unreadable.parent.clone()),
        }
    }

    pub(crate) fn kind(&self) -> Option<LinkKind> {
        match self {
            ParentLink::Root => None,
            ParentLink::Known(_, kind)
            | ParentLink::Missing(_, kind)
            | ParentLink::Expired(_, kind)
            | ParentLink::Cycle(_, kind) => Some(*kind),
            ParentLink::Damaged(unreadable) => unreadable.kind,
        }
    }
}

impl View {
    /// Resolves the parent link of a row's event: one hop along a stored link, a look-up by id
    /// where it was learnt later. Fails where the row itself can't be read; damage elsewhere is a
    /// way to end.
    pub(crate) fn parent_link(&self, seq: u64) -> Result<ParentLink> {
        match self.locate(seq)? {
            Some((source, row)) => self.parent_link_of(&*source, row),
            None => Ok(ParentLink::Root),
        }
    }

    /// The same for a row of a source that was located before.
    pub(crate) fn parent_link_of<S: RowSource + ?Sized>(
        &self,
        source: &S,
        row: u32,
    ) -> Result<ParentLink> {
        let (parent, kind) = source.stored_parent(row)?;
        self.parent_link_within(source, row, parent, kind)
    }

    /// The same for a row of which it was read what its event says of its parent: mostly a
    /// row of the same source, of which the view holds all.
    pub(crate) fn parent_link_within<S: RowSource + ?Sized>(
        &self,
        source: &S,
        row: u32,
        parent: StoredParent,
        kind: LinkKind,
    ) -> Result<ParentLink> {
        if source.row_of_parent(parent).is_some()
            && let StoredParent::Row(parent) = parent
        {
            return Ok(ParentLink::Known(parent, kind));
        }
        match self.resolve_parent(source, row, parent, kind) {
            Err(error) if error.is_damaged() => {
                let (parent, kind) = match parent {
                    StoredParent::None => (None, None),
                    StoredParent::Awaited => (source.absent_parent_id(row).ok(), Some(kind)),
                    StoredParent::Row(seq) | StoredParent::Cycle(seq) => {
                        (self.id(seq).ok().flatten(), Some(kind))
                    }
                };
                Ok(ParentLink::Damaged(Box::new(Unreadable { parent, kind, error })))
            }
            up => up,
        }
    }

    /// Resolves what is no row of the same source.
    fn resolve_parent<S: RowSource + ?Sized>(
        &self,
        source: &S,
        row: u32,
        parent: StoredParent,
        kind: LinkKind,
    ) -> Result<ParentLink> {
        match parent {
            StoredParent::Row(parent) if self.holds(parent) => Ok(ParentLink::Known(parent, kind)),
            StoredParent::Cycle(parent) => {
                let id = self.id(parent)?.unwrap_or_default();
                Ok(ParentLink::Cycle(id, kind))
            }
            StoredParent::Row(_) => match self.named_late(source, row, kind)? {
                ParentLink::Missing(id, kind) => Ok(ParentLink::Expired(id, kind)),
                other => Ok(other),
            },
            StoredParent::Awaited => self.named_late(source, row, kind),
            StoredParent::None => match self.asserted_of(source, row)? {
                Some(AssertedLink { link, .. }) => {
                    let found = self.find(&link.parent)?;
                    self.unless_cycle(&source.id(row)?, link.parent, found, link.kind)
                }
                None => Ok(ParentLink::Root),
            },
        }
    }

    /// The asserted link that holds for an event that names no parent.
    pub(crate) fn asserted_link(&self, child: &EventId) -> Result<Option<AssertedLink>> {
        self.asserted_among(child, self.candidates(child))
    }

    /// The same for a row's event. Segments that were searched in vain are not searched
    /// again.
    fn asserted_of<S: RowSource + ?Sized>(
        &self,
        source: &S,
        row: u32,
    ) -> Result<Option<AssertedLink>> {
        let seq = source.first_seq() + u64::from(row);
        let first = self.not_asked(seq);
        if !self.has_asserted_from(first) {
            return Ok(None);
        }
        let child = source.id(row)?;
        let asserted = self.asserted_among(&child, self.candidates_from(first, &child))?;
        if asserted.is_none() {
            self.remember_asked(seq, first);
        }
        Ok(asserted)
    }

    /// The same among the sources with these numbers, newest first.
    pub(crate) fn asserted_among(
        &self,
        child: &EventId,
        numbers: impl DoubleEndedIterator<Item = usize>,
    ) -> Result<Option<AssertedLink>> {
        let mut standing: Option<AssertedLink> = None;
        for number in numbers.rev().filter(|&number| self.may_assert(number)) {
            let Some(asserted) = self.source(number)?.standing(child)? else { continue };
            standing = match standing {
                None => Some(asserted),
                Some(before) => Some(match weigh(&before.link, &asserted.link) {
                    Verdict::Replace => asserted,
                    // The link holds since it was first asserted, so that children keep
                    // their order; it only gets stronger.
                    Verdict::Strengthen => AssertedLink { link: asserted.link, ..before },
                    Verdict::Repeat | Verdict::Refuse => before,
                }),
            };
        }
        Ok(standing)
    }

    /// How a walk ends at a row with this link.
    pub(crate) fn end_at(&self, up: ParentLink) -> Result<ChainEnd> {
        Ok(match up {
            ParentLink::Root => ChainEnd::Root,
            ParentLink::Known(parent, _) => ChainEnd::Cycle(self.id(parent)?.unwrap_or_default()),
            ParentLink::Cycle(parent, _) => ChainEnd::Cycle(parent),
            ParentLink::Expired(parent, _) => ChainEnd::Expired(parent),
            // It may be among the events that were lost: "never stored" would be a guess.
            ParentLink::Missing(parent, _) if self.has_lost() => ChainEnd::Damaged(Some(parent)),
            ParentLink::Damaged(unreadable) => ChainEnd::Damaged(unreadable.parent),
            ParentLink::Missing(parent, _) => ChainEnd::Missing(parent),
        })
    }

    fn has_lost(&self) -> bool {
        self.sealed.iter().any(|sealed| sealed.lost > 0)
            || self.logs().any(|log| log.index().lost() > 0)
    }

    /// Resolves the link of an event whose named parent was not stored when the event
    /// was, or has expired. What an event names stays its parent once that is stored: the
    /// look-up is repeated until it succeeds, and then cached for good.
    fn named_late<S: RowSource + ?Sized>(
        &self,
        source: &S,
        row: u32,
        kind: LinkKind,
    ) -> Result<ParentLink> {
        let seq = source.first_seq() + u64::from(row);
        let known = self.joins.late_parent(seq);
        if let Some(found) = known.filter(|&found| self.holds(found)) {
            return Ok(ParentLink::Known(found, kind));
        }
        if let Some(join) = self.late_join(seq)? {
            return Ok(ParentLink::Known(join.parent, kind));
        }
        let parent = source.absent_parent_id(row)?;
        let first = self.not_asked(seq);
        let found = self.find_from(first, &parent)?;
        if found.is_none() {
            self.remember_asked(seq, first);
        }
        let up = self.unless_cycle(&source.id(row)?, parent, found, kind)?;
        if let ParentLink::Known(found, _) = up {
            self.joins.remember_late_parent(seq, found);
        }
        Ok(up)
    }

    /// The link from a child to a parent that was found there or nowhere: a cycle edge
    /// where a source marks it as one.
    fn unless_cycle(
        &self,
        child: &EventId,
        parent: EventId,
        found: Option<u64>,
        kind: LinkKind,
    ) -> Result<ParentLink> {
        let Some(found) = found else { return Ok(ParentLink::Missing(parent, kind)) };
        if !self.has_marks() {
            return Ok(ParentLink::Known(found, kind));
        }
        for number in self.candidates(child) {
            if self.source(number)?.is_marked(child, &parent)? {
                return Ok(ParentLink::Cycle(parent, kind));
            }
        }
        Ok(ParentLink::Known(found, kind))
    }

    /// The number of the first source that was not yet searched for an event's parent.
    fn not_asked(&self, seq: u64) -> usize {
        let segment = self.joins.parentless_until(seq);
        self.sealed.partition_point(|sealed| sealed.segment <= segment)
    }

    /// Caches that no sealed segment has an event's parent, once those from `first` on
    /// were searched, too. Sealed segments don't change, so that this stays true.
    fn remember_asked(&self, seq: u64, first: usize) {
        if let [.., last] = &self.sealed[first..] {
            self.joins.remember_parentless(seq, last.segment);
        }
    }
}
