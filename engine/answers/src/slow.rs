//! Where the time of a session went.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use foldhash::fast::RandomState;
use forebear_core::{CountBy, EventId, Filter, Result, Snapshot, StoredEvent};
use forebear_readings::{CallFamily, Interruption, Readings};

use crate::budget::Budget;
use crate::calls::{CallAt, CallEnd, ResultAt};
use crate::critical;
use crate::cut;
use crate::named::Whose;
use crate::story::{Part, Step, Story};

/// Calls that a percentile needs at least.
const PERCENTILE_MIN: usize = 20;

/// The slowest calls that are listed.
const SLOWEST: usize = 20;

/// Turns that are listed, the longest.
const TURNS: usize = 50;

/// Bytes of what a call or a turn is about.
const ABOUT_BYTES: usize = 200;

/// Whose time to look at.
///
/// An example is at [`slow`].
#[derive(Clone, Debug)]
pub struct SlowQuery {
    session: Option<String>,
    budget: Budget,
}

impl SlowQuery {
    /// This session with its agents, or of an agent, `SESSION/AGENT`.
    pub fn session(name: impl Into<String>) -> Self {
        Self { session: Some(name.into()), budget: Budget::default() }
    }

    /// All sessions, as far as the budget goes.
    pub fn all() -> Self {
        Self { session: None, budget: Budget::default() }
    }

    /// Sets what is read at most.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// Where the time went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SlowReport {
    /// The session; none where all were looked at.
    pub session: Option<String>,
    /// How many sessions were looked at.
    pub sessions: u64,
    /// All of the time between their first and their last events.
    pub time: TimeSpent,
    /// The tools, those first whose calls took most.
    pub tools: Vec<ToolTime>,
    /// The calls that took longest.
    pub slowest: Vec<SlowCall>,
    /// What the newest answer waited for, in order; of one session alone. Calls that ran
    /// beside a longer one are not on it.
    pub critical_path: Vec<PathStep>,
    /// The turns that took longest.
    pub turns: Vec<TurnTime>,
    /// By day, in UTC.
    pub days: Vec<DayTime>,
    /// Whether all that was to be read was within the budget.
    pub complete: bool,
}

/// What time was spent on. Agents that work at the same time as what they are of are not
/// added, and times that a format doesn't tell are left out: what remains adds up to the time
/// that passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TimeSpent {
    /// Calls of tools, those of agents among them.
    #[cfg_attr(feature = "serde", serde(rename = "tools_ns", serialize_with = "crate::json::ns"))]
    pub tools: Duration,
    /// The model.
    #[cfg_attr(feature = "serde", serde(rename = "model_ns", serialize_with = "crate::json::ns"))]
    pub model: Duration,
    /// Waiting for the user: for a request, an answer, a permission.
    #[cfg_attr(feature = "serde", serde(rename = "user_ns", serialize_with = "crate::json::ns"))]
    pub user: Duration,
}

impl TimeSpent {
    /// All of it.
    pub fn total(self) -> Duration {
        self.tools + self.model + self.user
    }

    fn add(&mut self, on: SpentOn, time: Duration) {
        *match on {
            SpentOn::Tools => &mut self.tools,
            SpentOn::Model => &mut self.model,
            SpentOn::User => &mut self.user,
        } += time;
    }
}

/// What a stretch of time was spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum SpentOn {
    /// A call of a tool.
    Tools,
    /// The model.
    Model,
    /// Waiting for the user.
    User,
}

impl SpentOn {
    /// Its name: `tools`, `model`, `user`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Model => "model",
            Self::User => "user",
        }
    }
}

/// What the calls of a tool took, by whomever they were made. Calls that waited for the user
/// are none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ToolTime {
    /// The tool.
    pub tool: String,
    /// Its calls that have a result and times.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
    /// What all of them took, whether one after the other or not.
    #[cfg_attr(feature = "serde", serde(rename = "total_ns", serialize_with = "crate::json::ns"))]
    pub total: Duration,
    /// The longest.
    #[cfg_attr(feature = "serde", serde(rename = "max_ns", serialize_with = "crate::json::ns"))]
    pub max: Duration,
    /// As long as half of them took at most; none of fewer than 20.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "p50_ns", serialize_with = "crate::json::ns_if_any")
    )]
    pub p50: Option<Duration>,
    /// As long as 19 of 20 took at most; none of fewer than 20.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "p95_ns", serialize_with = "crate::json::ns_if_any")
    )]
    pub p95: Option<Duration>,
}

