//! Candidates: which segments of a store may hold or name an id, by their filters and by
//! groups of 64 merged filters, so that a lookup stays cheap in a large store.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::sync::RwLock;
use crate::base::sync::atomic::{AtomicU8, Ordering};
use crate::manifest::Sealed;
use crate::manifest::seg_name;
use crate::segment::file::SegFile;
use crate::segment::filter::{FilterView, Geometry, Probes, filter_key};
use crate::segment::filter_group::{self, GROUP_SEGMENTS, GroupView};
use crate::segment::pages::FileBytes;
use crate::storage::Storage;

/// The filters of a store's segments, opened on first use.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// By segment: the files that are open for a filter that no group has.
    single: RwLock<BTreeMap<u64, Arc<Single>>>,
    /// By the first segment of the group. `None` where its file is missing or damaged.
    groups: RwLock<BTreeMap<u64, Option<Arc<GroupView<FileBytes>>>>>,
}

/// The filter of one segment.
#[derive(Debug)]
struct Single {
    file: Arc<SegFile>,
    state: AtomicU8,
}

/// The states of a filter. One that is unusable answers "maybe" to everything.
const UNCHECKED: u8 = 0;
const SOUND: u8 = 1;
const UNUSABLE: u8 = 2;

impl Filters {
    /// The indices of the segments of a list that may hold or name an id, ascending. The
    /// numbers of the list's segments have no gaps.
    pub(crate) fn candidates(
        &self,
        storage: &dyn Storage,
        sealed: &[Sealed],
        id: &EventId,
    ) -> Vec<usize> {
        let (Some(first), Some(last)) = (sealed.first(), sealed.last()) else {
            return Vec::new();
        };
        let (first, groups) = (first.segment, group_of(first.segment)..=group_of(last.segment));
        let key = filter_key(&id.key());
        loop {
            let known = self.groups.read();
            // Most groups share a geometry, so that the probes are computed once. All groups
            // are prefetched before the first is read: their cache misses overlap.
            let mut place: Option<(Geometry, Probes)> = None;
            let mut probes = |view: &GroupView<FileBytes>| match place {
                Some((geometry, probes)) if geometry == view.geometry() => probes,
                _ => {
                    let probes = view.geometry().probes(key);
                    place = Some((view.geometry(), probes));
                    probes
                }
            };
            for view in known.range(groups.clone()).filter_map(|(_, view)| view.as_ref()) {
                view.prefetch(&probes(view));
            }
            let mut views = known.range(groups.clone());
            // Each with whether its group has answered for it; else its own filter must.
            let mut found: Vec<(usize, bool)> = Vec::new();
            let missing = groups.clone().step_by(GROUP_SEGMENTS).find(|&group| {
                let Some((_, view)) = views.next().filter(|(known, _)| **known == group) else {
                    return true;
                };
                let (maybe, members) = view.as_ref().map_or((0, 0), |view| {
                    // A damaged group rules out no segment.
                    let maybe = view.probe_at(&probes(view));
                    maybe.map_or((0, 0), |maybe| (maybe, view.members()))
                });
                // Segments that are no members are asked by their own filters.
                found.extend(numbers(sealed, group, maybe | !members).map(|number| {
                    let bit = first + number as u64 - group;
                    (number, members >> bit & 1 == 1)
                }));
                false
            });
            drop(known);
            match missing {
                None => return self.ask_singles(storage, sealed, key, found),
                Some(group) => self.open_groups(storage, group..=*groups.end()),
            }
        }
    }

    /// [`candidates`](Self::candidates) for many keys: calls `found` with the index of a
    /// key and that of a segment, in no order. Goes filter by filter, so that the reads of
    /// one filter overlap and hit the processor's cache.
    pub(crate) fn candidates_of(
        &self,
        storage: &dyn Storage,
        sealed: &[Sealed],
        keys: &[u64],
        mut found: impl FnMut(usize, usize),
    ) {
        let (Some(first), Some(last)) = (sealed.first(), sealed.last()) else { return };
        let groups = group_of(first.segment)..=group_of(last.segment);
        self.open_groups(storage, groups.clone());
        for group in groups.step_by(GROUP_SEGMENTS) {
            let view = self.groups.read().get(&group).and_then(Option::clone);
            let members = view.as_ref().map_or(0, |view| view.members());
            for (which, &key) in keys.iter().enumerate() {
                let Some(view) = &view else { break };
                if let Some(&ahead) = keys.get(which + KEYS_AHEAD) {
                    view.prefetch(&view.geometry().probes(ahead));
                }
                // A damaged group rules out no segment.
                let Some(maybe) = view.probe(key) else {
                    let asked = numbers(sealed, group, members);
                    asked.filter(|&n| self.may_have(storage, &sealed[n], key)).for_each(|number| {
                        found(which, number);
                    });
                    continue;
                };
                numbers(sealed, group, maybe).for_each(|number| found(which, number));
            }
            for number in numbers(sealed, group, !members) {
                let single = self.single(storage, &sealed[number]).ok();
                // A segment whose file can't be opened stays a candidate: opening it reports why.
                let filter = single.as_ref().and_then(|single| single.view());
                for (which, &key) in keys.iter().enumerate() {
                    if filter.is_none_or(|filter| filter.may_have(key)) {
                        found(which, number);
                    }
                }
            }
        }
    }

