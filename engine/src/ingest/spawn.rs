//! Which call started an agent: links from agents' first events to calls.
//!
//! A transcript says so in several places, any of which may come first, in any
//! file, in this import or another. What matters is therefore kept in the store,
//! as labels (see [`labels`](super::labels)): each time one of the ends or a
//! piece of evidence has been stored, what is known about its agent is looked up
//! and the best claim made. Nothing is remembered from one batch to the next.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::event::{Event, Link, LinkKind};
use crate::id::EventId;
use crate::ingest::labels::{
    AGENT_CALL, AGENT_PROGRESS, AGENT_RESULT, AGENT_ROOT, MAX_TOOLS, SOURCE_CALL, TOOL,
    TOOL_USE_ID, numbered,
};
use crate::limits;
use crate::query::filter::Filter;
use crate::snapshot::Snapshot;
use crate::stored::{Detail, StoredEvent};

/// An agent: its id is unique within a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Agent {
    session: String,
    id: String,
}

/// What a batch says about agents.
#[derive(Debug, Default)]
pub(crate) struct Clues {
    /// First events of agents.
    roots: BTreeSet<(Agent, EventId)>,
    /// Agents that something was said about.
    agents: BTreeSet<Agent>,
    /// Calls of tools, by session and tool-use id.
    calls: BTreeSet<(String, String)>,
}

impl Clues {
    /// Notes what an event says, by its labels.
    pub(crate) fn note(&mut self, event: &Event) {
        let Some(session) = &event.session else {
            return;
        };
        let agent = |id: &str| Agent { session: session.clone(), id: id.to_owned() };
        let label =
            |key: &str| event.labels.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        if let Some(id) = label(AGENT_ROOT) {
            self.roots.insert((agent(id), event.id.clone()));
        }
        for key in [AGENT_RESULT, AGENT_PROGRESS] {
            self.agents.extend(label(key).map(agent));
        }
        for n in 0..MAX_TOOLS {
            if label(&numbered(TOOL, n)).is_none() {
                break;
            }
            if let Some(id) = label(&numbered(TOOL_USE_ID, n)) {
                self.calls.insert((session.clone(), id.to_owned()));
            }
        }
    }

    /// Whether nothing was said about agents.
    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty() && self.agents.is_empty() && self.calls.is_empty()
    }

    /// The links that follow from what is stored and are not stored yet. The
    /// snapshot must show the batch.
    pub(crate) fn resolve(mut self, snapshot: &Snapshot) -> Result<Vec<Link>> {
        for (session, call) in &self.calls {
            self.agents.extend(agents_started_by(snapshot, session, call)?);
        }
        let mut links = Vec::new();
        for agent in &self.agents {
            link_roots(snapshot, agent, &mut links)?;
        }
        let mut best: Option<(&Agent, Option<Claim>)> = None;
        for (agent, root) in &self.roots {
            if self.agents.contains(agent) {
                continue;
            }
            let claim = match best.take() {
                Some((same, claim)) if same == agent => claim,
                _ => Claim::find(snapshot, agent)?,
            };
            if let Some(claim) = &claim {
                links.extend(claim.link(snapshot, root)?);
            }
            best = Some((agent, claim));
        }
        Ok(links)
    }
}

/// That a call started an agent.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) call: EventId,
    pub(crate) strength: u8,
    /// Among claims of one strength the smallest wins.
    pub(crate) order: i64,
}

impl Claim {
    /// The best claim about an agent that the store holds evidence of.
    fn find(snapshot: &Snapshot, agent: &Agent) -> Result<Option<Self>> {
        let results = in_session(snapshot, &agent.session, AGENT_RESULT, &agent.id)?;
        // The event that the earliest result names, stored or not.
        if let Some((result, call)) =
            results.iter().find_map(|result| Some((result, result.label(SOURCE_CALL)?)))
        {
            return Ok(Some(Self {
                call: EventId::from(call),
                strength: NAMED_BY_RESULT,
                order: result.time_ns(),
            }));
        }
        // The earliest event that holds a call which was answered by a result.
        let mut holders = Vec::new();
        for call in distinct_calls(&results) {
            holders.extend(holder(snapshot, &agent.session, call)?);
        }
        if let Some((time_ns, call)) = holders.into_iter().min() {
            return Ok(Some(Self { call, strength: ANSWERED_BY_RESULT, order: time_ns }));
        }
        // The event that holds the call of which progress was reported.
        let progress = in_session(snapshot, &agent.session, AGENT_PROGRESS, &agent.id)?;
        for call in distinct_calls(&progress) {
            if let Some((time_ns, call)) = holder(snapshot, &agent.session, call)? {
                return Ok(Some(Self { call, strength: NAMED_BY_PROGRESS, order: time_ns }));
            }
        }
        Ok(None)
    }

