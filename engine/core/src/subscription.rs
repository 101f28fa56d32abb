//! Following a store's events as they are stored.

#[cfg(feature = "stream")]
mod stream;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::row::Flags;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::base::sync::{Instant, Signal};
use crate::base::time::Time;
use crate::query::filter::Filter;
use crate::query::plan::FilterPlan;
use crate::query::scan::find_root;
use crate::view::source::LastRead;
use crate::view::stored::StoredEvent;
use crate::view::{Source, View};

#[cfg(feature = "stream")]
pub use stream::SubscriptionStream;

/// Where a subscription begins.
///
/// ```
/// use forebear::{Event, Filter, Reader, StartFrom, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let store = Store::open(&path)?;
/// store.append_batch((1..=5).map(|n| Event::new("tick").time_ns(n * 10)))?;
/// let reader = Reader::open(&path)?;
/// for (start, first) in [(StartFrom::Start, 1), (StartFrom::Seq(4), 4), (StartFrom::Time(25), 3)] {
///     let mut ticks = reader.subscribe(Filter::new(), start)?;
///     assert_eq!(ticks.next().expect("it goes on for ever")?.seq(), first);
/// }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartFrom {
    /// With what is stored after this.
    #[default]
    Now,
    /// With the oldest event there is.
    Start,
    /// With this sequence number.
    Seq(u64),
    /// With the first event, as they were stored, that is of this time or later, in
    /// nanoseconds since the Unix epoch. Those stored after it all follow.
    Time(i64),
}

impl StartFrom {
    /// With the first event that is of this time or later; as [`StartFrom::Time`].
    pub fn time(time: impl Into<Time>) -> Self {
        Self::Time(time.into().ns())
    }
}

/// The events that a filter takes, in order of their sequence numbers: those that
/// are stored, then each as it is stored. [`next`](Self::next) waits for one. Made by
/// [`Store::subscribe`](crate::Store::subscribe) and
/// [`Reader::subscribe`](crate::Reader::subscribe).
///
/// It ends when it is [stopped](SubscriptionHandle::stop), from whatever thread; that of
/// a store also once the store is closed and everything was read. In the process that
/// writes, the writer's publication of a block wakes it; a reader in another process
/// looks for new blocks every 10 ms.
///
/// Where events expire before they were read, it says so once, with an error for
/// which [`Error::is_expired`] holds, and goes on with those that are left. An event
/// that can't be read is an error, too, and the next one follows.
///
/// ```
/// use std::time::Duration;
/// use forebear::{Event, Filter, Reader, StartFrom, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let store = Store::open(&path)?;
/// let mut ticks = Reader::open(&path)?.subscribe(Filter::new().kind("tick"), StartFrom::Now)?;
/// assert!(ticks.next_timeout(Duration::ZERO).is_none(), "nothing yet");
/// store.append(Event::new("tick").id("first"))?;
/// let event = ticks.next_timeout(Duration::from_secs(9)).expect("it comes at once")?;
/// assert_eq!(event.id().to_string(), "first");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
pub struct Subscription {
    feed: Box<dyn Feed>,
    handle: SubscriptionHandle,
    filter: Filter,
    detail: Detail,
    durable: bool,
    /// Whether the view is final.
    ended: bool,
    /// When a sync was last asked for.
    synced: Option<Instant>,
    /// The view that is being read, up to the sequence number `end`.
    view: Arc<View>,
    end: u64,
    next: u64,
    /// Whether events before `next` were wanted, so that their expiry is reported.
    begun: bool,
    since_ns: Option<i64>,
    plan: Option<PlannedSource>,
    last: LastRead,
}

/// What a subscription reads from.
pub(crate) trait Feed: Debug + Send + Sync {
    /// The newest view.
    fn current(&self) -> Result<Current>;

    /// Starts a sync of what was seen last. May return before it is on disk.
    fn sync(&self);

    /// Whether the writer has ended: a view taken after that is final.
    fn has_ended(&self) -> bool;

    /// How long to wait before looking again, unless woken.
    fn poll_time(&self) -> Duration;
}

/// A view, and how much of it is known to be on disk.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) view: Arc<View>,
    /// The sequence number behind the last row that is.
    pub(crate) durable_end: u64,
}