    /// The segments that may have a key. Asks the filters of those of which that is not
    /// known yet.
    fn ask_singles(
        &self,
        storage: &dyn Storage,
        sealed: &[Sealed],
        key: u64,
        mut maybe: Vec<(usize, bool)>,
    ) -> Vec<usize> {
        let singles = self.single.read();
        let single = |number: usize| singles.get(&sealed[number].segment);
        // Prefetched first, so that the cache misses of all filters overlap.
        for &(number, _) in maybe.iter().filter(|(_, known)| !known) {
            if let Some(single) = single(number) {
                single.prefetch(key);
            }
        }
        let mut unopened = false;
        maybe.retain_mut(|(number, known)| {
            if *known {
                return true;
            }
            let Some(single) = single(*number) else {
                unopened = true;
                return true;
            };
            *known = true;
            single.may_have(key)
        });
        drop(singles);
        if unopened {
            maybe.retain(|&(number, known)| known || self.may_have(storage, &sealed[number], key));
        }
        maybe.into_iter().map(|(number, _)| number).collect()
    }

    /// Merges the filters of the newest group where it has got [`MERGED_STEP`] segments more
    /// or is complete, and writes them. `sealed` is every sealed segment.
    pub(crate) fn merge_newest(&self, storage: &dyn Storage, sealed: &[Sealed]) -> Result<()> {
        let Some(last) = sealed.last().map(|sealed| sealed.segment) else { return Ok(()) };
        let group = group_of(last);
        if !(last + 1 - group).is_multiple_of(MERGED_STEP) {
            return Ok(());
        }
        self.merge(storage, sealed, group)
    }

    /// Merges and writes the filters of those segments of a group that are live.
    fn merge(&self, storage: &dyn Storage, sealed: &[Sealed], group: u64) -> Result<()> {
        // Indexed by place in the group: the first may have expired, the last not exist yet.
        let member = |segment: u64| {
            let at = sealed.binary_search_by_key(&segment, |sealed| sealed.segment).ok()?;
            self.single(storage, &sealed[at]).ok()
        };
        let singles: Vec<_> = (group..group + GROUP_SEGMENTS as u64).map(member).collect();
        let views: Vec<_> =
            singles.iter().map(|single| single.as_ref().and_then(|single| single.view())).collect();
        let (name, mut at) = (group_name(group), 0);
        let next = format!("{name}.next");
        let file = storage.create(&next).map_err(|error| Error::io("make", &next, error))?;
        let written = filter_group::write(&views, |bytes| {
            file.write_at(bytes, at).map_err(|error| Error::io("write", &next, error))?;
            at += bytes.len() as u64;
            Ok(())
        })?;
        if !written {
            return storage.unlink(&next).map_err(|error| Error::io("remove", &next, error));
        }
        file.sync().map_err(|error| Error::io("sync", &next, error))?;
        storage.rename(&next, &name).map_err(|error| Error::io("rename", &next, error))?;
        storage.sync_dir().map_err(|error| Error::io("sync the folder of", &name, error))?;
        self.groups.write().remove(&group);
        self.single.write().retain(|&segment, _| group_of(segment) != group);
        Ok(())
    }

    /// Repairs a group whose file is missing or damaged: merges its filters again, or where
    /// segments of it have expired removes the damaged file. Returns whether it did either.
    pub(crate) fn repair_group(
        &self,
        storage: &dyn Storage,
        sealed: &[Sealed],
        group: u64,
    ) -> Result<bool> {
        let name = group_name(group);
        let whole = sealed.iter().filter(|sealed| group_of(sealed.segment) == group).count()
            == GROUP_SEGMENTS;
        let view = open_group(storage, &name);
        let is_there = storage.open(&name).is_ok();
        if view.is_some_and(|view| view.unsound_page().is_none()) || (!is_there && !whole) {
            return Ok(false);
        }
        self.groups.write().remove(&group);
        if whole {
            self.merge(storage, sealed, group)?;
            return Ok(storage.open(&name).is_ok());
        }
        storage.unlink(&name).map_err(|error| Error::io("remove", &name, error))?;
        storage.sync_dir().map_err(|error| Error::io("sync the folder of", &name, error))?;
        Ok(true)
    }

