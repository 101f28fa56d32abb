//! Counts by value and by time.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::limits;
use crate::log::index::{Dimension, NONE, Place, Row};
use crate::query::events::{Plan, scan};
use crate::query::filter::Filter;
use crate::query::page::{Cursor, Page};
use crate::snapshot::Snapshot;

/// What to count events by.
///
/// ```
/// use forebear::{CountBy, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append_batch(["error", "tick", "tick"].map(Event::new))?;
/// let counts = store.snapshot().count_by(&CountBy::Kind, &Filter::new())?;
/// assert_eq!((counts[0].value.as_str(), counts[0].count), ("tick", 2));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountBy {
    /// Their kinds.
    Kind,
    /// Their instances.
    Instance,
    /// Their sessions; those without one are left out.
    Session,
    /// The values of the label with this key; those without it are left out.
    Label(String),
}

/// How many events have a value.
///
/// ```
/// use forebear::{Count, CountBy, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tick").instance("clock"))?;
/// let counts = store.snapshot().count_by(&CountBy::Instance, &Filter::new())?;
/// assert_eq!(counts, [Count { value: "clock".into(), count: 1 }]);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The kind, instance, session or label value.
    pub value: String,
    /// How many events have it.
    pub count: u64,
}

/// How many events fall into a stretch of time.
///
/// ```
/// use std::time::Duration;
/// use forebear::{Bucket, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tick").time_ns(25))?;
/// let page = store.snapshot().timeline(Duration::from_nanos(10), &Filter::new())?;
/// assert_eq!(page.items, [Bucket { start_ns: 20, count: 1 }]);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Where it begins, in nanoseconds since the Unix epoch: a multiple of the
    /// bucket's length.
    pub start_ns: i64,
    /// How many events fall into it.
    pub count: u64,
}

pub(crate) fn count_by(snapshot: &Snapshot, by: &CountBy, filter: &Filter) -> Vec<Count> {
    let filter = Filter { after: None, ..filter.clone() };
    let column = |column: fn(&Row) -> u32| count_column(snapshot, &filter, column);
    let numbers = match by {
        CountBy::Kind => column(|row| row.kind),
        CountBy::Instance => column(|row| row.instance),
        CountBy::Session => column(|row| row.session),
        CountBy::Label(key) => count_label(snapshot, &filter, key),
    };
    let index = snapshot.shared.index.read();
    let mut counts: Vec<Count> = numbers
        .into_iter()
        .map(|(value, count)| Count { value: index.text(value).to_string(), count })
        .collect();
    drop(index);
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    counts.truncate(limits::MAX_PAGE);
    counts
}

pub(crate) fn timeline(
    snapshot: &Snapshot,
    bucket: Duration,
    filter: &Filter,
) -> Result<Page<Bucket>> {
    let length = i64::try_from(bucket.as_nanos()).unwrap_or(i64::MAX);
    if length == 0 {
        return Err(Error::invalid("expected a bucket of a nanosecond or more, found 0"));
    }
    let since_ns =
        filter.after.map_or(filter.since_ns, |cursor| cursor.time_ns.max(filter.since_ns));
    let filter = Filter { oldest_first: true, after: None, since_ns, ..filter.clone() };
    let mut page = Page { items: Vec::<Bucket>::new(), next: None };
    scan(snapshot, &filter, |index, row| {
        let time_ns = index.row(row).time_ns;
        let start_ns = time_ns.saturating_sub(time_ns.rem_euclid(length));
        let full = page.items.len() == limits::MAX_PAGE;
        match page.items.last_mut() {
            Some(last) if last.start_ns == start_ns => last.count += 1,
            _ if full => {
                page.next = Some(Cursor { time_ns: start_ns, at: 0 });
                return ControlFlow::Break(());
            }
            _ => page.items.push(Bucket { start_ns, count: 1 }),
        }
        ControlFlow::Continue(())
    });
    Ok(page)
}

/// Counts the rows that the filter takes by a column. O(rows that the filter's
/// rarest value has).
fn count_column(
    snapshot: &Snapshot,
    filter: &Filter,
    column: fn(&Row) -> u32,
) -> HashMap<u32, u64> {
    let mut counts = HashMap::new();
    scan(snapshot, filter, |index, row| {
        let value = column(index.row(row));
        if value != NONE {
            *counts.entry(value).or_insert(0) += 1;
        }
        ControlFlow::Continue(())
    });
    counts
}

/// Counts the rows that the filter takes by the value that a label has. O(rows
/// that have the label).
fn count_label(snapshot: &Snapshot, filter: &Filter, key: &str) -> HashMap<u32, u64> {
    let Some(plan) = Plan::new(snapshot, filter) else { return HashMap::new() };
    let index = snapshot.shared.index.read();
    let Some(key) = index.find_text(key) else { return HashMap::new() };
    let values = index.label_values(key).to_vec();
    drop(index);
    let count = |value| count_list(snapshot, &plan, filter, Dimension::Label(key, value));
    values.into_iter().map(|value| (value, count(value))).filter(|&(_, count)| count > 0).collect()
}

/// How many rows of a list the filter takes. The index is locked for a bounded
/// number of rows at a time.
fn count_list(snapshot: &Snapshot, plan: &Plan, filter: &Filter, list: Dimension) -> u64 {
    let mut count = 0;
    let mut from = Some(Place { time_ns: filter.since_ns, row: 0 });
    while let Some(place) = from.take() {
        let index = snapshot.shared.index.read();
        let Some(list) = index.postings(list) else { break };
        for (taken, row) in list.forwards(index.rows(), place).enumerate() {
            if taken == ROWS_AT_A_TIME {
                from = Some(Place::of(index.rows(), row));
                break;
            }
            count += u64::from(plan.takes_any(snapshot, &index, filter, row));
        }
    }
    count
}

/// Rows looked at under one lock of the index: a fraction of a millisecond.
const ROWS_AT_A_TIME: usize = 2048;
