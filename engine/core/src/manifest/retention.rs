//! The retention policy, as callers build it and as the manifest keeps it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::manifest::Sealed;
use crate::manifest::lines::{from_hex_bytes, hex, value};

/// What a store keeps. Retention drops whole segments, the oldest first, up to the first
/// that the policy keeps. The log that is being appended to stays.
///
/// ```
/// use std::time::Duration;
/// use forebear::{Event, Retention, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("started"))?;
/// store.seal()?;
/// let retained = store.retain(&Retention::new().max_events(0))?;
/// assert_eq!((retained.segments, retained.events), (1, 1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    max_age: Option<Duration>,
    max_bytes: Option<u64>,
    max_events: Option<u64>,
    archive: Option<PathBuf>,
    dry_run: bool,
}

impl Retention {
    /// A policy that keeps everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Drops segments whose newest event is older than `age`. An event time after the time
    /// of writing counts as the latter.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Drops segments while the store's files have more than this many bytes.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Drops segments while the store has more than this many events and versions.
    #[must_use]
    pub fn max_events(mut self, events: u64) -> Self {
        self.max_events = Some(events);
        self
    }

    /// Moves what is dropped to this folder, which becomes a store that can be opened for
    /// reading.
    #[must_use]
    pub fn archive(mut self, folder: impl Into<PathBuf>) -> Self {
        self.archive = Some(folder.into());
        self
    }

    /// Returns what would be dropped and drops nothing.
    #[must_use]
    pub fn dry_run(mut self, dry: bool) -> Self {
        self.dry_run = dry;
        self
    }
}

impl fmt::Display for Retention {
    /// What it drops, in words: `older than 90d; more than 1000000 events`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = [
            self.max_age.map(|age| format!("older than {}", age_words(age))),
            self.max_bytes.map(|bytes| format!("more than {bytes} bytes")),
            self.max_events.map(|events| format!("more than {events} events")),
        ];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        f.write_str(if limits.is_empty() { "nothing" } else { "" })?;
        f.write_str(&limits.join("; "))?;
        match &self.archive {
            Some(folder) => write!(f, "; archived in {}", folder.display()),
            None => Ok(()),
        }
    }
}