    /// Drops what is kept of segments before this one. Returns the file names of groups
    /// that have no live segment any more.
    pub(crate) fn evict_before(&self, segment: u64, gone: Range<u64>) -> Vec<String> {
        self.single.write().retain(|&other, _| other >= segment);
        let groups = group_of(gone.start)..group_of(segment);
        self.groups.write().retain(|&group, _| group >= groups.end);
        groups.step_by(GROUP_SEGMENTS).map(group_name).collect()
    }

    /// Forgets groups that were missing or incomplete, so that they are opened anew.
    pub(crate) fn reopen_incomplete(&self) {
        let is_complete = |view: &Arc<GroupView<FileBytes>>| view.members() == u64::MAX;
        self.groups.write().retain(|_, view| view.as_ref().is_some_and(is_complete));
    }

    /// About how many bytes of maps are in memory for filters alone: those of groups, and of
    /// segments for which `counted` is false.
    pub(crate) fn resident_bytes(&self, counted: impl Fn(u64) -> bool) -> usize {
        let groups = self.groups.read();
        let groups = groups.values().flatten().map(|view| view.resident_bytes());
        let single = self.single.read();
        let single = single.iter().filter(|&(&segment, _)| !counted(segment));
        groups.sum::<usize>()
            + single.map(|(_, single)| single.file.resident_bytes()).sum::<usize>()
    }

    /// Releases the pages of all these maps to the system.
    pub(crate) fn release(&self) {
        self.groups.read().values().flatten().for_each(|view| view.release());
        self.single.read().values().for_each(|single| single.file.release());
    }

    /// The open file of a segment, which its filter and its other readers share.
    pub(crate) fn file(&self, storage: &dyn Storage, sealed: &Sealed) -> Result<Arc<SegFile>> {
        Ok(Arc::clone(&self.single(storage, sealed)?.file))
    }

    fn may_have(&self, storage: &dyn Storage, sealed: &Sealed, key: u64) -> bool {
        match self.single(storage, sealed) {
            Ok(single) => single.may_have(key),
            // It stays a candidate: opening the segment reports what is wrong.
            Err(_) => true,
        }
    }

    fn single(&self, storage: &dyn Storage, sealed: &Sealed) -> Result<Arc<Single>> {
        if let Some(single) = self.single.read().get(&sealed.segment) {
            return Ok(Arc::clone(single));
        }
        let file = SegFile::open(storage, &seg_name(sealed.segment), Some(&sealed.footer))?;
        let single = Arc::new(Single { file: Arc::new(file), state: AtomicU8::new(UNCHECKED) });
        let mut singles = self.single.write();
        if singles.len() >= SINGLES_MAX {
            singles.pop_first();
        }
        singles.insert(sealed.segment, Arc::clone(&single));
        Ok(single)
    }

    /// Opens the files of these groups unless they are open.
    fn open_groups(&self, storage: &dyn Storage, groups: RangeInclusive<u64>) {
        for group in groups.step_by(GROUP_SEGMENTS) {
            if !self.groups.read().contains_key(&group) {
                let view = open_group(storage, &group_name(group)).map(Arc::new);
                self.groups.write().insert(group, view);
            }
        }
    }
}

impl Single {
    fn may_have(&self, key: u64) -> bool {
        self.view().is_none_or(|filter| filter.may_have(key))
    }

    /// Prefetches the slots of a key, if the filter was probed before.
    fn prefetch(&self, key: u64) {
        if self.state.load(Ordering::Acquire) != SOUND {
            return;
        }
        let Some(view) = self.view() else { return };
        for slot in view.geometry().probe(key).slots {
            self.file.prefetch_filter(FilterView::place(slot));
        }
    }

    /// The filter, its pages checked on first use; none where it is unusable.
    fn view(&self) -> Option<FilterView<'_>> {
        match self.state.load(Ordering::Acquire) {
            SOUND => self.file.filter_bytes_again().and_then(FilterView::open),
            UNUSABLE => None,
            _ => {
                let bytes = self.file.filter_bytes().ok();
                let view = bytes.and_then(FilterView::open);
                let state = if view.is_some() { SOUND } else { UNUSABLE };
                self.state.store(state, Ordering::Release);
                view
            }
        }
    }
}

/// The positions of the set bits, ascending.
fn bits(mut mask: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| u64::from(mask.trailing_zeros()))?;
        mask &= mask - 1;
        Some(bit)
    })
}

/// The indices in a list of the segments of a group that are set in a mask, ascending.
fn numbers(sealed: &[Sealed], group: u64, mask: u64) -> impl Iterator<Item = usize> + use<> {
    let (first, count) = (sealed.first().map_or(0, |first| first.segment), sealed.len());
    bits(mask)
        .filter_map(move |bit| (group + bit).checked_sub(first))
        .map(|number| number as usize)
        .filter(move |&number| number < count)
}

