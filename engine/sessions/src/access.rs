//! What sessions add to a snapshot, a store and a batch.

use forebear_core::{Batch, Filter, Query, Result, Snapshot, Store};

use crate::access::sealed::Closed;
use crate::filter::SessionFilter;
use crate::listings::{
    MetricsOfSessions, SessionChildren, SessionCorrelations, SessionParents, SessionProblems,
    SessionTree, Sessions, Waves,
};
use crate::patch::SessionPatch;
use crate::reads::Reads;
use crate::relationship::{self, Relationship};
use crate::session::{self, Liveness, Session};
use crate::state_kinds::{RELATIONSHIP, SESSION};
use crate::timeline::SessionTimeline;
use crate::tree::{self, SessionPlace, TreeOptions};
use crate::value;

/// What a snapshot knows of sessions.
///
/// Each call fails with [`is_unsupported`](forebear_core::Error::is_unsupported) where the
/// store was opened without the [kinds of state](crate::kinds) of sessions.
pub trait SessionReads: Closed {
    /// The session with this name, as of now. O(parts that know it).
    ///
    /// An example is at [`Session`].
    fn session(&self, id: &str) -> Result<Option<Session>>;

    /// The session with this name; `liveness` says when it counts as active.
    ///
    /// An example is at [`Liveness`].
    fn session_as_of(&self, id: &str, liveness: Liveness) -> Result<Option<Session>>;

    /// The sessions that the filter takes, those that something was stored of last
    /// first; behind them, by name, those of which no event is there.
    ///
    /// An example is at [`SessionFilter`].
    fn sessions(&self, filter: impl Into<SessionFilter>) -> Query<Sessions>;

    /// The relationships of a session with those that come from it, by their names.
    ///
    /// An example is at [`Relationship`](crate::Relationship).
    fn session_children(&self, id: &str) -> Query<SessionChildren>;

    /// The relationships of a session with those that it comes from, by their names.
    ///
    /// ```
    /// use forebear::{Event, RelationshipType, SessionReads};
    ///
    /// let store = forebear::in_memory()?;
    /// store.append(Event::new("note").id("n").session("first").payload("1"))?;
    /// store.append(Event::new("note").id("n").session("fork").payload("2"))?;
    /// let parents = store.snapshot().session_parents("fork").page()?.items;
    /// assert_eq!(parents[0].parent, "first");
    /// assert_eq!(parents[0].relationship_type, RelationshipType::Continuation);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    fn session_parents(&self, id: &str) -> Query<SessionParents>;

    /// A session and all below it, each before those below it in turn; totals count those
    /// beyond a `max_depth`, too. O(sessions of the tree), each page.
    ///
    /// An example is at [`SessionNode`](crate::SessionNode).
    fn session_tree(&self, id: &str) -> Query<SessionTree> {
        self.session_tree_as_of(id, Liveness::default())
    }

    /// The same; `liveness` says when a session counts as active.
    fn session_tree_as_of(&self, id: &str, liveness: Liveness) -> Query<SessionTree>;

    /// How far below its root a session is, and the way there. O(depth).
    ///
    /// An example is at [`SessionPlace`].
    fn session_place(&self, id: &str) -> Result<SessionPlace>;

    /// What each session took that the filter takes, as [`sessions`](Self::sessions).
    ///
    /// An example is at [`SessionMetrics`](crate::SessionMetrics).
    fn session_metrics(&self, filter: impl Into<SessionFilter>) -> Query<MetricsOfSessions>;

    /// How soon the children of a session came and how long they took, as
    /// [`session_children`](Self::session_children).
    ///
    /// An example is at [`SessionCorrelation`](crate::SessionCorrelation).
    fn session_correlations(&self, id: &str) -> Query<SessionCorrelations>;

    /// The events of a session and of its agents that the filter takes, each with its
    /// session.
    ///
    /// An example is at [`TimelineEntry`](crate::TimelineEntry).
    fn session_timeline(&self, id: &str, filter: impl Into<Filter>) -> Query<SessionTimeline>;

    /// What is wrong with how sessions belong together. O(sessions and relationships),
    /// each page.
    ///
    /// An example is at [`SessionProblem`](crate::SessionProblem).
    fn session_problems(&self) -> Query<SessionProblems>;

    /// Sessions that work together, by the wave that they name, those that began last
    /// first. O(sessions), each page.
    ///
    /// An example is at [`Wave`](crate::Wave).
    fn waves(&self) -> Query<Waves>;
}

/// What can be said of sessions to a store.
///
/// An example is at each call.
pub trait SessionWrites: Closed {
    /// Says something of a session; what is not said stays as it is.
    ///
    /// An example is at [`SessionPatch`].
    fn upsert_session(&self, patch: SessionPatch) -> Result<()>;

