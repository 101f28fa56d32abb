//! Waves: sessions that work together, by the wave that they name.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::kinds::SessionStatus;
use crate::list::scan;
use crate::reads::Reads;
use crate::reduce::session_of;
use crate::related::behind;
use crate::session::{Liveness, find};
use forebear_core::listing::Position;
use forebear_core::{CountBy, Detail, Filter, Page, Result, Scope};

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
/// assert_eq!(waves[0].done, 2);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wave {
    /// The `wave_id` that its events or its sessions have.
    pub id: String,
    /// Sessions of which an event has it, or of which it was said. A session can be in several
    /// waves.
    pub sessions: u64,
    /// The events that have it. Of a session that is in it though none of its events has it, all
    /// of them.
    pub events: u64,
    /// When the first of them came.
    pub start_ns: Option<i64>,
    /// When the last of them came.
    pub end_ns: Option<i64>,
    /// How many of the sessions are active.
    pub running: u64,
    /// How many of them are completed.
    pub done: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// What a session has in a wave.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    events: u64,
    start_ns: Option<i64>,
    end_ns: Option<i64>,
}

/// All waves, those that began last first. O(sessions + events with a wave) each page.
pub(crate) fn waves(
    reads: &Reads<'_>,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<Wave, Position>> {
    let mut waves: Vec<(Wave, Vec<String>)> = shares(reads)?.into_iter().map(summed_up).collect();
    // Stable: those that began together stay in order of their ids.
    waves.sort_by_key(|(wave, _)| std::cmp::Reverse(wave.start_ns));
    let position = |(wave, _): &(Wave, Vec<String>)| reads.sessions.position(&wave.id);
    let mut found = waves.split_off(behind(&waves, position, after)?);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(position);
    let mut page = Page::new(Vec::with_capacity(found.len()), next);
    for (mut wave, sessions) in found {
        for session in sessions {
            let known = find(reads, &session, Liveness::default())?;
            match known.map(|known| known.session.status) {
                Some(SessionStatus::Active) => wave.running += 1,
                Some(SessionStatus::Completed) => wave.done += 1,
                Some(SessionStatus::Failed) => wave.failed += 1,
                _ => {}
            }
        }
        page.items.push(wave);
    }
    Ok(page)
}

/// Whether an event of a session has this wave. O(events of the wave in the session).
pub(crate) fn has_event_in(reads: &Reads<'_>, session: &str, wave: &str) -> Result<bool> {
    let parent_len = reads.head(session)?.map_or(0, |head| head.parent_len);
    let filter = Filter::new().label(WAVE_ID, wave);
    let filter = match session.split_at_checked(parent_len).filter(|_| parent_len > 0) {
        Some((above, agent)) => filter.session(above).instance(agent.trim_start_matches('/')),
        None => filter.session(session),
    };
    for event in &reads.snapshot.events(filter).detail(Detail::Columns) {
        match event {
            Ok(event) => {
                let own_scope = event.scope() == Scope::Own;
                let of = event.session().unwrap_or_default();
                let name = session_of(of, event.instance(), own_scope);
                if name.is_some_and(|(name, _)| name == session) {
                    return Ok(true);
                }
            }
            Err(error) if error.is_damaged() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// What each session has in each wave.
fn shares(reads: &Reads<'_>) -> Result<BTreeMap<String, BTreeMap<String, Share>>> {
    let mut waves: BTreeMap<String, BTreeMap<String, Share>> = BTreeMap::new();
    for count in &reads.snapshot.counts(CountBy::Label(WAVE_ID.to_owned()), Filter::new()) {
        let wave = count?.value;
        let filter = Filter::new().label(WAVE_ID, &wave);
        let sessions = waves.entry(wave).or_default();
        for event in &reads.snapshot.events(filter).detail(Detail::Labels) {
            let event = match event {
                Ok(event) => event,
                Err(error) if error.is_damaged() => continue,
                Err(error) => return Err(error),
            };
            let own_scope = event.scope() == Scope::Own;
            let of = event.session().unwrap_or_default();
            let Some((name, _)) = session_of(of, event.instance(), own_scope) else { continue };
            let share = sessions.entry(name).or_default();
            share.events += 1;
            if event.label(TIME_MADE_UP).is_none() {
                share.start_ns = earlier(share.start_ns, Some(event.time_ns()));
                share.end_ns = share.end_ns.max(Some(event.time_ns()));
            }
        }
    }
    waves.retain(|_, sessions| !sessions.is_empty());
    scan(reads, Liveness::as_of(0), None, |known, _| {
        let session = known.session;
        if let Some(wave) = session.wave_id {
            let (start_ns, end_ns) = (session.start_ns, session.end_ns);
            let share = Share { events: session.events, start_ns, end_ns };
            waves.entry(wave).or_default().entry(session.id).or_insert(share);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(waves)
}

/// A wave, and the names of its sessions.
fn summed_up((id, sessions): (String, BTreeMap<String, Share>)) -> (Wave, Vec<String>) {
    let mut wave = Wave {
        id,
        sessions: sessions.len() as u64,
        events: 0,
        start_ns: None,
        end_ns: None,
        running: 0,
        done: 0,
        failed: 0,
    };
    for share in sessions.values() {
        wave.events += share.events;
        wave.start_ns = earlier(wave.start_ns, share.start_ns);
        wave.end_ns = wave.end_ns.max(share.end_ns);
    }
    (wave, sessions.into_keys().collect())
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The label by which an event says which wave it is of.
const WAVE_ID: &str = "wave_id";
const TIME_MADE_UP: &str = "time_made_up";
