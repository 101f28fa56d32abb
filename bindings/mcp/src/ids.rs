//! Ids as short as they can be and still be found by.

use std::cell::RefCell;
use std::collections::HashMap;

use forebear::{EventId, Resolved, Snapshot};
use forebear_wire::id;
use serde_json::Value;

use crate::failure::{Answered, refused};
use crate::question::Question;

/// Shortens ids of events, each as long as no other event's id begins so.
pub(crate) struct Ids<'a> {
    snapshot: &'a Snapshot,
    /// Ids that were shortened before.
    known: RefCell<HashMap<EventId, String>>,
    shortens: bool,
}

impl<'a> Ids<'a> {
    /// Of the events of this moment.
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        let shortens = snapshot.segments().len() <= SEGMENTS_MAX;
        Self { snapshot, known: RefCell::default(), shortens }
    }

    /// The beginning of the id that only this event has; all of an id that is text, and of
    /// one that is not stored.
    pub(crate) fn short(&self, id: &EventId) -> forebear::Result<String> {
        let Some(begin) = id::short_uuid(id).filter(|_| self.shortens) else {
            return Ok(id.to_string());
        };
        if let Some(known) = self.known.borrow().get(id) {
            return Ok(known.clone());
        }
        let short = match self.snapshot.resolve(&begin)? {
            Resolved::One(found) if found == *id => begin,
            _ => id.to_string(),
        };
        self.known.borrow_mut().insert(id.clone(), short.clone());
        Ok(short)
    }

    /// Shortens the ids of events in a value: the texts of the members that hold one.
    pub(crate) fn shorten(&self, value: &mut Value) -> forebear::Result<()> {
        match value {
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.shorten(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(id) if ID_MEMBERS.contains(&name.as_str()) => {
                            *id = self.short(&EventId::from(id.as_str()))?;
                        }
                        Value::Object(_) | Value::Array(_) => self.shorten(member)?,
                        _ => {}
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The one event that the text names or begins.
    pub(crate) fn find(&self, question: &Question<'_>, text: &str) -> Answered<EventId> {
        match self.snapshot.resolve(text.trim())? {
            Resolved::One(id) => Ok(id),
            Resolved::None => refused(format!(
                "no event has the id {text:?} or one that begins with it; ids come from \
                 search_events, get_failure_chain and the other tools"
            )),
            Resolved::Many(ids) => {
                let mut words =
                    format!("{text:?} begins the ids of {} events; give one of them:", ids.len());
                for id in ids.iter().take(LISTED_MAX) {
                    if let Some(event) = self.snapshot.get(id)? {
                        let (_, line) = question.event(&event, false)?;
                        // The whole id: its beginning is what did not suffice.
                        words = format!("{words}\n{id}  {line}");
                    }
                }
                refused(words)
            }
        }
    }
}

/// Members of the engine's JSON that hold the id of an event.
const ID_MEMBERS: &[&str] =
    &["id", "parent", "root", "event", "call", "result", "request", "decided_by"];

/// Events that are listed where a beginning fits several.
const LISTED_MAX: usize = 8;

/// Segments up to which it costs little to make sure that no other id begins so.
const SEGMENTS_MAX: usize = 64;
