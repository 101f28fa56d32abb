//! Calls of hooks as that server's page knows them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use forebear::{CountBy, Detail, Filter, Snapshot, StoredEvent};
use forebear_wire::json::Members;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::app::App;
use crate::failure::HttpResult;
use crate::hooks::{RESPONSE, SENDER, TYPE, refused};
use crate::limits::REPLY_BYTES;
use crate::params::Params;
use crate::reply::{self, JsonReply};

/// The newest calls, the oldest of them first.
pub(super) async fn recent(State(app): State<Arc<App>>, params: Params) -> Response {
    let limit = params.read("limit", "a number").ok().flatten().unwrap_or(SHOWN);
    match app.ask(move |_, snapshot| newest(snapshot, limit).map(JsonReply)).await {
        Ok(json) => json.into_response(),
        Err(failure) => refused(failure),
    }
}

/// What there is to choose from.
pub(super) async fn filter_options(State(app): State<Arc<App>>) -> Response {
    #[derive(Serialize)]
    struct FilterOptions {
        source_apps: BTreeSet<String>,
        session_ids: Vec<String>,
        hook_event_types: BTreeSet<String>,
    }
    let options = app.ask(|_, snapshot| {
        let values = |by| -> HttpResult<BTreeSet<String>> {
            let counts = snapshot.counts(by, of_hooks()).page()?.items;
            Ok(counts.into_iter().map(|count| count.value).collect())
        };
        let mut hook_event_types = values(CountBy::Kind)?;
        hook_event_types.remove(RESPONSE);
        let mut source_apps = values(CountBy::Label("source_app".to_owned()))?;
        let (mut session_ids, mut seen) = (Vec::new(), BTreeSet::new());
        let events = snapshot.events(of_hooks()).detail(Detail::Columns);
        for event in events.into_iter().take(LOOKED_AT) {
            let event = event?;
            let session = event.session().unwrap_or_default();
            if seen.insert(session.to_owned()) {
                session_ids.push(session.to_owned());
            }
            if session_ids.len() == SHOWN {
                break;
            }
        }
        if source_apps.is_empty() && !session_ids.is_empty() {
            source_apps.insert(CLAUDE_CODE.to_owned());
        }
        JsonReply::of(&FilterOptions { source_apps, session_ids, hook_event_types })
    });
    match options.await {
        Ok(json) => json.into_response(),
        Err(failure) => refused(failure),
    }
}

/// The newest calls as an array, the oldest of them first; fewer where they are long.
pub(super) fn newest(snapshot: &Snapshot, limit: usize) -> HttpResult<Vec<u8>> {
    let (mut told_of, mut bytes) = (Vec::new(), 0);
    let limit = limit.clamp(1, SHOWN_MAX);
    for event in snapshot.events(of_hooks()).limit(100).into_iter().take(4 * limit) {
        let event = event?;
        if event.kind() == RESPONSE {
            continue;
        }
        let one = told(snapshot, &event)?;
        bytes += one.len();
        if bytes > BYTES_MAX && !told_of.is_empty() {
            break;
        }
        told_of.push(one);
        if told_of.len() == limit {
            break;
        }
    }
    let mut whole = b"[".to_vec();
    for (number, one) in told_of.iter().rev().enumerate() {
        if number > 0 {
            whole.push(b',');
        }
        whole.extend_from_slice(one);
    }
    whole.push(b']');
    Ok(whole)
}

/// A call as its sender told of it, with its number and what a person answered.
pub(super) fn told(snapshot: &Snapshot, event: &StoredEvent) -> HttpResult<Vec<u8>> {
    #[derive(Serialize)]
    struct ToldCall<'e> {
        id: u64,
        source_app: &'e str,
        session_id: &'e str,
        hook_event_type: &'e str,
        payload: Box<RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        summary: Option<&'e RawValue>,
        timestamp: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        model_name: Option<&'e RawValue>,
        #[serde(rename = "humanInTheLoop", skip_serializing_if = "Option::is_none")]
        question: Option<&'e RawValue>,
        #[serde(rename = "humanInTheLoopStatus", skip_serializing_if = "Option::is_none")]
        status: Option<PersonAnswer>,
    }
    #[derive(Serialize)]
    struct PersonAnswer {
        status: &'static str,
        #[serde(rename = "respondedAt", skip_serializing_if = "Option::is_none")]
        at: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        response: Option<Box<RawValue>>,
    }
    let (mut payload, mut said) = (String::from("{"), Vec::new());
    let stored = event.payload().and_then(|bytes| serde_json::from_slice(bytes).ok());
    let Members(members) = stored.unwrap_or(Members(Vec::new()));
    for (key, value) in members {
        if key == SENDER {
            if let Ok(Members(members)) = serde_json::from_str(value.get()) {
                said = members;
            }
            continue;
        }
        if payload.len() > 1 {
            payload.push(',');
        }
        payload.push_str(&serde_json::Value::from(key).to_string());
        payload.push(':');
        payload.push_str(value.get());
    }
    payload.push('}');
    let said = |key: &str| said.iter().find(|(known, _)| known == key).map(|(_, value)| *value);
    let question = said("humanInTheLoop");
    let answer = match question {
        Some(_) => answer_to(snapshot, event)?,
        None => None,
    };
    let raw = |bytes: &[u8]| serde_json::from_slice::<Box<RawValue>>(bytes).ok();
    let status = question.map(|_| match &answer {
        None => PersonAnswer { status: "pending", at: None, response: None },
        Some(answer) => PersonAnswer {
            status: "responded",
            at: Some(answer.time_ns() / 1_000_000),
            response: answer.payload().and_then(raw),
        },
    });
    let told = ToldCall {
        id: event.seq(),
        source_app: event.label("source_app").unwrap_or(CLAUDE_CODE),
        session_id: event.session().unwrap_or_default(),
        hook_event_type: event.kind(),
        // What it is made of is JSON.
        payload: RawValue::from_string(payload)
            .map_err(|error| crate::failure::HttpFailure::bad(error.to_string()))?,
        summary: said("summary"),
        timestamp: event.time_ns() / 1_000_000,
        model_name: said("model_name"),
        question,
        status,
    };
    let mut json = Vec::new();
    reply::write(&mut json, &told)?;
    Ok(json)
}

/// All calls of hooks, and what people answered.
pub(super) fn of_hooks() -> Filter {
    Filter::new().label(TYPE.0, TYPE.1)
}

/// What a person answered last.
fn answer_to(snapshot: &Snapshot, event: &StoredEvent) -> HttpResult<Option<StoredEvent>> {
    let mut newest = None;
    for child in snapshot.children(event.id()).into_iter().take(ANSWERS_MAX) {
        let child = child?;
        if child.kind() == RESPONSE {
            newest = Some(child);
        }
    }
    Ok(newest)
}

/// Calls that are shown, and most that can be asked for.
const SHOWN: usize = 300;
const SHOWN_MAX: usize = 1000;
/// Bytes of them.
const BYTES_MAX: usize = 8 * REPLY_BYTES;
/// Calls among which sessions are looked for.
const LOOKED_AT: usize = 20_000;
/// Events below a question among which answers are looked for.
const ANSWERS_MAX: usize = 1000;
/// The program of hooks of which none says where it comes from.
const CLAUDE_CODE: &str = "claude-code";
