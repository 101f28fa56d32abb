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
use forebear_core::listing::{Detailed, Events, Listing, Ordered, Parameters, Position};
use forebear_core::{Detail, Filter, Page, Result, Scope, Snapshot, StoredEvent};

/// An event, the session that it belongs to, and how that belongs to the one above it.
///
/// ```
/// use forebear::{Event, Filter, RelationshipType, Scope, SessionReads};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("user_message").session("s").time_ns(1))?;
/// store.append(Event::new("thinking").session("s").instance("agent").scope(Scope::Own).time_ns(2))?;
/// let timeline = store.snapshot().session_timeline("s", Filter::new()).oldest_first().page()?.items;
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
/// agents. Asked by
/// [`session_timeline`](crate::SessionReads::session_timeline).
#[derive(Clone, Debug)]
pub struct SessionTimeline {
    snapshot: Snapshot,
    session: String,
    filter: Filter,
    oldest_first: bool,
    detail: Detail,
}

impl SessionTimeline {
    pub(crate) fn new(snapshot: Snapshot, session: String, filter: Filter) -> Self {
        Self { snapshot, session, filter, oldest_first: false, detail: Detail::default() }
    }

    /// The events, whatever they are joined with.
    fn events(&self, reads: &Reads<'_>) -> Result<Events> {
        let name = &self.session;
        let agent = reads.head(name)?.filter(|head| head.parent_len > 0);
        let filter = match agent.and_then(|head| name.split_at_checked(head.parent_len)) {
            Some((session, agent)) => {
                let agent = agent.strip_prefix('/').unwrap_or(agent);
                self.filter.clone().session(session).instance(agent)
            }
            None => self.filter.clone().session(name),
        };
        let mut events = self.snapshot.events(filter).detail(self.detail);
        if self.oldest_first {
            events = events.oldest_first();
        }
        Ok(events.into_listing())
    }
}

impl Listing for SessionTimeline {
    type Item = TimelineEntry;
    const NAME: &'static str = "session-timeline";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.text(&self.session);
        let mut events = self.snapshot.events(&self.filter);
        if self.oldest_first {
            events = events.oldest_first();
        }
        events.into_listing().parameters(parameters);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<TimelineEntry, Position>> {
        let reads = Reads::of(&self.snapshot)?;
        let is_agent = reads.head(&self.session)?.is_some_and(|head| head.parent_len > 0);
        let Page { items, next, damaged } = self.events(&reads)?.read(after, limit)?;
        let mut known: HashMap<String, Option<Joined>, RandomState> = HashMap::default();
        let mut page = Page::new(Vec::with_capacity(items.len()), next).with_damaged(damaged);
        for event in items {
            let session = event.session().unwrap_or_default();
            let own_scope = event.scope() == Scope::Own;
            let Some((name, _)) = session_of(session, event.instance(), own_scope) else {
                continue;
            };
            // The instance of an agent may have worked for the session itself too.
            if is_agent && name != self.session {
                continue;
            }
            if !known.contains_key(&name) {
                let joined = join(&reads, &name, Liveness::default())?;
                known.insert(name.clone(), joined);
            }
            if let Some(Some((session, relationship))) = known.get(&name) {
                let (session, relationship) = (Arc::clone(session), relationship.clone());
                page.items.push(TimelineEntry { event, session, relationship });
            }
        }
        Ok(page)
    }
}

impl Detailed for SessionTimeline {
    fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }
}

impl Ordered for SessionTimeline {
    fn set_oldest_first(&mut self) {
        self.oldest_first = true;
    }
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
