//! From an event to its parent, across segments.

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::link::LinkKind;
use crate::base::row::{Claim, StoredParent};
use crate::lineage::chain_end::ChainEnd;
use crate::log::index::{Verdict, weigh};
use crate::view::{RowSource, Source, View};

/// Where the link of an event leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Up {
    /// It has no parent.
    Root,
    /// A stored event.
    Known(u64, LinkKind),
    /// An event that is not stored.
    Missing(EventId, LinkKind),
    /// An event that has expired.
    Expired(EventId, LinkKind),
    /// A stored event that goes back to the event itself.
    Cycle(EventId, LinkKind),
}

impl Up {
    /// The parent's id.
    pub(crate) fn parent_id(&self, view: &View) -> Result<Option<EventId>> {
        match self {
            Up::Root => Ok(None),
            Up::Known(parent, _) => view.id(*parent),
            Up::Missing(id, _) | Up::Expired(id, _) | Up::Cycle(id, _) => Ok(Some(id.clone())),
        }
    }

    pub(crate) fn kind(&self) -> Option<LinkKind> {
        match self {
            Up::Root => None,
            Up::Known(_, kind)
            | Up::Missing(_, kind)
            | Up::Expired(_, kind)
            | Up::Cycle(_, kind) => Some(*kind),
        }
    }
}

impl View {
    /// Where the link of a row's event leads. One hop along a stored link; a link
    /// that was learnt later takes a look-up by id.
    pub(crate) fn up(&self, seq: u64) -> Result<Up> {
        match self.locate(seq)? {
            Some((source, row)) => self.up_from(&source, row),
            None => Ok(Up::Root),
        }
    }

    /// The same, of a row of a source that was located before. No virtual call.
    pub(crate) fn up_from(&self, source: &Source, row: u32) -> Result<Up> {
        match source {
            Source::Sealed(segment) => self.up_within(segment, row),
            Source::Log(log) => self.up_within(log, row),
        }
    }

    /// The same, for walks that are generic over their source.
    pub(crate) fn up_within<S: RowSource>(&self, source: &S, row: u32) -> Result<Up> {
        let (parent, kind) = source.stored_parent(row)?;
        match parent {
            StoredParent::Row(parent) if self.holds(parent) => Ok(Up::Known(parent, kind)),
            StoredParent::Cycle(parent) => {
                let id = self.id(parent)?.unwrap_or_default();
                Ok(Up::Cycle(id, kind))
            }
            StoredParent::Row(_) => match self.named_late(source, row, kind)? {
                Up::Missing(id, kind) => Ok(Up::Expired(id, kind)),
                other => Ok(other),
            },
            StoredParent::Awaited => self.named_late(source, row, kind),
            StoredParent::None => match self.claim_of(source, row)? {
                Some(Claim { link, .. }) => {
                    let found = self.find(&link.parent)?;
                    self.unless_cycle(&source.id(row)?, link.parent, found, link.kind)
                }
                None => Ok(Up::Root),
            },
        }
    }

    /// The claim that stands for an event that names no parent.
    pub(crate) fn claim(&self, child: &EventId) -> Result<Option<Claim>> {
        self.claim_among(child, self.candidates(child))
    }

    /// The same of a row's event. Segments that were found to have none are not asked
    /// again.
    fn claim_of<S: RowSource>(&self, source: &S, row: u32) -> Result<Option<Claim>> {
        let seq = source.first_seq() + u64::from(row);
        let first = self.not_asked(seq);
        if !self.has_claims_from(first) {
            return Ok(None);
        }
        let child = source.id(row)?;
        let claim = self.claim_among(&child, self.candidates_from(first, &child))?;
        if claim.is_none() {
            self.remember_asked(seq, first);
        }
        Ok(claim)
    }

    /// The same, of the parts with these numbers, newest first.
    pub(crate) fn claim_among(
        &self,
        child: &EventId,
        numbers: impl DoubleEndedIterator<Item = usize>,
    ) -> Result<Option<Claim>> {
        let mut standing: Option<Claim> = None;
        for number in numbers.rev().filter(|&number| self.may_claim(number)) {
            let Some(claim) = self.source(number)?.standing(child)? else { continue };
            standing = match standing {
                None => Some(claim),
                Some(before) => Some(match weigh(&before.link, &claim.link) {
                    Verdict::Replace => claim,
                    // The link stays; it only gets stronger.
                    Verdict::Strengthen => Claim { link: claim.link, ..before },
                    Verdict::Repeat | Verdict::Refuse => before,
                }),
            };
        }
        Ok(standing)
    }

    /// How a walk ends that comes to this row and can't go on.
    pub(crate) fn end_at(&self, up: Up) -> Result<ChainEnd> {
        Ok(match up {
            Up::Root => ChainEnd::Root,
            Up::Known(parent, _) => ChainEnd::Cycle(self.id(parent)?.unwrap_or_default()),
            Up::Cycle(parent, _) => ChainEnd::Cycle(parent),
            Up::Expired(parent, _) => ChainEnd::Expired(parent),
            // It may be among what was lost: "never stored" would be a guess.
            Up::Missing(parent, _) if self.has_lost() => ChainEnd::Damaged(parent),
            Up::Missing(parent, _) => ChainEnd::Missing(parent),
        })
    }

    fn has_lost(&self) -> bool {
        self.sealed.iter().any(|sealed| sealed.lost > 0)
            || self.logs().any(|log| log.index().lost() > 0)
    }

    /// Where the link of an event leads that names a parent which was not stored when
    /// the event was, or has expired. What an event names stays its parent once it is
    /// stored, so that it is looked for until it was found.
    fn named_late<S: RowSource>(&self, source: &S, row: u32, kind: LinkKind) -> Result<Up> {
        let seq = source.first_seq() + u64::from(row);
        let known = self.joins.late_parent(seq);
        if let Some(found) = known.filter(|&found| self.holds(found)) {
            return Ok(Up::Known(found, kind));
        }
        if let Some(join) = self.late_join(seq)? {
            return Ok(Up::Known(join.parent, kind));
        }
        let parent = source.absent_parent_id(row)?;
        let first = self.not_asked(seq);
        let found = self.find_from(first, &parent)?;
        if found.is_none() {
            self.remember_asked(seq, first);
        }
        let up = self.unless_cycle(&source.id(row)?, parent, found, kind)?;
        if let Up::Known(found, _) = up {
            self.joins.remember_late_parent(seq, found);
        }
        Ok(up)
    }

    /// Where the link from a child to a parent leads that was found there, or nowhere.
    fn unless_cycle(
        &self,
        child: &EventId,
        parent: EventId,
        found: Option<u64>,
        kind: LinkKind,
    ) -> Result<Up> {
        let Some(found) = found else { return Ok(Up::Missing(parent, kind)) };
        if !self.has_marks() {
            return Ok(Up::Known(found, kind));
        }
        for number in self.candidates(child) {
            if self.source(number)?.is_marked(child, &parent)? {
                return Ok(Up::Cycle(parent, kind));
            }
        }
        Ok(Up::Known(found, kind))
    }

    /// The number of the first part that is yet to be asked for an event's parent.
    fn not_asked(&self, seq: u64) -> usize {
        let segment = self.joins.parentless_until(seq);
        self.sealed.partition_point(|sealed| sealed.segment <= segment)
    }

    /// Remembers that the sealed segments have no parent for an event, those from the
    /// `first` on having been asked: they do not change.
    fn remember_asked(&self, seq: u64, first: usize) {
        if let [.., last] = &self.sealed[first..] {
            self.joins.remember_parentless(seq, last.segment);
        }
    }
}
