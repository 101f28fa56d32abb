//! Which call of one session started another session: links from an agent's first event to
//! the call, in whatever files the two lie.
//!
//! Either may come first, so what matters is kept in the store as labels. An agent's first
//! event has `agent_root` (its session), `forked_from` (the session that started it), where
//! it says so `agent_call` (the call), and `agent` (its path in a tree of agents). What names
//! an agent in the other session has `agent_result` and, under the same number, `agent_call`.

use std::collections::{BTreeMap, BTreeSet};

use forebear_core::{Detail, Event, EventId, Filter, Link, Result, Snapshot, StoredEvent};
use forebear_sessions::{Relationship, RelationshipType, SessionPatch, SessionType, SpawnReason};

use crate::adapter::Linker;
use crate::formats::common::evidence::{LinkEvidence, asserted_order};
use crate::formats::common::labels::{
    AGENT, AGENT_CALL, AGENT_RESULT, AGENT_ROOT, FORKED_FROM, is_numbered,
};
use crate::parsed::Parsed;
use forebear_readings::keys::{TOOL, TOOL_USE_ID};
use forebear_readings::{MAX_CALLS, MAX_TOOLS, numbered};

/// Finds which calls started the agents of a batch.
#[derive(Debug)]
pub(crate) struct SpawnLinker {
    /// Tools whose calls start agents.
    tools: &'static [&'static str],
    roots: BTreeMap<EventId, Root>,
    /// Agents (a thread, or a path in the tree of agents) that were named, and the session
    /// in which they were.
    named: BTreeSet<(String, String)>,
    /// Sessions that started agents.
    parents: BTreeSet<String>,
}

/// The first event of an agent.
#[derive(Clone, Debug)]
struct Root {
    thread: String,
    path: Option<String>,
    parent: String,
    /// The call, where the agent names it.
    call: Option<String>,
    time_ns: i64,
}

/// The first event of an agent's session, which another one started.
pub(crate) fn agent_root(event: Event, session: &str, parent: &str) -> Event {
    event.label(AGENT_ROOT, session).label(FORKED_FROM, parent)
}

/// Says of an agent's session that another one started it.
pub(crate) fn below(parsed: Parsed, session: &str, parent: &str) -> Parsed {
    let patch = SessionPatch::new(session).session_type(SessionType::Subagent).parent(parent);
    let relationship = Relationship::new(parent, session)
        .relationship_type(RelationshipType::ParentChild)
        .reason(SpawnReason::SubagentDelegation);
    parsed.session(patch).relate(relationship)
}

impl SpawnLinker {
    /// Of a format in which calls of these tools start agents.
    pub(crate) fn new(tools: &'static [&'static str]) -> Self {
        Self { tools, roots: BTreeMap::new(), named: BTreeSet::new(), parents: BTreeSet::new() }
    }
}

impl Linker for SpawnLinker {
    fn observe(&mut self, event: &Event) -> bool {
        let Some(session) = event.as_session() else { return false };
        let mut noted = false;
        if let (Some(thread), Some(parent)) =
            (event.as_label(AGENT_ROOT), event.as_label(FORKED_FROM))
        {
            let root = Root {
                thread: thread.to_owned(),
                path: event.as_label(AGENT).map(str::to_owned),
                parent: parent.to_owned(),
                call: event.as_label(AGENT_CALL).map(str::to_owned),
                time_ns: event.as_time_ns(),
            };
            self.roots.insert(event.as_id().clone(), root);
            noted = true;
        }
        for (key, agent) in event.as_labels() {
            if is_numbered(key, AGENT_RESULT) {
                self.named.insert((agent.to_owned(), session.to_owned()));
                noted = true;
            }
        }
        let tools = event.as_labels().filter(|(key, _)| is_numbered(key, TOOL));
        if tools.into_iter().any(|(_, tool)| self.tools.contains(&tool)) {
            self.parents.insert(session.to_owned());
            noted = true;
        }
        noted
    }

    fn links(&self, snapshot: &Snapshot) -> Result<Vec<Link>> {
        let mut roots = self.roots.clone();
        for (agent, session) in &self.named {
            let found = if agent.starts_with('/') {
                found(snapshot, Filter::new().label(AGENT, agent).label(FORKED_FROM, session))?
            } else {
                found(snapshot, Filter::new().label(AGENT_ROOT, agent))?
            };
            roots.extend(found);
        }
        for session in &self.parents {
            roots.extend(found(snapshot, Filter::new().label(FORKED_FROM, session))?);
        }
        let mut links = Vec::new();
        for (id, root) in &roots {
            if let Some(evidence) = root.evidence(snapshot, self.tools)? {
                links.extend(evidence.link(snapshot, id)?);
            }
        }
        Ok(links)
    }
}

