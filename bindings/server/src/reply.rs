//! Replies in JSON: events, pages of them, and anything that is an object by itself.

use axum::response::{IntoResponse, Response};
use forebear::listing::{Listing, Query};
use forebear::{EventJson, StoredEvent};
use forebear_wire::gist;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::failure::{HttpFailure, HttpResult};
use crate::limits::{INLINE_BYTES, REPLY_BYTES};
use crate::params::EventShape;

/// A reply that is written.
#[derive(Debug)]
pub(crate) struct JsonReply(pub(crate) Vec<u8>);

impl JsonReply {
    /// Writes an object.
    pub(crate) fn of(value: &impl Serialize) -> HttpResult<Self> {
        let mut json = Vec::new();
        write(&mut json, value)?;
        Ok(Self(json))
    }
}

impl IntoResponse for JsonReply {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

/// Adds a value to a reply.
pub(crate) fn write(reply: &mut Vec<u8>, value: &impl Serialize) -> HttpResult<()> {
    serde_json::to_writer(reply, value).map_err(|error| {
        let status = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        HttpFailure::new(status, format!("writing the reply: {error}"))
    })
}

/// An event by the engine's keys, what its payload says, and how long that is. One that is
/// too long to be told within a reply is left out.
#[derive(Serialize)]
struct EventLine<'e> {
    #[serde(flatten)]
    event: EventJson<'e>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gist: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_bytes: Option<usize>,
}

/// Adds an event to a reply.
pub(crate) fn write_event(
    reply: &mut Vec<u8>,
    event: &StoredEvent,
    shape: EventShape,
    below: Option<u64>,
) -> HttpResult<()> {
    let payload_bytes = event.payload().map(<[u8]>::len);
    let is_told = shape.payload && payload_bytes.is_some_and(|bytes| bytes <= INLINE_BYTES);
    let mut json = event.json().payload(is_told);
    if let Some(below) = below {
        json = json.below(below);
    }
    let gist = shape.gist.then(|| gist::of_event(event));
    write(reply, &EventLine { event: json, gist, payload_bytes })
}

/// A page of a listing: `items`, `next` where it goes on, `damaged` where something could not
/// be read. It ends early where it would get too long.
pub(crate) fn page<L: Listing + Clone>(
    query: Query<L>,
    limit: usize,
    mut item: impl FnMut(&mut Vec<u8>, &L::Item) -> HttpResult<()>,
) -> HttpResult<JsonReply> {
    let page = query.clone().limit(limit).page()?;
    let mut reply = b"{\"items\":[".to_vec();
    let mut told = 0;
    for one in &page.items {
        if told > 0 {
            if reply.len() > REPLY_BYTES {
                break;
            }
            reply.push(b',');
        }
        item(&mut reply, one)?;
        told += 1;
    }
    let is_whole = told == page.items.len();
    let next = if is_whole { page.next } else { query.limit(told).page()?.next };
    reply.extend_from_slice(b"],\"next\":");
    write(&mut reply, &next)?;
    if !page.damaged.is_empty() {
        reply.extend_from_slice(b",\"damaged\":");
        write(&mut reply, &page.damaged)?;
    }
    reply.push(b'}');
    Ok(JsonReply(reply))
}
