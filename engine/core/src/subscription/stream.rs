//! A subscription as a stream, for async code.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;

use crate::base::error::{Error, Result};
use crate::base::sync::{Mutex, Signal, spawn, wake};
use crate::subscription::{Subscription, SubscriptionHandle};
use crate::view::stored::StoredEvent;

/// A [`Subscription`] as a [`Stream`] of the same events and errors, in any async runtime.
/// Made by [`Subscription::into_stream`].
///
/// A poll reads at most one event, as [`next`](Iterator::next) does: microseconds, or a wait
/// for the disk where its pages are not in memory. That of a store is woken by the publication
/// of a block. Where a subscription has to look for news at intervals (a
/// [`Reader`](crate::Reader)'s, and one that waits for [`durable`](Subscription::durable)
/// events), the stream has a thread that wakes it then.
#[derive(Debug)]
pub struct SubscriptionStream {
    subscription: Subscription,
    /// The key of this stream's waker.
    key: u64,
    alarm: Option<Alarm>,
}

impl Subscription {
    /// Makes a stream of it.
    ///
    /// ```
    /// use forebear::{Event, Filter, StartFrom, Store};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    /// # runtime.block_on(async {
    /// let store = Store::in_memory()?;
    /// let mut ticks = store.subscribe(Filter::new().kind("tick"), StartFrom::Now)?.into_stream();
    /// let writer = store.clone();
    /// tokio::spawn(async move { writer.write_async(Event::new("tick").id("first")).await });
    /// let event = ticks.next().await;
    /// assert_eq!(event.expect("it goes on for ever")?.id().to_string(), "first");
    /// # Ok::<(), forebear::Error>(())
    /// # })?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn into_stream(self) -> SubscriptionStream {
        let key = self.handle.signal.new_key();
        SubscriptionStream { subscription: self, key, alarm: None }
    }
}

impl SubscriptionStream {
    /// The next event, as the stream gives it; none once it has ended. Dropped while it
    /// waits, it loses none.
    ///
    /// An example is at [`Subscription::into_stream`].
    pub async fn next(&mut self) -> Option<Result<StoredEvent>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// What stops it, as [`Subscription::handle`].
    pub fn handle(&self) -> SubscriptionHandle {
        self.subscription.handle()
    }

    /// The sequence number up to which everything was read, as [`Subscription::next_seq`].
    pub fn next_seq(&self) -> u64 {
        self.subscription.next_seq()
    }

    /// Has the waker woken by the signal, or when it is time to look again. False where the
    /// signal was raised meanwhile.
    fn wait(&mut self, seen: u64, waker: &Waker) -> Result<bool> {
        let poll_time = self.subscription.poll_time();
        if poll_time < Duration::MAX {
            let alarm = match &mut self.alarm {
                Some(alarm) => alarm,
                none => none.insert(Alarm::start(poll_time)?),
            };
            alarm.set(waker);
        }
        Ok(self.subscription.handle.signal.register(self.key, seen, waker))
    }
}

impl Stream for SubscriptionStream {
    type Item = Result<StoredEvent>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let seen = this.subscription.handle.signal.raised();
            let next = this.subscription.next_timeout(Duration::ZERO);
            if next.is_some() || this.subscription.has_ended() {
                return Poll::Ready(next);
            }
            match this.wait(seen, context.waker()) {
                Ok(true) => return Poll::Pending,
                Ok(false) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl Drop for SubscriptionStream {
    fn drop(&mut self) {
        self.subscription.handle.signal.unregister(self.key);
    }
}

/// A thread that wakes a future at intervals, as long as this lives.
#[derive(Debug)]
struct Alarm(Arc<AlarmState>);

#[derive(Debug, Default)]
struct AlarmState {
    waker: Mutex<Option<Waker>>,
    ended: Signal,
}

impl Alarm {
    fn start(interval: Duration) -> Result<Self> {
        let shared = Arc::new(AlarmState::default());
        let of_thread = Arc::clone(&shared);
        let run = move || {
            while of_thread.ended.raised() == 0 {
                of_thread.ended.wait_past(0, interval);
                let waker = of_thread.waker.lock().take();
                waker.into_iter().for_each(wake);
            }
        };
        spawn("forebear-alarm", run)
            .map_err(|error| Error::io("start a thread for", "the stream", error))?;
        Ok(Self(shared))
    }

    /// Has this waker woken at the end of the interval.
    fn set(&self, waker: &Waker) {
        *self.0.waker.lock() = Some(waker.clone());
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.ended.raise();
    }
}
