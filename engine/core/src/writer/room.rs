//! The room of the write queue: who may put how much into it, and in which order.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::base::error::{Error, Result};
use crate::base::health::QueueHealth;
use crate::base::limits;
use crate::base::options::WhenFull;
use crate::base::sync::{Condvar, Mutex, wake};

/// The batches and bytes that may still be put into the queue.
///
/// Whoever waits draws a ticket, and tickets are served in order, threads and futures
/// alike: a large batch is not passed by small ones for ever.
#[derive(Debug)]
pub(super) struct Room {
    limit_bytes: usize,
    state: Mutex<RoomState>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct RoomState {
    batches: usize,
    bytes: usize,
    closed: bool,
    next_ticket: u64,
    serving: u64,
    /// Tickets not served yet of futures that were dropped.
    given_up: BTreeSet<u64>,
    /// What wakes the futures that wait, by ticket.
    wakers: BTreeMap<u64, Waker>,
}

impl Room {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, state: Mutex::default(), freed: Condvar::new() }
    }

    /// Takes room for a batch, waiting for it or not. One larger than all the room waits
    /// until it is alone.
    pub(super) fn take(&self, bytes: usize, when_full: WhenFull) -> Result<()> {
        let mut state = self.state.lock();
        let ticket = state.next_ticket;
        // Whoever writes would wait for itself.
        let waits = when_full == WhenFull::Block && !self.is_of_writer();
        if !waits && !state.closed && !self.is_turn(&state, ticket, bytes) {
            return Err(Error::full());
        }
        state.next_ticket += 1;
        while !state.closed && !self.is_turn(&state, ticket, bytes) {
            self.freed.wait(&mut state);
        }
        if state.closed {
            return Err(Error::closed());
        }
        state.fill(bytes);
        self.serve_next(state);
        Ok(())
    }

    /// The same for a future, which waits without blocking its thread.
    pub(super) fn take_async(self: &Arc<Self>, bytes: usize) -> Taking {
        Taking { room: Arc::clone(self), bytes, ticket: None }
    }

    /// Gives back the room of a batch.
    pub(super) fn free(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.batches -= 1;
        state.bytes -= bytes;
        self.wake(state);
    }

    /// Refuses whoever waits and whoever comes.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.freed.notify_all();
        wakers.into_values().for_each(wake);
    }

    /// Whether no batch has room and nobody waits for any.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.batches == 0 && state.serving == state.next_ticket
    }

    pub(super) fn health(&self) -> QueueHealth {
        let state = self.state.lock();
        QueueHealth {
            batches: state.batches,
            capacity_batches: limits::QUEUE_BATCHES,
            bytes: state.bytes,
            capacity_bytes: self.limit_bytes,
        }
    }

    /// Says that this thread holds the writer which makes room here, until what is returned is
    /// dropped. What it runs meanwhile (a kind of state, a storage, a subscriber of `tracing`) may
    /// come back to the store.
    pub(super) fn hold_writer(&self) -> HeldWriter {
        HeldWriter { before: HELD.replace(std::ptr::from_ref(self).addr()) }
    }

    pub(super) fn is_of_writer(&self) -> bool {
        HELD.get() == std::ptr::from_ref(self).addr()
    }

    fn is_turn(&self, state: &RoomState, ticket: u64, bytes: usize) -> bool {
        let fits = state.bytes == 0 || state.bytes.saturating_add(bytes) <= self.limit_bytes;
        state.serving == ticket && fits && state.batches < limits::QUEUE_BATCHES
    }

    /// Goes on to the next ticket of those who still wait.
    fn serve_next(&self, mut state: impl std::ops::DerefMut<Target = RoomState>) {
        state.serving += 1;
        loop {
            let serving = state.serving;
            if !state.given_up.remove(&serving) {
                break;
            }
            state.serving += 1;
        }
        self.wake(state);
    }

    /// Wakes whoever has the ticket that is being served, to look whether it fits.
    fn wake(&self, mut state: impl std::ops::DerefMut<Target = RoomState>) {
        let serving = state.serving;
        let waker = state.wakers.remove(&serving);
        // A waker may take the lock.
        drop(state);
        self.freed.notify_all();
        if let Some(waker) = waker {
            wake(waker);
        }
    }
}

