//! One event: what caused it, what came of it, what it says.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use forebear::{ChainEnd, CommonCause, EventId, Snapshot, StoredEvent, TreeOrder, limits};
use forebear_wire::json::EndLine;
use http_body::{Frame, SizeHint};
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::failure::{HttpFailure, HttpResult};
use crate::find;
use crate::limits::{INLINE_BYTES, REPLY_BYTES};
use crate::params::Params;
use crate::reply::{self, JsonReply};

/// An event.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let shape = params.shape()?;
    params.finish()?;
    app.ask(move |_, snapshot| {
        let (_, event) = event_named(snapshot, &name)?;
        let mut reply = Vec::new();
        reply::write_event(&mut reply, &event, shape, None)?;
        Ok(JsonReply(reply))
    })
    .await
}

/// The causes of an event, itself first: `items`, and `end`, how the walk ended. Where it gets
/// too long for one reply, `next` is the event to go on from.
pub(super) async fn chain(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let shape = params.shape()?;
    let max_depth = params.read("max_depth", "a number of links")?;
    let stop_at = params.read("stop_at", "caused, continues or spawned")?;
    params.finish()?;
    app.ask(move |_, snapshot| {
        let id = find::event(snapshot, &name)?;
        let chain = snapshot.chain(&id)?.ok_or_else(|| missing(&name))?;
        let mut chain =
            chain.max_depth(max_depth.unwrap_or(limits::DEFAULT_MAX_DEPTH)).detail(shape.detail);
        if let Some(kind) = stop_at {
            chain = chain.stop_at(kind);
        }
        let mut reply = b"{\"items\":[".to_vec();
        let (mut top, mut next): (Option<EventId>, Option<EventId>) = (None, None);
        for event in chain.by_ref() {
            let event = event?;
            if top.is_some() {
                if reply.len() > REPLY_BYTES {
                    next = Some(event.id().clone());
                    break;
                }
                reply.push(b',');
            }
            reply::write_event(&mut reply, &event, shape, None)?;
            top = Some(event.id().clone());
        }
        reply.extend_from_slice(b"],\"next\":");
        reply::write(&mut reply, &next)?;
        match chain.end().filter(|_| next.is_none()) {
            Some(end) => {
                let mut line = Vec::new();
                reply::write(&mut line, &EndLine::new(end, top.as_ref()))?;
                reply.push(b',');
                reply.extend_from_slice(&line[1..]);
            }
            None => reply.extend_from_slice(b",\"end\":null}"),
        }
        Ok(JsonReply(reply))
    })
    .await
}

/// What an event caused, one step down.
pub(super) async fn children(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let ((limit, after), shape) = (params.page()?, params.shape()?);
    params.finish()?;
    app.ask(move |_, snapshot| {
        let query = snapshot.children(find::event(snapshot, &name)?);
        let query = query.after(after).detail(shape.detail);
        reply::page(query, limit, |reply, event| reply::write_event(reply, event, shape, None))
    })
    .await
}

/// What has the same cause.
pub(super) async fn siblings(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let ((limit, after), shape) = (params.page()?, params.shape()?);
    params.finish()?;
    app.ask(move |_, snapshot| {
        let query = snapshot.siblings(find::event(snapshot, &name)?);
        let query = query.after(after).detail(shape.detail);
        reply::page(query, limit, |reply, event| reply::write_event(reply, event, shape, None))
    })
    .await
}

/// The event and what its id came with again.
pub(super) async fn versions(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let ((limit, after), shape) = (params.page()?, params.shape()?);
    params.finish()?;
    app.ask(move |_, snapshot| {
        let query = snapshot.versions(find::event(snapshot, &name)?);
        let query = query.after(after).detail(shape.detail);
        reply::page(query, limit, |reply, event| reply::write_event(reply, event, shape, None))
    })
    .await
}

/// All that an event caused, each with how far `below` it lies.
pub(super) async fn tree(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
) -> HttpResult<JsonReply> {
    let ((limit, after), shape) = (params.page()?, params.shape()?);
    let max_depth = params.read("max_depth", "a number of links")?;
    let order = match params.text("order")?.as_deref() {
        None | Some("depth") => TreeOrder::DepthFirst,
        Some("breadth") => TreeOrder::BreadthFirst,
        Some(other) => {
            return Err(HttpFailure::bad(format!(
                "expected depth or breadth in order, found {other:?}"
            )));
        }
    };
    params.finish()?;
    app.ask(move |_, snapshot| {
        let query = snapshot.descendants(find::event(snapshot, &name)?).order(order);
        let query = query.max_depth(max_depth.unwrap_or(limits::DEFAULT_MAX_DEPTH));
        reply::page(query.after(after).detail(shape.detail), limit, |reply, found| {
            reply::write_event(reply, &found.event, shape, Some(found.below))
        })
    })
    .await
}

