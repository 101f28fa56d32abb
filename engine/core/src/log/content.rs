//! Equality of content: whether two records with one id are repeats or versions.

use std::hash::{Hash, Hasher};

use crate::log::fields::ArchivedEventMeta;
use crate::log::record::RecordView;

/// Whether a record has the same payload, or where neither has one the same fields.
pub(crate) fn same_content(
    record: &RecordView,
    fields: &ArchivedEventMeta,
    payload: Option<&[u8]>,
) -> bool {
    match (record.payload(), payload) {
        (Some(a), Some(b)) => a == b,
        (None, None) => same_fields(record.fields(), fields),
        _ => false,
    }
}

/// Whether two records without payloads have the same fields.
pub(crate) fn same_fields(a: &ArchivedEventMeta, b: &ArchivedEventMeta) -> bool {
    // The scope is left out: it says no more of what happened.
    a.link_number() == b.link_number()
        && a.kind() == b.kind()
        && a.time_ns == b.time_ns
        && a.instance() == b.instance()
        && a.session() == b.session()
        && a.parent_id() == b.parent_id()
        && a.usage() == b.usage()
        && a.labels().eq(b.labels())
}

pub(crate) fn hash_fields(fields: &ArchivedEventMeta, hasher: &mut impl Hasher) {
    fields.link_number().hash(hasher);
    fields.kind().hash(hasher);
    fields.time_ns.to_native().hash(hasher);
    fields.instance().hash(hasher);
    fields.session().hash(hasher);
    fields.parent_id().hash(hasher);
    fields.usage().hash(hasher);
    fields.labels().for_each(|label| label.hash(hasher));
}
