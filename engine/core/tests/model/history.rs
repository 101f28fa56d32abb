//! Random histories: what is written, in which order, in which blocks, and when
//! the store is closed, killed and looked at in between.

use std::fmt;

use forebear::{Durability, Event, EventId, Link, LinkKind};

use crate::random::Random;

/// An event as the model knows it. Names are numbers, so that the model needs
/// nothing of the engine to compare them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) id: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) link: LinkKind,
    pub(crate) kind: u8,
    pub(crate) time_ns: i64,
    pub(crate) instance: u8,
    pub(crate) session: Option<u8>,
    /// At most one of each key: key and value.
    pub(crate) labels: Vec<(u8, u8)>,
    pub(crate) payload: Option<Vec<u8>>,
}

/// An asserted link as the model knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AssertedLink {
    pub(crate) child: u32,
    pub(crate) parent: u32,
    pub(crate) kind: LinkKind,
    pub(crate) strength: u8,
    pub(crate) order: i64,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Event(Draft),
    AssertedLink(AssertedLink),
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Written as one block: the events first, then the asserted links.
    Write(Vec<Op>, Durability),
    /// A snapshot that is asked again when the history is over.
    Snapshot,
    Close,
    /// The process dies: what it did not write is gone.
    Kill,
}

/// Kinds of events; the last makes an event an error.
pub(crate) const KINDS: [&str; 4] = ["user_message", "tool_use", "thinking", "error"];
pub(crate) const INSTANCES: [&str; 3] = ["", "main", "worker-1"];
pub(crate) const SESSIONS: [&str; 3] = ["monday", "tuesday", "wednesday"];
/// The value 0 of the last key makes an event an error.
pub(crate) const LABEL_KEYS: [&str; 3] = ["tool", "branch", "is_error"];
pub(crate) const LABEL_VALUES: [&str; 3] = ["true", "main", ""];

impl Draft {
    /// Whether the event comes without an id of its own. Only ids that are
    /// never reused are, since a derived id stands for one content.
    pub(crate) fn is_derived(&self) -> bool {
        is_derived(self.id)
    }

    pub(crate) fn event(&self) -> Event {
        let mut event = Event::new(KINDS[usize::from(self.kind)])
            .time_ns(self.time_ns)
            .instance(INSTANCES[usize::from(self.instance)])
            .link(self.link);
        event = if self.is_derived() {
            event.derived_id(DERIVED_DOMAIN, &self.id.to_le_bytes())
        } else {
            event.id(event_id(self.id))
        };
        if let Some(parent) = self.parent {
            event = event.parent(event_id(parent));
        }
        if let Some(session) = self.session {
            event = event.session(SESSIONS[usize::from(session)]);
        }
        for &(key, value) in &self.labels {
            event = event.label(LABEL_KEYS[usize::from(key)], LABEL_VALUES[usize::from(value)]);
        }
        match &self.payload {
            Some(payload) => event.payload(payload.clone()),
            None => event,
        }
    }
}

impl AssertedLink {
    pub(crate) fn link(&self) -> Link {
        Link::new(event_id(self.child), event_id(self.parent), self.kind)
            .strength(self.strength)
            .order(self.order)
    }
}

/// The id that a number stands for: a UUID, a text, or one that is derived.
pub(crate) fn event_id(number: u32) -> EventId {
    match number % 8 {
        0 | 1 => EventId::from(format!("span-{number}")),
        DERIVED_REMAINDER => EventId::derived(DERIVED_DOMAIN, &number.to_le_bytes()),
        _ => {
            let mut random = Random::new(u64::from(number));
            let (high, low) = (random.next(), random.next());
            EventId::from(uuid::Uuid::from_u64_pair(high, low))
        }
    }
}

/// Whether this number's event comes without an id of its own.
pub(crate) fn is_derived(number: u32) -> bool {
    number % 8 == DERIVED_REMAINDER
}

const DERIVED_DOMAIN: &str = "forebear model test";
const DERIVED_REMAINDER: u32 = 7;

