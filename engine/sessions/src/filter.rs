//! Which sessions a query is about.

use crate::kinds::{SessionStatus, SessionType};
use crate::session::{Liveness, Session};
use forebear_core::Time;
use forebear_core::listing::Parameters;

/// Which sessions to list. An empty filter takes all of them.
///
/// ```
/// use forebear::{Event, Scope, SessionFilter, SessionReads, SessionType};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("user_message").session("a"))?;
/// store.append(Event::new("user_message").session("b").instance("agent").scope(Scope::Own))?;
/// let agents = SessionFilter::new().session_type(SessionType::Subagent);
/// let page = store.snapshot().sessions(agents).page()?;
/// assert_eq!(page.items[0].id, "b/agent");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    pub(super) status: Option<SessionStatus>,
    pub(super) source_app: Option<String>,
    pub(super) session_type: Option<SessionType>,
    pub(super) wave_id: Option<String>,
    pub(super) since_ns: Option<i64>,
    pub(super) until_ns: Option<i64>,
    pub(super) started_since_ns: Option<i64>,
    pub(super) liveness: Liveness,
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

    /// Takes those of this wave: of which it was said, or of which an event has it.
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

    /// Takes those that began at this time or later.
    #[must_use]
    pub fn started_since_ns(mut self, time_ns: i64) -> Self {
        self.started_since_ns = Some(time_ns);
        self
    }

    /// Takes those that began before this time.
    #[must_use]
    pub fn until_ns(mut self, time_ns: i64) -> Self {
        self.until_ns = Some(time_ns);
        self
    }

    /// Takes those that ended at this time or later: a
    /// [`SystemTime`](std::time::SystemTime), a [`Time`], or under the features `jiff` and
    /// `chrono` a type of theirs.
    #[must_use]
    pub fn since(self, time: impl Into<Time>) -> Self {
        self.since_ns(time.into().ns())
    }

    /// Takes those that began before this time; as [`since`](Self::since).
    #[must_use]
    pub fn until(self, time: impl Into<Time>) -> Self {
        self.until_ns(time.into().ns())
    }

    /// Sets when a session counts as active.
    #[must_use]
    pub fn liveness(mut self, liveness: Liveness) -> Self {
        self.liveness = liveness;
        self
    }

    /// Names what the filter asks for, so that cursors of listings by others are refused.
    pub(super) fn parameters(&self, parameters: &mut Parameters) {
        parameters.text_opt(self.status.map(SessionStatus::as_str));
        parameters.text_opt(self.source_app.as_deref());
        parameters.text_opt(self.session_type.map(SessionType::as_str));
        parameters.text_opt(self.wave_id.as_deref());
        for time_ns in [self.since_ns, self.until_ns, self.started_since_ns] {
            parameters.number(u64::from(time_ns.is_some()));
            parameters.number(time_ns.unwrap_or_default().cast_unsigned());
        }
    }

    /// Whether a session meets all conditions, its wave aside.
    pub(super) fn takes(&self, session: &Session) -> bool {
        let is =
            |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        self.status.is_none_or(|status| session.status == status)
            && self.session_type.is_none_or(|wanted| session.session_type == wanted)
            && is(&self.source_app, &session.source_app)
            && self.since_ns.is_none_or(|since| session.end_ns.is_some_and(|end| end >= since))
            && (self.started_since_ns)
                .is_none_or(|since| session.start_ns.is_some_and(|start| start >= since))
            && self.until_ns.is_none_or(|until| session.start_ns.is_some_and(|start| start < until))
    }
}

impl From<&SessionFilter> for SessionFilter {
    fn from(filter: &SessionFilter) -> Self {
        filter.clone()
    }
}
