//! A person's answer to what an agent asked through a hook.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use forebear::{Event, EventId};
use forebear_wire::json::Members;
use hyper::Uri;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::body;
use crate::failure::{HttpFailure, HttpResult};
use crate::hooks::listing::told;
use crate::hooks::{CALL_BYTES, RESPONSE, SENDER, TYPE, refused};
use crate::notice::notice;
use crate::reply::JsonReply;

/// Stores the answer below its question, passes it on to the agent that waits for it, and
/// answers with the question as it stands now.
pub(super) async fn respond(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
    body: Body,
) -> Response {
    match answer(&app, number, body).await {
        Ok(json) => json.into_response(),
        Err(failure) => refused(failure),
    }
}

async fn answer(app: &Arc<App>, number: u64, body: Body) -> HttpResult<JsonReply> {
    app.access.store()?;
    let body = body::read(app, body, CALL_BYTES).await?;
    let (json, socket, answer) = app
        .work(move |app| {
            let mut answer: serde_json::Map<String, Value> = serde_json::from_slice(&body.bytes)
                .map_err(|error| HttpFailure::bad(format!("expected an answer: {error}")))?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX / 1_000_000);
            answer.insert("respondedAt".to_owned(), now_ms.into());
            let answer = Value::Object(answer).to_string();
            let (question, socket) = app.access.ask(|snapshot| {
                let missing = || HttpFailure::missing(format!("no hook has the number {number}"));
                if !snapshot.holds(number) {
                    return Err(missing());
                }
                let event = snapshot.event(number)?;
                if event.label(TYPE.0) != Some(TYPE.1) || event.kind() == RESPONSE {
                    return Err(missing());
                }
                let socket = socket_of(event.payload().unwrap_or_default());
                Ok((event, socket))
            })?;
            let id = format!("{}\0{answer}", question.id());
            let mut event = Event::new(RESPONSE)
                .id(EventId::derived(DOMAIN, id.as_bytes()))
                .parent(question.id())
                .time_ns(now_ms.saturating_mul(1_000_000))
                .instance(question.instance())
                .scope(question.scope())
                .label(TYPE.0, TYPE.1)
                .payload(answer.clone());
            if let Some(session) = question.session() {
                event = event.session(session);
            }
            app.access.store()?.append(event)?;
            let json = app.access.ask(|snapshot| told(snapshot, &question))?;
            Ok((JsonReply(json), socket, answer))
        })
        .await?;
    if let Some(socket) = socket {
        // The agent may have given up: the answer is stored all the same.
        match timeout(PASS_ON_TIME, pass_on(&socket, &answer)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => notice(&format!("an answer can't be passed on: {error}")),
            Err(_) => notice("an answer can't be passed on: the agent does not take it"),
        }
    }
    Ok(json)
}

/// Where the agent waits for its answer.
fn socket_of(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct AskedBack {
        #[serde(rename = "responseWebSocketUrl")]
        socket: Option<String>,
    }
    let member = |Members(members): Members<'_>, key: &str| -> Option<Box<RawValue>> {
        let found = members.into_iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.to_owned())
    };
    let sender = member(serde_json::from_slice(payload).ok()?, SENDER)?;
    let question = member(serde_json::from_str(sender.get()).ok()?, "humanInTheLoop")?;
    serde_json::from_str::<AskedBack>(question.get()).ok()?.socket
}

/// Sends a text over a WebSocket on this machine, and closes it. Elsewhere nothing is sent: the
/// address is one that a hook names, and could be made to name anything that this machine
/// reaches.
async fn pass_on(socket: &str, text: &str) -> Result<(), String> {
    let address: Uri = socket.parse().map_err(|_| format!("{socket:?} is no address"))?;
    let (host, port) = (address.host().unwrap_or_default(), address.port_u16().unwrap_or(80));
    let places: Vec<SocketAddr> = match host {
        "localhost" => vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()],
        "127.0.0.1" => vec![(Ipv4Addr::LOCALHOST, port).into()],
        "[::1]" => vec![(Ipv6Addr::LOCALHOST, port).into()],
        _ => return Err(format!("{socket:?} is not on this machine")),
    };
    if address.scheme_str() != Some("ws") {
        return Err(format!("expected a ws address, found {socket:?}"));
    }
    let said = |error: std::io::Error| format!("{socket:?}: {error}");
    let mut stream = TcpStream::connect(&places[..]).await.map_err(said)?;
    let path = address.path_and_query().map_or("/", |path| path.as_str());
    // The key shows that the other side speaks the protocol; here it only has to be there.
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: Zm9yZWJlYXIgYW5zd2Vycw==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.map_err(said)?;
    let mut answered = Vec::new();
    while !answered.ends_with(b"\r\n\r\n") && answered.len() < HEAD_BYTES {
        answered.push(stream.read_u8().await.map_err(said)?);
    }
    if !answered.starts_with(b"HTTP/1.1 101") {
        return Err(format!("{socket:?} is no WebSocket"));
    }
    stream.write_all(&frame(TEXT, text.as_bytes())).await.map_err(said)?;
    sleep(CLOSE_AFTER).await;
    // It may have closed it itself by then.
    let _ = stream.write_all(&frame(CLOSE, &1000_u16.to_be_bytes())).await;
    Ok(())
}

/// A whole message in one frame. A client's are masked, if with zeros: nothing between the two
/// could take it for something else on one machine.
fn frame(of: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![FINAL | of];
    match (u8::try_from(bytes.len()), u16::try_from(bytes.len())) {
        (Ok(length @ ..LENGTH_16), _) => frame.push(MASKED | length),
        (_, Ok(length)) => {
            frame.push(MASKED | LENGTH_16);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(MASKED | LENGTH_64);
            frame.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(bytes);
    frame
}

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
/// That the length follows, in so many bits.
const LENGTH_16: u8 = 0x7e;
const LENGTH_64: u8 = 0x7f;
/// Bytes of the other side's head.
const HEAD_BYTES: usize = 16 << 10;
/// How long the other side has to read the answer before the connection is closed.
const CLOSE_AFTER: Duration = Duration::from_millis(300);
/// How long passing it on may take.
const PASS_ON_TIME: Duration = Duration::from_secs(5);
/// Keeps the ids of answers apart from other derived ids.
const DOMAIN: &str = "forebear serve response v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_say_how_long_they_are() {
        assert_eq!(frame(TEXT, b"hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(frame(TEXT, &[0; 126])[..4], [0x81, 0xfe, 0, 126]);
        assert_eq!(frame(TEXT, &vec![0; 70_000])[..10], [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
    }
}
