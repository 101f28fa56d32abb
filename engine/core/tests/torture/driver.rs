//! Runs a script on a simulated disk up to its first error, and checks what is left.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use forebear::storage::{SimulatedDisk, Storage};
use forebear::{
    Batch, Durability, Error, Reader, Receipt, Result, Retention, Spool, Store, StoreBuilder,
};

use crate::model::{Model, Planned, archived, which};
use crate::scripts::{Script, Step};

/// A script, and what it comes to where nothing fails.
pub(crate) struct Torture {
    pub(crate) script: Script,
    /// After 0, 1, 2, … units: a batch or a step of another kind.
    models: Vec<Model>,
    /// How many rows were dropped by then.
    dropped: Vec<usize>,
    /// Operations of the disk, changes and reads.
    pub(crate) operations: u64,
    pub(crate) reads: u64,
}

/// How far a store got.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Units begun; those that survive a killed process, and a power loss.
    begun: usize,
    held: usize,
    durable: usize,
    /// Rows that it said were dropped.
    dropped: usize,
    pub(crate) error: Option<Error>,
    /// As it was left at that error, unless it was not open.
    pub(crate) store: Option<Store>,
}

/// What became of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Kill,
    PowerLoss(u64),
}

impl Torture {
    pub(crate) fn new(script: Script) -> Self {
        let mut models = vec![Model::default()];
        for step in &script.steps {
            let batches: &[Planned] = match step {
                Step::Write(planned) | Step::HandIn(planned) => std::slice::from_ref(planned),
                Step::Together(planned) => planned,
                _ => &[],
            };
            for unit in 0..units(step) {
                let mut model = models.last().expect("there is one").clone();
                if let Some(planned) = batches.get(unit) {
                    model.apply(planned);
                }
                models.push(model);
            }
        }
        let mut torture = Self { script, models, dropped: vec![0], operations: 0, reads: 0 };
        let disk = SimulatedDisk::new();
        let mut progress = Progress::default();
        torture.run_from(0, &disk, &mut progress, &mut |store, dropped, units| {
            let first = store.snapshot().first_seq() as usize - 1;
            dropped.extend(std::iter::repeat_n(first, units));
        });
        let name = &torture.script.name;
        assert!(progress.error.is_none(), "{name}: {:?}", progress.error);
        progress.store.take().expect("is open").close().expect("closes");
        (torture.operations, torture.reads) = (disk.operations(), disk.reads());
        torture.check(&disk, torture.end()..=torture.end(), 0, true, name);
        torture
    }

    fn end(&self) -> usize {
        self.models.len() - 1
    }

    /// Runs it up to the first error.
    pub(crate) fn run(&self, disk: &SimulatedDisk) -> Progress {
        let mut progress = Progress::default();
        self.go_on(0, disk, &mut progress);
        progress
    }

    /// Runs what comes after so many units, in the store that is open or else on the disk.
    pub(crate) fn go_on(&self, from: usize, disk: &SimulatedDisk, progress: &mut Progress) {
        let mut steps = self.script.clone();
        self.run_steps(&mut steps, from, disk, progress, &mut |_, _| {});
    }

    fn run_from(
        &mut self,
        from: usize,
        disk: &SimulatedDisk,
        progress: &mut Progress,
        see: &mut dyn FnMut(&Store, &mut Vec<usize>, usize),
    ) {
        let mut dropped = std::mem::take(&mut self.dropped);
        let mut script = self.script.clone();
        self.run_steps(&mut script, from, disk, progress, &mut |store, units| {
            see(store, &mut dropped, units);
        });
        self.dropped = dropped;
    }

