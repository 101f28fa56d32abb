//! Who acts in a session: the session itself, or an agent of it.

use forebear::{EventId, StoredEvent, Tokens};

use crate::span::{SpanId, SpanLink, TraceId, TraceSpan, What};

/// Who acts.
#[derive(Debug)]
pub(crate) struct SpanActor {
    /// None of the session itself.
    pub(crate) name: Option<String>,
    pub(crate) span: SpanId,
    above: Option<SpanId>,
    first: EventId,
    cause: Option<EventId>,
    pub(crate) links: Vec<SpanLink>,
    pub(crate) agent_type: Option<String>,
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
    /// The time of the event before.
    pub(crate) last_ns: i64,
    /// What it was asked first.
    pub(crate) request: Option<String>,
    turns: u32,
    turn: Option<OpenTurn>,
    pub(crate) answer: Option<OpenAnswer>,
    /// Which lanes have an open call.
    lanes: Vec<bool>,
}

#[derive(Debug)]
struct OpenTurn {
    id: SpanId,
    event: EventId,
    cause: Option<EventId>,
    start_ns: i64,
    request: String,
    links: Vec<SpanLink>,
}

/// A message of the model of which more may come.
#[derive(Debug)]
pub(crate) struct OpenAnswer {
    pub(crate) id: SpanId,
    pub(crate) parent: SpanId,
    pub(crate) message: String,
    pub(crate) event: EventId,
    pub(crate) cause: Option<EventId>,
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
    pub(crate) text: String,
    pub(crate) model: Option<String>,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) error: Option<String>,
    pub(crate) links: Vec<SpanLink>,
}

impl SpanActor {
    pub(crate) fn new(
        name: Option<String>,
        span: SpanId,
        above: Option<SpanId>,
        first: &StoredEvent,
    ) -> Self {
        Self {
            name,
            span,
            above,
            first: first.id().clone(),
            cause: first.parent().cloned(),
            links: Vec::new(),
            agent_type: None,
            start_ns: first.time_ns(),
            end_ns: first.time_ns(),
            last_ns: first.time_ns(),
            request: None,
            turns: 0,
            turn: None,
            answer: None,
            lanes: Vec::new(),
        }
    }

    /// The span that what it does now is within.
    pub(crate) fn here(&self) -> SpanId {
        self.turn.as_ref().map_or(self.span, |turn| turn.id)
    }

    /// Bytes of texts that wait.
    pub(crate) fn held(&self) -> usize {
        let request = self.request.as_ref().map_or(0, String::len);
        let turn = self.turn.as_ref().map_or(0, |turn| turn.request.len());
        request + turn + self.answer.as_ref().map_or(0, |answer| answer.text.len())
    }

    pub(crate) fn begin_turn(
        &mut self,
        id: SpanId,
        event: &StoredEvent,
        request: String,
        links: Vec<SpanLink>,
    ) {
        self.request.get_or_insert_with(|| request.clone());
        self.turns += 1;
        self.turn = Some(OpenTurn {
            id,
            event: event.id().clone(),
            cause: event.parent().cloned(),
            start_ns: event.time_ns(),
            request,
            links,
        });
    }

    /// Ends a turn with the last event before: the time until the next request is the user's.
    pub(crate) fn end_turn(
        &mut self,
        trace: TraceId,
        session: Option<&str>,
        ready: &mut Vec<TraceSpan>,
    ) {
        let Some(turn) = self.turn.take() else { return };
        ready.push(TraceSpan {
            trace,
            id: turn.id,
            parent: Some(self.span),
            session: session.map(str::to_owned),
            agent: self.name.clone(),
            start_ns: turn.start_ns,
            end_ns: Some(self.last_ns.max(turn.start_ns)),
            event: turn.event,
            cause: turn.cause,
            error: None,
            links: turn.links,
            what: What::Turn { number: self.turns, request: turn.request },
        });
    }

    /// Whether the message is the one that is being told.
    pub(crate) fn answers(&self, message: &str) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.message == message)
    }

    pub(crate) fn end_answer(
        &mut self,
        trace: TraceId,
        session: Option<&str>,
        ready: &mut Vec<TraceSpan>,
    ) {
        let Some(answer) = self.answer.take() else { return };
        let OpenAnswer { message, model, text, tokens, .. } = answer;
        ready.push(TraceSpan {
            trace,
            id: answer.id,
            parent: Some(answer.parent),
            session: session.map(str::to_owned),
            agent: self.name.clone(),
            start_ns: answer.start_ns,
            end_ns: Some(answer.end_ns),
            event: answer.event,
            cause: answer.cause,
            error: answer.error,
            links: answer.links,
            what: What::Answer { message, model, text, tokens },
        });
    }

    /// The first lane without an open call, which has one from now on.
    pub(crate) fn take_lane(&mut self) -> usize {
        let free = self.lanes.iter().position(|is_taken| !is_taken);
        let lane = free.unwrap_or_else(|| {
            self.lanes.push(true);
            self.lanes.len() - 1
        });
        self.lanes[lane] = true;
        lane
    }

    pub(crate) fn free_lane(&mut self, lane: usize) {
        if let Some(is_taken) = self.lanes.get_mut(lane) {
            *is_taken = false;
        }
    }

    /// All that an agent did.
    pub(crate) fn into_span(self, trace: TraceId, session: Option<String>) -> TraceSpan {
        TraceSpan {
            trace,
            id: self.span,
            parent: self.above,
            session,
            agent: self.name,
            start_ns: self.start_ns,
            end_ns: Some(self.end_ns),
            event: self.first,
            cause: self.cause,
            error: None,
            links: self.links,
            what: What::Agent { agent_type: self.agent_type, request: self.request },
        }
    }
}
