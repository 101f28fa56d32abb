//! Alerts as they are told.

use forebear::answers::Alert;
use forebear::{EventId, Time};
use serde::Serialize;

/// An alert: `id` (of the event that `watch --alert` stores), `rule`, `about` (the session, wave
/// or file), `event` (that decided it, or null), `time`, `text`.
#[derive(Debug, Serialize)]
pub struct AlertLine<'a> {
    id: EventId,
    rule: String,
    about: &'a str,
    event: Option<&'a EventId>,
    time: Time,
    text: &'a str,
}

impl<'a> From<&'a Alert> for AlertLine<'a> {
    fn from(alert: &'a Alert) -> Self {
        Self {
            id: alert.id(),
            rule: alert.rule.to_string(),
            about: &alert.subject,
            event: alert.event.as_ref(),
            time: Time::from_ns(alert.time_ns),
            text: &alert.text,
        }
    }
}
