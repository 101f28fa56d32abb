//! From one log to the next: the full one is sealed while the next is written.

use std::sync::Arc;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::sync::{Instant, Mutex, RwLock, Thread, spawn};
use crate::base::trace;
use crate::base::warnings::WarningKind;
use crate::log::append::LogWriter;
use crate::log::checkpoint::remove_checkpoint;
use crate::log::index::{Index, NOW};
use crate::log::reader::LogReader;
use crate::log::view::{Log, LogView, Visible};
use crate::manifest::{Catalog, FullLog, LogStart, idx_name, log_name, seg_name};
use crate::seal::log::seal_log;
use crate::shared::Shared;
use crate::storage::{Storage, StorageFile};
use crate::view::View;
use crate::writer::Writer;
use crate::writer::governor::USUAL_LEVEL;
use crate::writer::stall::Stall;

/// When a log is full, and how it is sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rotation {
    pub(crate) bytes: u64,
    pub(crate) events: u32,
    pub(crate) index_bytes: usize,
    /// Whether another thread seals, so that appends go on meanwhile.
    pub(crate) in_background: bool,
    pub(crate) cache_bytes: usize,
    /// How long a sealing that failed is left alone.
    pub(crate) seal_again: Duration,
}

/// The full log that is being sealed.
#[derive(Debug, Default)]
pub(crate) struct Sealing(Option<Thread<Result<Duration>>>);

impl Sealing {
    fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it goes on.
    fn is_running(&self) -> bool {
        self.0.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Waits until it is sealed; returns how long that took, if it was sealed.
    fn wait(&mut self) -> Result<Option<Duration>> {
        match self.0.take().map(Thread::join) {
            None => Ok(None),
            Some(Ok(outcome)) => outcome.map(Some),
            Some(Err(_)) => Err(Error::damaged("sealing a log panicked; please report it")),
        }
    }
}

impl Writer {
    /// Goes on to the next log where the active one is full and all is well. Nothing is written while that
    /// fails: the index in memory would grow beyond its bounds.
    pub(super) fn rotate_if_full(&mut self) {
        let is_well = self.poison.is_none() && self.stall.is_none();
        if is_well && self.is_full() && !self.must_grow() {
            self.rotate_or_stall();
        }
    }

    /// Whether the active log has reached its limit of bytes, events or memory.
    pub(super) fn is_full(&self) -> bool {
        self.log.end >= self.rotation.bytes
            || self.published.rows >= self.rotation.events
            || self.active.index.read().memory_bytes() >= self.rotation.index_bytes
    }

    /// Goes on to the next log. Where that fails, nothing is written before it was done.
    pub(super) fn rotate_or_stall(&mut self) {
        self.stall = None;
        self.shared.failures().stalled.set(None);
        let Err(error) = self.rotate() else { return };
        if self.poison.is_some() || matches!(self.stall, Some(Stall::Log(_))) {
            return;
        }
        // Making the next log is soon tried, and sealing takes its time to fail.
        let sealing = self.shared.view().logs[0].is_some();
        let wait = if sealing { self.rotation.seal_again } else { Duration::ZERO };
        self.look_at_sealing = Some(Instant::now() + self.rotation.seal_again);
        self.shared.failures().stalled.set(Some(error.clone()));
        self.stall = Some(Stall::Rotation { error, again_at: Instant::now() + wait });
    }

    /// Goes on to the next log and has this one sealed, unless it is empty. Waits
    /// while the log before is being sealed.
    pub(super) fn rotate(&mut self) -> Result<()> {
        debug_assert!(self.block.is_empty(), "what waits in the block belongs to this log");
        if self.sealing.is_running() {
            self.governor.fall_behind();
        }
        // Before the manifest says how long this log is: below that length recovery takes what is
        // missing for damage. And while the log before is being sealed still, if it is.
        self.log.sync().inspect_err(|error| self.note_failure(error))?;
        self.shared.set_durable(self.next_seq());
        if self.can_seal() || self.has_full_log() {
            self.wait_for_sealing()?;
        }
        if self.log.end == 0 {
            return Ok(());
        }
        let storage = Arc::clone(self.catalog.storage());
        let start = LogStart {
            segment: self.log.segment + 1,
            first_seq: self.active.first_seq + u64::from(self.published.rows),
            previous: self.log.previous,
        };
        let name = log_name(start.segment);
        let file = self.make_log(&*storage, start).inspect_err(|error| {
            if !error.is_disk_full() {
                self.poison(error);
            } else if !self.catalog.is_certain() {
                // The manifest may name the next log: nothing can be added to this one.
                let (error, again_at) = (error.clone(), Instant::now());
                self.stall = Some(Stall::Rotation { error, again_at });
            }
        })?;
        remove_checkpoint(&*storage, self.log.segment);
        self.grows = false;
        let full = LogView { log: Arc::clone(&self.active), visible: self.published };
        let reader = LogReader::new(Arc::clone(&file), name.clone(), self.rotation.cache_bytes);
        self.active = Arc::new(Log {
            segment: start.segment,
            first_seq: start.first_seq,
            index: RwLock::new(Index::with_room(self.published.rows as usize)),
            reader,
            reduced: Mutex::default(),
        });
        self.log = LogWriter::new(file, name, self.log.store, start);
        self.published = Visible::default();
        let next = LogView { log: Arc::clone(&self.active), visible: self.published };
        self.shared.change(|view| view.logs = [Some(full), Some(next)]);
        self.look_anew();
        trace::rotated(start.segment, start.first_seq);
        self.start_sealing();
        self.apply_retention();
        Ok(())
    }

