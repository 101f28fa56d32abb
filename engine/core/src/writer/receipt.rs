//! A promise of what becomes of a submitted batch.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::base::error::{Error, Result};
use crate::base::process::Owner;
use crate::base::sync::{Condvar, Mutex, wake};
use crate::batch::Written;

/// What [`Store::submit`](crate::Store::submit) gives back: wait for it in a
/// thread or `.await` it in any async runtime, one or the other, and once. The
/// answer is handed out, not kept: a receipt that was awaited by reference has
/// none left and says so when asked again. Dropping a receipt changes nothing for
/// its batch.
///
/// ```
/// use forebear::{Event, Store};
///
/// async fn record(store: &Store) -> forebear::Result<u64> {
///     let receipt = store.submit(Event::new("request"))?;
///     Ok(receipt.await?.events[0].seq)
/// }
/// # let store = Store::in_memory()?;
/// # let mut task = std::pin::pin!(record(&store));
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # let seq = loop {
/// #     match task.as_mut().poll(&mut context) {
/// #         std::task::Poll::Ready(seq) => break seq?,
/// #         std::task::Poll::Pending => std::thread::yield_now(),
/// #     }
/// # };
/// # assert_eq!(seq, 1);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
pub struct Receipt {
    slot: Arc<Slot>,
    owner: Owner,
}

/// The writer's end of a receipt. Dropped without an answer, the store was closed.
#[derive(Debug)]
pub(crate) struct ReceiptSender(Option<Arc<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<ReceiptState>,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct ReceiptState {
    result: Option<Result<Written>>,
    taken: bool,
    waker: Option<Waker>,
}

impl Receipt {
    pub(crate) fn pair() -> (Self, ReceiptSender) {
        let slot = Arc::new(Slot::default());
        (Self { slot: Arc::clone(&slot), owner: Owner::this_process() }, ReceiptSender(Some(slot)))
    }

    /// Waits until the batch is as durable as it asked for.
    ///
    /// Fails where writing or syncing it failed; from then on the store refuses
    /// writes ([`Error::is_poisoned`]). Fails with [`Error::is_closed`] where the
    /// store was closed first. At [`Durability::Buffered`](crate::Durability) it is
    /// not yet written, so that a later write fails where that does.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let receipt = store.submit(Event::new("request").id("ask"))?;
    /// let written = receipt.wait()?;
    /// assert_eq!(written.events[0].id.to_string(), "ask");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn wait(self) -> Result<Written> {
        // In a forked child nobody answers, and the lock may be held for ever.
        self.owner.check()?;
        let mut state = self.slot.state.lock();
        loop {
            if let Some(result) = state.take() {
                return result;
            }
            self.slot.answered.wait(&mut state);
        }
    }

    /// Whether the answer is there, so that [`wait`](Self::wait) returns at once.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let receipt = store.submit(Event::new("request"))?;
    /// store.flush()?; // All that was submitted before is answered by then.
    /// assert!(receipt.is_ready());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_ready(&self) -> bool {
        !self.owner.is_here() || self.slot.state.lock().result.is_some()
    }
}

impl Future for Receipt {
    type Output = Result<Written>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Err(error) = self.owner.check() {
            return Poll::Ready(Err(error));
        }
        let mut state = self.slot.state.lock();
        if let Some(result) = state.take() {
            return Poll::Ready(result);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl ReceiptSender {
    pub(crate) fn send(mut self, result: Result<Written>) {
        if let Some(slot) = self.0.take() {
            slot.answer(result);
        }
    }
}

impl Drop for ReceiptSender {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.answer(Err(Error::closed()));
        }
    }
}

impl ReceiptState {
    /// The answer, once. Whoever asks again gets an error instead of waiting for ever.
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
            wake(waker);
        }
    }
}