impl Root {
    fn of(event: &StoredEvent) -> Option<(EventId, Self)> {
        let label = |key| event.label(key).map(str::to_owned);
        let root = Self {
            thread: label(AGENT_ROOT)?,
            path: label(AGENT),
            parent: label(FORKED_FROM)?,
            call: label(AGENT_CALL),
            time_ns: event.time_ns(),
        };
        Some((event.id().clone(), root))
    }

    /// The strongest evidence there is by now.
    fn evidence(&self, snapshot: &Snapshot, tools: &[&str]) -> Result<Option<LinkEvidence>> {
        if let Some(call) = &self.call
            && let Some(call) = call_event(snapshot, &self.parent, call)?
        {
            return Ok(Some(evidence_of(&call, NAMED, 1)));
        }
        let names = [Some((&self.thread, NAMED)), self.path.as_ref().map(|path| (path, BY_PATH))];
        for (name, strength) in names.into_iter().flatten() {
            let keys = (0..MAX_TOOLS).map(|n| numbered(AGENT_RESULT, n));
            let filter = Filter::new().any_label(keys.map(|key| (key.into_owned(), name.clone())));
            // A path is of one tree of agents alone.
            let filter = if strength == BY_PATH { filter.session(&self.parent) } else { filter };
            for evidence in snapshot.events(filter).detail(Detail::Labels).oldest_first() {
                let evidence = evidence?;
                let Some(call) = named_call(&evidence, name) else { continue };
                let session = evidence.session().unwrap_or_default();
                if let Some(call) = call_event(snapshot, session, call)? {
                    return Ok(Some(evidence_of(&call, strength, 1)));
                }
            }
        }
        self.guess(snapshot, tools)
    }

    /// The last call before the agent began that no other agent is known to be of.
    fn guess(&self, snapshot: &Snapshot, tools: &[&str]) -> Result<Option<LinkEvidence>> {
        let tools = tools.iter().map(|tool| (TOOL.to_owned(), (*tool).to_owned()));
        let until = self.time_ns.saturating_add(1);
        let calls = Filter::new().session(&self.parent).any_label(tools).until_ns(until);
        for call in
            snapshot.events(calls).detail(Detail::Labels).limit(MAX_CALLS_ASKED).page()?.items
        {
            let Some(name) = call.label(TOOL_USE_ID).filter(|_| call.kind() != TOOL_RESULT) else {
                continue;
            };
            let keys = (0..MAX_TOOLS).map(|n| numbered(AGENT_CALL, n).into_owned());
            let labels = keys.map(|key| (key, name.to_owned()));
            let named = Filter::new().session(&self.parent).any_label(labels);
            if snapshot.events(named).limit(1).page()?.items.is_empty() {
                return Ok(Some(evidence_of(&call, BY_TIME, -1)));
            }
        }
        Ok(None)
    }
}

/// The first events of agents that a filter finds.
fn found(snapshot: &Snapshot, filter: Filter) -> Result<Vec<(EventId, Root)>> {
    let page = snapshot.events(filter).detail(Detail::Labels).limit(MAX_ROOTS_ASKED).page()?;
    Ok(page.items.iter().filter_map(Root::of).collect())
}

/// The call that an event says started this agent: under the number of the agent, else
/// the one call there is.
fn named_call<'e>(evidence: &'e StoredEvent, agent: &str) -> Option<&'e str> {
    let key = |key, n| numbered(key, n);
    let n = (0..MAX_TOOLS).find(|n| evidence.label(&key(AGENT_RESULT, *n)) == Some(agent))?;
    evidence.label(&key(AGENT_CALL, n)).or_else(|| evidence.label(AGENT_CALL))
}

/// The event of a session that makes a call.
fn call_event(snapshot: &Snapshot, session: &str, call: &str) -> Result<Option<StoredEvent>> {
    let labels = (0..MAX_CALLS).map(|n| (numbered(TOOL_USE_ID, n).into_owned(), call.to_owned()));
    let filter = Filter::new().session(session).any_label(labels);
    for event in snapshot.events(filter).detail(Detail::Labels).oldest_first() {
        let event = event?;
        if event.label(TOOL).is_some() && event.kind() != TOOL_RESULT {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

/// `direction` is 1 where the earliest call wins, -1 where the latest does.
fn evidence_of(call: &StoredEvent, strength: u8, direction: i64) -> LinkEvidence {
    let id = call.id().clone();
    let time_us = call.time_ns().div_euclid(1000);
    LinkEvidence { order: asserted_order(direction * time_us, &id), call: id, strength }
}

/// One of the two sessions says which call it was.
const NAMED: u8 = 40;
/// It says the agent's place in the tree of agents.
const BY_PATH: u8 = 30;
/// The call stands there before the agent began, and no other agent is known of it.
const BY_TIME: u8 = 5;
/// The kind of results, which bear their call's id and tool too.
const TOOL_RESULT: &str = "tool_result";
const MAX_CALLS_ASKED: usize = 64;
const MAX_ROOTS_ASKED: usize = 1000;
