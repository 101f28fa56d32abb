//! How many events there are, by what and when.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use forebear::CountBy;

use crate::app::App;
use crate::failure::{HttpFailure, HttpResult};
use crate::params::Params;
use crate::reply::{self, JsonReply};

/// Events by their kind, instance, session or a label, the most first.
pub(super) async fn counts(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    let (wanted, (limit, after)) = (params.wanted()?, params.page()?);
    let by = params.text("by")?.unwrap_or_else(|| "kind".to_owned());
    let by = match by.split_once(':') {
        None if by == "kind" => CountBy::Kind,
        None if by == "instance" => CountBy::Instance,
        None if by == "session" => CountBy::Session,
        Some(("label", key)) if !key.is_empty() => CountBy::Label(key.to_owned()),
        _ => {
            return Err(HttpFailure::bad(format!(
                "expected kind, instance, session or label:KEY in by, found {by:?}"
            )));
        }
    };
    params.finish()?;
    app.ask(move |_, snapshot| {
        let query = snapshot.counts(by.clone(), wanted.filter(snapshot)?).after(after);
        reply::page(query, limit, reply::write)
    })
    .await
}

/// Events by when they happened, in stretches of time.
pub(super) async fn timeline(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    let (wanted, (limit, after)) = (params.wanted()?, params.page()?);
    let bucket = params.length("bucket")?.unwrap_or(Duration::from_mins(1));
    params.finish()?;
    app.ask(move |_, snapshot| {
        let query = snapshot.timeline(bucket, wanted.filter(snapshot)?).after(after);
        reply::page(query, limit, reply::write)
    })
    .await
}
