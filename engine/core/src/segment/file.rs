//! An open `.seg` file: its footer, its sections by name, and lookups in its tables.

use std::ops::Range;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::format::Digest;
use crate::base::id::EventId;
use crate::base::row::Flags;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::segment::footer::{
    ANCHORS, BLOCKS, CHUNKS, DICTIONARY, FILTER, FOOTER_BYTES, Footer, HEAP, INDEX_DIGESTS, LATE,
    PAGE_DIGESTS, PARENTS, SECTIONS, SLOTS, SPINE, STRINGS, TEXT_IDS,
};
use crate::segment::heap::Heap;
use crate::segment::id_table::IdTable;
use crate::segment::late::{LateParent, LateTable};
use crate::segment::order;
use crate::segment::pages::{Digests, FileBytes, PAGE_BYTES, Pages};
use crate::segment::spine::{ENTRY_BYTES, Entry, Slotted};
use crate::segment::strings;
use crate::storage::Storage;

/// An open `.seg` file. A page or chunk is checked against its digest before it is first
/// used.
#[derive(Debug)]
pub(crate) struct SegFile {
    name: String,
    /// Unique to this opening, within the process: what threads remember of a file that was
    /// closed can't be taken for this one's.
    number: u64,
    footer: Footer,
    /// All sections between the heap and the page digests.
    pages: Pages,
    /// The range of each section within the pages.
    sections: [Range<usize>; SECTIONS],
    heap: Heap,
    /// One more than the numbers of texts that were read without damage, each in the place
    /// that its lowest bits say: rows beside each other mostly have the same.
    sound_texts: [AtomicU64; SOUND_TEXTS],
}

impl SegFile {
    /// Opens the file; `expected` is the footer's digest in the manifest. Reads the footer
    /// and the page digests: O(size / 256).
    pub(crate) fn open(
        storage: &dyn Storage,
        name: &str,
        expected: Option<&Digest>,
    ) -> Result<Self> {
        let file = storage.open(name).map_err(|error| Error::io("open", name, error))?;
        let length = file.len().map_err(|error| Error::io("read the length of", name, error))?;
        let mut bytes = [0; FOOTER_BYTES];
        let footer_at = length.checked_sub(FOOTER_BYTES as u64).ok_or_else(|| {
            Error::damaged(format!(
                "{name}: expected a segment's footer of {FOOTER_BYTES} bytes, found a file of \
                 {length}"
            ))
        })?;
        let read =
            file.read_at(&mut bytes, footer_at).map_err(|error| Error::io("read", name, error))?;
        if read < FOOTER_BYTES {
            return Err(Error::damaged(format!(
                "{name}: expected a file of {length} bytes, found its end before"
            )));
        }
        let footer = Footer::parse(&bytes, name, length, expected)?;
        let Range { start: tables_at, end } = footer.paged();
        // `Footer::parse` checked that the sections fill the file: no length exceeds it.
        let tables = FileBytes::load(&*file, name, tables_at, (footer_at - tables_at) as usize)?;
        let tables = Arc::new(tables);
        let digests = (end - tables_at) as usize..tables.len();
        if *blake3::hash(&tables[digests.clone()]).as_bytes() != footer.pages {
            return Err(Error::damaged(format!(
                "{name}: the digests of pages at byte {end} do not have the digest that the \
                 footer has of them"
            )));
        }
        let pages = Pages::new(
            name,
            Arc::clone(&tables),
            tables_at,
            (end - tables_at) as usize,
            Digests::new(tables, digests),
        )?;
        let sections = std::array::from_fn(|section| {
            let Range { start, end } = footer.section(section);
            start.saturating_sub(tables_at) as usize..end.saturating_sub(tables_at) as usize
        });
        let heap = Heap::new(file, name, footer.section(HEAP).end as usize)?;
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let sound_texts = Default::default();
        Ok(Self { name: name.to_owned(), number, footer, pages, sections, heap, sound_texts })
    }

    /// Unique within the process.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The spine entry of a row. O(1): one cache line once its page is checked, and one more
    /// where this thread has not read the row or its child lately.
    #[inline]
    pub(crate) fn entry(&self, row: u32) -> Result<Entry> {
        self.slotted(row).map(|slotted| slotted.entry)
    }

