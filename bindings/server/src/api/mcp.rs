//! `/mcp`: the Model Context Protocol over HTTP.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::Request;

use crate::app::App;
use crate::body;
use crate::failure::HttpResult;

/// Answers a message of the protocol. Its body is read within the server's limits first.
pub(super) async fn answer(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> HttpResult<Response> {
    let (parts, sent) = request.into_parts();
    let held = body::read(&app, sent, MESSAGE_BYTES).await?;
    let request = Request::from_parts(parts, Body::from(held.bytes));
    Ok(app.mcp.answer(request).await.map(Body::new))
}

/// Bytes of a message.
const MESSAGE_BYTES: usize = 1 << 20;
