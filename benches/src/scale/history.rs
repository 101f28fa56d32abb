//! The history that is measured. Each event is a function of its number, so that
//! what the right answers are is known without keeping a single event.
//!
//! Of ten numbers nine go to 63 instances in turn, in chains of a thousand, and
//! one to a 64th instance, in chains of a million. The chains of the first
//! instance are agents: each is spawned by an event of a long chain.

use crate::data::Random;

/// Instances, the one with the long chains included.
pub(crate) const INSTANCES: u64 = LANES + 1;
/// Events of a chain, and of a long one.
pub(crate) const CHAIN: u64 = 1_000;
pub(crate) const LONG_CHAIN: u64 = 1_000_000;

/// So many events, numbered from 0 in order of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    pub(crate) events: u64,
}

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChainPlace {
    /// Which event of the instance with the long chains.
    Long(u64),
    /// Which event of which of the other instances, counted from a beginning in
    /// the midst of a chain, so that their chains don't all begin at once.
    Short { lane: u64, at: u64 },
}

impl History {
    /// The instance that an event belongs to, the long chains' being the last.
    pub(crate) fn instance(number: u64) -> u64 {
        match ChainPlace::of(number) {
            ChainPlace::Long(_) => LANES,
            ChainPlace::Short { lane, .. } => lane,
        }
    }

    /// The parent's number.
    pub(crate) fn parent(number: u64) -> Option<u64> {
        match ChainPlace::of(number) {
            place if place.in_chain() > 0 => Some(place.before().number()),
            ChainPlace::Short { lane: 0, .. } => spawner(number).map(ChainPlace::number),
            _ => None,
        }
    }

    /// Whether the event is an agent's first.
    pub(crate) fn is_spawned(number: u64) -> bool {
        let place = ChainPlace::of(number);
        place.in_chain() == 0 && matches!(place, ChainPlace::Short { lane: 0, .. })
    }

    /// Edges up to the root.
    pub(crate) fn depth(number: u64) -> u64 {
        let place = ChainPlace::of(number);
        let above = place.trunk().filter(|trunk| *trunk != place);
        place.in_chain() + above.map_or(0, |trunk| trunk.in_chain() + 1)
    }

    /// The root's number.
    pub(crate) fn root(number: u64) -> u64 {
        let place = ChainPlace::of(number);
        place.trunk().unwrap_or(place).first().number()
    }

    /// The event's number and those of its ancestors.
    pub(crate) fn ancestry(number: u64) -> impl Iterator<Item = u64> {
        std::iter::successors(Some(number), |&number| Self::parent(number))
    }

    /// The nearest event that both go back to, of two that a long chain or its
    /// agents hold. None if they have nothing in common.
    pub(crate) fn common_cause(a: u64, b: u64) -> Option<u64> {
        let (a, b) = (ChainPlace::of(a), ChainPlace::of(b));
        if a.first() == b.first() {
            return Some(if a.in_chain() < b.in_chain() { a } else { b }.number());
        }
        let (a, b) = (a.trunk()?, b.trunk()?);
        let nearer = if a.in_chain() < b.in_chain() { a } else { b };
        (a.first() == b.first()).then(|| nearer.number())
    }

    /// The newest events of an instance.
    pub(crate) fn newest(self, instance: u64, count: usize) -> Vec<u64> {
        let newest_first = (0..self.events).rev();
        newest_first.filter(|&number| Self::instance(number) == instance).take(count).collect()
    }

    /// A random event of the first long chain.
    pub(crate) fn long(self, random: &mut Random) -> u64 {
        let length = (self.events / PERIOD).min(LONG_CHAIN);
        ChainPlace::Long(random.draw() % length).number()
    }

    /// A random event of an agent that the first long chain has spawned; an event
    /// of that chain itself while there is none.
    pub(crate) fn spawned(self, random: &mut Random) -> u64 {
        let end = self.events.min(LONG_CHAIN * PERIOD);
        let events = end / PERIOD * (PERIOD - 1) / LANES;
        if events <= CHAIN {
            return self.long(random);
        }
        let at = CHAIN + random.draw() % (events - CHAIN);
        let place = ChainPlace::Short { lane: 0, at };
        let number = place.number();
        if number < end && place.trunk().is_some() { number } else { self.long(random) }
    }

    /// A random event of those before `end` that are not of a long chain, with at
    /// least so many ancestors.
    pub(crate) fn deep(end: u64, ancestors: u64, random: &mut Random) -> u64 {
        loop {
            let number = random.draw() % end;
            let place = ChainPlace::of(number);
            if place.trunk().is_none() && place.in_chain() >= ancestors {
                return number;
            }
        }
    }

    /// When the event happened, in nanoseconds since the Unix epoch.
    pub(crate) fn time_ns(number: u64) -> i64 {
        FIRST_TIME_NS + number.cast_signed() * STEP_NS
    }

    /// The 16 bytes of the event's id.
    pub(crate) fn id(number: u64) -> [u8; 16] {
        let mut random = Random::new(mix(number ^ ID_SEED));
        let mut id = [0; 16];
        id[..8].copy_from_slice(&random.draw().to_le_bytes());
        id[8..].copy_from_slice(&random.draw().to_le_bytes());
        id
    }

    /// An id that no event has.
    pub(crate) fn unknown_id(number: u64) -> [u8; 16] {
        Self::id(number | 1 << 63)
    }

