//! The rows of a log, as far as a view sees them.

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
use crate::log::index::{Anchor, Dimension, Index, Made, Postings, Row, StoredLink};
use crate::log::reader::Via;
use crate::log::view::LogView;
use crate::view::source::{LastRead, RowSource, SourceIdentity};
use crate::view::stored::{ContentSource, LogNames, Names};

impl RowSource for LogView {
    fn first_seq(&self) -> u64 {
        LogView::first_seq(self)
    }

    fn rows(&self) -> u32 {
        self.visible.rows
    }

    fn identity(&self) -> SourceIdentity {
        SourceIdentity::Log(self.log.reader.number())
    }

    fn head(&self, id: &EventId) -> Result<Option<(u32, bool)>> {
        let index = self.index();
        let row = index.find(id).filter(|&row| self.sees(row));
        Ok(row.map(|row| (row, index.row(row).flags.has(Flags::VERSION))))
    }

    fn copies(&self, id: &EventId) -> Result<Vec<u32>> {
        let index = self.index();
        let Some(head) = index.find(id).filter(|&row| self.sees(row)) else {
            return Ok(Vec::new());
        };
        let later = index.versions(head).iter().copied().filter(|&row| self.sees(row));
        Ok(std::iter::once(head).chain(later).collect())
    }

    fn superseded_by(&self, seq: u64) -> Result<Option<u32>> {
        Ok(self.index().superseded_by(seq).filter(|&row| self.sees(row)))
    }

    fn id(&self, row: u32) -> Result<EventId> {
        Ok(self.index().id(row))
    }

    fn flags(&self, row: u32) -> Result<Flags> {
        Ok(self.index().row(row).flags)
    }

    fn read(&self, row: u32) -> Result<RowRead> {
        Ok(read_row(self, &self.index(), row))
    }

    /// Under one lock of the index.
    fn read_on(&self, rows: &mut Vec<RowRead>, at_most: usize) {
        let index = self.index();
        for _ in 0..at_most {
            let Some(row) = rows.last().and_then(|row| self.row_of_parent(row.parent)) else {
                return;
            };
            rows.push(read_row(self, &index, row));
        }
    }

    fn names(&self, texts: TextNumbers) -> Result<Names> {
        let index = self.index();
        let text = |number| Arc::clone(index.text(number));
        let session = (texts.session != NONE).then(|| text(texts.session));
        let (kind, instance) = (text(texts.kind), text(texts.instance));
        Ok(Names::Log(Arc::new(LogNames { kind, instance, session })))
    }

    fn content(
        &self,
        place: u64,
        _texts: TextNumbers,
        detail: Detail,
        last: &mut LastRead,
    ) -> Result<ContentSource> {
        let (end, payload) = (self.visible.log_end, detail == Detail::Payload);
        let via = Via::Maps(&mut last.window);
        self.log.reader.event(place, end, payload, via).map(ContentSource::Record)
    }

    fn prefetch(&self, place: u64, last: &LastRead) {
        last.window.prefetch(place);
    }

    fn stored_parent(&self, row: u32) -> Result<(StoredParent, LinkKind)> {
        Ok(parent_of(self, &self.index(), row))
    }

    fn below(&self, row: u32) -> Result<Below> {
        let position = self.index().firm_position(row, self.at());
        let anchor = match position.anchor {
            Anchor::Row(row) => self.first_seq() + u64::from(row),
            Anchor::Earlier(seq, _) => seq,
        };
        Ok(Below { anchor, depth: position.depth })
    }

    fn anchor_id(&self, row: u32) -> Result<EventId> {
        let index = self.index();
        match index.firm_position(row, self.at()).anchor {
            Anchor::Row(row) => Ok(index.id(row)),
            Anchor::Earlier(_, id) => Ok(id),
        }
    }

    fn absent_parent_id(&self, row: u32) -> Result<EventId> {
        match self.index().stored_link(row, self.at()) {
            StoredLink::Earlier(_, id) | StoredLink::Awaited(id) => Ok(id),
            _ => {
                let seq = self.first_seq() + u64::from(row);
                Err(Error::damaged(format!("expected event {seq} to name a parent elsewhere")))
            }
        }
    }

    fn skip_pointer(&self, _row: u32) -> Result<Option<(u64, u32)>> {
        Ok(None)
    }

    fn standing(&self, child: &EventId) -> Result<Option<AssertedLink>> {
        Ok(standing(self, &self.index(), child))
    }

    fn asserted_links(&self) -> Result<Vec<AssertedLink>> {
        let index = self.index();
        let children = index.asserted_children();
        Ok(children.filter_map(|child| standing(self, &index, &child)).collect())
    }

