//! The scripts: what is done with a store, by a name or from a seed.

use forebear::Durability;

use crate::model::{Change, Planned};
use crate::random::Random;

/// What is done with a store.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write(Planned),
    /// Submitted without waiting, then waited for.
    Together(Vec<Planned>),
    Flush,
    Seal,
    /// Drops what is more than so many events, into the archive or for good.
    Retain {
        events: u64,
        archive: bool,
    },
    /// Keeps a policy with the store.
    Keep(Option<u64>),
    Reopen {
        close: bool,
    },
    /// Hands a batch in through the spool, and has it taken.
    HandIn(Planned),
    /// Reads the store as another process does.
    Read,
    /// Makes indexes again, after one was lost.
    Rebuild,
    /// Makes the manifest again after it was lost or damaged.
    Repair {
        lost: bool,
    },
    Backup,
}

/// A script, and how large the logs are that it is run with.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) segment_events: u32,
    pub(crate) steps: Vec<Step>,
}

/// Every script that has a name.
pub(crate) fn scripts() -> Vec<Script> {
    let mut table = Table::default();
    table.writing();
    table.sealing_and_dropping();
    table.opening_and_upkeep();
    table.0
}

#[derive(Default)]
struct Table(Vec<Script>);

impl Table {
    fn add(&mut self, name: &str, segment_events: u32, steps: impl Fn(&mut Maker) -> Vec<Step>) {
        let steps = steps(&mut Maker::new(self.0.len() as u64));
        self.0.push(Script { name: name.to_owned(), segment_events, steps });
    }

    fn writing(&mut self) {
        self.add("appends that are synced", 1_000, |m| m.writes(8, Durability::Sync));
        self.add("appends that are flushed", 1_000, |m| m.writes(8, Durability::Flush));
        self.add("appends that are buffered", 1_000, |m| {
            let mut steps = m.writes(6, Durability::Buffered);
            steps.push(Step::Flush);
            steps.extend(m.writes(2, Durability::Buffered));
            steps
        });
        self.add("appends of all levels", 1_000, |m| {
            LEVELS.iter().cycle().take(9).flat_map(|&level| m.writes(1, level)).collect()
        });
        self.add("batches", 1_000, |m| {
            (0..5).map(|_| Step::Write(m.batch(6, Durability::Sync))).collect()
        });
        self.add("batches that share a block", 1_000, |m| {
            let mut together = || {
                let levels = [Durability::Flush, Durability::Sync, Durability::Flush];
                Step::Together(levels.map(|level| m.batch(3, level)).into())
            };
            vec![together(), together(), together()]
        });
        self.add("payloads of many sectors", 1_000, |m| {
            (0..4).map(|n| Step::Write(m.large(3_000 + 4_000 * n, Durability::Sync))).collect()
        });
        self.add("repeats and versions", 1_000, |m| {
            let mut steps = m.writes(3, Durability::Sync);
            for n in 0..6 {
                steps.push(Step::Write(m.again(n % 2 == 0, Durability::Sync)));
            }
            steps
        });
        self.add("links and parents that come late", 6, |m| {
            let mut steps = vec![Step::Write(m.waiting(3, Durability::Sync))];
            steps.extend(m.writes(4, Durability::Sync));
            steps.push(Step::Seal);
            steps.push(Step::Write(m.link(Durability::Sync)));
            steps.extend(m.writes(2, Durability::Sync));
            steps.push(Step::Write(m.link(Durability::Sync)));
            steps
        });
        self.add("an importer and its checkpoints", 5, |m| {
            let mut steps: Vec<Step> =
                (0..7).map(|_| Step::Write(m.imported(2, Durability::Flush))).collect();
            steps.insert(4, Step::Reopen { close: true });
            steps.push(Step::Flush);
            steps
        });
    }

