//! Figures of the server and the store as Prometheus reads them.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::app::App;
use crate::failure::HttpResult;
use crate::params::Params;

/// The figures. O(segments): no row is read.
pub(super) async fn metrics(State(app): State<Arc<App>>, params: Params) -> HttpResult<Response> {
    params.finish()?;
    let text = app.work(text).await?;
    let mut response = text.into_response();
    let prometheus = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, prometheus);
    Ok(response)
}

fn text(app: &App) -> HttpResult<String> {
    let segments = app.access.ask(|snapshot| Ok(snapshot.segments()))?;
    let mut text = String::new();
    let mut add = |name: &str, kind: &str, help: &str, value: u64| {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "# HELP forebear_{name} {help}\n# TYPE forebear_{name} {kind}\nforebear_{name} {value}"
        );
    };
    let (gauge, counter) = ("gauge", "counter");
    let last = segments.last();
    let stored = last.map_or(0, |last| last.first_seq + last.events - 1);
    add("events_total", counter, "Events and versions ever stored", stored);
    let held = segments.iter().map(|segment| segment.events - segment.lost).sum();
    add("events", gauge, "Events and versions that the store holds", held);
    add("segments", gauge, "Segments and logs of the store", segments.len() as u64);
    let bytes = segments.iter().map(|segment| segment.stored_bytes).sum();
    add("stored_bytes", gauge, "Bytes of the store's files", bytes);
    let writes = u64::from(app.access.why_read_only().is_none());
    add("writable", gauge, "Whether this process writes to the store", writes);
    if let Ok(store) = app.access.store() {
        let health = store.health();
        let queue = health.queue;
        add(
            "well",
            gauge,
            "Whether writes are accepted and nothing fails",
            health.is_well().into(),
        );
        add("queue_batches", gauge, "Batches that wait to be written", queue.batches as u64);
        add("queue_bytes", gauge, "Bytes that wait to be written", queue.bytes as u64);
        let capacity = queue.capacity_bytes as u64;
        add("queue_capacity_bytes", gauge, "Bytes that can wait to be written", capacity);
        add("unsealed_logs", gauge, "Full logs that are not sealed", health.sealing.logs as u64);
        let active = health.sealing.active_bytes;
        add("active_log_bytes", gauge, "Bytes of the log that is written", active);
        let spool = health.spool.unwrap_or_default();
        add("spool_batches", gauge, "Batches of other processes that wait", spool.waiting);
        add("spool_refused", gauge, "Batches of other processes that were refused", spool.refused);
        let warnings = health.last_warning.map_or(0, |warning| warning.number());
        add("warnings_total", counter, "Warnings since the store was opened", warnings);
    }
    let traffic = &app.traffic;
    add("http_requests_total", counter, "Requests that came", traffic.requests.get());
    add("http_refused_total", counter, "Requests that were not allowed", traffic.refused.get());
    add("http_connections", gauge, "Connections that are open", traffic.connections.get());
    add("streams", gauge, "Streams of events that are open", traffic.streams.get());
    Ok(text)
}
