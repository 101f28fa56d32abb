//! Which call started an agent: links from agents' first events to calls.
//!
//! A transcript says so in several places, any of which may come first, in any
//! file, in this import or another. What matters is therefore kept in the store,
//! as labels (see [`labels`](crate::formats::common::labels)): each time one of the ends or a
//! piece of evidence has been stored, what is known about its agent is queried
//! and the best link asserted. Nothing is remembered from one batch to the next.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use forebear_core::{Detail, Event, EventId, Filter, Link, Result, Snapshot, StoredEvent};

use crate::adapter::Linker;
use crate::formats::common::evidence::{LinkEvidence, asserted_order};
use crate::formats::common::labels::{
    AGENT_CALL, AGENT_PROGRESS, AGENT_RESULT, AGENT_ROOT, HOOK, SOURCE_CALL, SPAWNED_AS, SPAWNS,
    is_numbered,
};
use forebear_readings::keys::{TOOL, TOOL_USE_ID};
use forebear_readings::{MAX_CALLS, numbered};

/// An agent: its id is unique within a session, or, of one that results name by a name of
/// its own, in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AgentKey {
    session: Option<String>,
    id: String,
}

/// A call of a tool: its id is unique within a session.
type CallId = (String, String);

/// What a batch says about agents, each thing once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clues {
    /// First events of agents.
    roots: BTreeSet<(AgentKey, EventId)>,
    /// Events that results name as having started an agent, with the result's time.
    named: BTreeMap<(AgentKey, EventId), i64>,
    /// Calls that may have started an agent, and how strong a link that asserts.
    started: BTreeSet<(AgentKey, CallId, u8)>,
    /// Calls of tools, by session and tool-use id.
    calls: BTreeSet<CallId>,
}

impl Linker for Clues {
    fn observe(&mut self, event: &Event) -> bool {
        self.note_event(event)
    }

    fn links(&self, snapshot: &Snapshot) -> Result<Vec<Link>> {
        self.clone().resolve(snapshot)
    }
}

impl Clues {
    /// Notes what an event says, by its labels; returns whether that is anything.
    fn note_event(&mut self, event: &Event) -> bool {
        let Some(session) = event.as_session() else {
            return false;
        };
        let label = |key| event.as_label(key);
        let here = label(AGENT_ROOT).map(|id| (Some(session.to_owned()), id));
        let by_name = label(SPAWNED_AS).map(|id| (None, id));
        for (session, id) in here.into_iter().chain(by_name) {
            let agent = AgentKey { session, id: id.to_owned() };
            self.roots.insert((agent, event.as_id().clone()));
        }
        self.note_evidence(session, event.as_time_ns(), || event.as_labels());
        let is_call = label(TOOL).is_some() && event.as_kind() != TOOL_RESULT;
        if is_call {
            let ids = event.as_labels().filter(|(key, _)| is_numbered(key, TOOL_USE_ID));
            self.calls.extend(ids.map(|(_, id)| (session.to_owned(), id.to_owned())));
        }
        let keys = [AGENT_ROOT, SPAWNED_AS, AGENT_RESULT, SPAWNS, AGENT_PROGRESS];
        is_call || keys.into_iter().any(|key| label(key).is_some())
    }

