//! Scripts of writes made from a seed, and how far a store got with one.

use std::sync::Arc;

use forebear::storage::{SimulatedDisk, Storage};
use forebear::{Batch, Durability, Error, Event, Link, LinkKind, Quarantined, Result, Store};

use super::random::Random;

/// What to do with a store, in order.
#[derive(Debug)]
pub(crate) struct Script {
    durability: Durability,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    /// Batches submitted without waiting, then waited for.
    Submit(Vec<Planned>),
    Flush,
    /// Closes the store, or drops its handle, and opens it again.
    Reopen {
        close: bool,
    },
}

#[derive(Debug)]
struct Planned {
    batch: Batch,
    durability: Durability,
}

/// How far a store got with a script.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Batches that were handed in.
    pub(crate) submitted: usize,
    /// Batches, from the first on, that must survive a killed process.
    pub(crate) flushed: usize,
    /// Batches, from the first on, that must survive a power loss.
    pub(crate) synced: usize,
    /// The first error, at which it stopped.
    pub(crate) error: Option<Error>,
    /// The store as it was left at that error, unless it was not open.
    pub(crate) store: Option<Store>,
}

impl Script {
    /// A script of `batches` batches at this level, some of them at another.
    pub(crate) fn generate(seed: u64, durability: Durability, batches: usize) -> Self {
        let mut random = Random::new(seed);
        let mut events = Events::default();
        let mut steps = Vec::new();
        let mut left = batches;
        while left > 0 {
            let together = left.min(1 + random.below(4) as usize);
            left -= together;
            let submitted =
                (0..together).map(|_| plan(&mut random, &mut events, durability)).collect();
            steps.push(Step::Submit(submitted));
            match random.below(12) {
                0 => steps.push(Step::Flush),
                1 => steps.push(Step::Reopen { close: true }),
                2 => steps.push(Step::Reopen { close: false }),
                _ => {}
            }
        }
        Self { durability, steps }
    }

    /// All batches in the order in which they are submitted.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.steps
            .iter()
            .filter_map(|step| match step {
                Step::Submit(planned) => Some(planned),
                Step::Flush | Step::Reopen { .. } => None,
            })
            .flatten()
            .map(|planned| &planned.batch)
    }

    /// Runs the script, up to the first error.
    pub(crate) fn run(&self, disk: &SimulatedDisk) -> Progress {
        let mut progress = Progress::default();
        if let Err(error) = self.run_into(disk, &mut progress) {
            progress.error = Some(error);
        }
        progress
    }

    fn run_into(&self, disk: &SimulatedDisk, progress: &mut Progress) -> Result<()> {
        progress.store = Some(self.open(disk)?);
        for step in &self.steps {
            match step {
                Step::Submit(planned) => progress.submit(planned)?,
                Step::Flush => {
                    progress.store().flush()?;
                    progress.all_synced();
                }
                Step::Reopen { close } => {
                    let store = progress.store.take().expect("is open between steps");
                    if *close {
                        store.close()?;
                        progress.all_synced();
                    } else {
                        drop(store);
                    }
                    progress.store = Some(self.open(disk)?);
                }
            }
        }
        Ok(())
    }

    fn open(&self, disk: &SimulatedDisk) -> Result<Store> {
        Store::builder().durability(self.durability).open_on(on(disk))
    }
}

impl Progress {
    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().expect("is open between steps")
    }

    fn submit(&mut self, planned: &[Planned]) -> Result<()> {
        let mut outcome = Ok(());
        let mut receipts = Vec::new();
        for Planned { batch, durability } in planned {
            match self.store().submit(batch.clone()) {
                Ok(receipt) => {
                    self.submitted += 1;
                    receipts.push((self.submitted, *durability, receipt));
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        for (position, durability, receipt) in receipts {
            match receipt.wait() {
                Ok(_) => self.acknowledged(position, durability),
                Err(error) if outcome.is_ok() => outcome = Err(error),
                Err(_) => {}
            }
        }
        outcome
    }

    fn acknowledged(&mut self, position: usize, durability: Durability) {
        if durability >= Durability::Flush {
            self.flushed = self.flushed.max(position);
        }
        if durability == Durability::Sync {
            self.synced = self.synced.max(position);
        }
    }

    fn all_synced(&mut self) {
        self.acknowledged(self.submitted, Durability::Sync);
    }
}

/// The disk as a store takes it.
pub(crate) fn on(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}

/// What the script has made so far.
#[derive(Debug, Default)]
struct Events {
    made: Vec<Event>,
}

impl Events {
    fn any(&self, random: &mut Random) -> Option<&Event> {
        let count = self.made.len() as u64;
        (count > 0).then(|| &self.made[random.below(count) as usize])
    }

    /// The name of an event that was made, or sometimes of one that will be.
    fn name(&self, random: &mut Random) -> String {
        let ahead = if random.below(100) < 20 { 6 } else { 0 };
        name(random.below(self.made.len() as u64 + 1 + ahead))
    }
}

fn plan(random: &mut Random, events: &mut Events, usual: Durability) -> Planned {
    let mut batch = Batch::new();
    let records = if random.below(100) < 60 { 1 } else { 1 + random.below(6) };
    for _ in 0..records {
        batch = match random.below(100) {
            0..15 => batch.link(
                Link::new(
                    events.name(random),
                    events.name(random),
                    LinkKind::ALL[random.below(3) as usize],
                )
                .strength(random.below(3) as u8),
            ),
            15..20 => batch.quarantine(quarantined(random)),
            20..24 => {
                let source = format!("source {}", random.below(5));
                batch.checkpoint(source, format!("{}", random.below(1000)))
            }
            24..28 => match events.any(random) {
                Some(repeated) => batch.event(repeated.clone()),
                None => batch,
            },
            28..36 => match events.any(random) {
                Some(event) => {
                    let version = event.clone().payload(format!("{}", random.below(1000)));
                    batch.event(version)
                }
                None => batch,
            },
            _ => {
                let event = event(random, events);
                events.made.push(event.clone());
                batch.event(event)
            }
        };
    }
    let durability = if random.below(100) < 40 {
        [Durability::Buffered, Durability::Flush, Durability::Sync][random.below(3) as usize]
    } else {
        usual
    };
    Planned { batch: batch.durability(durability), durability }
}

fn event(random: &mut Random, events: &Events) -> Event {
    let position = events.made.len() as u64;
    let mut event = Event::new(["user_message", "tool_use", "error"][random.below(3) as usize])
        .id(name(position))
        .time_ns(random.below(50).cast_signed())
        .instance(format!("instance {}", random.below(3)));
    if random.below(100) < 75 {
        // It may name itself, or one that comes later.
        event = event.parent(events.name(random)).link(LinkKind::ALL[random.below(3) as usize]);
    }
    if random.below(100) < 30 {
        event = event.session("session").label("tool", "Bash");
    }
    match random.below(4) {
        0 => event,
        1 => event.payload(""),
        2 => event.payload(format!("{position}")),
        _ => event.payload(vec![b'x'; random.below(3000) as usize]),
    }
}

fn quarantined(random: &mut Random) -> Quarantined {
    Quarantined {
        source: "transcript".into(),
        line: random.below(100),
        offset: random.below(10_000),
        length: 3,
        reason: "expected an object".into(),
        bytes: b"nan".to_vec(),
    }
}

/// Every fourth is a UUID.
fn name(position: u64) -> String {
    if position.is_multiple_of(4) {
        format!("00000000-0000-7000-8000-{position:012x}")
    } else {
        format!("event-{position}")
    }
}
