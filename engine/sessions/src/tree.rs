//! Sessions below sessions.

use std::collections::HashSet;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::kinds::RelationshipType;
use crate::reads::Reads;
use crate::related::Families;
use crate::relationship::StoredRelationship;
use crate::session::{Liveness, ReadSession, Session, find, find_below};
use crate::tally::Union;
use crate::value;
use forebear_core::listing::Position;
use forebear_core::{Page, Result, Tokens, limits};

/// A session and where in the tree it is.
///
/// ```
/// use forebear::{Event, Scope, SessionReads};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("user_message").session("s"))?;
/// store.append(Event::new("user_message").session("s").instance("agent").scope(Scope::Own))?;
/// let tree = store.snapshot().session_tree("s").page()?.items;
/// assert_eq!((tree[0].total.sessions, tree[0].total.events), (2, 2));
/// assert_eq!((tree[1].below, tree[1].path.as_str()), (1, "s.s/agent"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionNode {
    /// The session.
    pub session: Session,
    /// How it belongs to the one above it; none for the one asked for.
    pub relationship: Option<StoredRelationship>,
    /// Sessions between it and the one asked for, itself counted.
    pub below: u64,
    /// The names of the sessions from its root down to it, with points between them.
    pub path: String,
    /// What it and all below it come to.
    pub total: SessionTotal,
}

/// What several sessions come to.
///
/// An example is at [`SessionNode`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionTotal {
    /// How many there are.
    pub sessions: u64,
    /// Their events.
    pub events: u64,
    /// How many of those are errors.
    pub errors: u64,
    /// What their messages took, each counted once, in however many of them it is told.
    pub tokens: Tokens,
    /// Whether messages may count twice: of a session whose events have all expired only
    /// a sum is left.
    pub may_count_twice: bool,
}

/// How far below its root a session is.
///
/// ```
/// use forebear::{Relationship, SessionReads, SessionWrites};
///
/// let store = forebear::in_memory()?;
/// store.relate(Relationship::new("root", "child"))?;
/// store.relate(Relationship::new("child", "grandchild"))?;
/// let place = store.snapshot().session_place("grandchild")?;
/// assert_eq!((place.depth, place.path.as_str()), (2, "root.child.grandchild"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPlace {
    /// Sessions above it.
    pub depth: u64,
    /// The topmost of them; its own name where there is none.
    pub root: String,
    /// Their names from the root down, and its own, with points between them.
    pub path: String,
    /// Whether the way up leads in a circle; then it counts as far as it goes without
    /// meeting a session again.
    pub cycle: bool,
}

/// What one session took.
///
/// ```
/// use forebear::{Event, Scope, SessionFilter, SessionReads};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("error").session("s").instance("agent").scope(Scope::Own))?;
/// let metrics = store.snapshot().session_metrics(SessionFilter::new()).page()?.items;
/// assert_eq!((metrics[1].id.as_str(), metrics[1].depth, metrics[1].errors), ("s/agent", 1, 1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionMetrics {
    /// The session.
    pub id: String,
    /// From its start to its end.
    pub duration: Option<Duration>,
    /// Agents of its own.
    pub agents: u64,
    /// What its messages took.
    pub tokens: Tokens,
    /// Its events.
    pub events: u64,
    /// How many of them are errors.
    pub errors: u64,
    /// Sessions above it.
    pub depth: u64,
    /// As [`SessionPlace::path`].
    pub path: String,
}

/// How much of a tree is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TreeOptions {
    pub(crate) max_depth: u64,
    pub(crate) liveness: Liveness,
}