    /// The 16 bytes by which a row's id is indexed.
    #[inline]
    pub(crate) fn key(&self, row: u32) -> Result<[u8; 16]> {
        self.entry(row).map(|entry| entry.key)
    }

    /// The entry of a row with its parent's slot.
    #[inline]
    pub(crate) fn slotted(&self, row: u32) -> Result<Slotted> {
        let slot = match order::known(self.number, row) {
            Some(slot) => slot,
            None => self.slot(row)?,
        };
        let slotted = self.at_slot(slot)?;
        if slotted.row != row {
            return Err(self.damaged(&format!(
                "expected the spine entry of row {row} in slot {slot}, found that of row {}",
                slotted.row
            )));
        }
        Ok(slotted)
    }

    /// The slot of a row's entry in the spine, read from the table of slots.
    pub(crate) fn slot(&self, row: u32) -> Result<u32> {
        if row >= self.footer.rows {
            return Err(self
                .damaged(&format!("expected a row below {}, found row {row}", self.footer.rows)));
        }
        let slots = self.sections[SLOTS].start;
        self.pages.array(slots + row as usize * order::SLOT_BYTES).map(|slot| order::slot(*slot))
    }

    /// The entry in a slot. The thread remembers the slots of it and of its parent.
    #[inline]
    pub(crate) fn at_slot(&self, slot: u32) -> Result<Slotted> {
        if slot >= self.footer.rows {
            return Err(self.damaged(&format!(
                "expected one of {} slots of the spine, found slot {slot}",
                self.footer.rows
            )));
        }
        let bytes = self.pages.array(self.sections[SPINE].start + slot as usize * ENTRY_BYTES)?;
        let mut slotted = Slotted::from_bytes(bytes, self.footer.first_seq);
        if self.footer.format == 1 && !slotted.entry.flags.has(Flags::LOST) {
            slotted.entry.flags.set(Flags::OWN_SCOPE, true);
        }
        order::remember(self.number, slotted.row, slot);
        if let Some((row, slot)) = slotted.parent {
            order::remember(self.number, row, slot);
        }
        Ok(slotted)
    }

    /// The id of the row with this entry. O(1) for a UUID, O(log n) for a text.
    pub(crate) fn id(&self, row: u32, entry: &Entry) -> Result<EventId> {
        if !entry.flags.has(Flags::TEXT) {
            return Ok(EventId::from_uuid_bytes(entry.key));
        }
        self.find_id(TEXT_IDS, u64::from(row))?
            .ok_or_else(|| self.damaged(&format!("expected a text id for row {row}, found none")))
    }

    /// The id of the parent that a row names, where that is in no row of this segment.
    /// O(log n).
    pub(crate) fn parent_id(&self, row: u32) -> Result<Option<EventId>> {
        self.find_id(PARENTS, u64::from(row))
    }

    /// Calls `show` with each row that names a parent in another segment, and the
    /// parent's id.
    pub(crate) fn absent_parents(
        &self,
        mut show: impl FnMut(u32, EventId) -> Result<()>,
    ) -> Result<()> {
        let parents = IdTable::new(&self.pages, &self.sections[PARENTS]);
        for at in 0..parents.len().map_err(|error| self.damaged(&format!("{error:#}")))? {
            let (row, id) = parents.at(at).map_err(|error| self.damaged(&format!("{error:#}")))?;
            show(row as u32, id)?;
        }
        Ok(())
    }

    /// The anchors before this sequence number that rows of this segment lie below,
    /// ascending.
    pub(crate) fn anchors_before(&self, end: u64) -> Result<Vec<u64>> {
        IdTable::new(&self.pages, &self.sections[ANCHORS])
            .numbers_below(end)
            .map_err(|error| self.damaged(&format!("{error:#}")))
    }

    /// All of the table of late parents.
    pub(crate) fn late_parents(&self) -> impl Iterator<Item = Result<LateParent>> {
        let table = LateTable::new(&self.pages, &self.sections[LATE]);
        (0..table.len()).map(move |at| table.entry(at))
    }

    /// The late parent, in this segment, of an event of an earlier one. O(log n).
    pub(crate) fn late_parent(&self, child: u64) -> Result<Option<LateParent>> {
        LateTable::new(&self.pages, &self.sections[LATE])
            .find(child, self.footer.rows)
            .map_err(|error| self.damaged(&format!("{error:#}")))
    }