    fn run_steps(
        &self,
        script: &mut Script,
        from: usize,
        disk: &SimulatedDisk,
        progress: &mut Progress,
        see: &mut dyn FnMut(&Store, usize),
    ) {
        progress.error = None;
        let mut unit = 0;
        if progress.store.is_none() {
            match self.open(disk) {
                Ok(store) => progress.store = Some(store),
                Err(error) => progress.error = Some(error),
            }
        }
        for step in &script.steps {
            let begin = unit;
            unit += units(step);
            if progress.error.is_some() || unit <= from {
                continue;
            }
            let skip = from.saturating_sub(begin);
            if let Err(error) = self.perform(step, begin, skip, disk, progress) {
                progress.error = Some(error);
                continue;
            }
            let store = progress.store.as_ref().expect("is open between steps");
            wait_for_the_thread(store);
            see(store, unit - begin);
        }
    }

    /// Does a step that begins with the unit `begin`, but for its first `skip` units.
    fn perform(
        &self,
        step: &Step,
        begin: usize,
        skip: usize,
        disk: &SimulatedDisk,
        progress: &mut Progress,
    ) -> Result<()> {
        let end = begin + units(step);
        progress.begun = progress.begun.max(end);
        let store = progress.store.clone().expect("is open between steps");
        wait_for_the_thread(&store);
        match step {
            Step::Write(planned) => {
                store.write(planned.batch())?;
                progress.acknowledge(end, planned.level);
            }
            Step::Together(planned) => {
                let receipts: Vec<_> = planned[skip..]
                    .iter()
                    .map(|planned| store.submit(planned.batch()))
                    .collect::<Result<_>>()?;
                let mut outcome = Ok(());
                for (number, receipt) in receipts.into_iter().enumerate() {
                    match receipt.wait() {
                        Ok(_) => {
                            let at = skip + number;
                            progress.acknowledge(begin + at + 1, planned[at].level);
                        }
                        Err(error) => outcome = outcome.and(Err(error)),
                    }
                }
                outcome?;
            }
            Step::Flush => {
                store.flush()?;
                progress.acknowledge(end, Durability::Sync);
            }
            Step::Seal => {
                store.seal()?;
                progress.acknowledge(end, Durability::Sync);
            }
            Step::Retain { events, archive } => {
                let policy = Retention::new().max_events(*events);
                let policy = if *archive { policy.archive(ARCHIVE) } else { policy };
                // What can't be sealed for now is not dropped.
                progress.dropped += store.retain(&policy)?.events as usize;
                progress.acknowledge(end, Durability::Sync);
            }
            Step::Keep(events) => {
                store.set_retention(events.map(|events| Retention::new().max_events(events)))?;
                progress.acknowledge(end, Durability::Sync);
            }
            Step::Reopen { close } => {
                drop(store);
                let store = progress.store.take().expect("is open between steps");
                if *close {
                    store.close()?;
                    progress.acknowledge(end, Durability::Sync);
                } else {
                    drop(store);
                }
                progress.store = Some(self.open(disk)?);
            }
            Step::HandIn(planned) => {
                // What is handed in is durable, and may not overtake what is not.
                store.flush()?;
                Spool::open_on(disk)?.submit(planned.batch())?;
                progress.acknowledge(end, Durability::Sync);
                store.drain_spool()?;
            }
            Step::Read => {
                let reader = Reader::open_on(Arc::new(disk.clone()))?;
                let models = progress.held.min(begin)..=begin;
                which(&self.models, models, &reader.snapshot()?, &self.script.name)?;
            }
            Step::Rebuild => {
                let names =
                    disk.list().map_err(|_| Error::damaged("the simulated process died"))?;
                if let Some(name) = names.iter().rfind(|name| name.contains(".idx")) {
                    disk.remove(name).map_err(|_| Error::damaged("the simulated process died"))?;
                }
                store.rebuild()?;
            }
            Step::Repair { lost } => {
                drop(store);
                progress.store.take().expect("is open between steps").close()?;
                progress.acknowledge(begin, Durability::Sync);
                if *lost {
                    // Gone already where it goes on after a crash.
                    let _ = disk.remove("MANIFEST");
                } else if let Ok(bytes) = disk.read("MANIFEST") {
                    let _ = disk.flip_bit("MANIFEST", bytes.len().saturating_sub(3), 0);
                }
                Store::builder().repair_on(disk)?;
                progress.store = Some(self.open(disk)?);
                progress.acknowledge(end, Durability::Sync);
            }
            Step::Backup => {
                let folder = (0..).map(|number| format!("/backup {number}"));
                let is_empty = |folder: &String| {
                    disk.in_folder(folder).list().is_ok_and(|names| names.is_empty())
                };
                let folder = folder.take(100).find(is_empty).unwrap_or_default();
                store.snapshot().backup(&folder)?;
                let copy = Store::builder().open_on(Arc::new(disk.in_folder(&folder)))?;
                which(&self.models, begin..=begin, &copy.snapshot(), &self.script.name)?;
            }
        }
        Ok(())
    }

