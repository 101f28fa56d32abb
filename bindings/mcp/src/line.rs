//! Replies as a model reads them: a line for each event and session.

use forebear_wire::text;
use serde_json::Value;

/// An event on a line: time, kind, id, how it is linked where that is not usual, gist.
pub(crate) fn of_event(event: &Value) -> String {
    let mut line =
        format!("{}  {}  {}", seconds(event), member(event, "kind"), member(event, "id"));
    for word in ["spawned", "continues"] {
        if event["link"] == word {
            line = format!("{line}  ({word})");
        }
    }
    if event["is_error"] == true && event["kind"] != "error" {
        line.push_str("  ERROR");
    }
    let gist = member(event, "gist");
    if !gist.is_empty() {
        line = format!("{line}  {gist}");
    }
    text::clean(&line).into_owned()
}

/// A session on a line: start, status, name, title, and what it came to.
pub(crate) fn of_session(session: &Value) -> String {
    let start = session["start"].as_str().map_or("no time".to_owned(), without_fraction);
    let mut line = format!("{start}  {}  {}", member(session, "status"), member(session, "id"));
    if let Some(title) = session["title"].as_str() {
        line = format!("{line}  {title:?}");
    }
    for name in ["project", "model"] {
        if let Some(value) = session[name].as_str() {
            line = format!("{line}  {value}");
        }
    }
    for (name, one, many) in COUNTS {
        let count = session[name].as_u64().unwrap_or(0);
        if count > 0 {
            line = format!("{line}, {}", text::counted(count, one, many));
        }
    }
    text::clean(&line).into_owned()
}

/// The time of an event or a listed failure, to the second.
pub(crate) fn seconds(event: &Value) -> String {
    let time = event["time"].as_str().unwrap_or_default();
    without_fraction(time)
}

/// A member that is a text; empty where there is none.
pub(crate) fn member<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// RFC 3339 without the fraction of the second.
fn without_fraction(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

/// What is counted of a session.
const COUNTS: [(&str, &str, &str); 4] = [
    ("events", "event", "events"),
    ("errors", "error", "errors"),
    ("open_calls", "open call", "open calls"),
    ("agents", "agent", "agents"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_and_a_session_take_a_line() {
        let event = json!({
            "id": "5f0c", "kind": "tool_result", "time": "2026-03-01T12:00:00.12Z",
            "link": "spawned", "is_error": true, "gist": "no\u{1b}[31m such file",
        });
        assert_eq!(
            of_event(&event),
            "2026-03-01T12:00:00Z  tool_result  5f0c  (spawned)  ERROR  no␛[31m such file"
        );
        let session = json!({
            "id": "s", "status": "failed", "start": "2026-03-01T12:00:00Z", "title": "Fix it",
            "project": "/x", "model": null, "events": 1200, "errors": 1,
        });
        assert_eq!(
            of_session(&session),
            "2026-03-01T12:00:00Z  failed  s  \"Fix it\"  /x, 1,200 events, 1 error"
        );
    }
}
