//! Relationships: those that were stated and those that follow from events, as one.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::fields::named;
use crate::kinds::{RelationshipType, SpawnReason};
use crate::reads::Reads;
use crate::reduce::session_of;
use crate::relationship::{ABOVE, BELOW, StoredRelationship, TYPE, keys};
use crate::tally::{OriginKind, TallyHead};
use forebear_core::listing::Position;
use forebear_core::{Error, LinkKind, Page, Result, Scope, StoredEvent};

/// The relationships below a session, in order of the children's names.
pub(crate) fn children(
    reads: &Reads<'_>,
    parent: &str,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<StoredRelationship, Position>> {
    let mut families = Families::of(reads);
    let names = families.child_names(parent)?;
    page(&families, &names, after, limit, |child| (parent.to_owned(), child))
}

/// The relationships above a session, in order of the parents' names.
pub(crate) fn parents(
    reads: &Reads<'_>,
    child: &str,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<StoredRelationship, Position>> {
    let names = parent_names(reads, child)?;
    page(&Families::of(reads), &names, after, limit, |parent| (parent, child.to_owned()))
}

/// How two sessions belong together; none where nothing says that they do.
pub(crate) fn relationship(
    reads: &Reads<'_>,
    parent: &str,
    child: &str,
) -> Result<Option<StoredRelationship>> {
    Families::of(reads).relationship(parent, child)
}

/// What is below sessions. All agents of a session have to be looked at to know those that
/// one of them started: each is read once, however many sessions of a tree are asked for.
pub(crate) struct Families<'r> {
    reads: &'r Reads<'r>,
    /// Sessions whose agents are known.
    known: HashSet<String, RandomState>,
    agents: HashMap<String, SpawnedSession, RandomState>,
    /// The agents right below a session or an agent.
    below: HashMap<String, Vec<String>, RandomState>,
}

/// An agent, or a session that is of none.
struct SpawnedSession {
    head: TallyHead,
    parent: Option<String>,
    spawned: (SpawnReason, Option<i64>),
}

impl<'r> Families<'r> {
    pub(crate) fn of(reads: &'r Reads<'r>) -> Self {
        let (known, agents, below) = Default::default();
        Self { reads, known, agents, below }
    }

    /// The names of the sessions below one, in order.
    pub(crate) fn child_names(&mut self, parent: &str) -> Result<Vec<String>> {
        let mut names = BTreeSet::new();
        let head = match self.agents.get(parent) {
            Some(agent) => Some(agent.head.clone()),
            None => self.reads.head(parent)?,
        };
        // Agents of one session may have started each other.
        let of = head.as_ref().filter(|head| head.parent_len > 0);
        let session = of.and_then(|head| parent.get(..head.parent_len)).unwrap_or(parent);
        self.read_agents(session)?;
        names.extend(self.below.get(parent).into_iter().flatten().cloned());
        if let Some(head) = head {
            names.extend(head.offspring.into_iter().map(|origin| origin.session));
        }
        names.extend(self.reads.stated(BELOW, parent)?.iter().map(|key| other_end(key)));
        Ok(names.into_iter().collect())
    }

    /// As [`relationship`].
    pub(crate) fn relationship(
        &self,
        parent: &str,
        child: &str,
    ) -> Result<Option<StoredRelationship>> {
        let read;
        let agent = if let Some(agent) = self.agents.get(child) {
            Some(agent)
        } else {
            let head = self.reads.head(child)?;
            read = head.map(|head| SpawnedSession::read(self.reads, child, head)).transpose()?;
            read.as_ref()
        };
        let mut found = None;
        if let Some(SpawnedSession { head, parent: above, spawned }) = agent {
            let is_agent = above.as_deref() == Some(parent);
            let origin = |kind| {
                let mut origins = head.origins.iter();
                origins.any(|origin| origin.kind == kind && origin.session == parent)
            };
            if is_agent || origin(OriginKind::Spawned) {
                let kind = RelationshipType::ParentChild;
                let mut derived = StoredRelationship::derived(parent, child, kind);
                (derived.spawn_reason, derived.created_ns) = (Some(spawned.0), spawned.1);
                found = Some(derived);
            } else if origin(OriginKind::Continues) {
                let kind = RelationshipType::Continuation;
                let mut derived = StoredRelationship::derived(parent, child, kind);
                derived.spawn_reason = Some(SpawnReason::Continuation);
                found = Some(derived);
            }
        }
        let [key, _] = keys(parent, child);
        if let Some(fields) = self.reads.relationship(&key)? {
            let kind = RelationshipType::ParentChild;
            let mut both =
                found.unwrap_or_else(|| StoredRelationship::derived(parent, child, kind));
            both.state(&fields);
            found = Some(both);
        }
        Ok(found)
    }

    /// The session that an agent's is below, where that was read already.
    pub(crate) fn known_parent(&self, name: &str) -> Option<&str> {
        self.agents.get(name)?.parent.as_deref()
    }

    fn read_agents(&mut self, session: &str) -> Result<()> {
        if !self.known.insert(session.to_owned()) {
            return Ok(());
        }
        for (name, head) in agents(self.reads, session)? {
            let agent = SpawnedSession::read(self.reads, &name, head)?;
            if let Some(parent) = &agent.parent {
                self.below.entry(parent.clone()).or_default().push(name.clone());
            }
            self.agents.insert(name, agent);
        }
        Ok(())
    }
}

impl SpawnedSession {
    fn read(reads: &Reads<'_>, name: &str, head: TallyHead) -> Result<Self> {
        let call = call_of(reads, &head)?;
        let parent = parent_by(name, &head, call.as_ref());
        Ok(Self { parent, spawned: spawned(call.as_ref()), head })
    }
}

/// The parents of a session that were stated, and how they belong together.
pub(super) fn stated_parents(
    reads: &Reads<'_>,
    child: &str,
) -> Result<Vec<(String, RelationshipType)>> {
    let mut found = Vec::new();
    for key in reads.stated(ABOVE, child)? {
        let Some(fields) = reads.relationship(&key)? else { continue };
        let kind = named(&fields, TYPE).unwrap_or(RelationshipType::ParentChild);
        found.push((other_end(&key), kind));
    }
    Ok(found)
}

/// The sessions of a session's agents, however deep, in order of their names, and their heads.
pub(super) fn agents(reads: &Reads<'_>, session: &str) -> Result<Vec<(String, TallyHead)>> {
    let mut found = Vec::new();
    // Every part that has an agent's session has that which it belongs to.
    for name in reads.sessions.keys_below(session, &format!("{session}/"))? {
        if let Some(head) = reads.head(&name)?.filter(|head| head.parent_len == session.len()) {
            found.push((name, head));
        }
    }
    Ok(found)
}

/// The session that an agent's is below: that of the agent which started it, else the one
/// that it belongs to.
pub(super) fn parent_of_agent(
    reads: &Reads<'_>,
    name: &str,
    head: &TallyHead,
) -> Result<Option<String>> {
    Ok(parent_by(name, head, call_of(reads, head)?.as_ref()))
}

/// The same by the call that started the agent.
fn parent_by(name: &str, head: &TallyHead, call: Option<&StoredEvent>) -> Option<String> {
    let own = name.get(..head.parent_len).filter(|own| !own.is_empty())?;
    let by_agent = match call {
        Some(call) if call.session() == Some(own) => {
            let own_scope = call.scope() == Scope::Own;
            session_of(own, call.instance(), own_scope).map(|(by, _)| by).filter(|by| by != name)
        }
        _ => None,
    };
    Some(by_agent.unwrap_or_else(|| own.to_owned()))
}

fn parent_names(reads: &Reads<'_>, child: &str) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    if let Some(head) = reads.head(child)? {
        if head.parent_len > 0 {
            names.extend(parent_of_agent(reads, child, &head)?);
        }
        names.extend(head.origins.into_iter().map(|origin| origin.session));
    }
    names.extend(reads.stated(ABOVE, child)?.iter().map(|key| other_end(key)));
    Ok(names.into_iter().collect())
}

