//! A session as it goes on: its agents, and the calls that are open.

use std::collections::HashMap;

use forebear::readings::{
    Call, CallResult, Interruption, MAX_TITLE_BYTES, Reading, Role, failure, keys,
};
use forebear::{EventId, LinkKind, Scope, StoredEvent, Tokens};

use crate::actor::{OpenAnswer, SpanActor};
use crate::span::trace_key;
use crate::span::{
    CallSpan, SpanId, SpanLink, TraceId, TraceSpan, What, root_span, span_id, trace_id,
};

/// Bytes of a text that are written at most.
pub(crate) const TEXT_BYTES: usize = 256 << 10;

/// Events of a trace whose places are remembered.
const PLACES_MAX: usize = 1 << 16;

/// Calls of a trace that are open at a time.
const CALLS_MAX: usize = 4096;

/// Agents of a trace that are told apart.
const ACTORS_MAX: usize = 4096;

/// A session in the making.
#[derive(Debug)]
pub(crate) struct Trace {
    id: TraceId,
    session: Option<String>,
    first: EventId,
    cause: Option<EventId>,
    links: Vec<SpanLink>,
    title: Option<String>,
    service: Option<String>,
    /// Who acts; the first is the session itself.
    actors: Vec<SpanActor>,
    numbers: HashMap<String, usize>,
    /// The span that what follows from an event is within.
    places: HashMap<EventId, SpanId>,
    /// Calls without a result yet, by their ids.
    calls: HashMap<String, OpenSpan>,
    held: usize,
    /// When something came of it last.
    pub(crate) touched: u64,
}

#[derive(Debug)]
struct OpenSpan {
    actor: usize,
    span: TraceSpan,
    bytes: usize,
}

impl Trace {
    /// The trace of an event that is its first.
    pub(crate) fn new(event: &StoredEvent) -> Self {
        let id = trace_id(&trace_key(event));
        let root = SpanActor::new(None, root_span(id), None, event);
        Self {
            id,
            session: event.session().map(str::to_owned),
            first: event.id().clone(),
            cause: event.parent().cloned(),
            links: Vec::new(),
            title: None,
            service: None,
            actors: vec![root],
            numbers: HashMap::new(),
            places: HashMap::new(),
            calls: HashMap::new(),
            held: 0,
            touched: 0,
        }
    }

    /// Bytes of texts that wait.
    pub(crate) fn held(&self) -> usize {
        self.held + self.actors.iter().map(SpanActor::held).sum::<usize>()
    }

    /// Whether an event of it has a place.
    pub(crate) fn knows(&self, id: &EventId) -> bool {
        self.places.contains_key(id)
    }

    /// Takes the next event. Spans that ended with it are `ready`.
    pub(crate) fn take(
        &mut self,
        event: &StoredEvent,
        reading: &Reading<'_>,
        link: Option<SpanLink>,
        ready: &mut Vec<TraceSpan>,
    ) {
        // Said again in the same session, it is the same.
        if self.knows(event.id()) {
            return;
        }
        self.note(event, reading);
        let actor = self.actor(event);
        let mut step = StepOf { event, actor, links: Vec::new(), ready };
        match link {
            Some(link) if event.link() == Some(LinkKind::Continues) => step.links.push(link),
            Some(link) if actor == 0 => self.links.push(link),
            Some(link) => self.actors[actor].links.push(link),
            None => {}
        }
        if event.link() == Some(LinkKind::Continues)
            && let Some(&span) = event.parent().and_then(|parent| self.places.get(parent))
        {
            step.links.push(SpanLink { trace: self.id, span, kind: "continues" });
        }
        let place = self.place(&mut step, reading);
        if self.places.len() >= PLACES_MAX {
            self.places.clear();
        }
        self.places.insert(event.id().clone(), place);
        let time_ns = event.time_ns();
        self.actors[actor].last_ns = time_ns;
    }

