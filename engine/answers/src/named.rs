//! What a name is of: an event, a session, an agent of one.

use forebear_core::{CountBy, Detail, EventId, Filter, Resolved, Result, Snapshot, StoredEvent};
use forebear_sessions::SessionReads as _;

/// What a name is of, as people type it: whole, or the beginning of one.
///
/// An example is at [`find_named`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Named {
    /// An event.
    Event(EventId),
    /// A session; of an agent, `SESSION/AGENT`.
    Session(String),
    /// Several events begin so: some of them.
    Events(Vec<EventId>),
    /// Several sessions begin so: some of them.
    Sessions(Vec<String>),
    /// Neither an event nor a session begins so.
    Nothing,
}

/// What a name is of. A session that is named in full goes before events that begin so, and
/// those before sessions that do.
///
/// O(log events), and O(sessions) for the beginning of a session's name.
///
/// ```
/// use forebear::Event;
/// use forebear::answers::{Named, find_named};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("step").id("e").session("nightly/build").instance("worker"))?;
/// let snapshot = store.snapshot();
/// assert_eq!(find_named(&snapshot, "e")?, Named::Event("e".into()));
/// assert_eq!(find_named(&snapshot, "night")?, Named::Session("nightly/build".into()));
/// let worker = "nightly/build/worker".to_owned();
/// assert_eq!(find_named(&snapshot, &worker)?, Named::Session(worker));
/// assert_eq!(find_named(&snapshot, "weekly")?, Named::Nothing);
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn find_named(snapshot: &Snapshot, name: &str) -> Result<Named> {
    if Whose::named(snapshot, name)?.is_some() {
        return Ok(Named::Session(name.to_owned()));
    }
    match snapshot.resolve(name)? {
        Resolved::One(id) => return Ok(Named::Event(id)),
        Resolved::Many(ids) => return Ok(Named::Events(ids)),
        Resolved::None => {}
    }
    if name.is_empty() {
        return Ok(Named::Nothing);
    }
    let mut begun = sessions_beginning(snapshot, name)?;
    Ok(match begun.len() {
        0 => Named::Nothing,
        1 => Named::Session(begun.swap_remove(0)),
        _ => Named::Sessions(begun),
    })
}

/// What [`find_session`] finds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamedSession {
    /// A session; of an agent, `SESSION/AGENT`.
    One(String),
    /// Several sessions begin so.
    Several(Vec<String>),
    /// Several events begin so, and no session: some of them.
    Events(Vec<EventId>),
    /// An event that is of no session.
    EventWithout(EventId),
    /// Nothing has the name.
    Nothing,
}

/// The session that is meant by a name: one that is named in full, be it one of which only
/// relationships are known; an agent's, `SESSION/AGENT` with the beginning of its session;
/// else the one that begins so; else that of the event which has the id or begins so.
///
/// O(log events), and O(sessions) for the beginning of a name.
///
/// ```
/// use forebear::Event;
/// use forebear::answers::{NamedSession, find_session};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("step").id("night-1").session("nightly").instance("worker"))?;
/// let snapshot = store.snapshot();
/// // The beginning of a session's name goes before the id of an event.
/// let nightly = NamedSession::One("nightly".into());
/// assert_eq!(find_session(&snapshot, "night")?, nightly);
/// assert_eq!(find_session(&snapshot, "night-1")?, nightly);
/// let worker = NamedSession::One("nightly/worker".into());
/// assert_eq!(find_session(&snapshot, "night/worker")?, worker);
/// assert_eq!(find_session(&snapshot, "weekly")?, NamedSession::Nothing);
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn find_session(snapshot: &Snapshot, name: &str) -> Result<NamedSession> {
    if name.is_empty() {
        return Ok(NamedSession::Nothing);
    }
    if is_session(snapshot, name)? {
        return Ok(NamedSession::One(name.to_owned()));
    }
    let mut begun = sessions_beginning(snapshot, name)?;
    if begun.is_empty()
        && let Some((begin, agent)) = name.split_once('/')
        && let [session] = &*sessions_beginning(snapshot, begin)?
    {
        let whole = format!("{session}/{agent}");
        if is_session(snapshot, &whole)? {
            return Ok(NamedSession::One(whole));
        }
    }
    match begun.len() {
        0 => {}
        1 => return Ok(NamedSession::One(begun.swap_remove(0))),
        _ => return Ok(NamedSession::Several(begun)),
    }
    Ok(match snapshot.resolve(name)? {
        Resolved::One(id) => {
            let event = snapshot.get(&id)?;
            match event.as_ref().and_then(StoredEvent::session) {
                Some(session) => NamedSession::One(session.to_owned()),
                None => NamedSession::EventWithout(id),
            }
        }
        Resolved::Many(ids) => NamedSession::Events(ids),
        Resolved::None => NamedSession::Nothing,
    })
}