    /// The link from an agent's first event, unless the event has a parent
    /// already which this claim would not replace.
    pub(crate) fn link(&self, snapshot: &Snapshot, root: &EventId) -> Result<Option<Link>> {
        if *root == self.call {
            return Ok(None);
        }
        let stands = match snapshot.claimed_link(root)? {
            Some(link) => {
                (link.strength, -i128::from(link.order)) >= (self.strength, -i128::from(self.order))
            }
            None => snapshot.get(root)?.is_some_and(|event| event.parent().is_some()),
        };
        let link = Link::new(root, &self.call, LinkKind::Spawned);
        Ok((!stands).then(|| link.strength(self.strength).order(self.order)))
    }
}

/// Links all first events of an agent.
fn link_roots(snapshot: &Snapshot, agent: &Agent, links: &mut Vec<Link>) -> Result<()> {
    let mut filter = with_label(&agent.session, AGENT_ROOT, &agent.id).detail(Detail::Columns);
    let mut claim = None;
    loop {
        let page = snapshot.events(&filter)?;
        if claim.is_none() && !page.items.is_empty() {
            claim = Claim::find(snapshot, agent)?;
        }
        let Some(claim) = &claim else { return Ok(()) };
        for root in &page.items {
            links.extend(claim.link(snapshot, root.id())?);
        }
        let Some(next) = page.next else { return Ok(()) };
        filter = filter.after(next);
    }
}

/// The agents of which there is evidence that this call started them.
fn agents_started_by(snapshot: &Snapshot, session: &str, call: &str) -> Result<Vec<Agent>> {
    let evidence = in_session(snapshot, session, AGENT_CALL, call)?;
    let ids: BTreeSet<&str> = evidence
        .iter()
        .filter_map(|event| event.label(AGENT_RESULT).or_else(|| event.label(AGENT_PROGRESS)))
        .collect();
    let agent = |id: &str| Agent { session: session.to_owned(), id: id.to_owned() };
    Ok(ids.into_iter().map(agent).collect())
}

/// The earliest event of a session that holds this call, and its time.
fn holder(snapshot: &Snapshot, session: &str, call: &str) -> Result<Option<(i64, EventId)>> {
    let mut earliest: Option<(i64, EventId)> = None;
    for n in 0..MAX_TOOLS {
        // Results carry the call's id too, but only calls name their tool.
        let events = in_session(snapshot, session, &numbered(TOOL_USE_ID, n), call)?;
        let held = events.iter().find(|event| event.label(&numbered(TOOL, n)).is_some());
        let found = held.map(|event| (event.time_ns(), event.id().clone()));
        earliest = match (earliest, found) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Ok(earliest)
}

/// The calls that evidence names, each once, in order.
fn distinct_calls(evidence: &[StoredEvent]) -> Vec<&str> {
    let mut calls: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    calls.extend(
        evidence
            .iter()
            .filter_map(|event| event.label(AGENT_CALL))
            .filter(|call| seen.insert(*call)),
    );
    calls
}

/// The earliest events of a session with this label, a page of them. Those of
/// the same time are in order of their ids, not of arrival.
fn in_session(
    snapshot: &Snapshot,
    session: &str,
    key: &str,
    value: &str,
) -> Result<Vec<StoredEvent>> {
    let filter = with_label(session, key, value).detail(Detail::Labels);
    let mut events = snapshot.events(&filter)?.items;
    events.sort_by(|a, b| (a.time_ns(), a.id()).cmp(&(b.time_ns(), b.id())));
    Ok(events)
}

fn with_label(session: &str, key: &str, value: &str) -> Filter {
    let filter = Filter::new().session(session).label(key, value);
    filter.oldest_first().limit(limits::MAX_PAGE)
}

/// A tool result says which event started the agent.
const NAMED_BY_RESULT: u8 = 40;
/// A tool result of the agent answers the call.
const ANSWERED_BY_RESULT: u8 = 30;
/// The agent reports progress of the call.
const NAMED_BY_PROGRESS: u8 = 20;
