//! The writer that owns the end of the log, the thread that is its usual holder, and the queue
//! that leads to it.
//!
//! It takes what is waiting, resolves it against the index, encodes one block,
//! writes it, syncs as asked, publishes it and acknowledges.

mod ancestor_cache;
mod archive;
mod begin;
mod carry;
mod earlier;
mod governor;
mod lineage;
pub(crate) mod lock;
pub(crate) mod queue;
pub(crate) mod receipt;
mod remove;
mod resolve;
mod retain;
mod room;
pub(crate) mod rotate;
mod stall;
mod unchecked;

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::limits;
use crate::base::options::Durability;
use crate::base::sync::Instant;
use crate::base::warnings::WarningKind;
use crate::batch::Written;
use crate::log::append::LogWriter;
use crate::log::block::BlockBuilder;
use crate::log::checkpoint::CheckpointWriter;
use crate::log::encoded::{Encoded, EncodedBatch};
use crate::log::record::SettingsMeta;
use crate::log::view::{Log, LogView, Visible};
use crate::manifest::Catalog;
use crate::manifest::Retention;
use crate::shared::Shared;
use crate::view::View;
use crate::writer::ancestor_cache::AncestorCache;
use crate::writer::governor::CompressionGovernor;
use crate::writer::queue::{Job, Jobs, WriterCommand};
use crate::writer::receipt::ReceiptSender;
use crate::writer::remove::Removals;
use crate::writer::rotate::{Rotation, Sealing};
use crate::writer::stall::Stall;
use crate::writer::unchecked::Unchecked;

