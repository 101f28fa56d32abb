//! Sessions and waves.

use std::sync::Arc;

use axum::extract::{Path, State};
use forebear::{Session, SessionPlace, SessionReads, StoredRelationship};
use serde::Serialize;

use crate::app::App;
use crate::failure::HttpResult;
use crate::find;
use crate::params::Params;
use crate::reply::{self, JsonReply};

/// Sessions, those that something was stored of last first.
pub(super) async fn list(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    let (filter, (limit, after)) = (params.sessions()?, params.page()?);
    params.finish()?;
    app.ask(move |_, snapshot| {
        reply::page(snapshot.sessions(&filter).after(after), limit, reply::write)
    })
    .await
}

/// A session, where it stands among others, and what it has to do with those.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    #[derive(Serialize)]
    struct SessionReply {
        #[serde(flatten)]
        session: Option<Session>,
        #[serde(flatten)]
        place: SessionPlace,
        parents: Vec<StoredRelationship>,
        children: Vec<StoredRelationship>,
    }
    params.finish()?;
    app.ask(move |_, snapshot| {
        let name = find::session(snapshot, &name)?;
        JsonReply::of(&SessionReply {
            session: snapshot.session(&name)?,
            place: snapshot.session_place(&name)?,
            parents: snapshot.session_parents(&name).page()?.items,
            children: snapshot.session_children(&name).page()?.items,
        })
    })
    .await
}

/// A session and those that it started, each before its own.
pub(super) async fn tree(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let (limit, after) = params.page()?;
    params.finish()?;
    app.ask(move |_, snapshot| {
        let query = snapshot.session_tree(&find::session(snapshot, &name)?).after(after);
        reply::page(query, limit, reply::write)
    })
    .await
}

/// The events of a session and of all below it in order of time.
pub(super) async fn timeline(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let (wanted, (limit, after)) = (params.wanted()?, params.page()?);
    params.finish()?;
    app.ask(move |_, snapshot| {
        let (name, filter) = (find::session(snapshot, &name)?, wanted.filter(snapshot)?);
        let query = snapshot.session_timeline(&name, filter).after(after);
        reply::page(query, limit, reply::write)
    })
    .await
}

/// Sessions that work together.
pub(super) async fn waves(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    let (limit, after) = params.page()?;
    params.finish()?;
    app.ask(move |_, snapshot| reply::page(snapshot.waves().after(after), limit, reply::write))
        .await
}
