//! Equality of content: whether two records with one id are repeats or versions.

use std::hash::{Hash, Hasher};

use crate::log::fields::ArchivedEventMeta;

/// A record's fields and payload.
pub(crate) type Content<'r> = (&'r ArchivedEventMeta, Option<&'r [u8]>);

/// Whether a record that is stored says what this one says: the same payload, or where neither
/// has one the same fields.
///
/// Of a revision the labels count beside its payload: a span that ends has other labels and the
/// payload with which it began. Not where a format is named: there the labels follow from the
/// payload and from what the importer knew, so that reading a file again must add nothing.
pub(crate) fn same_content(stored: Content<'_>, new: Content<'_>) -> bool {
    let ((stored, stored_payload), (fields, payload)) = (stored, new);
    match (stored_payload, payload) {
        (Some(a), Some(b)) => a == b && (!labels_count(fields) || same_labels(stored, fields)),
        (None, None) => same_fields(stored, fields),
        _ => false,
    }
}

/// Which rows of an id a new record is compared with, in order: oldest first, or for revisions
/// newest first. Only where revisions repeat a payload are there many; beyond the bound one more
/// is kept, and nothing lost.
pub(crate) fn compared(
    rows: impl DoubleEndedIterator<Item = u32>,
    fields: &ArchivedEventMeta,
) -> Vec<u32> {
    if labels_count(fields) {
        rows.rev().take(MAX_COMPARED).collect()
    } else {
        rows.take(MAX_COMPARED).collect()
    }
}

/// Whether the labels count beside a payload.
fn labels_count(fields: &ArchivedEventMeta) -> bool {
    fields.is_revision() && fields.payload_type().is_none()
}

fn same_labels(a: &ArchivedEventMeta, b: &ArchivedEventMeta) -> bool {
    a.kind() == b.kind() && a.usage() == b.usage() && a.labels().eq(b.labels())
}

/// Whether two records have the same fields.
fn same_fields(a: &ArchivedEventMeta, b: &ArchivedEventMeta) -> bool {
    // The scope is left out: it says no more of what happened.
    a.link_number() == b.link_number()
        && same_labels(a, b)
        && a.time_ns == b.time_ns
        && a.instance() == b.instance()
        && a.session() == b.session()
        && a.parent_id() == b.parent_id()
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

/// The most records of one id that a new one is compared with.
const MAX_COMPARED: usize = 64;
