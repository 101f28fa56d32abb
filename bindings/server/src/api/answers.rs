//! Answers: why it failed, what to go on with, where it was said, where the time went.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use forebear::Cursor;
use forebear::answers::{
    AlertRule, AlertsQuery, Budget, DecisionsQuery, ResumeQuery, SearchQuery, SlowQuery,
    TranscriptQuery, TranscriptStyle, WhyQuery,
};
use forebear::{Snapshot, answers};
use forebear_wire::alert_line::AlertLine;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::app::App;
use crate::failure::{HttpFailure, HttpResult};
use crate::find::{self, NamedThing};
use crate::limits::REPLY_BYTES;
use crate::params::{EventShape, Params};
use crate::reply::{self, JsonReply};

/// The failure that mattered in the session that failed last, and why it happened.
pub(super) async fn newest_failure(
    State(app): State<Arc<App>>,
    params: Params,
) -> HttpResult<JsonReply> {
    let budget = params.budget()?;
    params.finish()?;
    app.ask(move |app, snapshot| why(app, snapshot, WhyQuery::newest(), budget)).await
}

/// The failure that mattered in a session, or one by its event, and why it happened.
pub(super) async fn failure(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let budget = params.budget()?;
    params.finish()?;
    app.ask(move |app, snapshot| {
        let query = match find::event_or_session(snapshot, &name)? {
            NamedThing::Event(id) => WhyQuery::event(id),
            NamedThing::Session(name) => WhyQuery::session(name),
        };
        why(app, snapshot, query, budget)
    })
    .await
}

fn why(app: &App, snapshot: &Snapshot, query: WhyQuery, budget: Budget) -> HttpResult<JsonReply> {
    JsonReply::of(&answers::failure_chain(snapshot, &app.readings, &query.budget(budget))?)
}

/// What is the matter, by all rules but that of files which are followed, or by the `rule`s given.
pub(super) async fn alerts(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    #[derive(Serialize)]
    struct AlertsReply<'a> {
        items: Vec<AlertLine<'a>>,
        complete: bool,
    }
    let rules = params.all("rule").iter().map(|rule| rule.parse()).collect::<Result<Vec<_>, _>>();
    let mut rules: Vec<AlertRule> = rules.map_err(HttpFailure::bad)?;
    if rules.is_empty() {
        rules.extend(AlertRule::ALL);
    }
    let mut query = AlertsQuery::rules(rules);
    if let Some(since_ns) = params.time("since")? {
        query = query.since_ns(since_ns);
    }
    params.finish()?;
    app.ask(move |_, snapshot| {
        let found = answers::alerts(snapshot, &query)?;
        let items = found.alerts.iter().map(AlertLine::from).collect();
        JsonReply::of(&AlertsReply { items, complete: found.complete })
    })
    .await
}

/// What a model needs to go on with a session, as `text`.
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let (budget, tokens) = (params.budget()?, params.read("tokens", "a number")?);
    let last = params.read("last", "a number of steps")?;
    params.finish()?;
    app.ask(move |app, snapshot| {
        let mut query = ResumeQuery::new(find::session(snapshot, &name)?).budget(budget);
        if let Some(tokens) = tokens {
            query = query.tokens(usize::min(tokens, TOKENS_MAX));
        }
        if let Some(last) = last {
            query = query.last(last);
        }
        JsonReply::of(&answers::resume_context(snapshot, &app.readings, &query)?)
    })
    .await
}