/// Owns the end of the log.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    catalog: Arc<Catalog>,
    log: LogWriter,
    checkpoints: CheckpointWriter,
    /// The log that is appended to.
    active: Arc<Log>,
    /// Everything, what is about to be written included; and all but the log.
    whole: View,
    earlier: View,
    /// What the two were made of.
    generation: Option<u64>,
    rotation: Rotation,
    sealing: Sealing,
    governor: CompressionGovernor,
    removals: Removals,
    /// Where fragments led, while events were written that close no cycle.
    ancestors: AncestorCache,
    /// The block that is being filled.
    block: BlockBuilder,
    /// What has been written and shown.
    published: Visible,
    /// Who waits for the block, and whether for a sync.
    waiting: Vec<(ReceiptSender, Written)>,
    sync_wanted: bool,
    /// When buffered records have to be written at the latest.
    deadline: Option<Instant>,
    /// What went wrong first: from then on every write is refused.
    poison: Option<Error>,
    /// What keeps it from writing for now.
    stall: Option<Stall>,
    /// When it is looked at the latest whether the full log has been sealed.
    look_at_sealing: Option<Instant>,
    /// What is to be carried over, where it is held back until there is room for it.
    held_back: Option<Vec<Encoded>>,
    /// Whether the store is known to be ready for records.
    has_begun: bool,
    unchecked: Unchecked,
    /// Whether the active log goes on though it is full.
    grows: bool,
    /// What the manifest says of the store that its files don't.
    settings: SettingsMeta,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        catalog: Arc<Catalog>,
        log: LogWriter,
        rotation: Rotation,
    ) -> Option<Self> {
        let view = shared.view();
        let LogView { log: active, visible: published } = view.logs().last()?.clone();
        let retention = catalog.manifest().retention;
        let settings =
            SettingsMeta { retention: retention.as_ref().map(Retention::to_text), archive: false };
        let mut writer = Self {
            shared,
            catalog,
            log,
            checkpoints: CheckpointWriter::default(),
            active,
            whole: (*view).clone(),
            earlier: view.earlier(),
            generation: None,
            rotation,
            sealing: Sealing::default(),
            governor: CompressionGovernor::new(),
            removals: Removals::default(),
            ancestors: AncestorCache::default(),
            block: BlockBuilder::new(),
            published,
            waiting: Vec::new(),
            sync_wanted: false,
            deadline: None,
            poison: None,
            stall: None,
            look_at_sealing: None,
            held_back: None,
            has_begun: false,
            unchecked: Unchecked::default(),
            grows: false,
            settings,
        };
        writer.look_anew();
        writer.start_sealing();
        Some(writer)
    }

    /// Does what is due.
    fn wake(&mut self) {
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.commit();
        }
        if self.look_at_sealing.is_some_and(|at| at <= now) {
            self.seal_again();
        }
    }

    /// Takes a job and those waiting behind it, as many as one block is worth.
    /// Returns whom to answer if the store is to be closed.
    fn serve(&mut self, first: Job, jobs: &Jobs) -> Option<ReceiptSender> {
        // A caller that filled the log left that to this thread. Records that wait in the block
        // belong to this log: they are written first.
        if self.block.is_empty() {
            self.rotate_if_full();
        }
        let mut next = Some(first);
        // Repeats add nothing to the block: what was offered bounds it too.
        let mut offered = 0;
        while let Some(job) = next {
            match job.command {
                None => {}
                Some(WriterCommand::Close) => {
                    jobs.done(job.bytes);
                    return Some(job.answer);
                }
                Some(command) => {
                    jobs.done(job.bytes);
                    self.obey(command, job.answer);
                    return None;
                }
            }
            offered += job.bytes + JOB_BYTES;
            self.take_job(job, jobs);
            let full = offered.max(self.block.body_len()) >= BLOCK_TARGET_BYTES;
            next = if full { None } else { jobs.waiting() };
        }
        if self.waiting.is_empty() && !self.sync_wanted && !self.is_block_due() {
            self.write_later();
        } else {
            self.commit();
        }
        None
    }

    /// Whether the block is to be written though nobody waits for it: it is large enough, or
    /// its time has come.
    fn is_block_due(&self) -> bool {
        let is_time = |deadline: Instant| deadline <= Instant::now();
        self.block.body_len() >= BLOCK_TARGET_BYTES || self.deadline.is_some_and(is_time)
    }

    /// Says when what waits in the block is to be written at the latest.
    fn write_later(&mut self) {
        if !self.block.is_empty() && self.deadline.is_none() {
            self.deadline = Some(Instant::now() + limits::BUFFER_TIME);
        }
    }

    /// Puts a job's records into the block.
    fn take_job(&mut self, job: Job, jobs: &Jobs) {
        let Job { records, durability, answer, bytes, .. } = job;
        if !self.fits(bytes) {
            self.commit();
        }
        let taken = self.take(records, bytes);
        jobs.done(bytes);
        match taken {
            Ok(written) if durability != Durability::Buffered => {
                self.waiting.push((answer, written));
                self.sync_wanted |= durability == Durability::Sync;
            }
            taken => answer.send(taken),
        }
    }

    /// Whether so many bytes more go into the block.
    fn fits(&self, bytes: usize) -> bool {
        self.block.is_empty() || self.block.body_len() + bytes <= limits::MAX_BATCH_BYTES
    }

    /// Puts records of so many bytes into the block.
    fn take(&mut self, records: EncodedBatch, bytes: usize) -> Result<Written> {
        self.ensure_writable(bytes)?;
        self.look_anew();
        let records_before = self.block.records();
        self.resolve(records).inspect_err(|error| {
            // With half of the batch in the block and the index, nothing more can be
            // written that a recovery would read the same way: both are made anew.
            if self.block.records() > records_before {
                self.stall(error);
            }
        })
    }

    /// Writes the block, syncs if anyone asked for it, publishes, acknowledges; and goes on to
    /// the next log where this one is full.
    fn commit(&mut self) {
        // Whoever waits for it was answered.
        let _ = self.commit_block();
        self.rotate_if_full();
    }

    fn commit_block(&mut self) -> Result<()> {
        self.deadline = None;
        let outcome = match (&self.poison, &self.stall) {
            (Some(poison), _) => Err(Error::poisoned(poison)),
            (None, Some(Stall::Log(error))) => Err(Error::taken_back(error)),
            (None, _) => self.write_block().inspect_err(|error| self.note_failure(error)),
        };
        // After a failure too: what was resolved against it is in the index, which is made anew
        // from the log before the next block, so that nothing of this one may be written then.
        self.block.clear();
        self.sync_wanted = false;
        for (answer, written) in self.waiting.drain(..) {
            answer.send(outcome.clone().map(|()| written));
        }
        outcome
    }

    /// Refuses every write from now on. The first failure counts: whatever fails behind
    /// it does so because of it.
    fn poison(&mut self, error: &Error) {
        if self.poison.is_some() {
            return;
        }
        self.poison = Some(error.clone());
        self.shared.failures().poisoned.set(Some(error.clone()));
        let message = "a write failed, and the store refuses all others until it is opened again";
        let view = self.shared.view();
        view.segments.warnings().report_error(WarningKind::Poisoned, message, error.clone());
    }

    /// Does what is no write, after all that was asked before it.
    fn obey(&mut self, command: WriterCommand, answer: ReceiptSender) {
        self.sync_wanted = true;
        self.commit();
        // What makes room must not need any.
        let ready = match &command {
            WriterCommand::Retain(..) => self.recover(),
            WriterCommand::Close | WriterCommand::Seal | WriterCommand::SetRetention(_) => {
                self.ensure_writable(0)
            }
        };
        if let Err(error) = ready {
            answer.send(Err(error));
            return;
        }
        let outcome = match command {
            WriterCommand::Close => Ok(()),
            WriterCommand::Seal => self.seal(),
            WriterCommand::Retain(retention, answer) => self.retain(&retention).map(|retained| {
                // Whoever asked may be gone.
                let _ = answer.send(retained);
            }),
            WriterCommand::SetRetention(retention) => self.set_retention(retention),
        };
        answer.send(outcome.map(|()| Written::default()));
    }

    fn seal(&mut self) -> Result<()> {
        self.shared.view().kinds().expect_all("to seal its logs")?;
        self.rotate()?;
        self.wait_for_sealing()
    }

    fn write_block(&mut self) -> Result<()> {
        // Written, synced, shown, and only then called durable and acknowledged: a snapshot never
        // has what another process can't find in the log, and whoever is told that an event is
        // on disk finds it in the next snapshot.
        if !self.block.is_empty() {
            self.cut_torn()?;
            let next_seq = self.next_seq();
            self.log.write(&mut self.block, next_seq)?;
        }
        if self.sync_wanted {
            self.log.sync()?;
        } else if self.rotation.in_background {
            self.log.sync_early()?;
        }
        if !self.block.is_empty() {
            self.published = Visible {
                commit: self.published.commit + 1,
                rows: self.active.index.read().rows().len() as u32,
                log_end: self.log.end,
            };
            // Before anybody is shown the numbers that it speaks of.
            self.checkpoint(false);
            self.shared.publish(&self.active, self.published);
        }
        if self.sync_wanted {
            self.shared.set_durable(self.next_seq());
        }
        Ok(())
    }

    /// Writes what is left and marks the log as closed.
    fn finish(&mut self) -> Result<()> {
        self.commit();
        self.recover()?;
        let sealed = if self.can_seal() { self.wait_for_sealing() } else { Ok(()) };
        self.removals.wait();
        let next_seq = self.next_seq();
        // The mark of the close is no part of what the checkpoint speaks of: it may be torn.
        // Nor before the sync: it names an offset below which bytes that are gone are damage.
        let synced = self.log.sync();
        if synced.is_ok() && self.log.torn.is_none() {
            self.checkpoint(true);
        }
        let closed = match synced.and_then(|()| self.log.close(next_seq)) {
            // All is synced but the mark, for which there is no room.
            Err(error) if error.is_disk_full() => self.log.take_back(self.published.log_end),
            outcome => outcome,
        };
        // A log that there was no room to seal is sealed when the store is next opened.
        closed.and(sealed.or_else(|error| if error.is_disk_full() { Ok(()) } else { Err(error) }))
    }

    fn checkpoint(&mut self, closing: bool) {
        let next_seq = self.next_seq();
        self.checkpoints.note(&**self.catalog.storage(), &self.log, next_seq, closing);
    }

    fn next_seq(&self) -> u64 {
        self.active.first_seq + u64::from(self.published.rows)
    }
}

/// A block this large is written even if more is waiting.
const BLOCK_TARGET_BYTES: usize = 1 << 20;
/// What a job counts for besides its records, so that empty ones count too.
const JOB_BYTES: usize = 256;
