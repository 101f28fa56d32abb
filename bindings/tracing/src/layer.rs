//! The layer: spans and events become events of the store.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use forebear::{Event, EventId, Link, LinkKind, context, limits};
use serde_json::{Map, Value};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::builder::SpanTimes;
use crate::outlet::Outlet;
use crate::visit::FieldValues;

/// Keeps spans and events in a store. Made by [`layer`](crate::layer).
///
/// A span is an event of its name, with its fields as payload, `level` and `target` as labels;
/// closed, it has `duration_ns` and `busy_ns`, the time in which it was entered. An event is of the
/// kind `log`; its parent is the span that it happened in, or else the
/// [current event](forebear::context::current). What is of the level `ERROR` failed, and so did a
/// span with a field `error`.
#[derive(Debug)]
pub struct ForebearLayer {
    outlet: Arc<Outlet>,
    session: Option<String>,
    instance: String,
    times: SpanTimes,
}

/// What a span has in the registry.
#[derive(Debug)]
struct Open {
    id: EventId,
    parent: Option<EventId>,
    session: Option<String>,
    fields: Map<String, Value>,
    time: SystemTime,
    began: Instant,
    /// Since when it has been entered, and in how many threads or how often.
    entered: Option<(Instant, u32)>,
    busy: Duration,
    follows: Vec<String>,
}

impl ForebearLayer {
    pub(crate) fn new(
        outlet: Arc<Outlet>,
        session: Option<String>,
        instance: String,
        times: SpanTimes,
    ) -> Self {
        Self { outlet, session, instance, times }
    }

    fn event(
        &self,
        kind: &str,
        metadata: &Metadata<'_>,
        session: Option<&str>,
        mut fields: Map<String, Value>,
    ) -> Event {
        let cut = kind.floor_char_boundary(limits::MAX_KIND_BYTES);
        let kind = if cut == 0 { "span" } else { &kind[..cut] };
        let target = metadata.target();
        let target = &target[..target.floor_char_boundary(limits::MAX_LABEL_VALUE_BYTES)];
        let mut event = Event::new(kind)
            .instance(&*self.instance)
            .label("level", level(*metadata.level()))
            .label("target", target);
        if let Some(session) = session.or(self.session.as_deref()) {
            event = event.session(session);
        }
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            fields.entry("at").or_insert_with(|| format!("{file}:{line}").into());
        }
        let failed = *metadata.level() == Level::ERROR || fields.contains_key("error");
        if failed {
            event = event.label("is_error", "true");
        }
        event.payload(Value::Object(fields).to_string())
    }

    /// The event of a span, as it is now.
    fn span_event(&self, open: &Open, metadata: &Metadata<'_>) -> Event {
        let mut fields = open.fields.clone();
        if !open.follows.is_empty() {
            fields.insert("follows_from".to_owned(), open.follows.clone().into());
        }
        self.event(metadata.name(), metadata, open.session.as_deref(), fields)
            .id(open.id.clone())
            .parent_opt(open.parent.clone())
            .time(open.time)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ForebearLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, registry: Context<'_, S>) {
        if is_own(attributes.metadata()) {
            return;
        }
        let Some(span) = registry.span(id) else { return };
        let mut fields = FieldValues::default();
        attributes.record(&mut fields);
        // The parent's extensions are let go of before the span's are taken.
        let above = span.parent().and_then(|parent| above(&parent));
        let SpanPlace { parent, session } = SpanPlace::of(above, attributes.is_root(), &fields);
        let metadata = attributes.metadata();
        let open = Open {
            id: EventId::new(),
            parent,
            session,
            fields: fields.values,
            time: SystemTime::now(),
            began: Instant::now(),
            entered: None,
            busy: Duration::ZERO,
            follows: Vec::new(),
        };
        if self.times == SpanTimes::OpenAndClose {
            self.outlet.send(self.span_event(&open, metadata), *metadata.level() == Level::ERROR);
        }
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, registry: Context<'_, S>) {
        let mut fields = FieldValues::default();
        values.record(&mut fields);
        let Some(span) = registry.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            open.fields.extend(fields.values);
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, registry: Context<'_, S>) {
        let Some(followed) = registry.span(follows).and_then(|span| above(&span)) else { return };
        let Some(span) = registry.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>() else { return };
        let (followed, _) = followed;
        if open.parent.is_some() {
            if open.follows.len() < MAX_FOLLOWS {
                open.follows.push(followed.to_string());
            }
            return;
        }
        let link = Link::new(open.id.clone(), followed.clone(), LinkKind::Caused);
        open.parent = Some(followed);
        drop(extensions);
        if self.times == SpanTimes::OpenAndClose {
            self.outlet.send(link, false);
        }
    }

    fn on_enter(&self, id: &Id, registry: Context<'_, S>) {
        let Some(span) = registry.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            let (since, times) = open.entered.unwrap_or_else(|| (Instant::now(), 0));
            open.entered = Some((since, times + 1));
        }
    }

    fn on_exit(&self, id: &Id, registry: Context<'_, S>) {
        let Some(span) = registry.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            match open.entered.take() {
                Some((since, times)) if times > 1 => open.entered = Some((since, times - 1)),
                Some((since, _)) => open.busy += since.elapsed(),
                None => {}
            }
        }
    }

    fn on_close(&self, id: Id, registry: Context<'_, S>) {
        let Some(span) = registry.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let event = self
            .span_event(&open, span.metadata())
            .label("duration_ns", open.began.elapsed().as_nanos().to_string())
            .label("busy_ns", open.busy.as_nanos().to_string());
        let event = match self.times {
            SpanTimes::OpenAndClose => event.revision(),
            SpanTimes::Close => event,
        };
        let is_error = event.as_label("is_error").is_some();
        self.outlet.send(event, is_error);
    }

    fn on_event(&self, event: &tracing_core::Event<'_>, registry: Context<'_, S>) {
        if is_own(event.metadata()) {
            return;
        }
        let mut fields = FieldValues::default();
        event.record(&mut fields);
        let above = registry.event_span(event).and_then(|span| above(&span));
        let SpanPlace { parent, session } = SpanPlace::of(above, event.is_root(), &fields);
        let metadata = event.metadata();
        let event = self.event("log", metadata, session.as_deref(), fields.values);
        let is_error = event.as_label("is_error").is_some();
        self.outlet.send(event.parent_opt(parent), is_error);
    }
}

/// Where a span or event hangs, and which session it is of.
struct SpanPlace {
    parent: Option<EventId>,
    session: Option<String>,
}

impl SpanPlace {
    /// Below a span where there is one; else by the context, unless it is to be a root. Its own
    /// field `session` names another session than that of what is above.
    fn of(above: Option<(EventId, Option<String>)>, is_root: bool, fields: &FieldValues) -> Self {
        let (parent, session) = match above {
            Some((parent, session)) => (Some(parent), session),
            None if is_root => (None, None),
            None => (context::current(), None),
        };
        Self { parent, session: fields.text("session").map(str::to_owned).or(session) }
    }
}

/// The event and session of a span, or of the nearest above it that has one. One span's
/// extensions are held at a time: another thread may hold those of the next.
fn above<'r, R: LookupSpan<'r>>(
    span: &tracing_subscriber::registry::SpanRef<'r, R>,
) -> Option<(EventId, Option<String>)> {
    span.scope().find_map(|span| {
        let extensions = span.extensions();
        let open = extensions.get::<Open>()?;
        Some((open.id.clone(), open.session.clone()))
    })
}

/// Whether the store itself says it, which would never end.
fn is_own(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "forebear"
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Spans that one follows from which are told.
const MAX_FOLLOWS: usize = 64;