/// An age in the largest unit that leaves no rest.
fn age_words(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [(24 * 3600, "d"), (3600, "h"), (60, "m")];
    let fits = units.iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match fits {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

impl Retention {
    pub(crate) fn archive_to(&self) -> Option<&Path> {
        self.archive.as_deref()
    }

    /// The policy as a store keeps it: with an absolute archive folder, since a process that
    /// applies it later may run in another one. Fails where that has no name in UTF-8.
    pub(crate) fn to_keep(&self) -> Result<Self> {
        let archive = match &self.archive {
            None => None,
            Some(folder) => {
                let folder = std::path::absolute(folder)
                    .map_err(|error| Error::io("find the archive folder", folder, error))?;
                if folder.to_str().is_none() {
                    return Err(Error::invalid(format!(
                        "expected an archive folder with a name in UTF-8, found {}; a policy that \
                         is kept with the store can't name another",
                        folder.display()
                    )));
                }
                Some(folder)
            }
        };
        Ok(Self { archive, dry_run: false, ..self.clone() })
    }

    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// How many of the oldest segments the policy drops. `active` is what the unsealed logs
    /// hold.
    pub(crate) fn due(&self, sealed: &[Sealed], active: Held, now_ns: i64) -> usize {
        let mut held = active;
        for segment in sealed {
            held.events += u64::from(segment.rows);
            held.bytes += segment.bytes();
        }
        let mut due = 0;
        for segment in sealed {
            // A segment without events has no event times.
            let newest_ns = if segment.rows > segment.lost {
                segment.max_time_ns.min(segment.written_ns)
            } else {
                segment.written_ns
            };
            let age_ns = now_ns.saturating_sub(newest_ns);
            let too_old = self
                .max_age
                .is_some_and(|age| u128::try_from(age_ns).is_ok_and(|ns| ns > age.as_nanos()));
            let too_many = self.max_events.is_some_and(|most| held.events > most)
                || self.max_bytes.is_some_and(|most| held.bytes > most);
            if !(too_old || too_many) {
                break;
            }
            held.events -= u64::from(segment.rows);
            held.bytes -= segment.bytes();
            due += 1;
        }
        due
    }

    pub(crate) fn to_text(&self) -> String {
        let mut words = Vec::new();
        // 64 bits end at 584 years: a longer age keeps as much as that.
        let max_age_ns = self.max_age.map(|age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        words.extend(max_age_ns.map(|ns| format!("max_age_ns={ns}")));
        words.extend(self.max_bytes.map(|bytes| format!("max_bytes={bytes}")));
        words.extend(self.max_events.map(|events| format!("max_events={events}")));
        // In hex: a path may hold spaces and line ends.
        words.extend(
            self.archive
                .as_ref()
                .map(|folder| format!("archive={}", hex(folder.as_os_str().as_encoded_bytes()))),
        );
        words.join(" ")
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let number = |key| value(text, key).map(str::parse::<u64>).transpose().ok();
        let max_age = number("max_age_ns")?.map(Duration::from_nanos);
        let archive = match value(text, "archive") {
            None => None,
            Some(hex) => Some(PathBuf::from(String::from_utf8(from_hex_bytes(hex)?).ok()?)),
        };
        let (max_bytes, max_events) = (number("max_bytes")?, number("max_events")?);
        Some(Self { max_age, max_bytes, max_events, archive, dry_run: false })
    }
}

/// The events and bytes of the unsealed logs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

/// What retention removed, or would remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Retained {
    /// Segments.
    pub segments: u64,
    /// Events and versions in them.
    pub events: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments of 10 events and 100 bytes each with these greatest times, written
    /// at 1000.
    fn segments(newest: &[i64]) -> Vec<Sealed> {
        (1..)
            .zip(newest)
            .map(|(segment, &max_time_ns)| Sealed {
                segment,
                first_seq: 1 + (segment - 1) * 10,
                rows: 10,
                lost: 0,
                min_time_ns: 0,
                max_time_ns,
                written_ns: 1000,
                raw_bytes: 400,
                seg_bytes: 70,
                idx_bytes: 30,
                reach: 1,
                asserted_links: 0,
                marks: 0,
                carried: 0,
                superseding: 0,
                footer: [0; 32],
                last: [0; 32],
            })
            .collect()
    }

    fn due(retention: &Retention, newest: &[i64], now_ns: i64) -> usize {
        let active = Held { events: 5, bytes: 50 };
        retention.due(&segments(newest), active, now_ns)
    }

    #[test]
    fn what_is_too_old_goes_and_a_time_in_the_future_pins_nothing() {
        let policy = Retention::new().max_age(Duration::from_nanos(100));
        assert_eq!(due(&policy, &[10, 20, 500], 121), 2);
        assert_eq!(due(&policy, &[10, 20, 500], 120), 1, "as old as may be, not older");
        assert_eq!(due(&policy, &[i64::MAX, 20], 1100), 0);
        assert_eq!(due(&policy, &[i64::MAX, 20], 1101), 2);
        assert_eq!(due(&policy, &[i64::MIN], i64::MAX), 1);
        assert_eq!(due(&policy, &[500], i64::MIN), 0, "a clock that went back drops nothing");
    }

    #[test]
    fn only_a_prefix_goes() {
        let policy = Retention::new().max_age(Duration::from_nanos(100));
        assert_eq!(due(&policy, &[900, 10, 10], 950), 0);
        assert_eq!(due(&policy, &[10, 900, 10], 950), 1);
    }

    #[test]
    fn what_is_too_much_goes_the_logs_counted() {
        let newest = [0; 4];
        for (most, expected) in [(45, 0), (44, 1), (35, 1), (34, 2), (5, 4), (0, 4)] {
            assert_eq!(due(&Retention::new().max_events(most), &newest, 0), expected);
            let bytes = Retention::new().max_bytes(most * 10);
            assert_eq!(due(&bytes, &newest, 0), expected);
        }
        let either = Retention::new().max_events(34).max_bytes(350);
        assert_eq!(due(&either, &newest, 0), 2);
        assert_eq!(due(&Retention::new(), &newest, i64::MAX), 0, "it keeps everything");
    }

    #[test]
    fn a_segment_without_events_is_as_old_as_when_it_was_written() {
        let mut segments = segments(&[i64::MIN]);
        segments[0].lost = 10;
        let policy = Retention::new().max_age(Duration::from_nanos(100));
        assert_eq!(policy.due(&segments, Held::default(), 1100), 0);
        assert_eq!(policy.due(&segments, Held::default(), 1101), 1);
    }

    #[test]
    fn a_kept_policy_reads_as_it_was_written() {
        let policy = Retention::new()
            .max_age(Duration::from_secs(u64::MAX))
            .max_bytes(u64::MAX)
            .max_events(0)
            .archive("relative folder\nof two lines")
            .dry_run(true);
        let kept = policy.to_keep().expect("it has a name in UTF-8");
        assert!(kept.archive_to().is_some_and(Path::is_absolute) && !kept.is_dry_run());
        let read = Retention::parse(&kept.to_text()).expect("reads");
        assert_eq!(read.to_text(), kept.to_text());
        assert_eq!(read.archive_to(), kept.archive_to());
        assert_eq!(Retention::parse(&Retention::new().to_text()), Some(Retention::new()));
    }
}
