//! One hop of a walk: the row of an event, where its link leads, and what is loaded of it.

use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::row::RowRead;
use crate::lineage::load::{content_or_names, or_damage};
use crate::lineage::parent_link::ParentLink;
use crate::view::near::Near;
use crate::view::source::LastRead;
use crate::view::stored::{Ancestry, ContentSource, StoredEvent};
use crate::view::{RowSource, Source, View};

/// Loads the events of one chain, as much of each as was asked for.
#[derive(Debug)]
pub(super) struct Loader {
    pub(super) view: Arc<View>,
    /// The source of the event that the walk is at, and that of a parent which is in
    /// another one.
    pub(super) at: Near,
    above: Near,
    pub(super) ahead: RowsAhead,
    pub(super) detail: Detail,
    pub(super) root: EventId,
    /// Why the root is only the topmost that can be read, where it is.
    no_root: Option<Error>,
    /// Whether events may have newer revisions.
    has_revisions: bool,
    /// Whether neither of the two has to be looked at.
    pub(super) is_plain: bool,
    pub(super) last: LastRead,
}

impl Loader {
    pub(super) fn new(view: Arc<View>, root: EventId, no_root: Option<Error>) -> Self {
        let has_revisions = view.has_revisions();
        Self {
            view,
            at: Near::default(),
            above: Near::default(),
            ahead: RowsAhead::default(),
            detail: Detail::default(),
            root,
            is_plain: !has_revisions && no_root.is_none(),
            no_root,
            has_revisions,
            last: LastRead::default(),
        }
    }

    /// Goes to an event and returns where its link leads. Fails where its row can't be read.
    pub(super) fn arrive(&mut self, seq: u64) -> Result<ParentLink> {
        if let Some((row, parent)) = self.ahead.hop(seq) {
            return Ok(ParentLink::Known(parent.columns.seq, row.link));
        }
        self.read(seq, true)
    }

    /// The event that the walk has arrived at, whose link leads there.
    pub(super) fn event(&mut self, seq: u64, depth: u64, up: &ParentLink) -> Result<StoredEvent> {
        self.load(seq, depth, up, None)
    }

    /// An event, where the walk comes from above: mostly from its parent.
    pub(super) fn event_below(
        &mut self,
        seq: u64,
        depth: u64,
        above: Option<(u64, EventId)>,
    ) -> Result<StoredEvent> {
        let up = self.read(seq, false)?;
        let parent =
            above.filter(|(above, _)| matches!(up, ParentLink::Known(to, _) if to == *above));
        self.load(seq, depth, &up, parent.map(|(_, id)| id))
    }

    /// Reads the row of the event that is asked for next, and has its record fetched. Where it
    /// can't be read, whoever asks for it is told.
    pub(super) fn look_ahead(&mut self, seq: u64) {
        let near = if self.at.has(seq) { &mut self.at } else { &mut self.above };
        let Ok((source, row)) = near.locate(&self.view, seq) else { return };
        let Ok(read) = source.read(row) else { return };
        if self.detail == Detail::Payload {
            source.prefetch(read.columns.place, &self.last);
        }
        self.ahead.apart = Some(read);
    }

    /// Reads the row of an event, and where the walk goes up those above it.
    fn read(&mut self, seq: u64, goes_up: bool) -> Result<ParentLink> {
        if !self.at.has(seq) && self.above.has(seq) {
            std::mem::swap(&mut self.at, &mut self.above);
        }
        let Self { view, at, ahead, .. } = self;
        match at.locate(view, seq)? {
            (Source::Sealed(segment), row) => ahead.read_link(view, segment, row, goes_up),
            (Source::Log(log), row) => ahead.read_link(view, log, row, goes_up),
        }
    }

    /// Loads an event whose row was read.
    fn load(
        &mut self,
        seq: u64,
        depth: u64,
        up: &ParentLink,
        parent: Option<EventId>,
    ) -> Result<StoredEvent> {
        let mut damage = self.no_root.clone();
        if self.has_revisions {
            let (newest, unread) = self.view.newest_readable(seq)?;
            damage = damage.or(unread);
            if newest != seq {
                let event = self.view.readable_event_in(newest, self.detail, &mut self.last)?;
                return Ok(StoredEvent { damage: event.damage.or(damage), ..event });
            }
        }
        let parent = match parent {
            None => or_damage(self.parent_id(seq, up), &mut damage)?.flatten(),
            known => known,
        };
        let Self { view, at, ahead, detail, last, .. } = self;
        let Some((row, above)) = ahead.rows.get(ahead.here..).and_then(<[_]>::split_first) else {
            return Err(Error::expired(seq));
        };
        let content = content_at(view, at, row, above.first(), *detail, last, &mut damage)?;
        let ancestry = Ancestry { parent, link: up.kind(), depth, root: self.root.clone() };
        Ok(StoredEvent { columns: row.columns.clone(), ancestry, content, damage })
    }