    /// Makes the next log and has the manifest name it.
    fn make_log(&self, storage: &dyn Storage, start: LogStart) -> Result<Arc<dyn StorageFile>> {
        let name = log_name(start.segment);
        let file = storage.create(&name).map_err(|error| Error::io("make", &name, error))?;
        // The name is on disk before the manifest has it: an opening that finds the manifest
        // without the log calls the store damaged.
        storage.sync_dir().map_err(|error| Error::io("sync the folder of", &name, error))?;
        let length = self.log.end;
        self.catalog.change(|manifest| {
            manifest.full = Some(FullLog { start: manifest.active, length });
            manifest.active = start;
        })?;
        Ok(Arc::from(file))
    }

    /// Looks at what became of sealing the full log, and has it sealed again where that
    /// failed and nobody waits for it.
    pub(super) fn seal_again(&mut self) {
        self.look_at_sealing = None;
        if self.sealing.is_running() {
            self.look_at_sealing = Some(Instant::now() + self.rotation.seal_again);
        } else if matches!(self.stall, Some(Stall::Rotation { .. })) {
            self.rotate_or_stall();
        } else {
            self.pause_sealing();
            self.start_sealing();
        }
    }

    /// Waits until the thread that seals has ended, well or not.
    pub(super) fn pause_sealing(&mut self) {
        // What went wrong was reported when it did.
        if let Ok(Some(took)) = self.sealing.wait() {
            self.governor.sealed_in(took);
        }
    }

    /// Has the full log sealed, if there is one.
    pub(super) fn start_sealing(&mut self) {
        let view = self.shared.view();
        self.look_at_sealing = None;
        let [Some(full), Some(_)] = &view.logs else { return };
        if !self.sealing.is_none() || !self.can_seal() {
            return;
        }
        let (full, shared, catalog) =
            (full.clone(), Arc::clone(&self.shared), Arc::clone(&self.catalog));
        // Without another thread time plays no part: the same writes give the same bytes.
        let level =
            if self.rotation.in_background { self.governor.next_level() } else { USUAL_LEVEL };
        let seal = move || {
            let begun = Instant::now();
            seal_and_swap(&full, level, &shared, &catalog).map(|()| begun.elapsed())
        };
        let in_background = self.rotation.in_background;
        let thread = in_background.then(|| spawn("forebear-sealer", seal.clone()));
        // Without another thread it is done in this one, when it is waited for.
        if let Some(Ok(thread)) = thread {
            self.sealing = Sealing(Some(thread));
            self.look_at_sealing = Some(Instant::now() + self.rotation.seal_again);
        }
    }

    /// Whether a full log waits to be sealed and nothing is done about it.
    pub(super) fn is_sealing_due(&self) -> bool {
        self.sealing.is_none() && self.shared.view().logs[0].is_some()
    }

    /// Waits until no full log waits to be sealed. One that could not be is tried
    /// again.
    pub(super) fn wait_for_sealing(&mut self) -> Result<()> {
        // The next try reports what went wrong.
        if let Ok(Some(took)) = self.sealing.wait() {
            self.governor.sealed_in(took);
        }
        let view = self.shared.view();
        if let [Some(full), Some(_)] = &view.logs {
            seal_and_swap(full, USUAL_LEVEL, &self.shared, &self.catalog)?;
        }
        self.look_anew();
        Ok(())
    }

