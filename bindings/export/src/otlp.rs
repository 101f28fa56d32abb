//! `OpenTelemetry`: lines with a request of an exporter each, as file exporters write them.
//!
//! Names are those of `OpenTelemetry`'s conventions for generative AI, with those of
//! `OpenInference` beside them; `forebear.id` and `forebear.parent` are the event's. What came in
//! as telemetry goes out as it came.

use std::io::{self, Write};

use forebear::{EventId, StoredEvent, Tokens};
use serde_json::{Value, json};

use crate::Options;
use crate::span::{CallSpan, TraceSpan, What};
use crate::spans::SpanSink;

/// The payload type of what came in as telemetry.
const TELEMETRY: &str = "otlp";

/// Spans of a request.
const SPANS_MAX: usize = 256;

/// Bytes of texts from which on a request is written.
const REQUEST_BYTES: usize = 1 << 20;

/// Writes requests, a line each.
pub(crate) struct OtlpWriter<W> {
    out: W,
    spans: Vec<Value>,
    bytes: usize,
}

impl<W: Write> OtlpWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, spans: Vec::new(), bytes: 0 }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.spans.is_empty() {
            return Ok(());
        }
        let request = json!({"resourceSpans": [{
            "resource": {"attributes": [text("service.name", "forebear")]},
            "scopeSpans": [{
                "scope": {"name": "forebear", "version": env!("CARGO_PKG_VERSION")},
                "spans": std::mem::take(&mut self.spans),
            }],
        }]});
        self.bytes = 0;
        self.line(&request)
    }

    fn line(&mut self, request: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, request)?;
        self.out.write_all(b"\n")
    }
}

impl<W: Write> SpanSink for OtlpWriter<W> {
    fn telemetry(&mut self, event: &StoredEvent, options: &mut Options<'_>) -> io::Result<bool> {
        if event.payload_type() != Some(TELEMETRY) {
            return Ok(false);
        }
        let payload = event.payload().unwrap_or_default();
        let Ok(mut request) = serde_json::from_slice::<Value>(payload) else { return Ok(false) };
        options.redactor.json(&mut request);
        if let Some(Value::Array(attributes)) = attributes(&mut request) {
            attributes.extend(named(event.id(), event.parent()));
        }
        self.write()?;
        self.line(&request)?;
        Ok(true)
    }

    fn span(&mut self, span: &TraceSpan) -> io::Result<()> {
        self.bytes += bytes(&span.what);
        self.spans.push(written(span));
        if self.spans.len() >= SPANS_MAX || self.bytes >= REQUEST_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write()?;
        self.out.flush()
    }
}

/// The attributes of the one record of a request.
fn attributes(request: &mut Value) -> Option<&mut Value> {
    for (groups, scopes, records) in [
        ("resourceSpans", "scopeSpans", "spans"),
        ("resourceLogs", "scopeLogs", "logRecords"),
        ("resource_spans", "scope_spans", "spans"),
        ("resource_logs", "scope_logs", "log_records"),
    ] {
        if request.get(groups).is_some() {
            let record = request.pointer_mut(&format!("/{groups}/0/{scopes}/0/{records}/0"))?;
            let record = record.as_object_mut()?;
            return Some(record.entry("attributes").or_insert_with(|| json!([])));
        }
    }
    None
}

