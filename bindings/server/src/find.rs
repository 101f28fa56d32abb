//! Events and sessions by their names, or by beginnings of those.

use forebear::answers::{Named, find_named};
use forebear::{EventId, Resolved, SessionReads, Snapshot};
use hyper::StatusCode;

use crate::failure::{HttpFailure, HttpResult};

/// What a name of one event or session is of.
pub(crate) enum NamedThing {
    Event(EventId),
    Session(String),
}

/// The one event that the text names or begins.
pub(crate) fn event(snapshot: &Snapshot, text: &str) -> HttpResult<EventId> {
    match snapshot.resolve(text)? {
        Resolved::One(id) => Ok(id),
        Resolved::Many(ids) => Err(several("ids", text, ids.iter())),
        Resolved::None => Err(HttpFailure::missing(format!(
            "no event has the id {text:?} or a UUID that begins with it; /api/events lists some"
        ))),
    }
}

/// The one session that the text names or begins.
pub(crate) fn session(snapshot: &Snapshot, text: &str) -> HttpResult<String> {
    let known = snapshot.session(text)?.is_some();
    if known {
        return Ok(text.to_owned());
    }
    match event_or_session(snapshot, text)? {
        NamedThing::Session(name) => Ok(name),
        NamedThing::Event(id) => {
            let event = snapshot.get(&id)?;
            let session = event.as_ref().and_then(|event| event.session());
            session
                .map(str::to_owned)
                .ok_or_else(|| HttpFailure::missing(format!("the event {id} is of no session")))
        }
    }
}

/// The session that the text names or begins; where there is none, the text, which matches
/// nothing.
pub(crate) fn session_or_as_it_is(snapshot: &Snapshot, text: &str) -> HttpResult<String> {
    match find_named(snapshot, text)? {
        Named::Session(name) => Ok(name),
        Named::Sessions(many) => Err(several("sessions", text, many.iter())),
        _ => Ok(text.to_owned()),
    }
}

/// The one event or session that the text names or begins.
pub(crate) fn event_or_session(snapshot: &Snapshot, text: &str) -> HttpResult<NamedThing> {
    match find_named(snapshot, text)? {
        Named::Event(id) => Ok(NamedThing::Event(id)),
        Named::Session(name) => Ok(NamedThing::Session(name)),
        Named::Events(ids) => Err(several("ids", text, ids.iter())),
        Named::Sessions(many) => Err(several("sessions", text, many.iter())),
        _ => Err(HttpFailure::missing(format!(
            "no event and no session has the name {text:?} or one that begins with it; \
             /api/sessions and /api/events list some"
        ))),
    }
}

fn several(of: &str, text: &str, found: impl Iterator<Item = impl ToString>) -> HttpFailure {
    let listed: Vec<_> = found.take(LISTED_MAX).map(|name| name.to_string()).collect();
    HttpFailure::new(
        StatusCode::CONFLICT,
        format!(
            "several {of} begin with {text:?}; give more of the one you mean: {}",
            listed.join(", ")
        ),
    )
}

/// Names that are listed where a beginning fits several.
const LISTED_MAX: usize = 20;
