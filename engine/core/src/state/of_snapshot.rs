//! State of one kind, as a snapshot sees it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::kinds::Kinds;
use crate::base::page::Position;
use crate::base::state::{KindId, digest};
use crate::view::View;

/// State of one kind, as a snapshot sees it: what a [`StateKind`](super::StateKind) made
/// of the values that were handed in and of the events.
///
/// An example is at [`StateKind`](super::StateKind).
#[derive(Debug)]
pub struct State<'s> {
    view: &'s View,
    kinds: Arc<Kinds>,
    kind: KindId,
}

impl<'s> State<'s> {
    pub(crate) fn new(view: &'s View, kind: &str) -> Result<Self> {
        let kinds = view.kinds();
        let kind = kinds.id(kind)?;
        Ok(Self { view, kinds, kind })
    }

    /// What is known of a key, everything folded. O(segments and logs that say
    /// something of it).
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.view.state(self.kind, key)
    }

    /// The keys behind one, in order; at most so many, and fewer only where there are
    /// no more.
    pub fn keys(&self, after: Option<&str>, at_most: usize) -> Result<Vec<String>> {
        let all = 0..self.view.len();
        let names = self.view.state_names(self.kind, after, at_most, all)?;
        Ok(names.into_iter().collect())
    }

    /// The keys that begin with `prefix`, in order. Only segments are asked that have to
    /// do with `known`: a key, or the [front](super::StateKind::front) of one.
    pub fn keys_below(&self, known: &str, prefix: &str) -> Result<BTreeSet<String>> {
        self.view.state_names_below(self.kind, known, prefix)
    }

    /// How many segments and logs there are, oldest first.
    pub fn sources(&self) -> usize {
        self.view.len()
    }

    /// The sequence number of the first row of a segment or log.
    pub fn first_seq_of(&self, source: usize) -> Result<u64> {
        Ok(self.view.source(source)?.first_seq())
    }

    /// Shows what a segment or log says itself of its keys, in order, until `show` breaks
    /// off: of a segment everything folded but what was carried over into it; of a log
    /// what its events come to ([`reduce`](super::StateKind::reduce)).
    pub fn of_source(
        &self,
        source: usize,
        show: impl FnMut(&str, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.view.source(source)?.reduced(&self.kinds, self.kind, show)
    }

    /// The position behind a key, for a [`Listing`](crate::listing::Listing) in order of
    /// keys.
    pub fn position(&self, key: &str) -> Position {
        Position::of_key(digest(self.kind, key))
    }

    /// The key that a position is behind. O(keys of the segments that may have it).
    pub fn key_behind(&self, last: Position) -> Result<String> {
        self.view.state_key_at(self.kind, last)
    }
}
