//! Listing the events that a filter takes.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::Result;
use crate::base::listing::{Detailed, Listing, Ordered, Parameters};
use crate::base::page::{Page, Position};
use crate::base::unread::Unread;
use crate::lineage::position::PositionCache;
use crate::query::filter::Filter;
use crate::query::scan::{Moment, Scan};
use crate::view::View;
use crate::view::stored::{Found, StoredEvent};

/// The events that a filter takes. Asked by [`Snapshot::events`](crate::Snapshot::events).
#[derive(Clone, Debug)]
pub struct Events {
    pub(crate) view: Arc<View>,
    pub(crate) filter: Filter,
    pub(crate) oldest_first: bool,
    pub(crate) detail: Detail,
}

impl Listing for Events {
    type Item = StoredEvent;
    const NAME: &'static str = "events";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.number(u64::from(self.oldest_first));
        self.filter.parameters(parameters);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<StoredEvent, Position>> {
        let (view, oldest_first) = (&*self.view, self.oldest_first);
        let scan = Scan { view, filter: &self.filter, oldest_first, after, at_once: limit };
        let mut page = Page::new(Vec::<Found>::new(), None);
        let (mut cache, mut unread) = (PositionCache::default(), Unread::default());
        scan.visit(&mut unread, |Moment { time_ns, seq }, unread| {
            if page.items.len() == limit {
                page.next = page.items.last().map(|last| last.after);
                return Ok(ControlFlow::Break(()));
            }
            let after = Position { time_ns, at: seq };
            page.items.extend(unread.pass(view.found(seq, self.detail, after, &mut cache))?);
            Ok(ControlFlow::Continue(()))
        })?;
        view.load_page(page.with_damaged(unread.into_errors()), self.detail)
    }
}

impl Ordered for Events {
    fn set_oldest_first(&mut self) {
        self.oldest_first = true;
    }
}

impl Detailed for Events {
    fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }
}
