//! Checking a sealed segment: its files against each other and its log.

use std::io::ErrorKind;

use super::spine::SpineCheck;
use super::{Verifier, is_finding};
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::row::Flags;
use crate::log::reduce_index;
use crate::manifest::Sealed;
use crate::manifest::{Manifest, Read, idx_name, seg_name};
use crate::seal::file::counted;
use crate::seal::filter_keys;
use crate::seal::spine::Spine;
use crate::segment::file::SegFile;
use crate::segment::filter::FilterView;
use crate::segment::filter_group::GROUP_SEGMENTS;
use crate::segment::filters::{group_name, group_of, open_group};
use crate::segment::footer::Footer;
use crate::segment::heap::ChunkCache;
use crate::segment::index::have_same_entries;
use crate::segment::open_index;
use crate::segment::pages::PAGE_BYTES;
use crate::segment::rebuild::{RebuiltBlock, Replayed};
use crate::segment::spine::Entry;
use crate::view::View;

impl Verifier<'_> {
    pub(super) fn segment(&mut self, number: usize) -> Result<()> {
        let view = self.view;
        let sealed = &view.sealed[number];
        let name = seg_name(sealed.segment);
        let before = self.chain.replace(sealed.last);
        let file = match SegFile::open(view.segments.storage(), &name, Some(&sealed.footer)) {
            Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => {
                if self.has_expired(sealed.segment)? {
                    self.done.expired += 1;
                } else {
                    self.found(&name, "expected a segment, found no such file");
                }
                return Ok(());
            }
            file => file,
        };
        self.done.segments += 1;
        self.done.events += u64::from(sealed.rows);
        self.done.bytes += sealed.bytes();
        let Some(file) = self.ask(&name, file)? else { return Ok(()) };
        self.footer(sealed, file.footer(), before, &name);
        self.bytes(&file)?;
        let cache = ChunkCache::new(CACHE_BYTES);
        let replayed = self.blocks(&file, &cache)?;
        let entries = entries(&file)?;
        let (Some(replayed), Some(entries)) = (replayed, entries) else { return Ok(()) };
        let mut above = SpineCheck::new(view, number, &entries);
        self.spine(&file, &replayed.index, &entries, &mut above)?;
        let footer = file.footer();
        let held = [footer.asserted_links, footer.marks, footer.carried, footer.superseding];
        let (listed, counted) = (
            [sealed.asserted_links, sealed.marks, sealed.carried, sealed.superseding],
            counted(&replayed.index),
        );
        if listed != counted || held != counted {
            self.found(
                &name,
                format!(
                    "expected {counted:?} asserted links, cycle edges and carried keys, found {listed:?} in \
                     the manifest and {held:?} in the footer"
                ),
            );
        }
        let late = wrong_late_parent(&file, &entries, sealed.reach, view);
        if let Some(Some(wrong)) = self.ask(&name, late)? {
            self.found(&name, wrong);
        }
        let kinds = view.kinds().of_segment(&file.footer().kinds())?;
        let reduced = reduce_index(&kinds, &replayed.index, file.footer().first_seq);
        let Some(reduced) = self.ask(&name, reduced)? else { return Ok(()) };
        self.filter(&file, &filter_keys(&replayed.index, &entries, &kinds, &reduced))?;
        let made = open_index::made_of(&file, &replayed, &entries, &cache, (&kinds, &reduced));
        self.index(&file, made)
    }

    /// Whether a segment was dropped meanwhile.
    pub(super) fn has_expired(&self, segment: u64) -> Result<bool> {
        Ok(match Manifest::read(self.view.segments.storage())? {
            Read::Sound(manifest) => {
                let first = manifest.sealed.first().map(|sealed| sealed.segment);
                first.unwrap_or(manifest.active.segment) > segment
            }
            Read::Absent | Read::Damaged(_) => false,
        })
    }

    /// Compares the footer with the manifest and the segment before.
    fn footer(&mut self, sealed: &Sealed, footer: &Footer, before: Option<[u8; 32]>, name: &str) {
        let events = footer.events + footer.versions;
        let listed = (sealed.segment, sealed.first_seq, sealed.rows, sealed.last, sealed.idx_bytes);
        let held = (footer.segment, footer.first_seq, footer.rows, footer.last, footer.index_bytes);
        if listed != held || u64::from(footer.rows) < u64::from(events) {
            self.found(
                name,
                format!(
                    "expected segment {} with {} rows from {} on, as the manifest has it, found \
                     segment {} with {} rows from {} on",
                    listed.0, listed.2, listed.1, held.0, held.2, held.1
                ),
            );
        }
        if self.store.is_some_and(|store| store != footer.store) {
            self.found(name, "expected a segment of this store, found one of another");
        }
        if before.is_some_and(|before| before != footer.before) {
            self.found(
                name,
                "expected its first block to name the last block of the segment before, found \
                 another; one of the two is of another past",
            );
        }
    }

    /// Checks every page and chunk against its digest.
    fn bytes(&mut self, file: &SegFile) -> Result<()> {
        for page in 0..file.page_count() {
            self.ask(file.name(), file.check_page(page))?;
        }
        self.ask(file.name(), file.check_dictionary())?;
        for chunk in 0..file.footer().chunks {
            self.ask(file.name(), file.check_chunk(chunk))?;
        }
        let padding = file.check_padding(self.view.segments.storage());
        self.ask(file.name(), padding).map(drop)
    }

    /// Rebuilds every block, and indexes them.
    fn blocks(&mut self, file: &SegFile, cache: &ChunkCache) -> Result<Option<Replayed>> {
        let mut blocks = 0;
        let counted = (|| {
            let mut list = file.blocks(cache)?;
            while let Some(next) = list.next()? {
                blocks += u64::from(matches!(next, RebuiltBlock::Block(_)));
            }
            file.replay(cache)
        })();
        self.done.blocks += blocks;
        self.ask(file.name(), counted)
    }

    /// Checks that the filter, and that of the group, has every key.
    fn filter(&mut self, file: &SegFile, keys: &[u64]) -> Result<()> {
        let Ok(bytes) = file.filter_bytes() else { return Ok(()) };
        if !bytes.is_empty() {
            match FilterView::open(bytes) {
                None => self.found(file.name(), "expected a filter, found other bytes"),
                Some(filter) => {
                    let missing = keys.iter().filter(|&&key| !filter.may_have(key)).count();
                    if missing > 0 {
                        let of = keys.len();
                        self.found(file.name(), format!("the filter lacks {missing} of {of} keys"));
                    }
                }
            }
        }
        self.group(file.footer().segment, keys)
    }

    fn group(&mut self, segment: u64, keys: &[u64]) -> Result<()> {
        let group = group_of(segment);
        let name = group_name(group);
        let storage = self.view.segments.storage();
        match storage.open(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("open", &name, error)),
            Ok(_) => {}
        }
        let first = self.view.sealed.first().map_or(0, |sealed| sealed.segment);
        // Reported once for the whole group.
        let reports = segment == group.max(first);
        let Some(view) = open_group(storage, &name) else {
            if reports {
                self.found(&name, "expected the filters of a group of segments, found other bytes");
            }
            return Ok(());
        };
        if reports && let Some(page) = view.unsound_page() {
            let at = page * PAGE_BYTES;
            self.found(&name, format!("the page at byte {at} does not have the digest kept of it"));
        }
        debug_assert!(segment - group < GROUP_SEGMENTS as u64, "it is of the group");
        let bit = 1 << (segment - group);
        if view.members() & bit != 0 {
            let missing = keys
                .iter()
                .filter(|&&key| view.probe(key).is_some_and(|maybe| maybe & bit == 0))
                .count();
            if missing > 0 {
                self.found(&name, format!("the filters lack {missing} keys of segment {segment}"));
            }
        }
        Ok(())
    }

    /// Compares the index file with the digests that the segment has of it, and its entries
    /// with those of a rebuilt one. Equal entries may stand in other bytes: those of redb
    /// depend on its release, and on whether it was built with debug assertions.
    fn index(&mut self, file: &SegFile, made: Result<Vec<u8>>) -> Result<()> {
        let name = idx_name(file.footer().segment);
        let Some(made) = self.ask(file.name(), made)? else { return Ok(()) };
        let storage = self.view.segments.storage();
        let expected = file.footer().index_bytes;
        let read = open_index::read_file(storage, &name, expected);
        let gone = |error: &Error| error.io_kind() == Some(ErrorKind::NotFound);
        if read.as_ref().is_err_and(gone) && self.has_expired(file.footer().segment)? {
            return Ok(());
        }
        let Some(mut found) = self.ask(&name, read)? else { return Ok(()) };
        let checked = open_index::check_file(file, &found);
        let Some((length, wrong)) = self.ask(file.name(), checked)? else { return Ok(()) };
        if let Some(at) = wrong {
            self.found(
                &name,
                format!(
                    "expected the {expected} bytes that the segment has digests of, found {} that \
                     differ from byte {at} on; `forebear rebuild` writes it anew",
                    found.len()
                ),
            );
        } else if found[..length] != made {
            found.truncate(length);
            // An earlier version of a kind of state may have come to another value for the same
            // rows, which is no damage: the digests above vouch for what it wrote.
            let equal = have_same_entries(&name, found, made, false);
            if self.ask(&name, equal)? == Some(false) {
                self.found(
                    &name,
                    "expected the entries that the segment's records lead to, found others; \
                     `forebear rebuild` writes it anew",
                );
            }
        }
        Ok(())
    }
}

