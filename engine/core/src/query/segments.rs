//! The segments of a store, one by one.

use crate::base::row::Flags;
#[cfg(feature = "serde")]
use crate::base::time::Time;
use crate::log::view::LogView;
use crate::manifest::Sealed;
use crate::view::View;

/// A segment of the store: a stretch of its history that is sealed, archived and
/// dropped as one.
///
/// ```
/// use forebear::{Event, SegmentState, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("started"))?;
/// store.seal()?;
/// let segments = store.snapshot().segments();
/// assert_eq!((segments[0].events, segments[0].state), (1, SegmentState::Sealed));
/// assert_eq!((segments[1].events, segments[1].state), (0, SegmentState::Active));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentInfo {
    /// Segments are numbered from 1; its files bear the number.
    pub number: u64,
    /// The sequence number of its first event.
    pub first_seq: u64,
    /// Events and versions, those that were lost to damage included.
    pub events: u64,
    /// Events and versions that were lost to damage.
    pub lost: u64,
    /// The least time of an event, in nanoseconds since the Unix epoch.
    pub from_ns: Option<i64>,
    /// The greatest time of an event.
    pub to_ns: Option<i64>,
    /// Bytes of its log, be that still there or not.
    pub raw_bytes: u64,
    /// Bytes of its files.
    pub stored_bytes: u64,
    /// What has become of it so far.
    pub state: SegmentState,
}

impl SegmentInfo {
    /// How many times smaller its files are than its log was, to two decimals; none where
    /// either is empty.
    pub fn ratio(&self) -> Option<f64> {
        if self.raw_bytes == 0 || self.stored_bytes == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
        let ratio = self.raw_bytes as f64 / self.stored_bytes as f64;
        Some((ratio * 100.0).round() / 100.0)
    }
}

/// What has become of a segment so far.
///
/// ```
/// assert_eq!(forebear::SegmentState::Full.as_str(), "full");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SegmentState {
    /// Packed and indexed, never to be changed.
    Sealed,
    /// Waiting to be sealed.
    Full,
    /// Being appended to.
    Active,
}

impl SegmentState {
    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Full => "full",
            Self::Active => "active",
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for SegmentInfo {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct SegmentInfoFields {
            number: u64,
            first_seq: u64,
            events: u64,
            lost: u64,
            from: Option<Time>,
            to: Option<Time>,
            raw_bytes: u64,
            stored_bytes: u64,
            ratio: Option<f64>,
            state: &'static str,
        }
        SegmentInfoFields {
            number: self.number,
            first_seq: self.first_seq,
            events: self.events,
            lost: self.lost,
            from: self.from_ns.map(Time::from_ns),
            to: self.to_ns.map(Time::from_ns),
            raw_bytes: self.raw_bytes,
            stored_bytes: self.stored_bytes,
            ratio: self.ratio(),
            state: self.state.as_str(),
        }
        .serialize(serializer)
    }
}

/// All segments, oldest first.
pub(crate) fn segments(view: &View) -> Vec<SegmentInfo> {
    let logs = view.logs().count();
    let states =
        (0..logs).map(|at| if at + 1 == logs { SegmentState::Active } else { SegmentState::Full });
    let logs = view.logs().zip(states).map(|(log, state)| of_log(log, state));
    view.sealed.iter().map(of_sealed).chain(logs).collect()
}

fn of_sealed(sealed: &Sealed) -> SegmentInfo {
    let timed = sealed.min_time_ns <= sealed.max_time_ns;
    SegmentInfo {
        number: sealed.segment,
        first_seq: sealed.first_seq,
        events: u64::from(sealed.rows),
        lost: u64::from(sealed.lost),
        from_ns: timed.then_some(sealed.min_time_ns),
        to_ns: timed.then_some(sealed.max_time_ns),
        raw_bytes: sealed.raw_bytes,
        stored_bytes: sealed.bytes(),
        state: SegmentState::Sealed,
    }
}

fn of_log(log: &LogView, state: SegmentState) -> SegmentInfo {
    let index = log.index();
    let rows = index.rows().iter().take(log.visible.rows as usize);
    let times = rows.filter(|row| !row.flags.has(Flags::LOST)).map(|row| row.time_ns);
    let (mut known, mut span) = (0, None);
    for time in times {
        known += 1;
        let (from, to) = span.unwrap_or((time, time));
        span = Some((time.min(from), time.max(to)));
    }
    SegmentInfo {
        number: log.log.segment,
        first_seq: log.first_seq(),
        events: u64::from(log.visible.rows),
        lost: u64::from(log.visible.rows) - known,
        from_ns: span.map(|(from, _)| from),
        to_ns: span.map(|(_, to)| to),
        raw_bytes: log.visible.log_end,
        stored_bytes: log.visible.log_end,
        state,
    }
}