/// The nearest cause of two events: `event`, else `end`, how the walks from `a` and `b` end.
pub(super) async fn common(State(app): State<Arc<App>>, params: Params) -> HttpResult<JsonReply> {
    #[derive(Serialize)]
    struct CommonReply<'e> {
        kind: &'static str,
        a: Option<&'e ChainEnd>,
        b: Option<&'e ChainEnd>,
    }
    let (Some(a), Some(b)) = (params.text("a")?, params.text("b")?) else {
        return Err(HttpFailure::bad("expected two events, as a and b"));
    };
    let shape = params.shape()?;
    params.finish()?;
    app.ask(move |_, snapshot| {
        let (a, b) = (find::event(snapshot, &a)?, find::event(snapshot, &b)?);
        let found = snapshot.common_cause(&a, &b)?;
        let mut reply = b"{\"event\":".to_vec();
        let mut end = CommonReply { kind: "none", a: None, b: None };
        match &found {
            Some(CommonCause::Found(event)) => {
                reply::write_event(&mut reply, event, shape, None)?;
                reply.extend_from_slice(b",\"end\":null}");
                return Ok(JsonReply(reply));
            }
            Some(CommonCause::Unknown(a, b)) => {
                end = CommonReply { kind: "unknown", a: Some(a), b: Some(b) };
            }
            _ => {}
        }
        reply.extend_from_slice(b"null,\"end\":");
        reply::write(&mut reply, &end)?;
        reply.push(b'}');
        Ok(JsonReply(reply))
    })
    .await
}

/// The payload as it came in. A browser shows it as text at most, whatever it is.
pub(super) async fn payload(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> HttpResult<Response> {
    params.finish()?;
    let known = headers.get(IF_NONE_MATCH).cloned();
    let (event, tag) = app
        .ask(move |_, snapshot| {
            let (id, event) = event_named(snapshot, &name)?;
            let Some(payload) = event.payload() else {
                return Err(HttpFailure::missing(format!("the event {id} has no payload")));
            };
            let tag = format!("\"{}\"", &blake3::hash(payload).to_hex()[..32]);
            Ok((event, tag))
        })
        .await?;
    let is_known = known.is_some_and(|known| {
        known.to_str().unwrap_or_default().split(',').any(|one| one.trim() == tag)
    });
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let payload = event.payload().unwrap_or_default();
        let is_text = str::from_utf8(payload).is_ok();
        let room = if payload.len() > INLINE_BYTES {
            let room = Arc::clone(&app.payloads).try_acquire_owned();
            Some(room.map_err(|_| HttpFailure::busy("too many long payloads are being sent", 2))?)
        } else {
            None
        };
        let mut response = Response::new(Body::new(PayloadBody { event, sent: 0, _room: room }));
        let headers = response.headers_mut();
        let shown = if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(shown));
        if !is_text {
            headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
        }
        response
    };
    // Digits and quotes are a header's value.
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    // An id may come again with another content.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// A payload piece by piece, of which none is copied before there is room for it.
struct PayloadBody {
    event: StoredEvent,
    sent: usize,
    /// Among the long payloads that are being sent.
    _room: Option<OwnedSemaphorePermit>,
}

impl http_body::Body for PayloadBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let rest = &self.event.payload().unwrap_or_default()[self.sent..];
        if rest.is_empty() {
            return Poll::Ready(None);
        }
        let piece = Bytes::copy_from_slice(&rest[..rest.len().min(PIECE_BYTES)]);
        self.sent += piece.len();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == self.event.payload().unwrap_or_default().len()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.event.payload().unwrap_or_default().len() - self.sent;
        SizeHint::with_exact(left as u64)
    }
}

fn event_named(snapshot: &Snapshot, name: &str) -> HttpResult<(EventId, StoredEvent)> {
    let id = find::event(snapshot, name)?;
    let event = snapshot.get_lossy(&id)?.ok_or_else(|| missing(name))?;
    Ok((id, event))
}

fn missing(name: &str) -> HttpFailure {
    HttpFailure::missing(format!("no event has the id {name:?}"))
}

/// Bytes of a payload that are handed over at once.
const PIECE_BYTES: usize = 64 << 10;
