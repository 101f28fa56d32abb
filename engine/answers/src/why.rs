//! Why something failed: which failure mattered, what became of it, and what led to it.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use forebear_core::{Detail, EventId, Filter, Result, Snapshot, StoredEvent};
use forebear_readings::{Interruption, Readings, keys};

use crate::budget::{Budget, Meter};
use crate::calls::CallEnd;
use crate::cause::{self, Cause, Quote, TEXT_BYTES, WhyEnd};
use crate::earlier::{self, Earlier};
use crate::named::Whose;
use crate::outcome::{self, Incident, Outcome};
use crate::story::Story;

/// Bytes of a call's input that are given back at most.
const INPUT_BYTES: usize = 256 << 10;

/// Sessions that are looked at for the newest failure.
const SESSIONS_MAX: usize = 50;

/// What to explain.
///
/// An example is at [`failure_chain`].
#[derive(Clone, Debug)]
pub struct WhyQuery {
    of: WhyOf,
    budget: Budget,
}

#[derive(Clone, Debug)]
enum WhyOf {
    Event(EventId),
    Session(String),
    Newest { cwd: Option<String> },
}

impl WhyQuery {
    /// This event: a failure, a call that failed, or any other event, of which then only
    /// what led to it is told.
    pub fn event(id: impl Into<EventId>) -> Self {
        Self { of: WhyOf::Event(id.into()), budget: Budget::default() }
    }

    /// The failure that mattered in this session; of an agent, `SESSION/AGENT`.
    pub fn session(name: impl Into<String>) -> Self {
        Self { of: WhyOf::Session(name.into()), budget: Budget::default() }
    }

    /// The newest session in which one mattered.
    pub fn newest() -> Self {
        Self { of: WhyOf::Newest { cwd: None }, budget: Budget::default() }
    }

    /// The newest session in which one mattered of those that worked in this folder.
    pub fn newest_in(cwd: impl Into<String>) -> Self {
        Self { of: WhyOf::Newest { cwd: Some(cwd.into()) }, budget: Budget::default() }
    }

    /// Sets what is read at most.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// What failed in a session, and which of it mattered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FailureReport {
    /// The session; none for events of no session.
    pub session: Option<String>,
    /// The failure that mattered, and what led to it; none where nothing did.
    pub failure: Option<Box<FailureChain>>,
    /// All failures, refusals and interruptions of the session, the newest first.
    pub all: Vec<ListedFailure>,
    /// Whether all that was to be read was within the budget.
    pub complete: bool,
}

impl FailureReport {
    /// How many of them came to this.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.all.iter().filter(|listed| listed.outcome == outcome).count()
    }
}

/// A failure in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedFailure {
    /// The event that tells of it.
    pub event: EventId,
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Who did it.
    pub instance: String,
    /// The tool that was called; none for failures of no call.
    pub tool: Option<String>,
    /// The first line of what it says.
    pub line: String,
    /// Whether it is of no weight by itself.
    pub minor: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// The event that decides that.
    pub decided_by: EventId,
    /// Whether it is of the last turn of the session.
    pub in_last_turn: bool,
}

/// A failure, and what led to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FailureChain {
    /// The event that tells of it, with its payload.
    pub failure: StoredEvent,
    /// The words of the failure, at most 64 KiB.
    pub text: String,
    /// The exit code of the command that failed.
    pub exit_code: Option<i64>,
    /// Whether it is of no weight by itself: only where it was asked for.
    pub minor: bool,
    /// The call that it is of.
    pub call: Option<FailedCall>,
    /// The nearest words or thoughts of the model above it.
    pub decision: Option<Quote>,
    /// The nearest words of the user above it.
    pub request: Option<Quote>,
    /// Where such a failure was seen before; none for what is no failure.
    pub earlier: Option<Earlier>,
    /// What became of it; none for what is no failure.
    pub outcome: Option<Outcome>,
    /// The event that decides the outcome.
    pub decided_by: Option<EventId>,
    /// What repaired it.
    pub repaired_by: Option<Repair>,
    /// How often the same was tried again and failed.
    pub retries: u64,
    /// How the walk to the request ended.
    pub end: WhyEnd,
}

