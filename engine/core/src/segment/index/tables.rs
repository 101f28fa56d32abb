//! What the entries of an index are: the first byte of each key says it.

/// A kind of entry, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// What the index as a whole is.
    Head = 1,
    /// Rows by id.
    Ids,
    /// Groups of long lists.
    Lists,
    /// Lists by what all rows in them have.
    Dimensions,
    /// Lists of children by parent.
    Children,
    /// Lists of children by the key of a parent that is not in the segment.
    AbsentParents,
    /// Asserted links, refused ones and cycle edges, each in full.
    Links,
    /// Where they stand, by the keys of their ends.
    LinkEnds,
    /// Parents that are named and were not stored.
    Awaited,
    /// Where quarantined input lies.
    Quarantined,
    QuarantineKeys,
    /// Rows of versions by id and content.
    Versions,
    /// What is said of keys, folded.
    State,
    /// By the sequence number of a row that is replaced, the row that replaces it.
    Superseded,
}

impl Table {
    /// A key of this kind.
    pub(super) fn key(self, rest: &[&[u8]]) -> Vec<u8> {
        let mut key = vec![self as u8];
        for part in rest {
            key.extend_from_slice(part);
        }
        key
    }

    /// What comes after the kind in a key of this kind.
    pub(super) fn rest(self, key: &[u8]) -> Option<&[u8]> {
        key.strip_prefix(&[self as u8])
    }
}
