//! The kinds of state that sessions are: what is known of each, and how two belong
//! together.

use std::sync::Arc;

use crate::{reduce, relationship, value};
use forebear_core::Result;
use forebear_core::state::{EventRows, Reduced, StateKind};

/// The kinds of state that sessions need, for
/// [`StoreBuilder::state_kinds`](forebear_core::StoreBuilder::state_kinds) and
/// [`ReaderBuilder::state_kinds`](forebear_core::ReaderBuilder::state_kinds).
pub fn kinds() -> [Arc<dyn StateKind>; 2] {
    [Arc::new(SessionKind), Arc::new(Relationships)]
}

/// What patches say of a session and what its events come to, by its name.
#[derive(Debug)]
struct SessionKind;

/// What was said of how two sessions belong together, from either end.
#[derive(Debug)]
struct Relationships;

impl StateKind for SessionKind {
    fn name(&self) -> &'static str {
        SESSION
    }

    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn validate(&self, key: &str, value: &[u8]) -> Result<()> {
        value::check_patch(key, value)
    }

    fn fold(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>> {
        value::fold(older, newer)
    }

    fn carry_over(&self, value: Vec<u8>) -> Result<Vec<u8>> {
        value::carried_over(&value)
    }

    fn carry_over_live(&self, value: Vec<u8>) -> Result<Vec<u8>> {
        value::carried_over_live(&value)
    }

    fn reduce(&self, rows: &dyn EventRows) -> Result<Reduced> {
        let tallies = reduce::tallies(rows).into_iter();
        Ok(tallies.map(|(name, tally)| (name, value::of_tally(&tally))).collect())
    }
}

impl StateKind for Relationships {
    fn name(&self) -> &'static str {
        RELATIONSHIP
    }

    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn validate(&self, key: &str, value: &[u8]) -> Result<()> {
        relationship::check(key, value)
    }

    fn fold(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>> {
        value::fold_objects(value::text(older)?, value::text(newer)?).map(String::into_bytes)
    }

    /// The end that the key begins with: all relationships of a session have it.
    fn front<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.find('\0').map(|end| &key[..=end])
    }
}

/// The names of the kinds.
pub(crate) const SESSION: &str = "session";
pub(crate) const RELATIONSHIP: &str = "relationship";
const PROVIDER: &str = "forebear-sessions";
