//! Posting lists: rows in order of time, one list for each value that can be queried.

use crate::base::row::Place;
use crate::log::index::rows::Row;

/// Rows ordered by time, then by row. Takes 4 to 8 bytes a row in whatever order they arrive, and
/// no allocation while it is short. An insertion is O(1) in order of time, else O(√n).
#[derive(Debug, Default)]
pub(crate) struct Postings {
    /// The rows while there are no runs.
    few: [u32; FEW],
    len: u32,
    /// Sorted runs, none empty, each before the next.
    runs: Vec<PostingRun>,
}

/// Ordered rows and the place of the first, so that the run of a row is found without reading
/// other rows.
#[derive(Debug)]
struct PostingRun {
    first: Place,
    rows: Vec<u32>,
}

impl Place {
    pub(crate) fn of(rows: &[Row], row: u32) -> Self {
        Self { time_ns: rows[row as usize].time_ns, row }
    }
}

impl PostingRun {
    /// A run of ordered rows, at least one.
    fn of(rows: &[Row], run: Vec<u32>) -> Self {
        Self { first: Place::of(rows, run[0]), rows: run }
    }
}

impl Postings {
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Inserts a row, which must not be in the list yet.
    #[inline]
    pub(crate) fn insert(&mut self, rows: &[Row], row: u32) {
        let place = Place::of(rows, row);
        // The common case: the row comes after the last one.
        if let Some(run) = self.runs.last_mut()
            && run.rows.len() < RUN_MAX
            && run.rows.last().is_some_and(|&last| Place::of(rows, last) < place)
        {
            run.rows.push(row);
            self.len += 1;
            return;
        }
        self.insert_anywhere(rows, place);
    }

    fn insert_anywhere(&mut self, rows: &[Row], place: Place) {
        let Place { row, .. } = place;
        let len = self.len();
        self.len += 1;
        if self.runs.is_empty() {
            let few = &self.few[..len];
            let within = few.partition_point(|&other| Place::of(rows, other) < place);
            if len < FEW {
                self.few.copy_within(within..len, within + 1);
                self.few[within] = row;
                return;
            }
            let mut run = self.few.to_vec();
            run.insert(within, row);
            self.runs.push(PostingRun::of(rows, run));
            return;
        }
        // A late row is mostly a little late: search from the end.
        let after = count_before(&self.runs, |run| run.first < place);
        let at = after.saturating_sub(1);
        let PostingRun { first, rows: run } = &mut self.runs[at];
        let within = count_before(run, |&other| Place::of(rows, other) < place);
        *first = place.min(*first);
        if run.len() < RUN_MAX {
            run.insert(within, row);
            return;
        }
        if within == run.len() {
            // A run that is full at its end is left full: rows mostly arrive in order.
            let mut next = Vec::with_capacity(RUN_MAX);
            next.push(row);
            self.runs.insert(at + 1, PostingRun::of(rows, next));
            return;
        }
        let mut rest = run.split_off(RUN_MAX / 2);
        run.shrink_to_fit();
        match within.checked_sub(run.len()) {
            Some(within) => rest.insert(within, row),
            None => run.insert(within, row),
        }
        self.runs.insert(at + 1, PostingRun::of(rows, rest));
    }

    /// Whether the row is in the list. O(log n).
    pub(crate) fn contains(&self, rows: &[Row], row: u32) -> bool {
        let (run, within) = self.position(rows, Place::of(rows, row));
        let next = self.run(run).get(within).or_else(|| self.run(run + 1).first());
        next == Some(&row)
    }

    /// The rows from `from` on, the place itself included, forwards.
    pub(crate) fn forwards<'a>(
        &'a self,
        rows: &[Row],
        from: Place,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let (run, within) = self.position(rows, from);
        let rest = (run + 1..self.runs.len()).flat_map(|run| self.run(run));
        self.run(run)[within..].iter().chain(rest).copied()
    }

    /// The rows before `to`, the place itself left out, backwards.
    pub(crate) fn backwards<'a>(
        &'a self,
        rows: &[Row],
        to: Place,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let (run, within) = self.position(rows, to);
        let rest = (0..run).rev().flat_map(|run| self.run(run).iter().rev());
        self.run(run)[..within].iter().rev().chain(rest).copied()
    }

    /// The run and the index in it of the first row that is not before a place.
    fn position(&self, rows: &[Row], place: Place) -> (usize, usize) {
        let after = self.runs.partition_point(|run| run.first < place);
        let run = after.saturating_sub(1);
        (run, self.run(run).partition_point(|&row| Place::of(rows, row) < place))
    }

    /// The rows of a run. A short list is one run.
    fn run(&self, number: usize) -> &[u32] {
        match self.runs.get(number) {
            Some(run) => &run.rows,
            None if number == 0 && self.runs.is_empty() => &self.few[..self.len()],
            None => &[],
        }
    }
}

/// `partition_point`, but O(log n) in the number of items that are not before.
fn count_before<T>(items: &[T], is_before: impl Fn(&T) -> bool) -> usize {
    let (mut end, mut step) = (items.len(), 1);
    while let Some(at) = end.checked_sub(step) {
        if is_before(&items[at]) {
            return at + 1 + items[at + 1..end].partition_point(is_before);
        }
        (end, step) = (at, step * 2);
    }
    items[..end].partition_point(is_before)
}

/// Rows that a list holds without an allocation.
const FEW: usize = 3;
/// The most rows of a run, and so the most that an insertion moves.
const RUN_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::index::rows::Row;

    #[test]
    fn rows_come_back_in_order_of_time_however_they_arrived() {
        let count = 5000u32;
        for step in [1u64, 4999, 1237] {
            let rows: Vec<Row> = (0..count)
                .map(|row| {
                    let time_ns = (u64::from(row) * step % u64::from(count) / 3).cast_signed();
                    Row { time_ns, ..Row::lost(row) }
                })
                .collect();
            let mut list = Postings::default();
            (0..count).for_each(|row| list.insert(&rows, row));
            let mut expected: Vec<u32> = (0..count).collect();
            expected.sort_by_key(|&row| Place::of(&rows, row));
            let start = Place { time_ns: i64::MIN, row: 0 };
            let end = Place { time_ns: i64::MAX, row: u32::MAX };
            assert_eq!(list.forwards(&rows, start).collect::<Vec<_>>(), expected);
            let from = Place::of(&rows, expected[1700]);
            assert_eq!(list.forwards(&rows, from).collect::<Vec<_>>(), expected[1700..]);
            let back: Vec<u32> = list.backwards(&rows, from).collect();
            assert!(back.iter().rev().eq(&expected[..1700]));
            assert_eq!(list.backwards(&rows, end).count(), 5000);
            assert!((0..count).all(|row| list.contains(&rows, row)));
            assert_eq!(list.len(), 5000);
        }
    }
}
