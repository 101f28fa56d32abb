//! `GET /api/stream`: events as server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Duration, sleep};

use crate::app::App;
use crate::failure::{HttpFailure, HttpResult};
use crate::live::{Next, StreamPlace, too_many};
use crate::params::{EventShape, Params};
use crate::reply;

/// Sends events as they are stored, each with its sequence number as `id`: a client that comes
/// again with `Last-Event-ID`, as browsers do by themselves, goes on behind that one. `from`
/// names the first sequence number instead. What has expired before it was sent is an event of
/// the type `gap` with `from` and `to`, the first one that there is.
pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    params: Params,
) -> HttpResult<Response> {
    let (wanted, shape) = (params.wanted()?, params.shape()?);
    let from: Option<u64> = params.read("from", "a sequence number")?;
    params.finish()?;
    let last = headers.get(LAST_EVENT_ID).map(|last| {
        let number = last.to_str().ok().and_then(|last| last.trim().parse::<u64>().ok());
        number.ok_or_else(|| HttpFailure::bad("expected a sequence number in Last-Event-ID"))
    });
    let from = match last {
        Some(last) => Some(last?.saturating_add(1)),
        None => from,
    };
    let held = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| too_many())?;
    let place = StreamPlace::new(&app, wanted, from).await?;
    let (sender, receiver) = mpsc::channel(WAITING_FRAMES);
    tokio::spawn(send(Arc::clone(&app), place, shape, sender, held));
    let mut response = Response::new(Body::new(Frames(receiver)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Proxies hold back what they could put together.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Sends until the client has gone or the server ends.
async fn send(
    app: Arc<App>,
    mut place: StreamPlace,
    shape: EventShape,
    sender: mpsc::Sender<Bytes>,
    held: OwnedSemaphorePermit,
) {
    app.traffic.streams.add(1);
    // It shows that the stream is open, and how long to wait before coming again.
    let mut frame = Some(Bytes::from_static(b"retry: 2000\n: open\n\n"));
    'stream: loop {
        if let Some(frame) = frame.take()
            && sender.send(frame).await.is_err()
        {
            break;
        }
        let drawn = async {
            let next = place.next().await?;
            app.work(move |_| Ok(draw(next, shape))).await
        };
        // It goes on over heartbeats: what it read until then would be read again.
        tokio::pin!(drawn);
        let drawn = loop {
            select! {
                () = sender.closed() => break 'stream,
                () = sleep(HEARTBEAT_EVERY) => {
                    if sender.send(Bytes::from_static(b": so far\n\n")).await.is_err() {
                        break 'stream;
                    }
                }
                drawn = &mut drawn => break drawn,
            }
        };
        match drawn {
            Ok(Some(next)) => frame = Some(next),
            Ok(None) => break,
            Err(failure) => {
                // The client comes again, and is told then why it can't be served.
                crate::notice::notice(failure.into_problem().detail());
                break;
            }
        }
    }
    app.traffic.streams.subtract(1);
    drop(held);
}

/// A frame for each event, in one piece; none at the end.
fn draw(next: Next, shape: EventShape) -> Option<Bytes> {
    let mut frames = Vec::new();
    match next {
        Next::End => return None,
        Next::Gap(from, to) => {
            let gap = format!("event: gap\ndata: {{\"from\":{from},\"to\":{to}}}\n\n");
            frames.extend_from_slice(gap.as_bytes());
        }
        Next::Events(events) => {
            for event in events {
                let begin = frames.len();
                frames.extend_from_slice(format!("id: {}\ndata: ", event.seq()).as_bytes());
                let data = frames.len();
                // A payload keeps its own lines, which would end the frame's.
                if reply::write_event(&mut frames, &event, shape, None).is_err() {
                    frames.truncate(begin);
                    continue;
                }
                if frames[data..].iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
                    let json = String::from_utf8_lossy(&frames[data..]).into_owned();
                    frames.truncate(data);
                    frames.extend_from_slice(forebear_wire::json_text::compact(&json).as_bytes());
                }
                frames.extend_from_slice(b"\n\n");
            }
        }
    }
    Some(Bytes::from(frames))
}

/// A body whose pieces come from elsewhere.
struct Frames(mpsc::Receiver<Bytes>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Pieces that wait for a client to read them.
const WAITING_FRAMES: usize = 2;
/// How often something is sent, so that neither side takes the other for gone.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