    fn sealing_and_dropping(&mut self) {
        self.add("rotation", 3, |m| m.writes(11, Durability::Flush));
        self.add("rotation of batches", 4, |m| {
            (0..4).map(|_| Step::Write(m.batch(3, Durability::Sync))).collect()
        });
        self.add("sealing", 1_000, |m| m.then(3, 3, &[Step::Seal]));
        self.add("sealing what is empty", 1_000, |m| {
            let mut steps = vec![Step::Seal];
            steps.extend(m.then(1, 2, &[Step::Seal, Step::Seal]));
            steps
        });
        self.add("retention", 3, |m| m.then(3, 4, &[Step::Retain { events: 4, archive: false }]));
        self.add("retention of everything", 1_000, |m| {
            m.then(2, 3, &[Step::Seal, Step::Retain { events: 0, archive: false }])
        });
        self.add("a policy that is kept", 2, |m| {
            let mut steps = vec![Step::Keep(Some(5))];
            steps.extend(m.writes(9, Durability::Sync));
            steps.push(Step::Keep(None));
            steps.extend(m.writes(2, Durability::Sync));
            steps
        });
        self.add("archiving", 3, |m| {
            m.then(2, 4, &[Step::Seal, Step::Retain { events: 3, archive: true }])
        });
        self.add("archiving importers and links", 4, |m| {
            let mut steps = vec![Step::Write(m.waiting(2, Durability::Sync))];
            for _ in 0..3 {
                steps.push(Step::Write(m.imported(2, Durability::Sync)));
                steps.push(Step::Write(m.link(Durability::Sync)));
                steps.push(Step::Retain { events: 3, archive: true });
            }
            steps
        });
    }

    fn opening_and_upkeep(&mut self) {
        self.add("closing and opening", 1_000, |m| m.then(3, 2, &[Step::Reopen { close: true }]));
        self.add("dropping and opening", 1_000, |m| {
            let mut steps = m.then(2, 2, &[Step::Reopen { close: false }]);
            steps.extend(m.writes(2, Durability::Buffered));
            steps.push(Step::Reopen { close: false });
            steps
        });
        self.add("opening beside sealed logs", 3, |m| {
            m.then(3, 2, &[Step::Reopen { close: true }])
        });
        self.add("the spool", 1_000, |m| {
            let mut steps = m.writes(1, Durability::Sync);
            for _ in 0..3 {
                steps.push(Step::HandIn(m.batch(2, Durability::Sync)));
            }
            steps
        });
        self.add("a reader beside", 3, |m| m.then(4, 2, &[Step::Read]));
        self.add("an index that was lost", 3, |m| {
            let mut steps = m.then(2, 3, &[Step::Seal]);
            steps.push(Step::Rebuild);
            steps.extend(m.writes(1, Durability::Sync));
            steps
        });
        self.add("a manifest that was lost", 3, |m| {
            let mut steps = m.then(2, 3, &[Step::Seal]);
            steps.push(Step::Repair { lost: true });
            steps.extend(m.writes(1, Durability::Sync));
            steps
        });
        self.add("a backup", 3, |m| {
            let mut steps = m.then(2, 3, &[Step::Backup]);
            steps.extend(m.writes(1, Durability::Sync));
            steps
        });
    }
}

/// A script from a seed. It has no step whose operations depend on the time: buffered writes. An
/// event that comes again is a repeat or a version where the first is still there, so that scripts
/// which drop events say none twice.
pub(crate) fn random(seed: u64) -> Script {
    let mut random = Random::new(seed ^ 0x7061_696e);
    let mut maker = Maker::new(seed);
    let mut steps = Vec::new();
    let drops = random.percent(50);
    for _ in 0..random.between(4, 14) {
        let level = if random.percent(50) { Durability::Sync } else { Durability::Flush };
        steps.push(match random.below(30) {
            0..8 => Step::Write(maker.batch(1, level)),
            8..11 => Step::Write(maker.batch(random.between(2, 5), level)),
            11 => Step::Write(maker.large(random.between(400, 9_000), level)),
            12 if !drops => Step::Write(maker.again(random.percent(50), level)),
            13 => Step::Write(maker.waiting(2, level)),
            14 => Step::Write(maker.link(level)),
            15..17 => Step::Write(maker.imported(2, level)),
            17..20 => Step::Seal,
            20 | 21 if drops => Step::Retain { events: random.below(8), archive: false },
            22 => Step::Flush,
            23 => Step::Reopen { close: true },
            24 => Step::Reopen { close: false },
            25 => Step::HandIn(maker.batch(2, Durability::Sync)),
            26 => Step::Rebuild,
            27 => Step::Repair { lost: false },
            28 => Step::Backup,
            _ => Step::Read,
        });
    }
    let segment_events = random.between(2, 8) as u32;
    Script { name: format!("seed {seed}"), segment_events, steps }
}

