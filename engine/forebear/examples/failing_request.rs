//! A service whose requests are spans: `POST /orders/{id}` fails where there is no stock, and
//! `GET /why` explains the newest failure. Without an argument it asks itself and ends.
//!
//! `cargo run --example failing_request [ADDRESS]`, and then
//! `curl -X POST localhost:3000/orders/7; curl localhost:3000/why`

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use forebear::answers::{WhyQuery, failure_chain};
use forebear::readings::Readings;
use forebear::{Event, EventLogger, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What each handler has in its hands.
#[derive(Clone)]
struct Service {
    store: Store,
    logger: Arc<EventLogger>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let store = forebear::in_memory()?;
    let logger = Arc::new(EventLogger::new(store.clone()).session("shop"));
    let routes = Router::new()
        .route("/orders/{id}", post(order))
        .route("/why", get(why))
        .with_state(Service { store: store.clone(), logger });
    match std::env::args().nth(1) {
        Some(address) => axum::serve(TcpListener::bind(address).await?, routes).await?,
        None => try_it(routes).await?,
    }
    store.close()?;
    Ok(())
}

/// A request is a span; what it does is logged below it, whoever does it.
async fn order(State(service): State<Service>, Path(id): Path<u32>) -> (StatusCode, String) {
    let event = Event::new("request").payload(format!("POST /orders/{id}"));
    let span = match service.logger.span_async(event).await {
        Ok(span) => span,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")),
    };
    match span.record_async(place(&service.logger, id)).await {
        Ok(said) => (StatusCode::CREATED, said),
        Err(error) => (StatusCode::CONFLICT, format!("{error:#}")),
    }
}

/// Knows nothing of requests: the context is the caller's.
async fn place(logger: &EventLogger, id: u32) -> anyhow::Result<String> {
    logger.log_async(Event::new("customer").payload("known, pays by card")).await?;
    let stock = logger.span_async(Event::new("reserve").payload(format!("order {id}"))).await?;
    stock.record_async(reserve(logger, id)).await?;
    Ok(format!("order {id} is placed\n"))
}

async fn reserve(logger: &EventLogger, id: u32) -> anyhow::Result<()> {
    let left = if id == 7 { 0 } else { 3 };
    logger.log_async(Event::new("stock").payload(format!("{left} left"))).await?;
    anyhow::ensure!(left > 0, "nothing is left of what order {id} wants");
    Ok(())
}

/// The newest failure and what led to it, from it up.
async fn why(State(service): State<Service>) -> Result<String, (StatusCode, String)> {
    let explained = tokio::task::spawn_blocking(move || explain(&service.store)).await;
    explained
        .map_err(|error| error.to_string())
        .and_then(|explained| explained.map_err(|error| format!("{error:#}")))
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error))
}

fn explain(store: &Store) -> forebear::Result<String> {
    let snapshot = store.snapshot();
    let report = failure_chain(&snapshot, &Readings::default(), &WhyQuery::newest())?;
    let Some(found) = report.failure else { return Ok("nothing failed\n".to_owned()) };
    let mut said = format!("{} failed: {}\n", found.failure.kind(), found.text);
    for event in snapshot.chain(found.failure.id())?.into_iter().flatten() {
        let event = event?;
        let payload = String::from_utf8_lossy(event.payload().unwrap_or_default());
        // Writing to a string can't fail.
        let _ = writeln!(said, "  in {}: {payload}", event.kind());
    }
    Ok(said)
}

/// Serves on a free port, and asks.
async fn try_it(routes: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    for path in ["POST /orders/6", "POST /orders/7", "GET /why"] {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("{path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        println!("{path}: {}", body.trim_end());
        if path == "GET /why" {
            anyhow::ensure!(body.contains("POST /orders/7"), "it leads to the request: {body}");
        }
    }
    server.abort();
    Ok(())
}