/// A session, then those below it, each before those below it in turn. One that is
/// below several is shown below the first; siblings are not below each other. Each
/// page walks the tree anew, as far as [`limits::MAX_SESSION_TREE`] sessions.
pub(crate) fn tree(
    reads: &Reads<'_>,
    root: &str,
    options: TreeOptions,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<SessionNode, Position>> {
    let mut families = Families::of(reads);
    let found = walk(&mut families, root)?;
    // To itself or a sibling too, which are not below it.
    let leads_on = !families.child_names(root)?.is_empty();
    let mut page = Page::new(Vec::new(), None);
    let from = after.map_or(0, |last| last.at as usize);
    let above = place(reads, root)?.path;
    let mut path = Vec::new();
    let mut sessions = Vec::with_capacity(found.len());
    for below in &found {
        let above = families.known_parent(&below.name);
        sessions.push(find_below(reads, &below.name, above, options.liveness)?);
    }
    let totals = totals(reads, &found, &sessions)?;
    for (at, (below, known)) in found.into_iter().zip(sessions).enumerate() {
        path.truncate(below.depth as usize);
        path.push(if at == 0 { above.clone() } else { below.name.clone() });
        if at < from || below.depth > options.max_depth {
            continue;
        }
        if page.items.len() == limit {
            page.next = Some(Position::at(at as u64));
            break;
        }
        let relationship = below.relationship;
        let session = match known {
            Some(known) => known.session,
            // It is named, and nothing is known of it.
            None if relationship.is_some() || leads_on => Session::unknown(&below.name),
            None => continue,
        };
        page.items.push(SessionNode {
            session,
            relationship,
            below: below.depth,
            path: path.join("."),
            total: totals[at],
        });
    }
    Ok(page)
}

/// How far below its root a session is.
pub(crate) fn place(reads: &Reads<'_>, name: &str) -> Result<SessionPlace> {
    let mut names = vec![name.to_owned()];
    let mut seen: HashSet<String, RandomState> = names.iter().cloned().collect();
    let mut cycle = false;
    let liveness = Liveness::as_of(0);
    while names.len() <= limits::MAX_SESSION_DEPTH
        && let Some(last) = names.last()
    {
        let parent = find(reads, last, liveness)?.and_then(|known| known.session.parent);
        let parent = match parent {
            Some(parent) => parent,
            // Nothing is known of it but relationships.
            None => match crate::session::stated_parent(reads, last)? {
                Some(parent) => parent,
                None => break,
            },
        };
        if !seen.insert(parent.clone()) {
            cycle = true;
            break;
        }
        names.push(parent);
    }
    let depth = names.len() as u64 - 1;
    names.reverse();
    let root = names.first().cloned().unwrap_or_default();
    Ok(SessionPlace { depth, root, path: names.join("."), cycle })
}

/// What sessions took, a page as the filter says.
pub(crate) fn metrics(reads: &Reads<'_>, session: Session) -> Result<SessionMetrics> {
    let SessionPlace { depth, path, .. } = place(reads, &session.id)?;
    let duration = session.duration();
    let Session { id, agents, tokens, events, errors, .. } = session;
    Ok(SessionMetrics { id, duration, agents, tokens, events, errors, depth, path })
}

/// What each session and all below it come to. O(messages · depth).
fn totals(
    reads: &Reads<'_>,
    found: &[SessionBelow],
    sessions: &[Option<ReadSession>],
) -> Result<Vec<SessionTotal>> {
    let mut totals: Vec<SessionTotal> = vec![SessionTotal::default(); found.len()];
    // Of each session whose total is not made up yet: its messages, and what is left of
    // those that are no longer told apart.
    let mut open: Vec<Option<(Union, Tokens)>> = Vec::new();
    open.resize_with(found.len(), || None);
    for at in (0..found.len()).rev() {
        let (mut union, mut settled) = open[at].take().unwrap_or_default();
        if let Some(known) = &sessions[at] {
            totals[at].add(SessionTotal {
                sessions: 1,
                events: known.session.events,
                errors: known.session.errors,
                ..SessionTotal::default()
            });
            if known.tokens_stated {
                settled = settled.plus(known.session.tokens);
            } else if let Some(value) = reads.sessions.get(&found[at].name)? {
                let (messages, rest) = value::read_messages(&value)?;
                totals[at].may_count_twice |= rest != Tokens::default();
                settled = settled.plus(rest);
                union.join(Union::of(messages));
            }
        }
        totals[at].tokens = union.sum().plus(settled);
        if let Some(parent) = found[at].parent {
            let own = totals[at];
            totals[parent].add(own);
            let (above, sum) = open[parent].get_or_insert_default();
            above.join(union);
            *sum = sum.plus(settled);
        }
    }
    Ok(totals)
}

impl SessionTotal {
    fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.events += other.events;
        self.errors += other.errors;
        self.may_count_twice |= other.may_count_twice;
    }
}

/// A session that was found below another.
struct SessionBelow {
    name: String,
    relationship: Option<StoredRelationship>,
    /// Where in the list the one above is.
    parent: Option<usize>,
    depth: u64,
}

/// The sessions of a tree in the order in which they are shown.
fn walk(families: &mut Families<'_>, root: &str) -> Result<Vec<SessionBelow>> {
    let mut found: Vec<SessionBelow> = Vec::new();
    let mut seen: HashSet<String, RandomState> = HashSet::default();
    seen.insert(root.to_owned());
    let mut open =
        vec![SessionBelow { name: root.to_owned(), relationship: None, parent: None, depth: 0 }];
    while let Some(next) = open.pop() {
        let at = found.len();
        if at == limits::MAX_SESSION_TREE {
            break;
        }
        let (name, depth) = (next.name.clone(), next.depth + 1);
        found.push(next);
        for child in families.child_names(&name)?.into_iter().rev() {
            if seen.contains(&child) {
                continue;
            }
            let relationship = families.relationship(&name, &child)?;
            let sibling = RelationshipType::Sibling;
            if relationship.as_ref().is_none_or(|found| found.relationship_type == sibling) {
                continue;
            }
            seen.insert(child.clone());
            open.push(SessionBelow { name: child, relationship, parent: Some(at), depth });
        }
    }
    Ok(found)
}
