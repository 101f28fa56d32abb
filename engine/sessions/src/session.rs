//! A session as it is known: what its events come to, and what was said of it.

use std::time::Duration;

use crate::fields::{metadata, named, number, text};
use crate::kinds::{RelationshipType, SessionStatus, SessionType};
use crate::patch::{
    AGENTS, END, MODEL, PARENT, PROJECT, SOURCE_APP, START, STATUS, TOKENS, TYPE, WAVE,
};
use crate::reads::Reads;
use crate::reduce::session_of;
use crate::related;
use crate::tally::{OriginKind, SessionStep, StepOutcome, TallyHead};
use crate::value::{self, JsonFields};
use forebear_core::{EventId, Result, Scope, Time, Tokens};

/// A session. An event belongs to the session that it names, or where its instance
/// is another one, to the session of that agent: `SESSION/INSTANCE`.
///
/// ```
/// use forebear::{Event, Scope, SessionReads, SessionType};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("user_message").session("s").time_ns(10))?;
/// store.append(Event::new("error").session("s").instance("agent").scope(Scope::Own).time_ns(30))?;
/// let session = store.snapshot().session("s")?.expect("it has events");
/// assert_eq!((session.events, session.agents, session.errors), (1, 1, 0));
/// let agent = store.snapshot().session("s/agent")?.expect("it has events");
/// assert_eq!((agent.session_type, agent.parent.as_deref()), (SessionType::Subagent, Some("s")));
/// assert_eq!((agent.errors, agent.start_ns), (1, Some(30)));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// Its name.
    pub id: String,
    /// The program that it is of.
    pub source_app: Option<String>,
    /// What it is.
    pub session_type: SessionType,
    /// The session that it comes from.
    pub parent: Option<String>,
    /// The time of its first event, unless something else was said.
    pub start_ns: Option<i64>,
    /// The time of its last event, unless something else was said.
    pub end_ns: Option<i64>,
    /// How it is doing.
    pub status: SessionStatus,
    /// How many agents of its own it has.
    pub agents: u64,
    /// What its messages took, those of its agents left out.
    pub tokens: Tokens,
    /// What else was said of it, as JSON.
    pub metadata: Option<String>,
    /// The model that it used last.
    pub model: Option<String>,
    /// The project that it is about.
    pub project: Option<String>,
    /// The wave that it is one of.
    pub wave_id: Option<String>,
    /// Its events, versions among them; those of its agents are theirs.
    pub events: u64,
    /// How many of them are errors.
    pub errors: u64,
    /// Tool calls that have no result.
    pub open_calls: u64,
    /// What it is called: by the user, else by what sums it up, else its first request.
    pub title: Option<String>,
    /// The event that decided its status, where that is failed, cancelled or timeout.
    pub decided_by: Option<EventId>,
    /// What its open call waits for, where the status is timeout.
    pub waits_for: Option<WaitsFor>,
}

/// What an open call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WaitsFor {
    /// For an answer of the user.
    User,
    /// For the tool.
    Tool,
}

impl WaitsFor {
    /// Its name: `user` or `tool`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Tool => "tool",
        }
    }
}

/// As of when, and how long after its last event, a session counts as active.
///
/// ```
/// use std::time::Duration;
/// use forebear::{Event, Liveness, SessionReads, SessionStatus};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("user_message").session("s").time_ns(0))?;
/// let soon = Liveness::as_of(1_000_000_000).active_for(Duration::from_mins(1));
/// let status = |liveness| store.snapshot().session_as_of("s", liveness).map(|s| s.map(|s| s.status));
/// assert_eq!(status(soon)?, Some(SessionStatus::Active));
/// assert_eq!(status(Liveness::default())?, Some(SessionStatus::Completed));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    now_ns: i64,
    active_for: Duration,
}

impl Liveness {
    /// As of this time, in nanoseconds since the Unix epoch.
    pub fn as_of(now_ns: i64) -> Self {
        Self { now_ns, active_for: ACTIVE_FOR }
    }

    /// Sets how long after its last event a session counts as active; ten minutes
    /// unless set.
    #[must_use]
    pub fn active_for(mut self, active_for: Duration) -> Self {
        self.active_for = active_for;
        self
    }

    fn is_active(self, last_ns: i64) -> bool {
        let age = i128::from(self.now_ns) - i128::from(last_ns);
        // A clock may be ahead, but not by much.
        age > -AHEAD_NS && age < i128::try_from(self.active_for.as_nanos()).unwrap_or(i128::MAX)
    }
}

impl Default for Liveness {
    /// As of now.
    fn default() -> Self {
        Self::as_of(Time::now().ns())
    }
}

