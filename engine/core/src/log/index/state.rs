//! State that the records of a log say something of: where each of them lies.
//!
//! Values stay in the log. A key that is written again and again takes 16 bytes a time,
//! so that an old snapshot finds the value that was the newest for it.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::base::state::Family;
use crate::log::index::Entered;

/// Where the values of each key are.
#[derive(Debug, Default)]
pub(crate) struct States {
    /// For each family, by key.
    families: [BTreeMap<Box<str>, History>; Family::ALL.len()],
    /// What it takes in memory, about.
    bytes: usize,
}

/// The records of one key, in the order of the log.
#[derive(Debug, Default)]
struct History {
    own: Vec<Entered>,
    /// Each with the segment that it was carried for.
    carried: Vec<(u64, Entered)>,
}

/// Where the values of a key lie that a snapshot sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StatePlaces {
    /// Those to be folded, oldest first.
    pub(crate) own: Vec<u64>,
    /// The newest for each segment that was carried for, ascending by segment.
    pub(crate) carried: Vec<(u64, u64)>,
}

impl States {
    /// Books a record; `carried_for` is the segment that it was carried for.
    pub(crate) fn add(
        &mut self,
        family: Family,
        key: &str,
        carried_for: Option<u64>,
        entered: Entered,
    ) {
        let keys = &mut self.families[family.place()];
        if !keys.contains_key(key) {
            self.bytes += KEY_BYTES + key.len();
            keys.insert(key.into(), History::default());
        }
        let Some(history) = keys.get_mut(key) else { return };
        self.bytes += PLACE_BYTES;
        match (carried_for, history.own.last_mut()) {
            (Some(segment), _) => history.carried.push((segment, entered)),
            // No snapshot sees half of a block.
            (None, Some(last)) if family.replaces() && last.commit == entered.commit => {
                *last = entered;
            }
            (None, _) => history.own.push(entered),
        }
    }

    /// Where the values of a key lie, as of a commit; none where there are none.
    pub(crate) fn places(&self, family: Family, key: &str, at: u32) -> Option<StatePlaces> {
        self.families[family.place()].get(key)?.places(family, at)
    }

    /// The keys behind one that there are as of a commit, in order, at most so many.
    pub(crate) fn after(
        &self,
        family: Family,
        after: Option<&str>,
        at: u32,
        at_most: usize,
    ) -> Vec<String> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.families[family.place()]
            .range::<str, _>((from, Bound::Unbounded))
            .filter(|(_, history)| history.is_there(at))
            .map(|(key, _)| key.to_string())
            .take(at_most)
            .collect()
    }

    /// Every key with all of its values, by family and key.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Family, &str, StatePlaces)> {
        Family::ALL.into_iter().flat_map(|family| {
            let keys = self.families[family.place()].iter();
            keys.filter_map(move |(key, history)| {
                Some((family, &**key, history.places(family, u32::MAX)?))
            })
        })
    }

    /// Whether there is any key of a family.
    pub(crate) fn has(&self, family: Family) -> bool {
        !self.families[family.place()].is_empty()
    }

    /// About how many bytes of memory it takes. O(1).
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

impl History {
    fn is_there(&self, at: u32) -> bool {
        let first =
            self.own.first().into_iter().chain(self.carried.first().map(|(_, first)| first));
        first.map(|entered| entered.commit).min().is_some_and(|commit| commit <= at)
    }

    fn places(&self, family: Family, at: u32) -> Option<StatePlaces> {
        let seen = self.own.partition_point(|entered| entered.commit <= at);
        let first = if family.replaces() { seen.saturating_sub(1) } else { 0 };
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