/// A line for each operation.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step::Write(ops, durability) = self else {
            return write!(f, "{self:?}");
        };
        write!(f, "Write {durability:?}")?;
        for op in ops {
            write!(f, "\n  {op:?}")?;
        }
        Ok(())
    }
}

/// How one history is made; drawn once, so that histories differ in character
/// and not only in detail.
struct Character {
    events: usize,
    shape: Shape,
    roots_percent: usize,
    never_stored_percent: usize,
    asserted_percent: usize,
    rivals_percent: usize,
    cyclic_percent: usize,
    again_percent: usize,
    batch: usize,
    reopens_percent: usize,
}

#[derive(Clone, Copy)]
enum Shape {
    /// Any earlier event.
    Bush,
    /// One of the latest few.
    Vine,
    /// The one before.
    Chain,
    /// One of the first few.
    Star,
}

impl Character {
    fn draw(random: &mut Random) -> Self {
        let events = match random.index(1000) {
            0..800 => random.between(1, 24),
            800..960 => random.between(25, 80),
            960..994 => random.between(81, 400),
            _ => random.between(401, 2000),
        };
        Self {
            events,
            shape: *random.pick(&[Shape::Bush, Shape::Vine, Shape::Chain, Shape::Star]),
            roots_percent: *random.pick(&[1, 5, 30]),
            never_stored_percent: *random.pick(&[0, 0, 3, 15]),
            asserted_percent: *random.pick(&[0, 5, 30, 90]),
            rivals_percent: *random.pick(&[0, 10, 60]),
            cyclic_percent: *random.pick(&[0, 0, 2, 20]),
            again_percent: *random.pick(&[0, 5, 30]),
            batch: *random.pick(&[1, 4, 4, 16, 300]),
            reopens_percent: *random.pick(&[0, 10, 30]),
        }
    }
}

/// The history of this seed.
pub(crate) fn history(seed: u64) -> Vec<Step> {
    let mut random = Random::new(seed);
    let character = Character::draw(&mut random);
    let ops = operations(&character, &mut random);
    blocks(&character, ops, &mut random)
}

fn operations(character: &Character, random: &mut Random) -> Vec<Op> {
    // Ids are spread, so that neighbours in the forest are not in the id space.
    let mut ids: Vec<u32> = (0..character.events as u32).collect();
    random.shuffle(&mut ids);
    let mut groups = Vec::with_capacity(ids.len());
    for at in 0..ids.len() {
        let parent = parent(character, &ids, at, random);
        let mut group = Vec::new();
        let is_asserted = parent.is_some() && random.percent(character.asserted_percent);
        let draft = Draft { parent: parent.filter(|_| !is_asserted), ..draft(ids[at], random) };
        if let Some(parent) = parent
            && is_asserted
        {
            group.push(Op::AssertedLink(asserted(ids[at], parent, random)));
        }
        if random.percent(character.rivals_percent) {
            let rival = *random.pick(&ids);
            group.push(Op::AssertedLink(asserted(ids[at], rival, random)));
        }
        if !random.percent(character.never_stored_percent) {
            group.push(Op::Event(draft.clone()));
        }
        while random.percent(character.again_percent) {
            group.push(again(&draft, &group, random));
        }
        groups.push(group);
    }
    arrange(groups, random)
}

/// The parent of the event at this place of the forest, by its number.
fn parent(character: &Character, ids: &[u32], at: usize, random: &mut Random) -> Option<u32> {
    if random.percent(character.cyclic_percent) {
        return Some(*random.pick(ids));
    }
    if at == 0 || random.percent(character.roots_percent) {
        return None;
    }
    Some(match character.shape {
        Shape::Bush => ids[random.index(at)],
        Shape::Vine => ids[at - 1 - random.index(at.min(4))],
        Shape::Chain => ids[at - 1],
        Shape::Star => ids[random.index(at.min(3))],
    })
}

