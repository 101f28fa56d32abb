//! From events to spans: sessions, agents within the calls that started them, turns, calls.
//!
//! Events come in order of time, those of many sessions among each other. A span is handed on
//! as soon as it has ended; what is open is held, within [`TRACES_MAX`] and [`HELD_BYTES`].
//! A session beyond those is ended as far as it is known, and begins anew with its next event.

use std::collections::HashMap;
use std::io;

use forebear::StoredEvent;

use crate::span::{SpanLink, TraceSpan, root_span, trace_id, trace_key};
use crate::trace::Trace;
use crate::{EventWriter, Options};

/// Sessions that are open at a time.
const TRACES_MAX: usize = 1024;

/// Bytes of texts that are held of all of them.
const HELD_BYTES: usize = 64 << 20;

/// Takes spans, those within another mostly before it.
pub(crate) trait SpanSink {
    /// Whether the event is telemetry that the format takes as it is; then it is written.
    fn telemetry(&mut self, _event: &StoredEvent, _options: &mut Options<'_>) -> io::Result<bool> {
        Ok(false)
    }

    fn span(&mut self, span: &TraceSpan) -> io::Result<()>;

    fn finish(&mut self) -> io::Result<()>;
}

/// Makes spans of events.
pub(crate) struct SpanWriter<'w, S> {
    sink: S,
    options: Options<'w>,
    traces: HashMap<String, Trace>,
    /// Events so far, by which the trace is told that was touched last.
    taken: u64,
    ready: Vec<TraceSpan>,
}

impl<'w, S: SpanSink> SpanWriter<'w, S> {
    pub(crate) fn new(sink: S, options: Options<'w>) -> Self {
        Self { sink, options, traces: HashMap::new(), taken: 0, ready: Vec::new() }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        for mut span in self.ready.drain(..) {
            span.redact(&mut self.options.redactor);
            self.sink.span(&span)?;
        }
        Ok(())
    }

    /// Ends the sessions that nothing came of for longest, until the others are within limits.
    fn settle(&mut self, own: &str) -> io::Result<()> {
        loop {
            let held: usize = self.traces.values().map(Trace::held).sum();
            if self.traces.len() <= TRACES_MAX && held <= HELD_BYTES {
                return Ok(());
            }
            let others = self.traces.iter().filter(|(key, _)| *key != own);
            let oldest = others.min_by_key(|(_, trace)| trace.touched).map(|(key, _)| key.clone());
            let key = oldest.unwrap_or_else(|| own.to_owned());
            if let Some(trace) = self.traces.remove(&key) {
                trace.finish(&mut self.ready);
            }
            self.pass_on()?;
        }
    }

    /// The link to the root of the trace of an event that is not of this one.
    fn link_to(&self, event: &StoredEvent) -> Option<SpanLink> {
        let kind = match event.link()? {
            forebear::LinkKind::Continues => "continues",
            forebear::LinkKind::Spawned => "spawned",
            _ => return None,
        };
        let parent = event.parent()?;
        let key = trace_key(event);
        if self.traces.get(&key).is_some_and(|trace| trace.knows(parent)) {
            return None;
        }
        let above = self.options.found(parent).map(|above| trace_key(&above));
        let trace = trace_id(&above.filter(|above| *above != key)?);
        Some(SpanLink { trace, span: root_span(trace), kind })
    }
}

impl<S: SpanSink> EventWriter for SpanWriter<'_, S> {
    fn event(&mut self, event: &StoredEvent) -> io::Result<bool> {
        if self.sink.telemetry(event, &mut self.options)? {
            return Ok(true);
        }
        self.taken += 1;
        let reading = self.options.readings.of(event);
        // Notes of no session would be traces in which nothing happens.
        if reading.bookkeeping && event.session().is_none() {
            return Ok(false);
        }
        let link = self.link_to(event);
        let key = trace_key(event);
        let trace = self.traces.entry(key.clone()).or_insert_with(|| Trace::new(event));
        trace.touched = self.taken;
        trace.take(event, &reading, link, &mut self.ready);
        self.pass_on()?;
        if self.traces.len() > TRACES_MAX || self.taken.is_multiple_of(SETTLED_EVENTS) {
            self.settle(&key)?;
        }
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        let mut traces: Vec<Trace> = self.traces.drain().map(|(_, trace)| trace).collect();
        traces.sort_by_key(|trace| trace.touched);
        for trace in traces {
            trace.finish(&mut self.ready);
            self.pass_on()?;
        }
        self.sink.finish()
    }
}

/// How many events come between two looks at what is held; each holds a text of bounded length.
const SETTLED_EVENTS: u64 = 64;
