//! What is the matter, by rules.

use std::collections::HashSet;
use std::time::Duration;

use foldhash::fast::RandomState;
use forebear_core::{
    Detail, EventId, Filter, LinkKind, Result, Scope, Snapshot, StoredEvent, Time, Tokens, limits,
};
use forebear_readings::{keys, numbered};
use forebear_sessions::{
    Liveness, Session, SessionFilter, SessionReads, SessionStatus, SessionType,
};

use crate::alert::{Alert, AlertRule};

/// Sessions that are looked at, those that something was stored of last first.
const SESSIONS_MAX: usize = 10_000;

/// Alerts that are found at most.
const ALERTS_MAX: usize = 1000;

/// Calls and results of a session that are looked at, the newest first.
const CALLS_MAX: usize = 1024;

/// Events of a session that are looked at for where a sum was exceeded.
const EVENTS_MAX: usize = 100_000;

/// Events below which a rate says nothing.
const RATED_EVENTS: u64 = 20;

/// Which rules to look by.
///
/// An example is at [`Alert::record`].
#[derive(Clone, Debug)]
pub struct AlertsQuery {
    rules: Vec<AlertRule>,
    since_ns: Option<i64>,
    now_ns: Option<i64>,
    lags: Vec<FileLag>,
}

/// How far behind a file that is followed is: what [`AlertRule::Lag`] goes by.
#[derive(Clone, Debug)]
pub struct FileLag {
    /// The file.
    pub file: String,
    /// How far it was read, in bytes.
    pub offset: u64,
    /// How long ago what comes behind that was written.
    pub behind: Duration,
}

impl AlertsQuery {
    /// Looks by these rules, as of now.
    pub fn rules(rules: impl IntoIterator<Item = AlertRule>) -> Self {
        let rules = rules.into_iter().collect();
        Self { rules, since_ns: None, now_ns: None, lags: Vec::new() }
    }

    /// Leaves out sessions that ended before this time.
    #[must_use]
    pub fn since_ns(mut self, since_ns: i64) -> Self {
        self.since_ns = Some(since_ns);
        self
    }

    /// Looks as of this time, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn now_ns(mut self, now_ns: i64) -> Self {
        self.now_ns = Some(now_ns);
        self
    }

    /// Says how far behind files are that are followed.
    #[must_use]
    pub fn lags(mut self, lags: Vec<FileLag>) -> Self {
        self.lags = lags;
        self
    }
}

/// What meets the rules. Made by [`alerts`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Alerts {
    /// What was found, the newest first.
    pub alerts: Vec<Alert>,
    /// Whether all was looked at: of a large store the newest sessions are.
    pub complete: bool,
}

/// Finds what meets the rules. Reads alone.
///
/// O(sessions); of a session that meets a rule, O(its events) where an event is to be found that
/// decided it.
pub fn alerts(snapshot: &Snapshot, query: &AlertsQuery) -> Result<Alerts> {
    let now_ns = query.now_ns.unwrap_or_else(|| Time::now().ns());
    let mut look = Look { snapshot, now_ns, found: Alerts { alerts: Vec::new(), complete: true } };
    look.lags(query);
    let mut filter = SessionFilter::new().liveness(Liveness::as_of(now_ns));
    if let Some(since_ns) = query.since_ns {
        filter = filter.since_ns(since_ns);
    }
    let mut waves: HashSet<String, RandomState> = HashSet::default();
    let sessions = snapshot.sessions(filter).limit(limits::MAX_PAGE);
    for (number, session) in (&sessions).into_iter().enumerate() {
        let session = session?;
        if number == SESSIONS_MAX || look.found.alerts.len() >= ALERTS_MAX {
            look.found.complete = false;
            break;
        }
        for &rule in &query.rules {
            look.session(rule, &session)?;
        }
        waves.extend(session.wave_id);
    }
    for &rule in &query.rules {
        if let AlertRule::WaveStuck { over } = rule {
            for wave in &waves {
                look.wave(rule, wave, over)?;
            }
        }
    }
    let mut found = look.found;
    found.alerts.sort_by(|a, b| (b.time_ns, &a.subject).cmp(&(a.time_ns, &b.subject)));
    if found.alerts.len() > ALERTS_MAX {
        found.alerts.truncate(ALERTS_MAX);
        found.complete = false;
    }
    Ok(found)
}

/// Looks at one thing after the other.
struct Look<'a> {
    snapshot: &'a Snapshot,
    now_ns: i64,
    found: Alerts,
}

