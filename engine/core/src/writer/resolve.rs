//! Deduplicates a batch: each record is new, a duplicate or another version.

use std::collections::HashMap;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::link::{Link, Linked};
use crate::base::row::{Flags, NONE};
use crate::base::unread::Unread;
use crate::batch::{AppendStatus, Appended, Written};
use crate::log::block::HEADER_BYTES;
use crate::log::content::{compared, same_content};
use crate::log::encoded::{Encoded, EncodedBatch};
use crate::log::fields::ArchivedEventMeta;
use crate::log::index::Entered;
use crate::log::reader::Via;
use crate::log::record::{ALIGN, FRAME_BYTES, Frame, StateFields, SupersedesMeta, quarantine_key};
use crate::writer::Writer;

impl Writer {
    /// Adds the records that are new to the block and the index, where no snapshot sees
    /// them until the block is published.
    pub(super) fn resolve(&mut self, records: EncodedBatch) -> Result<Written> {
        let EncodedBatch { events, links, retellings, quarantined, state } = records;
        let retellings = Retellings::read(&retellings)?;
        let events = self.resolve_events(&events, &retellings)?;
        let mut written = Written { events, ..Written::default() };
        for link in links {
            written.links.push(self.resolve_link(&link)?);
        }
        for input in quarantined {
            written.quarantined.push(self.resolve_quarantined(&input)?);
        }
        for record in state {
            self.push_state(&record)?;
        }
        Ok(written)
    }

    fn resolve_events(
        &mut self,
        events: &[Encoded],
        retellings: &Retellings,
    ) -> Result<Vec<Appended>> {
        // Which segments may know an id is computed once: most are in no earlier one, and each
        // is asked for several times.
        if let [event] = events {
            let fields = event.as_event()?;
            let id = EventId::from(&fields.id);
            let that_know: Vec<usize> = self.earlier.candidates(&id).collect();
            return Ok(vec![self.resolve_event(event, fields, id, &that_know, retellings)?]);
        }
        let fields: Vec<_> = events.iter().map(Encoded::as_event).collect::<Result<_>>()?;
        let ids: Vec<_> = fields.iter().map(|fields| EventId::from(&fields.id)).collect();
        let that_know = self.earlier.candidates_of(ids.iter());
        let mut appended = Vec::with_capacity(events.len());
        for (which, (event, id)) in events.iter().zip(ids).enumerate() {
            let that_know = that_know.of(which);
            appended.push(self.resolve_event(event, fields[which], id, that_know, retellings)?);
        }
        Ok(appended)
    }

    /// `that_know` are the earlier segments that may know the event's id.
    fn resolve_event(
        &mut self,
        event: &Encoded,
        fields: &ArchivedEventMeta,
        id: EventId,
        that_know: &[usize],
        retellings: &Retellings,
    ) -> Result<Appended> {
        self.unchecked.record = false;
        let status = match self.find_equal(that_know, &id, fields, event.payload())? {
            Presence::Equal(seq) => {
                let (status, unchecked) = (AppendStatus::Repeat, false);
                return Ok(Appended { id, seq, status, unchecked });
            }
            Presence::Other => AppendStatus::Version,
            Presence::Not => AppendStatus::New,
        };
        let mut cross_ref = None;
        if self.has_earlier() {
            let named = fields.parent_id();
            if status == AppendStatus::New {
                let parent = self.absent_parent(&id, named.as_ref());
                cross_ref = self.unless_damaged(parent)?;
                let marked = self.mark_if_cycle(that_know, &id, named.as_ref());
                self.unless_damaged(marked)?;
                if let Some(named) = &named {
                    let kind = fields.link_kind()?;
                    let refused = self.refuse_earlier_link(that_know, &id, named, kind);
                    self.unless_damaged(refused)?;
                }
            } else {
                let event = self.earlier_event(&id);
                cross_ref = self.unless_damaged(event)?;
            }
            if let Some(cross_ref) = &mut cross_ref {
                let own = fields.session().unwrap_or_default();
                cross_ref.session.take_if(|session| *session == own);
                // In front of its event: replay gives it to the next event that it reads.
                self.push(&Encoded::cross_ref(cross_ref));
            }
        }
        let supersedes = match status {
            AppendStatus::Version if fields.is_revision() => {
                Vec::from_iter(self.superseded(&id, fields)?)
            }
            AppendStatus::New => self.retold(&id, fields, retellings)?,
            _ => Vec::new(),
        };
        for supersedes in &supersedes {
            self.push(&Encoded::supersedes(supersedes));
        }
        let entered = self.push_as(event, status == AppendStatus::Version);
        let mut index = self.active.index.write();
        let row = index.add_event(fields, event.payload(), entered, cross_ref)?;
        for supersedes in &supersedes {
            index.supersede(row, *supersedes);
        }
        let first = index.row(row).first;
        let names_none = !index.row(first).flags.has(Flags::NAMED);
        drop(index);
        if supersedes.iter().any(|supersedes| supersedes.of_event)
            && names_none
            && let Some(parent) = fields.parent_id()
        {
            // As strong as if the event had named it from the beginning.
            let link = Link::new(id.clone(), parent, fields.link_kind()?).strength(u8::MAX);
            self.resolve_link(&Encoded::link(&link))?;
        }
        Ok(Appended { id, seq: self.seq(row), status, unchecked: self.unchecked.record })
    }