    fn has(&self, is: impl Fn(&Step) -> bool) -> bool {
        self.script.steps.iter().any(is)
    }

    fn builder(&self) -> StoreBuilder {
        Store::builder().segment_events(self.script.segment_events).seal_in_background(false)
    }

    pub(crate) fn open(&self, disk: &SimulatedDisk) -> Result<Store> {
        self.builder().open_on(Arc::new(disk.clone()))
    }

    /// Opens what a crash left, as the message says: by repairing it where opening refuses.
    pub(crate) fn recover(&self, disk: &SimulatedDisk) -> Result<Store> {
        let store = match self.open(disk) {
            Err(error)
                if error.is_damaged() && self.has(|step| matches!(step, Step::Repair { .. })) =>
            {
                Store::builder().repair_on(disk)?;
                self.open(disk)?
            }
            opened => opened?,
        };
        if self.has(|step| matches!(step, Step::HandIn(_))) {
            store.drain_spool()?;
        }
        Ok(store)
    }

    /// What is left on a disk is a prefix with everything that was acknowledged.
    pub(crate) fn check_after(
        &self,
        disk: &SimulatedDisk,
        after: After,
        progress: &Progress,
        goes_on: bool,
        context: &str,
    ) {
        let context = format!("{context}, {after:?}, {} units begun", progress.begun);
        match after {
            After::Kill => {
                let may_be = progress.held..=progress.begun;
                self.check(&disk.kill(), may_be, progress.dropped, goes_on, &context);
            }
            After::PowerLoss(seed) => {
                let lost = disk.power_loss(seed);
                let may_be = progress.durable..=progress.begun;
                self.check(&lost, may_be, progress.dropped, goes_on, &context);
            }
        }
    }

    fn check(
        &self,
        disk: &SimulatedDisk,
        may_be: RangeInclusive<usize>,
        dropped: usize,
        goes_on: bool,
        context: &str,
    ) {
        let store = self.recover(disk).unwrap_or_else(|error| panic!("{context}: {error:#}"));
        let (at, first) = self.check_store(&store, disk, may_be.clone(), context);
        // What was dropped stays out, and no more is missing than was to be dropped.
        let keeps = self.has(|step| matches!(step, Step::Keep(_)));
        let most = if keeps { self.models[at].len() } else { self.dropped[*may_be.end()] };
        assert!(
            (dropped..=most).contains(&first),
            "{context}: expected {dropped} to {most} rows dropped, found {first}"
        );

        // A policy that is kept may have dropped what was full when the store was opened.
        let (store, first) = if keeps {
            store.close().unwrap_or_else(|error| panic!("{context}: {error:#}"));
            let store = self.open(disk).unwrap_or_else(|error| panic!("{context}: {error:#}"));
            let first = store.snapshot().first_seq() as usize - 1;
            (store, first)
        } else {
            (store, first)
        };

        // A second opening changes nothing.
        store.close().unwrap_or_else(|error| panic!("{context}: {error:#}"));
        let before = files(disk);
        let store = self.open(disk).unwrap_or_else(|error| panic!("{context}: {error:#}"));
        assert!(store.recovery().is_clean(), "{context}: {:?}", store.recovery());
        let again = self.check_store(&store, disk, at..=at, context);
        assert_eq!(again, (at, first), "{context}: again");
        store.close().unwrap_or_else(|error| panic!("{context}: {error:#}"));
        let changed: Vec<String> = before
            .iter()
            .filter(|(name, bytes)| disk.read(name).ok().as_ref() != Some(*bytes))
            .map(|(name, _)| name.clone())
            .collect();
        assert!(changed.is_empty(), "{context}: a second opening changed {changed:?}");

        // What was cut short is done now, and all is there.
        if goes_on {
            let mut progress = Progress::default();
            self.go_on(at, disk, &mut progress);
            assert!(progress.error.is_none(), "{context}: going on: {:?}", progress.error);
            let store = progress.store.take().expect("is open");
            store.flush().unwrap_or_else(|error| panic!("{context}: {error:#}"));
            let after = disk.power_loss(7);
            drop(store);
            let store = self.recover(&after).unwrap_or_else(|error| panic!("{context}: {error:#}"));
            let context = format!("{context}, gone on");
            let found = which(&self.models, at..=self.end(), &store.snapshot(), &context);
            assert_eq!(found.expect(&context).0, self.end(), "{context}");
        }
    }