    /// Takes notice of segments and logs that came or went.
    pub(super) fn look_anew(&mut self) {
        let generation = self.shared.generation();
        if self.generation == Some(generation) {
            return;
        }
        let view = self.shared.view();
        self.earlier = view.earlier();
        self.whole = (*view).clone();
        let everything = Visible { commit: NOW, rows: u32::MAX, log_end: u64::MAX };
        self.whole.set_visible(&self.active, everything);
        self.generation = Some(generation);
    }
}

/// Seals a full log, and has the segment take its place.
fn seal_and_swap(full: &LogView, level: i32, shared: &Shared, catalog: &Catalog) -> Result<()> {
    let begun = Instant::now();
    let outcome = try_seal_and_swap(full, level, shared, catalog);
    shared.failures().sealing.set(outcome.as_ref().err().cloned());
    match &outcome {
        Ok(()) => trace::sealed(full.log.segment, begun.elapsed()),
        Err(error) => {
            let message = format!("{} could not be sealed", log_name(full.log.segment));
            let view = shared.view();
            view.segments.warnings().report_error(WarningKind::SealFailed, message, error.clone());
        }
    }
    outcome
}

fn try_seal_and_swap(full: &LogView, level: i32, shared: &Shared, catalog: &Catalog) -> Result<()> {
    let storage = &**catalog.storage();
    let view = shared.view();
    let manifest = catalog.manifest();
    let Some(start) = manifest.full.map(|full| full.start) else { return Ok(()) };
    let sealed = seal_log(full, start, manifest.store, level, &view, storage)
        .map_err(|error| explain(error, storage, &view, full))
        .inspect_err(|_| {
            // Where an earlier try could not say what became of the manifest, it may name them.
            if catalog.is_certain() {
                remove_unsealed(storage, start.segment);
            }
        })?;
    // The files of the segment are synced, then the manifest names them, then snapshots see them,
    // and the log goes last: at each step a crash leaves one of the two that is whole and named.
    let entry = sealed.clone();
    catalog.change(|manifest| {
        manifest.full = None;
        manifest.sealed.push(entry);
    })?;
    shared.change(|view| {
        view.sealed = view.sealed.iter().cloned().chain([sealed]).collect();
        view.logs[0] = None;
    });
    let view = shared.view();
    // Only a help: without it the segments are asked one by one.
    let _ = view.segments.merge_filters(&view.sealed);
    let name = log_name(full.log.segment);
    if let Err(error) = storage.unlink(&name).and_then(|()| storage.sync_dir()) {
        // It is sealed all the same.
        let message = format!("{name}, which is sealed, stays until the next opening");
        let error = Error::io("remove", &name, error);
        view.segments.warnings().report_error(WarningKind::FileNotRemoved, message, error);
    }
    Ok(())
}

/// Says how much room a sealing lacks that failed for want of it.
fn explain(error: Error, storage: &dyn Storage, view: &View, full: &LogView) -> Error {
    if !error.is_disk_full() {
        return error;
    }
    let (seg, idx) = (seg_name(full.log.segment), idx_name(full.log.segment));
    let names = [format!("{seg}.next"), format!("{idx}.next"), idx];
    let lengths = names.iter().filter_map(|name| storage.open(name).ok()?.len().ok());
    let written: u64 = lengths.sum();
    // As the one before, or else as long as the log.
    let raw = full.visible.log_end;
    let expected = view.sealed.last().map_or(raw, |last| {
        (u128::from(last.bytes()) * u128::from(raw) / u128::from(last.raw_bytes.max(1))) as u64
    });
    let lacking = expected.saturating_sub(written).max(written / 8).max(LACKING_BYTES_MIN);
    Error::new(
        error.kind(),
        format!(
            "sealing segment {} lacks about {lacking} bytes of room; make room, such as with \
             `forebear retain`: it is tried again each minute and whenever segments were dropped",
            full.log.segment
        ),
    )
    .with_source(error)
}

/// Removes what a sealing that failed left of its files: on a full disk that is the
/// room in which segments can be dropped.
fn remove_unsealed(storage: &dyn Storage, segment: u64) {
    let (seg, idx) = (seg_name(segment), idx_name(segment));
    for name in [format!("{seg}.next"), format!("{idx}.next"), seg, idx] {
        // The next opening removes what can't be removed now.
        let _ = storage.unlink(&name);
    }
}

/// Less room than any sealing lacks is not spoken of.
const LACKING_BYTES_MIN: u64 = 4 << 10;
