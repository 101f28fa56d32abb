//! State of a log: what its records say of keys, and what its rows come to.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::kind::Reduced;
use crate::base::kinds::{AllReduced, Kinds};
use crate::base::state::{Kept, KindId};
use crate::log::index::{Index, NOW};
use crate::log::rows::LogRows;
use crate::log::view::{LogView, Visible};

impl LogView {
    /// What the rows come to, by a kind. O(rows seen), unless nothing was written since
    /// somebody last asked.
    pub(crate) fn reduced(&self, kinds: &Kinds, kind: KindId) -> Result<Arc<Reduced>> {
        if kind.replaces() {
            return Ok(Arc::default());
        }
        if let Some((visible, reduced)) = self.log.reduced.lock().get(&kind)
            && *visible == self.visible
        {
            return Ok(Arc::clone(reduced));
        }
        let Visible { rows, commit, .. } = self.visible;
        let look = |show: &mut dyn FnMut(&Index)| show(&self.index());
        let rows = LogRows { look: &look, first_seq: self.first_seq(), rows, at: commit };
        let reduced = Arc::new(kinds.reduce(kind, &rows)?);
        let mut kept = self.log.reduced.lock();
        if kept.get(&kind).is_none_or(|(visible, _)| visible.commit <= commit) {
            kept.insert(kind, (self.visible, Arc::clone(&reduced)));
        }
        Ok(reduced)
    }

    /// What the log has of a key.
    pub(crate) fn kept_of(&self, kinds: &Kinds, kind: KindId, key: &str) -> Result<Option<Kept>> {
        // The values are read without holding the index.
        let places = self.index().states().places(kind, key, self.at());
        let reduced = self.reduced(kinds, kind)?;
        let reduced = reduced.get(key);
        if places.is_none() && reduced.is_none() {
            return Ok(None);
        }
        let places = places.unwrap_or_default();
        let mut kept = Kept::default();
        for place in places.own {
            let value = self.state_value(place)?;
            kept.own = Some(kinds.fold(kind, kept.own.as_deref(), &value)?);
        }
        for (segment, place) in places.carried {
            kept.carried.push((segment, self.state_value(place)?));
        }
        if let Some(reduced) = reduced {
            kept.own = Some(kinds.fold(kind, kept.own.as_deref(), reduced)?);
        }
        Ok(Some(kept))
    }

    /// What was carried over into the log of a key.
    pub(crate) fn carried_over(&self, kind: KindId, key: &str) -> Result<Option<Kept>> {
        let places = self.index().states().places(kind, key, self.at());
        let mut kept = Kept::default();
        for (segment, place) in places.unwrap_or_default().carried {
            kept.carried.push((segment, self.state_value(place)?));
        }
        Ok((!kept.carried.is_empty()).then_some(kept))
    }

    /// Shows the keys of a kind behind one, in order, until `show` breaks off. At a
    /// time it looks at `at_once`.
    pub(crate) fn walk_keys(
        &self,
        kinds: &Kinds,
        kind: KindId,
        after: Option<&str>,
        at_once: usize,
        show: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let reduced = self.reduced(kinds, kind)?;
        let at_once = at_once.clamp(1, MAX_KEYS);
        let mut after = after.map(str::to_owned);
        loop {
            let said = self.index().states().after(kind, after.as_deref(), self.at(), at_once);
            let found = with_reduced(said, &reduced, after.as_deref(), at_once);
            let done = found.len() < at_once;
            for name in found {
                if show(&name)?.is_break() {
                    return Ok(());
                }
                after = Some(name);
            }
            if done {
                return Ok(());
            }
        }
    }

    fn state_value(&self, place: u64) -> Result<Vec<u8>> {
        self.log.reader.state_value(place, self.visible.log_end)
    }
}

/// What all rows of an index come to, by all kinds.
pub(crate) fn reduce_index(kinds: &Kinds, index: &Index, first_seq: u64) -> Result<AllReduced> {
    let look = |show: &mut dyn FnMut(&Index)| show(index);
    let rows = index.rows().len() as u32;
    kinds.reduce_all(&LogRows { look: &look, first_seq, rows, at: NOW })
}

/// The least of keys and of those that rows come to behind one, at most so many.
fn with_reduced(
    names: Vec<String>,
    reduced: &Reduced,
    after: Option<&str>,
    at_most: usize,
) -> Vec<String> {
    if reduced.is_empty() {
        return names;
    }
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let reduced = reduced.range::<str, _>((from, Bound::Unbounded)).take(at_most);
    let mut all: BTreeSet<String> = reduced.map(|(name, _)| name.clone()).collect();
    all.extend(names);
    all.into_iter().take(at_most).collect()
}

/// Keys that are looked at under one lock.
const MAX_KEYS: usize = 1024;
