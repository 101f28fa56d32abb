//! A promise of what becomes of a submitted batch.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};

use crate::batch::Written;
use crate::error::{Error, Result};

/// What [`Store::submit`](crate::Store::submit) gives back: wait for it in a
/// thread or `.await` it in any async runtime. Dropping it changes nothing for
/// the batch.
#[derive(Debug)]
pub struct Receipt(Arc<Slot>);

/// The writer's end of a receipt. Dropped without an answer, the store was closed.
#[derive(Debug)]
pub(crate) struct Answer(Option<Arc<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct State {
    result: Option<Result<Written>>,
    taken: bool,
    waker: Option<Waker>,
}

impl Receipt {
    pub(crate) fn pair() -> (Self, Answer) {
        let slot = Arc::new(Slot::default());
        (Self(Arc::clone(&slot)), Answer(Some(slot)))
    }

    /// Waits until the batch is as durable as it asked for.
    pub fn wait(self) -> Result<Written> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(result) = state.take() {
                return result;
            }
            self.0.answered.wait(&mut state);
        }
    }

    /// Whether the answer is there, so that [`wait`](Self::wait) returns at once.
    pub fn is_ready(&self) -> bool {
        self.0.state.lock().result.is_some()
    }
}

impl Future for Receipt {
    type Output = Result<Written>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state.lock();
        if let Some(result) = state.take() {
            return Poll::Ready(result);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Answer {
    pub(crate) fn send(mut self, result: Result<Written>) {
        if let Some(slot) = self.0.take() {
            slot.answer(result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.answer(Err(Error::closed()));
        }
    }
}

impl State {
    /// The answer, once. Whoever asks again is told so instead of waiting for ever.
    fn take(&mut self) -> Option<Result<Written>> {
        if self.taken {
            return Some(Err(Error::invalid("the answer of this receipt was taken before")));
        }
        let result = self.result.take()?;
        self.taken = true;
        Some(result)
    }
}

impl Slot {
    fn answer(&self, result: Result<Written>) {
        let mut state = self.state.lock();
        state.result = Some(result);
        let waker = state.waker.take();
        drop(state);
        self.answered.notify_all();
        if let Some(waker) = waker {
            // A waker is someone else's code: its panic must not end the writer.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}