impl Session {
    /// The session that an event belongs to which names this session and instance: that
    /// session, or `SESSION/INSTANCE` where the instance has a scope of its own; none
    /// without one.
    ///
    /// ```
    /// use forebear::{Scope, Session};
    ///
    /// assert_eq!(Session::name_of("build", "worker", Scope::Session).as_deref(), Some("build"));
    /// assert_eq!(Session::name_of("build", "worker", Scope::Own).as_deref(), Some("build/worker"));
    /// assert_eq!(Session::name_of("", "worker", Scope::Own), None);
    /// ```
    pub fn name_of(session: &str, instance: &str, scope: Scope) -> Option<String> {
        session_of(session, instance, scope == Scope::Own).map(|(name, _)| name)
    }

    /// One of which nothing is known but its name.
    pub(super) fn unknown(name: &str) -> Self {
        Self {
            id: name.to_owned(),
            source_app: None,
            session_type: SessionType::Main,
            parent: None,
            start_ns: None,
            end_ns: None,
            status: SessionStatus::Completed,
            agents: 0,
            tokens: Tokens::default(),
            metadata: None,
            model: None,
            project: None,
            wave_id: None,
            events: 0,
            errors: 0,
            open_calls: 0,
            title: None,
            decided_by: None,
            waits_for: None,
        }
    }

    /// From its start to its end; none where either is not known.
    ///
    /// ```
    /// use std::time::Duration;
    /// use forebear::{Event, SessionReads};
    ///
    /// let store = forebear::in_memory()?;
    /// store.append_batch([10, 40].map(|ns| Event::new("tick").session("s").time_ns(ns)))?;
    /// let session = store.snapshot().session("s")?.expect("it has events");
    /// assert_eq!(session.duration(), Some(Duration::from_nanos(30)));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn duration(&self) -> Option<Duration> {
        let length = i128::from(self.end_ns?) - i128::from(self.start_ns?);
        Some(Duration::from_nanos(u64::try_from(length.max(0)).unwrap_or(u64::MAX)))
    }
}

/// A session that was read.
#[derive(Clone, Debug)]
pub(crate) struct ReadSession {
    pub(crate) session: Session,
    pub(crate) head: TallyHead,
    /// Whether what its messages took was stated, and doesn't follow from its events.
    pub(crate) tokens_stated: bool,
}

/// The session with this name. O(parts that have it).
pub(crate) fn find(
    reads: &Reads<'_>,
    name: &str,
    liveness: Liveness,
) -> Result<Option<ReadSession>> {
    find_below(reads, name, None, liveness)
}

/// The same where the session that an agent's is below may be known.
pub(crate) fn find_below(
    reads: &Reads<'_>,
    name: &str,
    above: Option<&str>,
    liveness: Liveness,
) -> Result<Option<ReadSession>> {
    let Some(value) = reads.sessions.get(name)? else { return Ok(None) };
    let (fields, head) = value::read(&value)?;
    let head = head.unwrap_or_default();
    let session = session(reads, name, above, &fields, &head, liveness)?;
    let tokens_stated = fields.contains_key(TOKENS);
    Ok(Some(ReadSession { session, head, tokens_stated }))
}

fn session(
    reads: &Reads<'_>,
    name: &str,
    above: Option<&str>,
    fields: &JsonFields,
    head: &TallyHead,
    liveness: Liveness,
) -> Result<Session> {
    let metadata = metadata(fields);
    let tokens = number::<[u64; 4]>(fields, TOKENS).map_or(
        head.tokens,
        |[input, output, cache_read, cache_written]| Tokens {
            input,
            output,
            cache_read,
            cache_written,
        },
    );
    let wave_id =
        text(fields, WAVE).or_else(|| wave_in(metadata.as_deref()?)).or_else(|| head.wave.clone());
    let decided = decided(reads, name, fields, head, liveness)?;
    Ok(Session {
        id: name.to_owned(),
        source_app: text(fields, SOURCE_APP).or_else(|| head.source_app.clone()),
        session_type: named(fields, TYPE).unwrap_or_else(|| derived_type(head)),
        parent: parent(reads, name, above, fields, head)?,
        start_ns: number(fields, START).or(head.first.map(|first| first.time_ns)),
        end_ns: number(fields, END).or(head.last.map(|last| last.time_ns)),
        status: decided.status,
        agents: number(fields, AGENTS).unwrap_or(head.agents),
        tokens,
        metadata,
        model: text(fields, MODEL).or_else(|| head.model.clone()),
        project: text(fields, PROJECT).or_else(|| head.project.clone()),
        wave_id,
        events: head.rows,
        errors: head.errors,
        open_calls: head.open_calls,
        title: head.title.as_ref().map(|title| title.text.clone()),
        decided_by: match decided.by {
            Some(seq) if reads.snapshot.holds(seq) => Some(reads.snapshot.event(seq)?.id().clone()),
            _ => None,
        },
        waits_for: decided.waits_for,
    })
}