const LEVELS: [Durability; 3] = [Durability::Sync, Durability::Flush, Durability::Buffered];

/// Makes batches whose events hang together.
pub(crate) struct Maker {
    random: Random,
    /// The ids of events that were made, and what each said.
    made: Vec<(String, Option<String>, Option<Vec<u8>>)>,
    /// Parents that were named and come later.
    awaited: Vec<String>,
    linked: usize,
    lines: usize,
}

impl Maker {
    fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        Self { random, made: Vec::new(), awaited: Vec::new(), linked: 0, lines: 0 }
    }

    fn writes(&mut self, count: usize, level: Durability) -> Vec<Step> {
        (0..count).map(|_| Step::Write(self.batch(1, level))).collect()
    }

    /// Some writes and what follows them, so many times.
    fn then(&mut self, rounds: usize, writes: usize, steps: &[Step]) -> Vec<Step> {
        let mut all = Vec::new();
        for _ in 0..rounds {
            all.extend(self.writes(writes, Durability::Sync));
            all.extend_from_slice(steps);
        }
        all
    }

    fn batch(&mut self, events: usize, level: Durability) -> Planned {
        let changes = (0..events).map(|_| self.event(None)).collect();
        Planned { changes, level }
    }

    fn large(&mut self, bytes: usize, level: Durability) -> Planned {
        let payload = (0..bytes).map(|_| self.random.below(256) as u8).collect();
        Planned { changes: vec![self.event(Some(payload))], level }
    }

    fn event(&mut self, payload: Option<Vec<u8>>) -> Change {
        // Only what comes first of a chain is waited for, so that there are no cycles.
        if let Some(id) = self.awaited.pop() {
            return self.made(id, None, None);
        }
        let number = self.made.len();
        let id = if number.is_multiple_of(4) {
            format!("00000000-0000-7000-8000-{number:012x}")
        } else {
            format!("event {number}")
        };
        let parent = match self.random.below(6) {
            0 => None,
            1 => Some(format!("never {number}")),
            _ if number == 0 => None,
            _ => Some(self.made[self.random.index(number)].0.clone()),
        };
        let payload = payload.or_else(|| match self.random.below(3) {
            0 => None,
            1 => Some(format!("{number}").into_bytes()),
            _ => Some(vec![b'x'; self.random.index(700)]),
        });
        self.made(id, parent, payload)
    }

    fn made(&mut self, id: String, parent: Option<String>, payload: Option<Vec<u8>>) -> Change {
        self.made.push((id.clone(), parent.clone(), payload.clone()));
        Change::Event { id, parent, payload }
    }

    /// An event that was there before: with the same content, or another.
    fn again(&mut self, same: bool, level: Durability) -> Planned {
        if self.made.is_empty() {
            return self.batch(1, level);
        }
        let at = self.random.index(self.made.len());
        let (id, parent, payload) = self.made[at].clone();
        let other = format!("version {}", self.random.next()).into_bytes();
        let payload = if same { payload } else { Some(other) };
        Planned { changes: vec![Change::Event { id, parent, payload }], level }
    }

    /// Events whose parent comes with the next batch.
    fn waiting(&mut self, events: usize, level: Durability) -> Planned {
        let parent = format!("late {}", self.made.len());
        let changes = (0..events)
            .map(|n| self.made(format!("{parent} child {n}"), Some(parent.clone()), None))
            .collect();
        self.awaited.push(parent);
        Planned { changes, level }
    }

    /// A new event without a parent, and a link from it to one that was there before.
    fn link(&mut self, level: Durability) -> Planned {
        let parent = self.made.first().map(|(id, ..)| id.clone());
        self.linked += 1;
        let child = format!("linked {}", self.linked);
        let mut changes = vec![self.made(child.clone(), None, None)];
        changes.extend(parent.map(|parent| Change::Link { child, parent }));
        Planned { changes, level }
    }

    /// Lines of a source, and up to which it has been read.
    fn imported(&mut self, lines: usize, level: Durability) -> Planned {
        let mut changes: Vec<Change> = (0..lines).map(|_| self.event(None)).collect();
        self.lines += lines;
        let source = "transcript".to_owned();
        changes.push(Change::Checkpoint { source, position: self.lines.to_string() });
        Planned { changes, level }
    }
}
