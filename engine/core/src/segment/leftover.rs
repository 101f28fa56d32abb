//! Which files of a store's folder its manifest does not name.

use crate::manifest::{Manifest, segment_of};
use crate::segment::filters::group_of;

/// Whether a file is one of a store, or half of one, and the manifest names nothing that it
/// belongs to. Files of others are no leftovers.
pub(crate) fn is_leftover(manifest: &Manifest, name: &str) -> bool {
    let of = |ending: &str| segment_of(name, ending);
    if let Some(log) = of(".log") {
        let full = manifest.full.map(|full| full.start.segment);
        return log != manifest.active.segment && Some(log) != full;
    }
    if let Some(log) = of(".ckp") {
        return log != manifest.active.segment;
    }
    let sealed = &manifest.sealed;
    if let Some(segment) = of(".seg").or(of(".idx")) {
        return sealed.binary_search_by_key(&segment, |sealed| sealed.segment).is_err();
    }
    if let Some(group) = of(".flt") {
        let at = sealed.partition_point(|sealed| sealed.segment < group);
        return sealed.get(at).is_none_or(|sealed| group_of(sealed.segment) != group);
    }
    [".seg.next", ".idx.next", ".flt.next"].iter().any(|ending| name.ends_with(ending))
}
