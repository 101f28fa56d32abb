//! Filter groups: the filters of up to 64 segments, bit-sliced, so that one probe says which
//! of them may have a key.
//!
//! Each slot has a word for each bit of the fingerprint, and each word a bit for each
//! segment. The words of the lower eight bits are one cache line; those of the upper eight
//! are in a second plane, which a probe reads only if the lower let a segment through, about
//! one in four. The answer is exactly that of the segments' own filters, which therefore need
//! not be open: a large store has too many.
//!
//! The file is a head, zeros up to a page, the two planes, a digest of each page so far and a
//! digest of the digests. A page is checked when it is first probed.

use crate::base::error::Result;
use crate::segment::filter::{FilterView, Geometry, Probe, Probes, SEEDS};
use crate::segment::pages::{FileBytes, PageSet, page_digest};

/// Segments in a group.
pub(crate) const GROUP_SEGMENTS: usize = 64;

/// A group that is probed in the bytes of a file.
#[derive(Debug)]
pub(crate) struct GroupView<B> {
    bytes: B,
    /// The geometry of its filters, with the first seed.
    geometry: Geometry,
    members: SegmentBits,
    slots: usize,
    /// The pages that were checked, and those of them that are sound.
    checked: PageSet,
    unsound: PageSet,
    /// The pages that were read since the map was last released.
    read: PageSet,
}

