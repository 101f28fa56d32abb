//! A sealed segment, opened: its files, and what can be asked of it.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::event::Quarantined;
use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind};
use crate::base::row::{Below, Claim, Columns, Facts, Flags, ListOf, NONE, Place, StoredParent};
use crate::base::state::{Family, Kept};
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::log::content::same_content;
use crate::log::fields::ArchivedEventMeta;
use crate::manifest::Sealed;
use crate::query::counts::CountBy;
use crate::segment::file::SegFile;
use crate::segment::heap::{ChunkCache, EventRecord, LastChunk};
use crate::segment::index::{
    Dim, KeptLink, LinkEnd, SegmentIndex, Standing, Values, content_digest,
};
use crate::segment::late::LateParent;
use crate::segment::open_index;
use crate::segment::pages::Pages;
use crate::segment::spine::Entry;
use crate::storage::Storage;
use crate::stored::{Content, Names};

/// A sealed segment, open for reading. Rows are numbered from 0.
#[derive(Debug)]
pub(crate) struct Segment {
    sealed: Sealed,
    file: Arc<SegFile>,
    index: SegmentIndex,
    /// The pages of the index, where they are those of its file.
    index_pages: Option<Arc<Pages>>,
    cache: Arc<ChunkCache>,
    /// When it was asked for last, as its store counts.
    used: AtomicU64,
}

impl Segment {
    /// Opens a segment whose file is open. An index that is missing or damaged is
    /// made again, and `tell` is told so.
    pub(crate) fn open(
        storage: &dyn Storage,
        sealed: &Sealed,
        file: Arc<SegFile>,
        cache: &Arc<ChunkCache>,
        writable: bool,
        tell: &dyn Fn(String),
    ) -> Result<Self> {
        let (index, index_pages) = open_index::open(storage, &file, cache, writable, tell)?;
        let (sealed, cache, used) = (sealed.clone(), Arc::clone(cache), AtomicU64::new(0));
        Ok(Self { sealed, file, index, index_pages, cache, used })
    }

    /// Notes that it is used now.
    pub(crate) fn note_used(&self, now: u64) {
        self.used.store(now, Ordering::Relaxed);
    }

    pub(crate) fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes of its maps that are in memory, about.
    pub(crate) fn resident_bytes(&self) -> usize {
        let index = self.index_pages.as_ref().map_or(0, |pages| pages.resident_bytes());
        self.file.resident_bytes() + index
    }

    /// Gives the memory of its maps back to the system.
    pub(crate) fn release(&self) {
        self.file.release();
        if let Some(pages) = &self.index_pages {
            pages.release();
        }
    }

    /// What its chunks are compressed with.
    pub(crate) fn dictionary(&self) -> Result<&[u8]> {
        self.file.dictionary()
    }

    pub(crate) fn first_seq(&self) -> u64 {
        self.sealed.first_seq
    }

    pub(crate) fn rows(&self) -> u32 {
        self.sealed.rows
    }

    pub(crate) fn entry(&self, row: u32) -> Result<Entry> {
        self.file.entry(row)
    }

    pub(crate) fn id(&self, row: u32) -> Result<EventId> {
        self.file.id(row, &self.file.entry(row)?)
    }

    pub(crate) fn copies(&self, id: &EventId) -> Result<Vec<u32>> {
        let mut rows = self.rows_of(id, usize::MAX)?;
        self.keep_equal(&mut rows, id, |segment, row| segment.id(row).map(Some))?;
        Ok(rows)
    }

    pub(crate) fn head(&self, id: &EventId) -> Result<Option<(u32, bool)>> {
        let mut rows = self.rows_of(id, 1)?;
        self.keep_equal(&mut rows, id, |segment, row| segment.id(row).map(Some))?;
        let Some(&row) = rows.first() else { return Ok(None) };
        Ok(Some((row, self.entry(row)?.flags.has(Flags::VERSION))))
    }

    pub(crate) fn columns(&self, row: u32) -> Result<Columns> {
        let entry = self.entry(row)?;
        Ok(Columns {
            seq: self.first_seq() + u64::from(row),
            version: entry.flags.has(Flags::VERSION),
            derived_id: entry.flags.has(Flags::DERIVED),
            id: self.file.id(row, &entry)?,
            time_ns: entry.time_ns,
            place: u64::from(entry.record),
        })
    }

    pub(crate) fn names(self: &Arc<Self>, row: u32) -> Result<Names> {
        let Entry { kind, instance, session, .. } = self.entry(row)?;
        Ok(Names::Sealed { segment: Arc::clone(self), kind, instance, session })
    }