fn draft(id: u32, random: &mut Random) -> Draft {
    let mut labels = Vec::new();
    for key in 0..LABEL_KEYS.len() as u8 {
        if random.percent(30) {
            labels.push((key, random.index(LABEL_VALUES.len()) as u8));
        }
    }
    Draft {
        id,
        parent: None,
        link: link_kind(random),
        kind: random.index(KINDS.len()) as u8,
        time_ns: time_ns(random),
        instance: random.index(INSTANCES.len()) as u8,
        session: random.percent(70).then(|| random.index(SESSIONS.len()) as u8),
        labels,
        payload: random.percent(70).then(|| payload(random)),
    }
}

/// An asserted link; its strengths and orders are few, so that ties are common.
fn asserted(child: u32, parent: u32, random: &mut Random) -> AssertedLink {
    AssertedLink {
        child,
        parent,
        kind: link_kind(random),
        strength: *random.pick(&[1, 128, 128, 255]),
        order: random.signed(-1, 1),
    }
}

/// Something of the group once more: the same, nearly the same, or a version.
fn again(draft: &Draft, group: &[Op], random: &mut Random) -> Op {
    let versions = !draft.is_derived();
    match random.index(4) {
        0 if !group.is_empty() => random.pick(group).clone(),
        1 if versions => Op::Event(Draft {
            parent: draft.parent,
            payload: Some(payload(random)),
            ..self::draft(draft.id, random)
        }),
        2 if versions => Op::Event(Draft {
            parent: random.percent(50).then(|| random.index(40) as u32),
            payload: draft.payload.clone(),
            ..self::draft(draft.id, random)
        }),
        _ => Op::Event(draft.clone()),
    }
}

fn arrange(mut groups: Vec<Vec<Op>>, random: &mut Random) -> Vec<Op> {
    match random.index(5) {
        0 => groups.reverse(),
        1 => random.shuffle(&mut groups),
        2 => {
            for _ in 0..groups.len() / 4 {
                let at = random.index(groups.len());
                let other = (at + random.index(4)).min(groups.len() - 1);
                groups.swap(at, other);
            }
        }
        // Every operation by itself: links come long before and after both ends.
        3 => {
            let mut ops: Vec<Op> = groups.into_iter().flatten().collect();
            random.shuffle(&mut ops);
            return ops;
        }
        _ => {}
    }
    groups.into_iter().flatten().collect()
}

fn blocks(character: &Character, ops: Vec<Op>, random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::new();
    let snapshot_percent = 200 / (1 + ops.len() / character.batch);
    let mut ops = ops.into_iter().peekable();
    while ops.peek().is_some() {
        let size = random.between(1, character.batch);
        let (events, asserted): (Vec<Op>, Vec<Op>) =
            ops.by_ref().take(size).partition(|op| matches!(op, Op::Event(_)));
        let durability = *random.pick(&[Durability::Flush, Durability::Sync]);
        steps.push(Step::Write(events.into_iter().chain(asserted).collect(), durability));
        if random.percent(snapshot_percent) {
            steps.push(Step::Snapshot);
        }
        if random.percent(character.reopens_percent) {
            steps.push(random.pick(&[Step::Close, Step::Kill]).clone());
        }
    }
    // Every history is read back from the log as often as not.
    if random.percent(50) {
        steps.push(random.pick(&[Step::Close, Step::Kill]).clone());
    }
    steps
}

fn link_kind(random: &mut Random) -> LinkKind {
    *random.pick(&[LinkKind::Caused, LinkKind::Continues, LinkKind::Spawned])
}

/// Few enough times that many are equal, some before 1970.
pub(crate) fn time_ns(random: &mut Random) -> i64 {
    random.signed(-10, 50) * 500_000_000 + random.signed(0, 1)
}

/// Few enough payloads that some are equal, the empty one among them.
fn payload(random: &mut Random) -> Vec<u8> {
    let length = *random.pick(&[0, 1, 16, 100]);
    let byte = random.next() as u8 % 4;
    vec![byte; length]
}