/// A call that took long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SlowCall {
    /// The event that makes it.
    pub event: EventId,
    /// That of its result.
    pub result: EventId,
    /// When it was made, in nanoseconds since the Unix epoch.
    #[cfg_attr(feature = "serde", serde(rename = "time", serialize_with = "crate::json::time"))]
    pub time_ns: i64,
    /// Who made it.
    pub instance: String,
    /// The tool.
    pub tool: String,
    /// What it is about, at most 200 bytes of it.
    pub about: String,
    /// What it took.
    #[cfg_attr(feature = "serde", serde(rename = "took_ns", serialize_with = "crate::json::ns"))]
    pub took: Duration,
    /// Whether it failed.
    pub is_error: bool,
}

/// What the answer waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PathStep {
    /// The event that ended the wait.
    pub event: EventId,
    /// When it began, in nanoseconds since the Unix epoch.
    #[cfg_attr(feature = "serde", serde(rename = "from", serialize_with = "crate::json::time"))]
    pub from_ns: i64,
    /// What it took.
    #[cfg_attr(feature = "serde", serde(rename = "took_ns", serialize_with = "crate::json::ns"))]
    pub took: Duration,
    /// What it was.
    pub on: SpentOn,
    /// Whose step it is.
    pub instance: String,
    /// Of a call its tool.
    pub tool: Option<String>,
    /// Agents between the session and who did it.
    pub depth: u32,
}

/// What a turn took.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TurnTime {
    /// The session.
    pub session: Option<String>,
    /// The request that begins it; none of what stands before the first.
    pub request: Option<EventId>,
    /// The request's words, at most 200 bytes of them.
    pub about: String,
    /// When it began, in nanoseconds since the Unix epoch.
    #[cfg_attr(feature = "serde", serde(rename = "from", serialize_with = "crate::json::time"))]
    pub from_ns: i64,
    /// What the time up to its last event was spent on.
    pub time: TimeSpent,
    /// Calls, those of agents among them.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
}

/// What a day took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DayTime {
    /// Where the day begins, in nanoseconds since the Unix epoch.
    #[cfg_attr(feature = "serde", serde(rename = "day", serialize_with = "crate::json::time"))]
    pub day_ns: i64,
    /// What its time was spent on; a stretch counts where it began.
    pub time: TimeSpent,
    /// Calls.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
}

/// Where the time went: to tools, to the model, waiting for the user.
///
/// A call takes what its result says that it took, else the time from one event to the other.
/// O(events of the sessions).
///
/// ```
/// use forebear::Event;
/// use forebear::answers::{SlowQuery, slow};
/// use forebear::readings::Readings;
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("start").session("job").time_ns(0).payload("begin"))?;
/// store.append(Event::new("end").session("job").time_ns(2_000_000_000).payload("end"))?;
/// let report = slow(&store.snapshot(), &Readings::default(), &SlowQuery::session("job"))?;
/// assert_eq!(report.expect("it has events").time.total().as_secs(), 2);
/// # Ok::<(), forebear::Error>(())
/// ```
///
/// None where nothing is stored of the session.
pub fn slow(
    snapshot: &Snapshot,
    readings: &Readings,
    query: &SlowQuery,
) -> Result<Option<SlowReport>> {
    let mut meter = query.budget.start();
    let mut sum = Sum::default();
    let Some(name) = &query.session else {
        let mut complete = true;
        for count in &snapshot.counts(CountBy::Session, Filter::new()) {
            let session = count?.value;
            if meter.is_used_up() {
                complete = false;
                break;
            }
            let story = Story::read(snapshot, readings, Whose::Session(&session), &mut meter)?;
            complete &= !story.cut;
            sum.add(&story, Some(&session));
        }
        return sum.report(snapshot, readings, complete).map(Some);
    };
    let Some(whose) = Whose::named(snapshot, name)? else { return Ok(None) };
    let story = Story::read(snapshot, readings, whose, &mut meter)?;
    sum.add(&story, Some(name));
    let mut report = sum.report(snapshot, readings, !story.cut)?;
    report.session = Some(name.clone());
    report.critical_path = critical::path(&story);
    Ok(Some(report))
}

/// Times summed up over sessions.
#[derive(Default)]
struct Sum {
    sessions: u64,
    time: TimeSpent,
    tools: HashMap<String, Calls, RandomState>,
    /// The slowest calls, with the ids that results name them by.
    slowest: Vec<(SlowCall, String)>,
    turns: Vec<TurnTime>,
    days: BTreeMap<i64, DayTime>,
}

