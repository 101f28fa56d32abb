//! Binary fuse filters: whether a segment may hold or name an id (Graf and Lemire,
//! "Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022).
//!
//! A probe reads three slots from the bytes of the file. Geometries come in size classes and
//! seeds from a short list, so that most filters agree in both and can be merged: see
//! [`filter_group`](crate::segment::filter_group).

/// The layout of a filter and its seed. Filters that differ in nothing but the seed can be
/// merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    /// The index of the seed: the first with which the filter could be built.
    attempt: u8,
    /// The binary logarithm of the slots in a block.
    block_log2: u8,
    /// Blocks in which a key's first slot can lie. There are two more behind them.
    blocks: u32,
}

/// The slots and the fingerprint of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) slots: [usize; 3],
    pub(crate) fingerprint: u16,
}

/// The probe of a key for each of the seeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probes(pub(crate) [Probe; SEEDS.len()]);

/// A filter that is probed in the bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FilterView<'a> {
    geometry: Geometry,
    slots: &'a [[u8; 2]],
}

/// The 64 bits by which filters know an id. Ids made to collide cause false positives and
/// nothing worse.
pub(crate) fn filter_key(key: &[u8; 16]) -> u64 {
    let number = u128::from_le_bytes(*key);
    scramble(scramble(number as u64) ^ (number >> 64) as u64)
}

/// Builds a filter of these distinct keys. None where no seed works, which takes keys that
/// were made for it.
pub(crate) fn build(keys: &[u64]) -> Option<Vec<u8>> {
    (0..SEEDS.len()).find_map(|attempt| build_with(attempt as u8, keys))
}

/// Builds a filter with one of the seeds.
pub(crate) fn build_with(attempt: u8, keys: &[u64]) -> Option<Vec<u8>> {
    let geometry = Geometry::for_keys(keys.len(), attempt)?;
    Some(to_bytes(geometry, &fill(geometry, keys)?))
}

impl<'a> FilterView<'a> {
    /// Opens the bytes of a filter; none where they are not those of one. A probe stays
    /// within the bytes whatever they are.
    pub(crate) fn open(bytes: &'a [u8]) -> Option<Self> {
        let (head, slots) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let geometry = Geometry::from_bytes(*head.strip_prefix(&MAGIC)?.first_chunk()?)?;
        let (slots, rest) = slots.as_chunks::<2>();
        let fits = rest.is_empty() && geometry.slots() == slots.len();
        fits.then_some(Self { geometry, slots })
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Whether it may have a key: false positives are about 1 in 65,000. Three reads.
    pub(crate) fn may_have(&self, key: u64) -> bool {
        let Probe { slots: [a, b, c], fingerprint } = self.geometry.probe(key);
        fingerprint == self.slot(a) ^ self.slot(b) ^ self.slot(c)
    }

    /// The offset of a slot in the bytes of a filter.
    pub(crate) fn place(slot: usize) -> usize {
        HEAD_BYTES + 2 * slot
    }

    /// The fingerprint bits in a slot.
    pub(crate) fn slot(&self, at: usize) -> u16 {
        // `open` checked that the slots of the geometry are all there.
        self.slots.get(at).copied().map_or(0, u16::from_le_bytes)
    }
}

impl Geometry {
    /// The geometry for this number of keys: that of the next larger size class.
    fn for_keys(keys: usize, attempt: u8) -> Option<Self> {
        let class = CLASSES.iter().copied().find(|class| keys <= class.keys)?;
        Some(Self { attempt, block_log2: class.block_log2, blocks: class.blocks })
    }

    /// How many slots there are.
    pub(crate) fn slots(self) -> usize {
        (self.blocks as usize + 2) << self.block_log2
    }

    /// Parses a geometry; none where no filter can have it.
    pub(crate) fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        let [attempt, block_log2, 0, 0, blocks @ ..] = bytes else {
            return None;
        };
        let blocks = u32::from_le_bytes(blocks);
        let makes_sense = usize::from(attempt) < SEEDS.len()
            && block_log2 <= MAX_BLOCK_LOG2
            && (1..=MAX_BLOCKS).contains(&blocks);
        makes_sense.then_some(Self { attempt, block_log2, blocks })
    }

