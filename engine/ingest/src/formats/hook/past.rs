//! What happened in a session before: what causes the event of its next hook.

use std::collections::VecDeque;

use forebear_core::{Detail, Event, EventId, Filter, Link, LinkKind, Result, Snapshot};

use crate::formats::common::labels::{AGENT, AGENT_RESULT, AGENT_TYPE, HOOK};
use crate::formats::common::twins::{
    POST_TOOL_USE, POST_TOOL_USE_FAILURE, PRE_TOOL_USE, USER_PROMPT_SUBMIT,
};
use crate::formats::hook::SUBAGENT_START;
use forebear_readings::keys::{TOOL, TOOL_USE_ID};

/// What happened in a session before: enough to say what caused the next event.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// The last event of each agent, and under the session's name of the session.
    last: VecDeque<(String, EventId)>,
    /// Calls that start an agent and have neither an agent nor a result: the
    /// agent's type, the call's id and its event.
    calls: VecDeque<(String, String, EventId)>,
    /// All calls that start an agent, whether they wait or not.
    all_calls: VecDeque<(String, EventId)>,
    /// Agents that began, and the call that each is linked to.
    starts: VecDeque<Start>,
    /// Agents that results of calls named before they began, and those calls.
    named: VecDeque<(String, String)>,
}

/// An agent that began.
#[derive(Clone, Debug)]
struct Start {
    agent: String,
    event: EventId,
    /// Its call, by what is known so far, and whether that is more than a guess.
    call: Option<(String, EventId)>,
    is_named: bool,
}

impl Past {
    /// What a store knows of a session: its newest events, as far as they matter.
    pub(super) fn of(snapshot: &Snapshot, session: &str) -> Result<Self> {
        // Those for which a transcript's event stands say as much of who started whom.
        let of_session = Filter::new().session(session).with_superseded();
        let newest = snapshot.events(of_session).detail(Detail::Labels);
        let page = newest.limit(PAST_EVENTS).page()?;
        let mut past = Self::default();
        for event in page.items.iter().rev() {
            let label = |key| event.label(key).map(str::to_owned);
            past.observe(&PastEvent {
                id: event.id(),
                instance: event.instance(),
                session,
                hook: label(HOOK).as_deref(),
                agent: label(AGENT).as_deref(),
                agent_result: label(AGENT_RESULT).as_deref(),
                agent_type: label(AGENT_TYPE).as_deref(),
                tool_use_id: label(TOOL_USE_ID).as_deref(),
                tool: label(TOOL).as_deref(),
            });
        }
        Ok(past)
    }

    /// Takes an event over, and returns the links of agents' starts that follow from it.
    pub(super) fn note_event(&mut self, event: &Event, session: &str) -> Vec<Link> {
        let label = |key| event.as_label(key);
        self.observe(&PastEvent {
            id: event.as_id(),
            instance: event.as_instance(),
            session,
            hook: label(HOOK),
            agent: label(AGENT),
            agent_result: label(AGENT_RESULT),
            agent_type: label(AGENT_TYPE),
            tool_use_id: label(TOOL_USE_ID),
            tool: label(TOOL),
        })
    }

    fn observe(&mut self, seen: &PastEvent<'_>) -> Vec<Link> {
        let before = self.last_of(seen.instance).or_else(|| self.last_of(seen.session)).cloned();
        for name in [seen.instance, seen.session] {
            self.last.retain(|(known, _)| known != name);
            self.last.push_back((name.to_owned(), seen.id.clone()));
        }
        while self.last.len() > MAX_AGENTS {
            self.last.pop_front();
        }
        let tool_use_id = seen.tool_use_id.unwrap_or_default();
        match seen.hook {
            Some(PRE_TOOL_USE) if seen.tool.is_some_and(starts_agents) => {
                if self.calls.len() == MAX_AGENTS {
                    self.calls.pop_front();
                }
                let agent_type = seen.agent_type.unwrap_or_default().to_owned();
                self.calls.push_back((agent_type, tool_use_id.to_owned(), seen.id.clone()));
                push(&mut self.all_calls, (tool_use_id.to_owned(), seen.id.clone()));
            }
            Some(POST_TOOL_USE | POST_TOOL_USE_FAILURE | "PermissionDenied") => {
                self.calls.retain(|(_, id, _)| id != tool_use_id);
                if let Some(agent) = seen.agent_result {
                    return self.name(agent, tool_use_id);
                }
            }
            Some(SUBAGENT_START) => return self.start(seen, tool_use_id, before),
            // The turn is over: no call waits any more.
            Some(USER_PROMPT_SUBMIT | "Stop" | "SessionStart" | "SessionEnd")
                if seen.instance == seen.session =>
            {
                self.calls.clear();
            }
            _ => {}
        }
        Vec::new()
    }

