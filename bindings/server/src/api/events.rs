//! Listings of events.

use std::sync::Arc;

use axum::extract::State;

use crate::app::App;
use crate::failure::HttpResult;
use crate::params::Params;
use crate::reply::{self, JsonReply};

/// Events that a filter takes, the newest first.
pub(super) async fn list(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    let (wanted, (limit, after)) = (params.wanted()?, params.page()?);
    let (shape, oldest_first) = (params.shape()?, params.flag("oldest_first")?);
    let without_versions = params.flag("without_versions")?;
    params.finish()?;
    app.ask(move |_, snapshot| {
        let mut filter = wanted.filter(snapshot)?;
        if without_versions {
            filter = filter.without_versions();
        }
        let mut query = snapshot.events(filter).after(after).detail(shape.detail);
        if oldest_first {
            query = query.oldest_first();
        }
        reply::page(query, limit, |reply, event| reply::write_event(reply, event, shape, None))
    })
    .await
}

/// Events without a parent.
pub(super) async fn roots(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    let ((limit, after), shape) = (params.page()?, params.shape()?);
    params.finish()?;
    app.ask(move |_, snapshot| {
        let query = snapshot.roots().after(after).detail(shape.detail);
        reply::page(query, limit, |reply, event| reply::write_event(reply, event, shape, None))
    })
    .await
}

/// Parents that are named and not stored.
pub(super) async fn missing(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    let (limit, after) = params.page()?;
    params.finish()?;
    app.ask(move |_, snapshot| {
        reply::page(snapshot.missing_parents().after(after), limit, reply::write)
    })
    .await
}
