//! What was decided in a session, why, and what came of it.

use std::time::Duration;

use forebear_core::{Detail, EventId, LinkKind, Result, Snapshot, StoredEvent, Tokens};
use forebear_readings::{CallFamily, Interruption, Readings};
use forebear_sessions::SessionReads as _;

use crate::budget::Budget;
use crate::calls::{CallEnd, ResultAt};
use crate::cause;
use crate::cut;
use crate::named::Whose;
use crate::slow;
use crate::story::{Step, Story};

/// Bytes of what was decided, and of each text that led to it or came of it.
const TEXT_BYTES: usize = 2000;

/// The kind of events by which a service states that it starts something, and why.
const STATED: &str = "spawn_decision";

/// Whose decisions to tell.
///
/// An example is at [`decisions`].
#[derive(Clone, Debug)]
pub struct DecisionsQuery {
    session: String,
    budget: Budget,
}

impl DecisionsQuery {
    /// Those of this session with its agents, or of an agent, `SESSION/AGENT`.
    pub fn session(name: impl Into<String>) -> Self {
        Self { session: name.into(), budget: Budget::default() }
    }

    /// Sets what is read at most.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Decisions {
    /// The session.
    pub session: String,
    /// In the order of time.
    pub decisions: Vec<Decision>,
    /// Whether all that was to be read was within the budget.
    pub complete: bool,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Decision {
    /// What sort of decision it is.
    pub kind: DecisionKind,
    /// The event that tells of it.
    pub event: EventId,
    /// When, in nanoseconds since the Unix epoch.
    #[cfg_attr(feature = "serde", serde(rename = "time", serialize_with = "crate::json::time"))]
    pub time_ns: i64,
    /// Who decided, or was denied it.
    pub instance: String,
    /// Of a call its tool.
    pub tool: Option<String>,
    /// What was decided, at most 2,000 bytes.
    pub what: String,
    /// The nearest words or thoughts of the model above it.
    pub reasoning: Option<DecisionText>,
    /// The nearest words of the user above it.
    pub request: Option<DecisionText>,
    /// What came of it; none where nothing did yet.
    pub result: Option<DecisionResult>,
    /// The agents that it started.
    pub agents: Vec<StartedAgent>,
}

/// What sort of decision it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum DecisionKind {
    /// To start, ask or stop an agent.
    Agent,
    /// A plan in words.
    Plan,
    /// A question to the user.
    Question,
    /// The user, or a rule of the user's, didn't let a call be made.
    Denied,
    /// What a service says that it decided: an event of the kind `spawn_decision`.
    Stated,
}

impl DecisionKind {
    /// Its name: `agent`, `plan`, `question`, `denied`, `stated`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Plan => "plan",
            Self::Question => "question",
            Self::Denied => "denied",
            Self::Stated => "stated",
        }
    }
}

/// What led to a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DecisionText {
    /// The event that says it; for a request of an agent's, that of the session.
    pub event: EventId,
    /// What it says, at most 2,000 bytes.
    pub text: String,
}

/// What came of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DecisionResult {
    /// The event that gives it.
    pub event: EventId,
    /// How it ended: `good`, `failed`, `refused`, `stopped`.
    pub end: &'static str,
    /// What it says, at most 2,000 bytes.
    pub text: String,
    /// How long it took until then.
    #[cfg_attr(feature = "serde", serde(rename = "took_ns", serialize_with = "crate::json::ns"))]
    pub took: Duration,
}

/// An agent that was started by a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StartedAgent {
    /// Its name as a session.
    pub session: String,
    /// Its events.
    pub events: u64,
    /// How many of them are errors.
    pub errors: u64,
    /// What its messages took.
    pub tokens: Tokens,
    /// From its first event to its last.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "took_ns", serialize_with = "crate::json::ns_if_any")
    )]
    pub took: Option<Duration>,
}