    /// An agent begins: of the call that it names or that named it, else, as a guess, of the
    /// oldest call of an agent of its type that waits.
    fn start(
        &mut self,
        seen: &PastEvent<'_>,
        tool_use_id: &str,
        before: Option<EventId>,
    ) -> Vec<Link> {
        let agent = seen.agent.unwrap_or_default();
        let named = self.named.iter().find(|(known, _)| known == agent);
        let named = named.map(|(_, call)| call.clone());
        let says_itself = !tool_use_id.is_empty();
        let named = if says_itself { Some(tool_use_id.to_owned()) } else { named };
        let call = match &named {
            Some(call) => {
                self.calls.retain(|(_, id, _)| id != call);
                self.call_event(call).map(|event| (call.clone(), event))
            }
            None => self
                .waiting_call(seen.agent_type.unwrap_or_default())
                .and_then(|at| self.calls.remove(at))
                .map(|(_, id, event)| (id, event)),
        };
        let strength = if named.is_some() { NAMED } else { GUESSED };
        let link = match &call {
            // The event has it as its parent.
            _ if says_itself => None,
            Some((_, event)) => Some(linked(seen.id, event, strength)),
            None => before.map(|last| linked(seen.id, &last, LAST)),
        };
        let start = Start {
            agent: agent.to_owned(),
            event: seen.id.clone(),
            is_named: named.is_some(),
            call,
        };
        push(&mut self.starts, start);
        link.into_iter().collect()
    }

    /// A call's result names the agent that it started: what was guessed is mended. The
    /// agent that was thought to be of this call is of the other's, if that isn't known.
    fn name(&mut self, agent: &str, call: &str) -> Vec<Link> {
        push(&mut self.named, (agent.to_owned(), call.to_owned()));
        let Some(event) = self.call_event(call) else { return Vec::new() };
        let Some(at) = self.starts.iter().position(|start| start.agent == agent) else {
            return Vec::new();
        };
        let named = Some((call.to_owned(), event.clone()));
        let start = &mut self.starts[at];
        let guessed = std::mem::replace(&mut start.call, named);
        start.is_named = true;
        let mut links = vec![linked(&start.event, &event, NAMED)];
        let is_free = |call: &(String, EventId)| {
            !self.starts.iter().any(|start| start.is_named && start.call.as_ref() == Some(call))
        };
        let guessed = guessed.filter(is_free);
        let other = self.starts.iter_mut().find(|start| {
            !start.is_named && start.call.as_ref().is_some_and(|(known, _)| known == call)
        });
        if let (Some(other), Some((id, event))) = (other, guessed) {
            links.push(linked(&other.event, &event, GUESSED_AGAIN));
            other.call = Some((id, event));
        }
        links
    }

    fn call_event(&self, call: &str) -> Option<EventId> {
        self.all_calls.iter().find(|(known, _)| known == call).map(|(_, event)| event.clone())
    }

    fn waiting_call(&self, agent_type: &str) -> Option<usize> {
        let same = self.calls.iter().position(|(known, ..)| known == agent_type);
        same.or_else(|| (!self.calls.is_empty()).then_some(0))
    }

    pub(super) fn last_of(&self, name: &str) -> Option<&EventId> {
        self.last.iter().find(|(known, _)| known == name).map(|(_, event)| event)
    }
}

/// What the past remembers of an event.
struct PastEvent<'e> {
    id: &'e EventId,
    instance: &'e str,
    session: &'e str,
    hook: Option<&'e str>,
    agent: Option<&'e str>,
    agent_result: Option<&'e str>,
    agent_type: Option<&'e str>,
    tool_use_id: Option<&'e str>,
    tool: Option<&'e str>,
}

/// A link from an agent's start to the call that started it.
fn linked(start: &EventId, call: &EventId, strength: u8) -> Link {
    Link::new(start, call, LinkKind::Spawned).strength(strength)
}

fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == MAX_AGENTS {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// Whether a tool starts agents, under its name of today or the one before.
fn starts_agents(tool: &str) -> bool {
    matches!(tool, "Task" | "Agent")
}

/// How strong links of an agent's start are: its call is named, what was guessed turned out
/// to be another's, it is guessed, and there is no call that waits.
const NAMED: u8 = 40;
const GUESSED_AGAIN: u8 = 6;
const GUESSED: u8 = 5;
const LAST: u8 = 1;
/// Events of a session that are read to find what caused the next.
const PAST_EVENTS: usize = 200;
/// Agents of a session, and calls that start one, that are remembered.
const MAX_AGENTS: usize = 64;