/// The calls of a tool.
#[derive(Default)]
struct Calls {
    errors: u64,
    took: Vec<Duration>,
}

impl Sum {
    fn add(&mut self, story: &Story, session: Option<&str>) {
        self.sessions += 1;
        let mut turns: BTreeMap<u32, TurnTime> = BTreeMap::new();
        for stretch in stretches(story, 0) {
            self.time.add(stretch.on, stretch.took);
            self.day(stretch.from_ns).time.add(stretch.on, stretch.took);
            let turn =
                turns.entry(stretch.turn).or_insert_with(|| turn_of(story, session, &stretch));
            // Waiting for the next request is no part of a turn.
            if !stretch.ends_turn {
                turn.time.add(stretch.on, stretch.took);
            }
        }
        for (at, call) in (0..).zip(&story.calls) {
            let Some((result, took)) = call_time(story, at) else { continue };
            let part = &story.parts[call.part as usize];
            let is_error = matches!(result.end, CallEnd::Failed { .. });
            let day = self.day(story.time_of(call.part));
            day.calls += 1;
            day.errors += u64::from(is_error);
            if let Some(turn) = turns.get_mut(&story.root_turn(part)) {
                turn.calls += 1;
                turn.errors += u64::from(is_error);
            }
            let calls = self.tools.entry(call.tool.clone()).or_default();
            calls.errors += u64::from(is_error);
            calls.took.push(took);
            let slow = SlowCall {
                event: story.id_of(call.part).clone(),
                result: story.id_of(result.part).clone(),
                time_ns: story.time_of(call.part),
                instance: story.agents[part.agent as usize].instance.clone(),
                tool: call.tool.clone(),
                about: String::new(),
                took,
                is_error,
            };
            self.slowest.push((slow, call.id.clone()));
            if self.slowest.len() > 2 * SLOWEST {
                self.keep_slowest();
            }
        }
        self.turns.extend(turns.into_values());
        self.turns.sort_by_key(|turn| std::cmp::Reverse(turn.time.total()));
        self.turns.truncate(TURNS);
    }

    fn keep_slowest(&mut self) {
        self.slowest.sort_by_key(|(call, _)| (std::cmp::Reverse(call.took), call.time_ns));
        self.slowest.truncate(SLOWEST);
    }

    fn day(&mut self, time_ns: i64) -> &mut DayTime {
        let day_ns = time_ns.div_euclid(DAY_NS).saturating_mul(DAY_NS);
        self.days.entry(day_ns).or_insert(DayTime { day_ns, ..DayTime::default() })
    }

    fn report(
        mut self,
        snapshot: &Snapshot,
        readings: &Readings,
        complete: bool,
    ) -> Result<SlowReport> {
        self.keep_slowest();
        let mut slowest = Vec::new();
        for (mut call, id) in self.slowest {
            call.about = about_call(snapshot.get(&call.event)?.as_ref(), readings, &id);
            slowest.push(call);
        }
        for turn in &mut self.turns {
            let Some(id) = &turn.request else { continue };
            let event = snapshot.get(id)?;
            turn.about = event.map_or(String::new(), |event| {
                let text = crate::cause::request(&readings.of(&event)).unwrap_or_default();
                cut::end(&cut::one_line(&text), ABOUT_BYTES)
            });
        }
        let mut tools: Vec<ToolTime> =
            self.tools.into_iter().map(|(tool, calls)| calls.sum_up(tool)).collect();
        tools.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.tool.cmp(&b.tool)));
        Ok(SlowReport {
            session: None,
            sessions: self.sessions,
            time: self.time,
            tools,
            slowest,
            critical_path: Vec::new(),
            turns: self.turns,
            days: self.days.into_values().collect(),
            complete,
        })
    }
}

impl Calls {
    fn sum_up(mut self, tool: String) -> ToolTime {
        self.took.sort_unstable();
        let sorted = &self.took;
        // By rank: the first that so many of 100 are not longer than.
        let percentile = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            (sorted.len() >= PERCENTILE_MIN).then(|| sorted[rank - 1])
        };
        ToolTime {
            tool,
            calls: sorted.len() as u64,
            errors: self.errors,
            total: sorted.iter().sum(),
            max: sorted.last().copied().unwrap_or_default(),
            p50: percentile(50),
            p95: percentile(95),
        }
    }
}