/// The events of the session, or of the agent, `SESSION/AGENT`, with this very name.
///
/// ```
/// use forebear::Event;
/// use forebear::answers::session_filter;
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("step").session("nightly").instance("worker"))?;
/// store.append(Event::new("step").session("nightly"))?;
/// let snapshot = store.snapshot();
/// let filter = session_filter(&snapshot, "nightly/worker")?;
/// assert_eq!(snapshot.events(&filter).page()?.items.len(), 1);
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn session_filter(snapshot: &Snapshot, name: &str) -> Result<Filter> {
    let whose = Whose::named(snapshot, name)?;
    Ok(whose.unwrap_or(Whose::Session(name)).filter())
}

/// Whether anything is known of the session or the agent with this very name.
fn is_session(snapshot: &Snapshot, name: &str) -> Result<bool> {
    Ok(Whose::named(snapshot, name)?.is_some()
        || snapshot.session(name)?.is_some()
        || !snapshot.session_children(name).limit(1).page()?.items.is_empty())
}

/// The sessions whose names begin so.
fn sessions_beginning(snapshot: &Snapshot, start: &str) -> Result<Vec<String>> {
    let mut begun = Vec::new();
    for count in &snapshot.counts(CountBy::Session, Filter::new()) {
        let session = count?.value;
        if session.starts_with(start) {
            begun.push(session);
        }
        if begun.len() == NAMED_MAX {
            break;
        }
    }
    Ok(begun)
}

/// Whose events an answer looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose<'n> {
    Session(&'n str),
    Agent {
        session: &'n str,
        instance: &'n str,
    },
    /// Those of an instance that are of no session.
    Instance(&'n str),
}

impl<'n> Whose<'n> {
    /// Those of the session or of the agent, `SESSION/AGENT`, with this name; none where
    /// nothing is stored of it. Both names may have slashes in them.
    pub(crate) fn named(snapshot: &Snapshot, name: &'n str) -> Result<Option<Self>> {
        let slashes = name.match_indices('/').map(|(at, _)| at);
        let agents = slashes
            .map(|at| Self::Agent { session: &name[..at], instance: &name[at + 1..] })
            .filter(|agent| !matches!(agent, Self::Agent { instance: "", .. }));
        for whose in std::iter::once(Self::Session(name)).chain(agents) {
            let query = snapshot.events(whose.filter()).limit(1).detail(Detail::Ids);
            if !query.page()?.items.is_empty() {
                return Ok(Some(whose));
            }
        }
        Ok(None)
    }

    /// Those that an event is one of: its session's, else its instance's.
    pub(crate) fn of(event: &'n StoredEvent) -> Self {
        match event.session() {
            Some(session) => Self::Session(session),
            None => Self::Instance(event.instance()),
        }
    }

    pub(crate) fn filter(self) -> Filter {
        match self {
            Self::Session(session) => Filter::new().session(session),
            Self::Agent { session, instance } => Filter::new().session(session).instance(instance),
            Self::Instance(instance) => Filter::new().instance(instance),
        }
    }

    /// Whether an event that the filter takes is one of them.
    pub(crate) fn takes(self, event: &StoredEvent) -> bool {
        !matches!(self, Self::Instance(_)) || event.session().is_none()
    }

    /// Whose steps are those of the whole.
    pub(crate) fn root(self) -> &'n str {
        match self {
            Self::Session(name) | Self::Agent { instance: name, .. } | Self::Instance(name) => name,
        }
    }
}

/// Sessions that begin alike which are named at most.
const NAMED_MAX: usize = 100;
