//! Requests of exporters: unpacked, read, stored, answered.

use std::io::Read as _;
use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use forebear::{Batch, Quarantined};
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::app::App;
use crate::body::{self, HeldBody};
use crate::failure::{HttpFailure, HttpResult};
use crate::otlp::schema::{LOGS, MessageSchema, TRACES};
use crate::otlp::{metrics, protobuf};

/// Spans.
pub(super) async fn traces(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<Response> {
    records(&app, &headers, body, &TRACES, "resourceSpans").await
}

/// Log records.
pub(super) async fn logs(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<Response> {
    records(&app, &headers, body, &LOGS, "resourceLogs").await
}

/// Metrics: refused in the way that has exporters neither try again nor take it for an error.
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<Response> {
    let encoding = ExportEncoding::of(&headers)?;
    let mut held = body::read(&app, body, REQUEST_BYTES).await?;
    app.work(move |app| {
        unpack(app, &headers, &mut held)?;
        let points = match encoding {
            ExportEncoding::Json => metrics::points_of_json(&held.bytes),
            ExportEncoding::Protobuf => metrics::points_of_protobuf(&held.bytes),
        };
        let points = points.map_err(HttpFailure::bad)?;
        Ok(encoding.reply(points, "forebear keeps traces and logs, and no metrics"))
    })
    .await
}

async fn records(
    app: &Arc<App>,
    headers: &HeaderMap,
    body: Body,
    of: &'static MessageSchema,
    member: &'static str,
) -> HttpResult<Response> {
    let encoding = ExportEncoding::of(headers)?;
    app.access.store()?;
    let mut held = body::read(app, body, REQUEST_BYTES).await?;
    let headers = headers.clone();
    app.work(move |app| {
        let packed = held.bytes.clone();
        let read = unpack(app, &headers, &mut held).and_then(|()| match encoding {
            ExportEncoding::Json => json(&held.bytes, member),
            ExportEncoding::Protobuf => {
                let most = held.bytes.len().saturating_mul(4).saturating_add(JSON_BYTES);
                protobuf::to_json(&held.bytes, of, most).map_err(HttpFailure::bad)
            }
        });
        let store = app.access.store()?;
        let request = match read {
            Ok(request) => request,
            Err(failure) => {
                let problem = failure.into_problem();
                if problem.status() == StatusCode::BAD_REQUEST {
                    let reason = problem.detail().to_owned();
                    store.write(Batch::new().quarantine(garbage(member, reason, packed)))?;
                }
                return Err(HttpFailure::Problem(problem));
            }
        };
        let mut receiver = app.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = receiver.store(&store, &request)?;
        Ok(match stored.refused {
            0 => encoding.reply(0, ""),
            refused => encoding.reply(refused, "longer than the store's limits"),
        })
    })
    .await
}

/// How a request is written, and its reply.
#[derive(Clone, Copy, Debug)]
enum ExportEncoding {
    Json,
    Protobuf,
}

impl ExportEncoding {
    fn of(headers: &HeaderMap) -> HttpResult<Self> {
        let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let value = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match value.to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-protobuf" | "application/protobuf" => Ok(Self::Protobuf),
            other => Err(HttpFailure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("expected application/x-protobuf or application/json, found {other:?}"),
            )),
        }
    }

    /// That all was taken, or how many records were not and why.
    fn reply(self, refused: u64, why: &str) -> Response {
        let (kind, body) = match self {
            Self::Json if why.is_empty() => ("application/json", b"{}".to_vec()),
            Self::Json => {
                let partial = serde_json::json!({"partialSuccess": {
                    "rejectedLogRecords": refused.to_string(),
                    "rejectedSpans": refused.to_string(),
                    "rejectedDataPoints": refused.to_string(),
                    "errorMessage": why,
                }});
                ("application/json", partial.to_string().into_bytes())
            }
            Self::Protobuf if why.is_empty() => ("application/x-protobuf", Vec::new()),
            Self::Protobuf => {
                // In all three replies these are the fields 1 and 2 of the field 1.
                let mut partial = vec![0x08];
                push_varint(&mut partial, refused);
                partial.push(0x12);
                push_varint(&mut partial, why.len() as u64);
                partial.extend_from_slice(why.as_bytes());
                let mut whole = vec![0x0a];
                push_varint(&mut whole, partial.len() as u64);
                whole.extend_from_slice(&partial);
                ("application/x-protobuf", whole)
            }
        };
        let mut response = body.into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

/// Unpacks a body that came packed, to at most so many bytes as an unpacked one may have.
fn unpack(app: &App, headers: &HeaderMap, held: &mut HeldBody) -> HttpResult<()> {
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    match encoding.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => return Ok(()),
        "gzip" => {}
        other => {
            return Err(HttpFailure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("expected gzip or nothing in Content-Encoding, found {other:?}"),
            ));
        }
    }
    let packed = std::mem::take(&mut held.bytes);
    let mut decoder = MultiGzDecoder::new(&*packed);
    let mut unpacked = Vec::new();
    loop {
        let before = unpacked.len();
        let piece = (&mut decoder).take(PIECE_BYTES).read_to_end(&mut unpacked);
        piece.map_err(|error| HttpFailure::bad(format!("expected gzip: {error}")))?;
        if unpacked.len() == before {
            break;
        }
        if unpacked.len() > UNPACKED_BYTES {
            return Err(body::too_long(UNPACKED_BYTES));
        }
        held.grow_to(app, packed.len() + unpacked.len())?;
    }
    held.bytes = unpacked;
    Ok(())
}

/// A request in JSON, which has what is asked to be stored or nothing.
fn json(bytes: &[u8], member: &str) -> HttpResult<String> {
    let text =
        str::from_utf8(bytes).map_err(|_| HttpFailure::bad("expected JSON, found other bytes"))?;
    let forebear_wire::json::Members(members) = serde_json::from_str(text)
        .map_err(|error| HttpFailure::bad(format!("expected a request in JSON: {error}")))?;
    let snake = if member == "resourceSpans" { "resource_spans" } else { "resource_logs" };
    match members.iter().find(|(key, _)| key != member && key != snake) {
        Some((key, _)) => Err(HttpFailure::bad(format!("expected {member}, found {key:?}"))),
        None => Ok(text.to_owned()),
    }
}

/// What was sent and can't be read, to be looked at later.
fn garbage(member: &str, reason: String, bytes: Vec<u8>) -> Quarantined {
    let source = format!("otlp {member} over HTTP");
    let length = bytes.len() as u64;
    Quarantined { source, line: 0, offset: 0, length, reason, bytes }
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Bytes of a request as it comes, and unpacked.
const REQUEST_BYTES: usize = 16 << 20;
const UNPACKED_BYTES: usize = 64 << 20;
/// Bytes that are unpacked at once.
const PIECE_BYTES: u64 = 1 << 20;
/// Bytes of JSON that any request may take beyond four times its own.
const JSON_BYTES: usize = 1 << 20;
