//! Counts by value and by time.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::base::count_by::CountBy;
use crate::base::error::{Error, Result};
use crate::base::limits;
use crate::base::page::{Cursor, Page};
use crate::base::row::{ListOf, NONE, Place};
use crate::query::events::{Moment, scan};
use crate::query::filter::Filter;
use crate::query::plan::Plan;
use crate::snapshot::Snapshot;
use crate::view::{Source, View};

/// How many events have a value.
///
/// ```
/// use forebear::{Count, CountBy, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tick").instance("clock"))?;
/// let counts = store.snapshot().count_by(&CountBy::Instance, &Filter::new())?;
/// let Count { value, count, .. } = &counts[0];
/// assert_eq!((value.as_str(), *count), ("clock", 1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
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
/// let Bucket { start_ns, count, .. } = page.items[0];
/// assert_eq!((start_ns, count), (20, 1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Bucket {
    /// Where it begins, in nanoseconds since the Unix epoch: a multiple of the
    /// bucket's length.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "start", serialize_with = "crate::base::json::time")
    )]
    pub start_ns: i64,
    /// How many events fall into it.
    pub count: u64,
}

pub(crate) fn count_by(snapshot: &Snapshot, by: &CountBy, filter: &Filter) -> Result<Vec<Count>> {
    let filter = Filter { after: None, ..filter.clone() };
    let counts = match by {
        CountBy::Label(key) => count_label(snapshot, &filter, key)?,
        by => count_column(snapshot, by, &filter)?,
    };
    let counts = counts.into_iter().filter(|&(_, count)| count > 0);
    let mut counts: Vec<Count> = counts.map(|(value, count)| Count { value, count }).collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    counts.truncate(limits::MAX_PAGE);
    Ok(counts)
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
    scan(snapshot, &filter, |_, Moment { time_ns, .. }| {
        let start_ns = time_ns.saturating_sub(time_ns.rem_euclid(length));
        let full = page.items.len() == limits::MAX_PAGE;
        match page.items.last_mut() {
            Some(last) if last.start_ns == start_ns => last.count += 1,
            _ if full => {
                page.next = Some(Cursor { time_ns: start_ns, at: 0 });
                return Ok(ControlFlow::Break(()));
            }
            _ => page.items.push(Bucket { start_ns, count: 1 }),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

/// Counts the rows that the filter takes by a column. O(rows that the filter's
/// rarest value has); O(values) where every row is taken.
fn count_column(
    snapshot: &Snapshot,
    by: &CountBy,
    filter: &Filter,
) -> Result<HashMap<String, u64>> {
    let view = &*snapshot.view;
    let mut counts = HashMap::new();
    let everything = filter.takes_everything();
    // By part and number: texts are looked up once for each.
    let mut numbers: HashMap<(usize, u32), u64> = HashMap::new();
    if everything {
        for number in 0..view.len() {
            let source = view.source(number)?;
            if let Some(values) = source.values(by)? {
                add(&mut counts, values);
                continue;
            }
            for row in 0..source.rows() {
                count_row(&source, number, row, by, &mut numbers)?;
            }
        }
    } else {
        scan(snapshot, filter, |view, Moment { seq, .. }| {
            if let Some(number) = view.number_of(seq) {
                let source = view.source(number)?;
                let row = (seq - source.first_seq()) as u32;
                count_row(&source, number, row, by, &mut numbers)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    for ((number, value), count) in numbers {
        *counts.entry(view.source(number)?.text(value)).or_insert(0) += count;
    }
    Ok(counts)
}

fn count_row(
    source: &Source,
    number: usize,
    row: u32,
    by: &CountBy,
    numbers: &mut HashMap<(usize, u32), u64>,
) -> Result<()> {
    let facts = source.facts(row)?;
    let value = match by {
        CountBy::Kind => facts.kind,
        CountBy::Instance => facts.instance,
        CountBy::Session | CountBy::Label(_) => facts.session,
    };
    if value != NONE {
        *numbers.entry((number, value)).or_insert(0) += 1;
    }
    Ok(())
}

/// Counts the rows that the filter takes by the value that a label has. O(rows
/// that have the label); O(values) where every row is taken.
fn count_label(snapshot: &Snapshot, filter: &Filter, key: &str) -> Result<HashMap<String, u64>> {
    let view = &*snapshot.view;
    let mut counts = HashMap::new();
    let everything = filter.takes_everything();
    for number in 0..view.len() {
        let source = view.source(number)?;
        if everything && let Some(values) = source.values(&CountBy::Label(key.to_owned()))? {
            add(&mut counts, values);
            continue;
        }
        let Some(plan) = Plan::new(&*source, filter)? else { continue };
        for value in source.label_values(key)? {
            let list = ListOf::Label(key.to_owned(), value.clone());
            let mut count = 0;
            let mut from = Some(Place { time_ns: filter.since_ns, row: 0 });
            while let Some(place) = from.take() {
                let places = source.list(&list, place, false, ROWS_AT_A_TIME)?;
                for place in &places {
                    count += u64::from(takes(view, &source, &plan, filter, place.row)?);
                }
                if places.len() == ROWS_AT_A_TIME {
                    from = places.last().map(|last| Place { row: last.row + 1, ..*last });
                }
            }
            *counts.entry(value).or_insert(0) += count;
        }
    }
    Ok(counts)
}

fn takes(view: &View, source: &Source, plan: &Plan, filter: &Filter, row: u32) -> Result<bool> {
    if !plan.takes_any(&**source, filter, row)? {
        return Ok(false);
    }
    let Some(root) = &filter.root else { return Ok(true) };
    let position = view.position(source.first_seq() + u64::from(row))?;
    Ok(position.root_id == *root && (position.gap.is_none() || !view.holds(position.root)))
}

fn add(counts: &mut HashMap<String, u64>, values: Vec<(String, u64)>) {
    for (value, count) in values {
        *counts.entry(value).or_insert(0) += count;
    }
}

/// Rows read from a list at a time.
const ROWS_AT_A_TIME: usize = 2048;
