//! What led to a step: the decision above it, and the request above that.

use forebear_core::{ChainEnd, Detail, EventId, LinkKind, Result, Snapshot, StoredEvent};
use forebear_readings::{Reading, Readings, Role};

use crate::budget::Meter;
use crate::story::{Step, Story};

/// Bytes of a text that are given back at most.
pub(crate) const TEXT_BYTES: usize = 64 << 10;

/// Edges that a walk follows to see whether an agent was spawned.
const EDGES_MAX: u64 = 1 << 20;

/// What was said, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Quote {
    /// The event that says it.
    pub event: StoredEvent,
    /// What it says, at most 64 KiB.
    pub text: String,
    /// Whether it was thought and not said.
    pub thought: bool,
}

/// How the walk from a failure to its request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhyEnd {
    /// `request` where the request was found, else how the walk ended (see
    /// [`ChainEnd::as_str`]), or `budget` where it could not go on.
    pub kind: &'static str,
    /// The parent that the walk didn't go on to.
    pub parent: Option<EventId>,
    /// The topmost event that it reached.
    pub top: EventId,
    /// Edges that it followed.
    pub steps: u64,
    /// Whether the request is the newest before in time, and no cause that is known.
    pub by_time: bool,
}

impl WhyEnd {
    /// The kind of an end where the way is longer than may be read.
    pub(crate) const BUDGET: &str = "budget";
}

/// What led to a step.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) decision: Option<Quote>,
    pub(crate) request: Option<Quote>,
    pub(crate) end: WhyEnd,
}

/// Walks up from a step to the request that it goes back to. `above` is where to begin, the
/// call where there is one; the failure's own words are no decision.
pub(crate) fn cause(
    snapshot: &Snapshot,
    readings: &Readings,
    from: &StoredEvent,
    story: &Story,
    meter: &mut Meter,
) -> Result<Cause> {
    let mut walk = Walk { decision: None, request: None, prompt: None, spawned: None };
    let mut end = WhyEnd {
        kind: ChainEnd::Root.as_str(),
        parent: None,
        top: from.id().clone(),
        steps: 0,
        by_time: false,
    };
    let Some(chain) = snapshot.chain(from.id())? else {
        return Ok(Cause { decision: None, request: None, end });
    };
    let mut chain = chain.max_depth(EDGES_MAX).detail(Detail::Payload);
    let mut first = true;
    for event in chain.by_ref() {
        let event = match event {
            Ok(event) => event,
            Err(error) if error.is_damaged() => {
                end.kind = "damaged";
                break;
            }
            Err(error) => return Err(error),
        };
        if !first {
            end.steps += 1;
        }
        first = false;
        end.top = event.id().clone();
        if !meter.take(&event) {
            end.kind = WhyEnd::BUDGET;
            break;
        }
        let spawned = event.link() == Some(LinkKind::Spawned);
        if walk.take(snapshot, readings, event)? {
            break;
        }
        if spawned {
            // What was asked of the agent is no request of the user's.
            walk.spawned = None;
        }
    }
    if walk.request.is_some() {
        end.kind = "request";
    } else if let Some(found) = chain.end() {
        end.kind = found.as_str();
        end.parent = found.parent().cloned();
    }
    if walk.request.is_none() {
        walk.request = by_time(snapshot, readings, from, story, |step| step == Step::Request)?;
        end.by_time = walk.request.is_some();
        walk.request = walk.request.or(walk.prompt);
    }
    if walk.decision.is_none() {
        let said = |step| matches!(step, Step::Text | Step::Thinking);
        walk.decision = by_time(snapshot, readings, from, story, said)?;
    }
    Ok(Cause { decision: walk.decision, request: walk.request, end })
}

/// What a walk has met.
struct Walk {
    decision: Option<Quote>,
    request: Option<Quote>,
    /// What the agent was asked that is walked through.
    prompt: Option<Quote>,
    /// Whether that agent was spawned, once it is known.
    spawned: Option<bool>,
}

impl Walk {
    /// Looks at the next event; whether it is the request.
    fn take(
        &mut self,
        snapshot: &Snapshot,
        readings: &Readings,
        event: StoredEvent,
    ) -> Result<bool> {
        let reading = readings.of(&event);
        if self.decision.is_none()
            && let Some((text, thought)) = decision(&reading)
        {
            self.decision = Some(Quote { event: event.clone(), text, thought });
            return Ok(false);
        }
        let Some(text) = request(&reading) else { return Ok(false) };
        let spawned = match self.spawned {
            Some(spawned) => spawned,
            None => is_spawned(snapshot, event.id())?,
        };
        self.spawned = Some(spawned);
        let quote = Quote { event, text, thought: false };
        if spawned {
            self.prompt.get_or_insert(quote);
            return Ok(false);
        }
        self.request = Some(quote);
        Ok(true)
    }
}

/// The words of a decision: what the model said, else what it thought.
pub(crate) fn decision(reading: &Reading<'_>) -> Option<(String, bool)> {
    if reading.role != Some(Role::Assistant) || reading.bookkeeping || reading.error.is_some() {
        return None;
    }
    if !reading.text.is_blank() {
        return Some((reading.text.start(TEXT_BYTES).trim().to_owned(), false));
    }
    let thought = reading.thinking.start(TEXT_BYTES);
    (!thought.trim().is_empty()).then(|| (thought.trim().to_owned(), true))
}

/// The words of a request.
pub(crate) fn request(reading: &Reading<'_>) -> Option<String> {
    let asks = reading.role == Some(Role::User)
        && (!reading.bookkeeping || reading.queued)
        && reading.summary.is_none()
        && !reading.text.is_blank()
        && (reading.interruption.is_none() || !reading.results.is_empty());
    asks.then(|| reading.text.start(TEXT_BYTES).trim().to_owned())
}

/// Whether the way up from an event goes through a spawn.
fn is_spawned(snapshot: &Snapshot, id: &EventId) -> Result<bool> {
    let Some(chain) = snapshot.chain(id)? else { return Ok(false) };
    let mut chain = chain.max_depth(EDGES_MAX).detail(Detail::Ids).stop_at(LinkKind::Spawned);
    for event in chain.by_ref() {
        event?;
    }
    Ok(matches!(chain.end(), Some(ChainEnd::Stopped(_))))
}

/// The newest step of a sort before an event: by the same agent, of requests by the session
/// itself.
fn by_time(
    snapshot: &Snapshot,
    readings: &Readings,
    from: &StoredEvent,
    story: &Story,
    is: impl Fn(Step) -> bool,
) -> Result<Option<Quote>> {
    let place = story.place_of(from.id());
    let agent = place.map_or(0, |place| story.events[place as usize].agent);
    for agent in [agent, 0] {
        let before = story.agents[agent as usize]
            .parts
            .iter()
            .rev()
            .map(|part| &story.parts[*part as usize]);
        let before = before.filter(|part| {
            let event = &story.events[part.event as usize];
            place.map_or(event.time_ns < from.time_ns(), |place| part.event < place)
        });
        for part in before.filter(|part| is(part.step)) {
            if part.step == Step::Request && agent != 0 {
                continue;
            }
            let Some(event) = snapshot.get(&story.events[part.event as usize].id)? else {
                continue;
            };
            let reading = readings.of(&event);
            let said = match part.step {
                Step::Request => request(&reading).map(|text| (text, false)),
                _ => decision(&reading),
            };
            if let Some((text, thought)) = said {
                return Ok(Some(Quote { event, text, thought }));
            }
        }
    }
    Ok(None)
}