    /// The parent's id. A stored one is read whole, since the walk mostly goes on to it.
    fn parent_id(&mut self, seq: u64, up: &ParentLink) -> Result<Option<EventId>> {
        let ParentLink::Known(parent, _) = *up else { return up.parent_id(&self.view) };
        if let Some((_, parent)) = self.ahead.hop(seq) {
            return Ok(Some(parent.columns.id.clone()));
        }
        let near = if self.at.has(parent) { &mut self.at } else { &mut self.above };
        let (source, row) = near.locate(&self.view, parent)?;
        let read = source.read(row)?;
        Ok(Some(self.ahead.apart.insert(read).columns.id.clone()))
    }
}

/// Rows along stored links, read several at a time: to lock a log's index, or to find out which
/// sort of source it is, costs as much as a row.
#[derive(Debug, Default)]
pub(super) struct RowsAhead {
    /// The parent of each is the next one, a row of the same source.
    rows: Vec<RowRead>,
    /// Which of them the walk is at.
    here: usize,
    /// How many were read at once: few at first, for whoever asks for few.
    read: usize,
    /// A row that was read for its id, and that the walk may come to.
    apart: Option<RowRead>,
}

impl RowsAhead {
    /// The row of the event that the walk is at, and its parent's, where both were read.
    #[inline]
    pub(super) fn hop(&self, seq: u64) -> Option<(&RowRead, &RowRead)> {
        match self.rows.get(self.here..)? {
            [row, parent, ..] if row.columns.seq == seq => Some((row, parent)),
            _ => None,
        }
    }

    /// Leaves the row that the walk is at.
    #[inline]
    pub(super) fn pass(&mut self) {
        self.here += 1;
    }

    /// Reads a row, unless it was read, and where the walk goes up those above it. Returns where
    /// its link leads.
    fn read_link<S: RowSource>(
        &mut self,
        view: &View,
        source: &S,
        row: u32,
        goes_up: bool,
    ) -> Result<ParentLink> {
        let seq = source.first_seq() + u64::from(row);
        if self.rows.get(self.here).is_some_and(|read| read.columns.seq == seq) {
            self.rows.swap(0, self.here);
            self.rows.truncate(1);
        } else {
            let read = match self.apart.take() {
                Some(read) if read.columns.seq == seq => read,
                _ => source.read(row)?,
            };
            self.rows.clear();
            self.rows.push(read);
        }
        self.here = 0;
        if goes_up {
            self.read = (2 * self.read).clamp(1, MAX_AHEAD);
            source.read_on(&mut self.rows, self.read);
        }
        let RowRead { parent, link, .. } = self.rows[0];
        view.parent_link_within(source, row, parent, link)
    }
}

/// What is loaded of the event of a row, whose parent's is `above`.
#[inline]
pub(super) fn content_at(
    view: &View,
    at: &mut Near,
    row: &RowRead,
    above: Option<&RowRead>,
    detail: Detail,
    last: &mut LastRead,
    damage: &mut Option<Error>,
) -> Result<ContentSource> {
    match at.locate(view, row.columns.seq)?.0 {
        Source::Sealed(segment) => load_content(segment, row, above, detail, last, damage),
        Source::Log(log) => load_content(log, row, above, detail, last, damage),
    }
}

#[inline]
fn load_content<S: RowSource>(
    source: &S,
    row: &RowRead,
    above: Option<&RowRead>,
    detail: Detail,
    last: &mut LastRead,
    damage: &mut Option<Error>,
) -> Result<ContentSource> {
    match detail {
        Detail::Ids => Ok(ContentSource::Nothing),
        Detail::Columns => {
            let names = or_damage(last.names.of(source, row.texts), damage)?;
            Ok(names.map_or(ContentSource::Nothing, ContentSource::Names))
        }
        detail => {
            if let Some(above) = above.filter(|_| detail == Detail::Payload) {
                source.prefetch(above.columns.place, last);
            }
            content_or_names(source, row.columns.place, row.texts, detail, last, damage)
        }
    }
}

/// Rows that are read at once. Bounds how long the index of a log is locked, and what is read in
/// vain where a walk ends sooner: no more than it has read.
const MAX_AHEAD: usize = 32;
