//! Listings of the children and of the siblings of an event.

use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::listing::{Detailed, Listing, Parameters};
use crate::base::page::{Page, Position};
use crate::base::unread::Unread;
use crate::lineage::child_rows::{ChildRows, key_of};
use crate::lineage::position::PositionCache;
use crate::view::View;
use crate::view::stored::{Found, StoredEvent};

/// The events whose parent an event is. Asked by [`Snapshot::children`](crate::Snapshot::children).
#[derive(Clone, Debug)]
pub struct Children {
    pub(crate) view: Arc<View>,
    pub(crate) id: EventId,
    pub(crate) detail: Detail,
}

/// The other children of an event's parent. Asked by
/// [`Snapshot::siblings`](crate::Snapshot::siblings).
#[derive(Clone, Debug)]
pub struct Siblings {
    pub(crate) view: Arc<View>,
    pub(crate) id: EventId,
    pub(crate) detail: Detail,
}

impl Listing for Children {
    type Item = StoredEvent;
    const NAME: &'static str = "children";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.id(&self.id);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<StoredEvent, Position>> {
        match self.view.find(&self.id)? {
            Some(parent) => children_of(&self.view, parent, None, self.detail, after, limit),
            None => Ok(Page::new(Vec::new(), None)),
        }
    }
}

impl Detailed for Children {
    fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }
}

impl Listing for Siblings {
    type Item = StoredEvent;
    const NAME: &'static str = "siblings";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.id(&self.id);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<StoredEvent, Position>> {
        let none = Page::new(Vec::new(), None);
        let Some(seq) = self.view.find(&self.id)? else { return Ok(none) };
        let mut unread = Unread::default();
        match unread.pass(self.view.parent_link(seq)?.known())?.flatten() {
            Some((parent, _)) => {
                children_of(&self.view, parent, Some(seq), self.detail, after, limit)
            }
            None => Ok(none.with_damaged(unread.into_errors())),
        }
    }
}

impl Detailed for Siblings {
    fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }
}

/// A page of an event's children, one of them left out or none.
fn children_of(
    view: &View,
    parent: u64,
    except: Option<u64>,
    detail: Detail,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<StoredEvent, Position>> {
    let after = match after {
        None => None,
        Some(last) => match key_of(view, last.at)? {
            Some((above, key)) if above == parent => Some(key),
            _ => {
                return Err(Error::invalid(format!(
                    "expected event {} to have the same parent as for the page that the cursor \
                     came from, found another or none; start over without a cursor",
                    last.at
                )));
            }
        },
    };
    let mut unread = Unread::default();
    let mut children = ChildRows::new(view, parent, after, &mut unread)?;
    let mut cache = PositionCache::default();
    let mut page = Page::new(Vec::new(), None);
    while let Some(child) = children.next(&mut unread)? {
        if Some(child) == except {
            continue;
        }
        if page.items.len() == limit {
            page.next = page.items.last().map(|last: &Found| last.after);
            break;
        }
        let found = view.found_newest(child, detail, Position::at(child), &mut cache);
        page.items.extend(unread.pass(found)?);
    }
    view.load_page(page.with_damaged(unread.into_errors()), detail)
}
