//! Which program the sessions of a file are of.

use forebear_core::{Link, Session, SessionPatch, Snapshot};
use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::formats::{Adapter, ReadEvent};

/// Says with the first event of each session in a file which program it is of. A
/// label would say so too, but with every event.
#[derive(Debug)]
pub(crate) struct Apps {
    adapter: Box<dyn Adapter>,
    app: &'static str,
    /// The session and the instance of the event before.
    last: (String, String),
    met: HashSet<String, RandomState>,
}

impl Apps {
    pub(crate) fn new(adapter: Box<dyn Adapter>, app: &'static str) -> Self {
        Self { adapter, app, last: Default::default(), met: HashSet::default() }
    }
}

impl Adapter for Apps {
    fn event(&mut self, object: &str) -> Result<ReadEvent, String> {
        let read = self.adapter.event(object)?;
        let session = read.event.as_session().unwrap_or_default();
        let instance = read.event.as_instance();
        if self.last.0 == session && self.last.1 == instance {
            return Ok(read);
        }
        self.last = (session.to_owned(), instance.to_owned());
        let Some(name) = Session::name_of(session, instance) else {
            return Ok(read);
        };
        if self.met.len() == MAX_MET {
            self.met.clear();
        }
        if !self.met.insert(name.clone()) {
            return Ok(read);
        }
        Ok(read.session(SessionPatch::new(name).source_app(self.app)))
    }

    fn has_clues(&self) -> bool {
        self.adapter.has_clues()
    }

    fn has_links(&self) -> bool {
        self.adapter.has_links()
    }

    fn links(&mut self, snapshot: &Snapshot) -> forebear_core::Result<Vec<Link>> {
        self.adapter.links(snapshot)
    }
}

/// Sessions of a file that are remembered; of those past it the same is said again.
const MAX_MET: usize = 4096;