    /// Notes which calls a result or a report of progress speaks of.
    fn note_evidence<'e, L: Iterator<Item = (&'e str, &'e str)>>(
        &mut self,
        session: &str,
        time_ns: i64,
        labels: impl Fn() -> L,
    ) {
        let label = |wanted: &str| labels().find(|(key, _)| *key == wanted).map(|(_, v)| v);
        let here = |id: &str| AgentKey { session: Some(session.to_owned()), id: id.to_owned() };
        let by_name = |id: &str| AgentKey { session: None, id: id.to_owned() };
        let said = [
            label(AGENT_RESULT).map(|id| (here(id), ANSWERED_BY_RESULT)),
            label(SPAWNS).map(|id| (by_name(id), ANSWERED_BY_RESULT)),
            label(AGENT_PROGRESS).map(|id| (here(id), NAMED_BY_PROGRESS)),
            label(AGENT_ROOT).map(|id| (here(id), NAMED_BY_ITSELF)),
        ];
        for (agent, strength) in said.into_iter().flatten() {
            if let Some(call) = label(SOURCE_CALL) {
                let named = (agent.clone(), EventId::from(call));
                let time = self.named.entry(named).or_insert(time_ns);
                *time = time_ns.min(*time);
            }
            for (_, call) in labels().filter(|(key, _)| is_numbered(key, AGENT_CALL)) {
                let call = (session.to_owned(), call.to_owned());
                self.started.insert((agent.clone(), call, strength));
            }
        }
    }

    fn note_stored(&mut self, event: &StoredEvent) {
        if let Some(session) = event.session() {
            self.note_evidence(session, event.time_ns(), || event.labels());
        }
    }

    /// The links that follow from what is stored and are not stored yet. The
    /// snapshot must show the batch.
    fn resolve(mut self, snapshot: &Snapshot) -> Result<Vec<Link>> {
        // What was said before of calls that came only now, in one question for many:
        // each asks all segments for the session.
        let calls: Vec<_> = std::mem::take(&mut self.calls).into_iter().collect();
        for of_session in calls.chunk_by(|(a, _), (b, _)| a == b) {
            for calls in of_session.chunks(CALLS_ASKED_FOR) {
                let session = &calls[0].0;
                let labels = calls.iter().flat_map(|(_, call)| each_numbered(AGENT_CALL, call));
                each_of(snapshot, Some(session), labels.collect(), |event| {
                    self.note_stored(event);
                    ControlFlow::Continue(())
                })?;
            }
        }
        let mut links = BTreeMap::new();
        // What this batch says, to all first events of the agents.
        for (agent, best) in self.best(snapshot)? {
            let session = agent.session.as_deref();
            let key = if session.is_some() { AGENT_ROOT } else { SPAWNED_AS };
            each_of(snapshot, session, vec![(key.to_owned(), agent.id.clone())], |root| {
                best.offer_to(root.id(), &mut links);
                ControlFlow::Continue(())
            })?;
        }
        // All that was said of the agents whose first events came.
        let mut said = Self::default();
        let agents: BTreeSet<&AgentKey> = self.roots.iter().map(|(agent, _)| agent).collect();
        for AgentKey { session, id } in agents {
            let keys: &[&str] = match session {
                Some(_) => &[AGENT_RESULT, AGENT_PROGRESS, AGENT_ROOT],
                None => &[SPAWNS],
            };
            let labels = keys.iter().map(|key| ((*key).to_owned(), id.clone())).collect();
            each_of(snapshot, session.as_deref(), labels, |event| {
                said.note_stored(event);
                ControlFlow::Continue(())
            })?;
        }
        let best = said.best(snapshot)?;
        for (agent, root) in &self.roots {
            if let Some(best) = best.get(agent) {
                best.offer_to(root, &mut links);
            }
        }
        let links = links.iter().map(|(root, asserted)| asserted.link(snapshot, root));
        links.filter_map(Result::transpose).collect()
    }

    /// The best links to assert for each agent.
    fn best(&self, snapshot: &Snapshot) -> Result<BTreeMap<AgentKey, Best>> {
        let mut found = BTreeMap::<AgentKey, Best>::new();
        for ((agent, call), time_ns) in &self.named {
            found.entry(agent.clone()).or_default().add(LinkEvidence {
                call: call.clone(),
                strength: NAMED_BY_RESULT,
                order: asserted_order(time_ns.div_euclid(1000), call),
            });
        }
        let mut holders = BTreeMap::new();
        for (agent, call, strength) in &self.started {
            let held = match holders.entry(call) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(earliest_holders(snapshot, call)?),
            };
            for asserted in &held.0 {
                let asserted = LinkEvidence { strength: *strength, ..asserted.clone() };
                found.entry(agent.clone()).or_default().add(asserted);
            }
        }
        Ok(found)
    }
}