/// Stops a [`Subscription`] from any thread. Cheap to clone.
///
/// ```
/// use forebear::{Filter, StartFrom, Store};
///
/// let store = Store::in_memory()?;
/// let mut events = store.subscribe(Filter::new(), StartFrom::Now)?;
/// let handle = events.handle();
/// let waiting = std::thread::spawn(move || events.next().is_none());
/// handle.stop();
/// assert!(waiting.join().expect("it ends"), "there is no next one");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SubscriptionHandle {
    stopped: Arc<AtomicBool>,
    /// What the subscription waits for.
    signal: Arc<Signal>,
}

impl SubscriptionHandle {
    /// Ends the subscription: whoever waits for its next event gets none at once, and so
    /// does whoever asks later. What was read up to then,
    /// [`next_seq`](Subscription::next_seq) says.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.signal.raise();
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// The filter's plan for the source that is being read.
#[derive(Debug)]
struct PlannedSource {
    segment: u64,
    end: u64,
    plan: Option<FilterPlan>,
    /// Where the filter's root is stored.
    root: Option<u64>,
}

impl Subscription {
    /// `signal` is raised when the feed has something new, where it knows.
    pub(crate) fn new(
        feed: Box<dyn Feed>,
        signal: Arc<Signal>,
        filter: Filter,
        start: StartFrom,
    ) -> Result<Self> {
        let Current { view, .. } = feed.current()?;
        let (next, since_ns, begun) = match start {
            StartFrom::Now => (view.end_seq(), None, true),
            StartFrom::Start => (view.first_seq(), None, false),
            StartFrom::Seq(seq) => (seq.max(1), None, true),
            StartFrom::Time(time_ns) => (begin(&view, time_ns), Some(time_ns), false),
        };
        Ok(Self {
            feed,
            handle: SubscriptionHandle { stopped: Arc::default(), signal },
            filter,
            detail: Detail::default(),
            durable: false,
            ended: false,
            synced: None,
            view,
            end: 0,
            next,
            begun,
            since_ns,
            plan: None,
            last: LastRead::default(),
        })
    }

    /// What stops it, also from another thread.
    ///
    /// An example is at [`SubscriptionHandle`].
    pub fn handle(&self) -> SubscriptionHandle {
        self.handle.clone()
    }

    /// Whether to wait until an event is known to be on disk. The writer says so with
    /// the next block that it writes; where none comes, a sync is asked for (fdatasync,
    /// about each 50 ms at most): by a reader of the log file itself, which writes
    /// nothing to the store, else of the writer. Where that fails or can't be done, the
    /// writer's word is waited for.
    ///
    /// ```
    /// use std::time::Duration;
    /// use forebear::{Event, Filter, Reader, StartFrom, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// let mut events = Reader::open(&path)?.subscribe(Filter::new(), StartFrom::Start)?.durable(true);
    /// store.append(Event::new("first"))?;
    /// let event = events.next_timeout(Duration::from_secs(9)).expect("it comes at once")?;
    /// assert_eq!(event.kind(), "first");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets how much of each event is loaded; everything unless set.
    ///
    /// An example is at [`Detail`].
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// The sequence number up to which everything was read: where to go on from.
    ///
    /// ```
    /// use forebear::{Event, Filter, Reader, StartFrom, Store};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// store.append(Event::new("tick"))?;
    /// let reader = Reader::open(&path)?;
    /// let mut events = reader.subscribe(Filter::new(), StartFrom::Start)?;
    /// assert_eq!(events.next().expect("it goes on for ever")?.seq(), 1);
    /// let later = reader.subscribe(Filter::new(), StartFrom::Seq(events.next_seq()))?;
    /// assert_eq!(later.next_seq(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// Whether no event will come any more: it was stopped, or the store was closed and
    /// everything was read.
    pub fn has_ended(&self) -> bool {
        self.handle.is_stopped() || (self.ended && self.next >= self.end)
    }