    /// Ends it: what is open has no end.
    pub(crate) fn finish(mut self, ready: &mut Vec<TraceSpan>) {
        let mut calls: Vec<OpenSpan> = self.calls.drain().map(|(_, call)| call).collect();
        calls.sort_by_key(|call| (call.span.start_ns, call.span.id));
        ready.extend(calls.into_iter().map(|call| call.span));
        let (mut start_ns, mut end_ns) = (i64::MAX, i64::MIN);
        for actor in &self.actors {
            start_ns = start_ns.min(actor.start_ns);
            end_ns = end_ns.max(actor.end_ns);
        }
        let mut request = None;
        let (trace, session) = (self.id, self.session.clone());
        for (number, mut actor) in self.actors.into_iter().enumerate() {
            actor.end_answer(trace, session.as_deref(), ready);
            actor.end_turn(trace, session.as_deref(), ready);
            if number == 0 {
                request = actor.request;
            } else {
                ready.push(actor.into_span(trace, session.clone()));
            }
        }
        ready.push(TraceSpan {
            trace,
            id: root_span(trace),
            parent: None,
            session,
            agent: None,
            start_ns,
            end_ns: Some(end_ns),
            event: self.first,
            cause: self.cause,
            error: None,
            links: self.links,
            what: What::Session { title: self.title, request, service: self.service },
        });
    }

    /// What is said of the session as a whole.
    fn note(&mut self, event: &StoredEvent, reading: &Reading<'_>) {
        if let Some(title) = &reading.title {
            self.title = Some(title.text.start(MAX_TITLE_BYTES).into_owned());
        }
        if self.service.is_none() {
            let service = event.label("source_app").or(event.payload_type());
            self.service = service.map(str::to_owned);
        }
    }

    /// The number of who acts.
    fn actor(&mut self, event: &StoredEvent) -> usize {
        let own = event.scope() == Scope::Own && Some(event.instance()) != event.session();
        let number = if !own {
            0
        } else if let Some(&number) = self.numbers.get(event.instance()) {
            number
        } else if self.actors.len() == ACTORS_MAX {
            0
        } else {
            let span = span_id(self.id, &[b"agent", event.instance().as_bytes()]);
            let above = event.parent().and_then(|parent| self.places.get(parent)).copied();
            let above = above.unwrap_or(self.actors[0].span);
            let name = event.instance().to_owned();
            self.actors.push(SpanActor::new(Some(name.clone()), span, Some(above), event));
            self.numbers.insert(name, self.actors.len() - 1);
            self.actors.len() - 1
        };
        let actor = &mut self.actors[number];
        actor.start_ns = actor.start_ns.min(event.time_ns());
        let end_ns = event.time_ns().saturating_add(duration(event).unwrap_or(0));
        actor.end_ns = actor.end_ns.max(end_ns);
        if actor.agent_type.is_none() {
            actor.agent_type = event.label("agent_type").map(str::to_owned);
        }
        number
    }

    /// Makes spans of an event. Returns the one that what follows from it is within.
    fn place(&mut self, step: &mut StepOf<'_, '_>, reading: &Reading<'_>) -> SpanId {
        let (event, actor) = (step.event, step.actor);
        let usage = event.usage().filter(|usage| Tokens::from(usage) != Tokens::default());
        let of_call = !reading.calls.is_empty() || !reading.results.is_empty();
        let failed =
            failure(event.kind(), reading).is_some() || event.label(keys::IS_ERROR) == Some("true");
        let is_request = reading.role == Some(Role::User)
            && !reading.text.is_blank()
            && !(of_call || failed || reading.queued || reading.bookkeeping)
            && reading.interruption.is_none()
            && reading.summary.is_none();
        if is_request {
            return self.request(step, reading);
        }
        let says = reading.role == Some(Role::Assistant) && !reading.text.is_blank();
        if usage.is_some() || says && !failed && !reading.bookkeeping {
            self.answer(step, reading, usage.as_ref(), failed && !of_call);
            if !of_call {
                return self.actors[actor].here();
            }
        }
        if of_call {
            let mut place = None;
            for (number, call) in reading.calls.iter().enumerate() {
                let span = self.call(step, number, call);
                if place.is_none() || call.family == forebear::readings::CallFamily::Agent {
                    place = Some(span);
                }
            }
            for (number, result) in reading.results.iter().enumerate() {
                let span = self.result(step, number, reading, result);
                place.get_or_insert(span);
            }
            return place.unwrap_or_else(|| self.actors[actor].here());
        }
        let is_step = reading.role.is_none() && !reading.bookkeeping;
        let tells = is_step || reading.summary.is_some() || reading.interruption.is_some();
        if failed || tells || !step.links.is_empty() {
            return self.point(step, reading, failed, is_step);
        }
        self.actors[actor].here()
    }

