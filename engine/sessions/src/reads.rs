//! The state of sessions and relationships, as a snapshot sees it.

use std::collections::BTreeSet;

use crate::state_kinds::{RELATIONSHIP, SESSION};
use crate::tally::TallyHead;
use crate::value;
use forebear_core::state::State;
use forebear_core::{Result, Snapshot};

/// A snapshot and the state of sessions in it.
pub(crate) struct Reads<'s> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) sessions: State<'s>,
    pub(crate) relationships: State<'s>,
}

impl<'s> Reads<'s> {
    /// Fails where the store was opened without the kinds of state of sessions.
    pub(crate) fn of(snapshot: &'s Snapshot) -> Result<Self> {
        let (sessions, relationships) = (snapshot.state(SESSION)?, snapshot.state(RELATIONSHIP)?);
        Ok(Self { snapshot, sessions, relationships })
    }

    /// What the events of a session come to; none where it has none.
    pub(crate) fn head(&self, name: &str) -> Result<Option<TallyHead>> {
        match self.sessions.get(name)? {
            Some(value) => value::read_head(&value),
            None => Ok(None),
        }
    }

    /// What was said of the relationship under a key.
    pub(crate) fn relationship(&self, key: &str) -> Result<Option<value::JsonFields>> {
        let value = self.relationships.get(key)?;
        value.map(|value| value::fields(value::text(&value)?)).transpose()
    }

    /// The keys of the relationships that were stated, from one of their ends.
    pub(crate) fn stated(&self, end: char, name: &str) -> Result<BTreeSet<String>> {
        let front = format!("{end}{name}\0");
        self.relationships.keys_below(&front, &front)
    }
}