/// The geometry, seeds aside, that most of these filters share, and which of them do. None
/// where there is no filter.
pub(crate) fn members(filters: &[Option<FilterView<'_>>]) -> Option<(Geometry, SegmentBits)> {
    let have = |geometry| {
        let mut members: SegmentBits = [0; SEEDS.len()];
        for (number, filter) in (0..GROUP_SEGMENTS).zip(filters) {
            let seedless = filter.map(|filter| filter.geometry().seedless());
            if let Some((_, seed)) = seedless.filter(|&(of, _)| of == geometry) {
                members[seed] |= 1 << number;
            }
        }
        members
    };
    let geometries = filters.iter().flatten().map(|filter| filter.geometry().seedless().0);
    let found = geometries.map(|geometry| (geometry, have(geometry)));
    // `max_by_key` takes the last of equals: reversed, the first.
    found.rev().max_by_key(|(_, members)| all_of(members).count_ones())
}

/// For each seed, a bit for each segment whose filter has it.
pub(crate) type SegmentBits = [u64; SEEDS.len()];

fn all_of(members: &SegmentBits) -> u64 {
    members.iter().fold(0, |all, some| all | some)
}

/// Writes the group of these filters, front to back, a page at a time. The nth is that of
/// the group's nth segment. Filters that are missing or of another geometry than most are no
/// members: they are probed one by one. Returns whether there was a member to write.
pub(crate) fn write(
    filters: &[Option<FilterView<'_>>],
    mut to: impl FnMut(&[u8]) -> Result<()>,
) -> Result<bool> {
    let Some((geometry, by_seed)) = members(filters) else {
        return Ok(false);
    };
    let members = all_of(&by_seed);
    let mut head = [0; PAGE_BYTES];
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&geometry.to_bytes());
    head[16..HEAD_BYTES].copy_from_slice(by_seed.map(u64::to_le_bytes).as_flattened());
    let mut digests = Vec::with_capacity(file_pages(geometry) * DIGEST_BYTES);
    digests.extend_from_slice(&page_digest(&head));
    to(&head)?;
    let of_group: Vec<Option<&FilterView<'_>>> = (0..GROUP_SEGMENTS)
        .map(|number| filters.get(number)?.as_ref().filter(|_| members & (1 << number) != 0))
        .collect();
    let mut page = Vec::with_capacity(PAGE_BYTES);
    for plane in 0..PLANES {
        for first in (0..geometry.slots()).step_by(SLOTS_PER_PAGE) {
            page.clear();
            for slot in first..geometry.slots().min(first + SLOTS_PER_PAGE) {
                let words = words_of(&of_group, plane, slot);
                page.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            }
            page.resize(PAGE_BYTES, 0);
            digests.extend_from_slice(&page_digest(&page));
            to(&page)?;
        }
    }
    let over_all = page_digest(&digests);
    digests.extend_from_slice(&over_all);
    to(&digests)?;
    Ok(true)
}

impl GroupView<FileBytes> {
    /// About how many bytes of its map are in memory.
    pub(crate) fn resident_bytes(&self) -> usize {
        self.read.resident_bytes()
    }

    /// Prefetches the cache lines that a probe reads first.
    pub(crate) fn prefetch(&self, probes: &Probes) {
        for (_, probe) in self.asked(probes) {
            for slot in probe.slots {
                self.bytes.prefetch_line(PAGE_BYTES + slot * SLOT_BYTES);
            }
        }
    }

    /// Releases the pages of its map to the system. Checked pages count as checked when
    /// they are read again, as they do where the system evicts them.
    pub(crate) fn release(&self) {
        self.read.clear();
        self.bytes.release();
    }
}

impl<B: AsRef<[u8]>> GroupView<B> {
    /// Opens the bytes of a group; none where they are not those of one. Digests the page
    /// digests, 16 bytes a page.
    pub(crate) fn open(bytes: B) -> Option<Self> {
        let file = bytes.as_ref();
        let head = file.first_chunk::<HEAD_BYTES>()?;
        let (magic, rest) = head.split_first_chunk::<8>()?;
        let (geometry, members) = rest.split_first_chunk::<8>()?;
        let (geometry, 0) = Geometry::from_bytes(*geometry)?.seedless() else { return None };
        let pages = file_pages(geometry);
        let length = (pages * PAGE_BYTES) + (pages + 1) * DIGEST_BYTES;
        if *magic != MAGIC || file.len() != length {
            return None;
        }
        let (digests, over_all) = file[pages * PAGE_BYTES..].split_last_chunk::<DIGEST_BYTES>()?;
        if page_digest(digests) != *over_all {
            return None;
        }
        let mut by_seed: SegmentBits = [0; SEEDS.len()];
        for (members, bytes) in by_seed.iter_mut().zip(members.as_chunks::<8>().0) {
            *members = u64::from_le_bytes(*bytes);
        }
        let members = by_seed;
        let (slots, [checked, unsound, read]) =
            (geometry.slots(), [(); 3].map(|()| PageSet::new(pages)));
        let group = Self { bytes, geometry, members, slots, checked, unsound, read };
        group.is_sound(0).then_some(group)
    }

    /// The first page that does not match its digest. Reads all pages.
    pub(crate) fn unsound_page(&self) -> Option<usize> {
        (0..file_pages(self.geometry)).find(|&page| !self.is_sound(page))
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The members, a bit each. Other segments have to be asked by their own filters.
    pub(crate) fn members(&self) -> u64 {
        all_of(&self.members)
    }

    /// The members that may have a key, a bit each. None where a page is damaged. Reads
    /// three cache lines, and three more where those don't rule out every member.
    pub(crate) fn probe(&self, key: u64) -> Option<u64> {
        self.probe_at(&self.geometry.probes(key))
    }

    /// [`probe`](Self::probe) with the probes of the key for this geometry at hand.
    pub(crate) fn probe_at(&self, probes: &Probes) -> Option<u64> {
        let mut all = 0;
        for (members, Probe { slots, fingerprint }) in self.asked(probes) {
            let mut left = members;
            for plane in 0..PLANES {
                left &= self.equal_in(plane, slots, fingerprint >> (plane * PLANE_BITS))?;
                if left == 0 {
                    break;
                }
            }
            all |= left;
        }
        Some(all)
    }

    /// For each seed that a member has, those members and the key's probe.
    fn asked(&self, Probes(probes): &Probes) -> impl Iterator<Item = (u64, Probe)> {
        let by_seed = self.members.iter().copied().zip(probes.iter().copied());
        by_seed.filter(|&(members, _)| members != 0)
    }

    /// The segments whose filters agree with the fingerprint in the bits of one plane.
    #[inline]
    fn equal_in(&self, plane: usize, slots: [usize; 3], fingerprint: u16) -> Option<u64> {
        let mut differ = [0; PLANE_BITS];
        for (bit, word) in differ.iter_mut().enumerate() {
            // All ones where the fingerprint has the bit, else zeros.
            *word = 0u64.wrapping_sub(u64::from(fingerprint >> bit & 1));
        }
        for slot in slots {
            let words = self.words(plane, slot)?;
            for (word, bytes) in differ.iter_mut().zip(words.as_chunks::<8>().0) {
                *word ^= u64::from_le_bytes(*bytes);
            }
        }
        Some(!differ.into_iter().fold(0, |any, word| any | word))
    }

    /// The words of a slot in one plane; none where the page is damaged.
    #[inline]
    fn words(&self, plane: usize, slot: usize) -> Option<&[u8; SLOT_BYTES]> {
        debug_assert!(slot < self.slots);
        let page = 1 + plane * plane_pages(self.geometry) + slot / SLOTS_PER_PAGE;
        if !self.read.has(page) && !self.read_first(page) {
            return None;
        }
        let at = page * PAGE_BYTES + slot % SLOTS_PER_PAGE * SLOT_BYTES;
        self.bytes.as_ref().get(at..)?.first_chunk()
    }

    /// Whether a page that was not read since the last release is sound.
    #[cold]
    fn read_first(&self, page: usize) -> bool {
        let sound = self.checked.has(page) || self.is_sound(page);
        if sound {
            self.read.set(page);
        }
        sound
    }

    /// Checks a page against its digest, once.
    #[cold]
    fn is_sound(&self, page: usize) -> bool {
        if self.unsound.has(page) {
            return false;
        }
        let bytes = self.bytes.as_ref();
        let digests = file_pages(self.geometry) * PAGE_BYTES;
        let expected = &bytes[digests + page * DIGEST_BYTES..][..DIGEST_BYTES];
        let sound = page_digest(&bytes[page * PAGE_BYTES..][..PAGE_BYTES]) == *expected;
        let found = if sound { &self.checked } else { &self.unsound };
        found.set(page);
        sound
    }
}

/// The number of pages of the head and the planes.
fn file_pages(geometry: Geometry) -> usize {
    1 + PLANES * plane_pages(geometry)
}

fn plane_pages(geometry: Geometry) -> usize {
    geometry.slots().div_ceil(SLOTS_PER_PAGE)
}

/// The words of a slot in one of the planes, made from the filters.
fn words_of(filters: &[Option<&FilterView<'_>>], plane: usize, slot: usize) -> [u64; PLANE_BITS] {
    let mut words = [0u64; PLANE_BITS];
    // Eight segments at a time: a byte of each in one word, transposed.
    for (eight, filters) in filters.chunks(8).enumerate() {
        let mut bytes = [0; 8];
        for (byte, filter) in bytes.iter_mut().zip(filters) {
            *byte = filter.map_or(0, |filter| filter.slot(slot).to_le_bytes()[plane]);
        }
        let turned = transpose(u64::from_le_bytes(bytes)).to_le_bytes();
        for (word, byte) in words.iter_mut().zip(turned) {
            *word |= u64::from(byte) << (8 * eight);
        }
    }
    words
}

/// Transposes an 8×8 matrix of bits ("Hacker's Delight", 7-3).
fn transpose(mut square: u64) -> u64 {
    for (shift, mask) in
        [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)]
    {
        let moved = (square ^ (square >> shift)) & mask;
        square ^= moved ^ (moved << shift);
    }
    square
}

const MAGIC: [u8; 8] = *b"FBGROUP2";
const HEAD_BYTES: usize = 16 + 8 * SEEDS.len();
const PAGE_BYTES: usize = 4096;
const DIGEST_BYTES: usize = 16;
/// The planes of a fingerprint, and the bits of each.
const PLANES: usize = 2;
const PLANE_BITS: usize = 8;
/// Bytes of a slot in one plane: a cache line.
const SLOT_BYTES: usize = 8 * PLANE_BITS;
const SLOTS_PER_PAGE: usize = PAGE_BYTES / SLOT_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use crate::segment::filter;

    fn filters(count: u64, keys: usize) -> (Vec<Vec<u64>>, Vec<Vec<u8>>) {
        let mut random = Random::new(count);
        let keys: Vec<Vec<u64>> =
            (0..count).map(|_| (0..keys).map(|_| random.next()).collect()).collect();
        let filters = keys.iter().map(|keys| filter::build(keys).expect("builds")).collect();
        (keys, filters)
    }

    fn merged(filters: &[Option<FilterView<'_>>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let append = |page: &[u8]| {
            bytes.extend_from_slice(page);
            Ok(())
        };
        assert!(write(filters, append).expect("writes"));
        bytes
    }

    fn probe(group: &GroupView<Vec<u8>>, key: u64) -> u64 {
        group.probe(key).expect("is as it was written")
    }

    #[test]
    fn a_group_answers_as_its_filters_do() {
        let (keys, mut bytes) = filters(64, 500);
        for number in [3, 40] {
            let other =
                (1..SEEDS.len() as u8).find_map(|seed| filter::build_with(seed, &keys[number]));
            bytes[number] = other.expect("builds");
        }
        let mut views: Vec<_> = bytes.iter().map(|bytes| FilterView::open(bytes)).collect();
        views[7] = None;
        let group = GroupView::open(merged(&views)).expect("opens");
        let missing = !group.members();
        assert_eq!(missing, 1 << 7, "also those that needed another seed");
        let (_, by_seed) = members(&views).expect("a geometry");
        assert!(by_seed[1..].iter().any(|&members| members != 0), "one did");
        for (number, keys) in keys.iter().enumerate().filter(|&(n, _)| missing & (1 << n) == 0) {
            assert!(keys.iter().all(|&key| probe(&group, key) & (1 << number) != 0));
        }
        let mut random = Random::new(99);
        let others: Vec<u64> = (0..50_000).map(|_| random.next()).collect();
        for &key in &others {
            for (number, view) in views.iter().enumerate() {
                let may_have = view.is_some_and(|view| view.may_have(key));
                let is_member = missing & (1 << number) == 0;
                let says = probe(&group, key) & (1 << number) != 0;
                assert_eq!(says, may_have && is_member, "segment {number}");
            }
        }
    }

    #[test]
    fn damage_makes_a_group_say_maybe_or_nothing_at_all() {
        let (keys, bytes) = filters(3, 300);
        let views: Vec<_> = bytes.iter().map(|bytes| FilterView::open(bytes)).collect();
        let sound = merged(&views);
        for length in (0..sound.len()).step_by(509) {
            assert!(GroupView::open(&sound[..length]).is_none());
        }
        for at in (0..sound.len()).step_by(61) {
            let mut bytes = sound.clone();
            bytes[at] ^= 4;
            let Some(group) = GroupView::open(bytes) else { continue };
            for (number, keys) in keys.iter().enumerate() {
                let is_member = group.members() & (1 << number) != 0;
                assert!(keys.iter().all(|&key| {
                    group.probe(key).is_none_or(|maybe| !is_member || maybe >> number & 1 == 1)
                }));
            }
        }
    }
}
