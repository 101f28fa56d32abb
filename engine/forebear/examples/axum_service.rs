//! Two routes over a store: `POST /events` appends a line of JSON, `GET /why/{id}` answers
//! with the chain of causes. Without an argument it asks itself and ends.
//!
//! `cargo run --example axum_service [ADDRESS]`, and then
//! `curl localhost:3000/events -d '{"id":"ask","kind":"request"}'`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use forebear::{Event, Store, StoredEvent, WhenFull};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is posted.
#[derive(Deserialize)]
struct NewEvent {
    id: Option<String>,
    parent: Option<String>,
    kind: String,
    #[serde(default)]
    payload: serde_json::Value,
}

/// An error of the store as a client is to see it.
struct Failure(forebear::Error);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // A full queue is an answer to the client: waiting for room would block the runtime.
    let store = forebear::builder()
        .when_full(WhenFull::Return)
        .open(folder.path().join("events.forebear"))?;
    let routes = Router::new()
        .route("/events", post(append))
        .route("/why/{id}", get(why))
        .with_state(store.clone());
    match std::env::args().nth(1) {
        Some(address) => axum::serve(TcpListener::bind(address).await?, routes).await?,
        None => try_it(routes).await?,
    }
    store.close()?;
    Ok(())
}

/// Answers once the event is on disk.
async fn append(
    State(store): State<Store>,
    Json(new): Json<NewEvent>,
) -> Result<(StatusCode, String), Failure> {
    let mut event = Event::new(new.kind).parent_opt(new.parent).payload_json(&new.payload)?;
    if let Some(id) = new.id {
        event = event.id(id);
    }
    let written = store.submit(event)?.await?;
    Ok((StatusCode::CREATED, written.events[0].id.to_string()))
}

/// The chain from an event to its root, each event as the program's `--json` has it.
async fn why(
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Json<Vec<StoredEvent>>, Failure> {
    let snapshot = store.snapshot();
    let walk = tokio::task::spawn_blocking(move || {
        let chain = snapshot.chain(id)?;
        chain.into_iter().flatten().collect::<forebear::Result<Vec<_>>>()
    });
    Ok(Json(walk.await.expect("the walk does not panic")?))
}

impl From<forebear::Error> for Failure {
    fn from(error: forebear::Error) -> Self {
        Self(error)
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        let status = match self.0.kind() {
            forebear::ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            forebear::ErrorKind::Full => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, format!("{:#}", self.0)).into_response()
    }
}

/// Serves on a free port, and asks.
async fn try_it(routes: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    for event in [
        r#"{"id":"ask","kind":"request"}"#,
        r#"{"id":"query","kind":"query","parent":"ask"}"#,
        r#"{"id":"failure","kind":"error","parent":"query","payload":{"code":7}}"#,
    ] {
        let request = format!(
            "POST /events HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{event}",
            event.len()
        );
        println!("{}", send(address, &request).await?);
    }
    println!("{}", send(address, "GET /why/failure HTTP/1.0\r\n\r\n").await?);
    server.abort();
    Ok(())
}

/// The body of an answer.
async fn send(address: std::net::SocketAddr, request: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}
