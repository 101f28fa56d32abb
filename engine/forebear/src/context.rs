//! The event that what happens now follows from, without handing it through every call.
//!
//! A thread has one context at a time: the parent of the events that an
//! [`EventLogger`](crate::EventLogger) logs in it, and whose they are. [`with_parent`] sets it
//! while a closure runs, [`WithParent`] while a future is polled, on whatever thread that is:
//! nothing leaks over an `.await` into other tasks, and nothing is left behind by a panic.
//! Threads, channels and spawned tasks don't inherit it: take [`Context::current`] along.
//!
//! ```
//! use forebear::{Event, EventLogger, context};
//!
//! let store = forebear::in_memory()?;
//! let logger = EventLogger::new(store.clone());
//! logger.log(Event::new("request").id("ask"))?;
//! context::with_parent("ask", || logger.log(Event::new("job").id("call")))?;
//! assert!(store.snapshot().is_ancestor("ask", "call")?);
//! # Ok::<(), forebear::Error>(())
//! ```

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use forebear_core::{Event, EventId, Scope};

thread_local! {
    static CURRENT: RefCell<Context> = RefCell::default();
}

/// What logged events follow from, and whose they are. Cloning is a few counters.
///
/// ```
/// use std::thread;
/// use forebear::{Event, EventLogger, context};
///
/// let store = forebear::in_memory()?;
/// let logger = EventLogger::new(store.clone());
/// logger.log(Event::new("request").id("ask"))?;
/// context::with_parent("ask", || {
///     let context = context::Context::current();
///     let logger = logger.clone();
///     let work = move || context.run(|| logger.log(Event::new("job").id("call")));
///     thread::spawn(work).join().expect("ends")
/// })?;
/// assert_eq!(store.snapshot().depth("call")?, Some(1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    parent: Option<EventId>,
    actor: Option<Arc<Actor>>,
}

/// Whose the events are.
#[derive(Debug, PartialEq, Eq)]
struct Actor {
    instance: String,
    session: Option<String>,
}

/// The parent that events logged here and now get, if there is one.
pub fn current() -> Option<EventId> {
    Context::current().parent
}

/// Runs a closure in which logged events follow from this one.
pub fn with_parent<T>(parent: impl Into<EventId>, work: impl FnOnce() -> T) -> T {
    Context::current().parent(parent).run(work)
}

impl Context {
    /// The context of this thread, or of the task that is polled in it.
    pub fn current() -> Self {
        // While the thread ends there is none any more, and its destructors may log.
        CURRENT.try_with(|current| current.borrow().clone()).unwrap_or_default()
    }

    /// The context of nothing: what is logged in it is a root.
    pub fn root() -> Self {
        Self::default()
    }

    /// The same with another parent.
    #[must_use]
    pub fn parent(mut self, parent: impl Into<EventId>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// The same for an actor of its own: events that name no instance are its.
    #[must_use]
    pub(crate) fn actor(mut self, instance: &str, session: Option<&str>) -> Self {
        let session = session.map(str::to_owned);
        self.actor = Some(Arc::new(Actor { instance: instance.to_owned(), session }));
        self
    }

    /// Runs a closure in this context. The one before is restored, after a panic too.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let _restore = self.enter();
        work()
    }

    /// Fills in what the event doesn't say itself.
    pub(crate) fn complete(self, event: Event) -> Event {
        let mut event = match self.parent {
            // What names its parent knows better, and nothing is its own.
            Some(parent) if event.as_parent().is_none() && *event.as_id() != parent => {
                event.parent(parent)
            }
            _ => event,
        };
        let Some(actor) = self.actor else { return event };
        if event.as_session().is_none()
            && let Some(session) = &actor.session
        {
            event = event.session(session);
        }
        let is_same = event.as_session() == actor.session.as_deref();
        if event.as_instance().is_empty() && is_same {
            event = event.instance(&actor.instance).scope(Scope::Own);
        }
        event
    }

    fn enter(&self) -> Restore {
        let before = CURRENT.try_with(|current| current.replace(self.clone()));
        Restore(before.unwrap_or_default())
    }
}

/// Puts back the context that was replaced.
struct Restore(Context);

impl Drop for Restore {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.replace(std::mem::take(&mut self.0)));
    }
}

/// Futures in a context.
///
/// ```
/// use forebear::context::WithParent;
/// use forebear::{Event, EventLogger};
///
/// async fn charge(logger: EventLogger) -> forebear::Result<()> {
///     logger.log_async(Event::new("job").id("call")).await?;
///     Ok(())
/// }
/// # let store = forebear::in_memory()?;
/// # let logger = EventLogger::new(store.clone());
/// let future = charge(logger).with_parent("ask");
/// # let mut task = std::pin::pin!(future);
/// # let mut waker = std::task::Context::from_waker(std::task::Waker::noop());
/// # while std::future::Future::poll(task.as_mut(), &mut waker).is_pending() {
/// #     std::thread::yield_now();
/// # }
/// # assert_eq!(store.get("call")?.and_then(|event| event.parent().cloned()), Some("ask".into()));
/// # Ok::<(), forebear::Error>(())
/// ```
pub trait WithParent: Future + Sized {
    /// The future, in which logged events follow from this one.
    fn with_parent(self, parent: impl Into<EventId>) -> InContext<Self> {
        self.in_context(Context::current().parent(parent))
    }

    /// The future in a context, such as [`Context::current`] for a task that is spawned.
    fn in_context(self, context: Context) -> InContext<Self> {
        InContext { future: Some(self), context }
    }
}

impl<F: Future> WithParent for F {}

pin_project_lite::pin_project! {
    /// A future in a context, which is set whenever it is polled or dropped, and restored after.
    #[derive(Clone, Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InContext<F> {
        // None once it is dropped.
        #[pin]
        future: Option<F>,
        context: Context,
    }

    impl<F> PinnedDrop for InContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What the future holds is dropped with it, and may log: a span that was cancelled.
            this.context.run(|| this.future.set(None));
        }
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.future.as_pin_mut() {
            Some(future) => this.context.run(|| future.poll(task)),
            // It is dropped, and is not polled again.
            None => Poll::Pending,
        }
    }
}
