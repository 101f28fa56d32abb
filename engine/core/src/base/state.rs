//! The numbers of kinds of state, what one source has of a key, and the digests by which
//! filters know keys.

use std::sync::LazyLock;

use crate::base::id::EventId;

/// The number of a kind of state in the files of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KindId(u8);

/// Kinds of state by their numbers, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KindSet(pub(crate) [u8; 32]);

/// What one source has of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What the source itself says, folded.
    pub(crate) own: Option<Vec<u8>>,
    /// What was carried over into it: the number of the last segment that the value
    /// speaks for, and the value. Ascending, each number once.
    pub(crate) carried: Vec<(u64, Vec<u8>)>,
}

impl KindId {
    /// How far a source of events has been read.
    pub(crate) const CHECKPOINT: Self = Self(6);
    /// What was above an event that has expired.
    pub(crate) const LINEAGE: Self = Self(12);
    /// Those that every store has, and that no process lacks.
    pub(crate) const BUILT_IN: [Self; 2] = [Self::CHECKPOINT, Self::LINEAGE];
    /// Those that every store of format 1 has, with their names.
    pub(crate) const OF_FORMAT_1: [(Self, &str); 2] =
        [(Self(4), "session"), (Self(5), "relationship")];
    /// The numbers of all others.
    pub(crate) const HANDED_IN: std::ops::RangeInclusive<u8> = 16..=255;

    pub(crate) const fn new(number: u8) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> u8 {
        self.0
    }

    /// Whether a newer value says all, so that older ones need not be read.
    pub(crate) fn replaces(self) -> bool {
        Self::BUILT_IN.contains(&self)
    }
}

impl KindSet {
    pub(crate) fn has(&self, kind: KindId) -> bool {
        self.0[usize::from(kind.0 / 8)] & (1 << (kind.0 % 8)) != 0
    }

    /// Those that are in it, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = KindId> {
        (0..=u8::MAX).map(KindId).filter(|&kind| self.has(kind))
    }
}

impl FromIterator<KindId> for KindSet {
    fn from_iter<I: IntoIterator<Item = KindId>>(kinds: I) -> Self {
        let mut bits = [0; 32];
        for KindId(number) in kinds {
            bits[usize::from(number / 8)] |= 1 << (number % 8);
        }
        Self(bits)
    }
}

/// The 128 bits by which filters know a key.
pub(crate) fn digest(kind: KindId, key: &str) -> [u8; 16] {
    digest_of(&[&[kind.number(), 1], key.as_bytes()])
}

/// The 128 bits by which filters know that there is any key of a kind.
pub(crate) fn kind_digest(kind: KindId) -> [u8; 16] {
    digest_of(&[&[kind.number(), 0]])
}

/// What sources are asked for in place of the id of an event.
pub(crate) fn filter_id(digest: [u8; 16]) -> EventId {
    EventId::from_uuid_bytes(digest)
}

fn digest_of(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = HASHER.clone();
    for part in parts {
        hasher.update(part);
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

static HASHER: LazyLock<blake3::Hasher> =
    LazyLock::new(|| blake3::Hasher::new_derive_key(STATE_KEYS));
/// The domain of the digests of keys of state.
const STATE_KEYS: &str = "forebear 2026 keys of state";
