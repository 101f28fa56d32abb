//! A session as its steps: what was asked, said, called, given back, stopped.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use forebear_core::{Detail, EventId, LinkKind, Result, Scope, Snapshot, StoredEvent};
use forebear_readings::{Reading, Readings, Role, keys};

use crate::budget::Meter;
use crate::calls::{self, CallAt, ResultAt, StepSaid, result_of};
use crate::named::Whose;
use crate::notes::Notes;

/// Events that are read at once: their payloads are held together.
const PAGE: usize = 64;

/// As much of what was asked as tells it from something else.
const WORDS_BYTES: usize = 4096;

/// The steps of a session and of its agents, in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// Who acts; the first is the session itself.
    pub(crate) agents: Vec<Agent>,
    pub(crate) events: Vec<EventAt>,
    /// The places of events in the order of their ids.
    by_id: Vec<u32>,
    /// The agents that events started: the agent and the place of the event, and who was started.
    spawns: Vec<((u32, u32), u32)>,
    pub(crate) parts: Vec<Part>,
    pub(crate) calls: Vec<CallAt>,
    pub(crate) results: Vec<ResultAt>,
    /// What is said of the session as a whole.
    pub(crate) notes: Notes,
    /// Whether there was more before the first than may be read, or some of it is damaged.
    pub(crate) cut: bool,
}

/// Who acts.
#[derive(Debug, Default)]
pub(crate) struct Agent {
    pub(crate) instance: String,
    /// The call that it was spawned by: the agent, and the place of the event.
    pub(crate) spawned: Option<(u32, u32)>,
    spawned_by: Option<EventId>,
    /// Its parts, in order.
    pub(crate) parts: Vec<u32>,
}

/// An event of it.
#[derive(Debug)]
pub(crate) struct EventAt {
    pub(crate) id: EventId,
    pub(crate) time_ns: i64,
    /// Whether the event doesn't tell its time, and has that of one beside it.
    time_made_up: bool,
    pub(crate) agent: u32,
    /// Whether it has words of the user that wait, and that no later event hands over.
    pub(crate) queued: bool,
}

/// Something that an event says.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) event: u32,
    pub(crate) agent: u32,
    /// Where it stands among the agent's parts.
    pub(crate) place: u32,
    /// The agent's turn, from 0: up to the first request, and from each on.
    pub(crate) turn: u32,
    pub(crate) step: Step,
}

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Words of the user.
    Request,
    /// Words of the model.
    Text,
    Thinking,
    /// A call, by its place in the story.
    Call(u32),
    /// A result, by its place in the story.
    Result(u32),
    /// Something failed that is no call's.
    Failed(u32),
    /// The user stopped what went on.
    Stopped(u32),
    /// A step of another sort.
    Other,
}

