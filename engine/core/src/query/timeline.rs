//! Counting events by stretches of time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::listing::{Listing, Parameters};
use crate::base::page::{Page, Position};
use crate::base::unread::Unread;
use crate::query::filter::Filter;
use crate::query::scan::{Moment, Scan};
use crate::view::View;

/// How many events fall into a stretch of time.
///
/// ```
/// use std::time::Duration;
/// use forebear::{Bucket, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tick").time_ns(25))?;
/// let page = store.snapshot().timeline(Duration::from_nanos(10), Filter::new()).page()?;
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

/// How many events a filter takes, in stretches of time. Asked by
/// [`Snapshot::timeline`](crate::Snapshot::timeline).
#[derive(Clone, Debug)]
pub struct Timeline {
    pub(crate) view: Arc<View>,
    pub(crate) bucket: Duration,
    pub(crate) filter: Filter,
}

impl Timeline {
    /// The length of a bucket in nanoseconds.
    fn length_ns(&self) -> i64 {
        i64::try_from(self.bucket.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl Listing for Timeline {
    type Item = Bucket;
    const NAME: &'static str = "timeline";

    fn parameters(&self, parameters: &mut Parameters) {
        parameters.number(self.length_ns().cast_unsigned());
        self.filter.parameters(parameters);
    }

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<Bucket, Position>> {
        let length = self.length_ns();
        if length == 0 {
            return Err(Error::invalid("expected a bucket of a nanosecond or more, found 0"));
        }
        // A position is where the next bucket begins.
        let filter = match after {
            Some(next) => self.filter.clone().since_ns(next.time_ns.max(self.filter.since_ns)),
            None => self.filter.clone(),
        };
        let scan = Scan { oldest_first: true, ..Scan::all(&self.view, &filter) };
        let mut page = Page::new(Vec::<Bucket>::new(), None);
        let mut unread = Unread::default();
        scan.visit(&mut unread, |Moment { time_ns, .. }, _| {
            let start_ns = time_ns.saturating_sub(time_ns.rem_euclid(length));
            let full = page.items.len() == limit;
            match page.items.last_mut() {
                Some(last) if last.start_ns == start_ns => last.count += 1,
                _ if full => {
                    page.next = Some(Position { time_ns: start_ns, at: 0 });
                    return Ok(ControlFlow::Break(()));
                }
                _ => page.items.push(Bucket { start_ns, count: 1 }),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(page.with_damaged(unread.into_errors()))
    }
}
