//! OpenTelemetry's exporters: `POST /v1/traces`, `/v1/logs` and `/v1/metrics`, as JSON or as
//! Protobuf, packed with gzip or not.
//!
//! Protobuf is written as the JSON that OTLP has ([`protobuf`]), so that one mapping reads both,
//! which is that of imported files. Metrics are not kept, and exporters are told so in a way that
//! doesn't have them try again. What can't be read is answered with 400 and quarantined.

mod metrics;
mod protobuf;
mod receive;
mod schema;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;

use crate::app::App;

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/traces", post(receive::traces))
        .route("/v1/logs", post(receive::logs))
        .route("/v1/metrics", post(receive::metrics))
}