/// A call that failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FailedCall {
    /// The event that makes it.
    pub event: StoredEvent,
    /// The tool.
    pub tool: String,
    /// What it is about: a path, a command line.
    pub target: Option<String>,
    /// All that it was called with, mostly JSON, at most 256 KiB.
    pub input: String,
}

/// What repaired a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repair {
    /// The event with the good result, or the model's next answer.
    pub event: EventId,
    /// The event that makes the call.
    pub call: Option<EventId>,
    /// Whether it goes past checks that would have stopped it (`--no-verify`).
    pub bypass: bool,
}

/// Why something failed.
///
/// Reads the session, at most as the query's budget allows, and the way up to the request:
/// O(events of the session). Nothing is read of events that are not of it but the errors of
/// the store, to tell where such a failure was seen before.
///
/// ```
/// use std::sync::Arc;
/// use forebear::Event;
/// use forebear::answers::{WhyQuery, failure_chain};
/// use forebear::readings::Readings;
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("request").id("ask").session("s").time_ns(1))?;
/// store.append(Event::new("error").id("e").parent("ask").session("s").time_ns(2).payload("disk is full"))?;
/// let report = failure_chain(&store.snapshot(), &Readings::default(), &WhyQuery::session("s"))?;
/// let failure = report.failure.expect("nothing came after it");
/// assert_eq!((failure.text.as_str(), failure.outcome.map(|o| o.as_str())), ("disk is full", Some("open")));
/// # Ok::<(), forebear::Error>(())
/// ```
///
/// A service registers readers of its own payloads with
/// [`Readings::with`](forebear_readings::Readings::with); without one, an error is its text.
pub fn failure_chain(
    snapshot: &Snapshot,
    readings: &Readings,
    query: &WhyQuery,
) -> Result<FailureReport> {
    let answer = CauseFinder { snapshot, readings, budget: query.budget };
    match &query.of {
        WhyOf::Event(id) => answer.of_event(id),
        WhyOf::Session(name) => answer.of_session(name),
        WhyOf::Newest { cwd } => answer.newest(cwd.as_deref()),
    }
}

struct CauseFinder<'a> {
    snapshot: &'a Snapshot,
    readings: &'a Readings,
    budget: Budget,
}

