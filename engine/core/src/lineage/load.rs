//! Loading events with their place in the lineage.

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::page::{Page, Position};
use crate::lineage::position::{PositionCache, TreePosition};
use crate::view::View;
use crate::view::source::LastRead;
use crate::view::stored::{Ancestry, ContentSource, Found, StoredEvent};

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
        let found = self.found(seq, detail, Position::NONE, &mut PositionCache::default())?;
        self.load(found, detail, last)
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
        let columns = source.columns(row)?;
        let up = self.parent_link_of(&source, row)?;
        let TreePosition { root_id: root, depth, .. } = self.position_by(seq, cache)?;
        let ancestry = Ancestry { parent: up.parent_id(self)?, link: up.kind(), depth, root };
        let content = match detail {
            Detail::Ids => Some(ContentSource::Nothing),
            Detail::Columns => Some(ContentSource::Names(source.names(row)?)),
            Detail::Labels | Detail::Payload => None,
        };
        Ok(Found { columns, ancestry, content, after })
    }

    /// Loads what was found.
    pub(crate) fn load(
        &self,
        found: Found,
        detail: Detail,
        last: &mut LastRead,
    ) -> Result<StoredEvent> {
        let Found { columns, ancestry, content, .. } = found;
        let content = if let Some(content) = content {
            content
        } else {
            let Some((source, row)) = self.locate(columns.seq)? else {
                return Err(Error::expired(columns.seq));
            };
            source.content(row, columns.place, detail, last)?
        };
        Ok(StoredEvent { columns, ancestry, content })
    }

    /// Loads a page of events.
    pub(crate) fn load_page(
        &self,
        page: Page<Found, Position>,
        detail: Detail,
    ) -> Result<Page<StoredEvent, Position>> {
        let mut last = LastRead::default();
        let load = |found| self.load(found, detail, &mut last);
        page.load(|found| found.after, load, StoredEvent::own_bytes)
    }
}