    fn check_store(
        &self,
        store: &Store,
        disk: &SimulatedDisk,
        may_be: RangeInclusive<usize>,
        context: &str,
    ) -> (usize, usize) {
        let snapshot = store.snapshot();
        let (at, first) = which(&self.models, may_be, &snapshot, context).expect(context);
        if self.has(|step| matches!(step, Step::Retain { archive: true, .. })) {
            let archive = disk.in_folder(ARCHIVE);
            let is_there = archive.read("MANIFEST").is_ok();
            let held = is_there.then(|| {
                let reader = Reader::open_on(Arc::new(archive)).expect(context);
                archived(&self.models[at], &reader.snapshot().expect(context), context)
                    .expect(context)
            });
            assert!(held.unwrap_or(0) >= first, "{context}: {first} dropped, {held:?} archived");
        }
        let rebuilt = store.rebuild().unwrap_or_else(|error| panic!("{context}: {error:#}"));
        let loses = self.has(|step| matches!(step, Step::Rebuild));
        assert!(
            rebuilt.failed.is_empty() && (loses || rebuilt.made.is_empty()),
            "{context}: {rebuilt:?}"
        );
        let verified = snapshot.verify(&mut |finding| panic!("{context}: {finding}"));
        assert!(verified.expect(context).is_sound(), "{context}");
        (at, first)
    }
}

impl Progress {
    fn acknowledge(&mut self, units: usize, level: Durability) {
        if level >= Durability::Flush {
            self.held = self.held.max(units);
        }
        if level == Durability::Sync {
            self.durable = self.durable.max(units);
        }
    }

    /// What may be held against a disk that has lost power, and whatever comes after.
    pub(crate) fn after_power_loss(&self) -> Self {
        let (begun, dropped) = (self.begun, self.dropped);
        Self { begun, dropped, held: self.durable, durable: self.durable, ..Self::default() }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} of {} units", self.durable, self.held, self.begun)
    }
}

/// A log that a write filled is rotated by the writer's thread, whenever that gets to it: a script
/// goes on behind that, so that it does the same each time.
fn wait_for_the_thread(store: &Store) {
    let nothing = Batch::new().durability(Durability::Buffered);
    // What fails is refused to the next step, too.
    let _ = store.submit(nothing).map(Receipt::wait);
}

fn units(step: &Step) -> usize {
    match step {
        Step::Together(planned) => planned.len(),
        _ => 1,
    }
}

fn files(disk: &SimulatedDisk) -> BTreeMap<String, Vec<u8>> {
    let names = disk.list().expect("lists");
    let read = |name: String| disk.read(&name).ok().map(|bytes| (name, bytes));
    names.into_iter().filter(|name| name != "LOCK").filter_map(read).collect()
}

const ARCHIVE: &str = "/archive";
