//! Resolves a record against earlier segments. What it finds is written with the record, so
//! that the log can be replayed without them.

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind, Linked};
use crate::base::row::StoredParent;
use crate::base::state;
use crate::lineage::common::climb_to;
use crate::lineage::parent_link::ParentLink;
use crate::log::encoded::Encoded;
use crate::log::fields::ArchivedEventMeta;
use crate::log::index::{CrossRef, NOW, Verdict, VersionOf, weigh};
use crate::view::Source;
use crate::writer::Writer;
use crate::writer::resolve::Presence;

impl Writer {
    /// Whether the earlier segments `that_know` an id have just this content under it.
    pub(super) fn find_equal_earlier(
        &mut self,
        that_know: &[usize],
        id: &EventId,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<Presence> {
        let mut known = Presence::Not;
        for &number in that_know {
            let found = self.find_equal_in(number, id, fields, payload);
            match self.unless_damaged(found)? {
                Presence::Not => {}
                Presence::Other => known = Presence::Other,
                equal @ Presence::Equal(_) => return Ok(equal),
            }
        }
        Ok(known)
    }

    fn find_equal_in(
        &self,
        number: usize,
        id: &EventId,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<Presence> {
        let source = self.earlier.source(number)?;
        if source.head(id)?.is_none() {
            return Ok(Presence::Not);
        }
        let equal = source.equal_copy(id, fields, payload)?;
        Ok(equal
            .map_or(Presence::Other, |row| Presence::Equal(source.first_seq() + u64::from(row))))
    }

    /// The lineage of a new event whose parent is in an earlier segment.
    pub(super) fn absent_parent(
        &self,
        id: &EventId,
        named: Option<&EventId>,
    ) -> Result<Option<CrossRef>> {
        let Some(parent) = named.filter(|&parent| parent != id && self.has_earlier()) else {
            return Ok(None);
        };
        if self.active.index.read().event_row(parent).is_some() {
            return Ok(None);
        }
        let Some(seq) = self.earlier.find(parent)? else { return Ok(None) };
        let Some((source, row)) = self.earlier.locate(seq)? else { return Ok(None) };
        let below = source.below(row)?;
        let anchor_id = source.anchor_id(row)?;
        let texts = source.names(source.facts(row)?.texts())?;
        let session = Some(texts.session().unwrap_or_default().to_owned());
        Ok(Some(CrossRef {
            parent: seq,
            parent_id: Some(parent.clone()),
            anchor: below.anchor,
            anchor_id,
            depth: below.depth + 1,
            session,
            version_of: None,
        }))
    }

    /// The lineage that a version takes over from its event in an earlier segment.
    pub(super) fn earlier_event(&self, id: &EventId) -> Result<Option<CrossRef>> {
        if !self.has_earlier() || self.active.index.read().find(id).is_some() {
            return Ok(None);
        }
        let Some(seq) = self.earlier.find(id)? else { return Ok(None) };
        let Some((source, row)) = self.earlier.locate(seq)? else { return Ok(None) };
        let (stored, link) = source.stored_parent(row)?;
        let parent = if let StoredParent::Row(parent) = stored { parent } else { 0 };
        let parent_id = self.named_id(&source, row, stored)?;
        let below = source.below(row)?;
        let anchor_id = source.anchor_id(row)?;
        let texts = source.names(source.facts(row)?.texts())?;
        let session = Some(texts.session().unwrap_or_default().to_owned());
        let version_of = Some(VersionOf { seq, link });
        let (anchor, depth) = (below.anchor, below.depth);
        Ok(Some(CrossRef { parent, parent_id, anchor, anchor_id, depth, session, version_of }))
    }

    /// Marks the cycle edge that a new event completes: the link of the topmost event of the
    /// tree that the new one joins, if that waits for the new one.
    pub(super) fn mark_if_cycle(
        &mut self,
        that_know: &[usize],
        id: &EventId,
        named: Option<&EventId>,
    ) -> Result<()> {
        if !self.is_awaited(that_know, id)? {
            return Ok(());
        }
        let parent = match named {
            Some(parent) => self.whole.find(parent)?,
            None => match self.whole.asserted_link(id)? {
                Some(asserted) if asserted.link.parent == *id => {
                    // The active log detects a link of its own by itself.
                    if self.active.index.read().standing(id, NOW).is_none() {
                        self.mark(id.clone(), id.clone());
                    }
                    return Ok(());
                }
                Some(asserted) => self.whole.find(&asserted.link.parent)?,
                None => None,
            },
        };
        let Some(parent) = parent else { return Ok(()) };
        let (top, up) = self.ancestors.of(&self.whole, parent)?;
        if !self.whole.holds(top) {
            return Ok(());
        }
        let waits = match up {
            ParentLink::Missing(awaited, _) | ParentLink::Expired(awaited, _) => awaited == *id,
            _ => false,
        };
        if waits && !self.in_one_fragment(top, parent) {
            let child = self.whole.id(top)?.unwrap_or_default();
            self.mark(child, id.clone());
        }
        Ok(())
    }

    /// Marks an asserted link that closes a cycle through other segments; returns whether
    /// it does.
    pub(super) fn mark_asserted_if_cycle(&mut self, asserted: &Link) -> Result<bool> {
        if !self.has_earlier() {
            return Ok(false);
        }
        let ends = (self.whole.find(&asserted.child)?, self.whole.find(&asserted.parent)?);
        let (Some(child), Some(parent)) = ends else { return Ok(false) };
        if self.in_one_fragment(child, parent) || !climb_to(&self.whole, parent, child)? {
            return Ok(false);
        }
        self.mark(asserted.child.clone(), asserted.parent.clone());
        Ok(true)
    }

    /// The outcome of an asserted link by what earlier segments know alone; none where this
    /// log has to judge.
    pub(super) fn judge_earlier(&mut self, asserted: &Link) -> Result<Option<Linked>> {
        if !self.has_earlier() {
            return Ok(None);
        }
        let in_log = self.active.index.read().event_row(&asserted.child).is_some();
        if !in_log && let Some((named, kind)) = self.named_parent_earlier(&asserted.child)? {
            if named == asserted.parent && kind == asserted.kind {
                return Ok(Some(Linked::Repeat));
            }
            return self.refuse(asserted).map(Some);
        }
        let Some(standing) = self.earlier.asserted_link(&asserted.child)? else { return Ok(None) };
        // A link of the active log may have replaced it already.
        let local =
            self.active.index.read().standing(&asserted.child, NOW).map(|(link, _)| link.clone());
        if local.is_some_and(|local| weigh(&standing.link, &local) != Verdict::Refuse) {
            return Ok(None);
        }
        match weigh(&standing.link, asserted) {
            Verdict::Repeat => Ok(Some(Linked::Repeat)),
            Verdict::Refuse => self.refuse(asserted).map(Some),
            Verdict::Strengthen => Ok(None),
            Verdict::Replace => {
                self.push_refused(&standing.link);
                Ok(None)
            }
        }
    }

    /// Records as refused the asserted link of an earlier segment whose child now names
    /// another parent itself.
    pub(super) fn refuse_earlier_link(
        &mut self,
        that_know: &[usize],
        id: &EventId,
        named: &EventId,
        kind: LinkKind,
    ) -> Result<()> {
        let numbers = that_know.iter().copied();
        if let Some(asserted) = self.earlier.asserted_among(id, numbers)?
            && (&asserted.link.parent, asserted.link.kind) != (named, kind)
            && !self.was_refused(&asserted.link)?
        {
            self.push_refused(&asserted.link);
        }
        Ok(())
    }

    pub(super) fn earlier_knows_quarantined(&self, key: &[u8; 16]) -> Result<bool> {
        for number in self.earlier.candidates(&state::filter_id(*key)) {
            if self.earlier.source(number)?.knows_quarantined(key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn has_earlier(&self) -> bool {
        self.earlier.len() > 0
    }

    /// Refuses an asserted link, unless this very one was refused before. A refused link
    /// stays refused: what beat it, the event's own parent or a stronger link, stays known.
    fn refuse(&mut self, asserted: &Link) -> Result<Linked> {
        if self.was_refused(asserted)? {
            return Ok(Linked::Repeat);
        }
        self.push_refused(asserted);
        Ok(Linked::Refused)
    }

    fn was_refused(&self, asserted: &Link) -> Result<bool> {
        if self.active.index.read().was_refused(asserted) {
            return Ok(true);
        }
        for number in self.earlier.candidates(&asserted.child) {
            if self.earlier.source(number)?.was_refused(asserted)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn push_refused(&mut self, asserted: &Link) {
        self.ancestors.clear();
        let entered = self.push(&Encoded::refused_link(asserted));
        self.active.index.write().refuse(asserted.clone(), entered.commit);
    }

    fn mark(&mut self, child: EventId, parent: EventId) {
        let entered = self.push(&Encoded::cycle_edge(&child, &parent));
        self.active.index.write().mark_cycle_edge(child, parent, entered.commit);
    }

    /// Whether the active log itself has both events in one fragment, and so detects a cycle.
    fn in_one_fragment(&self, a: u64, b: u64) -> bool {
        let row = |seq: u64| seq.checked_sub(self.active.first_seq).map(|row| row as u32);
        match (row(a), row(b)) {
            (Some(a), Some(b)) => self.active.index.read().same_fragment(a, b),
            _ => false,
        }
    }

    /// Whether any event or asserted link names this one as a parent.
    fn is_awaited(&self, that_know: &[usize], id: &EventId) -> Result<bool> {
        let index = self.active.index.read();
        if index.is_awaited(id) || !index.asserted_children_of(id).is_empty() {
            return Ok(true);
        }
        drop(index);
        for &number in that_know {
            let source = self.earlier.source(number)?;
            if !source.named_children(id, 0)?.is_empty() || !source.asserted_under(id)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The parent that an event of an earlier segment names.
    fn named_parent_earlier(&self, id: &EventId) -> Result<Option<(EventId, LinkKind)>> {
        let Some(seq) = self.earlier.find(id)? else { return Ok(None) };
        let Some((source, row)) = self.earlier.locate(seq)? else { return Ok(None) };
        let (parent, kind) = source.stored_parent(row)?;
        Ok(self.named_id(&source, row, parent)?.map(|id| (id, kind)))
    }

    /// The id that an event of an earlier segment names as its parent.
    fn named_id(&self, source: &Source, row: u32, parent: StoredParent) -> Result<Option<EventId>> {
        match parent {
            StoredParent::None => Ok(None),
            StoredParent::Row(parent) if parent < source.first_seq() => {
                source.absent_parent_id(row).map(Some)
            }
            StoredParent::Awaited => source.absent_parent_id(row).map(Some),
            StoredParent::Row(parent) | StoredParent::Cycle(parent) => self.earlier.id(parent),
        }
    }
}
