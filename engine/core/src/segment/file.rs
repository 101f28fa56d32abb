//! A sealed segment opened for reading.

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

/// A `.seg` file. Everything in it is checked before it is first used.
#[derive(Debug)]
pub(crate) struct SegFile {
    name: String,
    /// A number that no other opening of a segment has.
    number: u64,
    footer: Footer,
    /// All sections but the heap.
    pages: Pages,
    /// Where in the pages each section lies.
    sections: [Range<usize>; SECTIONS],
    heap: Heap,
}

impl SegFile {
    /// Opens the file; `expected` is the digest that the manifest has of its footer.
    /// Reads the footer and the digests of pages: O(size / 256).
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
        // Lengths up to here are at most the file's.
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
        Ok(Self { name: name.to_owned(), number, footer, pages, sections, heap })
    }

    /// The spine entry of a row. O(1), one cache line once its page is checked, and
    /// another where neither it nor its child was asked for lately.
    #[inline]
    pub(crate) fn entry(&self, row: u32) -> Result<Entry> {
        self.slotted(row).map(|slotted| slotted.entry)
    }

    /// The 16 bytes that a row's id is found by.
    #[inline]
    pub(crate) fn key(&self, row: u32) -> Result<[u8; 16]> {
        self.entry(row).map(|entry| entry.key)
    }

    /// The entry of a row and where it says its parent's is.
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

    /// Where in the spine a row's entry stands.
    pub(crate) fn slot(&self, row: u32) -> Result<u32> {
        if row >= self.footer.rows {
            return Err(self
                .damaged(&format!("expected a row below {}, found row {row}", self.footer.rows)));
        }
        let slots = self.sections[SLOTS].start;
        self.pages.array(slots + row as usize * order::SLOT_BYTES).map(|slot| order::slot(*slot))
    }

    /// The entry in a slot. It and its parent are then at hand by their rows.
    #[inline]
    pub(crate) fn at_slot(&self, slot: u32) -> Result<Slotted> {
        if slot >= self.footer.rows {
            return Err(self.damaged(&format!(
                "expected one of {} slots of the spine, found slot {slot}",
                self.footer.rows
            )));
        }
        let bytes = self.pages.array(self.sections[SPINE].start + slot as usize * ENTRY_BYTES)?;
        let slotted = Slotted::from_bytes(bytes, self.footer.first_seq);
        order::remember(self.number, slotted.row, slot);
        if let Some((row, slot)) = slotted.parent {
            order::remember(self.number, row, slot);
        }
        Ok(slotted)
    }

    /// The id of a row, whose entry this is. O(1) for a UUID, O(log n) for a text.
    pub(crate) fn id(&self, row: u32, entry: &Entry) -> Result<EventId> {
        if !entry.flags.has(Flags::TEXT) {
            return Ok(EventId::from_uuid_bytes(entry.key));
        }
        self.find_id(TEXT_IDS, u64::from(row))?
            .ok_or_else(|| self.damaged(&format!("expected a text id for row {row}, found none")))
    }

    /// The parent that a row names, where it is not a row of this segment. O(log n).
    pub(crate) fn parent_id(&self, row: u32) -> Result<Option<EventId>> {
        self.find_id(PARENTS, u64::from(row))
    }

    /// Shows the rows that name parents which are not rows of this segment, and those.
    pub(crate) fn outside_parents(
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

    /// The event of this segment that an earlier one's event waits for, if this segment
    /// was made to know it. O(log n).
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

    /// What the heap's chunks are compressed with; may be empty.
    pub(crate) fn dictionary(&self) -> Result<&[u8]> {
        self.pages.bytes(self.sections[DICTIONARY].clone())
    }

    /// The filter; empty where there is none, which says "maybe" of everything.
    pub(crate) fn filter_bytes(&self) -> Result<&[u8]> {
        self.pages.bytes(self.sections[FILTER].clone())
    }

    /// The filter, its pages not checked: for who has asked for it before.
    pub(crate) fn filter_bytes_again(&self) -> Option<&[u8]> {
        self.pages.file_bytes().get(self.sections[FILTER].clone())
    }

    /// Has the processor fetch a byte of the filter. A hint.
    pub(crate) fn prefetch_filter(&self, at: usize) {
        self.pages.file_bytes().prefetch_line(self.sections[FILTER].start + at);
    }

    /// The digests of the pages of the `.idx` file.
    pub(crate) fn index_digests(&self) -> Result<Digests> {
        let range = self.sections[INDEX_DIGESTS].clone();
        self.pages.bytes(range.clone())?;
        Ok(Digests::new(Arc::clone(self.pages.file_bytes()), range))
    }

    /// Bytes of the list of blocks.
    pub(crate) fn block_list(&self) -> Result<&[u8]> {
        self.pages.bytes(self.sections[BLOCKS].clone())
    }

    /// How many pages have digests.
    pub(crate) fn page_count(&self) -> usize {
        self.pages.len().div_ceil(PAGE_BYTES)
    }

    /// Fails where a page is not as it was written.
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

    /// Bytes of the maps that are in memory, about.
    pub(crate) fn resident_bytes(&self) -> usize {
        self.pages.resident_bytes() + self.heap.resident_bytes()
    }

    /// Gives the memory of the maps back to the system.
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

/// How many segments this process has opened, and one: 0 is no segment's number.
static OPENED: AtomicU64 = AtomicU64::new(1);
