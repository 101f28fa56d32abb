//! The rows of a log as kinds of state see them.

use crate::base::row::{Flags, NONE, Place};
use crate::base::rows::{
    EventRow, EventRows, RowBatch, RowOrigin, RowOriginKind, RowUsage, TextId, TextLookup,
};
use crate::log::index::{Dimension, Index, Parent};

/// What shows the index to whoever is called.
pub(crate) type Look<'a> = dyn Fn(&mut dyn FnMut(&Index)) + 'a;

/// The first rows of a log. `look` shows the index, each time for a bounded number of
/// steps.
pub(crate) struct LogRows<'a> {
    pub(crate) look: &'a Look<'a>,
    /// The sequence number of the first row.
    pub(crate) first_seq: u64,
    pub(crate) rows: u32,
    /// The commit as of which links are asked for.
    pub(crate) at: u32,
}

impl EventRows for LogRows<'_> {
    fn first_seq(&self) -> u64 {
        self.first_seq
    }

    fn len(&self) -> u32 {
        self.rows
    }

    fn batches(&self, show: &mut dyn FnMut(&RowBatch<'_>)) {
        for first in (0..self.rows).step_by(AT_A_TIME) {
            (self.look)(&mut |index| {
                let end = self.rows.min(first + AT_A_TIME as u32);
                let rows: Vec<_> = (first..end).map(|row| self.event_row(index, row)).collect();
                show(&RowBatch { first, rows: &rows, texts: index });
            });
        }
    }

    fn usages(&self, show: &mut dyn FnMut(&[RowUsage])) {
        let (mut from, mut found) = (0, Vec::new());
        loop {
            found.clear();
            (self.look)(&mut |index| {
                let usages = index.usages().get(from..).unwrap_or_default().iter();
                let seen = usages.take_while(|(row, _)| *row < self.rows).take(AT_A_TIME);
                found.extend(seen.map(|&(row, usage)| RowUsage {
                    row,
                    message: usage.message,
                    tokens: usage.tokens,
                }));
            });
            if found.is_empty() {
                return;
            }
            from += found.len();
            show(&found);
        }
    }

    fn labelled(&self, key: &str, show: &mut dyn FnMut(&str, &[u32])) {
        let (mut number, mut values) = (None, Vec::new());
        (self.look)(&mut |index| {
            number = index.find_text(key);
            values = number.map_or(Vec::new(), |key| index.label_values(key).to_vec());
        });
        let Some(key) = number else { return };
        let mut values = values.into_iter().peekable();
        let (mut from, mut found) = (FIRST, Vec::new());
        while values.peek().is_some() {
            (self.look)(&mut |index| {
                let mut room = AT_A_TIME;
                while let Some(&value) = values.peek() {
                    let postings = index.postings(Dimension::Label(key, value));
                    let rows = postings.map(|list| list.forwards(index.rows(), from));
                    found.clear();
                    found.extend(rows.into_iter().flatten().take(room));
                    room -= found.len();
                    let last = found.last().copied();
                    // What came since the log was frozen or shown is not looked at.
                    found.retain(|&row| row < self.rows);
                    if !found.is_empty() {
                        show(index.text(value), &found);
                    }
                    if let Some(last) = last.filter(|_| room == 0) {
                        from = Place { time_ns: index.row(last).time_ns, row: last + 1 };
                        return;
                    }
                    values.next();
                    from = FIRST;
                    room = room.saturating_sub(1);
                    if room == 0 {
                        return;
                    }
                }
            });
        }
    }
}

impl TextLookup for Index {
    fn text(&self, number: u32) -> &str {
        Self::text(self, number)
    }
}

impl LogRows<'_> {
    fn event_row<'i>(&self, index: &'i Index, row: u32) -> EventRow<'i> {
        let seq = self.first_seq + u64::from(row);
        let superseded_by = index.superseded_by(seq).filter(|&by| by < self.rows);
        let earlier = index.supersedes(row).filter(|replaced| replaced.seq < self.first_seq);
        let (mut replaces, mut replaces_errors) = (0, 0);
        for replaced in earlier {
            replaces += 1;
            replaces_errors += u32::from(replaced.is_error);
        }
        EventRow {
            is_superseded: superseded_by.is_some(),
            replaces,
            replaces_errors,
            ..event_row(index, row, self.at)
        }
    }
}

fn event_row(index: &Index, row: u32, at: u32) -> EventRow<'_> {
    let entry = index.row(row);
    EventRow {
        time_ns: entry.time_ns,
        kind: TextId(entry.kind),
        instance: TextId(entry.instance),
        session: TextId(entry.session),
        is_error: entry.flags.has(Flags::ERROR),
        is_version: entry.flags.is_later_version(),
        is_superseded: false,
        replaces: 0,
        replaces_errors: 0,
        own_scope: entry.flags.has(Flags::OWN_SCOPE),
        origin: if entry.session == NONE { None } else { origin(index, row, at) },
    }
}

/// The other session that a row of a session comes from, where it says so.
fn origin(index: &Index, row: u32, at: u32) -> Option<RowOrigin<'_>> {
    let entry = index.row(row);
    let (via, from) = if entry.flags.has(Flags::VERSION) {
        let cross_ref = index.cross_ref(entry.first);
        // A version of an event of an earlier segment stands for it here.
        let of_earlier = cross_ref.filter(|cross_ref| cross_ref.version_of.is_some());
        let session = of_earlier.and_then(|cross_ref| cross_ref.session.as_deref());
        (RowOriginKind::Version, session.ok_or(entry.first))
    } else {
        let (parent, link) = match index.parent(row, at) {
            Parent::Known(parent, link) => (Some(parent), link),
            Parent::Missing(_, link) => (None, link),
            Parent::None | Parent::Cycle(..) => return None,
        };
        let from = match parent {
            Some(parent) => Err(parent),
            None => Ok(index.cross_ref(entry.first)?.session.as_deref()?),
        };
        (RowOriginKind::Link(link), from)
    };
    let session = match from {
        Ok(session) => session,
        Err(other) if index.row(other).session == entry.session => return None,
        Err(other) => session_of(index, other),
    };
    let is_other = !session.is_empty() && session != session_of(index, row);
    is_other.then_some(RowOrigin { via, session })
}

/// The name of a row's session, empty where it has none.
fn session_of(index: &Index, row: u32) -> &str {
    match index.row(row).session {
        NONE => "",
        session => index.text(session),
    }
}

/// Before every row.
const FIRST: Place = Place { time_ns: i64::MIN, row: 0 };
/// Steps in which the index is held.
const AT_A_TIME: usize = 2048;