    /// The next event, if there is one within this time.
    ///
    /// An example is at [`Subscription`].
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<StoredEvent>> {
        let begun = Instant::now();
        loop {
            if self.has_ended() {
                return None;
            }
            let seen = self.handle.signal.raised();
            match self.advance() {
                Ok(None) => {}
                Ok(Some(event)) => return Some(Ok(event)),
                Err(error) => return Some(Err(error)),
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() || self.has_ended() {
                return None;
            }
            self.handle.signal.wait_past(seen, left.min(self.poll_time()));
        }
    }

    /// How long to wait before looking again, unless woken.
    fn poll_time(&self) -> Duration {
        let poll = self.feed.poll_time();
        if self.durable { poll.min(SYNC_TIME) } else { poll }
    }

    /// The next event of those that are stored.
    fn advance(&mut self) -> Result<Option<StoredEvent>> {
        for _ in 0..EXPIRED_MAX {
            match self.read_on() {
                Err(error) if error.is_expired() => self.end = 0,
                outcome => return outcome,
            }
            self.look()?;
            let first = self.view.first_seq();
            if self.next < first {
                let missed = std::mem::replace(&mut self.next, first);
                if self.begun {
                    return Err(Error::expired(missed));
                }
            }
        }
        Err(Error::expired(self.next))
    }

    /// Moves on to the newest view.
    fn look(&mut self) -> Result<()> {
        // Asked first: only a view taken after the end is final.
        let ended = self.feed.has_ended();
        let mut current = self.feed.current()?;
        let is_due = |at: &Instant| at.elapsed() >= SYNC_TIME;
        if self.durable
            && current.durable_end <= self.next
            && self.next < current.view.end_seq()
            && self.synced.as_ref().is_none_or(is_due)
        {
            self.feed.sync();
            self.synced = Some(Instant::now());
            current = self.feed.current()?;
        }
        self.ended = ended;
        let Current { view, durable_end } = current;
        self.end = if self.durable { durable_end } else { view.end_seq() };
        self.view = view;
        Ok(())
    }

    fn read_on(&mut self) -> Result<Option<StoredEvent>> {
        if self.next >= self.end {
            self.look()?;
        }
        let view = Arc::clone(&self.view);
        while self.next < self.end {
            let Some(number) = view.number_of(self.next) else {
                return Err(Error::expired(self.next));
            };
            let source = view.source(number)?;
            let end = (source.first_seq() + u64::from(source.rows())).min(self.end);
            let segment = view.segment(number);
            let known = self.plan.take_if(|known| known.segment == segment && known.end == end);
            let planned = match known {
                Some(planned) => planned,
                None => PlannedSource::new(&view, &source, &self.filter, segment, end)?,
            };
            while self.next < end {
                let seq = self.next;
                let row = (seq - source.first_seq()) as u32;
                let taken = self.takes(&view, &source, &planned, seq, row);
                if taken.as_ref().is_err_and(Error::is_expired) {
                    taken?;
                    continue;
                }
                // Moved on first, so that an event that can't be read is reported once.
                self.next += 1;
                if taken? {
                    let event = self.load(&view, seq);
                    if event.as_ref().is_err_and(Error::is_expired) {
                        self.next = seq;
                    }
                    self.plan = Some(planned);
                    self.begun = true;
                    return event.map(Some);
                }
            }
        }
        Ok(None)
    }

    fn takes(
        &mut self,
        view: &View,
        source: &Source,
        planned: &PlannedSource,
        seq: u64,
        row: u32,
    ) -> Result<bool> {
        let Some(plan) = &planned.plan else { return Ok(false) };
        if source.flags(row)?.has(Flags::LOST) {
            return Ok(false);
        }
        if let Some(since_ns) = self.since_ns {
            if source.facts(row)?.time_ns < since_ns {
                return Ok(false);
            }
            self.since_ns = None;
        }
        if !plan.takes_any(&**source, &self.filter, row)? {
            return Ok(false);
        }
        if self.filter.root.is_some() {
            let position = view.position(seq)?;
            return Ok(planned.root.is_some_and(|root| position.leads_to(root)));
        }
        Ok(true)
    }

    fn load(&mut self, view: &Arc<View>, seq: u64) -> Result<StoredEvent> {
        view.event_in(seq, self.detail, &mut self.last)
    }
}

impl Iterator for Subscription {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let next = self.next_timeout(Duration::from_hours(1));
            if next.is_some() || self.has_ended() {
                return next;
            }
        }
    }
}

impl PlannedSource {
    fn new(view: &View, source: &Source, filter: &Filter, segment: u64, end: u64) -> Result<Self> {
        let root = match &filter.root {
            Some(root) => find_root(view, root)?,
            None => None,
        };
        Ok(Self { segment, end, plan: FilterPlan::new(&**source, filter)?, root })
    }
}

/// The first sequence number of the first source that may hold an event of this time or
/// later.
fn begin(view: &View, time_ns: i64) -> u64 {
    let before = |sealed: &&crate::manifest::Sealed| sealed.max_time_ns < time_ns;
    let last_before = view.sealed.iter().take_while(before).last();
    last_before.map_or(view.first_seq(), crate::manifest::Sealed::end_seq)
}

/// How long to wait for the writer to report a sync before asking for one.
const SYNC_TIME: Duration = Duration::from_millis(50);
/// Attempts at reading on where events expire meanwhile.
const EXPIRED_MAX: usize = 8;
