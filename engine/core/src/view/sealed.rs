//! The rows of a sealed segment.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::base::count_by::CountBy;
use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::event::Quarantined;
use crate::base::id::EventId;
use crate::base::kinds::Kinds;
use crate::base::link::{Link, LinkKind};
use crate::base::row::{
    AssertedLink, Below, Columns, Facts, Flags, ListOf, NONE, Place, RowRead, StoredParent,
    TextNumbers,
};
use crate::base::state::{Kept, KindId};
use crate::base::unread::Unread;
use crate::log::content::{compared, same_content};
use crate::log::fields::ArchivedEventMeta;
use crate::segment::heap::EventRecord;
use crate::segment::index::{Dim, KeptLink, LinkEnd, Standing, Values, content_digest};
use crate::segment::sealed::Segment;
use crate::segment::spine::Entry;
use crate::view::source::{LastRead, RowSource, SourceIdentity};
use crate::view::stored::{ContentSource, Names};

impl RowSource for Arc<Segment> {
    fn first_seq(&self) -> u64 {
        Segment::first_seq(self)
    }

    fn rows(&self) -> u32 {
        Segment::rows(self)
    }

    fn identity(&self) -> SourceIdentity {
        SourceIdentity::Sealed(self.file().number())
    }

    fn head(&self, id: &EventId) -> Result<Option<(u32, bool)>> {
        let mut rows = rows_of(self, id, 1)?;
        keep_equal(self, &mut rows, id, |segment, row| segment.id(row).map(Some))?;
        let Some(&row) = rows.first() else { return Ok(None) };
        Ok(Some((row, self.entry(row)?.flags.has(Flags::VERSION))))
    }

    fn copies(&self, id: &EventId) -> Result<Vec<u32>> {
        let mut rows = rows_of(self, id, usize::MAX)?;
        keep_equal(self, &mut rows, id, |segment, row| segment.id(row).map(Some))?;
        Ok(rows)
    }

    fn superseded_by(&self, seq: u64) -> Result<Option<u32>> {
        if let Some(row) = self.row_of(seq)
            && !self.entry(row)?.flags.has(Flags::SUPERSEDED)
        {
            return Ok(None);
        }
        self.index().superseded_by(seq)
    }

    fn id(&self, row: u32) -> Result<EventId> {
        Segment::id(self, row)
    }

    fn flags(&self, row: u32) -> Result<Flags> {
        Ok(self.entry(row)?.flags)
    }

    fn read(&self, row: u32) -> Result<RowRead> {
        let entry = self.entry(row)?;
        let columns = Columns {
            seq: self.first_seq() + u64::from(row),
            version: entry.flags.is_later_version(),
            revision: entry.flags.has(Flags::REVISION),
            derived_id: entry.flags.has(Flags::DERIVED),
            own_scope: entry.flags.has(Flags::OWN_SCOPE),
            id: self.file().id(row, &entry)?,
            time_ns: entry.time_ns,
            place: u64::from(entry.record),
        };
        let Entry { kind, instance, session, .. } = entry;
        let (parent, link) = parent_of(&entry);
        Ok(RowRead { columns, texts: TextNumbers { kind, instance, session }, parent, link })
    }

    /// All of them can be read: asked for later, they have no way to say that they can't.
    fn names(&self, texts: TextNumbers) -> Result<Names> {
        let TextNumbers { kind, instance, session } = texts;
        for number in [kind, instance, session] {
            if number != NONE {
                self.file().check_text(number)?;
            }
        }
        Ok(Names::Sealed { segment: Arc::clone(self), kind, instance, session })
    }

    fn content(
        &self,
        place: u64,
        texts: TextNumbers,
        detail: Detail,
        last: &mut LastRead,
    ) -> Result<ContentSource> {
        // Heap addresses have 32 bits.
        let (record, payload) = (place as u32, detail == Detail::Payload);
        Ok(match self.file().record(record, payload, self.chunks(), &mut last.chunk)? {
            EventRecord::Plain(record) => ContentSource::Record(record),
            EventRecord::Packed(record) => {
                // Asked for later, it has no way to say that it can't be read.
                if let Some(number) = record.payload_type() {
                    self.file().check_text(number)?;
                }
                ContentSource::Packed(last.names.of(self, texts)?, record)
            }
        })
    }

