//! All sessions: those that live parts have events of, the newest first, then those
//! that are known by what was said of them or carried.

use std::ops::ControlFlow;

use crate::filter::SessionFilter;
use crate::reads::Reads;
use crate::session::{Liveness, ReadSession, Session, find};
use crate::value;
use crate::waves::has_event_in;
use forebear_core::listing::Position;
use forebear_core::{Page, Result};

pub(crate) fn sessions(
    reads: &Reads<'_>,
    filter: &SessionFilter,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<Session, Position>> {
    let mut page = Page::new(Vec::new(), None);
    let mut last = None;
    scan(reads, filter.liveness, after, |known, position| {
        if !filter.takes(&known.session) || !is_in_wave(reads, filter, &known.session)? {
            return Ok(ControlFlow::Continue(()));
        }
        if page.items.len() == limit {
            page.next = last;
            return Ok(ControlFlow::Break(()));
        }
        page.items.push(known.session);
        last = Some(position);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

fn is_in_wave(reads: &Reads<'_>, filter: &SessionFilter, session: &Session) -> Result<bool> {
    match &filter.wave_id {
        Some(wave) if session.wave_id.as_ref() != Some(wave) => {
            has_event_in(reads, &session.id, wave)
        }
        _ => Ok(true),
    }
}

/// Shows every session, until `visit` breaks off. In memory are the names of one part
/// at a time.
pub(super) fn scan(
    reads: &Reads<'_>,
    liveness: Liveness,
    after: Option<Position>,
    mut visit: impl FnMut(ReadSession, Position) -> Result<ControlFlow<()>>,
) -> Result<()> {
    // How many sessions were listed with the row that the position is behind.
    let behind = after.filter(|last| (0..RANKS).contains(&last.time_ns));
    if after.is_none() || behind.is_some() {
        for source in (0..reads.sessions.sources()).rev() {
            let first_seq = reads.sessions.first_seq_of(source)?;
            if behind.is_some_and(|last| first_seq > last.at) {
                continue;
            }
            for (rank, touched, name) in newest(reads, source)? {
                let position = Position { time_ns: rank, at: touched };
                let listed = |last: Position| {
                    touched > last.at || (touched == last.at && rank <= last.time_ns)
                };
                if behind.is_some_and(listed) {
                    continue;
                }
                let Some(known) = find(reads, &name, liveness)? else { continue };
                // Otherwise it comes with the newer part.
                if known.head.touched == touched && visit(known, position)?.is_break() {
                    return Ok(());
                }
            }
        }
    }
    let mut after = match after.filter(|_| behind.is_none()) {
        Some(last) => Some(reads.sessions.key_behind(last)?),
        None => None,
    };
    loop {
        let names = reads.sessions.keys(after.as_deref(), NAMES)?;
        let Some(last) = names.last().cloned() else { return Ok(()) };
        for name in names {
            let Some(known) = find(reads, &name, liveness)? else { continue };
            let position = reads.sessions.position(&name);
            let listed = known.head.touched >= reads.snapshot.first_seq();
            if !listed && visit(known, position)?.is_break() {
                return Ok(());
            }
        }
        after = Some(last);
    }
}

/// The sessions of a part by the last row that has to do with them, the newest
/// first; those of one row are numbered.
fn newest(reads: &Reads<'_>, source: usize) -> Result<Vec<(i64, u64, String)>> {
    let mut found = Vec::new();
    reads.sessions.of_source(source, |name, value| {
        if let Some(head) = value::read_head(value)?.filter(|head| head.touched > 0) {
            found.push((head.touched, name.to_owned()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    found.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut before = (0, 0);
    let numbered = found.into_iter().map(|(touched, name)| {
        before = if before.1 == touched { (before.0 + 1, touched) } else { (0, touched) };
        (before.0, touched, name)
    });
    Ok(numbered.collect())
}

/// A row has to do with a session and with that of an agent: positions behind it have a
/// rank below this. All others are behind a key.
const RANKS: i64 = 4;
/// Names that are looked at together.
const NAMES: usize = 1000;