    fn asserted_under(&self, parent: &EventId) -> Result<Vec<AssertedLink>> {
        let index = self.index();
        let children = index.asserted_children_of(parent).iter();
        let asserted = children.filter_map(|child| standing(self, &index, child));
        Ok(asserted.filter(|asserted| asserted.link.parent == *parent).collect())
    }

    fn named_children(&self, parent: &EventId, seq: u64) -> Result<Vec<u32>> {
        let index = self.index();
        let row = self.row_of(seq);
        let mut rows: Vec<u32> = match row {
            Some(row) => index.named_children(row, self.at()).collect(),
            None => index.children_of_earlier(seq).to_vec(),
        };
        // Those that named it where it was not stored, not yet or no more.
        if row.is_none_or(|row| index.row(row).flags.has(Flags::VERSION)) {
            rows.extend(index.awaiting(parent));
        }
        rows.retain(|&row| self.sees(row));
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }

    fn is_marked(&self, child: &EventId, parent: &EventId) -> Result<bool> {
        Ok(self.index().is_cycle_edge(child, parent, self.at()))
    }

    fn equal_copy(
        &self,
        id: &EventId,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<Option<u32>> {
        let index = self.index();
        let Some(head) = index.find(id) else { return Ok(None) };
        let rows = index.candidates(head, index.fingerprint(fields, payload));
        let rows = compared(rows, fields);
        let places: Vec<_> = rows.into_iter().map(|row| (row, index.row(row).offset)).collect();
        // Records are read without holding the index.
        drop(index);
        for (row, place) in places {
            match self.log.reader.event(place, self.visible.log_end, true, Via::Reads) {
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
        Ok(self.index().was_refused(asserted))
    }

    fn knows_quarantined(&self, key: &[u8; 16]) -> Result<bool> {
        Ok(self.index().knows_quarantined(key))
    }

    fn number_of(&self, list: &ListOf) -> Result<Option<u32>> {
        Ok(match list {
            ListOf::Kind(text) | ListOf::Instance(text) | ListOf::Session(text) => {
                self.index().find_text(text)
            }
            ListOf::All | ListOf::Errors | ListOf::Label(..) => None,
        })
    }

    fn text(&self, number: u32) -> Result<String> {
        Ok(self.index().text(number).to_string())
    }

    fn list_len(&self, list: &ListOf) -> Result<usize> {
        Ok(postings(&self.index(), list).map_or(0, Postings::len))
    }

    fn list(
        &self,
        list: &ListOf,
        from: Place,
        backwards: bool,
        at_most: usize,
    ) -> Result<Vec<Place>> {
        let index = self.index();
        let Some(postings) = postings(&index, list) else { return Ok(Vec::new()) };
        let rows = index.rows();
        let place = |row: u32| Place::of(rows, row);
        Ok(if backwards {
            postings.backwards(rows, from).take(at_most).map(place).collect()
        } else {
            postings.forwards(rows, from).take(at_most).map(place).collect()
        })
    }

    fn lists(&self, list: &ListOf, row: u32) -> Result<bool> {
        let index = self.index();
        Ok(postings(&index, list).is_some_and(|list| list.contains(index.rows(), row)))
    }

    fn facts(&self, row: u32) -> Result<Facts> {
        let index = self.index();
        let row = index.row(row);
        Ok(Facts {
            time_ns: row.time_ns,
            flags: row.flags,
            kind: row.kind,
            instance: row.instance,
            session: row.session,
        })
    }

    fn values(&self, _by: &CountBy) -> Result<Option<Vec<(String, u64)>>> {
        Ok(None)
    }

    fn label_values(&self, key: &str) -> Result<Vec<String>> {
        let index = self.index();
        let Some(key) = index.find_text(key) else { return Ok(Vec::new()) };
        let values = index.label_values(key);
        Ok(values.iter().map(|&value| index.text(value).to_string()).collect())
    }

    fn unnamed_rows(&self, from: u64, _unread: &mut Unread) -> Result<Vec<u32>> {
        let index = self.index();
        let from = u32::try_from(from.saturating_sub(self.first_seq())).unwrap_or(u32::MAX);
        let named = Flags::VERSION | Flags::LOST | Flags::NAMED;
        let unnamed = |&row: &u32| !index.row(row).flags.has(named);
        Ok((from..self.rows()).filter(unnamed).collect())
    }

    fn uuids(&self, low: [u8; 16], high: [u8; 16], at_most: usize) -> Result<Vec<[u8; 16]>> {
        let index = self.index();
        let rows = &index.rows()[..self.rows() as usize];
        let other = Flags::TEXT | Flags::LOST;
        let wanted = rows.iter().filter(|row| !row.flags.has(other)).map(|row| row.id);
        let mut ids: Vec<_> = wanted.filter(|id| (low..=high).contains(id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(at_most);
        Ok(ids)
    }

    fn awaited(&self) -> Result<Vec<EventId>> {
        let index = self.index();
        let at = self.at();
        let missing = index.missing().iter();
        let missing = missing.filter(|entry| entry.since <= at && at < entry.until);
        Ok(missing.map(|entry| entry.id.clone()).collect())
    }

    fn refused_len(&self) -> usize {
        self.index().refused(self.at()).len()
    }

    fn refused(&self, from: usize, at_most: usize) -> Result<Vec<Link>> {
        let index = self.index();
        let refused = index.refused(self.at()).iter().skip(from).take(at_most);
        Ok(refused.map(|refused| refused.link.clone()).collect())
    }

    fn cycle_edges_len(&self) -> usize {
        self.index().cycle_edges(self.at()).len()
    }

    fn cycle_edges(&self, from: usize, at_most: usize) -> Result<Vec<Option<(EventId, EventId)>>> {
        let index = self.index();
        let edges = index.cycle_edges(self.at()).iter().skip(from).take(at_most);
        Ok(edges.map(|edge| index.cycle_edge_ends(edge, self.at())).collect())
    }

    fn quarantined_len(&self) -> Result<usize> {
        Ok(self.index().quarantined(self.at()).len())
    }

    fn quarantined(&self, number: usize) -> Result<Option<Quarantined>> {
        let place = self.index().quarantined(self.at()).get(number).copied();
        let read = |(offset, _)| self.log.reader.quarantined(offset, self.visible.log_end);
        place.map(read).transpose()
    }

    fn state(&self, kinds: &Kinds, kind: KindId, key: &str) -> Result<Option<Kept>> {
        self.kept_of(kinds, kind, key)
    }

    fn state_carried(&self, kind: KindId, key: &str) -> Result<Option<Kept>> {
        self.carried_over(kind, key)
    }

    fn state_names(
        &self,
        kinds: &Kinds,
        kind: KindId,
        after: Option<&str>,
        at_once: usize,
        show: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.walk_keys(kinds, kind, after, at_once, show)
    }
}

fn read_row(log: &LogView, index: &Index, row: u32) -> RowRead {
    let entry = index.row(row);
    let columns = Columns {
        seq: log.first_seq() + u64::from(row),
        version: entry.flags.is_later_version(),
        revision: entry.flags.has(Flags::REVISION),
        derived_id: entry.flags.has(Flags::DERIVED),
        own_scope: entry.flags.has(Flags::OWN_SCOPE),
        id: index.id(row),
        time_ns: entry.time_ns,
        place: entry.offset,
    };
    let &Row { kind, instance, session, .. } = entry;
    let (parent, link) = parent_of(log, index, row);
    RowRead { columns, texts: TextNumbers { kind, instance, session }, parent, link }
}

/// What a row's event says of its parent, and how it follows from it.
fn parent_of(log: &LogView, index: &Index, row: u32) -> (StoredParent, LinkKind) {
    let kind = index.row(index.row(row).first).flags.link();
    let seq = |row: u32| log.first_seq() + u64::from(row);
    let parent = match index.stored_link(row, log.at()) {
        StoredLink::None => StoredParent::None,
        StoredLink::Row(parent) => StoredParent::Row(seq(parent)),
        StoredLink::Earlier(parent, _) => StoredParent::Row(parent),
        StoredLink::Awaited(_) => StoredParent::Awaited,
        StoredLink::Cycle(parent) => StoredParent::Cycle(seq(parent)),
    };
    (parent, kind)
}

fn standing(log: &LogView, index: &Index, child: &EventId) -> Option<AssertedLink> {
    let (link, Made { rows, links: number }) = index.standing(child, log.at())?;
    let before_seq = log.first_seq() + u64::from(rows);
    Some(AssertedLink { link: link.clone(), before_seq, number })
}

fn postings<'i>(index: &'i Index, list: &ListOf) -> Option<&'i Postings> {
    let dimension = match list {
        ListOf::All => Dimension::All,
        ListOf::Errors => Dimension::Errors,
        ListOf::Kind(kind) => Dimension::Kind(index.find_text(kind)?),
        ListOf::Instance(instance) => Dimension::Instance(index.find_text(instance)?),
        ListOf::Session(session) => Dimension::Session(index.find_text(session)?),
        ListOf::Label(key, value) => {
            Dimension::Label(index.find_text(key)?, index.find_text(value)?)
        }
    };
    index.postings(dimension)
}