    fn prefetch(&self, _place: u64, _last: &LastRead) {}

    fn stored_parent(&self, row: u32) -> Result<(StoredParent, LinkKind)> {
        self.entry(row).map(|entry| parent_of(&entry))
    }

    fn below(&self, row: u32) -> Result<Below> {
        let Entry { anchor, depth, .. } = self.entry(row)?;
        Ok(Below { anchor, depth })
    }

    fn anchor_id(&self, row: u32) -> Result<EventId> {
        let anchor = self.entry(row)?.anchor;
        if let Some(row) = anchor.checked_sub(self.first_seq()) {
            return self.id(row as u32);
        }
        let id = self.file().anchor_id(anchor)?;
        id.ok_or_else(|| damaged(self, &format!("the id of event {anchor}")))
    }

    fn absent_parent_id(&self, row: u32) -> Result<EventId> {
        let id = self.file().parent_id(row)?;
        id.ok_or_else(|| damaged(self, &format!("the parent that row {row} names")))
    }

    fn skip_pointer(&self, row: u32) -> Result<Option<(u64, u32)>> {
        let entry = self.entry(row)?;
        Ok((entry.skip != 0).then_some((entry.skip, entry.depth)))
    }

    fn standing(&self, child: &EventId) -> Result<Option<AssertedLink>> {
        if self.index().links_len(Standing::Stands) == 0 {
            return Ok(None);
        }
        let links = self.index().links_at(LinkEnd::Child, child, None, 1)?;
        let first = links.into_iter().find(|kept| kept.standing == Standing::Stands);
        Ok(first.map(|kept| asserted_of(self, kept)))
    }

    fn asserted_links(&self) -> Result<Vec<AssertedLink>> {
        let links = self.index().links(Standing::Stands, 0, usize::MAX)?;
        Ok(links.into_iter().map(|kept| asserted_of(self, kept)).collect())
    }

    fn asserted_under(&self, parent: &EventId) -> Result<Vec<AssertedLink>> {
        if self.index().links_len(Standing::Stands) == 0 {
            return Ok(Vec::new());
        }
        let links = self.index().links_at(LinkEnd::Parent, parent, None, usize::MAX)?;
        let standing = links.into_iter().filter(|kept| kept.standing == Standing::Stands);
        Ok(standing.map(|kept| asserted_of(self, kept)).collect())
    }

    fn named_children(&self, parent: &EventId, seq: u64) -> Result<Vec<u32>> {
        let inside = match self.row_of(seq) {
            Some(row) => self.index().children(row)?,
            None => None,
        };
        let mut rows = match inside {
            Some(list) => self.index().children_after(&list, None, usize::MAX)?,
            None => Vec::new(),
        };
        if let Some(list) = self.index().children_of_absent(&parent.key())? {
            let mut cross_segment = self.index().children_after(&list, None, usize::MAX)?;
            keep_equal(self, &mut cross_segment, parent, |segment, row| {
                segment.file().parent_id(row)
            })?;
            rows.extend(cross_segment);
            rows.sort_unstable();
        }
        Ok(rows)
    }

    fn is_marked(&self, child: &EventId, parent: &EventId) -> Result<bool> {
        if self.index().links_len(Standing::Marked) == 0 {
            return Ok(false);
        }
        let links = self.index().links_at(LinkEnd::Child, child, None, usize::MAX)?;
        let marks = |kept: &KeptLink| kept.standing == Standing::Marked;
        Ok(links.iter().any(|kept| marks(kept) && kept.link.parent == *parent))
    }

