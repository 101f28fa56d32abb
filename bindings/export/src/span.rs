//! Spans: what happened, from when to when, within what.

use forebear::{EventId, StoredEvent, Tokens, uuid};
use forebear_wire::redact::Redactor;

/// The id of a trace: that of the session that it is.
pub(crate) type TraceId = [u8; 16];

/// The id of a span in its trace.
pub(crate) type SpanId = [u8; 8];

/// A part of a session, from when to when.
#[derive(Clone, Debug)]
pub(crate) struct TraceSpan {
    pub(crate) trace: TraceId,
    pub(crate) id: SpanId,
    /// None of the root of the trace.
    pub(crate) parent: Option<SpanId>,
    pub(crate) session: Option<String>,
    /// The agent whose it is; none where it is the session's own.
    pub(crate) agent: Option<String>,
    pub(crate) start_ns: i64,
    /// None where it didn't end.
    pub(crate) end_ns: Option<i64>,
    /// The event that it is of, and that event's parent.
    pub(crate) event: EventId,
    pub(crate) cause: Option<EventId>,
    /// What went wrong.
    pub(crate) error: Option<String>,
    pub(crate) links: Vec<SpanLink>,
    pub(crate) what: What,
}

/// A span that is named by another, which is no part of it.
#[derive(Clone, Debug)]
pub(crate) struct SpanLink {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    /// The kind of the link: `continues`, `spawned`.
    pub(crate) kind: &'static str,
}

/// What a span is of.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// All of a session.
    Session { title: Option<String>, request: Option<String>, service: Option<String> },
    /// All that an agent did.
    Agent { agent_type: Option<String>, request: Option<String> },
    /// What was done for a request, up to the next.
    Turn { number: u32, request: String },
    /// A message of a model.
    Answer { message: String, model: Option<String>, text: String, tokens: Option<Tokens> },
    /// A call and its result.
    Call(CallSpan),
    /// Any other event.
    Point { kind: String, text: String, labels: Vec<(String, String)> },
}

/// A call and its result.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSpan {
    pub(crate) id: String,
    pub(crate) tool: String,
    pub(crate) target: String,
    pub(crate) input: String,
    pub(crate) output: Option<String>,
    /// The event of the result.
    pub(crate) result: Option<EventId>,
    /// Of the calls of an agent that are open at a time, which one, from 0.
    pub(crate) lane: usize,
}

impl TraceSpan {
    /// Takes secrets out of its texts.
    pub(crate) fn redact(&mut self, redactor: &mut Redactor) {
        let mut clean = |text: &mut String| {
            if let std::borrow::Cow::Owned(redacted) = redactor.text(text) {
                *text = redacted;
            }
        };
        self.error.iter_mut().for_each(&mut clean);
        match &mut self.what {
            What::Session { title, request, .. } => {
                title.iter_mut().chain(request).for_each(clean);
            }
            What::Agent { request, .. } => request.iter_mut().for_each(clean),
            What::Turn { request, .. } => clean(request),
            What::Answer { text, .. } => clean(text),
            What::Call(call) => {
                let texts = [&mut call.target, &mut call.input].into_iter();
                texts.chain(&mut call.output).for_each(clean);
            }
            What::Point { text, labels, .. } => {
                clean(text);
                labels.iter_mut().map(|(_, value)| value).for_each(clean);
            }
        }
    }
}

/// What a trace is called by: its session; of events without one their root.
pub(crate) fn trace_key(event: &StoredEvent) -> String {
    match event.session() {
        Some(session) => session.to_owned(),
        None => format!("root {}", event.root()),
    }
}

/// The id of the trace that is called so.
pub(crate) fn trace_id(key: &str) -> TraceId {
    derived("forebear trace", &[key.as_bytes()])
}

/// The id of a span, by what names it in its trace.
pub(crate) fn span_id(trace: TraceId, parts: &[&[u8]]) -> SpanId {
    let all: Vec<&[u8]> = std::iter::once(&trace[..]).chain(parts.iter().copied()).collect();
    let mut id = SpanId::default();
    id.copy_from_slice(&derived("forebear span", &all)[8..]);
    id
}

/// The span of all of a trace.
pub(crate) fn root_span(trace: TraceId) -> SpanId {
    span_id(trace, &[b"root"])
}

/// A number for anything that a format names by one.
pub(crate) fn number(domain: &str, parts: &[&[u8]]) -> u64 {
    let mut id = [0; 8];
    id.copy_from_slice(&derived(domain, parts)[8..]);
    u64::from_be_bytes(id)
}

fn derived(domain: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut content = Vec::new();
    for part in parts {
        content.extend_from_slice(&(part.len() as u64).to_le_bytes());
        content.extend_from_slice(part);
    }
    // A derived id is a UUID.
    EventId::derived(domain, &content).as_uuid().map(uuid::Uuid::into_bytes).unwrap_or_default()
}
