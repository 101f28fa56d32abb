//! The queue that leads to the writer: bounded in batches and in bytes.

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::health::QueueHealth;
use crate::base::limits;
use crate::base::options::{Durability, WhenFull};
use crate::base::sync::channel::{
    Receiver, RecvTimeoutError, SendError, Sender, TrySendError, bounded,
};
use crate::base::sync::{Condvar, Instant, Mutex};
use crate::log::encoded::EncodedBatch;
use crate::manifest::{Retained, Retention};
use crate::writer::receipt::ReceiptSender;

/// A batch on its way to the log.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) records: EncodedBatch,
    pub(crate) durability: Durability,
    pub(crate) answer: ReceiptSender,
    /// Encoded bytes of all records.
    pub(crate) bytes: usize,
    /// What is to be done instead of writing.
    pub(crate) command: Option<Command>,
}

impl Job {
    /// A batch that is to be written.
    pub(crate) fn of(records: EncodedBatch, durability: Durability, answer: ReceiptSender) -> Self {
        let bytes = records.bytes();
        Self { records, durability, answer, bytes, command: None }
    }
}

/// What the writer is asked for besides writing.
#[derive(Debug)]
pub(crate) enum Command {
    /// To close the store.
    Close,
    /// To go on to the next log, and to wait until this one is sealed.
    Seal,
    /// To drop or archive what a policy does not keep, and to say what went.
    Retain(Retention, Sender<Retained>),
    /// To keep a policy with the store.
    SetRetention(Option<Retention>),
}

/// The senders' end.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    sender: Sender<Job>,
    room: Arc<Room>,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Jobs {
    receiver: Receiver<Job>,
    room: Arc<Room>,
}

/// The bytes that may still be put into the queue.
#[derive(Debug)]
struct Room {
    limit: usize,
    state: Mutex<RoomState>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct RoomState {
    used: usize,
    closed: bool,
    /// Senders take room in the order in which they came: a large batch is not
    /// passed by small ones for ever.
    next_ticket: u64,
    serving: u64,
}

/// A queue for so many bytes.
pub(crate) fn queue(limit_bytes: usize) -> (Queue, Jobs) {
    let (sender, receiver) = bounded(limits::QUEUE_BATCHES);
    let room = Arc::new(Room {
        limit: limit_bytes,
        state: Mutex::new(RoomState::default()),
        freed: Condvar::new(),
    });
    (Queue { sender, room: Arc::clone(&room) }, Jobs { receiver, room })
}

impl Queue {
    /// How many batches and bytes wait, and how many can. O(1).
    pub(crate) fn health(&self) -> QueueHealth {
        QueueHealth {
            batches: self.sender.len(),
            capacity_batches: limits::QUEUE_BATCHES,
            bytes: self.room.state.lock().used,
            capacity_bytes: self.room.limit,
        }
    }

    /// Puts a job into the queue, waiting for room or not.
    pub(crate) fn send(&self, job: Job, when_full: WhenFull) -> Result<()> {
        let bytes = job.bytes;
        self.room.take(bytes, when_full)?;
        let sent = match when_full {
            WhenFull::Block => self.sender.send(job).map_err(|SendError(_)| Error::closed()),
            WhenFull::Return => self.sender.try_send(job).map_err(|error| match error {
                TrySendError::Full(_) => Error::full(),
                TrySendError::Disconnected(_) => Error::closed(),
            }),
        };
        sent.inspect_err(|_| self.room.free(bytes))
    }
}

impl Jobs {
    /// The next job; none once the deadline has passed. Fails when no sender is left.
    pub(crate) fn next(&self, deadline: Option<Instant>) -> std::result::Result<Option<Job>, Gone> {
        match deadline {
            None => self.receiver.recv().map(Some).map_err(|_| Gone),
            Some(deadline) => match self.receiver.recv_deadline(deadline) {
                Ok(job) => Ok(Some(job)),
                Err(RecvTimeoutError::Timeout) => Ok(None),
                Err(RecvTimeoutError::Disconnected) => Err(Gone),
            },
        }
    }

    /// The next job, if one is waiting.
    pub(crate) fn waiting(&self) -> Option<Job> {
        self.receiver.try_recv().ok()
    }

    /// Gives back the room that a job took, once its records are in a block.
    pub(crate) fn done(&self, bytes: usize) {
        self.room.free(bytes);
    }
}

impl Drop for Jobs {
    /// Refuses whoever waits for room: there is no writer any more.
    fn drop(&mut self) {
        self.room.state.lock().closed = true;
        self.room.freed.notify_all();
    }
}

/// No sender is left.
#[derive(Debug)]
pub(crate) struct Gone;

impl Room {
    /// Takes room. A job larger than all of it waits until it is alone.
    fn take(&self, bytes: usize, when_full: WhenFull) -> Result<()> {
        let mut state = self.state.lock();
        let fits =
            |state: &RoomState| state.used == 0 || state.used.saturating_add(bytes) <= self.limit;
        let ticket = state.next_ticket;
        if when_full == WhenFull::Return
            && !state.closed
            && (state.serving != ticket || !fits(&state))
        {
            return Err(Error::full());
        }
        state.next_ticket += 1;
        while !state.closed && (state.serving != ticket || !fits(&state)) {
            self.freed.wait(&mut state);
        }
        if state.closed {
            return Err(Error::closed());
        }
        state.serving += 1;
        self.freed.notify_all();
        state.used += bytes;
        Ok(())
    }

    fn free(&self, bytes: usize) {
        self.state.lock().used -= bytes;
        self.freed.notify_all();
    }
}
