//! Waves: sessions that work together, by the wave that they name.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::list::scan;
use crate::reads::Reads;
use crate::related::behind;
use crate::session::Liveness;
use forebear_core::listing::Position;
use forebear_core::{Page, Result};

/// What the sessions of a wave come to.
///
/// ```
/// use forebear::{Event, SessionPatch, SessionReads, SessionWrites};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("start").session("a").label("wave_id", "w1").time_ns(5))?;
/// store.upsert_session(SessionPatch::new("b").wave("w1"))?;
/// let waves = store.snapshot().waves().page()?.items;
/// assert_eq!((waves[0].id.as_str(), waves[0].sessions, waves[0].events), ("w1", 2, 1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wave {
    /// The `wave_id` that its sessions have.
    pub id: String,
    /// How many they are.
    pub sessions: u64,
    /// Their events.
    pub events: u64,
    /// When the first of them began.
    pub start_ns: Option<i64>,
    /// When the last of them ended.
    pub end_ns: Option<i64>,
}

/// All waves, those that began last first. O(sessions) each page.
pub(crate) fn waves(
    reads: &Reads<'_>,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<Wave, Position>> {
    let mut waves: BTreeMap<String, Wave> = BTreeMap::new();
    scan(reads, Liveness::as_of(0), None, |known, _| {
        let session = known.session;
        let Some(id) = session.wave_id else { return Ok(ControlFlow::Continue(())) };
        let wave = waves.entry(id.clone()).or_insert(Wave {
            id,
            sessions: 0,
            events: 0,
            start_ns: None,
            end_ns: None,
        });
        wave.sessions += 1;
        wave.events += session.events;
        wave.start_ns = match (wave.start_ns, session.start_ns) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        wave.end_ns = wave.end_ns.max(session.end_ns);
        Ok(ControlFlow::Continue(()))
    })?;
    let mut waves: Vec<Wave> = waves.into_values().collect();
    // Stable: those that began together stay in order of their ids.
    waves.sort_by_key(|wave| std::cmp::Reverse(wave.start_ns));
    let position = |wave: &Wave| reads.sessions.position(&wave.id);
    let mut items = waves.split_off(behind(&waves, position, after)?);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(position);
    Ok(Page::new(items, next))
}
