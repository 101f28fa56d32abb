//! The events of a session and of its agents, each with the session that it belongs
//! to.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::reads::Reads;
use crate::reduce::session_of;
use crate::related::relationship;
use crate::relationship::StoredRelationship;
use crate::session::{Liveness, Session, find};
use forebear_core::{Filter, Page, Result, StoredEvent};

/// An event, the session that it belongs to, and how that belongs to the one above it.
///
/// ```
/// use forebear::{Event, Filter, RelationshipType, SessionReads};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("user_message").session("s").time_ns(1))?;
/// store.append(Event::new("thinking").session("s").instance("agent").time_ns(2))?;
/// let timeline = store.snapshot().session_timeline("s", &Filter::new().oldest_first())?.items;
/// assert_eq!(timeline[0].session.id, "s");
/// let relationship = timeline[1].relationship.as_ref().expect("an agent has one");
/// assert_eq!(relationship.relationship_type, RelationshipType::ParentChild);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TimelineEntry {
    /// The event.
    pub event: StoredEvent,
    /// The session that it belongs to.
    pub session: Arc<Session>,
    /// How that session belongs to the one that it comes from.
    pub relationship: Option<Arc<StoredRelationship>>,
}

/// The events that a filter takes of a session and, unless it is an agent's, of its
/// agents.
pub(crate) fn timeline(
    reads: &Reads<'_>,
    name: &str,
    filter: &Filter,
    liveness: Liveness,
) -> Result<Page<TimelineEntry>> {
    let agent = reads.head(name)?.filter(|head| head.parent_len > 0);
    let filter = match agent.and_then(|head| name.split_at_checked(head.parent_len)) {
        Some((session, agent)) => {
            filter.clone().session(session).instance(agent.strip_prefix('/').unwrap_or(agent))
        }
        None => filter.clone().session(name),
    };
    let events = reads.snapshot.events(&filter)?;
    let mut known: HashMap<String, Option<Joined>, RandomState> = HashMap::default();
    let mut page = Page { items: Vec::with_capacity(events.items.len()), next: events.next };
    for event in events.items {
        let session = event.session().unwrap_or_default();
        let Some((name, _)) = session_of(session, event.instance(), true) else { continue };
        if !known.contains_key(&name) {
            let joined = join(reads, &name, liveness)?;
            known.insert(name.clone(), joined);
        }
        if let Some(Some((session, relationship))) = known.get(&name) {
            let (session, relationship) = (Arc::clone(session), relationship.clone());
            page.items.push(TimelineEntry { event, session, relationship });
        }
    }
    Ok(page)
}

/// What an event is joined with.
type Joined = (Arc<Session>, Option<Arc<StoredRelationship>>);

fn join(reads: &Reads<'_>, name: &str, liveness: Liveness) -> Result<Option<Joined>> {
    let Some(known) = find(reads, name, liveness)? else { return Ok(None) };
    let relationship = match &known.session.parent {
        Some(parent) => relationship(reads, parent, name)?,
        None => None,
    };
    Ok(Some((Arc::new(known.session), relationship.map(Arc::new))))
}
