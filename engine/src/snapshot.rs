//! A fixed view of a store: everything that can be asked.

use std::time::Duration;

use crate::error::Result;
use crate::event::{LinkKind, Quarantined};
use crate::id::EventId;
use crate::lineage::chain::{Chain, ChainOptions};
use crate::lineage::common::CommonCause;
use crate::lineage::tree::{Descendant, TreeOptions};
use crate::query::counts::{Bucket, Count, CountBy};
use crate::query::filter::Filter;
use crate::query::listings::{ClosingLink, MissingParent, RefusedLink};
use crate::query::page::{Cursor, Page};
use crate::query::stats::Stats;
use crate::stored::StoredEvent;

/// A store as it was at one moment. What is written later does not show; the
/// writer is not held up. Cheap to make and to clone.
#[derive(Clone, Debug)]
pub struct Snapshot {}

/// What the beginning of an id stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The one event whose id it is or begins.
    One(EventId),
    /// Several ids begin with it: the first of them, in order.
    Many(Vec<EventId>),
    /// No event's id.
    None,
}

#[allow(unused_variables)]
impl Snapshot {
    /// The event with this id: its first version. O(1).
    pub fn get(&self, id: impl Into<EventId>) -> Result<Option<StoredEvent>> {
        todo!()
    }

    /// The event with this id and its later versions, in the order they were
    /// stored, from `after` on.
    pub fn versions(
        &self,
        id: impl Into<EventId>,
        after: Option<Cursor>,
    ) -> Result<Page<StoredEvent>> {
        todo!()
    }

    /// Whether an event with this id is stored. O(1).
    pub fn contains(&self, id: impl Into<EventId>) -> Result<bool> {
        todo!()
    }

    /// The event whose id this is, or else whose UUID begins with it.
    pub fn resolve(&self, prefix: &str) -> Result<Resolved> {
        todo!()
    }

    /// The walk from an event to its root; none if it is not stored.
    pub fn chain(
        &self,
        id: impl Into<EventId>,
        options: &ChainOptions,
    ) -> Result<Option<Chain<'_>>> {
        todo!()
    }

    /// The events whose parent this is, in the order in which the links became
    /// known, from `after` on, at most 1000.
    pub fn children(
        &self,
        id: impl Into<EventId>,
        after: Option<Cursor>,
    ) -> Result<Page<StoredEvent>> {
        todo!()
    }

    /// The other children of the event's parent.
    pub fn siblings(
        &self,
        id: impl Into<EventId>,
        after: Option<Cursor>,
    ) -> Result<Page<StoredEvent>> {
        todo!()
    }

    /// The events that go back to this one, itself left out.
    pub fn descendants(
        &self,
        id: impl Into<EventId>,
        options: &TreeOptions,
    ) -> Result<Page<Descendant>> {
        todo!()
    }

    /// The topmost known event that the event goes back to. O(log n).
    pub fn root(&self, id: impl Into<EventId>) -> Result<Option<EventId>> {
        todo!()
    }

    /// Edges between the event and its root. O(log n).
    pub fn depth(&self, id: impl Into<EventId>) -> Result<Option<u64>> {
        todo!()
    }

    /// Whether `descendant` goes back to `ancestor`; an event is not its own
    /// ancestor. False where either is not stored.
    pub fn is_ancestor(
        &self,
        ancestor: impl Into<EventId>,
        descendant: impl Into<EventId>,
    ) -> Result<bool> {
        todo!()
    }

    /// The ancestor of `id` that has this depth, 0 being its root; none if the
    /// event is not stored or not so deep.
    pub fn ancestor_at(&self, id: impl Into<EventId>, depth: u64) -> Result<Option<StoredEvent>> {
        todo!()
    }

    /// The nearest event that both go back to; none if either is not stored.
    pub fn common_cause(
        &self,
        a: impl Into<EventId>,
        b: impl Into<EventId>,
    ) -> Result<Option<CommonCause>> {
        todo!()
    }

    /// The events that the filter takes, a page at a time.
    pub fn events(&self, filter: &Filter) -> Result<Page<StoredEvent>> {
        todo!()
    }

    /// The newest `n` events of an instance, at most 1000.
    pub fn recent(&self, instance: &str, n: usize) -> Result<Vec<StoredEvent>> {
        Ok(self
            .events(&Filter::new().instance(instance).limit(n))?
            .items)
    }

    /// How many events the filter takes, by value, the most frequent first, at
    /// most 1000 values. The filter's order, limit and cursor do not matter.
    pub fn count_by(&self, by: &CountBy, filter: &Filter) -> Result<Vec<Count>> {
        todo!()
    }

    /// How many events the filter takes, in stretches of time `bucket` long,
    /// from the oldest on; stretches without events are left out. At most 1000.
    /// The filter's order and limit do not matter.
    pub fn timeline(&self, bucket: Duration, filter: &Filter) -> Result<Page<Bucket>> {
        todo!()
    }

    /// Events that neither name a parent nor were linked to one, in the order
    /// they were stored.
    pub fn roots(&self, after: Option<Cursor>) -> Result<Page<StoredEvent>> {
        todo!()
    }

    /// Parents that are named and not stored, in the order they were first named.
    pub fn missing_parents(&self, after: Option<Cursor>) -> Result<Page<MissingParent>> {
        todo!()
    }

    /// Links that were refused, in the order they were claimed.
    pub fn refused_links(&self, after: Option<Cursor>) -> Result<Page<RefusedLink>> {
        todo!()
    }

    /// Links that close a cycle, in the order they were found.
    pub fn closing_links(&self, after: Option<Cursor>) -> Result<Page<ClosingLink>> {
        todo!()
    }

    /// Input that could not be understood, in the order it was read.
    pub fn quarantined(&self, after: Option<Cursor>) -> Result<Page<Quarantined>> {
        todo!()
    }

    /// Figures of the whole snapshot.
    pub fn stats(&self) -> Result<Stats> {
        todo!()
    }

    /// The parent link of an event that came from a [`Link`](crate::Link), and
    /// how strong the claim was.
    pub fn linked(&self, id: impl Into<EventId>) -> Result<Option<(EventId, LinkKind, u8)>> {
        todo!()
    }
}