impl Verifier<'_> {
    /// Compares the spine and its tables with the index of the log.
    fn spine(
        &mut self,
        file: &SegFile,
        index: &crate::log::index::Index,
        entries: &[Entry],
        above: &mut SpineCheck<'_>,
    ) -> Result<()> {
        let laid_out = Spine::laid_out(index, file.footer().first_seq);
        let mut found = 0;
        for (row, entry) in (0..).zip(entries) {
            let wrong = above.wrong(file, index, &laid_out, row, entry)?;
            let Some(wrong) = wrong else { continue };
            found += 1;
            if found <= REPORTED_MAX {
                self.found(file.name(), format!("the spine entry of row {row}: {wrong}"));
            }
        }
        if found > REPORTED_MAX {
            self.found(file.name(), format!("{} more spine entries", found - REPORTED_MAX));
        }
        Ok(())
    }
}

/// What is wrong with the table of late parents, or with how far back the footer says that
/// the segment reaches.
fn wrong_late_parent(
    file: &SegFile,
    entries: &[Entry],
    listed: u64,
    view: &View,
) -> Result<Option<String>> {
    let first_seq = file.footer().first_seq;
    let (mut before, mut reach) = (0, first_seq);
    let mut children = WaitingChildren { view, open: None };
    for late in file.late_parents() {
        let late = late?;
        let entry = entries.get(late.row as usize).filter(|entry| {
            let is_event = !entry.flags.has(Flags::VERSION) && !entry.flags.has(Flags::LOST);
            is_event && (entry.anchor, entry.depth) == (late.anchor, late.depth)
        });
        // What an expired event named is not known any more.
        let named = children.named(late.child);
        let is_named = |entry: &Entry| -> Result<bool> {
            let own = file.id(late.row, entry)?;
            Ok(named.as_ref().is_none_or(|named| *named == own))
        };
        let fits = entry.map(is_named).transpose()?.unwrap_or(false);
        if !fits || late.child <= before || late.child >= first_seq {
            return Ok(Some(format!(
                "expected the parent of event {} in row {}, {} links below event {}, found \
                 something else there",
                late.child, late.row, late.depth, late.anchor
            )));
        }
        before = late.child;
        reach = reach.min(late.child);
    }
    let anchors = entries.iter().map(|entry| entry.anchor).filter(|&anchor| anchor != 0);
    let reach = anchors.fold(reach, u64::min);
    let agree = reach == file.footer().reach && reach == listed;
    Ok((!agree).then(|| format!("expected it to reach back to event {reach}, found {listed}")))
}

