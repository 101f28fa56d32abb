//! Logs events with the right parent: that of the [context](crate::context).

mod span;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebear_core::{Appended, Batch, Durability, Event, LinkKind, Receipt, Result, Scope, Store};

use crate::context::Context;
use span::Draft;
pub use span::Span;

/// Logs events that follow from the current one: what a service has in place of appending each
/// event with a parent of its own.
///
/// An event's own parent, instance and session win over those of the
/// [context](crate::context), those of the context over the logger's. Clones are the same
/// logger; many threads can use one.
///
/// ```
/// use forebear::{Event, EventLogger, Filter};
///
/// let store = forebear::in_memory()?;
/// let logger = EventLogger::new(store.clone()).session("checkout-42").instance("worker-1");
/// let request = logger.span(Event::new("request").id("ask"))?;
/// let outcome = request.record(|| {
///     logger.log(Event::new("job").id("charge"))?;
///     Err::<(), _>(forebear::Error::invalid("the card was refused"))
/// });
/// assert!(outcome.is_err());
/// // The span is an event too, which failed.
/// let errors = store.snapshot().events(Filter::new().errors()).page()?.items;
/// assert_eq!(errors[0].id().to_string(), "ask");
/// assert_eq!(store.snapshot().depth("charge")?, Some(1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone)]
pub struct EventLogger {
    store: Store,
    session: Option<Arc<str>>,
    instance: Arc<str>,
    durability: Option<Durability>,
    durable_if: Option<Arc<Predicate>>,
    lost: Arc<AtomicU64>,
}

type Predicate = dyn Fn(&Event) -> bool + Send + Sync;

impl EventLogger {
    /// A logger of a store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            session: None,
            instance: Arc::default(),
            durability: None,
            durable_if: None,
            lost: Arc::default(),
        }
    }

    /// Names the session of events that name none.
    #[must_use]
    pub fn session(mut self, session: impl Into<Arc<str>>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Names the instance of events that name none: the process or worker.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<Arc<str>>) -> Self {
        self.instance = instance.into();
        self
    }

    /// How durable events are once a call returns; the store's durability unless set.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Stores those events alone that this takes: the others are let go. What happens in a [`Span`]
    /// that is not stored follows from the event around it.
    ///
    /// ```
    /// use forebear::{Event, EventLogger};
    ///
    /// let store = forebear::in_memory()?;
    /// let logger = EventLogger::new(store).durable_if(|event| event.as_kind() != "progress");
    /// assert!(logger.log(Event::new("progress"))?.is_none());
    /// assert!(logger.log(Event::new("job"))?.is_some());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn durable_if(mut self, takes: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Self {
        self.durable_if = Some(Arc::new(takes));
        self
    }

    /// Stores an event and waits until it is durable; none where it is not to be stored. Costs
    /// and fails as [`Store::append`] does.
    pub fn log(&self, event: Event) -> Result<Option<Appended>> {
        let Some(batch) = self.batch(event) else { return Ok(None) };
        let mut written = self.store.write(batch)?;
        Ok(written.events.pop())
    }

    /// The same without blocking the thread, in any async runtime. The context is that of the
    /// call, whenever the future is polled.
    pub fn log_async(
        &self,
        event: Event,
    ) -> impl Future<Output = Result<Option<Appended>>> + Send + use<> {
        let (batch, store) = (self.batch(event), self.store.clone());
        async move {
            let Some(batch) = batch else { return Ok(None) };
            let mut written = store.write_async(batch).await?;
            Ok(written.events.pop())
        }
    }

    /// Hands an event to the writer, with a receipt; none where it is not to be stored. See
    /// [`Store::submit`].
    pub fn submit(&self, event: Event) -> Result<Option<Receipt>> {
        self.batch(event).map(|batch| self.store.submit(batch)).transpose()
    }

    /// Logs an event that lasts: others follow from it, and its end is recorded in it. Waits
    /// until its beginning is durable.
    pub fn span(&self, event: Event) -> Result<Span> {
        Span::start(self.draft(event))
    }

    /// The same without blocking the thread, in any async runtime.
    pub fn span_async(&self, event: Event) -> impl Future<Output = Result<Span>> + Send + use<> {
        Span::start_async(self.draft(event))
    }

    /// The span of an agent or worker that is an actor of its own: it hangs by
    /// [`LinkKind::Spawned`] on the current event, and what is logged in it is of the instance.
    ///
    /// ```
    /// use forebear::{Event, EventLogger, LinkKind, SessionReads};
    ///
    /// let store = forebear::in_memory()?;
    /// let logger = EventLogger::new(store.clone()).session("s");
    /// let call = logger.span(Event::new("job").id("call"))?;
    /// call.run(|| {
    ///     let agent = logger.agent("researcher", Event::new("request").id("task"))?;
    ///     agent.run(|| logger.log(Event::new("answer")))?;
    ///     agent.end()
    /// })?;
    /// let task = store.get("task")?.expect("it is stored");
    /// assert_eq!(task.link(), Some(LinkKind::Spawned));
    /// let agent = store.snapshot().session("s/researcher")?.expect("a session of its own");
    /// assert_eq!(agent.events, 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn agent(&self, instance: &str, event: Event) -> Result<Span> {
        Span::start(self.agent_draft(instance, event))
    }

    /// The same without blocking the thread, in any async runtime.
    pub fn agent_async(
        &self,
        instance: &str,
        event: Event,
    ) -> impl Future<Output = Result<Span>> + Send + use<> {
        Span::start_async(self.agent_draft(instance, event))
    }

    /// How many ends and labels of spans could not be stored where no call could say so.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The store that events go to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn draft(&self, event: Event) -> Draft {
        let context = Context::current();
        let event = self.complete(context.clone(), event);
        let is_stored = self.takes(&event);
        Draft { logger: self.clone(), context, event, is_stored }
    }

    fn agent_draft(&self, instance: &str, event: Event) -> Draft {
        let event = event.instance(instance).scope(Scope::Own).link(LinkKind::Spawned);
        let mut draft = self.draft(event);
        draft.context = draft.context.actor(instance, draft.event.as_session());
        draft
    }

    fn batch(&self, event: Event) -> Option<Batch> {
        let event = self.complete(Context::current(), event);
        self.takes(&event).then(|| self.batch_of(event))
    }

    fn batch_of(&self, event: Event) -> Batch {
        let batch = Batch::from(event);
        match self.durability {
            Some(durability) => batch.durability(durability),
            None => batch,
        }
    }

    fn takes(&self, event: &Event) -> bool {
        self.durable_if.as_ref().is_none_or(|takes| takes(event))
    }

    fn complete(&self, context: Context, event: Event) -> Event {
        let mut event = context.complete(event);
        if event.as_instance().is_empty() {
            event = event.instance(&*self.instance);
        }
        match &self.session {
            Some(session) if event.as_session().is_none() => event.session(&**session),
            _ => event,
        }
    }
}

impl fmt::Debug for EventLogger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLogger")
            .field("store", &self.store)
            .field("session", &self.session)
            .field("instance", &self.instance)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
