//! The keys of a segment's filter.

use crate::base::state::Family;
use crate::log::index::{Index, NOW, StoredLink, session_names};
use crate::segment::filter::filter_key;
use crate::segment::index::kept_links;
use crate::segment::spine::Entry;
use crate::state;

/// The filter keys of all that a lookup can ask a segment for: the ids that it holds, parents
/// and anchors in other segments, both ends of asserted links, keys of state (with the names of
/// sessions) and of quarantined input. Sorted, without duplicates.
pub(crate) fn filter_keys(index: &Index, entries: &[Entry]) -> Vec<u64> {
    let mut keys: Vec<u64> = entries.iter().map(|entry| filter_key(&entry.key)).collect();
    for row in 0..index.rows().len() as u32 {
        if let StoredLink::Outside(_, id) | StoredLink::Awaited(id) = index.stored_link(row, NOW) {
            keys.push(filter_key(&id.key()));
        }
    }
    for (_, outside) in index.outsides() {
        keys.push(filter_key(&outside.anchor_id.key()));
    }
    for kept in kept_links(index) {
        keys.push(filter_key(&kept.link.child.key()));
        keys.push(filter_key(&kept.link.parent.key()));
    }
    keys.extend(state_keys(index).map(|digest| filter_key(&digest)));
    keys.extend(index.quarantine_keys().map(filter_key));
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What state is found by: its keys, and for each family that there are any.
fn state_keys(index: &Index) -> impl Iterator<Item = [u8; 16]> {
    let states = index.states();
    let sessions = session_names(index);
    let events = !sessions.is_empty();
    let has = move |&family: &Family| states.has(family) || (events && family == Family::Session);
    let families = Family::ALL.into_iter().filter(has);
    let keys = states.all().map(|(family, key, _)| state::digest(family, key));
    let fronts = states.all().filter_map(|(family, key, _)| {
        state::front(family, key).map(|front| state::digest(family, front))
    });
    let names = sessions.into_iter().map(|name| state::digest(Family::Session, &name));
    families.map(state::family_digest).chain(keys).chain(fronts).chain(names)
}
