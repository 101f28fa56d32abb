//! Listing the events that have no parent.

use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::Result;
use crate::base::listing::{Detailed, Listing, Parameters};
use crate::base::page::{Page, Position};
use crate::base::unread::Unread;
use crate::lineage::position::PositionCache;
use crate::view::View;
use crate::view::stored::{Found, StoredEvent};

/// Events that neither name a parent nor were linked to one. Asked by
/// [`Snapshot::roots`](crate::Snapshot::roots).
#[derive(Clone, Debug)]
pub struct Roots {
    pub(crate) view: Arc<View>,
    pub(crate) detail: Detail,
}

impl Listing for Roots {
    type Item = StoredEvent;
    const NAME: &'static str = "roots";

    fn parameters(&self, _parameters: &mut Parameters) {}

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<StoredEvent, Position>> {
        let view = &*self.view;
        let from = after.map_or(0, |last| last.at.saturating_add(1));
        let begin = view.number_of(from.max(view.first_seq()));
        let mut page = Page::new(Vec::new(), None);
        let (mut cache, mut unread) = (PositionCache::default(), Unread::default());
        'sources: for number in begin.into_iter().flat_map(|begin| begin..view.len()) {
            let Some(source) = unread.pass(view.source(number))? else { continue };
            let rows = source.unnamed_rows(from, &mut unread)?;
            for row in rows {
                let seq = source.first_seq() + u64::from(row);
                let Some(up) = unread.pass(view.parent_link_of(&*source, row))? else { continue };
                unread.note_opt(up.damage());
                if !up.is_root() {
                    continue;
                }
                if page.items.len() == limit {
                    page.next = page.items.last().map(|last: &Found| last.after);
                    break 'sources;
                }
                let found = view.found_newest(seq, self.detail, Position::at(seq), &mut cache);
                page.items.extend(unread.pass(found)?);
            }
        }
        view.load_page(page.with_damaged(unread.into_errors()), self.detail)
    }
}

impl Detailed for Roots {
    fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }
}
