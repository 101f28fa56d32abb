//! OpenTelemetry: lines with a request of an exporter each, as the file exporters of SDKs and of
//! the collector write them (`{"resourceSpans":[…]}`, `{"resourceLogs":[…]}`).
//!
//! | of the event | is |
//! |---|---|
//! | id | of a span a `UUIDv8` of its trace and its id, whichever way those are encoded; of a log record of its fields |
//! | parent | of a span its parent, which may come later; of a log record its span, else the record before of its session |
//! | kind | what is done where a convention says so (`llm_request`, `tool_use`, `agent`, …), else the name |
//! | session | as the span, its resource or another span of the trace names it, else the trace |
//! | instance | the agent, else the session: a service is neither |
//!
//! A request of several records is an event each, with a request of that record alone as its
//! payload. A span that is told when it starts and again when it ends is one event.

mod conventions;
mod equal;
mod live;
mod reader;
mod record;
mod request;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use foldhash::fast::RandomState;
use forebear_core::{Event, EventId, Link, LinkKind, limits};
use forebear_readings::PayloadReader;
use forebear_readings::json::JsonCursor;

use self::conventions::Field;
use self::equal::own_fields;
use self::reader::{ExportReader, hex_of, read_record};
use self::record::{Attributes, OtlpRecord};
use self::request::{RequestPart, is_export, parts};
use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::document::add_line;
use crate::formats::common::labels::{AGENT_TYPE, MIRROR, MODEL, PROJECT, STATUS, TYPE};
use crate::formats::common::reading::{label_text, with_usage};
use crate::formats::common::usual::by_actor;
use crate::formats::common::values::cut;
use crate::parsed::Parsed;

pub use self::live::{OtlpReceiver, OtlpStored};

/// Lines of OpenTelemetry's exporters, `otlp`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Otlp;

impl Adapter for Otlp {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn recognise(&self, line: &str) -> Confidence {
        let mut found = false;
        JsonCursor::new(line).object(|key, value| found |= is_export(key) && value.is_array());
        if found { Confidence::Certain } else { Confidence::No }
    }

    /// A request that was printed for people to read.
    fn recognise_document(&self, head: &str) -> Confidence {
        self.recognise(head)
    }

    fn unfold(&self, _path: &std::path::Path, document: &str) -> Result<Vec<u8>, String> {
        let mut line = Vec::with_capacity(document.len());
        add_line(&mut line, document);
        Ok(line)
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(Requests::new(file.modified_ns))
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(ExportReader))
    }
}

/// Reads the requests of one file.
#[derive(Debug)]
struct Requests {
    /// The sessions of traces, of which often one span alone names it.
    sessions: HashMap<[u8; 16], String, RandomState>,
    /// Spans that have ended: what tells of one again and has no end is older.
    ended: HashSet<EventId, RandomState>,
    /// The last log record of each session.
    last: HashMap<String, EventId, RandomState>,
    time_ns: i64,
}

/// A part of a request, read.
struct ReadPart<'t> {
    part: RequestPart<'t>,
    record: OtlpRecord<'t>,
    resource: Rc<Resource>,
    /// The session that it or its resource names.
    session: Option<String>,
}

/// What the resource of a group of records says of all of them.
struct Resource {
    session: Option<String>,
    service: Option<String>,
}

impl<'t> ReadPart<'t> {
    /// Reads parts, the resource of each group once: it may be as long as all records.
    fn read_all(parts: &[RequestPart<'t>]) -> Vec<Self> {
        let mut read = Vec::with_capacity(parts.len());
        for group in parts.chunk_by(|a, b| a.group == b.group) {
            let resource = Rc::new(Resource::read(group[0].resource));
            read.extend(group.iter().map(|part| Self::read(*part, Rc::clone(&resource))));
        }
        read
    }

    fn read(part: RequestPart<'t>, resource: Rc<Resource>) -> Self {
        let record = OtlpRecord::read(part.record, part.is_log);
        let own = record.attributes.start(Field::Session, limits::MAX_NAME_BYTES);
        let session = own.or_else(|| resource.session.clone());
        Self { part, record, resource, session }
    }
}

impl Resource {
    fn read(resource: &str) -> Self {
        let mut attributes = Attributes::default();
        JsonCursor::new(resource).object(|key, value| {
            if key == "attributes" {
                attributes.add(value);
            }
        });
        // What SDKs say where nobody named it.
        let service = attributes.start(Field::Service, limits::MAX_LABEL_VALUE_BYTES);
        Self {
            session: attributes.start(Field::Session, limits::MAX_NAME_BYTES),
            service: service.filter(|name| !name.starts_with("unknown_")),
        }
    }
}

impl Requests {
    /// Times that are missing are made up from this one on.
    fn new(time_ns: i64) -> Self {
        Self {
            sessions: HashMap::default(),
            ended: HashSet::default(),
            last: HashMap::default(),
            time_ns,
        }
    }