fn other_end(key: &str) -> String {
    key.split_once('\0').map_or("", |(_, other)| other).to_owned()
}

/// Why an agent was started and when, by the event that spawned its first.
fn spawned(call: Option<&StoredEvent>) -> (SpawnReason, Option<i64>) {
    let starts_agents = |(key, value): (&str, &str)| {
        (key == TOOL || key.starts_with(TOOL_N)) && AGENT_TOOLS.contains(&value)
    };
    match call {
        Some(call) if call.labels().any(starts_agents) => {
            (SpawnReason::TaskTool, Some(call.time_ns()))
        }
        _ => (SpawnReason::SubagentDelegation, call.map(StoredEvent::time_ns)),
    }
}

/// The event that started an agent, where its first says so and both are there.
fn call_of(reads: &Reads<'_>, head: &TallyHead) -> Result<Option<StoredEvent>> {
    let Some(first) = head.first.filter(|first| reads.snapshot.holds(first.seq)) else {
        return Ok(None);
    };
    let first = reads.snapshot.event(first.seq)?;
    match first.parent().filter(|_| first.link() == Some(LinkKind::Spawned)) {
        Some(parent) => reads.snapshot.get(parent),
        None => Ok(None),
    }
}

/// A page of relationships with the sessions of these names.
fn page(
    families: &Families<'_>,
    names: &[String],
    after: Option<Position>,
    limit: usize,
    ends: impl Fn(String) -> (String, String),
) -> Result<Page<StoredRelationship, Position>> {
    let position = |name: &String| families.reads.sessions.position(name);
    let names = names.get(behind(names, position, after)?..).unwrap_or_default();
    let wanted = &names[..names.len().min(limit)];
    let next = wanted.last().filter(|_| wanted.len() < names.len()).map(position);
    let mut page = Page::new(Vec::with_capacity(wanted.len()), next);
    for name in wanted {
        let (parent, child) = ends(name.clone());
        page.items.extend(families.relationship(&parent, &child)?);
    }
    Ok(page)
}

/// The index of the item behind a position. Fails where the item before it is gone.
pub(crate) fn behind<T>(
    items: &[T],
    position: impl Fn(&T) -> Position,
    after: Option<Position>,
) -> Result<usize> {
    let Some(after) = after else { return Ok(0) };
    let found = items.iter().position(|item| position(item) == after);
    found.map(|at| at + 1).ok_or_else(|| {
        Error::invalid(
            "expected the item that the cursor leads behind, found it gone; start over without a \
             cursor",
        )
    })
}

/// The labels that name the tools which a call is of.
const TOOL: &str = "tool";
const TOOL_N: &str = "tool.";
/// Tools that start agents.
const AGENT_TOOLS: [&str; 2] = ["Task", "Agent"];
