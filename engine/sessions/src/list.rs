//! All sessions: those that live parts have events of, the newest first, then those
//! that are known by what was said of them or carried.

use std::ops::ControlFlow;

use crate::filter::SessionFilter;
use crate::reads::Reads;
use crate::session::{Known, Liveness, Session, find};
use crate::value;
use forebear_core::{Cursor, Page, Result};

pub(crate) fn sessions(reads: &Reads<'_>, filter: &SessionFilter) -> Result<Page<Session>> {
    let mut page = Page { items: Vec::new(), next: None };
    if filter.limit == 0 {
        return Ok(page);
    }
    let mut last = None;
    scan(reads, filter.liveness, filter.after, |known, cursor| {
        if !filter.takes(&known.session) {
            return Ok(ControlFlow::Continue(()));
        }
        if page.items.len() == filter.limit {
            page.next = last;
            return Ok(ControlFlow::Break(()));
        }
        page.items.push(known.session);
        last = Some(cursor);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

/// Shows every session, until `visit` breaks off. In memory are the names of one part
/// at a time.
pub(super) fn scan(
    reads: &Reads<'_>,
    liveness: Liveness,
    after: Option<Cursor>,
    mut visit: impl FnMut(Known, Cursor) -> Result<ControlFlow<()>>,
) -> Result<()> {
    // How many sessions were listed with the row that the cursor leads behind.
    let behind = after.map(Cursor::parts).filter(|&(rank, _)| (0..RANKS).contains(&rank));
    if after.is_none() || behind.is_some() {
        for source in (0..reads.sessions.sources()).rev() {
            let first_seq = reads.sessions.first_seq_of(source)?;
            if behind.is_some_and(|(_, at)| first_seq > at) {
                continue;
            }
            for (rank, touched, name) in newest(reads, source)? {
                let cursor = Cursor::from_parts(rank, touched);
                let listed =
                    |(listed_rank, at)| touched > at || (touched == at && rank <= listed_rank);
                if behind.is_some_and(listed) {
                    continue;
                }
                let Some(known) = find(reads, &name, liveness)? else { continue };
                // Otherwise it comes with the newer part.
                if known.head.touched == touched && visit(known, cursor)?.is_break() {
                    return Ok(());
                }
            }
        }
    }
    let mut after = match after.filter(|_| behind.is_none()) {
        Some(cursor) => Some(reads.sessions.key_at(cursor)?),
        None => None,
    };
    loop {
        let names = reads.sessions.keys(after.as_deref(), NAMES)?;
        let Some(last) = names.last().cloned() else { return Ok(()) };
        for name in names {
            let Some(known) = find(reads, &name, liveness)? else { continue };
            let cursor = reads.sessions.cursor(&name);
            let listed = known.head.touched >= reads.snapshot.first_seq();
            if !listed && visit(known, cursor)?.is_break() {
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

/// A row has to do with a session and with that of an agent: cursors behind it have
/// a rank below this. All others lead behind a key.
const RANKS: i64 = 4;
/// Names that are looked at together.
const NAMES: usize = 1000;