/// The two best links of different calls, the best first: an event may be
/// said to have started itself, and then the other one counts.
#[derive(Debug, Default)]
struct Best(Vec<LinkEvidence>);

impl Best {
    fn add(&mut self, asserted: LinkEvidence) {
        match self.0.iter_mut().find(|known| known.call == asserted.call) {
            Some(known) if asserted.beats(known) => *known = asserted,
            Some(_) => return,
            None => self.0.push(asserted),
        }
        if let [first, .., last] = &mut self.0[..]
            && last.beats(first)
        {
            std::mem::swap(first, last);
        }
        if let [_, second, third] = &mut self.0[..]
            && third.beats(second)
        {
            std::mem::swap(second, third);
        }
        self.0.truncate(2);
    }

    /// Records the best link of a root, unless a better one is recorded.
    fn offer_to(&self, root: &EventId, links: &mut BTreeMap<EventId, LinkEvidence>) {
        let Some(asserted) = self.0.iter().find(|asserted| asserted.call != *root) else {
            return;
        };
        match links.entry(root.clone()) {
            Entry::Vacant(new) => _ = new.insert(asserted.clone()),
            Entry::Occupied(mut known) if asserted.beats(known.get()) => {
                _ = known.insert(asserted.clone());
            }
            Entry::Occupied(_) => {}
        }
    }
}

/// The earliest events of a session that hold this call.
fn earliest_holders(snapshot: &Snapshot, (session, call): &CallId) -> Result<Best> {
    let mut best = Best::default();
    let labels = each_numbered(TOOL_USE_ID, call).collect();
    each_of(snapshot, Some(session), labels, |event| {
        // Results carry the call's id too. Hooks report a call that the transcript has.
        let is_call = event.label(TOOL).is_some() && event.kind() != TOOL_RESULT;
        if !is_call || event.label(HOOK).is_some() {
            return ControlFlow::Continue(());
        }
        let call = event.id().clone();
        let order = asserted_order(event.time_ns().div_euclid(1000), &call);
        let later = |known: &LinkEvidence| known.order.div_euclid(1024) < order.div_euclid(1024);
        if best.0.len() == 2 && best.0.iter().all(later) {
            return ControlFlow::Break(());
        }
        best.add(LinkEvidence { call, strength: 0, order });
        ControlFlow::Continue(())
    })?;
    Ok(best)
}

/// The labels under whose numbered keys a call may stand.
fn each_numbered(key: &'static str, call: &str) -> impl Iterator<Item = (String, String)> {
    (0..MAX_CALLS).map(move |n| (numbered(key, n).into_owned(), call.to_owned()))
}

/// Shows `visit` the events of a session, or of all, with any of these labels, the
/// earliest first.
fn each_of(
    snapshot: &Snapshot,
    session: Option<&str>,
    labels: Vec<(String, String)>,
    mut visit: impl FnMut(&StoredEvent) -> ControlFlow<()>,
) -> Result<()> {
    let filter = Filter::new().any_label(labels);
    let filter = match session {
        Some(session) => filter.session(session),
        None => filter,
    };
    for event in snapshot.events(filter).detail(Detail::Labels).oldest_first() {
        if visit(&event?).is_break() {
            break;
        }
    }
    Ok(())
}

/// The kind of results.
const TOOL_RESULT: &str = "tool_result";
/// Calls that are searched for in one query.
const CALLS_ASKED_FOR: usize = 64;

/// A tool result says which event started the agent.
const NAMED_BY_RESULT: u8 = 40;
/// The agent's own first event names the call, by the note beside its file.
const NAMED_BY_ITSELF: u8 = 35;
/// A tool result of the agent answers the call.
const ANSWERED_BY_RESULT: u8 = 30;
/// The agent reports progress of the call.
const NAMED_BY_PROGRESS: u8 = 20;
