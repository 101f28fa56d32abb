//! Counting events by value.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::base::count_by::CountBy;
use crate::base::error::Result;
use crate::base::listing::{Listing, Parameters};
use crate::base::page::{Page, Position};
use crate::base::row::{ListOf, NONE, Place};
use crate::base::unread::Unread;
use crate::query::filter::Filter;
use crate::query::plan::FilterPlan;
use crate::query::scan::{Moment, Scan};
use crate::view::{Source, View};

/// How many events have a value.
///
/// ```
/// use forebear::{Count, CountBy, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tick").instance("clock"))?;
/// let counts = store.snapshot().counts(CountBy::Instance, Filter::new()).page()?.items;
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

/// How many events a filter takes, by value. Asked by
/// [`Snapshot::counts`](crate::Snapshot::counts).
#[derive(Clone, Debug)]
pub struct Counts {
    pub(crate) view: Arc<View>,
    pub(crate) by: CountBy,
    pub(crate) filter: Filter,
}

impl Listing for Counts {
    type Item = Count;
    const NAME: &'static str = "counts";

    fn parameters(&self, parameters: &mut Parameters) {
        let (by, label) = match &self.by {
            CountBy::Kind => (0, None),
            CountBy::Instance => (1, None),
            CountBy::Session => (2, None),
            CountBy::Label(key) => (3, Some(key.as_str())),
        };
        parameters.number(by);
        parameters.text_opt(label);
        self.filter.parameters(parameters);
    }

    /// Counts anew for each page, and passes over what earlier ones had.
    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<Count, Position>> {
        let mut unread = Unread::default();
        let counts = match &self.by {
            CountBy::Label(key) => count_label(&self.view, &self.filter, key, &mut unread)?,
            by => count_column(&self.view, by, &self.filter, &mut unread)?,
        };
        let counts = counts.into_iter().filter(|&(_, count)| count > 0);
        let mut counts: Vec<Count> = counts.map(|(value, count)| Count { value, count }).collect();
        counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        let begin = after.map_or(0, |last| last.at as usize).min(counts.len());
        let end = begin.saturating_add(limit).min(counts.len());
        let next = (end < counts.len()).then(|| Position::at(end as u64));
        let page = Page::new(counts.drain(begin..end).collect(), next);
        Ok(page.with_damaged(unread.into_errors()))
    }
}

/// Counts the rows that the filter takes by a column. O(rows that the filter's
/// rarest value has); O(values) where every row is taken.
fn count_column(
    view: &View,
    by: &CountBy,
    filter: &Filter,
    unread: &mut Unread,
) -> Result<HashMap<String, u64>> {
    let mut counts = HashMap::new();
    let everything = filter.takes_everything() && !hides_superseded(view, filter);
    // By source and number: texts are looked up once for each.
    let mut numbers: HashMap<(usize, u32), u64> = HashMap::new();
    if everything {
        for number in 0..view.len() {
            let Some(source) = unread.pass(view.source(number))? else { continue };
            let Some(values) = unread.pass(source.values(by))? else { continue };
            if let Some(values) = values {
                add(&mut counts, values);
                continue;
            }
            for row in 0..source.rows() {
                unread.pass(count_row(&source, number, row, by, &mut numbers))?;
            }
        }
    } else {
        Scan::all(view, filter).visit(unread, |Moment { seq, .. }, unread| {
            if let Some(number) = view.number_of(seq) {
                let source = view.source(number)?;
                let row = (seq - source.first_seq()) as u32;
                unread.pass(count_row(&source, number, row, by, &mut numbers))?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    for ((number, value), count) in numbers {
        if let Some(text) = unread.pass(view.source(number)?.text(value))? {
            *counts.entry(text).or_insert(0) += count;
        }
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
fn count_label(
    view: &View,
    filter: &Filter,
    key: &str,
    unread: &mut Unread,
) -> Result<HashMap<String, u64>> {
    let mut counts = HashMap::new();
    let of = CountedRows { view, filter, hides: hides_superseded(view, filter) };
    for number in 0..view.len() {
        let counted = of.count_label_in(number, key, &mut counts, unread);
        unread.pass(counted)?;
    }
    Ok(counts)
}

/// What is counted: the rows of a view that a filter takes.
struct CountedRows<'v> {
    view: &'v View,
    filter: &'v Filter,
    /// Whether rows are looked up that may be replaced by newer ones.
    hides: bool,
}

impl CountedRows<'_> {
    /// Counts the rows of one source by the value that a label has.
    fn count_label_in(
        &self,
        number: usize,
        key: &str,
        counts: &mut HashMap<String, u64>,
        unread: &mut Unread,
    ) -> Result<()> {
        let source = self.view.source(number)?;
        if self.filter.takes_everything()
            && !self.hides
            && let Some(values) = source.values(&CountBy::Label(key.to_owned()))?
        {
            add(counts, values);
            return Ok(());
        }
        let Some(plan) = FilterPlan::new(&*source, self.filter)? else { return Ok(()) };
        for value in source.label_values(key)? {
            let list = ListOf::Label(key.to_owned(), value.clone());
            let count = counts.entry(value).or_insert(0);
            let mut from = Some(Place { time_ns: self.filter.since_ns, row: 0 });
            while let Some(place) = from.take() {
                let places = source.list(&list, place, false, ROWS_AT_A_TIME)?;
                for place in &places {
                    let takes = self.takes(&source, &plan, place.row, unread);
                    *count += u64::from(unread.pass(takes)?.unwrap_or(false));
                }
                if places.len() == ROWS_AT_A_TIME {
                    from = places.last().map(|last| Place { row: last.row + 1, ..*last });
                }
            }
        }
        Ok(())
    }

    fn takes(
        &self,
        source: &Source,
        plan: &FilterPlan,
        row: u32,
        unread: &mut Unread,
    ) -> Result<bool> {
        let &Self { view, filter, hides } = self;
        if !plan.takes_any(&**source, filter, row)? {
            return Ok(false);
        }
        let seq = source.first_seq() + u64::from(row);
        if hides && view.is_superseded(seq)? {
            return Ok(false);
        }
        let Some(root) = &filter.root else { return Ok(true) };
        let position = view.position(seq)?;
        unread.note_opt(position.damage.as_ref());
        Ok(position.root_id == *root && (position.gap.is_none() || !view.holds(position.root)))
    }
}

/// Whether there may be rows that don't count since newer ones replace them.
fn hides_superseded(view: &View, filter: &Filter) -> bool {
    !filter.superseded && view.has_revisions()
}

fn add(counts: &mut HashMap<String, u64>, values: Vec<(String, u64)>) {
    for (value, count) in values {
        *counts.entry(value).or_insert(0) += count;
    }
}

/// Rows read from a list at a time.
const ROWS_AT_A_TIME: usize = 2048;