/// What was decided: to start agents, plans, questions to the user and their answers, what the
/// user didn't allow, and what a service states (events of the kind `spawn_decision`).
///
/// None where nothing is stored of the session. O(events of the session).
///
/// ```
/// use forebear::Event;
/// use forebear::answers::{DecisionsQuery, decisions};
/// use forebear::readings::Readings;
///
/// let store = forebear::in_memory()?;
/// let stated = Event::new("spawn_decision").id("d").session("job");
/// store.append(stated.payload(r#"{"reason":"the queue is full"}"#))?;
/// let query = DecisionsQuery::session("job");
/// let found = decisions(&store.snapshot(), &Readings::default(), &query)?;
/// let found = found.expect("it has an event").decisions;
/// assert_eq!((found[0].kind.as_str(), found[0].what.as_str()), ("stated", "the queue is full"));
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn decisions(
    snapshot: &Snapshot,
    readings: &Readings,
    query: &DecisionsQuery,
) -> Result<Option<Decisions>> {
    let Some(whose) = Whose::named(snapshot, &query.session)? else { return Ok(None) };
    let mut meter = query.budget.start();
    let story = Story::read(snapshot, readings, whose, &mut meter)?;
    let audit = Audit { snapshot, readings, story: &story, session: session_of(whose) };
    let (mut found, mut complete) = (Vec::new(), !story.cut);
    for (at, call) in (0..).zip(&story.calls) {
        let result = call.result.map(|result| &story.results[result as usize]);
        let refused =
            result.is_some_and(|result| result.interruption == Some(Interruption::Refused));
        let may_decide =
            matches!(call.family, CallFamily::Question | CallFamily::Agent | CallFamily::Plan);
        if may_decide || refused {
            found.extend(audit.of_call(at, refused)?);
        }
    }
    for event in &snapshot.events(whose.filter().kind(STATED)).detail(Detail::Payload) {
        match event {
            Ok(event) if !meter.take(&event) => {
                complete = false;
                break;
            }
            Ok(event) if whose.takes(&event) => found.push(audit.of_stated(&event)?),
            Err(error) if !error.is_damaged() => return Err(error),
            _ => {}
        }
    }
    found.sort_by_key(|decision| decision.time_ns);
    let session = query.session.clone();
    Ok(Some(Decisions { session, decisions: found, complete }))
}

fn session_of(whose: Whose<'_>) -> Option<&str> {
    match whose {
        Whose::Session(session) | Whose::Agent { session, .. } => Some(session),
        Whose::Instance(_) => None,
    }
}

struct Audit<'a> {
    snapshot: &'a Snapshot,
    readings: &'a Readings,
    story: &'a Story,
    session: Option<&'a str>,
}

