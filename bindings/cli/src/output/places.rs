//! Where the sessions of events stand.

use std::collections::HashMap;

use forebear::{EventJson, Session, SessionReads, Snapshot, StoredEvent};
use serde::Serialize;

/// Where sessions stand, each looked up once.
#[derive(Debug, Default)]
pub(crate) struct SessionPlaces(HashMap<String, Above>);

/// What is above a session.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Above {
    parent_session: Option<String>,
    session_depth: u64,
}

/// An event, and what is above its session.
#[derive(Debug, Serialize)]
pub(crate) struct PlacedEvent<'a> {
    #[serde(flatten)]
    event: EventJson<'a>,
    #[serde(flatten)]
    above: Option<Above>,
}

impl SessionPlaces {
    /// What is above the session that an event belongs to; none of an event of no session.
    /// O(depth) for each session.
    pub(crate) fn of(
        &mut self,
        snapshot: &Snapshot,
        event: &StoredEvent,
    ) -> forebear::Result<Option<Above>> {
        let session = event.session().unwrap_or_default();
        let Some(name) = Session::name_of(session, event.instance(), event.scope()) else {
            return Ok(None);
        };
        if let Some(known) = self.0.get(&name) {
            return Ok(Some(known.clone()));
        }
        let parent_session = snapshot.session(&name)?.and_then(|session| session.parent);
        let above = Above { parent_session, session_depth: snapshot.session_place(&name)?.depth };
        self.0.insert(name, above.clone());
        Ok(Some(above))
    }
}

impl Above {
    /// How many sessions are above it.
    pub(crate) fn depth(&self) -> u64 {
        self.session_depth
    }
}

impl<'a> PlacedEvent<'a> {
    /// An event with what is above its session.
    pub(crate) fn new(event: EventJson<'a>, above: Option<Above>) -> Self {
        Self { event, above }
    }
}
