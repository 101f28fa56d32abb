//! `GET /stream`: calls of hooks over a WebSocket.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use forebear::{Snapshot, StoredEvent};
use tokio::select;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::failure::HttpResult;
use crate::hooks::listing::{newest, told};
use crate::hooks::{RESPONSE, TYPE};
use crate::live::{Next, StreamPlace, too_many};
use crate::params::Wanted;

/// First `{"type":"initial","data":[…]}` with the newest calls, then `{"type":"event","data":…}`
/// for each as it comes, and again for one that a person answered.
pub(super) async fn stream(State(app): State<Arc<App>>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(held) = Arc::clone(&app.streams).try_acquire_owned() else {
        return too_many().into_response();
    };
    upgrade.max_message_size(MESSAGE_BYTES).max_frame_size(MESSAGE_BYTES).on_upgrade(
        move |socket| async move {
            app.traffic.streams.add(1);
            // It breaks off where the client has gone.
            let _ = speak(&app, socket, &held).await;
            app.traffic.streams.subtract(1);
        },
    )
}

async fn speak(
    app: &Arc<App>,
    mut socket: WebSocket,
    _held: &OwnedSemaphorePermit,
) -> Result<(), axum::Error> {
    let failed = |_| axum::Error::new("the store can't be read");
    let (key, value) = TYPE;
    let labels = vec![(key.to_owned(), value.to_owned())];
    let wanted = Wanted { labels, ..Wanted::default() };
    let mut place = StreamPlace::new(app, wanted, None).await.map_err(failed)?;
    // What comes between the two is told twice, by the same number, and nothing is left out.
    let initial = app.ask(|_, snapshot| {
        let data = newest(snapshot, SHOWN)?;
        Ok(format!("{{\"type\":\"initial\",\"data\":{}}}", String::from_utf8_lossy(&data)))
    });
    socket.send(Message::text(initial.await.map_err(failed)?)).await?;
    loop {
        let next = {
            let next = place.next();
            // It goes on over what clients send: what it read until then would be read again.
            tokio::pin!(next);
            loop {
                select! {
                    received = socket.recv() => match received {
                        // Pings are answered by the socket itself; clients have nothing to say.
                        Some(Ok(Message::Close(_))) | None => return Ok(()),
                        Some(message) => { message?; }
                    },
                    next = &mut next => break next,
                }
            }
        };
        match next.map_err(failed)? {
            Next::End => return socket.send(Message::Close(None)).await,
            Next::Gap(..) => {}
            Next::Events(events) => {
                let messages = app.ask(move |_, snapshot| draw(snapshot, &events));
                for message in messages.await.map_err(failed)? {
                    socket.send(Message::text(message)).await?;
                }
            }
        }
    }
}

fn draw(snapshot: &Snapshot, events: &[StoredEvent]) -> HttpResult<Vec<String>> {
    let mut messages = Vec::with_capacity(events.len());
    for event in events {
        let told = match event.parent().filter(|_| event.kind() == RESPONSE) {
            None => told(snapshot, event)?,
            // The question, with its answer.
            Some(question) => match snapshot.get(question)? {
                Some(question) => told(snapshot, &question)?,
                None => continue,
            },
        };
        let told = String::from_utf8_lossy(&told);
        messages.push(format!("{{\"type\":\"event\",\"data\":{told}}}"));
    }
    Ok(messages)
}

/// Calls that are shown at first.
const SHOWN: usize = 300;
/// Bytes of what a client sends, which says nothing.
const MESSAGE_BYTES: usize = 64 << 10;
