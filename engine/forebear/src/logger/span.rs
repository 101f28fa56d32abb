//! Events that last.

use std::fmt;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use forebear_core::{
    AppendStatus, Appended, Batch, Error, Event, EventId, Result, Written, limits,
};

use crate::context::{Context, InContext, WithParent};
use crate::logger::EventLogger;
use crate::readings::keys;

/// An event that lasts: what is logged in it follows from it. Its end is a
/// [revision](Event::revision) of it, with the labels `duration_ns`; `is_error` and `error` where
/// it failed; `interrupted` where it was cancelled.
///
/// Of an event with a [payload type](Event::payload_type) the payload says all there is: give it
/// another one before it ends, or the end is an error, as no news.
///
/// Its event has up to 61 labels, of the 64 that an event can have.
///
/// Dropped, it ends: as failed while a panic goes on. Its end is then handed to the writer
/// without a wait, and counted by [`EventLogger::lost`] where that can't be.
///
/// ```
/// use forebear::{Event, EventLogger};
///
/// let store = forebear::in_memory()?;
/// let logger = EventLogger::new(store.clone());
/// let span = logger.span(Event::new("deploy").id("deploy"))?;
/// span.run(|| logger.log(Event::new("job").id("build")))?;
/// span.label("version", "1.2").end()?;
/// let deploy = store.get("deploy")?.expect("it is stored");
/// assert!(deploy.label("duration_ns").is_some_and(|ns| ns.parse::<u64>().is_ok()));
/// assert_eq!(deploy.label("version"), Some("1.2"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    logger: EventLogger,
    /// The event as it is to be when the span ends; none where it is not stored, or has ended.
    event: Option<Event>,
    id: EventId,
    context: Context,
    began: Instant,
    /// What being dropped means.
    state: SpanState,
}

/// A span that has not begun: its event as it is to be stored, and the context around it.
pub(super) struct Draft {
    pub(super) logger: EventLogger,
    pub(super) context: Context,
    pub(super) event: Event,
    pub(super) is_stored: bool,
}

impl Draft {
    /// What is to be stored. Fails where its end could not be, for want of room for labels.
    fn batch(&self) -> Result<Option<Batch>> {
        if !self.is_stored {
            return Ok(None);
        }
        let labels = self.event.as_labels().len();
        if labels > MAX_SPAN_LABELS {
            return Err(Error::invalid(format!(
                "expected at most {MAX_SPAN_LABELS} labels on the event of a span, which leaves \
                 room for those of its end, found {labels}; put the rest into its payload"
            )));
        }
        Ok(Some(self.logger.batch_of(self.event.clone())))
    }

    fn begin(self) -> Span {
        let Self { logger, context, event, is_stored } = self;
        let id = event.as_id().clone();
        let (context, event) = if is_stored {
            (context.parent(id.clone()), Some(event.revision()))
        } else {
            (context, None)
        };
        Span { logger, event, id, context, began: Instant::now(), state: SpanState::Open }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SpanState {
    /// It ends.
    Open,
    /// It was cancelled.
    Awaited,
    /// Nothing: its end is in the event, and on its way.
    Ending,
}

impl Span {
    pub(super) fn start(draft: Draft) -> Result<Self> {
        if let Some(batch) = draft.batch()? {
            draft.logger.store.write(batch)?;
        }
        Ok(draft.begin())
    }

    pub(super) async fn start_async(draft: Draft) -> Result<Self> {
        if let Some(batch) = draft.batch()? {
            draft.logger.store.write_async(batch).await?;
        }
        Ok(draft.begin())
    }

    /// The id of its event.
    pub fn id(&self) -> &EventId {
        &self.id
    }

    /// The context of what happens in it, for another thread or task.
    pub fn context(&self) -> Context {
        self.context.clone()
    }

    /// Runs a closure in it. It goes on after.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        self.context.run(work)
    }

    /// A future in it. It goes on after.
    pub fn attach<F: Future>(&self, future: F) -> InContext<F> {
        future.in_context(self.context())
    }

    /// Runs a closure in it and ends it with the outcome, which is returned as it is. That the
    /// end could not be stored is counted by [`EventLogger::lost`].
    pub fn record<T, E: fmt::Display>(
        mut self,
        work: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let outcome = self.run(work);
        self.finish(|event| with_outcome(event, &outcome));
        outcome
    }

    /// Awaits a future in it and ends it with the outcome, which is returned as it is. Dropped
    /// before, it was cancelled.
    pub async fn record_async<T, E: fmt::Display>(
        mut self,
        future: impl Future<Output = std::result::Result<T, E>>,
    ) -> std::result::Result<T, E> {
        self.state = SpanState::Awaited;
        let outcome = self.attach(future).await;
        let end = self.take_event().map(|event| with_outcome(event, &outcome));
        if let Some(end) = end {
            // Dropped while it waits for room, it is handed in again: a repeat if it was stored.
            self.event = Some(end.clone());
            self.state = SpanState::Ending;
            let stored = self.logger.store.write_async(self.logger.batch_of(end)).await;
            self.event = None;
            self.count_lost(&stored.and_then(|written| expect_news(&written)));
        }
        outcome
    }

    /// Adds a label to its event, stored when it ends. One above the 61st is left out, and counted
    /// by [`EventLogger::lost`]: the end needs room for its own.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        if let Some(event) = self.event.take() {
            let has_room = event.as_labels().len() < MAX_SPAN_LABELS;
            if has_room || event.as_label(&key).is_some() {
                self.event = Some(event.label(key, value));
            } else {
                self.event = Some(event);
                self.logger.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        self
    }

    /// Replaces the payload of its event, stored when it ends.
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.event = self.event.take().map(|event| event.payload(payload));
        self
    }