/// Where something was said, the newest first: `items` with `snippet` and `at`, where in it;
/// `next` where not all was looked through; `searched`, how much was.
pub(super) async fn search(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    #[derive(Serialize)]
    struct FoundText<'m> {
        snippet: &'m str,
        at: (usize, usize),
        title: Option<&'m str>,
    }
    #[derive(Serialize)]
    struct SearchReply {
        events: u64,
        bytes: u64,
    }
    let Some(words) = params.text("q")?.filter(|words| !words.is_empty()) else {
        return Err(HttpFailure::bad("expected what to look for in q"));
    };
    let (wanted, (limit, after)) = (params.wanted()?, params.page()?);
    let (is_regex, budget) = (params.flag("regex")?, params.budget()?);
    params.finish()?;
    let budget = budget.events(u64::MAX).bytes(u64::MAX);
    let shape = EventShape { detail: forebear::Detail::Payload, gist: false, payload: false };
    app.ask(move |app, snapshot| {
        let query = SearchQuery::new(&words)
            .regex(is_regex)
            .filter(wanted.filter(snapshot)?)
            .after(after)
            .budget(budget);
        let mut matches = answers::search(snapshot, &app.readings, &query)?;
        let mut reply = b"{\"items\":[".to_vec();
        for (number, found) in matches.by_ref().take(limit.clamp(1, 1000)).enumerate() {
            let found = found?;
            if number > 0 {
                reply.push(b',');
            }
            reply::write_event(&mut reply, &found.event, shape, None)?;
            // The two objects become one.
            reply.pop();
            reply.push(b',');
            let mut more = Vec::new();
            let answers::Match { snippet, at, title, .. } = &found;
            reply::write(&mut more, &FoundText { snippet, at: *at, title: title.as_deref() })?;
            reply.extend_from_slice(&more[1..]);
            if reply.len() > REPLY_BYTES {
                break;
            }
        }
        let next: Option<Cursor> = matches.cursor()?;
        let (events, bytes) = matches.searched();
        reply.extend_from_slice(b"],\"next\":");
        reply::write(&mut reply, &next)?;
        reply.extend_from_slice(b",\"searched\":");
        reply::write(&mut reply, &SearchReply { events, bytes })?;
        if !matches.damaged().is_empty() {
            reply.extend_from_slice(b",\"damaged\":");
            reply::write(&mut reply, &matches.damaged())?;
        }
        reply.push(b'}');
        Ok(JsonReply(reply))
    })
    .await
}

/// Where the time of a session went: tools, models, users, the slowest calls.
pub(super) async fn slow(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let budget = params.budget()?;
    params.finish()?;
    app.ask(move |app, snapshot| {
        let query = SlowQuery::session(find::session(snapshot, &name)?).budget(budget);
        JsonReply::of(&answers::slow(snapshot, &app.readings, &query)?)
    })
    .await
}

/// Where the time of all sessions went.
pub(super) async fn slow_of_all(
    State(app): State<Arc<App>>,
    params: Params,
) -> HttpResult<JsonReply> {
    let budget = params.budget()?;
    params.finish()?;
    app.ask(move |app, snapshot| {
        JsonReply::of(&answers::slow(snapshot, &app.readings, &SlowQuery::all().budget(budget))?)
    })
    .await
}

/// What was decided in a session, why, and what came of it.
pub(super) async fn decisions(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let budget = params.budget()?;
    params.finish()?;
    app.ask(move |app, snapshot| {
        let query = DecisionsQuery::session(find::session(snapshot, &name)?).budget(budget);
        JsonReply::of(&answers::decisions(snapshot, &app.readings, &query)?)
    })
    .await
}

/// A session to be read from top to bottom, as text or Markdown.
pub(super) async fn transcript(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<Response> {
    let (budget, all) = (params.budget()?, params.flag("all")?);
    let style = match params.text("style")?.as_deref() {
        None | Some("markdown") => TranscriptStyle::Markdown,
        Some("text") => TranscriptStyle::Text,
        Some(other) => {
            return Err(HttpFailure::bad(format!(
                "expected markdown or text in style, found {other:?}"
            )));
        }
    };
    params.finish()?;
    let text = app
        .ask(move |app, snapshot| {
            let name = find::session(snapshot, &name)?;
            let query = TranscriptQuery::session(&name).all(all).budget(budget);
            let transcript = answers::transcript(snapshot, &app.readings, &query)?;
            let transcript = transcript.ok_or_else(|| {
                HttpFailure::missing(format!("the session {name:?} has no events"))
            })?;
            let mut text = String::new();
            for piece in transcript.pieces(style, str::to_owned) {
                text.push_str(&piece?);
                if text.len() > TRANSCRIPT_BYTES {
                    text.push_str("\n\n[… and more: `forebear transcript` writes all of it]\n");
                    break;
                }
            }
            Ok(text)
        })
        .await?;
    let mut response = text.into_response();
    // Never as what a browser would obey.
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    Ok(response)
}

/// Tokens that a model can be told at most.
const TOKENS_MAX: usize = 200_000;
/// Bytes of a transcript.
const TRANSCRIPT_BYTES: usize = 8 << 20;
