//! Going through the rows that a filter takes: every source is searched, and what is
//! found is merged in order of time.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::ControlFlow;

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::page::Position;
use crate::base::row::Place;
use crate::base::unread::Unread;
use crate::lineage::child_rows::ChildRows;
use crate::lineage::position::PositionCache;
use crate::query::filter::Filter;
use crate::query::plan::FilterPlan;
use crate::view::{RowSource, Source, View};

/// A row by time, then by sequence number: the order of all listings of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) time_ns: i64,
    pub(crate) seq: u64,
}

/// Going through the rows that a filter takes, in order of time.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'v> {
    pub(crate) view: &'v View,
    pub(crate) filter: &'v Filter,
    pub(crate) oldest_first: bool,
    /// Behind which row it begins.
    pub(crate) after: Option<Position>,
    /// About how many rows are wanted.
    pub(crate) at_once: usize,
}

impl<'v> Scan<'v> {
    /// Through all of them, in the order that is cheapest to read.
    pub(crate) fn all(view: &'v View, filter: &'v Filter) -> Self {
        Self { view, filter, oldest_first: false, after: None, at_once: ROWS_AT_A_TIME }
    }

    /// Shows the rows until `show` breaks off. Segments whose times are not reached are
    /// not touched. What can't be read is noted and passed over.
    pub(crate) fn visit(
        self,
        unread: &mut Unread,
        mut show: impl FnMut(Moment, &mut Unread) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let view = self.view;
        let root = match &self.filter.root {
            None => None,
            Some(root) => match find_root(view, root)? {
                Some(root) => Some(root),
                None => return Ok(()),
            },
        };
        if let Some(root) = root
            && let Some(tree) = rows_of_tree(view, root, unread)?
        {
            return self.visit_tree(tree, unread, show);
        }
        let mut cache = PositionCache::default();
        let mut merge = Merge::new(self, unread)?;
        while let Some(moment) = merge.next(unread)? {
            if let Some(root) = root {
                let position = unread.pass(view.position_by(moment.seq, &mut cache))?;
                let Some(position) = position else { continue };
                if !position.leads_to(root) {
                    unread.note_opt(position.damage.as_ref());
                    continue;
                }
            }
            if show(moment, unread)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The same for the rows of a tree.
    fn visit_tree(
        self,
        mut tree: Vec<Moment>,
        unread: &mut Unread,
        mut show: impl FnMut(Moment, &mut Unread) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        if let Some(after) = self.after {
            let after = Moment { time_ns: after.time_ns, seq: after.at };
            tree.retain(|&moment| if self.oldest_first { moment > after } else { moment < after });
        }
        if !self.oldest_first {
            tree.reverse();
        }
        let hides = !self.filter.superseded && self.view.has_revisions();
        let mut plans: Vec<(usize, Option<FilterPlan>)> = Vec::new();
        for moment in tree {
            let Some(number) = self.view.number_of(moment.seq) else { continue };
            let Some(source) = unread.pass(self.view.source(number))? else { continue };
            let known = plans.iter().position(|&(other, _)| other == number);
            if known.is_none() {
                let plan = unread.pass(FilterPlan::new(&*source, self.filter))?.flatten();
                plans.push((number, plan));
            }
            let at = known.unwrap_or(plans.len() - 1);
            let Some(plan) = &plans[at].1 else { continue };
            let row = (moment.seq - source.first_seq()) as u32;
            let takes = unread.pass(plan.takes_any(&*source, self.filter, row))?;
            let is_hidden = || Ok(hides && self.view.is_superseded(moment.seq)?);
            let takes = takes.unwrap_or(false) && !unread.pass(is_hidden())?.unwrap_or(false);
            if takes && show(moment, unread)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Where reading a source begins.
    fn begin(&self, source: &Source) -> Place {
        let first = Place { time_ns: self.filter.since_ns, row: 0 };
        let end = self.filter.until_ns.map_or(LAST, |until| Place { time_ns: until, row: 0 });
        let Some(after) = self.after else {
            return if self.oldest_first { first } else { end };
        };
        // The row may be of another source: then all rows of its time come before it, or
        // all after it.
        let row = |seq: u64| seq.saturating_sub(source.first_seq()).min(u64::from(u32::MAX)) as u32;
        if self.oldest_first {
            Place { time_ns: after.time_ns, row: row(after.at.saturating_add(1)) }.max(first)
        } else {
            Place { time_ns: after.time_ns, row: row(after.at) }.min(end)
        }
    }
}

/// All sources, merged.
struct Merge<'v> {
    scan: Scan<'v>,
    /// Sources that were not looked at yet, those that come last first: by number, with
    /// the time from which on they have rows.
    closed: Vec<(i64, usize)>,
    open: BinaryHeap<SourceRun>,
    /// Whether rows are looked up that may be replaced by newer ones.
    hides: bool,
}

/// What one source has still to give.
struct SourceRun {
    source: Source,
    rest: RestOfList,
}

struct RestOfList {
    plan: FilterPlan,
    backwards: bool,
    /// Whether rows are looked up that may be replaced by newer ones.
    hides: bool,
    found: VecDeque<Moment>,
    /// Where reading goes on; none at the end of the list.
    from: Option<Place>,
}

impl<'v> Merge<'v> {
    fn new(scan: Scan<'v>, unread: &mut Unread) -> Result<Self> {
        let Scan { view, filter, oldest_first, .. } = scan;
        let mut closed = Vec::new();
        for (number, sealed) in view.sealed.iter().enumerate() {
            let within = sealed.max_time_ns >= filter.since_ns
                && filter.until_ns.is_none_or(|until| sealed.min_time_ns < until);
            if within {
                let begins = if oldest_first { sealed.min_time_ns } else { sealed.max_time_ns };
                closed.push((begins, number));
            }
        }
        // The one that begins first, in the order of the listing, is taken from the end.
        closed.sort_unstable();
        if oldest_first {
            closed.reverse();
        }
        let hides = !filter.superseded && view.has_revisions();
        let mut merge = Self { scan, closed, open: BinaryHeap::new(), hides };
        for number in view.sealed.len()..view.len() {
            merge.open(number, unread)?;
        }
        Ok(merge)
    }

    fn next(&mut self, unread: &mut Unread) -> Result<Option<Moment>> {
        while let Some(&(begins, number)) = self.closed.last() {
            let behind =
                self.open.peek().and_then(|run| run.rest.found.front()).is_some_and(|first| {
                    if self.scan.oldest_first {
                        first.time_ns < begins
                    } else {
                        first.time_ns > begins
                    }
                });
            if behind {
                break;
            }
            self.closed.pop();
            self.open(number, unread)?;
        }
        let Some(mut run) = self.open.pop() else { return Ok(None) };
        let next = run.rest.found.pop_front();
        run.fill(&self.scan, unread)?;
        if !run.rest.found.is_empty() {
            self.open.push(run);
        }
        Ok(next)
    }

    fn open(&mut self, number: usize, unread: &mut Unread) -> Result<()> {
        let Some(source) = unread.pass(self.scan.view.source(number))? else { return Ok(()) };
        let plan = unread.pass(FilterPlan::new(&*source, self.scan.filter))?.flatten();
        let Some(plan) = plan else { return Ok(()) };
        let from = Some(self.scan.begin(&source));
        let backwards = !self.scan.oldest_first;
        let hides = self.hides;
        let rest = RestOfList { plan, backwards, hides, found: VecDeque::new(), from };
        let mut run = SourceRun { source, rest };
        run.fill(&self.scan, unread)?;
        if !run.rest.found.is_empty() {
            self.open.push(run);
        }
        Ok(())
    }
}

impl SourceRun {
    /// Reads on until something is found or the list ends, or can't be read.
    fn fill(&mut self, scan: &Scan<'_>, unread: &mut Unread) -> Result<()> {
        let filled = match &self.source {
            Source::Sealed(segment) => self.rest.fill(segment, scan, unread),
            Source::Log(log) => self.rest.fill(log, scan, unread),
        };
        unread.pass(filled).map(drop)
    }
}

impl RestOfList {
    fn fill<S: RowSource>(
        &mut self,
        source: &S,
        scan: &Scan<'_>,
        unread: &mut Unread,
    ) -> Result<()> {
        let filter = scan.filter;
        let mut at_most = scan.at_once.clamp(1, ROWS_AT_A_TIME);
        while self.found.is_empty()
            && let Some(from) = self.from.take()
        {
            let places = self.plan.read(source, from, self.backwards, at_most)?;
            for &Place { time_ns, row } in &places {
                let beyond = if self.backwards {
                    time_ns < filter.since_ns
                } else {
                    filter.until_ns.is_some_and(|until| time_ns >= until)
                };
                if beyond {
                    return Ok(());
                }
                if unread.pass(self.plan.takes(source, filter, row))?.unwrap_or(false) {
                    let seq = source.first_seq() + u64::from(row);
                    if self.hides && unread.pass(scan.view.is_superseded(seq))?.unwrap_or(false) {
                        continue;
                    }
                    self.found.push_back(Moment { time_ns, seq });
                }
            }
            if places.len() == at_most
                && let Some(&last) = places.last()
            {
                // Backwards a place itself is left out, forwards it comes first.
                let row = if self.backwards { last.row } else { last.row + 1 };
                self.from = Some(Place { row, ..last });
            }
            at_most = ROWS_AT_A_TIME;
        }
        Ok(())
    }
}

impl Ord for SourceRun {
    /// The run whose next row comes first is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.rest.found.front().cmp(&other.rest.found.front());
        if self.rest.backwards { order } else { order.reverse() }
    }
}

impl PartialOrd for SourceRun {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SourceRun {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SourceRun {}

/// The row of an event that is the topmost known of its tree.
pub(crate) fn find_root(view: &View, root: &EventId) -> Result<Option<u64>> {
    let Some(seq) = view.find(root)? else { return Ok(None) };
    Ok((view.position(seq)?.root == seq).then_some(seq))
}

/// The rows of a tree, versions included, in order of time; none where the tree is
/// too large for that, so that looking for its rows in the lists is better.
fn rows_of_tree(view: &View, root: u64, unread: &mut Unread) -> Result<Option<Vec<Moment>>> {
    let mut rows = vec![root];
    let mut next = 0;
    while let Some(&row) = rows.get(next) {
        let children = ChildRows::new(view, row, None, unread);
        let Some(mut children) = unread.pass(children)? else {
            next += 1;
            continue;
        };
        while let Some(child) = children.next(unread)? {
            rows.push(child);
            if rows.len() > TREE_ROWS {
                return Ok(None);
            }
        }
        next += 1;
    }
    let mut moments = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(id) = unread.pass(view.id(row))? else { continue };
        for seq in view.copies(&id.unwrap_or_default(), row, TREE_ROWS, unread)? {
            if moments.len() > TREE_ROWS {
                return Ok(None);
            }
            if let Some((source, row)) = unread.pass(view.locate(seq))?.flatten()
                && let Some(facts) = unread.pass(source.facts(row))?
            {
                moments.push(Moment { time_ns: facts.time_ns, seq });
            }
        }
    }
    moments.sort_unstable();
    Ok(Some(moments))
}

/// After every row.
const LAST: Place = Place { time_ns: i64::MAX, row: u32::MAX };
/// Rows read from a list at a time.
const ROWS_AT_A_TIME: usize = 512;
/// Most rows of a tree that are walked and sorted to list them, for each page anew.
const TREE_ROWS: usize = 16_384;
