//! How `serde` writes answers. The keys are part of the interface.

use std::collections::BTreeMap;
use std::time::Duration;

use forebear_core::{EventId, EventJson, Time};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::cause::{Quote, WhyEnd};
use crate::earlier::Earlier;
use crate::outcome::Outcome;
use crate::resume::Resume;
use crate::why::{FailedCall, FailureReport, ListedFailure, Repair};

/// A length of time in nanoseconds.
pub(crate) fn ns<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(crate) fn ns_if_any<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => ns(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// A time as all times of events are written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
pub(crate) fn time<S: Serializer>(ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    Time::from_ns(*ns).serialize(serializer)
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One object: `session`, `failure`, `call`, `decision`, `request`, `earlier`, `outcome`,
/// `decided_by`, `repaired_by`, `retries`, `end`, `errors`, `counts`, `complete`; null where
/// there is none. Events come without their payloads.
impl Serialize for FailureReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let chain = self.failure.as_deref();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("session", &self.session)?;
        map.serialize_entry(
            "failure",
            &chain.map(|chain| ToldText {
                event: chain.failure.json().payload(false),
                tool: chain.call.as_ref().map(|call| call.tool.as_str()),
                target: None,
                input: None,
                text: Some(&chain.text),
                exit_code: chain.exit_code,
                minor: Some(chain.minor),
                thought: None,
            }),
        )?;
        map.serialize_entry("call", &chain.and_then(|chain| chain.call.as_ref()))?;
        map.serialize_entry("decision", &chain.and_then(|chain| chain.decision.as_ref()))?;
        map.serialize_entry("request", &chain.and_then(|chain| chain.request.as_ref()))?;
        map.serialize_entry("earlier", &chain.and_then(|chain| chain.earlier.as_ref()))?;
        map.serialize_entry("outcome", &chain.and_then(|chain| chain.outcome))?;
        map.serialize_entry("decided_by", &chain.and_then(|chain| chain.decided_by.as_ref()))?;
        map.serialize_entry("repaired_by", &chain.and_then(|chain| chain.repaired_by.as_ref()))?;
        map.serialize_entry("retries", &chain.map(|chain| chain.retries))?;
        map.serialize_entry("end", &chain.map(|chain| &chain.end))?;
        map.serialize_entry("errors", &self.all)?;
        let outcomes = [
            Outcome::Repaired,
            Outcome::Interrupted,
            Outcome::Open,
            Outcome::Answered,
            Outcome::Passed,
        ];
        let counts: BTreeMap<_, _> =
            outcomes.map(|outcome| (outcome.as_str(), self.count(outcome))).into();
        map.serialize_entry("counts", &counts)?;
        map.serialize_entry("complete", &self.complete)?;
        map.end()
    }
}

impl Serialize for Resume {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct ResumeFields<'a> {
            session: &'a str,
            text: &'a str,
            left_out: BTreeMap<&'static str, usize>,
            complete: bool,
        }
        let Self { session, text, left_out, complete } = self;
        let left_out = left_out.iter().copied().collect();
        ResumeFields { session, text, left_out, complete: *complete }.serialize(serializer)
    }
}

/// An event by its own keys, and what is told of it.
#[derive(Serialize)]
struct ToldText<'a> {
    #[serde(flatten)]
    event: EventJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minor: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
}

impl Serialize for FailedCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ToldText {
            event: self.event.json().payload(false),
            tool: Some(&self.tool),
            target: self.target.as_deref(),
            input: Some(&self.input),
            text: None,
            exit_code: None,
            minor: None,
            thought: None,
        }
        .serialize(serializer)
    }
}

impl Serialize for Quote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ToldText {
            event: self.event.json().payload(false),
            tool: None,
            target: None,
            input: None,
            text: Some(&self.text),
            exit_code: None,
            minor: None,
            thought: Some(self.thought),
        }
        .serialize(serializer)
    }
}

impl Serialize for Repair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct RepairFields<'a> {
            event: &'a EventId,
            call: Option<&'a EventId>,
            bypass: bool,
        }
        let Self { event, call, bypass } = self;
        RepairFields { event, call: call.as_ref(), bypass: *bypass }.serialize(serializer)
    }
}

impl Serialize for WhyEnd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct WhyEndFields<'a> {
            kind: &'static str,
            parent: Option<&'a EventId>,
            id: &'a EventId,
            steps: u64,
            by_time: bool,
        }
        let Self { kind, parent, top, steps, by_time } = self;
        WhyEndFields { kind, parent: parent.as_ref(), id: top, steps: *steps, by_time: *by_time }
            .serialize(serializer)
    }
}

impl Serialize for Earlier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct EarlierFields<'a> {
            signature: &'a str,
            first: First<'a>,
            count: u64,
            in_session: u64,
            sessions: u64,
            complete: bool,
        }
        #[derive(Serialize)]
        struct First<'a> {
            id: &'a EventId,
            time: Time,
            session: Option<&'a str>,
        }
        let first = First {
            id: &self.first,
            time: Time::from_ns(self.first_ns),
            session: self.first_session.as_deref(),
        };
        let Self { signature, count, in_session, sessions, complete, .. } = self;
        EarlierFields {
            signature,
            first,
            count: *count,
            in_session: *in_session,
            sessions: *sessions,
            complete: *complete,
        }
        .serialize(serializer)
    }
}

impl Serialize for ListedFailure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct ListedFailureFields<'a> {
            id: &'a EventId,
            time: Time,
            instance: &'a str,
            tool: Option<&'a str>,
            line: &'a str,
            minor: bool,
            outcome: Outcome,
            decided_by: &'a EventId,
            in_last_turn: bool,
        }
        ListedFailureFields {
            id: &self.event,
            time: Time::from_ns(self.time_ns),
            instance: &self.instance,
            tool: self.tool.as_deref(),
            line: &self.line,
            minor: self.minor,
            outcome: self.outcome,
            decided_by: &self.decided_by,
            in_last_turn: self.in_last_turn,
        }
        .serialize(serializer)
    }
}
