//! What a record of a file stands for.

use forebear_core::{Batch, Event, Link};
use forebear_sessions::{Relationship, SessionBatch, SessionPatch};

/// What a record of a file stands for: mostly one event, and what is said with it.
///
/// ```
/// use forebear::ingest::Parsed;
/// use forebear::{Event, Link, LinkKind};
///
/// let event = Event::new("agent_started").id("first");
/// let parsed = Parsed::new(event).link(Link::new("first", "call", LinkKind::Spawned).strength(40));
/// assert_eq!(parsed.events().len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    events: Vec<Event>,
    /// For each event, whether its time was made up.
    times_made_up: Vec<bool>,
    links: Vec<Link>,
    /// What can be stored: the event keeps all else.
    statements: Vec<Statement>,
}

/// Something that is said of sessions.
#[derive(Clone, Debug)]
enum Statement {
    Session(SessionPatch),
    Relationship(Relationship),
}

impl Parsed {
    /// An event.
    pub fn new(event: Event) -> Self {
        Self::nothing().event(event)
    }

    /// A record that is well formed and stands for no event; nothing of it is stored.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds an event, where a record stands for several.
    #[must_use]
    pub fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self.times_made_up.push(false);
        self
    }

    /// Says whether the record bears no time, so that that of the event added last was
    /// made up: it is counted in the report, and the event is labelled `time_made_up`.
    #[must_use]
    pub fn time_made_up(mut self, made_up: bool) -> Self {
        if let Some(last) = self.times_made_up.last_mut() {
            *last = made_up;
        }
        self
    }

    /// Adds all that another one has, where a record has parts that are read alike.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Self {
        self.events.append(&mut other.events);
        self.times_made_up.append(&mut other.times_made_up);
        self.links.append(&mut other.links);
        self.statements.append(&mut other.statements);
        self
    }

    /// Adds a link that the record states.
    #[must_use]
    pub fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }

    /// Adds what is said of a session, unless it has a name that no session can have.
    #[must_use]
    pub fn session(mut self, patch: SessionPatch) -> Self {
        if patch.validate().is_ok() {
            self.statements.push(Statement::Session(patch));
        }
        self
    }

    /// Adds how two sessions belong together, unless one can't be a session.
    #[must_use]
    pub fn relate(mut self, relationship: Relationship) -> Self {
        if relationship.validate().is_ok() {
            self.statements.push(Statement::Relationship(relationship));
        }
        self
    }

    /// Its events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether it says anything of sessions beside its events.
    pub fn has_statements(&self) -> bool {
        !self.statements.is_empty()
    }

    /// The same without what it says of sessions.
    #[must_use]
    pub fn without_statements(mut self) -> Self {
        self.statements.clear();
        self
    }

    /// The same without the events that are not wanted.
    #[cfg(feature = "otlp")]
    #[must_use]
    pub(crate) fn retain_events(mut self, mut wanted: impl FnMut(&Event) -> bool) -> Self {
        let events = self.events.into_iter().zip(self.times_made_up);
        (self.events, self.times_made_up) = events.filter(|(event, _)| wanted(event)).unzip();
        self
    }

    /// The same, with payloads in this format where an event doesn't say otherwise.
    #[must_use]
    pub(crate) fn payloads_in(mut self, format: &str) -> Self {
        let typed = |event: Event| match (event.as_payload(), event.as_payload_type()) {
            (Some(_), None) => event.payload_type(format),
            _ => event,
        };
        self.events = self.events.into_iter().map(typed).collect();
        self
    }

    /// The same without the events and links that a store doesn't take, and why it doesn't
    /// take the first of those.
    pub(crate) fn storable(mut self, max_payload_bytes: usize) -> (Self, Option<String>) {
        let mut refused = None;
        let mut takes = |valid: forebear_core::Result<()>| match valid {
            Ok(()) => true,
            Err(error) => {
                let why = || format!("expected what can be stored: {error:#}");
                refused.get_or_insert_with(why);
                false
            }
        };
        let events = self.events.into_iter().zip(self.times_made_up);
        let events = events.filter(|(event, _)| takes(event.validate(max_payload_bytes)));
        (self.events, self.times_made_up) = events.unzip();
        self.links.retain(|link| takes(link.validate()));
        (self, refused)
    }

    /// How many of its events were given a time.
    pub(crate) fn times_made_up(&self) -> u64 {
        self.times_made_up.iter().filter(|made_up| **made_up).count() as u64
    }

    /// Changes its events, each shown with whether its time was made up.
    pub(crate) fn map_events(mut self, mut change: impl FnMut(Event, bool) -> Event) -> Self {
        let events = std::mem::take(&mut self.events).into_iter().zip(&self.times_made_up);
        self.events = events.map(|(event, made_up)| change(event, *made_up)).collect();
        self
    }

    /// Roughly the bytes that it takes in a batch beside what each record does, and
    /// how many records it is.
    pub(crate) fn size(&self) -> (usize, usize) {
        let payloads = self.events.iter().map(|event| event.as_payload().map_or(0, <[u8]>::len));
        let longest = payloads.clone().max().unwrap_or(0);
        let bytes = payloads.sum::<usize>() + longest * self.statements.len();
        (bytes, self.events.len() + self.links.len() + 2 * self.statements.len())
    }

    /// The same in pieces of at most so many events, and of so many bytes of payload unless
    /// one alone has more; the last one has all else.
    pub(crate) fn into_pieces(self, max_events: usize, max_bytes: usize) -> Vec<Self> {
        let bytes_of = |event: &Event| event.as_payload().map_or(0, <[u8]>::len);
        let all = self.events.iter().map(bytes_of).sum::<usize>();
        if self.events.len() <= max_events && all <= max_bytes {
            return vec![self];
        }
        let (mut pieces, mut piece, mut bytes) = (Vec::new(), Self::nothing(), 0);
        for (event, made_up) in self.events.into_iter().zip(self.times_made_up) {
            let length = bytes_of(&event);
            let is_full = piece.events.len() == max_events || bytes + length > max_bytes;
            if is_full && !piece.events.is_empty() {
                pieces.push(std::mem::take(&mut piece));
                bytes = 0;
            }
            bytes += length;
            piece = piece.event(event).time_made_up(made_up);
        }
        (piece.links, piece.statements) = (self.links, self.statements);
        pieces.push(piece);
        pieces
    }

    /// How many links it states.
    pub(crate) fn links(&self) -> u64 {
        self.links.len() as u64
    }

    /// Adds all of it to a batch.
    pub(crate) fn add_to(self, batch: Batch) -> Batch {
        let batch = self.events.into_iter().fold(batch, Batch::event);
        let batch = self.links.into_iter().fold(batch, Batch::link);
        self.statements.into_iter().fold(batch, |batch, statement| match statement {
            Statement::Session(patch) => batch.session(patch),
            Statement::Relationship(relationship) => batch.relate(relationship),
        })
    }
}
