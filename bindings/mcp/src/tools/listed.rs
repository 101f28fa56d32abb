//! A page of a listing, as much of it as a reply has room for.

use forebear::{Cursor, Page};
use serde_json::Value;

use crate::failure::Answered;
use crate::question::Question;
use crate::reply::Reply;

/// Items as values and lines, where the next ones begin, and how many are damaged.
#[derive(Default)]
pub(super) struct ListedPage {
    pub(super) items: Vec<(Value, String)>,
    pub(super) next: Option<Cursor>,
    pub(super) damaged: usize,
}

impl ListedPage {
    /// What the reply has room for of a page that is fetched, at least one item. `draw` cuts
    /// an item that stands alone and has no room.
    pub(super) fn fetch<T>(
        question: &Question<'_>,
        limit: usize,
        fetch: impl Fn(usize) -> forebear::Result<Page<T>>,
        draw: impl Fn(&T, bool) -> Answered<(Value, String)>,
    ) -> Answered<Self> {
        let page = fetch(limit)?;
        let mut items = Vec::new();
        for item in &page.items {
            let (value, line) = draw(item, items.is_empty())?;
            if !question.takes(&value, &line) && !items.is_empty() {
                break;
            }
            items.push((value, line));
        }
        let Page { next, damaged, .. } = match items.len() {
            all if all == page.items.len() => page,
            // The page that ends behind the last one that fits.
            some => fetch(some)?,
        };
        Ok(Self { items, next, damaged: damaged.len() })
    }

    /// The reply with them as the member `name`, or with these words where there are none.
    pub(super) fn into_reply(self, name: &str, none: &str) -> Reply {
        let mut reply = Reply::default();
        if self.items.is_empty() {
            reply.line(none);
        }
        let mut values = Vec::with_capacity(self.items.len());
        for (value, line) in self.items {
            reply.line(line);
            values.push(value);
        }
        reply.set(name, values);
        reply.damaged(self.damaged);
        reply.next(self.next);
        reply
    }
}