impl Story {
    /// Reads these events, the newest first as long as the budget lasts.
    pub(crate) fn read(
        snapshot: &Snapshot,
        readings: &Readings,
        whose: Whose<'_>,
        meter: &mut Meter,
    ) -> Result<Self> {
        let mut story = StoryBuilder::new(whose.root());
        let mut seen: HashSet<EventId, RandomState> = HashSet::default();
        for event in &snapshot.events(whose.filter()).limit(PAGE).detail(Detail::Payload) {
            let event = match event {
                Ok(event) => event,
                Err(error) if error.is_damaged() => {
                    story.story.cut = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !meter.take(&event) {
                story.story.cut = true;
                break;
            }
            if whose.takes(&event) && seen.insert(event.id().clone()) {
                story.take(&event, readings);
            }
        }
        Ok(story.finish())
    }

    /// The event's place. O(log events).
    pub(crate) fn place_of(&self, id: &EventId) -> Option<u32> {
        let id_of = |place: &u32| &self.events[*place as usize].id;
        let at = self.by_id.binary_search_by(|place| id_of(place).cmp(id)).ok()?;
        Some(self.by_id[at])
    }

    /// The agents that an event of an agent started, in the order of their numbers.
    pub(crate) fn started_by(&self, agent: u32, event: u32) -> impl Iterator<Item = u32> {
        let first = self.spawns.partition_point(|&(by, _)| by < (agent, event));
        let started = self.spawns[first..].iter();
        started.take_while(move |(by, _)| *by == (agent, event)).map(|&(_, started)| started)
    }

    /// The event of a part.
    pub(crate) fn id_of(&self, part: u32) -> &EventId {
        &self.events[self.parts[part as usize].event as usize].id
    }

    /// The time of a part.
    pub(crate) fn time_of(&self, part: u32) -> i64 {
        self.events[self.parts[part as usize].event as usize].time_ns
    }

    /// Whether the time of a part is its own.
    pub(crate) fn is_time_told(&self, part: u32) -> bool {
        !self.events[self.parts[part as usize].event as usize].time_made_up
    }

    /// The parts of the same agent, in order.
    pub(crate) fn of_agent(&self, part: &Part) -> &[u32] {
        &self.agents[part.agent as usize].parts
    }

    /// The turn of the session itself in which an agent's part stands.
    pub(crate) fn root_turn(&self, part: &Part) -> u32 {
        let (mut agent, mut turn, mut event) = (part.agent, part.turn, part.event);
        // Agents come one from another; one that comes from itself is cut off.
        for _ in 0..self.agents.len() {
            if agent == 0 {
                return turn;
            }
            let Some((above, spawn)) = self.agents[agent as usize].spawned else { break };
            let parts = &self.agents[above as usize].parts;
            let at = parts.partition_point(|part| self.parts[*part as usize].event <= spawn);
            turn = at.checked_sub(1).map_or(0, |at| self.parts[parts[at] as usize].turn);
            (agent, event) = (above, spawn);
        }
        if agent == 0 {
            return turn;
        }
        // Of one that nothing is known to have spawned, by time.
        let parts = &self.agents[0].parts;
        let at = parts.partition_point(|part| self.parts[*part as usize].event <= event);
        at.checked_sub(1).map_or(0, |at| self.parts[parts[at] as usize].turn)
    }

    /// The last turn of an agent.
    pub(crate) fn last_turn(&self, agent: u32) -> u32 {
        self.agents[agent as usize].parts.last().map_or(0, |part| self.parts[*part as usize].turn)
    }

    /// Whether one agent is another, or was spawned by it or by one that was.
    pub(crate) fn is_within(&self, agent: u32, above: u32) -> bool {
        let mut at = agent;
        for _ in 0..=self.agents.len() {
            if at == above {
                return true;
            }
            let Some((next, _)) = self.agents[at as usize].spawned else { return false };
            at = next;
        }
        false
    }
}

/// Whose an event is: the session's, or that of an instance with a scope of its own.
pub(crate) fn who(event: &StoredEvent) -> &str {
    match (event.scope(), event.session()) {
        (Scope::Session, Some(session)) => session,
        _ => event.instance(),
    }
}

/// A story in the making: events come newest first.
struct StoryBuilder {
    story: Story,
    numbers: HashMap<String, u32, RandomState>,
    /// The steps of each event.
    steps: Vec<Vec<StepSaid>>,
    /// How often each agent was asked something in later events, by digests of the words.
    asked: HashMap<u64, u32, RandomState>,
}

impl StoryBuilder {
    fn new(root: &str) -> Self {
        let mut builder = Self {
            story: Story::default(),
            numbers: HashMap::default(),
            steps: Vec::new(),
            asked: HashMap::default(),
        };
        builder.agent(root);
        builder
    }

    fn agent(&mut self, instance: &str) -> u32 {
        if let Some(&number) = self.numbers.get(instance) {
            return number;
        }
        let number = self.story.agents.len() as u32;
        self.story.agents.push(Agent { instance: instance.to_owned(), ..Agent::default() });
        self.numbers.insert(instance.to_owned(), number);
        number
    }

    fn take(&mut self, event: &StoredEvent, readings: &Readings) {
        let agent = self.agent(who(event));
        if event.link() == Some(LinkKind::Spawned) {
            // The oldest comes last.
            self.story.agents[agent as usize].spawned_by = event.parent().cloned();
        }
        let reading = readings.of(event);
        self.story.notes.take(event, &reading, agent == 0);
        let queued = reading.queued && !self.is_handed_over(agent, &reading);
        if reading.bookkeeping && !queued {
            return;
        }
        if reading.role == Some(Role::User) && !queued {
            let words = self.digest(agent, &reading);
            *self.asked.entry(words).or_default() += 1;
        }
        let said = calls::said(event, &reading);
        if said.is_empty() {
            return;
        }
        self.story.events.push(EventAt {
            id: event.id().clone(),
            time_ns: event.time_ns(),
            time_made_up: event.label(keys::TIME_MADE_UP).is_some(),
            agent,
            queued,
        });
        self.steps.push(said);
    }

    /// Whether a later event has the words that wait here, each time another one.
    fn is_handed_over(&mut self, agent: u32, reading: &Reading<'_>) -> bool {
        let words = self.digest(agent, reading);
        let later = self.asked.get_mut(&words).filter(|later| **later > 0);
        later.map(|later| *later -= 1).is_some()
    }

    fn digest(&self, agent: u32, reading: &Reading<'_>) -> u64 {
        self.asked.hasher().hash_one((agent, reading.text.start(WORDS_BYTES).trim()))
    }

    fn finish(mut self) -> Story {
        self.story.events.reverse();
        self.steps.reverse();
        let mut open: HashMap<String, u32, RandomState> = HashMap::default();
        // Calls of one batch follow each other, with nothing but thoughts between.
        let mut batches: BTreeMap<u32, (u32, bool)> = BTreeMap::new();
        for (number, said) in self.steps.into_iter().enumerate() {
            let agent = self.story.events[number].agent;
            for said in said {
                let part = self.story.parts.len() as u32;
                let (batch, runs) = batches.entry(agent).or_default();
                let step = match said {
                    StepSaid::Request => Step::Request,
                    StepSaid::Text => Step::Text,
                    StepSaid::Thinking => Step::Thinking,
                    StepSaid::Other => Step::Other,
                    StepSaid::Call(mut call) => {
                        if !*runs {
                            *batch += 1;
                        }
                        call.batch = *batch;
                        call.part = part;
                        let at = self.story.calls.len() as u32;
                        if !call.id.is_empty() {
                            open.insert(call.id.clone(), at);
                        }
                        self.story.calls.push(call);
                        Step::Call(at)
                    }
                    StepSaid::Result(said) => {
                        let at = self.story.results.len() as u32;
                        let call = said.call_id.as_ref().and_then(|id| open.get(id)).copied();
                        let call_at = call.map(|call| &self.story.calls[call as usize]);
                        let result = result_of(said, call, call_at, part);
                        if let Some(call) = call {
                            self.story.calls[call as usize].result = Some(at);
                        }
                        self.story.results.push(result);
                        Step::Result(at)
                    }
                    StepSaid::Failed(result) => {
                        self.story.results.push(ResultAt { part, ..result });
                        Step::Failed(self.story.results.len() as u32 - 1)
                    }
                    StepSaid::Stopped(result) => {
                        self.story.results.push(ResultAt { part, ..result });
                        Step::Stopped(self.story.results.len() as u32 - 1)
                    }
                };
                *runs = matches!(step, Step::Call(_) | Step::Thinking)
                    && (*runs || matches!(step, Step::Call(_)));
                let parts = &mut self.story.agents[agent as usize].parts;
                let place = parts.len() as u32;
                parts.push(part);
                self.story.parts.push(Part { event: number as u32, agent, place, turn: 0, step });
            }
        }
        self.story.choose_root();
        self.story.number_turns();
        self.story.find_spawns();
        self.story
    }
}

impl Story {
    /// Where nothing is said under the session's own name, who began is the session itself.
    fn choose_root(&mut self) {
        if !self.agents[0].parts.is_empty() {
            return;
        }
        let Some(first) = self.events.first().map(|event| event.agent) else { return };
        self.agents.swap(0, first as usize);
        let renumber = |agent: &mut u32| {
            *agent = match *agent {
                0 => first,
                agent if agent == first => 0,
                agent => agent,
            };
        };
        self.events.iter_mut().for_each(|event| renumber(&mut event.agent));
        self.parts.iter_mut().for_each(|part| renumber(&mut part.agent));
    }

    /// Numbers the turns of each agent. Requests that follow each other begin one turn; those
    /// that nothing follows begin none yet.
    fn number_turns(&mut self) {
        for agent in &self.agents {
            let mut turn = 0;
            let mut steps = agent.parts.iter().map(|part| self.parts[*part as usize].step);
            let last_other = steps.rposition(|step| step != Step::Request);
            for (place, &part) in agent.parts.iter().enumerate() {
                let is_request = |at: usize| {
                    agent
                        .parts
                        .get(at)
                        .is_some_and(|part| self.parts[*part as usize].step == Step::Request)
                };
                let begins = is_request(place) && !(place > 0 && is_request(place - 1));
                if begins && last_other.is_some_and(|last| last > place) {
                    turn += u32::from(place > 0);
                }
                self.parts[part as usize].turn = turn;
            }
        }
    }

    fn find_spawns(&mut self) {
        let mut by_id: Vec<u32> = (0..self.events.len() as u32).collect();
        by_id.sort_unstable_by_key(|place| &self.events[*place as usize].id);
        self.by_id = by_id;
        let found: Vec<_> = self
            .agents
            .iter()
            .map(|agent| {
                let place = self.place_of(agent.spawned_by.as_ref()?)?;
                Some((self.events[place as usize].agent, place))
            })
            .collect();
        for (agent, found) in self.agents.iter_mut().zip(found).skip(1) {
            agent.spawned = found;
        }
        let spawned = self.agents.iter().zip(0..).skip(1);
        self.spawns = spawned.filter_map(|(agent, at)| Some((agent.spawned?, at))).collect();
        self.spawns.sort_unstable();
    }
}
