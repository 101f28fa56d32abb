//! Which program the sessions of a file are of.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use forebear_core::Event;
use forebear_sessions::{Session, SessionPatch};

use crate::parsed::Parsed;

/// Says with the first event of each session in a file which program it is of. A
/// label would say so too, but with every event.
#[derive(Debug)]
pub(crate) struct Apps {
    app: String,
    /// The session and the instance of the event before.
    last: (String, String),
    known: HashSet<String, RandomState>,
}

impl Apps {
    pub(crate) fn new(app: &str) -> Self {
        Self { app: app.to_owned(), last: Default::default(), known: HashSet::default() }
    }

    /// Adds what is to be said of the sessions of these events.
    pub(crate) fn say(&mut self, mut parsed: Parsed) -> Parsed {
        // Nearly always one.
        for at in 0..parsed.events().len() {
            if let Some(name) = self.new_session(&parsed.events()[at]) {
                parsed = parsed.session(SessionPatch::new(name).source_app(&self.app));
            }
        }
        parsed
    }

    fn new_session(&mut self, event: &Event) -> Option<String> {
        let session = event.as_session().unwrap_or_default();
        let instance = event.as_instance();
        if self.last.0 == session && self.last.1 == instance {
            return None;
        }
        self.last = (session.to_owned(), instance.to_owned());
        let name = Session::name_of(session, instance, event.as_scope())?;
        if self.known.len() == MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(name.clone()).then_some(name)
    }
}

/// Sessions of a file that are remembered; of those past it the same is said again.
const MAX_KNOWN: usize = 4096;