impl Audit<'_> {
    /// None where it decides nothing, as a list of what is to do, or has gone since.
    fn of_call(&self, call: u32, refused: bool) -> Result<Option<Decision>> {
        let story = self.story;
        let at = &story.calls[call as usize];
        let part = &story.parts[at.part as usize];
        let Some(event) = self.snapshot.get(story.id_of(at.part))? else { return Ok(None) };
        let reading = self.readings.of(&event);
        let plans = matches!(at.family, CallFamily::Question | CallFamily::Plan);
        let plan = reading.plan.as_ref().and_then(|plan| plan.text.as_ref()).filter(|_| plans);
        let kind = match at.family {
            _ if plan.is_some() => DecisionKind::Plan,
            CallFamily::Question => DecisionKind::Question,
            _ if refused => DecisionKind::Denied,
            CallFamily::Agent => DecisionKind::Agent,
            _ => return Ok(None),
        };
        let about = reading.call(&at.id).and_then(|call| {
            let words = plan.or(call.target.as_ref());
            words.filter(|words| !words.is_blank()).or(call.input.as_ref())
        });
        let what = about.map_or(String::new(), |text| start(&text.start(TEXT_BYTES + 8)));
        let mut result = None;
        if let Some(came) = at.result.map(|result| &story.results[result as usize]) {
            result = self.result(call, came, &at.id)?;
        }
        Ok(Some(Decision {
            kind,
            event: event.id().clone(),
            time_ns: event.time_ns(),
            instance: story.agents[part.agent as usize].instance.clone(),
            tool: Some(at.tool.clone()).filter(|tool| !tool.is_empty()),
            what,
            reasoning: self.nearest(at.part, |step| matches!(step, Step::Text | Step::Thinking))?,
            request: self.nearest(at.part, |step| step == Step::Request)?,
            result,
            agents: self.started(part.agent, part.event)?,
        }))
    }

    fn result(&self, call: u32, came: &ResultAt, id: &str) -> Result<Option<DecisionResult>> {
        let story = self.story;
        let Some(event) = self.snapshot.get(story.id_of(came.part))? else { return Ok(None) };
        let text =
            self.readings.of(&event).result(id).map(|one| start(&one.text.start(TEXT_BYTES + 8)));
        let end = match (came.end, came.interruption) {
            (_, Some(Interruption::Refused)) => "refused",
            (_, Some(_)) => "stopped",
            (CallEnd::Failed { .. }, _) => "failed",
            _ => "good",
        };
        let took = slow::took(story, call).unwrap_or_default();
        let text = text.unwrap_or_default();
        Ok(Some(DecisionResult { event: event.id().clone(), end, text, took }))
    }

    fn of_stated(&self, event: &StoredEvent) -> Result<Decision> {
        let reading = self.readings.of(event);
        let mut agents = Vec::new();
        for child in &self.snapshot.children(event.id()).detail(Detail::Columns) {
            match child {
                Ok(child) if child.link() == Some(LinkKind::Spawned) => {
                    agents.extend(self.total(child.instance())?);
                }
                Err(error) if !error.is_damaged() => return Err(error),
                _ => {}
            }
        }
        let part = self
            .story
            .place_of(event.id())
            .map(|place| self.story.parts.partition_point(|part| part.event < place) as u32);
        let request = match part {
            Some(part) => self.nearest(part, |step| step == Step::Request)?,
            None => None,
        };
        Ok(Decision {
            kind: DecisionKind::Stated,
            event: event.id().clone(),
            time_ns: event.time_ns(),
            instance: event.instance().to_owned(),
            tool: None,
            what: start(&reading.text.start(TEXT_BYTES + 8)),
            reasoning: None,
            request,
            result: None,
            agents,
        })
    }

    /// The nearest step of a sort above a part: by the same agent, of requests by the session
    /// itself, at the call that the agent was started by.
    fn nearest(&self, part: u32, is: impl Fn(Step) -> bool) -> Result<Option<DecisionText>> {
        let story = self.story;
        let of = &story.parts[part as usize];
        let (mut agent, mut place) = (of.agent, of.place as usize);
        let wants_request = is(Step::Request);
        for _ in 0..=story.agents.len() {
            let spawned = story.agents[agent as usize].spawned;
            if !wants_request || spawned.is_none() {
                break;
            }
            let Some((above, event)) = spawned else { break };
            let parts = &story.agents[above as usize].parts;
            place = parts.partition_point(|part| story.parts[*part as usize].event <= event);
            agent = above;
        }
        let parts = &story.agents[agent as usize].parts;
        let found = parts[..place.min(parts.len())]
            .iter()
            .rev()
            .copied()
            .find(|part| is(story.parts[*part as usize].step));
        let Some(found) = found else { return Ok(None) };
        let Some(event) = self.snapshot.get(story.id_of(found))? else { return Ok(None) };
        let reading = self.readings.of(&event);
        let text = match story.parts[found as usize].step {
            Step::Request => cause::request(&reading),
            _ => cause::decision(&reading).map(|(text, _)| text),
        };
        Ok(text.map(|text| DecisionText { event: event.id().clone(), text: start(&text) }))
    }

    /// The agents that an event started.
    fn started(&self, agent: u32, event: u32) -> Result<Vec<StartedAgent>> {
        let mut started = Vec::new();
        for below in self.story.started_by(agent, event) {
            started.extend(self.total(&self.story.agents[below as usize].instance)?);
        }
        Ok(started)
    }

    fn total(&self, instance: &str) -> Result<Option<StartedAgent>> {
        let Some(session) = self.session else { return Ok(None) };
        let name = format!("{session}/{instance}");
        let Some(found) = self.snapshot.session(&name)? else { return Ok(None) };
        Ok(Some(StartedAgent {
            took: found.duration(),
            session: name,
            events: found.events,
            errors: found.errors,
            tokens: found.tokens,
        }))
    }
}

fn start(text: &str) -> String {
    cut::end(text.trim(), TEXT_BYTES)
}