/// The first segment of a segment's group, which identifies it.
pub(crate) fn group_of(segment: u64) -> u64 {
    (segment - 1) / GROUP_SEGMENTS as u64 * GROUP_SEGMENTS as u64 + 1
}

/// The file name of a group.
pub(crate) fn group_name(group: u64) -> String {
    format!("{group:010}.flt")
}

/// Opens the file of a group; none where it is missing or damaged, since the segments' own
/// filters do as well.
pub(crate) fn open_group(storage: &dyn Storage, name: &str) -> Option<GroupView<FileBytes>> {
    let file = match storage.open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(_) => return None,
    };
    let length =
        usize::try_from(file.len().ok()?).ok().filter(|&length| length <= GROUP_BYTES_MAX)?;
    GroupView::open(FileBytes::load(&*file, name, 0, length).ok()?)
}

/// A group is merged anew each time that it has got this many segments more: few segments are
/// probed one by one, and what is written is small beside the segments themselves.
const MERGED_STEP: u64 = 16;
/// The most segments kept open for their filters alone.
const SINGLES_MAX: usize = 1024;
/// Keys whose slots in a group are prefetched ahead of the probe.
const KEYS_AHEAD: usize = 8;
/// The most bytes of a group's file that are read.
const GROUP_BYTES_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Manifest, Read};
    use crate::storage::SimulatedDisk;
    use crate::{Event, Retention, Store};

    fn sealed(disk: &SimulatedDisk) -> Vec<Sealed> {
        match Manifest::read(disk) {
            Ok(Read::Sound(manifest)) => manifest.sealed,
            other => panic!("expected a manifest, found {other:?}"),
        }
    }

    fn id(number: u64) -> EventId {
        EventId::derived("filters", &number.to_le_bytes())
    }

    #[test]
    fn a_group_speaks_for_the_segments_that_were_merged_and_the_others_for_themselves() {
        let disk = SimulatedDisk::new();
        let store = Store::builder()
            .seal_in_background(false)
            .open_on(Arc::new(disk.clone()))
            .expect("opens");
        let write = |numbers: Range<u64>| {
            for number in numbers {
                store.append(Event::new("tick").id(id(number))).expect("appends");
                store.seal().expect("seals");
            }
        };
        write(1..20);
        let members = || open_group(&disk, &group_name(1)).expect("a group").members();
        assert_eq!(members(), 0xffff);
        store.retain(&Retention::new().max_events(14)).expect("drops");
        write(20..34);
        assert_eq!(members(), 0xffff_ffff & !0x1f, "the first have gone");
        let (filters, sealed) = (Filters::default(), sealed(&disk));
        assert_eq!(sealed.first().map(|first| first.segment), Some(6));
        for (at, segment) in (0..).zip(&sealed) {
            let found = filters.candidates(&disk, &sealed, &id(segment.segment));
            assert!(found.contains(&at), "segment {}", segment.segment);
        }
        let found: usize =
            (100..1100).map(|number| filters.candidates(&disk, &sealed, &id(number)).len()).sum();
        assert!(found < 10, "{found} of unknown ids");
    }

    /// The ids of a batch come from the segments that each alone comes from, whether a
    /// group speaks for them, they do themselves, or a page of the group is damaged.
    #[test]
    fn many_ids_are_found_where_each_is_found() {
        let disk = SimulatedDisk::new();
        let store = Store::builder()
            .seal_in_background(false)
            .open_on(Arc::new(disk.clone()))
            .expect("opens");
        for number in 1..20 {
            store.append(Event::new("tick").id(id(number))).expect("appends");
            store.seal().expect("seals");
        }
        let sealed = sealed(&disk);
        let ids: Vec<EventId> = (0..300).map(id).collect();
        let keys: Vec<u64> = ids.iter().map(|id| filter_key(&id.key())).collect();
        let group = disk.open(&group_name(1)).expect("a group");
        for (damage, from) in [(false, 0), (false, 4), (true, 0)] {
            if damage {
                // In each page behind the head.
                for page in 1..group.len().expect("a length") / 4096 {
                    group.write_at(&[0xaa; 64], page * 4096 + 100).expect("writes");
                }
            }
            let (filters, sealed) = (Filters::default(), &sealed[from..]);
            let mut found = vec![Vec::new(); ids.len()];
            filters.candidates_of(&disk, sealed, &keys, |which, number| found[which].push(number));
            for (id, found) in ids.iter().zip(&mut found) {
                found.sort_unstable();
                assert_eq!(*found, filters.candidates(&disk, sealed, id), "from {from}, {id}");
            }
            assert!((from + 1..20).all(|number| found[number].contains(&(number - 1 - from))));
        }
    }
}