    /// As on disk.
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        let [a, b, c, d] = self.blocks.to_le_bytes();
        [self.attempt, self.block_log2, 0, 0, a, b, c, d]
    }

    /// This geometry with the first seed, and the index of its own.
    pub(crate) fn seedless(self) -> (Self, usize) {
        (Self { attempt: 0, ..self }, usize::from(self.attempt))
    }

    /// The probes of a key in filters with each of the seeds.
    pub(crate) fn probes(self, key: u64) -> Probes {
        Probes(SEEDS.map(|seed| self.probe_hash(scramble(key.wrapping_add(seed)))))
    }

    /// The probe of a key.
    #[inline]
    pub(crate) fn probe(self, key: u64) -> Probe {
        let seed = SEEDS.get(usize::from(self.attempt)).copied().unwrap_or_default();
        self.probe_hash(scramble(key.wrapping_add(seed)))
    }

    #[inline]
    fn probe_hash(self, hash: u64) -> Probe {
        let block = 1 << self.block_log2;
        let starts = u64::from(self.blocks) << self.block_log2;
        let first = ((u128::from(hash) * u128::from(starts)) >> 64) as usize;
        let second = (first + block) ^ ((hash >> 18) as usize & (block - 1));
        let third = (first + 2 * block) ^ (hash as usize & (block - 1));
        Probe { slots: [first, second, third], fingerprint: (hash ^ (hash >> 32)) as u16 }
    }
}

/// Fills the slots by peeling; none where the keys have a core that this seed can't peel.
fn fill(geometry: Geometry, keys: &[u64]) -> Option<Vec<u16>> {
    let seed = *SEEDS.get(usize::from(geometry.attempt))?;
    let hashes = keys.iter().map(|&key| scramble(key.wrapping_add(seed)));
    // For each slot the number of keys that use it and the xor of their hashes, which for
    // one key is its hash.
    let mut users = vec![(0u32, 0u64); geometry.slots()];
    for hash in hashes {
        for slot in geometry.probe_hash(hash).slots {
            users[slot].0 += 1;
            users[slot].1 ^= hash;
        }
    }
    // Peel: take out a key that is alone in a slot, until none is left.
    let mut alone: Vec<u32> =
        (0..users.len() as u32).filter(|&slot| users[slot as usize].0 == 1).collect();
    let mut taken: Vec<(u64, u32)> = Vec::with_capacity(keys.len());
    while let Some(slot) = alone.pop() {
        let (count, hash) = users[slot as usize];
        if count != 1 {
            continue;
        }
        taken.push((hash, slot));
        for other in geometry.probe_hash(hash).slots {
            let user = &mut users[other];
            user.0 -= 1;
            user.1 ^= hash;
            if user.0 == 1 {
                alone.push(other as u32);
            }
        }
    }
    if taken.len() != keys.len() {
        return None;
    }
    // In reverse order each key sets the slot in which it was alone. Its other slots are
    // final by then: no key that was peeled before it sets them.
    let mut slots = vec![0u16; geometry.slots()];
    for &(hash, own) in taken.iter().rev() {
        let Probe { slots: [a, b, c], fingerprint } = geometry.probe_hash(hash);
        slots[own as usize] = 0;
        slots[own as usize] = fingerprint ^ slots[a] ^ slots[b] ^ slots[c];
    }
    Some(slots)
}

fn to_bytes(geometry: Geometry, slots: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + 2 * slots.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&geometry.to_bytes());
    bytes.extend(slots.iter().flat_map(|slot| slot.to_le_bytes()));
    bytes
}

/// Mixes the bits of a number, one to one: the finalizer of `MurmurHash3`.
#[inline]
fn scramble(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xff51_afd7_ed55_8ccd);
    number ^= number >> 33;
    number = number.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

/// The geometry of filters with at most this number of keys.
#[derive(Clone, Copy, Debug)]
struct Class {
    keys: usize,
    block_log2: u8,
    blocks: u32,
}

const fn class(keys: usize, block_log2: u8, blocks: u32) -> Class {
    Class { keys, block_log2, blocks }
}

const MAGIC: [u8; 4] = *b"FBF1";
/// The magic number and the geometry; two bytes a slot follow.
const HEAD_BYTES: usize = 12;
const MAX_BLOCK_LOG2: u8 = 16;
const MAX_BLOCKS: u32 = 1 << 14;
/// The seeds in the order in which they are tried. The first nearly always works.
pub(crate) const SEEDS: [u64; 4] =
    [0x0f0e_bea7_0f0e_bea7, 0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b];
