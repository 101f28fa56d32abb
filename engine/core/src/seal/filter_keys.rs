//! The keys of a segment's filter.

use std::collections::BTreeSet;

use crate::base::kinds::{AllReduced, Kinds};
use crate::base::state;
use crate::log::index::{Index, NOW, StoredLink};
use crate::segment::filter::filter_key;
use crate::segment::index::kept_links;
use crate::segment::spine::Entry;

/// The filter keys of all that a lookup can ask a segment for: the ids that it holds, parents
/// and anchors in other segments, both ends of asserted links, keys of state and of quarantined
/// input. Sorted, without duplicates.
pub(crate) fn filter_keys(
    index: &Index,
    entries: &[Entry],
    kinds: &Kinds,
    reduced: &AllReduced,
) -> Vec<u64> {
    let mut keys: Vec<u64> = entries.iter().map(|entry| filter_key(&entry.key)).collect();
    for row in 0..index.rows().len() as u32 {
        if let StoredLink::Earlier(_, id) | StoredLink::Awaited(id) = index.stored_link(row, NOW) {
            keys.push(filter_key(&id.key()));
        }
    }
    for (_, cross_ref) in index.cross_refs() {
        keys.push(filter_key(&cross_ref.anchor_id.key()));
    }
    for kept in kept_links(index) {
        keys.push(filter_key(&kept.link.child.key()));
        keys.push(filter_key(&kept.link.parent.key()));
    }
    keys.extend(state_keys(index, kinds, reduced).iter().map(filter_key));
    keys.extend(index.quarantine_keys().map(filter_key));
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What state is found by: its keys, their fronts, and for each kind that there are any.
fn state_keys(index: &Index, kinds: &Kinds, reduced: &AllReduced) -> BTreeSet<[u8; 16]> {
    let said = index.states().all().map(|(kind, key, _)| (kind, key));
    let reduced =
        reduced.iter().flat_map(|(&kind, keys)| keys.keys().map(move |key| (kind, &**key)));
    let mut digests: BTreeSet<[u8; 16]> = index.states().kinds().map(state::kind_digest).collect();
    for (kind, key) in said.chain(reduced) {
        digests.extend([state::kind_digest(kind), state::digest(kind, key)]);
        digests.extend(kinds.front(kind, key).map(|front| state::digest(kind, front)));
    }
    digests
}