    /// The id of an anchor in an earlier segment. O(log n).
    pub(crate) fn anchor_id(&self, seq: u64) -> Result<Option<EventId>> {
        self.find_id(ANCHORS, seq)
    }

    /// The text with this number. O(1).
    pub(crate) fn text(&self, number: u32) -> Result<&str> {
        strings::text(&self.pages, &self.sections[STRINGS], self.footer.texts, number)
            .map_err(|error| self.damaged(&format!("{error:#}")))
    }

    /// Fails where the text with this number can't be read. O(1), a load where it was read
    /// lately.
    #[inline]
    pub(crate) fn check_text(&self, number: u32) -> Result<()> {
        let (known, stamp) =
            (&self.sound_texts[number as usize % SOUND_TEXTS], u64::from(number) + 1);
        // The file never changes while it is mapped, so that nothing is ordered by this.
        if known.load(Ordering::Relaxed) != stamp {
            self.text(number)?;
            known.store(stamp, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The dictionary of the heap's chunks; may be empty.
    pub(crate) fn dictionary(&self) -> Result<&[u8]> {
        self.pages.bytes(self.sections[DICTIONARY].clone())
    }

    /// The bytes of the filter. Empty where there is none: then every key may be here.
    pub(crate) fn filter_bytes(&self) -> Result<&[u8]> {
        self.pages.bytes(self.sections[FILTER].clone())
    }

    /// The bytes of the filter without a check of their pages: for a caller that has
    /// called [`filter_bytes`](Self::filter_bytes) before.
    pub(crate) fn filter_bytes_again(&self) -> Option<&[u8]> {
        self.pages.file_bytes().get(self.sections[FILTER].clone())
    }

    /// Prefetches a byte of the filter into the processor's cache.
    pub(crate) fn prefetch_filter(&self, at: usize) {
        self.pages.file_bytes().prefetch_line(self.sections[FILTER].start + at);
    }

    /// The digests of the pages of the `.idx` file.
    pub(crate) fn index_digests(&self) -> Result<Digests> {
        let range = self.sections[INDEX_DIGESTS].clone();
        self.pages.bytes(range.clone())?;
        Ok(Digests::new(Arc::clone(self.pages.file_bytes()), range))
    }

    /// The bytes of the block list.
    pub(crate) fn block_list(&self) -> Result<&[u8]> {
        self.pages.bytes(self.sections[BLOCKS].clone())
    }

    /// The number of pages that have digests.
    pub(crate) fn page_count(&self) -> usize {
        self.pages.len().div_ceil(PAGE_BYTES)
    }

    /// Checks a page against its digest.
    pub(crate) fn check_page(&self, page: usize) -> Result<()> {
        let begin = page * PAGE_BYTES;
        self.pages.bytes(begin..(begin + PAGE_BYTES).min(self.pages.len())).map(drop)
    }

    pub(crate) fn footer(&self) -> &Footer {
        &self.footer
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// About how many bytes of its maps are in memory.
    pub(crate) fn resident_bytes(&self) -> usize {
        self.pages.resident_bytes() + self.heap.resident_bytes()
    }

    /// Releases the pages of its maps to the system.
    pub(crate) fn release(&self) {
        self.pages.release();
        self.heap.release();
    }

    pub(super) fn pages(&self) -> &Pages {
        &self.pages
    }

    pub(super) fn heap(&self) -> &Heap {
        &self.heap
    }

    pub(super) fn section(&self, section: usize) -> &Range<usize> {
        debug_assert!((CHUNKS..PAGE_DIGESTS).contains(&section), "a section of pages");
        &self.sections[section]
    }

    /// An error that names the file.
    pub(super) fn damaged(&self, what: &str) -> Error {
        Error::damaged(format!("{}: {what}", self.name))
    }

    fn find_id(&self, section: usize, number: u64) -> Result<Option<EventId>> {
        IdTable::new(&self.pages, &self.sections[section])
            .find(number)
            .map_err(|error| self.damaged(&format!("{error:#}")))
    }
}

/// How many texts are remembered to be sound.
const SOUND_TEXTS: usize = 16;
/// The number of the next opening. From 1 on: 0 stands for none.
static OPENED: AtomicU64 = AtomicU64::new(1);
