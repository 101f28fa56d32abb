//! Events and links that are sent to be stored.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use forebear::{
    AppendStatus, Appended, Batch, Durability, Event, EventId, Link, LinkKind, Store, WhenFull,
};
use forebear_wire::event_line;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::app::App;
use crate::body;
use crate::failure::{HttpFailure, HttpResult, Problem};
use crate::limits::EVENTS_BYTES;
use crate::params::Params;
use crate::reply::JsonReply;

/// Stores an event, an array of them, or lines of them. Answered in order, each with `id`, `seq`
/// and `status` (`new`, `repeat`, `version`), or with `error` and `line`, counted from 1.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    params: Params,
    body: Body,
) -> HttpResult<Response> {
    let durability = durability(&params)?;
    params.finish()?;
    // Before the body is read: it may be long.
    app.access.store()?;
    let body = body::read(&app, body, EVENTS_BYTES).await?;
    app.work(move |app| {
        let store = app.access.store()?;
        let (read, is_one) = read_events(&body.bytes, store.max_payload_bytes())?;
        let answers = store_events(&store, read, durability)?;
        match &answers[..] {
            [Answer::Stored(appended)] if is_one => {
                let is_new = appended.status == AppendStatus::New;
                let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
                Ok((status, JsonReply::of(appended)?).into_response())
            }
            [Answer::Refused { error, .. }] if is_one => Err(HttpFailure::bad(error.clone())),
            answers => Ok(JsonReply::of(&answers)?.into_response()),
        }
    })
    .await
}

/// Says what caused an event, where neither end said it: an object or an array of objects with
/// `child`, `parent`, `kind` (`caused` unless given), `strength` (0 to 255).
pub(super) async fn links(
    State(app): State<Arc<App>>,
    params: Params,
    body: Body,
) -> HttpResult<JsonReply> {
    #[derive(Serialize)]
    struct LinkAnswers {
        links: Vec<forebear::Linked>,
    }
    let durability = durability(&params)?;
    params.finish()?;
    app.access.store()?;
    let body = body::read(&app, body, EVENTS_BYTES).await?;
    app.work(move |app| {
        let mut batch = Batch::new().durability(durability).when_full(WhenFull::Return);
        for link in read_links(&body.bytes)? {
            link.validate()?;
            batch = batch.link(link);
        }
        let written = app.access.store()?.write(batch)?;
        JsonReply::of(&LinkAnswers { links: written.links })
    })
    .await
}

/// What became of an event.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Stored(Appended),
    Refused { error: String, line: usize },
}

/// Reads what was sent; whether it was one event by itself.
fn read_events(
    bytes: &[u8],
    max_payload_bytes: usize,
) -> HttpResult<(Vec<Result<Event, String>>, bool)> {
    let checked = |json: &[u8]| {
        let event = event_line::parse(json)?;
        event.validate(max_payload_bytes).map_err(|error| format!("{error:#}"))?;
        Ok(event)
    };
    let text = bytes.trim_ascii();
    if text.is_empty() {
        return Err(HttpFailure::bad(
            "expected an event, an array or lines of them, found nothing",
        ));
    }
    if text.starts_with(b"[") {
        let items: Vec<&RawValue> = serde_json::from_slice(text)
            .map_err(|error| HttpFailure::bad(format!("expected an array of events: {error}")))?;
        bounded(items.len())?;
        let events = items.iter().map(|item| checked(item.get().as_bytes()));
        return Ok((events.collect(), false));
    }
    if serde_json::from_slice::<&RawValue>(text).is_ok() || !text.contains(&b'\n') {
        return Ok((vec![checked(text)], true));
    }
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let events = lines.map(|line| match line {
        b"" => Err("expected an event on each line, found an empty one".to_owned()),
        line => checked(line),
    });
    let events: Vec<_> = events.take(EVENTS_MAX + 1).collect();
    bounded(events.len())?;
    Ok((events, false))
}

/// Refuses more events than are read at a time.
fn bounded(events: usize) -> HttpResult<()> {
    if events > EVENTS_MAX {
        return Err(HttpFailure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("expected at most {EVENTS_MAX} events, found more; send them in parts"),
        ));
    }
    Ok(())
}