    /// What was found, or nothing where an earlier segment can't be read for damage: one bad
    /// segment keeps nothing from being stored. That is reported, once for each damage.
    pub(super) fn unless_damaged<T: Default>(&mut self, found: Result<T>) -> Result<T> {
        match found {
            Err(error) if error.is_damaged() => {
                self.note_unchecked(error);
                Ok(T::default())
            }
            found => found,
        }
    }

    fn note_unchecked(&mut self, error: Error) {
        self.unchecked.note(error, self.shared.view().segments.warnings());
    }

    /// What a new event replaces since it tells the same: events that are listed, or itself.
    fn retold(
        &mut self,
        id: &EventId,
        fields: &ArchivedEventMeta,
        retellings: &Retellings,
    ) -> Result<Vec<SupersedesMeta>> {
        let mut found: Vec<SupersedesMeta> = Vec::new();
        for other in retellings.of(id) {
            let meta = if other == id {
                let seq = self.seq(self.active.index.read().rows().len() as u32);
                Some(SupersedesMeta { seq, of_event: false, is_error: false })
            } else {
                let replaced = self.retold_by(other, fields);
                self.unless_damaged(replaced)?
            };
            found.extend(meta.filter(|meta| found.iter().all(|known| known.seq != meta.seq)));
        }
        Ok(found)
    }

    /// What is said of an event that another one tells again; none where it is not listed, or of
    /// another instance or session, whose sums it would be missing from.
    fn retold_by(
        &self,
        other: &EventId,
        fields: &ArchivedEventMeta,
    ) -> Result<Option<SupersedesMeta>> {
        let Some(seq) = self.whole.find(other)? else { return Ok(None) };
        let Some((source, row)) = self.whole.locate(seq)? else { return Ok(None) };
        let facts = source.facts(row)?;
        let names = source.names(facts.texts())?;
        let is_alike = names.session() == fields.session()
            && names.instance() == fields.instance()
            && facts.flags.has(Flags::OWN_SCOPE) == fields.has_own_scope();
        if !is_alike || self.whole.is_superseded(seq)? {
            return Ok(None);
        }
        Ok(Some(SupersedesMeta { of_event: false, ..supersedes(seq, facts.flags) }))
    }

