//! Which sessions a query is about.

use crate::kinds::{SessionStatus, SessionType};
use crate::session::{Liveness, Session};
use forebear_core::{Cursor, limits};

/// Which sessions to list, and how many. An empty filter takes all of them, those
/// that something was stored of last first.
///
/// ```
/// use forebear::{Event, SessionFilter, SessionReads, SessionType};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("user_message").session("a"))?;
/// store.append(Event::new("user_message").session("b").instance("agent"))?;
/// let agents = SessionFilter::new().session_type(SessionType::Subagent);
/// let page = store.snapshot().sessions(&agents)?;
/// assert_eq!(page.items[0].id, "b/agent");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionFilter {
    pub(super) status: Option<SessionStatus>,
    pub(super) source_app: Option<String>,
    pub(super) session_type: Option<SessionType>,
    pub(super) wave_id: Option<String>,
    pub(super) since_ns: Option<i64>,
    pub(super) until_ns: Option<i64>,
    pub(super) liveness: Liveness,
    pub(super) limit: usize,
    pub(super) after: Option<Cursor>,
}

impl Default for SessionFilter {
    fn default() -> Self {
        Self {
            status: None,
            source_app: None,
            session_type: None,
            wave_id: None,
            since_ns: None,
            until_ns: None,
            liveness: Liveness::default(),
            limit: limits::DEFAULT_PAGE,
            after: None,
        }
    }
}

impl SessionFilter {
    /// Takes every session.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes those with this status.
    #[must_use]
    pub fn status(mut self, status: SessionStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Takes those of this program.
    #[must_use]
    pub fn source_app(mut self, source_app: impl Into<String>) -> Self {
        self.source_app = Some(source_app.into());
        self
    }

    /// Takes those of this type.
    #[must_use]
    pub fn session_type(mut self, session_type: SessionType) -> Self {
        self.session_type = Some(session_type);
        self
    }

    /// Takes those of this wave.
    #[must_use]
    pub fn wave(mut self, wave_id: impl Into<String>) -> Self {
        self.wave_id = Some(wave_id.into());
        self
    }

    /// Takes those that ended at this time (nanoseconds since the Unix epoch) or later.
    #[must_use]
    pub fn since_ns(mut self, time_ns: i64) -> Self {
        self.since_ns = Some(time_ns);
        self
    }

    /// Takes those that began before this time.
    #[must_use]
    pub fn until_ns(mut self, time_ns: i64) -> Self {
        self.until_ns = Some(time_ns);
        self
    }

    /// Sets when a session counts as active.
    #[must_use]
    pub fn liveness(mut self, liveness: Liveness) -> Self {
        self.liveness = liveness;
        self
    }

    /// Lists at most so many on a page: 50 unless set, capped at 1000.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.min(limits::MAX_PAGE);
        self
    }

    /// Goes on where an earlier page with the same filter ended.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    pub(super) fn takes(&self, session: &Session) -> bool {
        let is =
            |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        self.status.is_none_or(|status| session.status == status)
            && self.session_type.is_none_or(|wanted| session.session_type == wanted)
            && is(&self.source_app, &session.source_app)
            && is(&self.wave_id, &session.wave_id)
            && self.since_ns.is_none_or(|since| session.end_ns.is_some_and(|end| end >= since))
            && self.until_ns.is_none_or(|until| session.start_ns.is_some_and(|start| start < until))
    }
}