    fn request(&mut self, step: &mut StepOf<'_, '_>, reading: &Reading<'_>) -> SpanId {
        let text = reading.text.start(TEXT_BYTES).into_owned();
        let id = span_id(self.id, &[b"turn", step.event.id().to_string().as_bytes()]);
        let actor = &mut self.actors[step.actor];
        actor.end_answer(self.id, self.session.as_deref(), step.ready);
        actor.end_turn(self.id, self.session.as_deref(), step.ready);
        actor.begin_turn(id, step.event, text, std::mem::take(&mut step.links));
        id
    }

    fn answer(
        &mut self,
        step: &mut StepOf<'_, '_>,
        reading: &Reading<'_>,
        usage: Option<&forebear::Usage>,
        failed: bool,
    ) {
        let event = step.event;
        let named = usage.map(|usage| usage.message.clone()).filter(|name| !name.is_empty());
        let message = named.unwrap_or_else(|| event.id().to_string());
        let actor = &mut self.actors[step.actor];
        if !actor.answers(&message) {
            actor.end_answer(self.id, self.session.as_deref(), step.ready);
            let start_ns = actor.last_ns.min(event.time_ns());
            actor.answer = Some(OpenAnswer {
                id: span_id(self.id, &[b"answer", event.id().to_string().as_bytes()]),
                parent: actor.here(),
                message,
                event: event.id().clone(),
                cause: event.parent().cloned(),
                start_ns,
                end_ns: start_ns,
                text: String::new(),
                model: None,
                tokens: None,
                error: None,
                links: std::mem::take(&mut step.links),
            });
        }
        let Some(answer) = &mut actor.answer else { return };
        answer.end_ns = answer.end_ns.max(event.time_ns());
        answer.model = answer
            .model
            .take()
            .or_else(|| reading.model.as_ref().map(|model| model.decode().into_owned()))
            .or_else(|| event.label("model").map(str::to_owned));
        if let Some(usage) = usage {
            let tokens = Tokens::from(usage);
            answer.tokens = Some(answer.tokens.map_or(tokens, |known| known.max_of_each(tokens)));
        }
        if failed {
            answer.error = Some(reading.error_words(TEXT_BYTES).into_owned());
        } else if !reading.text.is_blank() && answer.text.len() < TEXT_BYTES {
            if !answer.text.is_empty() {
                answer.text.push_str("\n\n");
            }
            answer.text.push_str(&reading.text.start(TEXT_BYTES));
        }
    }