fn written(span: &TraceSpan) -> Value {
    let mut attributes: Vec<Value> = named(&span.event, span.cause.as_ref()).collect();
    if let Some(session) = &span.session {
        attributes.push(text("session.id", session));
        attributes.push(text("gen_ai.conversation.id", session));
    }
    if let Some(agent) = &span.agent {
        attributes.push(text("gen_ai.agent.id", agent));
    }
    let name = match &span.what {
        What::Session { title, request, service } => {
            operation(&mut attributes, "invoke_agent", "AGENT");
            add(&mut attributes, "input.value", request.as_deref());
            add(&mut attributes, "forebear.title", title.as_deref());
            add(&mut attributes, "forebear.source", service.as_deref());
            let name = title.as_deref().or(span.session.as_deref());
            name.unwrap_or("session").to_owned()
        }
        What::Agent { agent_type, request } => {
            operation(&mut attributes, "invoke_agent", "AGENT");
            let name = agent_type.as_deref().or(span.agent.as_deref()).unwrap_or("agent");
            add(&mut attributes, "gen_ai.agent.name", Some(name));
            add(&mut attributes, "input.value", request.as_deref());
            format!("invoke_agent {name}")
        }
        What::Turn { number, request } => {
            attributes.push(text("openinference.span.kind", "CHAIN"));
            add(&mut attributes, "input.value", Some(request));
            format!("turn {number}")
        }
        What::Answer { message, model, text: said, tokens } => {
            operation(&mut attributes, "chat", "LLM");
            attributes.push(text("gen_ai.response.id", message));
            if let Some(model) = model {
                attributes.push(text("gen_ai.response.model", model));
                attributes.push(text("llm.model_name", model));
            }
            if !said.is_empty() {
                attributes.push(text("llm.output_messages.0.message.role", "assistant"));
                attributes.push(text("llm.output_messages.0.message.content", said));
                attributes.push(text("output.value", said));
            }
            if let Some(tokens) = tokens {
                add_tokens(&mut attributes, *tokens);
            }
            format!("chat {}", model.as_deref().unwrap_or_default()).trim_end().to_owned()
        }
        What::Call(call) => {
            add_call(&mut attributes, call);
            format!("execute_tool {}", call.tool)
        }
        What::Point { kind, text: said, labels } => {
            add(&mut attributes, "forebear.text", Some(said));
            for (key, value) in labels {
                attributes.push(text(&format!("forebear.label.{key}"), value));
            }
            kind.clone()
        }
    };
    let start_ns = span.start_ns.max(0);
    let mut written = json!({
        "traceId": hex(&span.trace),
        "spanId": hex(&span.id),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": start_ns.to_string(),
        "attributes": attributes,
    });
    if let Some(parent) = &span.parent {
        written["parentSpanId"] = hex(parent).into();
    }
    if let Some(end_ns) = span.end_ns {
        written["endTimeUnixNano"] = end_ns.max(start_ns).to_string().into();
    }
    if let Some(error) = &span.error {
        let message = if error.is_empty() { "failed" } else { error };
        written["status"] = json!({"code": 2, "message": message});
        written["events"] = json!([{
            "name": "exception",
            "timeUnixNano": span.end_ns.unwrap_or(start_ns).max(start_ns).to_string(),
            "attributes": [text("exception.message", message)],
        }]);
    }
    if !span.links.is_empty() {
        let links = span.links.iter().map(|link| {
            json!({
                "traceId": hex(&link.trace),
                "spanId": hex(&link.span),
                "attributes": [text("forebear.link", link.kind)],
            })
        });
        written["links"] = links.collect();
    }
    written
}

fn add_call(attributes: &mut Vec<Value>, call: &CallSpan) {
    operation(attributes, "execute_tool", "TOOL");
    attributes.push(text("gen_ai.tool.name", &call.tool));
    attributes.push(text("tool.name", &call.tool));
    for key in ["gen_ai.tool.call.id", "tool_call.id"] {
        add(attributes, key, Some(&call.id));
    }
    for key in ["gen_ai.tool.call.arguments", "input.value"] {
        add(attributes, key, Some(&call.input));
    }
    for key in ["gen_ai.tool.call.result", "output.value"] {
        add(attributes, key, call.output.as_deref());
    }
    if let Some(result) = &call.result {
        attributes.push(text("forebear.result", &result.to_string()));
    }
}

/// Conventions count what was read from or written to a cache as input.
fn add_tokens(attributes: &mut Vec<Value>, tokens: Tokens) {
    let Tokens { input, output, cache_read, cache_written } = tokens;
    let all = input.saturating_add(cache_read).saturating_add(cache_written);
    for (key, count) in [
        ("gen_ai.usage.input_tokens", all),
        ("gen_ai.usage.output_tokens", output),
        ("gen_ai.usage.cache_read.input_tokens", cache_read),
        ("gen_ai.usage.cache_creation.input_tokens", cache_written),
        ("llm.token_count.prompt", all),
        ("llm.token_count.completion", output),
        ("llm.token_count.total", all.saturating_add(output)),
        ("llm.token_count.prompt_details.cache_read", cache_read),
        ("llm.token_count.prompt_details.cache_write", cache_written),
    ] {
        attributes.push(json!({"key": key, "value": {"intValue": count.to_string()}}));
    }
}

fn named(id: &EventId, parent: Option<&EventId>) -> impl Iterator<Item = Value> {
    let parent = parent.map(|parent| text("forebear.parent", &parent.to_string()));
    std::iter::once(text("forebear.id", &id.to_string())).chain(parent)
}

fn operation(attributes: &mut Vec<Value>, operation: &str, kind: &str) {
    attributes.push(text("gen_ai.operation.name", operation));
    attributes.push(text("openinference.span.kind", kind));
}

fn add(attributes: &mut Vec<Value>, key: &str, value: Option<&str>) {
    attributes.extend(value.filter(|value| !value.is_empty()).map(|value| text(key, value)));
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Bytes of a span's long texts.
fn bytes(what: &What) -> usize {
    match what {
        What::Session { request, .. } | What::Agent { request, .. } => {
            request.as_ref().map_or(0, String::len)
        }
        What::Turn { request, .. } => request.len(),
        What::Answer { text, .. } | What::Point { text, .. } => text.len(),
        What::Call(call) => call.input.len() + call.output.as_ref().map_or(0, String::len),
    }
}