    fn equal_copy(
        &self,
        id: &EventId,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<Option<u32>> {
        let key = id.key();
        let digest = content_digest(fields, payload);
        let first = rows_of(self, id, 1)?;
        let versions = self.index().versions_with(&key, digest, |row| self.file().key(row))?;
        for row in compared(first.into_iter().chain(versions), fields) {
            match self.file().whole_record(row, self.chunks()) {
                Ok(record)
                    if same_content((record.fields(), record.payload()), (fields, payload)) =>
                {
                    return Ok(Some(row));
                }
                Ok(_) => {}
                // What can't be compared is kept beside it: nothing is lost.
                Err(error) if error.is_damaged() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn was_refused(&self, asserted: &Link) -> Result<bool> {
        if self.index().links_len(Standing::Refused) == 0 {
            return Ok(false);
        }
        let links = self.index().links_at(LinkEnd::Child, &asserted.child, None, usize::MAX)?;
        Ok(links.iter().any(|kept| kept.standing == Standing::Refused && kept.link == *asserted))
    }

    fn knows_quarantined(&self, key: &[u8; 16]) -> Result<bool> {
        self.index().knows_quarantined(key)
    }

    fn number_of(&self, list: &ListOf) -> Result<Option<u32>> {
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

    fn text(&self, number: u32) -> Result<String> {
        self.file().text(number).map(str::to_owned)
    }

    fn list_len(&self, list: &ListOf) -> Result<usize> {
        Ok(self.index().list(dim(list))?.map_or(0, |list| list.len() as usize))
    }

    fn list(
        &self,
        list: &ListOf,
        from: Place,
        backwards: bool,
        at_most: usize,
    ) -> Result<Vec<Place>> {
        let Some(list) = self.index().list(dim(list))? else { return Ok(Vec::new()) };
        let time_of = |row| Ok(self.entry(row)?.time_ns);
        let rows = if backwards {
            self.index().backwards(&list, from, at_most, time_of)?
        } else {
            self.index().forwards(&list, from, at_most, time_of)?
        };
        rows.into_iter().map(|row| Ok(Place { time_ns: time_of(row)?, row })).collect()
    }

    fn lists(&self, list: &ListOf, row: u32) -> Result<bool> {
        match self.index().list(dim(list))? {
            Some(list) => self.index().contains(&list, row, |row| Ok(self.entry(row)?.time_ns)),
            None => Ok(false),
        }
    }

    fn facts(&self, row: u32) -> Result<Facts> {
        let Entry { time_ns, flags, kind, instance, session, .. } = self.entry(row)?;
        Ok(Facts { time_ns, flags, kind, instance, session })
    }

    fn values(&self, by: &CountBy) -> Result<Option<Vec<(String, u64)>>> {
        values_of(self, by).map(Some)
    }

    fn label_values(&self, key: &str) -> Result<Vec<String>> {
        let values = values_of(self, &CountBy::Label(key.to_owned()))?;
        Ok(values.into_iter().map(|(value, _)| value).collect())
    }

    fn unnamed_rows(&self, from: u64, unread: &mut Unread) -> Result<Vec<u32>> {
        let named = Flags::VERSION | Flags::LOST | Flags::NAMED;
        let from = u32::try_from(from.saturating_sub(self.first_seq())).unwrap_or(u32::MAX);
        let mut rows = Vec::new();
        for row in from..self.rows() {
            let entry = unread.pass(self.entry(row))?;
            if entry.is_some_and(|entry| !entry.flags.has(named)) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn uuids(&self, low: [u8; 16], high: [u8; 16], at_most: usize) -> Result<Vec<[u8; 16]>> {
        let mut ids: Vec<[u8; 16]> = Vec::new();
        let mut from = (low, 0);
        loop {
            let in_slot = |slot| in_slot(self, slot);
            let rows = self.index().rows_between((&from.0, from.1), &high, AT_A_TIME, in_slot)?;
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

    fn awaited(&self) -> Result<Vec<EventId>> {
        let awaited = self.index().awaited(0, usize::MAX)?;
        Ok(awaited.into_iter().map(|parent| parent.id).collect())
    }

    fn refused_len(&self) -> usize {
        self.index().links_len(Standing::Refused) as usize
    }

    fn refused(&self, from: usize, at_most: usize) -> Result<Vec<Link>> {
        let links = self.index().links(Standing::Refused, from as u32, at_most)?;
        Ok(links.into_iter().map(|kept| kept.link).collect())
    }

    fn cycle_edges_len(&self) -> usize {
        self.index().links_len(Standing::Cycle) as usize
    }

    fn cycle_edges(&self, from: usize, at_most: usize) -> Result<Vec<Option<(EventId, EventId)>>> {
        let links = self.index().links(Standing::Cycle, from as u32, at_most)?;
        Ok(links.into_iter().map(|kept| Some((kept.link.child, kept.link.parent))).collect())
    }

    fn quarantined_len(&self) -> Result<usize> {
        Ok(self.index().quarantined(0, usize::MAX)?.len())
    }

    fn quarantined(&self, number: usize) -> Result<Option<Quarantined>> {
        let place = self.index().quarantined(number as u32, 1)?.first().copied();
        place.map(|place| self.file().quarantined(place as u32, self.chunks())).transpose()
    }

    fn state(&self, _kinds: &Kinds, kind: KindId, key: &str) -> Result<Option<Kept>> {
        self.index().state(kind, key)
    }

    fn state_carried(&self, kind: KindId, key: &str) -> Result<Option<Kept>> {
        self.index().state(kind, key)
    }

    fn state_names(
        &self,
        _kinds: &Kinds,
        kind: KindId,
        after: Option<&str>,
        _at_once: usize,
        show: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.index().state_names(kind, after, show)
    }
}

fn values_of(segment: &Segment, by: &CountBy) -> Result<Vec<(String, u64)>> {
    let values = match by {
        CountBy::Kind => Values::Kinds,
        CountBy::Instance => Values::Instances,
        CountBy::Session => Values::Sessions,
        CountBy::Label(key) => Values::Labels(key),
    };
    let counts = segment.index().values(values, None, usize::MAX)?;
    Ok(counts.into_iter().map(|(value, count)| (value, u64::from(count))).collect())
}

fn rows_of(segment: &Segment, id: &EventId, at_most: usize) -> Result<Vec<u32>> {
    segment.index().rows_of(&id.key(), None, at_most, |slot| in_slot(segment, slot))
}

fn in_slot(segment: &Segment, slot: u32) -> Result<([u8; 16], u32)> {
    segment.file().at_slot(slot).map(|slotted| (slotted.entry.key, slotted.row))
}

/// Leaves the rows for which an id is this one: texts are found by digests.
fn keep_equal(
    segment: &Arc<Segment>,
    rows: &mut Vec<u32>,
    id: &EventId,
    id_of: impl Fn(&Arc<Segment>, u32) -> Result<Option<EventId>>,
) -> Result<()> {
    if id.as_uuid().is_some() {
        return Ok(());
    }
    let mut equal = Vec::with_capacity(rows.len());
    for &row in &*rows {
        if id_of(segment, row)?.as_ref() == Some(id) {
            equal.push(row);
        }
    }
    *rows = equal;
    Ok(())
}

fn asserted_of(segment: &Segment, kept: KeptLink) -> AssertedLink {
    let before_seq = segment.first_seq() + u64::from(kept.made.rows);
    AssertedLink { link: kept.link, before_seq, number: kept.made.links }
}

/// What a row's event says of its parent, and how it follows from it.
fn parent_of(entry: &Entry) -> (StoredParent, LinkKind) {
    let parent = match entry.parent {
        _ if !entry.flags.has(Flags::NAMED) => StoredParent::None,
        0 => StoredParent::Awaited,
        parent if entry.flags.has(Flags::CYCLE) => StoredParent::Cycle(parent),
        parent => StoredParent::Row(parent),
    };
    (parent, entry.flags.link())
}

fn damaged(segment: &Segment, what: &str) -> Error {
    Error::damaged(format!("{}: expected {what}, found none", segment.file().name()))
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