    /// Ends it, and waits until that is durable.
    pub fn end(mut self) -> Result<()> {
        self.write_end(|event| event)
    }

    /// Ends it as failed, and waits until that is durable.
    pub fn fail(mut self, error: impl fmt::Display) -> Result<()> {
        self.write_end(|event| failed(event, &error))
    }

    fn write_end(&mut self, change: impl FnOnce(Event) -> Event) -> Result<()> {
        let Some(event) = self.take_event() else { return Ok(()) };
        let written = self.logger.store.write(self.logger.batch_of(change(event)))?;
        expect_news(&written)
    }

    fn finish(&mut self, change: impl FnOnce(Event) -> Event) {
        let stored = self.write_end(change);
        self.count_lost(&stored);
    }

    fn count_lost<T>(&self, stored: &Result<T>) {
        if stored.is_err() {
            self.logger.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take_event(&mut self) -> Option<Event> {
        let event = self.event.take()?;
        Some(event.label(DURATION_NS, self.began.elapsed().as_nanos().to_string()))
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(event) = (match self.state {
            SpanState::Ending => self.event.take(),
            SpanState::Open | SpanState::Awaited => self.take_event(),
        }) else {
            return;
        };
        let event = match self.state {
            SpanState::Ending => event,
            _ if thread::panicking() => failed(event, &"panicked"),
            SpanState::Awaited => event.label(keys::INTERRUPTED, "stopped"),
            SpanState::Open => event,
        };
        let handed_in = self.logger.store.submit(self.logger.batch_of(event));
        self.count_lost(&handed_in);
    }
}

/// Fails where the end was taken for a repeat of the beginning.
fn expect_news(written: &Written) -> Result<()> {
    let repeat = |appended: &&Appended| appended.status == AppendStatus::Repeat;
    match written.events.iter().find(repeat) {
        None => Ok(()),
        Some(appended) => Err(Error::invalid(format!(
            "expected another payload at the end of the span {}, found the one it began with: its \
             payload has a type, so that labels beside it are no news; set one with \
             `Span::payload`",
            appended.id
        ))),
    }
}

fn with_outcome<T, E: fmt::Display>(event: Event, outcome: &std::result::Result<T, E>) -> Event {
    match outcome {
        Ok(_) => event,
        Err(error) => failed(event, error),
    }
}

fn failed(event: Event, error: &dyn fmt::Display) -> Event {
    let mut text = error.to_string();
    text.truncate(text.floor_char_boundary(limits::MAX_LABEL_VALUE_BYTES));
    event.label(keys::IS_ERROR, "true").label(ERROR, text)
}

/// Labels of a span's event before it ends. Its end adds how long it lasted, that it failed and
/// with what, or that it was cancelled.
const MAX_SPAN_LABELS: usize = limits::MAX_LABELS - 3;
/// The label of how long it lasted, in nanoseconds.
const DURATION_NS: &str = "duration_ns";
/// The label of what it failed with.
const ERROR: &str = "error";