/// What a call is about.
pub(crate) fn about_call(event: Option<&StoredEvent>, readings: &Readings, id: &str) -> String {
    let Some(event) = event else { return String::new() };
    let reading = readings.of(event);
    let about = reading.call(id).and_then(|call| call.target.as_ref().or(call.input.as_ref()));
    about.map_or(String::new(), |text| {
        cut::end(&cut::one_line(&text.start(4 * ABOUT_BYTES)), ABOUT_BYTES)
    })
}

/// The result of a call of a tool, and what it took; none of calls that waited for the user,
/// that have no result, or whose times are not told.
pub(crate) fn call_time(story: &Story, call: u32) -> Option<(&ResultAt, Duration)> {
    let at = &story.calls[call as usize];
    let result = &story.results[at.result? as usize];
    if waits_for_user(at, Some(result)) {
        return None;
    }
    Some((result, took(story, call)?))
}

/// What passed until a call had its result, by whomever: what the result says, else the time
/// from one event to the other; none where neither is told.
pub(crate) fn took(story: &Story, call: u32) -> Option<Duration> {
    let at = &story.calls[call as usize];
    let result = &story.results[at.result? as usize];
    let passed = || {
        let told = |part: u32| story.is_time_told(part).then(|| story.time_of(part));
        let ns = told(result.part)?.checked_sub(told(at.part)?)?;
        u64::try_from(ns).ok()
    };
    Some(Duration::from_nanos(result.duration_ns.or_else(passed)?))
}

/// Whether what passes until a call has its result is the user's time.
fn waits_for_user(call: &CallAt, result: Option<&ResultAt>) -> bool {
    call.family == CallFamily::Question
        || result.is_some_and(|result| result.interruption == Some(Interruption::Refused))
}

/// A stretch of time between two events of an agent.
pub(crate) struct Stretch {
    pub(crate) from_ns: i64,
    pub(crate) took: Duration,
    pub(crate) on: SpentOn,
    turn: u32,
    /// Whether it is the wait for the next request.
    ends_turn: bool,
    first: u32,
}

/// The time of an agent from its first event to its last, stretch by stretch.
pub(crate) fn stretches(story: &Story, agent: u32) -> Vec<Stretch> {
    let mut open: Vec<u32> = Vec::new();
    let mut stretches = Vec::new();
    let mut before: Option<&Part> = None;
    let mut first = 0;
    for &at in &story.agents[agent as usize].parts {
        let part = &story.parts[at as usize];
        if !story.is_time_told(at) {
            continue;
        }
        if let Some(before) = before {
            let from_ns = story.events[before.event as usize].time_ns;
            let ns = story.time_of(at).saturating_sub(from_ns);
            let on = spent_on(story, &open, before, part);
            stretches.push(Stretch {
                from_ns,
                took: Duration::from_nanos(u64::try_from(ns).unwrap_or_default()),
                on,
                turn: before.turn,
                ends_turn: on == SpentOn::User && part.step == Step::Request,
                first,
            });
            if before.turn != part.turn {
                first = at;
            }
        } else {
            first = at;
        }
        match part.step {
            Step::Call(call) => open.push(call),
            Step::Result(result) => {
                let of = story.results[result as usize].call;
                open.retain(|call| Some(*call) != of);
            }
            // What goes on in spite of it has its result later.
            Step::Request | Step::Stopped(_) => {
                open.retain(|call| story.calls[*call as usize].result.is_some());
            }
            _ => {}
        }
        before = Some(part);
    }
    stretches
}

fn spent_on(story: &Story, open: &[u32], before: &Part, part: &Part) -> SpentOn {
    let for_tool = open.iter().any(|call| {
        let call = &story.calls[*call as usize];
        let result = call.result.map(|result| &story.results[result as usize]);
        !waits_for_user(call, result)
    });
    let is_over = matches!(before.step, Step::Text | Step::Stopped(_) | Step::Failed(_));
    match part.step {
        _ if for_tool => SpentOn::Tools,
        _ if !open.is_empty() => SpentOn::User,
        Step::Request if is_over => SpentOn::User,
        _ => SpentOn::Model,
    }
}

fn turn_of(story: &Story, session: Option<&str>, stretch: &Stretch) -> TurnTime {
    let request = (story.parts[stretch.first as usize].step == Step::Request)
        .then(|| story.id_of(stretch.first).clone());
    TurnTime {
        session: session.map(str::to_owned),
        request,
        about: String::new(),
        from_ns: stretch.from_ns,
        time: TimeSpent::default(),
        calls: 0,
        errors: 0,
    }
}

const DAY_NS: i64 = 24 * 3600 * 1_000_000_000;