impl Look<'_> {
    fn session(&mut self, rule: AlertRule, session: &Session) -> Result<()> {
        match rule {
            AlertRule::Failed if session.status == SessionStatus::Failed => {
                self.decided(rule, session, "the session failed".to_owned())
            }
            AlertRule::Timeout if session.status == SessionStatus::Timeout => {
                let waits = session.waits_for.map_or("a result", |waits| waits.as_str());
                self.decided(rule, session, format!("the session waits for: {waits}"))
            }
            AlertRule::ErrorRate { percent } => {
                let rate = session.errors.saturating_mul(100);
                if session.events < RATED_EVENTS
                    || rate < session.events.saturating_mul(u64::from(percent))
                {
                    return Ok(());
                }
                // The first one stays the first, whatever comes.
                let errors = filter_of(session).errors();
                let first = self.first(session, errors)?;
                let text = format!("{} of {} events are errors", session.errors, session.events);
                self.add(rule, session, first.as_ref(), text);
                Ok(())
            }
            AlertRule::OpenCall { over } if session.open_calls > 0 => {
                self.open_calls(rule, session, over)
            }
            AlertRule::Tokens { over } => {
                let all = sum(session.tokens);
                if all <= over {
                    return Ok(());
                }
                let passed = self.passed(session, over)?;
                self.add(rule, session, passed.as_ref(), format!("the session took {all} tokens"));
                Ok(())
            }
            AlertRule::OrphanAgent if session.session_type == SessionType::Subagent => {
                self.orphan(rule, session)
            }
            _ => Ok(()),
        }
    }

    /// A session by what decided its status.
    fn decided(&mut self, rule: AlertRule, session: &Session, text: String) -> Result<()> {
        let event = match &session.decided_by {
            Some(id) => self.snapshot.get_lossy(id)?,
            None => None,
        };
        self.add(rule, session, event.as_ref(), text);
        Ok(())
    }

    fn open_calls(&mut self, rule: AlertRule, session: &Session, over: Duration) -> Result<()> {
        // Behind others the model went on: nobody waits for them.
        if !matches!(session.status, SessionStatus::Active | SessionStatus::Timeout) {
            return Ok(());
        }
        let mut answered: HashSet<String, RandomState> = HashSet::default();
        let filter = filter_of(session).kind(TOOL_USE).kind(TOOL_RESULT);
        let events = self.snapshot.events(filter).limit(CALLS_MAX.min(limits::MAX_PAGE));
        for event in events.detail(Detail::Labels).page()?.items {
            if !is_of(&event, session) {
                continue;
            }
            let ids = (0..=forebear_readings::MAX_CALLS)
                .map_while(|n| event.label(&numbered(keys::TOOL_USE_ID, n)));
            let is_result = event.kind() == TOOL_RESULT || event.label(keys::ROLE) == Some("tool");
            if is_result {
                answered.extend(ids.map(str::to_owned));
                continue;
            }
            let waited_ns = u64::try_from(self.now_ns.saturating_sub(event.time_ns())).unwrap_or(0);
            let waited = Duration::from_nanos(waited_ns);
            if waited >= over && ids.into_iter().any(|id| !answered.contains(id)) {
                let tool = event.label(keys::TOOL).unwrap_or("a tool");
                let text = format!("a call of {tool} has had no result for {}", told(waited));
                self.add(rule, session, Some(&event), text);
            }
        }
        Ok(())
    }

    /// The event with which a session took more than so many tokens.
    fn passed(&self, session: &Session, over: u64) -> Result<Option<StoredEvent>> {
        let mut messages = std::collections::HashMap::<String, Tokens, RandomState>::default();
        let (mut all, mut first, mut looked) = (0_u64, None, 0);
        let events = self.snapshot.events(filter_of(session)).oldest_first();
        for event in &events.detail(Detail::Labels) {
            let event = match event {
                Ok(event) => event,
                Err(error) if error.is_damaged() => continue,
                Err(error) => return Err(error),
            };
            looked += 1;
            if looked > EVENTS_MAX {
                break;
            }
            let Some(usage) = event.usage().filter(|_| is_of(&event, session)) else { continue };
            let name = if usage.message.is_empty() {
                event.id().to_string()
            } else {
                usage.message.clone()
            };
            let known = messages.entry(name).or_default();
            let more = known.max_of_each(Tokens::from(&usage));
            all = all.saturating_add(sum(more).saturating_sub(sum(*known)));
            *known = more;
            if all > over {
                return Ok(Some(event));
            }
            first.get_or_insert(event);
        }
        Ok(first)
    }

    /// An agent whose first event names no cause that is stored.
    fn orphan(&mut self, rule: AlertRule, session: &Session) -> Result<()> {
        let Some(first) = self.first(session, filter_of(session))? else { return Ok(()) };
        // It goes on from its session.
        if first.label("aside") == Some("true") {
            return Ok(());
        }
        let text = match first.parent() {
            None => "no call is known to have started the agent",
            // It may have expired.
            Some(_) if self.snapshot.first_seq() > 1 => return Ok(()),
            Some(parent) if !self.snapshot.contains(parent)? => {
                "the call that started the agent is not stored"
            }
            Some(_) => return Ok(()),
        };
        let link = first.link().filter(|link| *link == LinkKind::Spawned);
        let text = match (link, first.parent()) {
            (Some(_), Some(parent)) => format!("{text}: {parent}"),
            _ => text.to_owned(),
        };
        self.add(rule, session, Some(&first), text);
        Ok(())
    }

    /// The first event of a session that the filter takes.
    fn first(&self, session: &Session, filter: Filter) -> Result<Option<StoredEvent>> {
        let events = self.snapshot.events(filter).oldest_first().detail(Detail::Labels);
        for event in events.limit(limits::MAX_PAGE).page()?.items {
            if is_of(&event, session) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn wave(&mut self, rule: AlertRule, wave: &str, over: Duration) -> Result<()> {
        let liveness = Liveness::as_of(self.now_ns);
        let filter = SessionFilter::new().wave(wave).liveness(liveness);
        let (mut last_ns, mut open, mut waits) = (i64::MIN, 0, None);
        for session in &self.snapshot.sessions(filter).limit(limits::MAX_PAGE) {
            let session = session?;
            last_ns = last_ns.max(session.end_ns.unwrap_or(i64::MIN));
            if matches!(session.status, SessionStatus::Active | SessionStatus::Timeout) {
                open += 1;
                waits = waits.or(session.decided_by);
            }
        }
        let still_ns = u64::try_from(self.now_ns.saturating_sub(last_ns)).unwrap_or(0);
        let still = Duration::from_nanos(still_ns);
        if open == 0 || still < over {
            return Ok(());
        }
        self.found.alerts.push(Alert {
            rule,
            subject: wave.to_owned(),
            event: waits,
            time_ns: last_ns,
            text: format!(
                "{open} of its sessions did not end, and nothing came for {}",
                told(still)
            ),
            occurrence: last_ns.cast_unsigned(),
        });
        Ok(())
    }

    fn lags(&mut self, query: &AlertsQuery) {
        for &rule in &query.rules {
            let AlertRule::Lag { over } = rule else { continue };
            let late = query.lags.iter().filter(|lag| lag.behind >= over);
            self.found.alerts.extend(late.map(|lag| {
                let behind_ns = i64::try_from(lag.behind.as_nanos()).unwrap_or(i64::MAX);
                Alert {
                    rule,
                    subject: lag.file.clone(),
                    event: None,
                    time_ns: self.now_ns.saturating_sub(behind_ns),
                    text: format!("what was written {} ago is not stored", told(lag.behind)),
                    occurrence: lag.offset,
                }
            }));
        }
    }

    fn add(
        &mut self,
        rule: AlertRule,
        session: &Session,
        event: Option<&StoredEvent>,
        text: String,
    ) {
        let end_ns = session.end_ns.or(session.start_ns).unwrap_or(self.now_ns);
        let event_id: Option<EventId> = event.map(|event| event.id().clone());
        self.found.alerts.push(Alert {
            rule,
            subject: session.id.clone(),
            event: event_id,
            time_ns: event.map_or(end_ns, StoredEvent::time_ns),
            text,
            occurrence: end_ns.cast_unsigned(),
        });
    }
}

/// The events of a session, of which those of other agents may be among them.
fn filter_of(session: &Session) -> Filter {
    match agent_of(session) {
        Some((above, agent)) => Filter::new().session(above).instance(agent),
        None => Filter::new().session(&session.id),
    }
}

/// Whether an event is the session's own.
fn is_of(event: &StoredEvent, session: &Session) -> bool {
    let scope = event.scope();
    let of = Session::name_of(event.session().unwrap_or_default(), event.instance(), scope);
    of.as_deref() == Some(&*session.id)
        || scope == Scope::Session && event.session() == Some(&*session.id)
}

/// The session that an agent is of, and its name in that.
fn agent_of(session: &Session) -> Option<(&str, &str)> {
    if session.session_type != SessionType::Subagent {
        return None;
    }
    // A name may have a slash in it; the agent's is what stands behind its session's.
    let above = session.parent.as_deref();
    let rest = above.and_then(|above| session.id.strip_prefix(above)?.strip_prefix('/'));
    match (above, rest) {
        (Some(above), Some(rest)) => Some((above, rest)),
        _ => session.id.split_once('/'),
    }
}

fn sum(tokens: Tokens) -> u64 {
    let read = tokens.input.saturating_add(tokens.cache_read);
    read.saturating_add(tokens.cache_written).saturating_add(tokens.output)
}

/// A length of time in its greatest unit.
fn told(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The kinds of calls and of results.
const TOOL_USE: &str = "tool_use";
const TOOL_RESULT: &str = "tool_result";
