//! State that the records of a log say something of: where each of them lies.
//!
//! Values stay in the log. A key that is written again and again takes 16 bytes a time,
//! so that an old snapshot finds the value that was the newest for it.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::base::state::KindId;
use crate::log::index::Entered;

/// Where the values of each key are.
#[derive(Debug, Default)]
pub(crate) struct States {
    /// For each kind, by key.
    kinds: BTreeMap<KindId, BTreeMap<Box<str>, KeyHistory>>,
    /// What it takes in memory, about.
    bytes: usize,
}

/// The records of one key, in the order of the log.
#[derive(Debug, Default)]
struct KeyHistory {
    own: Vec<Entered>,
    /// Each with the segment that it was carried over for.
    carried: Vec<(u64, Entered)>,
}

/// Where the values of a key lie that a snapshot sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StatePlaces {
    /// Those to be folded, oldest first.
    pub(crate) own: Vec<u64>,
    /// The newest for each segment that was carried over for, ascending by segment.
    pub(crate) carried: Vec<(u64, u64)>,
}

impl States {
    /// Adds a record; `carried_for` is the segment that it was carried over for.
    pub(crate) fn add(
        &mut self,
        kind: KindId,
        key: &str,
        carried_for: Option<u64>,
        entered: Entered,
    ) {
        let keys = self.kinds.entry(kind).or_default();
        if !keys.contains_key(key) {
            self.bytes += KEY_BYTES + key.len();
            keys.insert(key.into(), KeyHistory::default());
        }
        let Some(history) = keys.get_mut(key) else { return };
        self.bytes += PLACE_BYTES;
        match (carried_for, history.own.last_mut()) {
            (Some(segment), _) => history.carried.push((segment, entered)),
            // No snapshot sees half of a block.
            (None, Some(last)) if kind.replaces() && last.commit == entered.commit => {
                *last = entered;
            }
            (None, _) => history.own.push(entered),
        }
    }

    /// Where the values of a key lie, as of a commit; none where there are none.
    pub(crate) fn places(&self, kind: KindId, key: &str, at: u32) -> Option<StatePlaces> {
        self.kinds.get(&kind)?.get(key)?.places(kind, at)
    }

    /// The keys behind one that there are as of a commit, in order, at most so many.
    pub(crate) fn after(
        &self,
        kind: KindId,
        after: Option<&str>,
        at: u32,
        at_most: usize,
    ) -> Vec<String> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let Some(keys) = self.kinds.get(&kind) else { return Vec::new() };
        keys.range::<str, _>((from, Bound::Unbounded))
            .filter(|(_, history)| history.is_there(at))
            .map(|(key, _)| key.to_string())
            .take(at_most)
            .collect()
    }

    /// Every key with all of its values, by kind and key.
    pub(crate) fn all(&self) -> impl Iterator<Item = (KindId, &str, StatePlaces)> {
        self.kinds.iter().flat_map(|(&kind, keys)| {
            keys.iter().filter_map(move |(key, history)| {
                Some((kind, &**key, history.places(kind, u32::MAX)?))
            })
        })
    }

    /// The kinds that there are any keys of.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = KindId> {
        self.kinds.keys().copied()
    }

    /// About how many bytes of memory it takes. O(1).
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

impl KeyHistory {
    fn is_there(&self, at: u32) -> bool {
        let first =
            self.own.first().into_iter().chain(self.carried.first().map(|(_, first)| first));
        first.map(|entered| entered.commit).min().is_some_and(|commit| commit <= at)
    }

    fn places(&self, kind: KindId, at: u32) -> Option<StatePlaces> {
        let seen = self.own.partition_point(|entered| entered.commit <= at);
        let first = if kind.replaces() { seen.saturating_sub(1) } else { 0 };
        let own = self.own[first..seen].iter().map(|entered| entered.offset).collect();
        let mut carried = BTreeMap::new();
        for &(segment, entered) in self.carried.iter().filter(|(_, entered)| entered.commit <= at) {
            carried.insert(segment, entered.offset);
        }
        let places = StatePlaces { own, carried: carried.into_iter().collect() };
        (!places.own.is_empty() || !places.carried.is_empty()).then_some(places)
    }
}

/// What a key takes in memory beside its text, about, and what a value's place takes.
const KEY_BYTES: usize = 128;
const PLACE_BYTES: usize = size_of::<Entered>();
