//! On a disk that loses what disks lose, sealing, dropping and archiving lose nothing
//! that was acknowledged, and what was dropped does not come back.
//!
//! `FOREBEAR_CRASH_SEEDS` sets from how many seeds histories are made for the first of
//! the tests; 1 unless set.

mod support {
    pub(crate) mod listing;
    pub(crate) mod random;
    #[expect(dead_code, reason = "of the scripts the batches are used")]
    pub(crate) mod script;
    pub(crate) mod view;
}

use std::collections::BTreeMap;
use std::env;
use std::ops::RangeInclusive;

use forebear::storage::{Fault, SimulatedDisk};
use forebear::{Batch, Durability, Event, Reader, Result, Retention, Snapshot, Store, StoredEvent};
use support::listing::events;
use support::random::Random;
use support::script::{Script, on};
use support::view::view;

const ARCHIVE: &str = "/archive";
/// Outcomes of a power loss that are tried at each crash.
const LOSSES: u64 = 2;

/// What is done with a store, one after the other.
#[derive(Debug)]
enum Step {
    Write(Batch, Durability),
    Seal,
    /// Drops into the archive what is more than so many events.
    Retain(u64),
    Reopen,
}

/// What a history leads to.
struct History {
    steps: Vec<Step>,
    /// What is seen of the store after the first 0, 1, 2, … steps.
    views: Vec<Vec<String>>,
    /// Every event ever written by then, by sequence number.
    written: Vec<BTreeMap<u64, String>>,
}

/// How far a store got.
#[derive(Debug, Default)]
struct Progress {
    /// Steps begun; those that survive a killed process, and a power loss.
    begun: usize,
    held: usize,
    durable: usize,
}

#[test]
fn a_crash_at_any_operation_loses_nothing_and_brings_nothing_back() {
    let seeds = env::var("FOREBEAR_CRASH_SEEDS")
        .map_or(1, |seeds| seeds.parse().expect("FOREBEAR_CRASH_SEEDS is a number"));
    for seed in 0..seeds {
        let history = History::generate(seed, 12);
        history.each_crash(seed, |crash, disk, progress| {
            let context = format!("seed {seed}, crash at {crash}, {progress:?}");
            for loss in 0..LOSSES {
                let after = disk.power_loss(crash * LOSSES + loss);
                history.check(&after, progress.durable..=progress.begun, &context);
            }
            history.check(&disk.kill(), progress.held..=progress.begun, &context);
        });
    }
}

#[test]
fn a_crash_at_any_operation_of_recovery_loses_nothing_either() {
    let history = History::generate(7, 6);
    history.each_crash(7, |crash, disk, progress| {
        let lost = disk.power_loss(crash);
        for again in 1.. {
            let disk = lost.kill();
            disk.crash_at(again);
            let done = recover(&disk).is_ok();
            let context = format!("crash at {crash}, then at {again} of recovery, {progress:?}");
            let steps = progress.durable..=progress.begun;
            history.check(&disk.power_loss(again), steps.clone(), &context);
            history.check(&disk.kill(), steps, &context);
            if done {
                break;
            }
        }
    });
}

#[test]
fn what_failed_once_can_be_done_again() {
    let history = History::generate(11, 8);
    for operation in 1.. {
        let disk = SimulatedDisk::with_seed(operation);
        disk.fail_at(operation, Fault::Io);
        let progress = history.run(&disk);
        if disk.operations() < operation {
            break;
        }
        let context = format!("error at {operation}, {progress:?}");
        history.check(&disk.kill(), progress.held..=progress.begun, &context);
        let steps = progress.durable..=progress.begun;
        history.check(&disk.power_loss(operation), steps, &context);
    }
}

#[test]
fn the_histories_seal_and_drop() {
    let history = History::generate(0, 16);
    let retained = history.steps.iter().zip(history.views.windows(2));
    let dropped = retained
        .filter(|(step, views)| matches!(step, Step::Retain(_)) && views[0] != views[1])
        .count();
    assert!(dropped > 1, "{:?}", history.steps);
}

impl History {
    fn generate(seed: u64, batches: usize) -> Self {
        let script = Script::generate(seed, Durability::Sync, batches);
        let mut random = Random::new(seed);
        let mut steps = Vec::new();
        for batch in script.batches() {
            let level = if random.below(3) == 0 { Durability::Flush } else { Durability::Sync };
            steps.push(Step::Write(batch.clone().durability(level), level));
            match random.below(6) {
                0 => steps.push(Step::Seal),
                1 | 2 => {
                    steps.push(Step::Seal);
                    steps.push(Step::Retain(random.below(10)));
                }
                3 => steps.push(Step::Reopen),
                _ => {}
            }
        }
        let mut history = Self { steps, views: Vec::new(), written: Vec::new() };
        let disk = SimulatedDisk::new();
        let mut store = Some(open(&disk).expect("opens"));
        let mut written = BTreeMap::new();
        history.see(store.as_ref().expect("is open"), &mut written);
        for at in 0..history.steps.len() {
            history.steps[at].run(&mut store, &disk).expect("nothing fails");
            history.see(store.as_ref().expect("is open"), &mut written);
        }
        history
    }

    fn see(&mut self, store: &Store, written: &mut BTreeMap<u64, String>) {
        let snapshot = store.snapshot();
        self.views.push(view(&snapshot));
        written.extend(events(&snapshot).iter().map(|event| (event.seq(), content(event))));
        self.written.push(written.clone());
    }

