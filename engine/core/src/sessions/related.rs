//! Relationships: those that were stated and those that follow from events, as one.

use std::collections::BTreeSet;

use crate::base::error::{Error, Result};
use crate::base::limits;
use crate::base::link::LinkKind;
use crate::base::page::{Cursor, Page};
use crate::base::state::Family;
use crate::log::index::{Head, OriginKind};
use crate::sessions::fields::named;
use crate::sessions::kinds::{RelationshipType, SpawnReason};
use crate::sessions::relationship::{ABOVE, BELOW, StoredRelationship, TYPE, keys};
use crate::snapshot::Snapshot;
use crate::state as states;
use crate::state::session as state;
use crate::view::View;

/// The relationships below a session, in order of the children's names.
pub(crate) fn children(
    snapshot: &Snapshot,
    parent: &str,
    after: Option<Cursor>,
) -> Result<Page<StoredRelationship>> {
    let names = child_names(&snapshot.view, parent)?;
    page(snapshot, &names, after, |child| (parent.to_owned(), child))
}

/// The relationships above a session, in order of the parents' names.
pub(crate) fn parents(
    snapshot: &Snapshot,
    child: &str,
    after: Option<Cursor>,
) -> Result<Page<StoredRelationship>> {
    let names = parent_names(&snapshot.view, child)?;
    page(snapshot, &names, after, |parent| (parent, child.to_owned()))
}

/// How two sessions belong together; none where nothing says that they do.
pub(crate) fn relationship(
    snapshot: &Snapshot,
    parent: &str,
    child: &str,
) -> Result<Option<StoredRelationship>> {
    let view = &*snapshot.view;
    let mut found = None;
    if let Some(head) = head(view, child)? {
        let is_agent = head.parent_len > 0 && child.get(..head.parent_len) == Some(parent);
        let origin = |kind| {
            let mut origins = head.origins.iter();
            origins.any(|origin| origin.kind == kind && origin.session == parent)
        };
        if is_agent || origin(OriginKind::Spawned) {
            let kind = RelationshipType::ParentChild;
            let mut derived = StoredRelationship::derived(parent, child, kind);
            let (reason, created_ns) = spawned(snapshot, &head)?;
            (derived.spawn_reason, derived.created_ns) = (Some(reason), created_ns);
            found = Some(derived);
        } else if origin(OriginKind::Continues) {
            let kind = RelationshipType::Continuation;
            let mut derived = StoredRelationship::derived(parent, child, kind);
            derived.spawn_reason = Some(SpawnReason::Continuation);
            found = Some(derived);
        }
    }
    let [key, _] = keys(parent, child);
    if let Some(value) = view.state(Family::Relationship, &key)? {
        let kind = RelationshipType::ParentChild;
        let mut both = found.unwrap_or_else(|| StoredRelationship::derived(parent, child, kind));
        both.state(&read(&value)?);
        found = Some(both);
    }
    Ok(found)
}

/// The parents of a session that were stated, and how they belong together.
pub(super) fn stated_parents(view: &View, child: &str) -> Result<Vec<(String, RelationshipType)>> {
    let mut found = Vec::new();
    for key in stated(view, ABOVE, child)? {
        let Some(value) = view.state(Family::Relationship, &key)? else { continue };
        let kind = named(&read(&value)?, TYPE).unwrap_or(RelationshipType::ParentChild);
        found.push((other_end(&key), kind));
    }
    Ok(found)
}

/// The names of the sessions below one, in order.
pub(super) fn child_names(view: &View, parent: &str) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    // Every part that has an agent's session has that which it belongs to.
    for name in view.state_names_below(Family::Session, parent, &format!("{parent}/"))? {
        if head(view, &name)?.is_some_and(|head| head.parent_len == parent.len()) {
            names.insert(name);
        }
    }
    if let Some(head) = head(view, parent)? {
        names.extend(head.offspring.into_iter().map(|origin| origin.session));
    }
    names.extend(stated(view, BELOW, parent)?.iter().map(|key| other_end(key)));
    Ok(names.into_iter().collect())
}

fn parent_names(view: &View, child: &str) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    if let Some(head) = head(view, child)? {
        if let Some(parent) = child.get(..head.parent_len).filter(|parent| !parent.is_empty()) {
            names.insert(parent.to_owned());
        }
        names.extend(head.origins.into_iter().map(|origin| origin.session));
    }
    names.extend(stated(view, ABOVE, child)?.iter().map(|key| other_end(key)));
    Ok(names.into_iter().collect())
}

/// The keys of the relationships that were stated, from one of their ends.
fn stated(view: &View, end: char, name: &str) -> Result<BTreeSet<String>> {
    let front = format!("{end}{name}\0");
    view.state_names_below(Family::Relationship, &front, &front)
}

fn other_end(key: &str) -> String {
    key.split_once('\0').map_or("", |(_, other)| other).to_owned()
}

pub(super) fn head(view: &View, name: &str) -> Result<Option<Head>> {
    match view.state(Family::Session, name)? {
        Some(value) => state::read_head(&value),
        None => Ok(None),
    }
}

fn read(value: &[u8]) -> Result<state::Fields> {
    state::fields(states::text(value)?)
}

/// Why an agent was started and when, by the event that spawned its first.
fn spawned(snapshot: &Snapshot, head: &Head) -> Result<(SpawnReason, Option<i64>)> {
    let mut reason = SpawnReason::SubagentDelegation;
    let Some(first) = head.first.filter(|first| snapshot.view.holds(first.seq)) else {
        return Ok((reason, None));
    };
    let first = snapshot.event(first.seq)?;
    if first.link() != Some(LinkKind::Spawned) {
        return Ok((reason, None));
    }
    let call = match first.parent() {
        Some(parent) => snapshot.get(parent)?,
        None => None,
    };
    let Some(call) = call else { return Ok((reason, None)) };
    let starts_agents = |(key, value): (&str, &str)| {
        (key == TOOL || key.starts_with(TOOL_N)) && AGENT_TOOLS.contains(&value)
    };
    if call.labels().any(starts_agents) {
        reason = SpawnReason::TaskTool;
    }
    Ok((reason, Some(call.time_ns())))
}

/// A page of relationships with the sessions of these names.
fn page(
    snapshot: &Snapshot,
    names: &[String],
    after: Option<Cursor>,
    ends: impl Fn(String) -> (String, String),
) -> Result<Page<StoredRelationship>> {
    let cursor = |name: &String| Cursor::of_key(states::digest(Family::Session, name));
    let from = match after {
        Some(after) => names.iter().position(|name| cursor(name) == after).map(|at| at + 1),
        None => Some(0),
    };
    let from = from.ok_or_else(|| {
        Error::invalid("expected a cursor that an earlier page gave, found another")
    })?;
    let names = names.get(from..).unwrap_or_default();
    let wanted = &names[..names.len().min(limits::MAX_PAGE)];
    let next = wanted.last().filter(|_| wanted.len() < names.len()).map(cursor);
    let mut page = Page { items: Vec::with_capacity(wanted.len()), next };
    for name in wanted {
        let (parent, child) = ends(name.clone());
        page.items.extend(relationship(snapshot, &parent, &child)?);
    }
    Ok(page)
}

/// The labels that name the tools which a call is of.
const TOOL: &str = "tool";
const TOOL_N: &str = "tool.";
/// Tools that start agents.
const AGENT_TOOLS: [&str; 2] = ["Task", "Agent"];
