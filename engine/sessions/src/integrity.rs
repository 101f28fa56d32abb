//! What is wrong with relationships, and how soon children came.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::list::scan;
use crate::reads::Reads;
use crate::related;
use crate::relationship::{BELOW, StoredRelationship};
use crate::session::{Liveness, find};
use crate::tree::place;
use forebear_core::listing::Position;
use forebear_core::{Page, Result};

/// Something that is wrong with how sessions belong together.
///
/// ```
/// use forebear::{Relationship, SessionProblem, SessionReads, SessionWrites};
///
/// let store = forebear::in_memory()?;
/// store.relate(Relationship::new("s", "s"))?;
/// let problems = store.snapshot().session_problems().page()?.items;
/// assert!(problems.contains(&SessionProblem::SelfReference { session: "s".into() }));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SessionProblem {
    /// A session is said to come from itself.
    SelfReference {
        /// The session.
        session: String,
    },
    /// Nothing is known of the child of a relationship but that.
    UnknownChild {
        /// The parent that was named.
        parent: String,
        /// The child.
        child: String,
    },
    /// The way from a session up leads in a circle.
    Cycle {
        /// The session.
        session: String,
    },
    /// Two sessions have the same path: a name has a point in it.
    DuplicatePath {
        /// One of them.
        session: String,
        /// Another one, which was met before.
        other: String,
        /// The path.
        path: String,
    },
}

/// How a session came out of another.
///
/// ```
/// use std::time::Duration;
/// use forebear::{Event, LinkKind, Scope, SessionReads};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("tool_use").id("call").session("s").time_ns(10))?;
/// let agent = Event::new("thinking").session("s").instance("agent").scope(Scope::Own).time_ns(30);
/// store.append(agent.parent("call").link(LinkKind::Spawned))?;
/// let children = store.snapshot().session_correlations("s").page()?.items;
/// assert_eq!(children[0].spawn_delay, Some(Duration::from_nanos(20)));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionCorrelation {
    /// How the two belong together, and why.
    pub relationship: StoredRelationship,
    /// From when the relationship was made to the child's start, where both are known.
    pub spawn_delay: Option<Duration>,
    /// From the child's start to its end.
    pub child_duration: Option<Duration>,
}

/// How soon the children of a session came and how long they took, a page as
/// [`related::children`] gives it.
pub(crate) fn correlations(
    reads: &Reads<'_>,
    parent: &str,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<SessionCorrelation, Position>> {
    let Page { items, next, damaged } = related::children(reads, parent, after, limit)?;
    let mut page = Page::new(Vec::with_capacity(items.len()), next).with_damaged(damaged);
    for relationship in items {
        let child = find(reads, &relationship.child, Liveness::as_of(0))?;
        let child = child.map(|known| known.session);
        let start = child.as_ref().and_then(|child| child.start_ns);
        let delay = start.zip(relationship.created_ns).map(|(start, created)| {
            let delay = (i128::from(start) - i128::from(created)).max(0);
            Duration::from_nanos(u64::try_from(delay).unwrap_or(u64::MAX))
        });
        page.items.push(SessionCorrelation {
            relationship,
            spawn_delay: delay,
            child_duration: child.and_then(|child| child.duration()),
        });
    }
    Ok(page)
}

/// All that is wrong, in order. O(sessions and relationships) each page, and in
/// memory a digest of the path of each session.
pub(crate) fn problems(
    reads: &Reads<'_>,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<SessionProblem, Position>> {
    let mut found = of_relationships(reads)?;
    found.extend(of_paths(reads)?);
    found.sort_unstable();
    found.dedup();
    let from = after.map_or(0, |last| last.at as usize).min(found.len());
    let mut items = found.split_off(from);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = more.then(|| Position::at((from + items.len()) as u64));
    Ok(Page::new(items, next))
}

fn of_relationships(reads: &Reads<'_>) -> Result<Vec<SessionProblem>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let keys = reads.relationships.keys(after.as_deref(), KEYS)?;
        let Some(last) = keys.last().cloned() else { return Ok(found) };
        for key in keys {
            let ends = key.strip_prefix(BELOW).and_then(|ends| ends.split_once('\0'));
            let Some((parent, child)) = ends else { continue };
            if parent == child {
                found.push(SessionProblem::SelfReference { session: child.to_owned() });
            }
            // Relationships of a session that is not there lead up to it all the same.
            if reads.sessions.get(child)?.is_none() {
                let (parent, child) = (parent.to_owned(), child.to_owned());
                if place(reads, &child)?.cycle {
                    found.push(SessionProblem::Cycle { session: child.clone() });
                }
                found.push(SessionProblem::UnknownChild { parent, child });
            }
        }
        after = Some(last);
    }
}

fn of_paths(reads: &Reads<'_>) -> Result<Vec<SessionProblem>> {
    let mut found = Vec::new();
    let mut paths: HashMap<[u8; 32], String, RandomState> = HashMap::default();
    scan(reads, Liveness::as_of(0), None, |known, _| {
        let session = known.session.id;
        let place = place(reads, &session)?;
        if place.cycle {
            found.push(SessionProblem::Cycle { session });
            return Ok(ControlFlow::Continue(()));
        }
        let digest = *blake3::hash(place.path.as_bytes()).as_bytes();
        if let Some(other) = paths.insert(digest, session.clone()) {
            let path = place.path;
            found.push(SessionProblem::DuplicatePath { session, other, path });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Keys that are looked at together.
const KEYS: usize = 1000;