thread_local! {
    /// The address of the room whose writer this thread holds; 0 for none.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Says that a thread holds a writer, and once dropped which it held before.
pub(super) struct HeldWriter {
    before: usize,
}

impl Drop for HeldWriter {
    fn drop(&mut self) {
        HELD.set(self.before);
    }
}

impl RoomState {
    fn fill(&mut self, bytes: usize) {
        self.batches += 1;
        self.bytes += bytes;
    }
}

/// Waits for room. Dropped before it has any, it gives up its turn.
#[derive(Debug)]
pub(super) struct Taking {
    room: Arc<Room>,
    bytes: usize,
    /// None before it is first asked, and once it has room.
    ticket: Option<u64>,
}

impl Future for Taking {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let room = Arc::clone(&self.room);
        let mut state = room.state.lock();
        if state.closed {
            return Poll::Ready(Err(Error::closed()));
        }
        let ticket = *self.ticket.get_or_insert_with(|| {
            state.next_ticket += 1;
            state.next_ticket - 1
        });
        if !room.is_turn(&state, ticket, self.bytes) {
            state.wakers.insert(ticket, context.waker().clone());
            return Poll::Pending;
        }
        self.ticket = None;
        state.wakers.remove(&ticket);
        state.fill(self.bytes);
        room.serve_next(state);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut state = self.room.state.lock();
        state.wakers.remove(&ticket);
        if state.serving == ticket {
            self.room.serve_next(state);
        } else {
            state.given_up.insert(ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(taking: &mut Taking) -> Poll<Result<()>> {
        Pin::new(taking).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn is_full(room: &Room) -> bool {
        room.take(1, WhenFull::Return).is_err_and(|error| error.is_full())
    }

    #[test]
    fn futures_and_threads_are_served_in_order() {
        let room = Arc::new(Room::new(10));
        room.take(8, WhenFull::Return).expect("it is empty");
        let (mut large, mut small) = (room.take_async(9), room.take_async(1));
        assert!(poll(&mut large).is_pending());
        assert!(poll(&mut small).is_pending(), "it would fit, and came second");
        assert!(is_full(&room), "nobody passes those who wait");
        room.free(8);
        assert!(poll(&mut small).is_pending());
        assert!(matches!(poll(&mut large), Poll::Ready(Ok(()))));
        assert!(matches!(poll(&mut small), Poll::Ready(Ok(()))));
        assert_eq!((room.health().batches, room.health().bytes), (2, 10));
    }

    #[test]
    fn who_gives_up_lets_the_next_one_pass() {
        let room = Arc::new(Room::new(10));
        room.take(10, WhenFull::Return).expect("it is empty");
        let mut waiting: Vec<_> = (0..4).map(|_| room.take_async(5)).collect();
        assert!(waiting.iter_mut().all(|taking| poll(taking).is_pending()));
        let mut last = waiting.pop().expect("there are four");
        drop(waiting.remove(1));
        drop(waiting.remove(0));
        room.free(10);
        assert!(matches!(poll(&mut waiting[0]), Poll::Ready(Ok(()))));
        assert!(matches!(poll(&mut last), Poll::Ready(Ok(()))));
        assert!(is_full(&room));
        room.free(5);
        room.take(5, WhenFull::Return).expect("nobody waits any more");
    }

    #[test]
    fn a_closed_queue_refuses_who_waits() {
        let room = Arc::new(Room::new(1));
        room.take(1, WhenFull::Block).expect("it is empty");
        let mut waiting = room.take_async(1);
        assert!(poll(&mut waiting).is_pending());
        room.close();
        assert!(matches!(poll(&mut waiting), Poll::Ready(Err(error)) if error.is_closed()));
        assert!(room.take(1, WhenFull::Block).is_err_and(|error| error.is_closed()));
    }

    #[test]
    fn whoever_holds_the_writer_is_refused_where_others_wait() {
        let (room, other) = (Room::new(1), Room::new(1));
        room.take(1, WhenFull::Block).expect("it is empty");
        let held = room.hold_writer();
        assert!(room.take(1, WhenFull::Block).is_err_and(|error| error.is_full()));
        assert!(!other.is_of_writer(), "another store makes room there");
        drop(held);
        assert!(!room.is_of_writer());
    }
}
