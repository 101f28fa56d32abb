//! Events by filter: the rarest value's list is read in order of time, and the
//! other conditions are checked row by row.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::id::EventId;
use crate::log::index::{Dimension, Flags, Index, Place, Postings};
use crate::query::filter::Filter;
use crate::query::page::{Cursor, Page};
use crate::snapshot::Snapshot;
use crate::stored::{Found, StoredEvent};

pub(crate) fn events(snapshot: &Snapshot, filter: &Filter) -> Result<Page<StoredEvent>> {
    if filter.limit == 0 {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let mut page = Page { items: Vec::<Found>::new(), next: None };
    scan(snapshot, filter, |index, row| {
        if page.items.len() == filter.limit {
            page.next = page.items.last().map(|last| last.after);
            return ControlFlow::Break(());
        }
        let after = Cursor { time_ns: index.row(row).time_ns, at: u64::from(row) };
        page.items.push(snapshot.found(index, row, filter.detail, after));
        ControlFlow::Continue(())
    });
    snapshot.load_page(page, filter.detail)
}

/// Shows `visit` every row that the filter takes, in its order, from its cursor
/// on. The index is locked for a bounded number of rows at a time.
pub(crate) fn scan(
    snapshot: &Snapshot,
    filter: &Filter,
    mut visit: impl FnMut(&Index, u32) -> ControlFlow<()>,
) {
    let Some(plan) = Plan::new(snapshot, filter) else {
        return;
    };
    let mut from = Some(begin(filter));
    while let Some(place) = from {
        let index = snapshot.shared.index.read();
        from = plan.step(snapshot, &index, filter, place, &mut visit);
    }
}

/// What a filter asks for, in the index's terms.
pub(crate) struct Plan {
    /// The list that is read; the other conditions are checked.
    driver: Dimension,
    checked: Vec<Dimension>,
    /// Any of these kinds, where there are several.
    kinds: Vec<u32>,
    root: Option<u32>,
    /// The rows of a small tree, in order of time: read instead of the driver.
    tree: Option<Vec<Place>>,
}

impl Plan {
    /// None where no row can meet the filter.
    pub(crate) fn new(snapshot: &Snapshot, filter: &Filter) -> Option<Self> {
        let index = snapshot.shared.index.read();
        let mut wanted = Vec::new();
        if let Some(instance) = &filter.instance {
            wanted.push(Dimension::Instance(index.find_text(instance)?));
        }
        if let Some(session) = &filter.session {
            wanted.push(Dimension::Session(index.find_text(session)?));
        }
        for (key, value) in &filter.labels {
            wanted.push(Dimension::Label(index.find_text(key)?, index.find_text(value)?));
        }
        if filter.errors {
            wanted.push(Dimension::Errors);
        }
        let mut kinds: Vec<u32> =
            filter.kinds.iter().filter_map(|kind| index.find_text(kind)).collect();
        if kinds.is_empty() && !filter.kinds.is_empty() {
            return None;
        }
        if let [kind] = kinds[..] {
            wanted.push(Dimension::Kind(kind));
            kinds.clear();
        }
        let length = |&dimension: &Dimension| index.postings(dimension).map_or(0, Postings::len);
        let driver = wanted.iter().copied().min_by_key(length).unwrap_or(Dimension::All);
        let length = length(&driver);
        if length == 0 {
            return None;
        }
        let root = match &filter.root {
            None => None,
            Some(root) => Some(find_root(snapshot, &index, root)?),
        };
        // Walking and sorting a tree costs its size, for each page anew; looking for
        // its rows in the list costs about a page's share of the list.
        let small = |root: &u32| {
            let size = u64::from(index.piece_size(*root));
            size.saturating_mul(size) <= (filter.limit as u64).saturating_mul(length as u64)
        };
        let tree = root.filter(small).map(|root| rows_of_tree(snapshot, &index, root));
        // A tree's rows are not in the driver's list: then it is checked too.
        wanted.retain(|&dimension| dimension != driver || tree.is_some());
        Some(Self { driver, checked: wanted, kinds, root, tree })
    }

    /// Reads some rows; returns where to go on.
    fn step(
        &self,
        snapshot: &Snapshot,
        index: &Index,
        filter: &Filter,
        from: Place,
        visit: &mut impl FnMut(&Index, u32) -> ControlFlow<()>,
    ) -> Option<Place> {
        match (&self.tree, filter.oldest_first) {
            (Some(tree), true) => {
                let begin = tree.partition_point(|&place| place < from);
                let rows = tree[begin..].iter().map(|place| place.row);
                self.take(snapshot, index, filter, rows, visit)
            }
            (Some(tree), false) => {
                let end = tree.partition_point(|&place| place < from);
                let rows = tree[..end].iter().rev().map(|place| place.row);
                self.take(snapshot, index, filter, rows, visit)
            }
            (None, true) => {
                let rows = index.postings(self.driver)?.forwards(index.rows(), from);
                self.take(snapshot, index, filter, rows, visit)
            }
            (None, false) => {
                let rows = index.postings(self.driver)?.backwards(index.rows(), from);
                self.take(snapshot, index, filter, rows, visit)
            }
        }
    }

    fn take(
        &self,
        snapshot: &Snapshot,
        index: &Index,
        filter: &Filter,
        rows: impl Iterator<Item = u32>,
        visit: &mut impl FnMut(&Index, u32) -> ControlFlow<()>,
    ) -> Option<Place> {
        for (taken, row) in rows.enumerate() {
            let place = Place::of(index.rows(), row);
            let beyond = if filter.oldest_first {
                filter.until_ns.is_some_and(|until| place.time_ns >= until)
            } else {
                place.time_ns < filter.since_ns
            };
            if beyond {
                return None;
            }
            if taken == ROWS_AT_A_TIME {
                // Not looked at yet: forwards it comes first, backwards the place after it.
                let row = if filter.oldest_first { row } else { row + 1 };
                return Some(Place { row, ..place });
            }
            if self.takes(snapshot, index, filter, row) && visit(index, row).is_break() {
                return None;
            }
        }
        None
    }

    /// Whether a row of the driver's list meets the other conditions.
    pub(crate) fn takes(
        &self,
        snapshot: &Snapshot,
        index: &Index,
        filter: &Filter,
        row: u32,
    ) -> bool {
        let entry = index.row(row);
        let until = filter.until_ns.is_none_or(|until| entry.time_ns < until);
        snapshot.sees(row)
            && until
            && entry.time_ns >= filter.since_ns
            && (filter.versions || !entry.flags.has(Flags::VERSION))
            && (filter.derived_ids || !entry.flags.has(Flags::DERIVED))
            && (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && self.checked.iter().all(|&dimension| has(index, row, dimension))
            && self.root.is_none_or(|root| snapshot.position(index, row).anchor == root)
    }

    /// Whether a row of any list meets all conditions.
    pub(crate) fn takes_any(
        &self,
        snapshot: &Snapshot,
        index: &Index,
        filter: &Filter,
        row: u32,
    ) -> bool {
        has(index, row, self.driver) && self.takes(snapshot, index, filter, row)
    }
}

/// Where reading begins.
fn begin(filter: &Filter) -> Place {
    let first = Place { time_ns: filter.since_ns, row: 0 };
    let end = filter.until_ns.map_or(LAST, |until| Place { time_ns: until, row: 0 });
    match (filter.after, filter.oldest_first) {
        (None, true) => first,
        (None, false) => end,
        // After the row of the cursor forwards, before it backwards.
        (Some(cursor), true) => {
            Place { time_ns: cursor.time_ns, row: (cursor.at as u32).saturating_add(1) }.max(first)
        }
        (Some(cursor), false) => Place { time_ns: cursor.time_ns, row: cursor.at as u32 }.min(end),
    }
}

fn has(index: &Index, row: u32, dimension: Dimension) -> bool {
    let entry = index.row(row);
    match dimension {
        Dimension::All => true,
        Dimension::Errors => entry.flags.has(Flags::ERROR),
        Dimension::Kind(kind) => entry.kind == kind,
        Dimension::Instance(instance) => entry.instance == instance,
        Dimension::Session(session) => entry.session == session,
        Dimension::Label(..) => {
            index.postings(dimension).is_some_and(|list| list.contains(index.rows(), row))
        }
    }
}

/// The row of an event that is the topmost known of its tree.
fn find_root(snapshot: &Snapshot, index: &Index, root: &EventId) -> Option<u32> {
    let row = snapshot.find(index, root)?;
    (snapshot.position(index, row).anchor == row).then_some(row)
}

/// The rows of a tree, versions included, in order of time.
fn rows_of_tree(snapshot: &Snapshot, index: &Index, root: u32) -> Vec<Place> {
    let mut rows = vec![root];
    let mut next = 0;
    while let Some(&row) = rows.get(next) {
        rows.extend(index.children(row, snapshot.visible.commit).map(|(_, child)| child));
        next += 1;
    }
    let versions: Vec<u32> = rows.iter().flat_map(|&row| index.versions(row)).copied().collect();
    rows.extend(versions);
    let mut places: Vec<Place> = rows.iter().map(|&row| Place::of(index.rows(), row)).collect();
    places.sort_unstable();
    places
}

/// After every row.
const LAST: Place = Place { time_ns: i64::MAX, row: u32::MAX };
/// Rows looked at under one lock of the index: a fraction of a millisecond.
const ROWS_AT_A_TIME: usize = 2048;
