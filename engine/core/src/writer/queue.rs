//! The queue that leads to the writer: bounded in batches and in bytes.

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::health::QueueHealth;
use crate::base::limits;
use crate::base::options::{Durability, WhenFull};
use crate::base::sync::Instant;
use crate::base::sync::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use crate::log::encoded::EncodedBatch;
use crate::manifest::{Retained, Retention};
use crate::writer::receipt::{Receipt, ReceiptSender};
use crate::writer::room::{HeldWriter, Room};

/// A batch on its way to the log.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) records: EncodedBatch,
    pub(crate) durability: Durability,
    pub(crate) answer: ReceiptSender,
    /// Encoded bytes of all records.
    pub(crate) bytes: usize,
    /// What is to be done instead of writing.
    pub(crate) command: Option<WriterCommand>,
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
pub(crate) enum WriterCommand {
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

/// A queue for so many bytes.
pub(crate) fn queue(limit_bytes: usize) -> (Queue, Jobs) {
    let (sender, receiver) = bounded(limits::QUEUE_BATCHES);
    let room = Arc::new(Room::new(limit_bytes));
    (Queue { sender, room: Arc::clone(&room) }, Jobs { receiver, room })
}

impl Queue {
    /// How many batches and bytes wait, and how many can. O(1).
    pub(crate) fn health(&self) -> QueueHealth {
        self.room.health()
    }

    /// Whether nothing waits, in the queue or for room in it: every batch that was put into it
    /// is in a block. O(1).
    pub(crate) fn is_idle(&self) -> bool {
        self.room.is_idle()
    }

    /// Whether this thread holds the writer: it must not wait for what that writes.
    pub(crate) fn is_of_writer(&self) -> bool {
        self.room.is_of_writer()
    }

    /// Says that this thread holds the writer.
    pub(super) fn hold_writer(&self) -> HeldWriter {
        self.room.hold_writer()
    }

    /// Has the writer thread look at what is due, and when. A queue without room has it awake
    /// already.
    pub(crate) fn wake_writer(&self) {
        let (_, answer) = Receipt::pair();
        // Nothing waits for it, so that what is buffered goes on waiting.
        let nothing = Job::of(EncodedBatch::default(), Durability::Buffered, answer);
        let _ = self.send(nothing, WhenFull::Return);
    }

    /// Puts a job into the queue, waiting for room or not.
    pub(crate) fn send(&self, job: Job, when_full: WhenFull) -> Result<()> {
        self.room.take(job.bytes, when_full)?;
        self.put(job)
    }

    /// Puts a job into the queue once there is room, without blocking the thread.
    pub(crate) async fn send_async(&self, job: Job) -> Result<()> {
        self.room.take_async(job.bytes).await?;
        self.put(job)
    }

    /// Puts a job into the queue that has room for it.
    fn put(&self, job: Job) -> Result<()> {
        let bytes = job.bytes;
        // Room counts batches too, as many as the channel takes: it is never full.
        self.sender.try_send(job).map_err(|_| {
            self.room.free(bytes);
            Error::closed()
        })
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

    /// Says that this thread holds the writer.
    pub(super) fn hold_writer(&self) -> HeldWriter {
        self.room.hold_writer()
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
        self.room.close();
    }
}

/// No sender is left.
#[derive(Debug)]
pub(crate) struct Gone;