/// The segments before, whose events wait for parents; their indexes are not opened.
struct WaitingChildren<'c> {
    view: &'c View,
    /// The one opened last.
    open: Option<(usize, Option<SegFile>)>,
}

impl WaitingChildren<'_> {
    /// The parent that an event of one of them names and that is absent from it; none where
    /// that can't be read, which is reported for its own segment.
    fn named(&mut self, child: u64) -> Option<EventId> {
        let number = self.view.number_of(child)?;
        let sealed = self.view.sealed.get(number)?;
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            let storage = self.view.segments.storage();
            let file = SegFile::open(storage, &seg_name(sealed.segment), Some(&sealed.footer));
            self.open = Some((number, file.ok()));
        }
        let (_, file) = self.open.as_ref()?;
        file.as_ref()?.parent_id((child - sealed.first_seq) as u32).ok()?
    }
}

/// The whole spine; none where a page of it can't be read, which was reported.
fn entries(file: &SegFile) -> Result<Option<Vec<Entry>>> {
    let entries: Result<Vec<Entry>> = (0..file.footer().rows).map(|row| file.entry(row)).collect();
    match entries {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if is_finding(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Bytes of decoded chunks that are cached while a segment is checked.
const CACHE_BYTES: usize = 8 << 20;
/// Entries of one spine that are reported one by one.
const REPORTED_MAX: usize = 20;