    /// Runs it up to the first error.
    fn run(&self, disk: &SimulatedDisk) -> Progress {
        let mut progress = Progress::default();
        let Ok(store) = open(disk) else { return progress };
        let mut store = Some(store);
        for (at, step) in self.steps.iter().enumerate() {
            progress.begun = at + 1;
            if step.run(&mut store, disk).is_err() {
                break;
            }
            progress.held = at + 1;
            if !matches!(step, Step::Write(_, Durability::Flush)) {
                progress.durable = at + 1;
            }
        }
        progress
    }

    /// Runs it once for each operation it takes, crashing there.
    fn each_crash(&self, seed: u64, mut check: impl FnMut(u64, &SimulatedDisk, &Progress)) {
        for crash in 1.. {
            let disk = SimulatedDisk::with_seed(seed.rotate_left(32) ^ crash);
            disk.crash_at(crash);
            let progress = self.run(&disk);
            check(crash, &disk, &progress);
            if disk.operations() < crash {
                assert_eq!(progress.held, self.steps.len());
                return;
            }
        }
    }

    /// The store is as it was after one of these steps, and what it has dropped is
    /// in the archive. The step that was cut short can be done now.
    fn check(&self, disk: &SimulatedDisk, steps: RangeInclusive<usize>, context: &str) {
        let mut store = Some(open(disk).unwrap_or_else(|error| panic!("{context}: {error}")));
        let found = view(&store.as_ref().expect("is open").snapshot());
        let Some(at) = steps.clone().find(|&at| self.views[at] == found) else {
            let other = self.views.iter().position(|view| *view == found);
            let expected = &self.views[*steps.end()];
            let differs = found.iter().zip(expected).find(|(a, b)| a != b);
            panic!("{context}: expected {steps:?}, found {other:?}; differs: {differs:#?}");
        };
        self.assert_all_there(disk, store.as_ref().expect("is open"), at, context);
        // Equal views follow each other where a step changes nothing.
        let at = (at..=*steps.end()).take_while(|&at| self.views[at] == found).last().unwrap_or(at);
        if let Some(step) = self.steps.get(at) {
            step.run(&mut store, disk).unwrap_or_else(|error| panic!("{context}: {error}"));
            let store = store.as_ref().expect("is open");
            if matches!(step, Step::Write(..)) {
                assert_eq!(view(&store.snapshot()), self.views[at + 1], "{context}: again");
            }
            self.assert_all_there(disk, store, at + 1, context);
        }
        let store = store.expect("is open");
        store.append(Event::new("after").id("after the crash").time_ns(1)).expect(context);
        store.seal().expect(context);
        let checkpoints =
            |store: &Store| store.snapshot().checkpoints().page().expect(context).items;
        let before = checkpoints(&store);
        store.retain(&Retention::new().max_events(0).archive(ARCHIVE)).expect(context);
        assert_eq!(checkpoints(&store), before, "{context}: they outlive the events");
        assert!(events(&store.snapshot()).is_empty(), "{context}: all is archived");
        self.assert_all_there(disk, &store, at, context);
    }

    /// Everything that was written is in the store or in the archive, as it was.
    fn assert_all_there(&self, disk: &SimulatedDisk, store: &Store, at: usize, context: &str) {
        let mut found: BTreeMap<u64, String> = BTreeMap::new();
        if let Some(archive) = open_archive(disk) {
            let archived = events(&archive);
            found.extend(archived.iter().map(|event| (event.seq(), content(event))));
        }
        for event in events(&store.snapshot()) {
            let archived = found.insert(event.seq(), content(&event));
            assert!(archived.is_none_or(|archived| archived == content(&event)), "{context}");
        }
        for (seq, event) in &self.written[at] {
            assert_eq!(found.get(seq), Some(event), "{context}: event {seq}");
        }
    }
}

impl Step {
    fn run(&self, store: &mut Option<Store>, disk: &SimulatedDisk) -> Result<()> {
        let open_store = store.as_ref().expect("is open between steps");
        match self {
            Step::Write(batch, _) => open_store.write(batch.clone()).map(drop),
            Step::Seal => open_store.seal(),
            Step::Retain(most) => {
                let policy = Retention::new().max_events(*most).archive(ARCHIVE);
                open_store.retain(&policy).map(drop)
            }
            Step::Reopen => {
                store.take().expect("is open between steps").close()?;
                *store = Some(open(disk)?);
                Ok(())
            }
        }
    }
}

/// What came in with an event. Its parent may be one that was learnt later.
fn content(event: &StoredEvent) -> String {
    format!(
        "{} {} {} {:?} {:?} {}",
        event.id(),
        event.kind(),
        event.time_ns(),
        event.payload(),
        event.session(),
        event.is_version()
    )
}

fn open(disk: &SimulatedDisk) -> Result<Store> {
    Store::builder().segment_events(5).seal_in_background(false).open_on(on(disk))
}

/// Opens a store and has done what was left to do.
fn recover(disk: &SimulatedDisk) -> Result<()> {
    let store = open(disk)?;
    store.seal()?;
    store.close()
}

/// The archive as it is read, if there is one.
fn open_archive(disk: &SimulatedDisk) -> Option<Snapshot> {
    let archive = disk.in_folder(ARCHIVE);
    archive.read("MANIFEST").ok()?;
    let reader = Reader::open_on(on(&archive)).expect("an archive opens");
    Some(reader.snapshot().expect("an archive is read"))
}