    /// The text with this number; empty where it can't be read.
    pub(crate) fn text(&self, number: u32) -> &str {
        self.file.text(number).unwrap_or_default()
    }

    pub(crate) fn content(
        self: &Arc<Self>,
        row: u32,
        payload: bool,
        last: &mut LastChunk,
    ) -> Result<Content> {
        let Entry { kind, instance, session, record, .. } = self.entry(row)?;
        Ok(match self.file.record(record, payload, &self.cache, last)? {
            EventRecord::Plain(record) => Content::Record(record),
            EventRecord::Packed(record) => {
                // Asked for later, they have no way to say that they can't be read.
                for number in [kind, instance, session] {
                    if number != NONE {
                        self.file.text(number)?;
                    }
                }
                let names = Names::Sealed { segment: Arc::clone(self), kind, instance, session };
                Content::Packed(names, record)
            }
        })
    }

    pub(crate) fn stored_parent(&self, row: u32) -> Result<(StoredParent, LinkKind)> {
        let entry = self.entry(row)?;
        let kind = entry.flags.link();
        if !entry.flags.has(Flags::NAMED) {
            return Ok((StoredParent::None, kind));
        }
        let parent = match entry.parent {
            0 => StoredParent::Awaited,
            parent if entry.flags.has(Flags::CLOSING) => StoredParent::Closing(parent),
            parent => StoredParent::Row(parent),
        };
        Ok((parent, kind))
    }

    pub(crate) fn below(&self, row: u32) -> Result<Below> {
        let Entry { anchor, depth, .. } = self.entry(row)?;
        Ok(Below { anchor, depth })
    }

    pub(crate) fn anchor_id(&self, row: u32) -> Result<EventId> {
        let anchor = self.entry(row)?.anchor;
        if let Some(row) = anchor.checked_sub(self.first_seq()) {
            return self.id(row as u32);
        }
        let id = self.file.anchor_id(anchor)?;
        id.ok_or_else(|| self.damaged(&format!("the id of event {anchor}")))
    }

    /// The event of this segment that an earlier one's event waits for, if this segment
    /// was made to know it. O(log n).
    pub(crate) fn late_parent(&self, child: u64) -> Result<Option<LateParent>> {
        self.file.late_parent(child)
    }

    /// Shows the rows that name parents which are not in this segment, and those.
    pub(crate) fn outside_parents(
        &self,
        show: impl FnMut(u32, EventId) -> Result<()>,
    ) -> Result<()> {
        self.file.outside_parents(show)
    }

    /// The anchors before this sequence number that rows of this segment lie below.
    pub(crate) fn anchors_before(&self, end: u64) -> Result<Vec<u64>> {
        self.file.anchors_before(end)
    }

    pub(crate) fn outside_parent_id(&self, row: u32) -> Result<EventId> {
        let id = self.file.parent_id(row)?;
        id.ok_or_else(|| self.damaged(&format!("the parent that row {row} names")))
    }

    pub(crate) fn jump(&self, row: u32) -> Result<Option<(u64, u32)>> {
        let entry = self.entry(row)?;
        Ok((entry.jump != 0).then_some((entry.jump, entry.depth)))
    }

    pub(crate) fn standing(&self, child: &EventId) -> Result<Option<Claim>> {
        if self.index.links_len(Standing::Stands) == 0 {
            return Ok(None);
        }
        let links = self.index.links_at(LinkEnd::Child, child, None, 1)?;
        let first = links.into_iter().find(|kept| kept.standing == Standing::Stands);
        Ok(first.map(|kept| self.as_claim(kept)))
    }

    pub(crate) fn claims_under(&self, parent: &EventId) -> Result<Vec<Claim>> {
        if self.index.links_len(Standing::Stands) == 0 {
            return Ok(Vec::new());
        }
        let links = self.index.links_at(LinkEnd::Parent, parent, None, usize::MAX)?;
        let standing = links.into_iter().filter(|kept| kept.standing == Standing::Stands);
        Ok(standing.map(|kept| self.as_claim(kept)).collect())
    }

    pub(crate) fn claims(&self) -> Result<Vec<Claim>> {
        let links = self.index.links(Standing::Stands, 0, usize::MAX)?;
        Ok(links.into_iter().map(|kept| self.as_claim(kept)).collect())
    }

    pub(crate) fn named_children(&self, parent: &EventId, row: Option<u32>) -> Result<Vec<u32>> {
        let inside = match row {
            Some(row) => self.index.children(row)?,
            None => None,
        };
        let mut rows = match inside {
            Some(list) => self.index.children_after(&list, None, usize::MAX)?,
            None => Vec::new(),
        };
        if let Some(list) = self.index.children_of_outside(&parent.key())? {
            let mut outside = self.index.children_after(&list, None, usize::MAX)?;
            self.keep_equal(&mut outside, parent, |segment, row| segment.file.parent_id(row))?;
            rows.extend(outside);
            rows.sort_unstable();
        }
        Ok(rows)
    }

