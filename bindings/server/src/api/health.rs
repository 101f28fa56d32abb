//! What the server and the store are, and how they are doing.

use std::sync::Arc;

use axum::extract::State;
use forebear::Health;
use hyper::StatusCode;
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::app::App;
use crate::failure::HttpResult;
use crate::params::Params;
use crate::reply::JsonReply;

/// What the server is that hooks of the multi-agent observability server think they speak to.
pub(super) async fn observability() -> &'static str {
    "Multi-Agent Observability Server"
}

/// 200 or 503, and not a word more: it is the one answer that needs no token.
pub(super) async fn is_well(State(app): State<Arc<App>>) -> StatusCode {
    // It waits for no turn: a server that is busy is well.
    let is_well = spawn_blocking(move || well(&app)).await;
    if is_well.unwrap_or(false) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// How the store is doing.
pub(super) async fn health(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    #[derive(Serialize)]
    struct HealthReply {
        well: bool,
        version: &'static str,
        read_only: Option<String>,
        store: Option<Health>,
    }
    params.finish()?;
    app.work(|app| {
        JsonReply::of(&HealthReply {
            well: well(app),
            version: env!("CARGO_PKG_VERSION"),
            read_only: app.access.why_read_only(),
            store: app.access.store().ok().map(|store| store.health()),
        })
    })
    .await
}

/// What the store holds. O(its segments) and through every row of them.
pub(super) async fn stats(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    params.finish()?;
    app.ask(|_, snapshot| JsonReply::of(&snapshot.stats()?)).await
}

/// The store's segments.
pub(super) async fn segments(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    #[derive(Serialize)]
    struct SegmentsReply<T> {
        items: T,
    }
    params.finish()?;
    app.ask(|_, snapshot| JsonReply::of(&SegmentsReply { items: snapshot.segments() })).await
}

/// Whether what is sent is written, or what another process writes can be read.
fn well(app: &App) -> bool {
    match app.access.store() {
        Ok(store) => store.health().is_well(),
        Err(_) => app.access.ask(|snapshot| Ok(snapshot.first_seq())).is_ok(),
    }
}