    /// The events of a request, an event for each of its parts and in their order.
    fn read(&mut self, request: &str, read: &[ReadPart<'_>]) -> Parsed {
        for part in read {
            self.note_session(part);
        }
        // What all are of is repeated for each, as far as that isn't much more than the line.
        let mut budget = request.len().saturating_mul(4).saturating_add(CONTEXT_BYTES);
        let mut parsed = Parsed::nothing();
        for part in read {
            if read.len() == 1 {
                return self.event(part, request);
            }
            let left = budget.checked_sub(part.part.context_len());
            budget = left.unwrap_or(budget);
            let payload = part.part.request(left.is_some());
            parsed = parsed.and(self.event(part, &payload));
        }
        parsed
    }

    fn event(&mut self, read: &ReadPart<'_>, payload: &str) -> Parsed {
        let ReadPart { part, record, resource, session } = read;
        let (_, kind) = record.step();
        let mut event = Event::new(cut(kind, limits::MAX_KIND_BYTES)).payload(payload);
        let trace = record.trace;
        let session = session.clone();
        let session = session.or_else(|| self.sessions.get(&trace?).cloned());
        let session = session.or_else(|| Some(hex_of(&trace?)));

        let span = trace.zip(record.span);
        let mut links = Vec::new();
        if let Some(span) = span.filter(|_| !record.is_log) {
            event = event.id(OtlpRecord::span_event(span));
            event = self.state(event, record);
        } else {
            // The same record in another encoding is the same.
            let own = own_fields(part.record);
            let own = own.as_deref().unwrap_or(part.record);
            event = event.derived_id(RECORD_DOMAIN, own.as_bytes());
        }
        let above = if record.is_log { record.span } else { record.parent };
        if let Some(above) = trace.zip(above) {
            event = event.parent(OtlpRecord::span_event(above));
        } else if record.is_log {
            event = self.after_last(event, session.as_deref());
        } else if let [only] = &*record.links {
            let linked = OtlpRecord::span_event(*only);
            links.push(Link::new(event.as_id(), &linked, LinkKind::Spawned).strength(NAMED));
        }
        let time_ns = record.start_ns.or(record.end_ns);
        self.time_ns = time_ns.unwrap_or(self.time_ns);
        let reading = read_record(record);
        event = labelled(event.time_ns(self.time_ns), record, resource);
        if let Some(model) = &reading.model {
            event = event.label(MODEL, label_text(model));
        }
        event = with_usage(event, &reading);
        if let Some(session) = session {
            let agent = record.attributes.start(Field::Agent, limits::MAX_NAME_BYTES);
            event = by_actor(event, agent.unwrap_or_else(|| session.clone()), &session);
        }
        let parsed = Parsed::new(event).time_made_up(time_ns.is_none());
        links.into_iter().fold(parsed, Parsed::link)
    }

    /// The event as a state of its span, unless a later one was read before.
    fn state(&mut self, event: Event, record: &OtlpRecord<'_>) -> Event {
        if record.end_ns.is_none() && self.ended.contains(event.as_id()) {
            return event.label(MIRROR, "true");
        }
        if record.end_ns.is_some() {
            if self.ended.len() == MAX_KNOWN {
                self.ended.clear();
            }
            self.ended.insert(event.as_id().clone());
        }
        event.revision()
    }

    /// A log record of no span follows the one before of its session.
    fn after_last(&mut self, event: Event, session: Option<&str>) -> Event {
        let Some(session) = session else { return event };
        let id = event.as_id().clone();
        if let Some(last) = self.last.get_mut(session) {
            let before = std::mem::replace(last, id.clone());
            return if before == id { event } else { event.parent(before) };
        }
        if self.last.len() == MAX_KNOWN {
            self.last.clear();
        }
        self.last.insert(session.to_owned(), id);
        event
    }

    fn note_session(&mut self, read: &ReadPart<'_>) {
        if let (Some(trace), Some(session)) = (read.record.trace, &read.session) {
            self.remember(trace, session.clone());
        }
    }

    /// Remembers the session of a trace; whether those of others were forgotten for it.
    fn remember(&mut self, trace: [u8; 16], session: String) -> bool {
        let is_full = self.sessions.len() >= MAX_KNOWN;
        if is_full {
            self.sessions.clear();
        }
        self.sessions.insert(trace, session);
        is_full
    }
}

fn labelled(mut event: Event, record: &OtlpRecord<'_>, resource: &Resource) -> Event {
    event = event.label(TYPE, if record.is_log { "log" } else { "span" });
    if let Some(trace) = record.trace {
        event = event.label(TRACE, hex_of(&trace));
    }
    if let Some(duration_ns) = record.duration_ns() {
        event = event.label(DURATION, duration_ns.to_string());
    }
    if record.has_failed || record.is_ok {
        event = event.label(STATUS, if record.has_failed { "error" } else { "ok" });
    }
    let name = record.attributes.start(Field::AgentName, limits::MAX_LABEL_VALUE_BYTES);
    if let Some(name) = name {
        event = event.label(AGENT_TYPE, name);
    }
    match resource.service.as_deref() {
        Some(service) => event.label(SERVICE, service).label(PROJECT, service),
        None => event,
    }
}

impl Parser for Requests {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let parts = parts(object, MAX_PARTS + 1);
        if parts.len() > MAX_PARTS {
            return Err(format!("expected at most {MAX_PARTS} spans on a line, found more"));
        }
        if parts.is_empty() {
            // Metrics, or nothing: kept as it is.
            let event = Event::new("telemetry").derived_id(RECORD_DOMAIN, object.as_bytes());
            let event = event.payload(object).time_ns(self.time_ns);
            return Ok(Parsed::new(event).time_made_up(true));
        }
        Ok(self.read(object, &ReadPart::read_all(&parts)))
    }
}

/// The trace that an event is of.
const TRACE: &str = "trace_id";
/// How long it took, in nanoseconds.
const DURATION: &str = "duration_ns";
/// The service that says it.
const SERVICE: &str = "service";
/// How strong the link of a trace's first span to the one that it names is.
const NAMED: u8 = 10;
/// Traces, spans and sessions of a file that are remembered.
const MAX_KNOWN: usize = 16_384;
/// Most records of a line.
const MAX_PARTS: usize = 20_000;
const CONTEXT_BYTES: usize = 1 << 20;
const RECORD_DOMAIN: &str = "otlp log";
