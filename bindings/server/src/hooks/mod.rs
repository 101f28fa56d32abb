//! What the multi-agent observability server (github.com/disler) answers: its hooks' sender, its
//! page's listings and its WebSocket work with this server unchanged, by an address that begins
//! with `/t/TOKEN`. The hooks land in the lineage, so that what caused a failed tool is known.
//!
//! | route | |
//! |---|---|
//! | `POST /events` | stores the call of a hook; answers it with its number |
//! | `GET /events/recent` | the newest, the oldest of them first |
//! | `GET /events/filter-options` | programs, sessions and hooks |
//! | `POST /events/{id}/respond` | a person's answer to a question, stored below it and passed on |
//! | `GET /stream` | a WebSocket: the newest, then each as it comes |
//!
//! Whole transcripts, which some senders add to each call (`chat`), are not kept: import them.

mod call;
mod listing;
mod respond;
mod socket;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::app::App;
use crate::failure::HttpFailure;

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/events", post(call::store))
        .route("/events/recent", get(listing::recent))
        .route("/events/filter-options", get(listing::filter_options))
        .route("/events/{id}/respond", post(respond::respond))
        .route("/stream", get(socket::stream))
}

/// A failure as clients of that server know it: an object with `error`.
fn refused(failure: HttpFailure) -> Response {
    let problem = failure.into_problem();
    let status = problem.status();
    let mut response = problem.into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return response;
    }
    let words = match status {
        StatusCode::NOT_FOUND => "Event not found",
        _ => "Invalid request",
    };
    let body = format!("{{\"error\":\"{words}\"}}");
    *response.body_mut() = body.into();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// The member of a stored payload that has what the sender says beside the hook's own payload.
const SENDER: &str = "observability";
/// The label that all of these events have, and its value.
const TYPE: (&str, &str) = ("type", "hook");
/// The kind of a person's answer.
const RESPONSE: &str = "human_response";
/// Bytes of a request.
const CALL_BYTES: usize = 32 << 20;