/// Stores what can be stored, batch by batch.
fn store_events(
    store: &Store,
    read: Vec<Result<Event, String>>,
    durability: Durability,
) -> HttpResult<Vec<Answer>> {
    let all = read.len();
    let mut answers: Vec<Option<Answer>> = Vec::with_capacity(all);
    let (mut batch, mut places, mut bytes) = (empty(durability), Vec::new(), 0);
    let send = |batch: Batch, places: &mut Vec<usize>, answers: &mut Vec<Option<Answer>>| {
        let written = store.write(batch).map_err(|error| partly(error.into(), answers, all))?;
        for (place, appended) in places.drain(..).zip(written.events) {
            answers[place] = Some(Answer::Stored(appended));
        }
        Ok::<_, HttpFailure>(())
    };
    for (number, event) in read.into_iter().enumerate() {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                answers.push(Some(Answer::Refused { error, line: number + 1 }));
                continue;
            }
        };
        answers.push(None);
        places.push(number);
        bytes += event.as_payload().map_or(0, <[u8]>::len);
        batch = batch.event(event);
        if places.len() == BATCH_EVENTS || bytes > BATCH_BYTES {
            send(std::mem::replace(&mut batch, empty(durability)), &mut places, &mut answers)?;
            bytes = 0;
        }
    }
    if !places.is_empty() {
        send(batch, &mut places, &mut answers)?;
    }
    Ok(answers.into_iter().flatten().collect())
}

/// A failure after a part was stored, which is said.
fn partly(failure: HttpFailure, answers: &[Option<Answer>], all: usize) -> HttpFailure {
    let stored = |answer: &&Option<Answer>| matches!(answer, Some(Answer::Stored(_)));
    let stored = answers.iter().filter(stored).count();
    if stored == 0 {
        return failure;
    }
    let problem: Problem = failure.into_problem();
    let detail = format!(
        "{}; {stored} of {all} events were stored: send all again, those that have ids and times \
         are repeats",
        problem.detail()
    );
    if problem.status() == StatusCode::SERVICE_UNAVAILABLE {
        HttpFailure::busy(detail, 1)
    } else {
        HttpFailure::new(problem.status(), detail)
    }
}

fn empty(durability: Durability) -> Batch {
    Batch::new().durability(durability).when_full(WhenFull::Return)
}

fn read_links(bytes: &[u8]) -> HttpResult<Vec<Link>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct PostedLink {
        child: String,
        parent: String,
        #[serde(default)]
        kind: Option<String>,
        #[serde(default)]
        strength: Option<u8>,
    }
    let text = bytes.trim_ascii();
    let told: Vec<PostedLink> = if text.starts_with(b"[") {
        serde_json::from_slice(text)
    } else {
        serde_json::from_slice(text).map(|one| vec![one])
    }
    .map_err(|error| HttpFailure::bad(format!("expected a link or an array of them: {error}")))?;
    let links = told.into_iter().map(|one| {
        let kind: LinkKind = match &one.kind {
            Some(kind) => kind.parse()?,
            None => LinkKind::Caused,
        };
        let (child, parent) = (EventId::from(one.child), EventId::from(one.parent));
        let joined = Link::new(child, parent, kind);
        Ok(match one.strength {
            Some(strength) => joined.strength(strength),
            None => joined,
        })
    });
    links.collect::<HttpResult<_>>()
}

/// What an answer promises: that an event survives a power loss, a killed process, or neither.
fn durability(params: &Params) -> HttpResult<Durability> {
    match params.text("durability")?.as_deref() {
        Some("sync") => Ok(Durability::Sync),
        None | Some("flush") => Ok(Durability::Flush),
        Some("buffered") => Ok(Durability::Buffered),
        Some(other) => Err(HttpFailure::bad(format!(
            "expected sync, flush or buffered in durability, found {other:?}"
        ))),
    }
}

/// A batch is one block of the log.
/// Events of a request, which take more memory than they have bytes.
const EVENTS_MAX: usize = 100_000;
const BATCH_EVENTS: usize = 1000;
const BATCH_BYTES: usize = 1 << 20;
