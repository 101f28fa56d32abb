//! Listing the versions of an event.

use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::listing::{Detailed, Listing, Parameters};
use crate::base::page::{Page, Position};
use crate::base::unread::Unread;
use crate::lineage::position::PositionCache;
use crate::view::View;
use crate::view::stored::StoredEvent;

/// An event and its later versions. Asked by
/// [`Snapshot::versions`](crate::Snapshot::versions).
#[derive(Clone, Debug)]
pub struct Versions {
    pub(crate) view: Arc<View>,
    pub(crate) id: EventId,
    pub(crate) detail: Detail,
}

impl Listing for Versions {
    type Item = StoredEvent;
    const NAME: &'static str = "versions";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.id(&self.id);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<StoredEvent, Position>> {
        let from = after.map_or(0, |last| last.at.saturating_add(1));
        let mut unread = Unread::default();
        let mut seqs = self.view.copies(&self.id, from, limit + 1, &mut unread)?;
        let more = seqs.len() > limit;
        seqs.truncate(limit);
        let next = seqs.last().filter(|_| more).map(|&last| Position::at(last));
        let mut cache = PositionCache::default();
        let mut page = Page::new(Vec::with_capacity(seqs.len()), next);
        for seq in seqs {
            let found = self.view.found(seq, self.detail, Position::at(seq), &mut cache);
            page.items.extend(unread.pass(found)?);
        }
        self.view.load_page(page.with_damaged(unread.into_errors()), self.detail)
    }
}

impl Detailed for Versions {
    fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }
}