    /// By how many events the event is late; 0 if it comes in its turn. Whoever
    /// comes so late has its child come before it.
    pub(crate) fn delay(number: u64, segment_events: u64) -> u64 {
        let draw = mix(number ^ DELAY_SEED);
        let spread = (draw >> 32) % DELAY_SPREAD;
        match draw % 100 {
            0..LATE_BY_A_SEGMENT_PERCENT => segment_events + spread,
            LATE_BY_A_SEGMENT_PERCENT..LATE_PERCENT => DELAY_MIN + spread,
            _ => 0,
        }
    }
}

impl ChainPlace {
    fn of(number: u64) -> Self {
        let (period, within) = (number / PERIOD, number % PERIOD);
        if within == PERIOD - 1 {
            return ChainPlace::Long(period);
        }
        let ordinal = period * (PERIOD - 1) + within;
        let (turn, slot) = (ordinal / LANES, ordinal % LANES);
        let lane = (slot + rotation(turn)) % LANES;
        ChainPlace::Short { lane, at: turn + lane * LANE_SHIFT }
    }

    fn number(self) -> u64 {
        match self {
            ChainPlace::Long(at) => at * PERIOD + PERIOD - 1,
            ChainPlace::Short { lane, at } => {
                let turn = at - lane * LANE_SHIFT;
                let slot = (lane + LANES - rotation(turn)) % LANES;
                let ordinal = turn * LANES + slot;
                ordinal / (PERIOD - 1) * PERIOD + ordinal % (PERIOD - 1)
            }
        }
    }

    /// The first event of the chain.
    fn first(self) -> Self {
        match self {
            ChainPlace::Long(at) => ChainPlace::Long(at - at % LONG_CHAIN),
            ChainPlace::Short { lane, at } => {
                // The instance's very first chain lacks its beginning.
                ChainPlace::Short { lane, at: (at - at % CHAIN).max(lane * LANE_SHIFT) }
            }
        }
    }

    /// How many events of the chain come before.
    fn in_chain(self) -> u64 {
        self.at() - self.first().at()
    }

    fn at(self) -> u64 {
        match self {
            ChainPlace::Long(at) | ChainPlace::Short { at, .. } => at,
        }
    }

    /// The event before; there must be one.
    fn before(self) -> Self {
        match self {
            ChainPlace::Long(at) => ChainPlace::Long(at - 1),
            ChainPlace::Short { lane, at } => ChainPlace::Short { lane, at: at - 1 },
        }
    }

    /// The event of a long chain through which this one goes back to it, which is
    /// itself if it is part of one. None in chains that nothing has spawned.
    fn trunk(self) -> Option<Self> {
        match self {
            ChainPlace::Long(_) => Some(self),
            ChainPlace::Short { lane: 0, .. } => spawner(self.first().number()),
            ChainPlace::Short { .. } => None,
        }
    }
}

/// The event of a long chain that has spawned an agent whose first event is this.
fn spawner(first: u64) -> Option<ChainPlace> {
    (first / PERIOD).checked_sub(1).map(ChainPlace::Long)
}

/// By how much the order of the instances is turned in this turn.
fn rotation(turn: u64) -> u64 {
    mix(turn ^ TURN_SEED) % LANES
}

fn mix(value: u64) -> u64 {
    Random::new(value).draw()
}

/// Instances with chains of a thousand.
const LANES: u64 = 63;
/// One of so many events is of a long chain.
const PERIOD: u64 = 10;
/// How much earlier in its chain each instance begins than the next.
const LANE_SHIFT: u64 = 16;

/// Events that come after their child, of a hundred, and those of them that come
/// a segment after it.
const LATE_PERCENT: u64 = 5;
const LATE_BY_A_SEGMENT_PERCENT: u64 = 1;
/// The least delay, in events: an instance's next event comes within two turns of
/// all instances. And by how much more it can be.
const DELAY_MIN: u64 = 200;
const DELAY_SPREAD: u64 = 2_000;

const ID_SEED: u64 = 0x6964;
const TURN_SEED: u64 = 0x7475_726e;
const DELAY_SEED: u64 = 0x6c61_7465;

/// 2026-01-01, and a thousand events a second from there on.
const FIRST_TIME_NS: i64 = 1_767_225_600_000_000_000;
const STEP_NS: i64 = 1_000_000;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const EVENTS: u64 = 50_000;

    #[test]
    fn every_number_has_one_place() {
        for number in 0..EVENTS {
            assert_eq!(ChainPlace::of(number).number(), number);
        }
    }

    #[test]
    fn roots_and_depths_are_those_that_following_parents_finds() {
        let mut known: HashMap<u64, (u64, u64)> = HashMap::new();
        let mut spawned = 0;
        for number in 0..EVENTS {
            let (root, depth) = match History::parent(number) {
                Some(parent) => {
                    assert!(parent < number);
                    let (root, depth) = known[&parent];
                    (root, depth + 1)
                }
                None => (number, 0),
            };
            spawned += u64::from(History::is_spawned(number) && depth > 0);
            known.insert(number, (root, depth));
            assert_eq!((History::root(number), History::depth(number)), (root, depth), "{number}");
        }
        assert!(spawned > 0);
    }

    #[test]
    fn common_causes_are_those_that_following_parents_finds() {
        let history = History { events: EVENTS * 4 };
        let mut random = Random::new(1);
        for _ in 0..30 {
            let (a, b) = (history.spawned(&mut random), history.spawned(&mut random));
            let long = history.long(&mut random);
            for (a, b) in [(a, b), (a, long), (long, b)] {
                let of_a: std::collections::HashSet<u64> = History::ancestry(a).collect();
                let common = History::ancestry(b).find(|number| of_a.contains(number));
                assert_eq!(History::common_cause(a, b), common, "{a} {b}");
            }
        }
    }
}
