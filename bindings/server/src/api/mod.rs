//! The routes.

mod answers;
mod append;
mod counts;
mod event;
mod events;
mod health;
mod login;
mod mcp;
mod metrics;
mod rows;
mod sessions;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode, Uri};
use tower_service::Service;

use crate::app::App;
use crate::failure::HttpFailure;
use crate::{hooks, live, otlp, page};

/// The routes of a server, made once: a request clones no more than a pointer to them.
pub(crate) struct Routes {
    pub(crate) app: Arc<App>,
    all: Router,
    prefixed: Router,
}

impl Routes {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let all = Router::new()
            .route("/health", get(health::is_well))
            .route("/login", post(login::login))
            .route("/metrics", get(metrics::metrics))
            .route("/api/health", get(health::health))
            .route("/api/stats", get(health::stats))
            .route("/api/segments", get(health::segments))
            .route("/api/events", get(events::list).post(append::events))
            .route("/api/events/{id}", get(event::get))
            .route("/api/events/{id}/chain", get(event::chain))
            .route("/api/events/{id}/children", get(event::children))
            .route("/api/events/{id}/siblings", get(event::siblings))
            .route("/api/events/{id}/versions", get(event::versions))
            .route("/api/events/{id}/tree", get(event::tree))
            .route("/api/events/{id}/payload", get(event::payload))
            .route("/api/stream", get(live::stream))
            .route("/api/roots", get(events::roots))
            .route("/api/missing", get(events::missing))
            .route("/api/common", get(event::common))
            .route("/api/links", post(append::links))
            .route("/api/counts", get(counts::counts))
            .route("/api/timeline", get(counts::timeline))
            .route("/api/failure", get(answers::newest_failure))
            .route("/api/failure/{name}", get(answers::failure))
            .route("/api/alerts", get(answers::alerts))
            .route("/api/resume/{session}", get(answers::resume))
            .route("/api/search", get(answers::search))
            .route("/api/slow", get(answers::slow_of_all))
            .route("/api/sessions", get(sessions::list))
            .route("/api/sessions/{id}", get(sessions::get))
            .route("/api/sessions/{id}/rows", get(rows::rows))
            .route("/api/texts", get(rows::texts))
            .route("/api/sessions/{id}/tree", get(sessions::tree))
            .route("/api/sessions/{id}/timeline", get(sessions::timeline))
            .route("/api/sessions/{id}/metrics", get(answers::slow))
            .route("/api/sessions/{id}/decisions", get(answers::decisions))
            .route("/api/sessions/{id}/transcript", get(answers::transcript))
            .route("/api/waves", get(sessions::waves))
            .route("/mcp", any(mcp::answer))
            .merge(hooks::routes())
            .merge(otlp::routes())
            .fallback(page_or_nothing)
            .method_not_allowed_fallback(other_method)
            .with_state(Arc::clone(&app));
        let prefixed = Router::new()
            .route("/", get(health::observability))
            .merge(hooks::routes())
            .merge(otlp::routes())
            .fallback(nothing)
            .method_not_allowed_fallback(other_method)
            .with_state(Arc::clone(&app));
        Self { app, all, prefixed }
    }

    /// Answers a request to any of the routes.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        call(self.all.clone(), request).await
    }

    /// Answers a request to the routes of hooks and exporters.
    pub(crate) async fn answer_prefixed(&self, request: Request<Body>) -> Response {
        call(self.prefixed.clone(), request).await
    }
}

async fn call(mut router: Router, request: Request<Body>) -> Response {
    // A router is always ready.
    match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Whatever is no route of the API may be a file or a view of the page.
async fn page_or_nothing(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let reads = matches!(method, Method::GET | Method::HEAD);
    match page::answer(&uri, &headers).filter(|_| reads) {
        Some(file) => file,
        None => nothing().await.into_response(),
    }
}

async fn nothing() -> HttpFailure {
    HttpFailure::missing("there is nothing of this name; docs/serve.md lists the routes")
}

async fn other_method() -> HttpFailure {
    HttpFailure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "expected another method for this path; docs/serve.md lists the routes",
    )
}
