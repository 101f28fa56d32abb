//! What an object of a file comes to.

use forebear_core::{Batch, Event, Relationship, SessionPatch};

/// An event as it was read, and what it says of sessions.
#[derive(Debug)]
pub(crate) struct ReadEvent {
    pub(crate) event: Event,
    /// Whether the object bears no time of its own.
    pub(crate) time_made_up: bool,
    /// What can be stored: the event keeps all else.
    said: Vec<Said>,
}

/// Something that an object says of sessions.
#[derive(Debug)]
enum Said {
    Session(SessionPatch),
    Relationship(Relationship),
}

impl ReadEvent {
    pub(crate) fn new(event: Event, time_made_up: bool) -> Self {
        Self { event, time_made_up, said: Vec::new() }
    }

    /// Adds what is said of a session, unless it has a name that no session can have.
    pub(crate) fn session(mut self, patch: SessionPatch) -> Self {
        if patch.validate().is_ok() {
            self.said.push(Said::Session(patch));
        }
        self
    }

    /// Adds how two sessions belong together, unless one can't be a session.
    pub(crate) fn relate(mut self, relationship: Relationship) -> Self {
        if relationship.validate().is_ok() {
            self.said.push(Said::Relationship(relationship));
        }
        self
    }

    pub(crate) fn says_something(&self) -> bool {
        !self.said.is_empty()
    }

    /// The event alone.
    pub(crate) fn unsaid(mut self) -> Self {
        self.said.clear();
        self
    }

    /// Roughly the bytes that it takes in a batch beside what each record does, and
    /// how many records it is.
    pub(crate) fn size(&self) -> (usize, usize) {
        let payload = self.event.as_payload().map_or(0, <[u8]>::len);
        (payload * (1 + self.said.len()), 1 + 2 * self.said.len())
    }

    /// Adds all of it to a batch.
    pub(crate) fn add_to(self, batch: Batch) -> Batch {
        let batch = batch.event(self.event);
        self.said.into_iter().fold(batch, |batch, said| match said {
            Said::Session(patch) => batch.session(patch),
            Said::Relationship(relationship) => batch.relate(relationship),
        })
    }
}
