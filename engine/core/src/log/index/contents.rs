//! The copies of an event, and fingerprints of their contents: which are versions, and which repeats.

use std::hash::{BuildHasher, Hash, Hasher};

use crate::log::content::hash_fields;
use crate::log::fields::ArchivedEventMeta;
use crate::log::index::Index;

impl Index {
    /// The later versions of an event, in the order in which they were stored.
    pub(crate) fn versions(&self, first: u32) -> &[u32] {
        self.versions.get(&first).map_or(&[], Vec::as_slice)
    }

    /// The rows of copies of an event whose content may be this: those with the
    /// fingerprint, and the event itself while its own is not known.
    pub(crate) fn candidates(
        &self,
        first: u32,
        fingerprint: u64,
    ) -> impl DoubleEndedIterator<Item = u32> {
        let known = self.event_contents.get(&first);
        let first_copy = known.is_none_or(|&known| known == fingerprint).then_some(first);
        let versions = self.version_contents.get(&(first, fingerprint));
        first_copy.into_iter().chain(versions.into_iter().flatten().copied())
    }

    /// Whether the fingerprint of an event is known.
    pub(crate) fn knows_content(&self, first: u32) -> bool {
        self.event_contents.contains_key(&first)
    }

    /// Keeps the fingerprint of an event, so that its record is read for one comparison
    /// alone.
    pub(crate) fn keep_content(&mut self, first: u32, fingerprint: u64) {
        self.event_contents.insert(first, fingerprint);
    }

    /// A hash of an event's content: of the payload, or of the fields where there is none.
    /// Keyed at random, so that it differs from index to index.
    pub(crate) fn fingerprint(&self, fields: &ArchivedEventMeta, payload: Option<&[u8]>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        payload.is_some().hash(&mut hasher);
        match payload {
            Some(payload) => hasher.write(payload),
            None => hash_fields(fields, &mut hasher),
        }
        hasher.finish()
    }
}