    pub(crate) fn is_marked(&self, child: &EventId, parent: &EventId) -> Result<bool> {
        if self.index.links_len(Standing::Marked) == 0 {
            return Ok(false);
        }
        let links = self.index.links_at(LinkEnd::Child, child, None, usize::MAX)?;
        let marks = |kept: &KeptLink| kept.standing == Standing::Marked;
        Ok(links.iter().any(|kept| marks(kept) && kept.link.parent == *parent))
    }

    pub(crate) fn was_refused(&self, claim: &Link) -> Result<bool> {
        if self.index.links_len(Standing::Refused) == 0 {
            return Ok(false);
        }
        let links = self.index.links_at(LinkEnd::Child, &claim.child, None, usize::MAX)?;
        Ok(links.iter().any(|kept| kept.standing == Standing::Refused && kept.link == *claim))
    }

    pub(crate) fn equal_copy(
        &self,
        id: &EventId,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<Option<u32>> {
        let key = id.key();
        let digest = content_digest(fields, payload);
        let first = self.rows_of(id, 1)?;
        let versions = self.index.versions_with(&key, digest, |row| self.file.key(row))?;
        for row in first.into_iter().chain(versions) {
            match self.file.whole_record(row, &self.cache) {
                Ok(record) if same_content(&record, fields, payload) => return Ok(Some(row)),
                Ok(_) => {}
                // What can't be compared is kept beside it: nothing is lost.
                Err(error) if error.is_damaged() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The number of the text that all rows of a list have.
    pub(crate) fn number_of(&self, list: &ListOf) -> Result<Option<u32>> {
        let first = Place { time_ns: i64::MIN, row: 0 };
        let Some(place) = self.list(list, first, false, 1)?.first().copied() else {
            return Ok(None);
        };
        let entry = self.entry(place.row)?;
        Ok(match list {
            ListOf::Kind(_) => Some(entry.kind),
            ListOf::Instance(_) => Some(entry.instance),
            ListOf::Session(_) => Some(entry.session),
            ListOf::All | ListOf::Errors | ListOf::Label(..) => None,
        })
    }

    pub(crate) fn list_len(&self, list: &ListOf) -> Result<usize> {
        Ok(self.index.list(dim(list))?.map_or(0, |list| list.len() as usize))
    }

    pub(crate) fn list(
        &self,
        list: &ListOf,
        from: Place,
        backwards: bool,
        at_most: usize,
    ) -> Result<Vec<Place>> {
        let Some(list) = self.index.list(dim(list))? else { return Ok(Vec::new()) };
        let time_of = |row| Ok(self.entry(row)?.time_ns);
        let rows = if backwards {
            self.index.backwards(&list, from, at_most, time_of)?
        } else {
            self.index.forwards(&list, from, at_most, time_of)?
        };
        rows.into_iter().map(|row| Ok(Place { time_ns: time_of(row)?, row })).collect()
    }

    pub(crate) fn lists(&self, list: &ListOf, row: u32) -> Result<bool> {
        match self.index.list(dim(list))? {
            Some(list) => self.index.contains(&list, row, |row| Ok(self.entry(row)?.time_ns)),
            None => Ok(false),
        }
    }

    pub(crate) fn facts(&self, row: u32) -> Result<Facts> {
        let Entry { time_ns, flags, kind, instance, session, .. } = self.entry(row)?;
        Ok(Facts { time_ns, flags, kind, instance, session })
    }

    pub(crate) fn values(&self, by: &CountBy) -> Result<Vec<(String, u64)>> {
        let values = match by {
            CountBy::Kind => Values::Kinds,
            CountBy::Instance => Values::Instances,
            CountBy::Session => Values::Sessions,
            CountBy::Label(key) => Values::Labels(key),
        };
        let counts = self.index.values(values, None, usize::MAX)?;
        Ok(counts.into_iter().map(|(value, count)| (value, u64::from(count))).collect())
    }

    pub(crate) fn unnamed_rows(&self, from: u32) -> Result<Vec<u32>> {
        let named = Flags::VERSION | Flags::LOST | Flags::NAMED;
        let mut rows = Vec::new();
        for row in from..self.rows() {
            if !self.entry(row)?.flags.has(named) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    pub(crate) fn uuids(
        &self,
        low: [u8; 16],
        high: [u8; 16],
        at_most: usize,
    ) -> Result<Vec<[u8; 16]>> {
        let mut ids: Vec<[u8; 16]> = Vec::new();
        let mut from = (low, 0);
        loop {
            let in_slot = |slot| self.in_slot(slot);
            let rows = self.index.rows_between((&from.0, from.1), &high, AT_A_TIME, in_slot)?;
            for &row in &rows {
                let entry = self.entry(row)?;
                if !entry.flags.has(Flags::TEXT) && ids.last() != Some(&entry.key) {
                    ids.push(entry.key);
                }
                from = (entry.key, row + 1);
            }
            if rows.len() < AT_A_TIME || ids.len() >= at_most {
                ids.truncate(at_most);
                return Ok(ids);
            }
        }
    }

    pub(crate) fn awaited(&self) -> Result<Vec<EventId>> {
        let awaited = self.index.awaited(0, usize::MAX)?;
        Ok(awaited.into_iter().map(|parent| parent.id).collect())
    }

    pub(crate) fn refused_len(&self) -> usize {
        self.index.links_len(Standing::Refused) as usize
    }

    pub(crate) fn refused(&self, from: usize, at_most: usize) -> Result<Vec<Link>> {
        let links = self.index.links(Standing::Refused, from as u32, at_most)?;
        Ok(links.into_iter().map(|kept| kept.link).collect())
    }

    pub(crate) fn closing_len(&self) -> usize {
        self.index.links_len(Standing::Closing) as usize
    }

    pub(crate) fn closing(
        &self,
        from: usize,
        at_most: usize,
    ) -> Result<Vec<Option<(EventId, EventId)>>> {
        let links = self.index.links(Standing::Closing, from as u32, at_most)?;
        Ok(links.into_iter().map(|kept| Some((kept.link.child, kept.link.parent))).collect())
    }

    pub(crate) fn quarantined_len(&self) -> Result<usize> {
        Ok(self.index.quarantined(0, usize::MAX)?.len())
    }

    pub(crate) fn quarantined(&self, number: usize) -> Result<Option<Quarantined>> {
        let place = self.index.quarantined(number as u32, 1)?.first().copied();
        place.map(|place| self.file.quarantined(place as u32, &self.cache)).transpose()
    }

    pub(crate) fn knows_quarantined(&self, key: &[u8; 16]) -> Result<bool> {
        self.index.knows_quarantined(key)
    }

    pub(crate) fn state(&self, family: Family, key: &str) -> Result<Option<Kept>> {
        self.index.state(family, key)
    }

    pub(crate) fn state_names(
        &self,
        family: Family,
        after: Option<&str>,
        show: impl FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.index.state_names(family, after, show)
    }

    pub(crate) fn state_values(
        &self,
        family: Family,
        show: impl FnMut(&str, Option<&[u8]>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.index.state_values(family, show)
    }

    fn rows_of(&self, id: &EventId, at_most: usize) -> Result<Vec<u32>> {
        self.index.rows_of(&id.key(), None, at_most, |slot| self.in_slot(slot))
    }

    fn in_slot(&self, slot: u32) -> Result<([u8; 16], u32)> {
        self.file.at_slot(slot).map(|slotted| (slotted.entry.key, slotted.row))
    }

    /// Leaves the rows for which an id is this one: texts are found by digests.
    fn keep_equal(
        &self,
        rows: &mut Vec<u32>,
        id: &EventId,
        id_of: impl Fn(&Self, u32) -> Result<Option<EventId>>,
    ) -> Result<()> {
        if id.as_uuid().is_some() {
            return Ok(());
        }
        let mut equal = Vec::with_capacity(rows.len());
        for &row in &*rows {
            if id_of(self, row)?.as_ref() == Some(id) {
                equal.push(row);
            }
        }
        *rows = equal;
        Ok(())
    }

    fn as_claim(&self, kept: KeptLink) -> Claim {
        let before_seq = self.first_seq() + u64::from(kept.made.rows);
        Claim { link: kept.link, before_seq, number: kept.made.claims }
    }

    fn damaged(&self, what: &str) -> Error {
        Error::damaged(format!("{}: expected {what}, found none", self.file.name()))
    }
}

fn dim(list: &ListOf) -> Dim<'_> {
    match list {
        ListOf::All => Dim::All,
        ListOf::Errors => Dim::Errors,
        ListOf::Kind(kind) => Dim::Kind(kind),
        ListOf::Instance(instance) => Dim::Instance(instance),
        ListOf::Session(session) => Dim::Session(session),
        ListOf::Label(key, value) => Dim::Label(key, value),
    }
}

/// Rows looked up at a time.
const AT_A_TIME: usize = 256;