    fn call(&mut self, step: &mut StepOf<'_, '_>, number: usize, call: &Call<'_>) -> SpanId {
        let text = |text: &Option<forebear::readings::Text<'_>>| {
            text.as_ref().map(|text| text.start(TEXT_BYTES).into_owned()).unwrap_or_default()
        };
        let id = self.call_span(step.event, number);
        let lane = self.actors[step.actor].take_lane();
        let what = What::Call(CallSpan {
            id: text(&call.id),
            tool: text(&call.tool),
            target: text(&call.target),
            input: text(&call.input),
            lane,
            ..CallSpan::default()
        });
        let span = self.span(step, id, None, what);
        let bytes = text(&call.input).len();
        let name = text(&call.id);
        if self.calls.len() == CALLS_MAX {
            let oldest = self.calls.iter().min_by_key(|(_, call)| call.span.start_ns);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.close(&oldest, step.ready);
            }
        }
        if name.is_empty() {
            // No result can name it.
            self.actors[step.actor].free_lane(lane);
            step.ready.push(span);
            return id;
        }
        self.close(&name, step.ready);
        self.held += bytes;
        self.calls.insert(name, OpenSpan { actor: step.actor, span, bytes });
        id
    }

    /// Takes a call out that will have no result.
    fn close(&mut self, name: &str, ready: &mut Vec<TraceSpan>) {
        if let Some(span) = self.take_call(name) {
            ready.push(span);
        }
    }

    fn take_call(&mut self, name: &str) -> Option<TraceSpan> {
        let OpenSpan { actor, span, bytes } = self.calls.remove(name)?;
        self.held -= bytes;
        if let What::Call(call) = &span.what {
            self.actors[actor].free_lane(call.lane);
        }
        Some(span)
    }

    fn result(
        &mut self,
        step: &mut StepOf<'_, '_>,
        number: usize,
        reading: &Reading<'_>,
        result: &CallResult<'_>,
    ) -> SpanId {
        let event = step.event;
        let name = result.call_id.as_ref().map(|id| id.decode().into_owned()).unwrap_or_default();
        let told_ns = result.duration_ns.and_then(|ns| i64::try_from(ns).ok());
        let told_ns = told_ns.or_else(|| duration(event)).filter(|_| !reading.calls.is_empty());
        let end_ns = event.time_ns().saturating_add(told_ns.unwrap_or(0));
        let mut span = self.take_call(&name).unwrap_or_else(|| {
            let tool = event.label(keys::TOOL).unwrap_or("result").to_owned();
            let what = What::Call(CallSpan { id: name, tool, ..CallSpan::default() });
            let id = self.call_span(event, reading.calls.len() + number);
            self.span(step, id, None, what)
        });
        let text = result.text.start(TEXT_BYTES).into_owned();
        // Whoever stored the event knows more of a single result than the result itself.
        let has_failed = match event.payload_type() {
            Some(_) if reading.results.len() == 1 => event.label(keys::IS_ERROR) == Some("true"),
            _ => result.has_failed(),
        };
        if has_failed {
            let line = text.lines().find(|line| !line.trim().is_empty());
            span.error = Some(line.unwrap_or("failed").trim().to_owned());
        }
        span.end_ns = Some(end_ns.max(span.start_ns));
        let id = span.id;
        if let What::Call(call) = &mut span.what {
            call.output = Some(match result.interruption {
                Some(Interruption::Refused) if text.is_empty() => "refused by the user".to_owned(),
                Some(Interruption::Stopped) if text.is_empty() => "stopped by the user".to_owned(),
                _ => text,
            });
            call.result = Some(event.id().clone());
        }
        step.ready.push(span);
        id
    }

    fn point(
        &mut self,
        step: &mut StepOf<'_, '_>,
        reading: &Reading<'_>,
        failed: bool,
        is_step: bool,
    ) -> SpanId {
        let event = step.event;
        let id = span_id(self.id, &[b"event", event.id().to_string().as_bytes()]);
        let text = match &reading.summary {
            Some(summary) => summary.start(TEXT_BYTES).into_owned(),
            None => reading.text.start(TEXT_BYTES).into_owned(),
        };
        let labels = event.labels().map(|(key, value)| (key.to_owned(), value.to_owned()));
        let what = What::Point { kind: event.kind().to_owned(), text, labels: labels.collect() };
        let took = duration(event);
        let end_ns = event.time_ns().saturating_add(took.unwrap_or(0));
        let mut span = self.span(step, id, Some(end_ns), what);
        // A service's spans are within each other as they were; a transcript is a list.
        let above = event.parent().filter(|_| is_step).and_then(|parent| self.places.get(parent));
        let above = above.copied().or(span.parent);
        span.parent = above;
        if failed {
            let words = reading.error_words(TEXT_BYTES);
            let words = event.label("error").map_or(&*words, |error| error);
            span.error = Some(words.to_owned());
        }
        step.ready.push(span);
        if took.is_some() { id } else { above.unwrap_or(id) }
    }

    /// A span of an event that begins now.
    fn span(
        &self,
        step: &mut StepOf<'_, '_>,
        id: SpanId,
        end_ns: Option<i64>,
        what: What,
    ) -> TraceSpan {
        let actor = &self.actors[step.actor];
        TraceSpan {
            trace: self.id,
            id,
            parent: Some(actor.here()),
            session: self.session.clone(),
            agent: actor.name.clone(),
            start_ns: step.event.time_ns(),
            end_ns,
            event: step.event.id().clone(),
            cause: step.event.parent().cloned(),
            error: None,
            links: std::mem::take(&mut step.links),
            what,
        }
    }

    fn call_span(&self, event: &StoredEvent, number: usize) -> SpanId {
        let (id, number) = (event.id().to_string(), number.to_string());
        span_id(self.id, &[b"call", id.as_bytes(), number.as_bytes()])
    }
}

/// An event of who acts, on its way.
struct StepOf<'a, 'r> {
    event: &'a StoredEvent,
    actor: usize,
    /// For the first span that is made of it.
    links: Vec<SpanLink>,
    ready: &'r mut Vec<TraceSpan>,
}

/// How long a span of a service took, as its label says.
fn duration(event: &StoredEvent) -> Option<i64> {
    event.label("duration_ns")?.parse().ok().filter(|ns| *ns >= 0)
}