fn derived_type(head: &TallyHead) -> SessionType {
    let continues =
        |head: &TallyHead| head.origins.iter().any(|origin| origin.kind == OriginKind::Continues);
    match head {
        head if head.parent_len > 0 => SessionType::Subagent,
        head if continues(head) => SessionType::Continuation,
        _ => SessionType::Main,
    }
}

/// How a session is doing, and what says so.
struct Decided {
    status: SessionStatus,
    by: Option<u64>,
    waits_for: Option<WaitsFor>,
}

impl Decided {
    /// As nothing in particular says.
    fn plainly(status: SessionStatus) -> Self {
        Self { status, by: None, waits_for: None }
    }
}

/// How a session is doing, in this order: as an end was stated that nothing came after;
/// cancelled; active, it or an agent; timeout, where it or an agent has an open call;
/// failed; completed.
fn decided(
    reads: &Reads<'_>,
    name: &str,
    fields: &JsonFields,
    head: &TallyHead,
    liveness: Liveness,
) -> Result<Decided> {
    let step = head.step.or_else(|| {
        // Of a part that an older version tallied.
        let outcome = if head.last_is_error { StepOutcome::Failed } else { StepOutcome::Fine };
        head.last.map(|at| SessionStep { at, outcome, time_made_up: false })
    });
    if let Some(status) = named(fields, STATUS) {
        let end_ns: Option<i64> = number(fields, END);
        let went_on = status == SessionStatus::Completed
            && end_ns
                .zip(step)
                .is_some_and(|(end_ns, step)| !step.time_made_up && step.at.time_ns > end_ns);
        if !went_on {
            return Ok(Decided::plainly(status));
        }
    }
    let Some(step) = step else { return Ok(Decided::plainly(SessionStatus::Completed)) };
    let by = Some(step.at.seq);
    if step.outcome == StepOutcome::Interrupted {
        return Ok(Decided { status: SessionStatus::Cancelled, by, waits_for: None });
    }
    let is_active = |step: SessionStep| !step.time_made_up && liveness.is_active(step.at.time_ns);
    let mut waiting = head.waiting;
    let mut active = is_active(step);
    if !active && head.agents > 0 && head.parent_len == 0 {
        for (_, head) in related::agents(reads, name)? {
            let Some(step) = head.step.filter(|step| step.outcome != StepOutcome::Interrupted)
            else {
                continue;
            };
            active |= is_active(step);
            waiting = waiting.or(head.waiting);
        }
    }
    Ok(match waiting {
        _ if active => Decided::plainly(SessionStatus::Active),
        Some(call) => Decided {
            status: SessionStatus::Timeout,
            by: Some(call.at.seq),
            waits_for: Some(if call.for_user { WaitsFor::User } else { WaitsFor::Tool }),
        },
        None if step.outcome == StepOutcome::Failed => {
            Decided { status: SessionStatus::Failed, by, waits_for: None }
        }
        None => Decided::plainly(SessionStatus::Completed),
    })
}

/// The one session that a session comes from, of several the first in this order:
/// what a patch says; the session that an agent belongs to; what relationships say
/// that were stated; the call that spawned it; what it goes on from.
fn parent(
    reads: &Reads<'_>,
    name: &str,
    above: Option<&str>,
    fields: &JsonFields,
    head: &TallyHead,
) -> Result<Option<String>> {
    if let Some(parent) = text(fields, PARENT) {
        return Ok(Some(parent));
    }
    if let Some(above) = above {
        return Ok(Some(above.to_owned()));
    }
    if head.parent_len > 0 {
        return related::parent_of_agent(reads, name, head);
    }
    if let Some(parent) = stated_parent(reads, name)? {
        return Ok(Some(parent));
    }
    let origin = |kind| head.origins.iter().filter(move |origin| origin.kind == kind);
    let mut origins = origin(OriginKind::Spawned).chain(origin(OriginKind::Continues));
    Ok(origins.next().map(|origin| origin.session.clone()))
}

/// The session above one by the relationships that were stated: those of a parent and
/// a child first, then by name.
pub(super) fn stated_parent(reads: &Reads<'_>, name: &str) -> Result<Option<String>> {
    let stated = related::stated_parents(reads, name)?.into_iter();
    let above = stated.filter(|(_, kind)| *kind != RelationshipType::Sibling);
    Ok(above.map(|(parent, kind)| (kind, parent)).min().map(|(_, parent)| parent))
}

/// The wave that metadata names.
fn wave_in(metadata: &str) -> Option<String> {
    text(&value::fields(metadata).ok()?, WAVE)
}

/// How long after its last event a session counts as active unless it is said
/// otherwise: longer than most calls of tools take.
const ACTIVE_FOR: Duration = Duration::from_mins(10);
/// How far ahead the time of a last event may be of a session that counts as active.
const AHEAD_NS: i128 = 5 * 60 * 1_000_000_000;
