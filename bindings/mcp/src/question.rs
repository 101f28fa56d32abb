//! What a tool works with while it answers: one moment of the store, and how much room the
//! reply has.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use forebear::answers::{NamedSession, find_session};
use forebear::readings::Readings;
use forebear::{SessionFilter, SessionReads, Snapshot, StoredEvent};
use forebear_wire::redact::Redactor;
use forebear_wire::{cap, gist};
use serde_json::{Map, Value};

use crate::failure::{Answered, refused};
use crate::ids::Ids;
use crate::line;

/// What a tool works with.
pub(crate) struct Question<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) readings: &'a Readings,
    pub(crate) ids: Ids<'a>,
    redactor: RefCell<Redactor>,
    left: Cell<usize>,
}

impl<'a> Question<'a> {
    /// One whose reply is at most so long.
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        readings: &'a Readings,
        redactor: Redactor,
        max_bytes: usize,
    ) -> Self {
        let left = Cell::new(max_bytes.saturating_sub(ENVELOPE_BYTES));
        let (ids, redactor) = (Ids::new(snapshot), RefCell::new(redactor));
        Self { snapshot, readings, ids, redactor, left }
    }

    /// Bytes that the reply has left, both of its forms together.
    pub(crate) fn left(&self) -> usize {
        self.left.get()
    }

    /// Takes the room for a value and its line in the text; `false` where there is none.
    pub(crate) fn takes(&self, value: &Value, line: &str) -> bool {
        self.takes_bytes(cost(value, line))
    }

    /// As [`takes`](Self::takes) of what is told in any case: where there is no room for it,
    /// there is none for anything else.
    pub(crate) fn takes_or_fills(&self, value: &Value, line: &str) {
        if !self.takes(value, line) {
            self.left.set(0);
        }
    }

    /// Takes so many bytes of the room; `false` where there are fewer.
    pub(crate) fn takes_bytes(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        if let Some(left) = left {
            self.left.set(left);
        }
        left.is_some()
    }

    /// Takes secrets out of a text.
    pub(crate) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.redactor.borrow_mut().text(text)
    }

    /// Takes secrets out of a value.
    pub(crate) fn redact_value(&self, value: &mut Value) {
        self.redactor.borrow_mut().json(value);
    }

    /// How many secrets were taken out.
    pub(crate) fn redacted(&self) -> u64 {
        self.redactor.borrow().count()
    }

    /// An event as a value and as a line. In full it has all keys of the engine's JSON, else
    /// those that say what happened and why; its gist stands for the payload.
    pub(crate) fn event(&self, event: &StoredEvent, full: bool) -> Answered<(Value, String)> {
        let json = event.json().payload(false);
        // No event is refused: its keys are texts.
        let mut value = serde_json::to_value(json).unwrap_or_default();
        self.redact_value(&mut value);
        self.ids.shorten(&mut value)?;
        let is_error = is_error(event);
        let gist = gist::of_event(event);
        let gist = cap::start(&self.redact(&gist), GIST_BYTES);
        if let Value::Object(members) = &mut value {
            if !full {
                make_brief(members);
            }
            if is_error {
                members.insert("is_error".to_owned(), true.into());
            }
            if let Some(payload) = event.payload().filter(|_| full) {
                members.insert("payload_bytes".to_owned(), payload.len().into());
            }
            members.insert("gist".to_owned(), gist.into());
        }
        let line = line::of_event(&value);
        Ok((value, line))
    }

    /// As [`event`](Self::event); one that stands `alone` is cut where there is no room for it:
    /// its labels go, and its names are shortened.
    pub(crate) fn draw(
        &self,
        event: &StoredEvent,
        full: bool,
        alone: bool,
    ) -> Answered<(Value, String)> {
        let (mut value, mut line) = self.event(event, full)?;
        if alone && cost(&value, &line) > self.left() {
            if let Value::Object(members) = &mut value {
                members.remove("labels");
                members.insert("labels_omitted".to_owned(), true.into());
                for name in ["instance", "session", "gist"] {
                    if let Some(Value::String(text)) = members.get_mut(name) {
                        *text = cap::start(text, SHORT_BYTES);
                    }
                }
            }
            line = cap::start(&line, SHORT_BYTES);
        }
        Ok((value, line))
    }

    /// The one session that the text names or begins, of an agent `SESSION/AGENT`; or that of
    /// the event which it does.
    pub(crate) fn session(&self, text: &str) -> Answered<String> {
        let text = text.trim();
        match find_session(self.snapshot, text)? {
            NamedSession::One(name) => Ok(name),
            NamedSession::Several(many) => {
                let listed = many.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join("\n");
                refused(format!(
                    "{text:?} begins the names of {} sessions; give one of them:\n{listed}",
                    many.len()
                ))
            }
            NamedSession::Events(ids) => refused(format!(
                "{text:?} begins no session's name, and the ids of {} events; list_sessions \
                 lists the sessions that there are",
                ids.len()
            )),
            NamedSession::EventWithout(id) => refused(format!(
                "the event {id} is of no session; list_sessions lists the sessions that there are"
            )),
            _ => refused(format!(
                "no session has the name {text:?} or one that begins with it; list_sessions \
                 lists them"
            )),
        }
    }

    /// As [`session`](Self::session); the newest where none is given.
    pub(crate) fn session_or_newest(&self, text: Option<&str>) -> Answered<String> {
        if let Some(text) = text {
            return self.session(text);
        }
        let newest = self.snapshot.sessions(SessionFilter::new()).limit(1).page()?;
        let Some(newest) = newest.items.into_iter().next() else {
            return refused("nothing of a session is stored yet: run `forebear import`");
        };
        Ok(newest.id)
    }
}

/// What a value and its line take in a reply.
pub(crate) fn cost(value: &Value, line: &str) -> usize {
    // A comma, and a line's end as an escape.
    cap::value_bytes(value) + 1 + cap::json_bytes(line) + 2
}

/// Keeps of an event's keys those that say what happened, and of them what is not usual.
pub(crate) fn make_brief(members: &mut Map<String, Value>) {
    members.retain(|name, value| match name.as_str() {
        "link" => value != "caused" && !value.is_null(),
        "parent" | "session" => !value.is_null(),
        "labels" | "root" | "depth" | "seq" | "payload_type" | "derived_id" => false,
        _ => true,
    });
    if members.get("instance") == members.get("session") {
        members.remove("instance");
    }
}

/// Whether an event tells of a failure.
pub(crate) fn is_error(event: &StoredEvent) -> bool {
    event.kind() == "error" || event.label("is_error") == Some("true")
}

/// Bytes around a reply's own: the message, cursors, counts and what ends the text.
const ENVELOPE_BYTES: usize = 700;

/// Bytes of an event's gist.
const GIST_BYTES: usize = 240;

/// Bytes of a text in an event that alone is too long for a reply.
const SHORT_BYTES: usize = 200;

/// Sessions that are listed where a beginning fits several.
const LISTED_MAX: usize = 20;
