//! Options of a layer.

use std::sync::Arc;

use forebear::Store;

use crate::layer::ForebearLayer;
use crate::outlet::{Guard, Outlet};

/// Options of a layer that keeps spans and events in a store. See the crate's example.
pub fn layer(store: Store) -> Builder {
    Builder {
        store,
        session: None,
        instance: String::new(),
        on_overflow: OverflowPolicy::default(),
        times: SpanTimes::default(),
    }
}

/// Options of a [`ForebearLayer`], made by [`layer`].
#[derive(Debug)]
pub struct Builder {
    store: Store,
    session: Option<String>,
    instance: String,
    on_overflow: OverflowPolicy,
    times: SpanTimes,
}

/// What becomes of a span or event while the store's queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverflowPolicy {
    /// It is lost, and counted.
    #[default]
    Drop,
    /// Its thread waits for room. Nothing is lost while the store can write, but for what is said
    /// by code that the store itself calls while it writes, such as a kind of state: that would
    /// wait for itself, and is lost where there is no room.
    Block,
    /// Once it was full, one of so many of the next ten thousand goes in; of errors all that
    /// there is room for. The rest is lost, and counted.
    Sample(u32),
}

/// When a span is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanTimes {
    /// As it opens, and as it closes with its duration: a crash in it can be explained. One event
    /// in every answer: the close is a revision.
    #[default]
    OpenAndClose,
    /// Once, as it closes: half the writes.
    Close,
}

impl Builder {
    /// Names the session of spans and events, unless a span has a field `session`, which is then
    /// that of everything in it.
    #[must_use]
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Names the process or worker that spans and events are of.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = instance.into();
        self
    }

    /// What becomes of a span or event while the store's queue is full.
    #[must_use]
    pub fn on_overflow(mut self, policy: OverflowPolicy) -> Self {
        self.on_overflow = policy;
        self
    }

    /// When a span is stored.
    #[must_use]
    pub fn spans(mut self, times: SpanTimes) -> Self {
        self.times = times;
        self
    }

    /// The layer, and the guard that flushes what it took.
    pub fn build(self) -> (ForebearLayer, Guard) {
        let outlet = Arc::new(Outlet::new(self.store, self.on_overflow));
        let guard = Guard::new(Arc::clone(&outlet));
        (ForebearLayer::new(outlet, self.session, self.instance, self.times), guard)
    }
}
