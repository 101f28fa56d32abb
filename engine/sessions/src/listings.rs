//! The listings of sessions, by the one protocol that all listings have.

use forebear_core::listing::{DepthBound, Listing, Parameters, Position};
use forebear_core::{Page, Result, Snapshot};

use crate::filter::SessionFilter;
use crate::integrity::{self, SessionCorrelation, SessionProblem};
use crate::reads::Reads;
use crate::relationship::StoredRelationship;
use crate::session::Session;
use crate::tree::{self, SessionMetrics, SessionNode, TreeOptions};
use crate::waves::{self, Wave};
use crate::{list, related};

/// Sessions by a filter. Asked by
/// [`sessions`](crate::SessionReads::sessions).
#[derive(Clone, Debug)]
pub struct Sessions {
    pub(crate) snapshot: Snapshot,
    pub(crate) filter: SessionFilter,
}

impl Listing for Sessions {
    type Item = Session;
    const NAME: &'static str = "sessions";

    fn parameters(&self, parameters: &mut Parameters) {
        self.filter.parameters(parameters);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<Session, Position>> {
        list::sessions(&Reads::of(&self.snapshot)?, &self.filter, after, limit)
    }
}

/// The relationships of a session with those that come from it. Asked by
/// [`session_children`](crate::SessionReads::session_children).
#[derive(Clone, Debug)]
pub struct SessionChildren {
    pub(crate) snapshot: Snapshot,
    pub(crate) session: String,
}

impl Listing for SessionChildren {
    type Item = StoredRelationship;
    const NAME: &'static str = "session-children";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.text(&self.session);
    }

    fn read(
        &self,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<StoredRelationship, Position>> {
        related::children(&Reads::of(&self.snapshot)?, &self.session, after, limit)
    }
}

/// The relationships of a session with those that it comes from. Asked by
/// [`session_parents`](crate::SessionReads::session_parents).
#[derive(Clone, Debug)]
pub struct SessionParents {
    pub(crate) snapshot: Snapshot,
    pub(crate) session: String,
}

impl Listing for SessionParents {
    type Item = StoredRelationship;
    const NAME: &'static str = "session-parents";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.text(&self.session);
    }

    fn read(
        &self,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<StoredRelationship, Position>> {
        related::parents(&Reads::of(&self.snapshot)?, &self.session, after, limit)
    }
}

/// A session and all below it. Asked by
/// [`session_tree`](crate::SessionReads::session_tree).
#[derive(Clone, Debug)]
pub struct SessionTree {
    pub(crate) snapshot: Snapshot,
    pub(crate) session: String,
    pub(crate) options: TreeOptions,
}

impl Listing for SessionTree {
    type Item = SessionNode;
    const NAME: &'static str = "session-tree";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.text(&self.session);
        parameters.number(self.options.max_depth);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<SessionNode, Position>> {
        tree::tree(&Reads::of(&self.snapshot)?, &self.session, self.options, after, limit)
    }
}

impl DepthBound for SessionTree {
    fn set_max_depth(&mut self, edges: u64) {
        self.options.max_depth = edges;
    }
}

/// What sessions took, by a filter. Asked by
/// [`session_metrics`](crate::SessionReads::session_metrics).
#[derive(Clone, Debug)]
pub struct MetricsOfSessions {
    pub(crate) sessions: Sessions,
}

impl Listing for MetricsOfSessions {
    type Item = SessionMetrics;
    const NAME: &'static str = "session-metrics";

    fn parameters(&self, parameters: &mut Parameters) {
        self.sessions.parameters(parameters);
    }

    fn read(
        &self,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<SessionMetrics, Position>> {
        let reads = Reads::of(&self.sessions.snapshot)?;
        let Page { items, next, damaged } = self.sessions.read(after, limit)?;
        let metrics = items.into_iter().map(|session| tree::metrics(&reads, session));
        Ok(Page::new(metrics.collect::<Result<_>>()?, next).with_damaged(damaged))
    }
}

/// How soon the children of a session came and how long they took. Asked by
/// [`session_correlations`](crate::SessionReads::session_correlations).
#[derive(Clone, Debug)]
pub struct SessionCorrelations {
    pub(crate) snapshot: Snapshot,
    pub(crate) session: String,
}

impl Listing for SessionCorrelations {
    type Item = SessionCorrelation;
    const NAME: &'static str = "session-correlations";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.text(&self.session);
    }

    fn read(
        &self,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<SessionCorrelation, Position>> {
        integrity::correlations(&Reads::of(&self.snapshot)?, &self.session, after, limit)
    }
}

/// What is wrong with how sessions belong together. Asked by
/// [`session_problems`](crate::SessionReads::session_problems).
#[derive(Clone, Debug)]
pub struct SessionProblems {
    pub(crate) snapshot: Snapshot,
}

impl Listing for SessionProblems {
    type Item = SessionProblem;
    const NAME: &'static str = "session-problems";

    fn parameters(&self, _parameters: &mut Parameters) {}

    fn read(
        &self,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<SessionProblem, Position>> {
        integrity::problems(&Reads::of(&self.snapshot)?, after, limit)
    }
}

/// Sessions that work together, by the wave that they name. Asked by
/// [`waves`](crate::SessionReads::waves).
#[derive(Clone, Debug)]
pub struct Waves {
    pub(crate) snapshot: Snapshot,
}

impl Listing for Waves {
    type Item = Wave;
    const NAME: &'static str = "waves";

    fn parameters(&self, _parameters: &mut Parameters) {}

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<Wave, Position>> {
        waves::waves(&Reads::of(&self.snapshot)?, after, limit)
    }
}
