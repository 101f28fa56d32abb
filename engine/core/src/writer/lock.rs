//! Who may write: one lock owns the end of the log, and the writer thread is its usual holder.
//!
//! Handing a batch to another thread and waiting for its answer takes two thread switches, more
//! than ten times what writing it takes. A caller that waits anyway writes its batch itself where
//! nobody else is at it and nothing waits. All that takes long stays with the thread: rotation,
//! sealing, retention, the manifest, the spool.

use crate::base::error::Result;
use crate::base::options::Durability;
use crate::base::sync::{Instant, Mutex};
use crate::batch::Written;
use crate::log::encoded::EncodedBatch;
use crate::writer::Writer;
use crate::writer::queue::{Gone, Job, Jobs, Queue};

/// The writer, for whoever holds the lock. It is gone once the store is closed, and where a
/// holder panicked: what it left half done, nobody goes on with.
#[derive(Debug)]
pub(crate) struct WriterLock(Mutex<Option<Box<Writer>>>);

/// What became of a batch that its caller tried to write.
pub(crate) enum Tried {
    Written(Result<Written>),
    /// It has to go through the queue.
    NotNow(EncodedBatch),
}

impl WriterLock {
    pub(crate) fn new(writer: Writer) -> Self {
        Self(Mutex::new(Some(Box::new(writer))))
    }

    /// Serves the queue until the store is closed or no handle is left.
    pub(crate) fn run(&self, jobs: &Jobs) {
        let mut due = self.hold(|writer| writer.due());
        while let Some(deadline) = due {
            let job = jobs.next(deadline);
            let mut held = self.0.lock();
            let Some(mut writer) = held.take() else { return };
            let holding = jobs.hold_writer();
            if serve(&mut writer, jobs, job) {
                return;
            }
            drop(holding);
            due = Some(writer.due());
            *held = Some(writer);
        }
    }

    /// Writes a batch in the caller's thread, unless another holds the lock, anything waits in
    /// the queue or more is due than a block. It is as durable as is asked when this returns;
    /// what is only buffered, the thread writes once it is time.
    pub(crate) fn try_write(
        &self,
        queue: &Queue,
        records: EncodedBatch,
        durability: Durability,
    ) -> Tried {
        let Some(mut held) = self.0.try_lock() else { return Tried::NotNow(records) };
        // Room is given back once a batch is in a block: nothing that this caller submitted
        // before is passed, not even what the thread took from the queue and waits here with.
        let ready = held.as_ref().is_some_and(|writer| writer.takes_directly(records.bytes()));
        if !ready || !queue.is_idle() {
            return Tried::NotNow(records);
        }
        let Some(mut writer) = held.take() else { return Tried::NotNow(records) };
        // After a panic too, so that the thread finds that there is no writer any more, and lets
        // go of the store: the last of these to be dropped.
        let mut waker = WakeWriter { queue, is_due: true };
        let due = writer.due();
        let holding = queue.hold_writer();
        let outcome = writer.write_directly(records, durability);
        drop(holding);
        // It sleeps until what was due before: in a minute, where a log is being sealed.
        let is_sooner = |new: Instant| due.is_none_or(|before| new < before);
        waker.is_due = writer.is_full() || writer.due().is_some_and(is_sooner);
        *held = Some(writer);
        drop(held);
        drop(waker);
        Tried::Written(outcome)
    }

    fn hold<T>(&self, work: impl FnOnce(&mut Writer) -> T) -> Option<T> {
        let mut held = self.0.lock();
        let mut writer = held.take()?;
        let done = work(&mut writer);
        *held = Some(writer);
        Some(done)
    }
}

/// Wakes the writer thread when it is dropped, where something is due.
struct WakeWriter<'q> {
    queue: &'q Queue,
    is_due: bool,
}

impl Drop for WakeWriter<'_> {
    fn drop(&mut self) {
        if self.is_due {
            self.queue.wake_writer();
        }
    }
}

/// Does what the queue asks for, or what is due. Returns whether the writer has ended.
fn serve(writer: &mut Writer, jobs: &Jobs, job: std::result::Result<Option<Job>, Gone>) -> bool {
    match job {
        Ok(Some(job)) => {
            let Some(answer) = writer.serve(job, jobs) else { return false };
            answer.send(writer.finish().map(|()| Written::default()));
            true
        }
        Ok(None) => {
            writer.wake();
            false
        }
        Err(Gone) => {
            // Nobody waits for an answer; the poison was reported when it struck.
            let _ = writer.finish();
            true
        }
    }
}

impl Writer {
    /// When something is to be done without being asked for; none where nothing is.
    fn due(&self) -> Option<Instant> {
        self.deadline.into_iter().chain(self.look_at_sealing).min()
    }

    /// Whether a batch of so many bytes takes a block and nothing else.
    fn takes_directly(&self, bytes: usize) -> bool {
        let is_well = self.poison.is_none() && self.stall.is_none() && self.log.torn.is_none();
        self.has_begun && is_well && self.fits(bytes) && !self.is_full()
    }

    /// Writes a batch for the caller who waits for it.
    fn write_directly(&mut self, records: EncodedBatch, durability: Durability) -> Result<Written> {
        let bytes = records.bytes();
        let written = self.take(records, bytes)?;
        if durability == Durability::Buffered && !self.is_block_due() {
            self.write_later();
            return Ok(written);
        }
        self.sync_wanted |= durability == Durability::Sync;
        self.commit_block().map(|()| written)
    }
}