    /// Says how two sessions belong together; said again, it is changed.
    ///
    /// An example is at [`Relationship`].
    fn relate(&self, relationship: Relationship) -> Result<()>;
}

/// What can be said of sessions in a batch.
pub trait SessionBatch: Closed + Sized {
    /// Adds what is said of a session.
    ///
    /// ```
    /// use forebear::{Batch, Event, SessionBatch, SessionPatch, SessionReads};
    ///
    /// let store = forebear::in_memory()?;
    /// let batch = Batch::from(Event::new("start").session("s"));
    /// store.write(batch.session(SessionPatch::new("s").project("forebear")))?;
    /// let session = store.snapshot().session("s")?.expect("it has events");
    /// assert_eq!(session.project.as_deref(), Some("forebear"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    fn session(self, patch: SessionPatch) -> Self;

    /// Adds how two sessions belong together.
    ///
    /// ```
    /// use forebear::{Batch, Relationship, SessionBatch, SessionReads};
    ///
    /// let store = forebear::in_memory()?;
    /// store.write(Batch::new().relate(Relationship::new("a", "b")))?;
    /// assert_eq!(store.snapshot().session_parents("b").page()?.items[0].parent, "a");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    fn relate(self, relationship: Relationship) -> Self;
}

impl SessionReads for Snapshot {
    fn session(&self, id: &str) -> Result<Option<Session>> {
        self.session_as_of(id, Liveness::default())
    }

    fn session_as_of(&self, id: &str, liveness: Liveness) -> Result<Option<Session>> {
        Ok(session::find(&Reads::of(self)?, id, liveness)?.map(|known| known.session))
    }

    fn sessions(&self, filter: impl Into<SessionFilter>) -> Query<Sessions> {
        Query::new(Sessions { snapshot: self.clone(), filter: filter.into() })
    }

    fn session_children(&self, id: &str) -> Query<SessionChildren> {
        Query::new(SessionChildren { snapshot: self.clone(), session: id.to_owned() })
    }

    fn session_parents(&self, id: &str) -> Query<SessionParents> {
        Query::new(SessionParents { snapshot: self.clone(), session: id.to_owned() })
    }

    fn session_tree_as_of(&self, id: &str, liveness: Liveness) -> Query<SessionTree> {
        let options = TreeOptions { max_depth: u64::MAX, liveness };
        Query::new(SessionTree { snapshot: self.clone(), session: id.to_owned(), options })
    }

    fn session_place(&self, id: &str) -> Result<SessionPlace> {
        tree::place(&Reads::of(self)?, id)
    }

    fn session_metrics(&self, filter: impl Into<SessionFilter>) -> Query<MetricsOfSessions> {
        let sessions = self.sessions(filter).into_listing();
        Query::new(MetricsOfSessions { sessions })
    }

    fn session_correlations(&self, id: &str) -> Query<SessionCorrelations> {
        Query::new(SessionCorrelations { snapshot: self.clone(), session: id.to_owned() })
    }

    fn session_timeline(&self, id: &str, filter: impl Into<Filter>) -> Query<SessionTimeline> {
        Query::new(SessionTimeline::new(self.clone(), id.to_owned(), filter.into()))
    }

    fn session_problems(&self) -> Query<SessionProblems> {
        Query::new(SessionProblems { snapshot: self.clone() })
    }

    fn waves(&self) -> Query<Waves> {
        Query::new(Waves { snapshot: self.clone() })
    }
}

impl SessionWrites for Store {
    fn upsert_session(&self, patch: SessionPatch) -> Result<()> {
        self.write(Batch::new().session(patch)).map(drop)
    }

    fn relate(&self, relationship: Relationship) -> Result<()> {
        self.write(Batch::new().relate(relationship)).map(drop)
    }
}

impl SessionBatch for Batch {
    fn session(self, patch: SessionPatch) -> Self {
        let relationship = patch.relationship();
        let batch = match patch.fields().and_then(value::of_patch) {
            Ok(value) => self.state(SESSION, patch.id, value),
            Err(error) => return self.refuse(error),
        };
        match relationship {
            Some(relationship) => batch.relate(relationship),
            None => batch,
        }
    }

    fn relate(self, relationship: Relationship) -> Self {
        match relationship.fields().and_then(value::object) {
            Ok(value) => {
                let keys = relationship::keys(&relationship.parent, &relationship.child);
                keys.into_iter()
                    .fold(self, |batch, key| batch.state(RELATIONSHIP, key, value.clone()))
            }
            Err(error) => self.refuse(error),
        }
    }
}

/// Keeps the traits to what they are made for, so that they can grow.
mod sealed {
    pub trait Closed {}

    impl Closed for forebear_core::Snapshot {}
    impl Closed for forebear_core::Store {}
    impl Closed for forebear_core::Batch {}
}
