//! What happened in a session before: what causes the event of its next hook.

use std::collections::VecDeque;

use forebear_core::{Detail, Event, EventId, Filter, Result, Snapshot};

use crate::formats::common::labels::{AGENT_TYPE, HOOK, TOOL, TOOL_USE_ID};
use crate::formats::hook::{POST_TOOL_USE, POST_TOOL_USE_FAILURE, PRE_TOOL_USE, SUBAGENT_START};

/// What happened in a session before: enough to say what caused the next event.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// The last event of each agent, and under the session's name of the session.
    last: VecDeque<(String, EventId)>,
    /// Calls that start an agent and have neither an agent nor a result: the
    /// agent's type, the call's id and its event.
    calls: VecDeque<(String, String, EventId)>,
}

impl Past {
    /// What a store knows of a session: its newest events, as far as they matter.
    pub(super) fn of(snapshot: &Snapshot, session: &str) -> Result<Self> {
        let newest = snapshot.events(Filter::new().session(session)).detail(Detail::Labels);
        let page = newest.limit(PAST_EVENTS).page()?;
        let mut past = Self::default();
        for event in page.items.iter().rev() {
            let label = |key| event.label(key).map(str::to_owned);
            past.observe(&PastEvent {
                id: event.id(),
                instance: event.instance(),
                session,
                hook: label(HOOK).as_deref(),
                agent_type: label(AGENT_TYPE).as_deref(),
                tool_use_id: label(TOOL_USE_ID).as_deref(),
                tool: label(TOOL).as_deref(),
            });
        }
        Ok(past)
    }

    pub(super) fn note_event(&mut self, event: &Event, session: &str) {
        let label = |key| event.as_label(key);
        self.observe(&PastEvent {
            id: event.as_id(),
            instance: event.as_instance(),
            session,
            hook: label(HOOK),
            agent_type: label(AGENT_TYPE),
            tool_use_id: label(TOOL_USE_ID),
            tool: label(TOOL),
        });
    }

    fn observe(&mut self, seen: &PastEvent<'_>) {
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
            }
            Some(POST_TOOL_USE | POST_TOOL_USE_FAILURE | "PermissionDenied") => {
                self.calls.retain(|(_, id, _)| id != tool_use_id);
            }
            Some(SUBAGENT_START) => {
                if let Some(at) = self.waiting_call(seen.agent_type.unwrap_or_default()) {
                    self.calls.remove(at);
                }
            }
            // The turn is over: no call waits any more.
            Some("UserPromptSubmit" | "Stop" | "SessionStart" | "SessionEnd")
                if seen.instance == seen.session =>
            {
                self.calls.clear();
            }
            _ => {}
        }
    }

    /// The event of the oldest call of an agent of this type that waits, else of any.
    pub(super) fn waiting_event(&self, agent_type: &str) -> Option<&EventId> {
        self.waiting_call(agent_type).map(|at| &self.calls[at].2)
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
    agent_type: Option<&'e str>,
    tool_use_id: Option<&'e str>,
    tool: Option<&'e str>,
}

/// Whether a tool starts agents, under its name of today or the one before.
fn starts_agents(tool: &str) -> bool {
    matches!(tool, "Task" | "Agent")
}

/// Events of a session that are read to find what caused the next.
const PAST_EVENTS: usize = 200;
/// Agents of a session, and calls that start one, that are remembered.
const MAX_AGENTS: usize = 64;
