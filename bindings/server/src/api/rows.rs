//! What pages draw: the events of a session as columns, and what some events say.

use std::sync::Arc;

use axum::extract::{Path, State};
use forebear_wire::rows::{self, DEFAULT_ROWS};
use forebear_wire::texts::{self, DEFAULT_TEXT_BYTES, MAX_TEXTS};
use serde::Serialize;

use crate::app::App;
use crate::failure::{HttpFailure, HttpResult};
use crate::find;
use crate::params::Params;
use crate::reply::JsonReply;

/// The events of a session as columns, oldest first.
pub(super) async fn rows(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let limit = params.read("limit", "a number of rows")?.unwrap_or(DEFAULT_ROWS);
    let after = params.read("after", "the next of an earlier page")?;
    params.finish()?;
    app.ask(move |_, snapshot| {
        let name = find::session(snapshot, &name)?;
        let page = rows::rows(snapshot, &name, after, limit)?;
        JsonReply::of(
            &page.ok_or_else(|| {
                HttpFailure::missing(format!("the session {name:?} has no events"))
            })?,
        )
    })
    .await
}

/// What the events with these sequence numbers say.
pub(super) async fn texts(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    #[derive(Serialize)]
    struct Reply<T> {
        items: T,
    }
    let wanted = params.text("seq")?.unwrap_or_default();
    let seqs: Result<Vec<u64>, _> = wanted.split(',').take(MAX_TEXTS).map(str::parse).collect();
    let seqs = seqs.map_err(|_| {
        HttpFailure::bad(format!(
            "expected sequence numbers with commas between in seq, found {wanted:?}"
        ))
    })?;
    let max = params.read("max", "a number of bytes")?.unwrap_or(DEFAULT_TEXT_BYTES);
    params.finish()?;
    app.ask(move |app, snapshot| {
        JsonReply::of(&Reply { items: texts::texts(snapshot, &app.readings, &seqs, max)? })
    })
    .await
}