/// The size classes: the fewest slots and shortest blocks with which at most about one set
/// of keys in a hundred needs another seed than the first.
const CLASSES: [Class; 25] = [
    class(16, 4, 3),
    class(64, 5, 4),
    class(256, 7, 1),
    class(1024, 8, 5),
    class(2048, 8, 10),
    class(4096, 9, 10),
    class(6144, 9, 14),
    class(9216, 9, 21),
    class(13_312, 10, 15),
    class(18_432, 10, 21),
    class(26_624, 10, 31),
    class(36_864, 11, 22),
    class(53_248, 11, 30),
    class(73_728, 12, 20),
    class(106_496, 12, 29),
    class(147_456, 12, 41),
    class(212_992, 12, 58),
    class(294_912, 13, 40),
    class(425_984, 13, 58),
    class(589_824, 13, 80),
    class(851_968, 13, 117),
    class(1_179_648, 13, 163),
    class(1_703_936, 14, 117),
    class(2_359_296, 14, 163),
    class(4_194_304, 14, 291),
];

#[cfg(test)]
mod tests {
    use xorf::{BinaryFuse16, Filter as _};

    use super::*;
    use crate::base::random::Random;

    fn random_keys(count: usize, seed: u64) -> Vec<u64> {
        let mut random = Random::new(seed);
        (0..count).map(|_| random.next()).collect()
    }

    #[test]
    fn a_filter_has_its_keys_and_hardly_any_others() {
        for count in [0, 1, 2, 60, 1000, 20_000] {
            let keys = random_keys(count, 1);
            let bytes = build(&keys).expect("builds");
            let filter = FilterView::open(&bytes).expect("opens");
            assert!(keys.iter().all(|&key| filter.may_have(key)));
            let others = random_keys(100_000, 2);
            let wrong = others.iter().filter(|&&key| filter.may_have(key)).count();
            assert!(wrong < 20, "{wrong} of 100,000");
        }
    }

    #[test]
    fn slots_and_fingerprints_are_those_of_xorf() {
        let keys = random_keys(20_000, 3);
        let theirs = BinaryFuse16::try_from(&keys).expect("builds");
        let block = theirs.descriptor.segment_length;
        let geometry = Geometry {
            attempt: 0,
            block_log2: block.ilog2() as u8,
            blocks: theirs.descriptor.segment_count_length / block,
        };
        let bytes = to_bytes(geometry, &theirs.fingerprints);
        let ours = FilterView::open(&bytes).expect("opens");
        for key in keys.into_iter().chain(random_keys(200_000, 4)) {
            // A key less our seed and plus theirs is hashed by us as theirs is by them.
            let shifted = key.wrapping_add(theirs.descriptor.seed).wrapping_sub(SEEDS[0]);
            assert_eq!(ours.may_have(shifted), theirs.contains(&key));
        }
    }

    #[test]
    fn keys_made_to_collide_end_in_no_filter() {
        let mut keys = random_keys(1000, 5);
        for attempt in 0..SEEDS.len() as u8 {
            let geometry = Geometry::for_keys(1100, attempt).expect("a class");
            let slots = |key| {
                let mut slots = geometry.probe(key).slots;
                slots.sort_unstable();
                slots
            };
            let mut random = Random::new(6);
            let mut seen = std::collections::HashMap::new();
            let pair = loop {
                let key = random.next();
                if let Some(other) = seen.insert(slots(key), key) {
                    break [key, other];
                }
            };
            keys.extend(pair);
        }
        assert!(build(&keys).is_none());
    }

    #[test]
    fn no_bytes_lead_a_probe_astray() {
        let bytes = build(&random_keys(100, 1)).expect("builds");
        for length in 0..bytes.len() {
            assert!(FilterView::open(&bytes[..length]).is_none());
        }
        for at in 0..HEAD_BYTES {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                if let Some(filter) = FilterView::open(&bytes) {
                    for key in random_keys(1000, 2) {
                        let _ = filter.may_have(key);
                        let last = filter.geometry.probe(key).slots[2];
                        assert!(last < filter.slots.len());
                    }
                }
            }
        }
    }
}