    /// What a revision replaces: the newest record of its id in its session, of those that
    /// can be read.
    fn superseded(
        &mut self,
        id: &EventId,
        fields: &ArchivedEventMeta,
    ) -> Result<Option<SupersedesMeta>> {
        let index = self.active.index.read();
        let session = fields.session();
        if let Some(first) = index.find(id) {
            let is_it = |&&row: &&u32| {
                let own = index.row(row).session;
                (own != NONE).then(|| &**index.text(own)) == session
            };
            let first = [first];
            if let Some(&row) = index.versions(first[0]).iter().rev().chain(&first).find(is_it) {
                return Ok(Some(supersedes(self.seq(row), index.row(row).flags)));
            }
        }
        drop(index);
        if !self.has_earlier() {
            return Ok(None);
        }
        let mut unread = Unread::default();
        let mut newest = None;
        for seq in self.earlier.copies(id, 0, usize::MAX, &mut unread)?.into_iter().rev() {
            newest = unread.pass(self.supersedes_earlier(seq, session))?.flatten();
            if newest.is_some() {
                break;
            }
        }
        unread.into_errors().into_iter().for_each(|error| self.note_unchecked(error));
        Ok(newest)
    }

    /// What replaces a row of an earlier segment says of it; none where the row is of
    /// another session.
    fn supersedes_earlier(
        &self,
        seq: u64,
        session: Option<&str>,
    ) -> Result<Option<SupersedesMeta>> {
        let Some((source, row)) = self.earlier.locate(seq)? else { return Ok(None) };
        let facts = source.facts(row)?;
        if source.names(facts.texts())?.session() != session {
            return Ok(None);
        }
        Ok(Some(supersedes(seq, facts.flags)))
    }

    fn resolve_link(&mut self, link: &Encoded) -> Result<Linked> {
        let asserted = link.as_link()?.to_link()?;
        let judged = self.judge_earlier(&asserted);
        if let Some(verdict) = self.unless_damaged(judged)? {
            return Ok(verdict);
        }
        // One that loses goes into the log too: by its record recovery and sealing know that it was
        // refused, and it stays refused whatever becomes of the winner.
        let verdict = self.active.index.read().judge(&asserted);
        if verdict == Linked::Repeat {
            return Ok(verdict);
        }
        let cycle = verdict == Linked::Accepted && {
            let marked = self.mark_asserted_if_cycle(&asserted);
            self.unless_damaged(marked)?
        };
        let entered = self.push(link);
        let verdict = self.active.index.write().assert_link(asserted, entered.commit);
        self.ancestors.clear();
        Ok(if cycle { Linked::CycleEdge } else { verdict })
    }

    fn resolve_quarantined(&mut self, input: &Encoded) -> Result<bool> {
        let key = quarantine_key(input.as_quarantined()?, input.payload().unwrap_or_default());
        let known_earlier = self.earlier_knows_quarantined(&key);
        if self.active.index.read().knows_quarantined(&key) || self.unless_damaged(known_earlier)? {
            return Ok(false);
        }
        let entered = self.push(input);
        Ok(self.active.index.write().add_quarantined(key, entered))
    }

    /// Adds a record of state to the block and the index.
    pub(super) fn push_state(&mut self, record: &Encoded) -> Result<()> {
        let Some(StateFields { kind, key, carried_for }) = record.as_state()? else {
            return Err(Error::damaged("expected a record of state, found another"));
        };
        let entered = self.push(record);
        self.active.index.write().add_state(kind, key, carried_for, entered);
        Ok(())
    }

    /// Adds a record to the block.
    pub(super) fn push(&mut self, record: &Encoded) -> Entered {
        self.push_as(record, false)
    }

    /// Adds a record to the block, an event as a version if it is one.
    fn push_as(&mut self, record: &Encoded, version: bool) -> Entered {
        let offset = self.log.end + self.block.push(record, version) as u64;
        Entered { offset, commit: self.published.commit + 1 }
    }

    /// The sequence number of a row of the active log.
    pub(super) fn seq(&self, row: u32) -> u64 {
        self.active.first_seq + u64::from(row)
    }

