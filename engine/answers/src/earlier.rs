//! Where a failure of a sort was seen before.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use forebear_core::{Detail, EventId, Filter, Result, Snapshot, StoredEvent};
use forebear_readings::{Readings, keys};

use crate::budget::Meter;
use crate::signature;

/// Bytes of a failure's text that its first line is looked for in.
const LOOKED_AT_BYTES: usize = 8 << 10;

/// Failures of the same signature: the tool, and the first line of the error without
/// numbers, paths and digests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Earlier {
    /// What they have in common.
    pub signature: String,
    /// The oldest of them.
    pub first: EventId,
    /// When that was, in nanoseconds since the Unix epoch.
    pub first_ns: i64,
    /// The session that it is of.
    pub first_session: Option<String>,
    /// How many there are, the failure itself among them.
    pub count: u64,
    /// How many of them are of the failure's session.
    pub in_session: u64,
    /// How many sessions have one.
    pub sessions: u64,
    /// Whether all errors of the store were looked at.
    pub complete: bool,
}

/// Looks through the errors of the store, the newest first.
pub(crate) fn earlier(
    snapshot: &Snapshot,
    readings: &Readings,
    failure: &StoredEvent,
    tool: &str,
    line: &str,
    meter: &mut Meter,
) -> Result<Earlier> {
    let wanted = signature::of("", line);
    let mut found = Earlier {
        signature: signature::of(tool, line),
        first: failure.id().clone(),
        first_ns: failure.time_ns(),
        first_session: failure.session().map(str::to_owned),
        count: 1,
        in_session: 1,
        sessions: 0,
        complete: true,
    };
    let mut sessions: HashSet<String, RandomState> = HashSet::default();
    sessions.extend(failure.session().map(str::to_owned));
    let errors = Filter::new().errors().without_versions();
    for event in &snapshot.events(errors).limit(64).detail(Detail::Payload) {
        let event = match event {
            Ok(event) => event,
            Err(error) if error.is_damaged() => {
                found.complete = false;
                continue;
            }
            Err(error) => return Err(error),
        };
        if !meter.take(&event) {
            found.complete = false;
            break;
        }
        if event.id() == failure.id() || !is_alike(readings, &event, tool, &wanted) {
            continue;
        }
        found.count += 1;
        if event.session() == failure.session() {
            found.in_session += 1;
        }
        sessions.extend(event.session().map(str::to_owned));
        if event.time_ns() < found.first_ns {
            found.first = event.id().clone();
            found.first_ns = event.time_ns();
            found.first_session = event.session().map(str::to_owned);
        }
    }
    found.sessions = sessions.len() as u64;
    Ok(found)
}

fn is_alike(readings: &Readings, event: &StoredEvent, tool: &str, wanted: &str) -> bool {
    // Without the label it may be any tool's.
    if event.label(keys::TOOL).is_some_and(|other| !tool.is_empty() && other != tool) {
        return false;
    }
    let reading = readings.of(event);
    let line_is = |text: &str| signature::of("", signature::first_line(text)) == wanted;
    if reading.results.is_empty() {
        return line_is(&reading.error_words(LOOKED_AT_BYTES));
    }
    reading
        .results
        .iter()
        .any(|result| result.has_failed() && line_is(&result.text.start(LOOKED_AT_BYTES)))
}
