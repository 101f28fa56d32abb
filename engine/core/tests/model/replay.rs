//! Writes a history to the engine and to the model, and compares the answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use forebear::storage::SimulatedDisk;
use forebear::{Batch, Durability, Snapshot, Store};

use crate::agree::{Agreed, Both, Mismatch, Names, same};
use crate::history::{Draft, Op, Step};
use crate::oracle::Model;
use crate::random::Random;
use crate::{lineage, listings};

/// What histories were like, so that a run can say what it covered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traits {
    pub(crate) histories: u64,
    pub(crate) with_cycles: u64,
    /// Of several blocks, and read back from the log at least once.
    pub(crate) reopened: u64,
    pub(crate) with_refused: u64,
    pub(crate) with_versions: u64,
    pub(crate) with_missing: u64,
    /// Whose snapshots were asked again after more was written.
    pub(crate) with_snapshots: u64,
    /// Rows of the largest.
    pub(crate) largest: u64,
    pub(crate) rows: u64,
}

impl Traits {
    pub(crate) fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.with_cycles += other.with_cycles;
        self.reopened += other.reopened;
        self.with_refused += other.with_refused;
        self.with_versions += other.with_versions;
        self.with_missing += other.with_missing;
        self.with_snapshots += other.with_snapshots;
        self.largest = self.largest.max(other.largest);
        self.rows += other.rows;
    }
}

/// Plays a history; a panic of the engine is a mismatch too.
pub(crate) fn replay(steps: &[Step], seed: u64) -> Result<Traits, Mismatch> {
    catch_unwind(AssertUnwindSafe(|| play(steps, seed))).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Mismatch(format!("the engine panicked: {message:?}")))
    })
}

fn play(steps: &[Step], seed: u64) -> Result<Traits, Mismatch> {
    let mut random = Random::new(!seed);
    let names = Names::new(numbers(steps));
    let mut disk = SimulatedDisk::new();
    let segment_events = segment_events(steps, seed);
    let in_background = seed % 8 < 4;
    let open = |disk: &SimulatedDisk| {
        let builder = Store::builder().seal_in_background(in_background);
        builder.segment_events(segment_events).open_on(Arc::new(disk.clone()))
    };
    let mut store = open(&disk)?;
    let mut model = Model::default();
    let mut snapshots: Vec<(Snapshot, Model)> = Vec::new();
    let (mut blocks, mut reopens) = (0, 0);
    for step in steps {
        match step {
            // Shrinking may have emptied it.
            Step::Write(ops, _) if ops.is_empty() => {}
            Step::Write(ops, durability) => {
                let rows = model.rows().len();
                write(&store, &mut model, &names, ops, *durability)?;
                blocks += u64::from(model.rows().len() > rows);
            }
            Step::Snapshot => snapshots.push((store.snapshot(), model.clone())),
            Step::Close | Step::Kill => {
                if let Step::Kill = step {
                    disk = disk.kill();
                    drop(store);
                } else {
                    store.close()?;
                }
                store = open(&disk)?;
                reopens += 1;
                let report = store.recovery();
                if !report.cut.is_empty() || !report.skipped.is_empty() {
                    return Err(Mismatch(format!("a sound log was mended: {report:?}")));
                }
                compare(&store.snapshot(), &model, &names, REOPENED, &mut random)?;
            }
        }
    }
    compare(&store.snapshot(), &model, &names, FINAL, &mut random)?;
    for (at, (snapshot, then)) in snapshots.iter().enumerate() {
        compare(snapshot, then, &names, SNAPSHOT, &mut random)
            .map_err(|Mismatch(text)| Mismatch(format!("snapshot {at}, later: {text}")))?;
    }
    Ok(Traits {
        histories: 1,
        with_cycles: u64::from(!model.cycle_edges().is_empty()),
        reopened: u64::from(blocks > 1 && reopens > 0),
        with_refused: u64::from(!model.refused().is_empty()),
        with_versions: u64::from(model.rows().iter().any(|row| row.version)),
        with_missing: u64::from(!model.missing().is_empty()),
        with_snapshots: u64::from(!snapshots.is_empty()),
        largest: model.rows().len() as u64,
        rows: model.rows().len() as u64,
    })
}

/// At how many events a segment is full: in three of four histories so few that the
/// lineage goes over many segments.
fn segment_events(steps: &[Step], seed: u64) -> u32 {
    if seed.is_multiple_of(4) {
        return forebear::limits::MAX_SEGMENT_EVENTS;
    }
    let events: usize =
        steps.iter().map(|step| if let Step::Write(ops, _) = step { ops.len() } else { 0 }).sum();
    let few = SEGMENT_EVENTS[(seed / 4) as usize % SEGMENT_EVENTS.len()];
    // Every question is asked of every event: many segments are for short histories.
    let most = if events > LONG { 3 } else { SEGMENTS_MAX };
    few.max(events as u32 / most)
}

/// Events at which a segment is full, and about how many segments there are at most.
const SEGMENT_EVENTS: [u32; 8] = [1, 2, 3, 5, 8, 20, 60, 200];
const SEGMENTS_MAX: u32 = 40;
/// Events of a long history.
const LONG: usize = 250;

/// Writes one block to both, which must agree on what became of each record.
fn write(
    store: &Store,
    model: &mut Model,
    names: &Names,
    ops: &[Op],
    durability: Durability,
) -> Agreed {
    let mut batch = Batch::new().durability(durability);
    let (mut events, mut links) = (Vec::new(), Vec::new());
    for op in ops {
        match op {
            Op::Event(draft) => {
                batch = batch.event(draft.event());
                let (status, seq) = model.append(draft);
                events.push((draft.id, seq, status));
            }
            Op::AssertedLink(asserted) => {
                batch = batch.link(asserted.link());
                links.push(model.asserted(*asserted));
            }
        }
    }
    let written = store.write(batch)?;
    let appended = written
        .events
        .iter()
        .map(|appended| Ok((names.number(&appended.id)?, appended.seq, appended.status)))
        .collect::<Result<Vec<_>, Mismatch>>()?;
    same!(appended, events, "append({ops:?})");
    same!(written.links, links, "link({ops:?})");
    Ok(())
}

fn compare(
    snapshot: &Snapshot,
    model: &Model,
    names: &Names,
    effort: Effort,
    random: &mut Random,
) -> Agreed {
    let both = Both::new(snapshot, model, names);
    let ids = both.sample(effort.ids, random);
    lineage::agree(&both, &ids, random)?;
    listings::agree(&both, effort.filters, random)
}

/// Room for every number in the history.
fn numbers(steps: &[Step]) -> u32 {
    let of_op = |op: &Op| match op {
        Op::Event(Draft { id, parent, .. }) => (*id).max(parent.unwrap_or(0)),
        Op::AssertedLink(asserted) => asserted.child.max(asserted.parent),
    };
    let of_step = |step: &Step| match step {
        Step::Write(ops, _) => ops.iter().map(of_op).max().unwrap_or(0),
        Step::Snapshot | Step::Close | Step::Kill => 0,
    };
    steps.iter().map(of_step).max().unwrap_or(0) + 1
}

/// How much is asked.
#[derive(Clone, Copy)]
struct Effort {
    /// Ids asked about, stored or not.
    ids: usize,
    filters: usize,
}

const REOPENED: Effort = Effort { ids: 4, filters: 1 };
const SNAPSHOT: Effort = Effort { ids: 12, filters: 2 };
const FINAL: Effort = Effort { ids: 40, filters: 3 };