    /// Whether an event, or a version of it, has just this content.
    fn find_equal(
        &mut self,
        that_know: &[usize],
        id: &EventId,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<Presence> {
        let here = self.find_equal_here(id, fields, payload)?;
        if matches!(here, Presence::Equal(_)) {
            return Ok(here);
        }
        // Earlier segments are asked also where the log has the id: it may have a version alone,
        // and the repeat may be of the event itself.
        match self.find_equal_earlier(that_know, id, fields, payload)? {
            Presence::Not => Ok(here),
            known => Ok(known),
        }
    }

    /// Whether the active log has just this content under an id.
    fn find_equal_here(
        &self,
        id: &EventId,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<Presence> {
        let index = self.active.index.read();
        let Some(first) = index.find(id) else {
            return Ok(Presence::Not);
        };
        let candidates = index.candidates(first, index.fingerprint(fields, payload));
        let places: Vec<(u32, u64)> = compared(candidates, fields)
            .into_iter()
            .map(|row| (row, index.row(row).offset))
            .collect();
        let known = index.knows_content(first);
        let first_offset = index.row(first).offset;
        drop(index);
        // Equal fingerprints nearly always mean equal content: one comparison.
        for (row, offset) in places {
            match self.has_content(offset, fields, payload) {
                Ok(true) => return Ok(Presence::Equal(self.seq(row))),
                Ok(false) => {}
                // An event that can't be compared with is kept beside: nothing is lost.
                Err(error) if error.is_damaged() => {}
                Err(error) => return Err(error),
            }
        }
        if !known {
            self.keep_content(first, first_offset)?;
        }
        Ok(Presence::Other)
    }

    /// Caches the fingerprint of an event that gets another version, so that it is read
    /// for comparison once, however many versions arrive.
    fn keep_content(&self, first: u32, offset: u64) -> Result<()> {
        let fingerprint = |fields: &ArchivedEventMeta, payload: Option<&[u8]>| {
            self.active.index.read().fingerprint(fields, payload)
        };
        match self.with_content(offset, fingerprint) {
            Ok(fingerprint) => self.active.index.write().keep_content(first, fingerprint),
            Err(error) if error.is_damaged() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether the record at `offset` has this content.
    fn has_content(
        &self,
        offset: u64,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<bool> {
        self.with_content(offset, |stored, stored_payload| {
            same_content((stored, stored_payload), (fields, payload))
        })
    }

    /// Looks at the fields and the payload of the record at `offset`.
    fn with_content<T>(
        &self,
        offset: u64,
        look: impl FnOnce(&ArchivedEventMeta, Option<&[u8]>) -> T,
    ) -> Result<T> {
        if offset < self.log.end {
            let record = self.active.reader.event(offset, self.log.end, true, Via::Reads)?;
            return Ok(look(record.fields(), record.payload()));
        }
        // The record is still in the block that is being filled.
        let at = (offset - self.log.end) as usize;
        debug_assert!(at >= HEADER_BYTES);
        let bytes = &self.block.bytes()[at..];
        let frame = Frame::parse(bytes, bytes.len() as u64)?;
        let mut meta = rkyv::util::AlignedVec::<ALIGN>::new();
        meta.extend_from_slice(&bytes[FRAME_BYTES..FRAME_BYTES + frame.meta_len]);
        let start = frame.payload_start();
        let payload = frame.payload_len.map(|length| &bytes[start..start + length]);
        Ok(look(ArchivedEventMeta::read(&meta)?, payload))
    }
}

fn supersedes(seq: u64, flags: Flags) -> SupersedesMeta {
    let (of_event, is_error) = (!flags.is_later_version(), flags.has(Flags::ERROR));
    SupersedesMeta { seq, of_event, is_error }
}

/// Which events of a batch tell what others do.
#[derive(Debug, Default)]
struct Retellings(HashMap<EventId, Vec<EventId>>);

impl Retellings {
    fn read(records: &[Encoded]) -> Result<Self> {
        let mut found = Self::default();
        for record in records {
            let Link { child, parent, .. } = record.as_link()?.to_link()?;
            found.0.entry(child).or_default().push(parent);
        }
        Ok(found)
    }

    fn of(&self, id: &EventId) -> &[EventId] {
        self.0.get(id).map_or(&[], Vec::as_slice)
    }
}

/// Whether a content is stored under an id.
#[derive(Default)]
pub(super) enum Presence {
    #[default]
    Not,
    /// With this sequence number.
    Equal(u64),
    Other,
}