impl CauseFinder<'_> {
    fn of_event(&self, id: &EventId) -> Result<FailureReport> {
        let Some(event) = self.snapshot.get(id)? else { return Ok(FailureReport::nothing()) };
        let mut meter = self.budget.start();
        let story = self.story(Whose::of(&event), &mut meter)?;
        let found = outcome::outcomes(&story);
        let asked = story.place_of(id).and_then(|place| {
            // The failure that it tells of, or that of the call that it makes.
            let own = found.iter().find(|one| story.parts[one.part as usize].event == place);
            own.or_else(|| {
                found.iter().find(|one| {
                    let call = story.results[one.result as usize].call;
                    call.is_some_and(|call| {
                        story.parts[story.calls[call as usize].part as usize].event == place
                    })
                })
            })
        });
        let chain = match asked {
            Some(mishap) => self.explain(&story, mishap)?,
            None => Some(self.explain_event(&story, event.clone())?),
        };
        Ok(FailureReport::of(event.session(), &story, &found, chain))
    }

    fn of_session(&self, name: &str) -> Result<FailureReport> {
        let mut report = match Whose::named(self.snapshot, name)? {
            Some(whose) => self.of_all(whose, &mut self.budget.start())?,
            None => FailureReport::nothing(),
        };
        report.session = Some(name.to_owned());
        Ok(report)
    }

    /// The failure that mattered of all that is somebody's.
    fn of_all(&self, whose: Whose<'_>, meter: &mut Meter) -> Result<FailureReport> {
        let story = self.story(whose, meter)?;
        let found = outcome::outcomes(&story);
        let chain = match outcome::the_failure(&found) {
            Some(at) => self.explain(&story, &found[at])?,
            None => None,
        };
        let session = match whose {
            Whose::Session(session) => Some(session),
            Whose::Agent { .. } | Whose::Instance(_) => None,
        };
        Ok(FailureReport::of(session, &story, &found, chain))
    }

    /// The sessions that have failures, and the instances that have some of no session, the
    /// newest first, until one matters. All of them are read on one budget.
    fn newest(&self, cwd: Option<&str>) -> Result<FailureReport> {
        let mut meter = self.budget.start();
        let mut seen: HashSet<(bool, String), RandomState> = HashSet::default();
        let mut first = None;
        let interrupted = [Interruption::Refused, Interruption::Stopped];
        let interrupted = interrupted.map(|how| (keys::INTERRUPTED, how.name()));
        let query =
            |filter: Filter| self.snapshot.events(filter).detail(Detail::Columns).into_iter();
        let mut failures = query(Filter::new().errors()).peekable();
        let mut stops = query(Filter::new().any_label(interrupted)).peekable();
        let mut looked_at = 0;
        while looked_at < SESSIONS_MAX {
            let time = |event: Option<&Result<StoredEvent>>| match event {
                Some(Ok(event)) => Some(event.time_ns()),
                // An error comes next, to be given back.
                Some(Err(_)) => Some(i64::MAX),
                None => None,
            };
            let next = if time(failures.peek()) >= time(stops.peek()) {
                failures.next()
            } else {
                stops.next()
            };
            let event = match next {
                Some(Ok(event)) => event,
                Some(Err(error)) if error.is_damaged() => continue,
                Some(Err(error)) => return Err(error),
                None => break,
            };
            if !meter.take(&event) {
                break;
            }
            let whose = Whose::of(&event);
            let known = (event.session().is_some(), whose.root().to_owned());
            if !seen.insert(known) || !self.is_in(whose, cwd)? {
                continue;
            }
            looked_at += 1;
            let report = self.of_all(whose, &mut meter)?;
            if report.failure.is_some() {
                return Ok(report);
            }
            first.get_or_insert(report);
        }
        let mut report = first.unwrap_or_else(FailureReport::nothing);
        report.complete &= !meter.is_used_up();
        Ok(report)
    }

    fn is_in(&self, whose: Whose<'_>, cwd: Option<&str>) -> Result<bool> {
        let Some(cwd) = cwd else { return Ok(true) };
        let there = self.snapshot.events(whose.filter().label(keys::CWD, cwd));
        for event in &there.detail(Detail::Columns) {
            if whose.takes(&event?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn story(&self, whose: Whose<'_>, meter: &mut Meter) -> Result<Story> {
        Story::read(self.snapshot, self.readings, whose, meter)
    }

    /// The walk up has a budget of its own: what a long session took is no reason not to
    /// find what it goes back to.
    fn explain(&self, story: &Story, mishap: &Incident) -> Result<Option<Box<FailureChain>>> {
        let result = &story.results[mishap.result as usize];
        let Some(event) = self.event_of(story, mishap.part)? else { return Ok(None) };
        let call = result.call.map(|call| &story.calls[call as usize]);
        let from = match call {
            Some(call) => self.event_of(story, call.part)?,
            None => None,
        };
        let from = from.unwrap_or_else(|| event.clone());
        let failed_call = call.map(|call| self.failed_call(&from, &call.id));
        let id = call.map_or("", |call| call.id.as_str());
        let text = self.words(&event, id);
        let tool = failed_call.as_ref().map_or("", |call| call.tool.as_str());
        let mut errors = self.budget.part(4).start();
        let earlier = earlier::earlier(
            self.snapshot,
            self.readings,
            &event,
            tool,
            &result.line,
            &mut errors,
        )?;
        let Cause { decision, request, end } =
            cause::cause(self.snapshot, self.readings, &from, story, &mut self.budget.start())?;
        let repaired_by = (mishap.outcome == Outcome::Repaired).then(|| {
            let call = mishap.repair.map(|call| &story.calls[call as usize]);
            Repair {
                event: story.id_of(mishap.decided).clone(),
                call: call.map(|call| story.id_of(call.part).clone()),
                bypass: call.is_some_and(|call| call.bypasses),
            }
        });
        Ok(Some(Box::new(FailureChain {
            text,
            exit_code: result.exit_code,
            minor: mishap.minor,
            call: failed_call,
            decision,
            request,
            earlier: (result.end != CallEnd::Interrupted).then_some(earlier),
            outcome: Some(mishap.outcome),
            decided_by: Some(story.id_of(mishap.decided).clone()),
            repaired_by,
            retries: mishap.retries,
            end,
            failure: event,
        })))
    }

    /// What led to an event that is no failure.
    fn explain_event(&self, story: &Story, event: StoredEvent) -> Result<Box<FailureChain>> {
        let Cause { decision, request, end } =
            cause::cause(self.snapshot, self.readings, &event, story, &mut self.budget.start())?;
        let reading = self.readings.of(&event);
        let text = reading.text.start(TEXT_BYTES).into_owned();
        let call = (!reading.calls.is_empty()).then(|| self.failed_call(&event, ""));
        Ok(Box::new(FailureChain {
            text,
            exit_code: None,
            minor: false,
            call,
            decision,
            request,
            earlier: None,
            outcome: None,
            decided_by: None,
            repaired_by: None,
            retries: 0,
            end,
            failure: event,
        }))
    }

    fn event_of(&self, story: &Story, part: u32) -> Result<Option<StoredEvent>> {
        self.snapshot.get(story.id_of(part))
    }

    fn failed_call(&self, event: &StoredEvent, id: &str) -> FailedCall {
        let reading = self.readings.of(event);
        let call = reading.call(id);
        let text = |text: Option<&forebear_readings::Text<'_>>, max: usize| {
            text.map(|text| text.start(max).into_owned())
        };
        FailedCall {
            event: event.clone(),
            tool: text(call.and_then(|call| call.tool.as_ref()), TEXT_BYTES).unwrap_or_default(),
            target: text(call.and_then(|call| call.target.as_ref()), TEXT_BYTES),
            input: text(call.and_then(|call| call.input.as_ref()), INPUT_BYTES).unwrap_or_default(),
        }
    }

    /// The words of a failure: of the call's result, else of the event.
    fn words(&self, event: &StoredEvent, call: &str) -> String {
        let reading = self.readings.of(event);
        let text = match reading.result(call) {
            Some(result) => result.text.start(TEXT_BYTES),
            None => reading.error_words(TEXT_BYTES),
        };
        text.trim_end().to_owned()
    }
}

impl FailureReport {
    fn nothing() -> Self {
        Self { session: None, failure: None, all: Vec::new(), complete: true }
    }

    fn of(
        session: Option<&str>,
        story: &Story,
        found: &[Incident],
        failure: Option<Box<FailureChain>>,
    ) -> Self {
        let listed = |mishap: &Incident| {
            let part = &story.parts[mishap.part as usize];
            let result = &story.results[mishap.result as usize];
            let tool = result.call.map(|call| story.calls[call as usize].tool.clone());
            ListedFailure {
                event: story.id_of(mishap.part).clone(),
                time_ns: story.events[part.event as usize].time_ns,
                instance: story.agents[part.agent as usize].instance.clone(),
                tool: tool.filter(|tool| !tool.is_empty()),
                line: result.line.clone(),
                minor: mishap.minor,
                outcome: mishap.outcome,
                decided_by: story.id_of(mishap.decided).clone(),
                in_last_turn: mishap.in_last_turn,
            }
        };
        Self {
            session: session.map(str::to_owned),
            complete: !story.cut
                && failure.as_ref().is_none_or(|chain| chain.end.kind != WhyEnd::BUDGET),
            failure,
            all: found.iter().rev().map(listed).collect(),
        }
    }
}
