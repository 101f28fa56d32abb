//! Loading events with their place in the lineage.

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::page::{Page, Position};
use crate::base::row::{RowRead, TextNumbers};
use crate::base::unread::Unread;
use crate::lineage::parent_link::ParentLink;
use crate::lineage::position::{PositionCache, TreePosition};
use crate::view::source::LastRead;
use crate::view::stored::{Ancestry, ContentSource, Found, StoredEvent};
use crate::view::{RowSource, View};

impl View {
    /// The event or version with this sequence number, with its payload.
    pub(crate) fn event(&self, seq: u64) -> Result<StoredEvent> {
        self.event_in(seq, Detail::Payload, &mut LastRead::default())
    }

    /// The same, as much of it as asked for, for one of several that are read.
    pub(crate) fn event_in(
        &self,
        seq: u64,
        detail: Detail,
        last: &mut LastRead,
    ) -> Result<StoredEvent> {
        let event = self.readable_event_in(seq, detail, last)?;
        let is_less = match detail {
            Detail::Ids => false,
            Detail::Columns => matches!(event.content, ContentSource::Nothing),
            _ => matches!(event.content, ContentSource::Nothing | ContentSource::Names(_)),
        };
        match event.damage {
            Some(damage) if is_less => Err(damage),
            _ => Ok(event),
        }
    }

    /// The same with what is known of it, where part of it can't be read.
    pub(crate) fn readable_event_in(
        &self,
        seq: u64,
        detail: Detail,
        last: &mut LastRead,
    ) -> Result<StoredEvent> {
        let found = self.found(seq, detail, Position::NONE, &mut PositionCache::default())?;
        self.load(found, detail, last)
    }

    /// The newest row in place of one, with its payload, with what is known of it.
    pub(crate) fn readable_newest(&self, seq: u64) -> Result<StoredEvent> {
        let (detail, cache) = (Detail::Payload, &mut PositionCache::default());
        let found = self.found_newest(seq, detail, Position::NONE, cache)?;
        self.load(found, detail, &mut LastRead::default())
    }

    /// What the index holds of a row. The cache helps where one of many is asked for,
    /// which mostly have ancestors in common.
    pub(crate) fn found(
        &self,
        seq: u64,
        detail: Detail,
        after: Position,
        cache: &mut PositionCache,
    ) -> Result<Found> {
        let Some((source, row)) = self.locate(seq)? else {
            return Err(Error::expired(seq));
        };
        let RowRead { columns, texts, parent, link } = source.read(row)?;
        let up = self.parent_link_within(&*source, row, parent, link)?;
        let position = self.position_by(seq, cache)?;
        let (ancestry, mut damage) = self.ancestry(&up, position)?;
        let content = match detail {
            Detail::Ids => Some(ContentSource::Nothing),
            Detail::Columns => Some(known_names(&*source, texts, &mut damage)?),
            Detail::Labels | Detail::Payload => None,
        };
        Ok(Found { columns, texts, ancestry, content, damage, after })
    }

    /// The same of the newest row in place of one. Where a source that may have a newer one
    /// can't be read, that is said with what was found.
    pub(crate) fn found_newest(
        &self,
        seq: u64,
        detail: Detail,
        after: Position,
        cache: &mut PositionCache,
    ) -> Result<Found> {
        let (newest, damage) = self.newest_readable(seq)?;
        let found = self.found(newest, detail, after, cache)?;
        Ok(Found { damage: found.damage.or(damage), ..found })
    }

    /// The place in the lineage of an event whose link leads `up`, and what of it can't be
    /// read.
    fn ancestry(
        &self,
        up: &ParentLink,
        position: TreePosition,
    ) -> Result<(Ancestry, Option<Error>)> {
        let mut damage = position.damage;
        let parent = or_damage(up.parent_id(self), &mut damage)?.flatten();
        let (depth, root) = (position.depth, position.root_id);
        Ok((Ancestry { parent, link: up.kind(), depth, root }, damage))
    }

    /// Loads what was found.
    pub(crate) fn load(
        &self,
        found: Found,
        detail: Detail,
        last: &mut LastRead,
    ) -> Result<StoredEvent> {
        let Found { columns, texts, ancestry, content, mut damage, .. } = found;
        let content = if let Some(content) = content {
            content
        } else {
            let Some((source, _)) = self.locate(columns.seq)? else {
                return Err(Error::expired(columns.seq));
            };
            content_or_names(&*source, columns.place, texts, detail, last, &mut damage)?
        };
        Ok(StoredEvent { columns, ancestry, content, damage })
    }

    /// Loads a page of events. What is damaged of each, the page tells too.
    pub(crate) fn load_page(
        &self,
        page: Page<Found, Position>,
        detail: Detail,
    ) -> Result<Page<StoredEvent, Position>> {
        let (mut last, mut unread) = (LastRead::default(), Unread::default());
        let load = |found| {
            let event = self.load(found, detail, &mut last)?;
            unread.note_opt(event.damage());
            Ok(event)
        };
        let page = page.load(|found| found.after, load, StoredEvent::own_bytes)?;
        Ok(page.with_damaged(unread.into_errors()))
    }
}

/// What the record of a row says; where it can't be read the row's texts, and why.
pub(crate) fn content_or_names<S: RowSource + ?Sized>(
    source: &S,
    place: u64,
    texts: TextNumbers,
    detail: Detail,
    last: &mut LastRead,
    damage: &mut Option<Error>,
) -> Result<ContentSource> {
    match or_damage(source.content(place, texts, detail, last), damage)? {
        Some(content) => Ok(content),
        None => known_names(source, texts, damage),
    }
}

/// The texts of a row; nothing where they can't be read.
pub(crate) fn known_names<S: RowSource + ?Sized>(
    source: &S,
    texts: TextNumbers,
    damage: &mut Option<Error>,
) -> Result<ContentSource> {
    let names = or_damage(source.names(texts), damage)?;
    Ok(names.map_or(ContentSource::Nothing, ContentSource::Names))
}

/// The outcome; none where it is damage, which is kept unless some is known already.
pub(crate) fn or_damage<T>(outcome: Result<T>, damage: &mut Option<Error>) -> Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) => keep_damage(error, damage).map(|()| None),
    }
}

/// Keeps an error that is damage. Out of line: walks ask for each event.
#[cold]
fn keep_damage(error: Error, damage: &mut Option<Error>) -> Result<()> {
    if error.is_damaged() {
        damage.get_or_insert(error);
        return Ok(());
    }
    Err(error)
}
