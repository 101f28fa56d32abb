//! The children of an event, wherever they are stored, in the order in which the
//! links became known.

use std::collections::VecDeque;

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::row::{AssertedLink, StoredParent};
use crate::base::unread::Unread;
use crate::lineage::parent_link::ParentLink;
use crate::view::{Source, View};

/// What children are ordered by. A moment is twice the sequence number of an event that
/// was stored then, and one less for a link that was asserted before that event: so both
/// kinds have one order, which does not change when more is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The moment from which on both ends and the link were known.
    known: u64,
    /// The moment from which on the child waited for its parent.
    came: u64,
    /// Counts the links that were asserted in one moment.
    number: u32,
    child: u64,
}

/// The children of one event, in order. Holds the rows of one source at a time. What can't be
/// read is noted and passed over.
#[derive(Debug)]
pub(crate) struct ChildRows<'p> {
    view: &'p View,
    parent: u64,
    parent_id: EventId,
    after: Option<Key>,
    /// The sources that are still to be searched, oldest first.
    ahead: VecDeque<usize>,
    /// Children that name the parent themselves, and those with an asserted link to it.
    named: VecDeque<Key>,
    asserted: VecDeque<Key>,
}

impl<'p> ChildRows<'p> {
    /// The children after one of them, or all.
    pub(crate) fn new(
        view: &'p View,
        parent: u64,
        after: Option<Key>,
        unread: &mut Unread,
    ) -> Result<Self> {
        let parent_id = view.id(parent)?.unwrap_or_default();
        let mut ahead: VecDeque<usize> = view.candidates(&parent_id).collect();
        ahead.make_contiguous().reverse();
        let asserted = asserted(view, parent, &parent_id, &ahead, after, unread)?;
        Ok(Self { view, parent, parent_id, after, ahead, named: VecDeque::new(), asserted })
    }

    pub(crate) fn parent(&self) -> u64 {
        self.parent
    }

    /// The next child.
    pub(crate) fn next(&mut self, unread: &mut Unread) -> Result<Option<u64>> {
        let next = self.peek(unread)?;
        if let Some(key) = next {
            let list = if self.asserted.front() == Some(&key) {
                &mut self.asserted
            } else {
                &mut self.named
            };
            list.pop_front();
        }
        Ok(next.map(|key| key.child))
    }

    /// Whether there is another child.
    pub(crate) fn has_next(&mut self, unread: &mut Unread) -> Result<bool> {
        Ok(self.peek(unread)?.is_some())
    }

    fn peek(&mut self, unread: &mut Unread) -> Result<Option<Key>> {
        while self.named.is_empty()
            && let Some(number) = self.ahead.pop_front()
        {
            let named = self.named_in(number, unread);
            self.named = unread.pass(named)?.unwrap_or_default();
        }
        let first = [self.named.front(), self.asserted.front()].into_iter().flatten().min();
        Ok(first.copied())
    }

    /// The children of one source that name the parent, in order.
    fn named_in(&self, number: usize, unread: &mut Unread) -> Result<VecDeque<Key>> {
        let source = self.view.source(number)?;
        let first = source.first_seq();
        let mut keys = VecDeque::new();
        for row in source.named_children(&self.parent_id, self.parent)? {
            let child = first + u64::from(row);
            let key = named_key(self.parent, child);
            let follows = self.follows(&source, row, unread);
            if unread.pass(follows)?.unwrap_or(false) && self.after.is_none_or(|after| key > after)
            {
                keys.push_back(key);
            }
        }
        keys.make_contiguous().sort_unstable();
        Ok(keys)
    }

    /// Whether a row that names the parent has it.
    fn follows(&self, source: &Source, row: u32, unread: &mut Unread) -> Result<bool> {
        let stored = source.stored_parent(row)?.0;
        if matches!(stored, StoredParent::Row(seq) if seq == self.parent) {
            return Ok(true);
        }
        let up = self.view.parent_link_of(&**source, row)?;
        unread.note_opt(up.damage());
        Ok(matches!(up, ParentLink::Known(up, _) if up == self.parent))
    }
}

/// The parent of a row's event, and the child's place among its children; none where it
/// has no stored parent. Fails where damage keeps the parent from being known.
pub(crate) fn key_of(view: &View, child: u64) -> Result<Option<(u64, Key)>> {
    let Some((source, row)) = view.locate(child)? else { return Ok(None) };
    let up = view.parent_link_of(&*source, row)?;
    let Some((parent, _)) = up.known()? else { return Ok(None) };
    if source.stored_parent(row)?.0 != StoredParent::None {
        return Ok(Some((parent, named_key(parent, child))));
    }
    let asserted = view.asserted_link(&source.id(row)?)?;
    Ok(asserted.map(|asserted| (parent, asserted_key(parent, child, &asserted))))
}

fn named_key(parent: u64, child: u64) -> Key {
    Key { known: 2 * parent.max(child), came: 2 * child, number: 0, child }
}

fn asserted_key(parent: u64, child: u64, asserted: &AssertedLink) -> Key {
    let came = (2 * child).max(2 * asserted.before_seq - 1);
    Key { known: came.max(2 * parent), came, number: asserted.number, child }
}

/// The child of an asserted link to an event; none where another link holds.
fn asserted_child(view: &View, parent: u64, asserted: &AssertedLink) -> Result<Option<Key>> {
    let Some(child) = view.find(&asserted.link.child)? else { return Ok(None) };
    let Some((source, row)) = view.locate(child)? else { return Ok(None) };
    // One that names its parent itself is among the named ones.
    if source.stored_parent(row)?.0 != StoredParent::None {
        return Ok(None);
    }
    // The link that holds may be in another source, with another place.
    let held = key_of(view, child)?.filter(|&(up, _)| up == parent);
    Ok(held.map(|(_, key)| key))
}

/// The children with an asserted link to an event, in order.
fn asserted(
    view: &View,
    parent: u64,
    parent_id: &EventId,
    candidates: &VecDeque<usize>,
    after: Option<Key>,
    unread: &mut Unread,
) -> Result<VecDeque<Key>> {
    let mut keys = Vec::new();
    for &number in candidates {
        let found = view.source(number).and_then(|source| source.asserted_under(parent_id));
        for asserted in unread.pass(found)?.unwrap_or_default() {
            keys.extend(unread.pass(asserted_child(view, parent, &asserted))?.flatten());
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|&key| after.is_none_or(|after| key > after));
    Ok(keys.into())
}
