//! Calls of hooks as their sender posts them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use forebear::ingest::{HookCall, append_hook_call};
use forebear_wire::json::Members;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::app::App;
use crate::body;
use crate::failure::{HttpFailure, HttpResult};
use crate::hooks::listing::told;
use crate::hooks::{CALL_BYTES, SENDER, refused};
use crate::reply::JsonReply;

/// Stores a call and answers it with its number.
pub(super) async fn store(State(app): State<Arc<App>>, body: Body) -> Response {
    match take(&app, body).await {
        Ok(Some(json)) => json.into_response(),
        Ok(None) => {
            let body = r#"{"error":"Missing required fields"}"#;
            let mut response = (StatusCode::BAD_REQUEST, body).into_response();
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(failure) => refused(failure),
    }
}

/// Stores a call; none where the sender left out what it has to say.
async fn take(app: &Arc<App>, body: Body) -> HttpResult<Option<JsonReply>> {
    app.access.store()?;
    let body = body::read(app, body, CALL_BYTES).await?;
    app.work(move |app| {
        let Some(sent) = SentCall::read(&body.bytes)? else { return Ok(None) };
        let payload = sent.payload()?;
        let mut call = HookCall::new(&payload, sent.time_ns()).source_app(&sent.source_app);
        if let Some(model) = sent.model_name.as_ref().and_then(Value::as_str)
            && !model.is_empty()
            && model.len() <= forebear::limits::MAX_LABEL_VALUE_BYTES
        {
            call = call.label("model", model);
        }
        let appended = append_hook_call(&app.access.store()?, &call)?;
        app.access.ask(|snapshot| {
            // It was stored just now.
            let event = snapshot.get(&appended.id)?;
            let event = event.ok_or_else(|| HttpFailure::missing("the event has gone"))?;
            told(snapshot, &event).map(|json| Some(JsonReply(json)))
        })
    })
    .await
}

/// A call as its sender tells of it. What it has beside is repeated in the payload.
#[derive(Debug, Deserialize)]
struct SentCall<'b> {
    #[serde(default)]
    source_app: String,
    #[serde(default)]
    session_id: String,
    #[serde(default)]
    hook_event_type: String,
    #[serde(borrow)]
    payload: Option<&'b RawValue>,
    timestamp: Option<f64>,
    summary: Option<Value>,
    model_name: Option<Value>,
    #[serde(rename = "humanInTheLoop")]
    question: Option<Value>,
}

impl<'b> SentCall<'b> {
    fn read(bytes: &'b [u8]) -> HttpResult<Option<Self>> {
        let sent: Self = serde_json::from_slice(bytes)
            .map_err(|error| HttpFailure::bad(format!("expected the call of a hook: {error}")))?;
        let payload = sent.payload.map_or("null", RawValue::get);
        let has_all = ![&sent.source_app, &sent.session_id, &sent.hook_event_type]
            .into_iter()
            .any(String::is_empty);
        let has_payload = !matches!(payload, "null" | "false" | "0" | "\"\"");
        Ok((has_all && has_payload).then_some(sent))
    }

    /// The hook's own payload with its name and its session, and what the sender says of it.
    fn payload(&self) -> HttpResult<String> {
        let payload = self.payload.map_or("{}", RawValue::get);
        let Members(members) = serde_json::from_str(payload)
            .map_err(|error| HttpFailure::bad(format!("expected an object as payload: {error}")))?;
        let mut said = serde_json::Map::new();
        said.insert("source_app".to_owned(), self.source_app.clone().into());
        for (key, value) in [
            ("summary", &self.summary),
            ("model_name", &self.model_name),
            ("humanInTheLoop", &self.question),
        ] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_null() && *value != "") {
                said.insert(key.to_owned(), value.clone());
            }
        }
        let mut whole = String::from("{");
        let ours = ["session_id", "hook_event_name", SENDER];
        for (key, value) in members {
            if !ours.contains(&key.as_str()) {
                add(&mut whole, &key, value.get());
            }
        }
        add(&mut whole, "session_id", &Value::from(self.session_id.as_str()).to_string());
        add(&mut whole, "hook_event_name", &Value::from(self.hook_event_type.as_str()).to_string());
        add(&mut whole, SENDER, &Value::Object(said).to_string());
        whole.push('}');
        Ok(whole)
    }

    fn time_ns(&self) -> i64 {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        #[expect(clippy::cast_possible_truncation, reason = "a time far off is cut at the border")]
        let told_ms = self.timestamp.filter(|ms| *ms > 0.0).map(|ms| ms as i64);
        let ms = told_ms.unwrap_or_else(|| i64::try_from(now()).unwrap_or(i64::MAX));
        ms.saturating_mul(1_000_000)
    }
}

fn add(whole: &mut String, key: &str, value: &str) {
    if whole.len() > 1 {
        whole.push(',');
    }
    whole.push_str(&Value::from(key).to_string());
    whole.push(':');
    whole.push_str(value);
}
