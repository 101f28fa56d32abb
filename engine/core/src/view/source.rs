//! One part of what a snapshot sees: a sealed segment or a log, asked the same
//! way. Rows are numbered within the part; sequence numbers go over all parts.

use std::sync::Arc;

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind};
use crate::base::row::{Below, Claim, Columns, Flags, NONE, StoredParent};
use crate::log::content::same_content;
use crate::log::fields::ArchivedEventMeta;
use crate::log::index::{Anchor, Index, Made, StoredLink};
use crate::log::reader::Via;
use crate::log::view::LogView;
use crate::log::windows::LastWindow;
use crate::segment::heap::LastChunk;
use crate::segment::sealed::Segment;
use crate::stored::{Content, Names};

/// What of logs and of heaps was read last, which most reads of a walk go on in.
#[derive(Debug, Default)]
pub(crate) struct LastRead {
    window: LastWindow,
    chunk: LastChunk,
}

/// A sealed segment or a log.
#[derive(Clone, Debug)]
pub(crate) enum Source<'p> {
    Sealed(Arc<Segment>),
    Log(&'p LogView),
}

impl Source<'_> {
    pub(crate) fn first_seq(&self) -> u64 {
        match self {
            Source::Sealed(segment) => segment.first_seq(),
            Source::Log(log) => log.first_seq(),
        }
    }

    /// How many rows are seen.
    pub(crate) fn rows(&self) -> u32 {
        match self {
            Source::Sealed(segment) => segment.rows(),
            Source::Log(log) => log.visible.rows,
        }
    }

    /// The row that stands for an id: the event's, or where that is not in this
    /// part its first version, and then `true`. Expected O(1).
    pub(crate) fn head(&self, id: &EventId) -> Result<Option<(u32, bool)>> {
        match self {
            Source::Sealed(segment) => segment.head(id),
            Source::Log(log) => {
                let index = log.index();
                Ok(index
                    .find(id)
                    .filter(|&row| log.sees(row))
                    .map(|row| (row, index.row(row).flags.has(Flags::VERSION))))
            }
        }
    }

    /// The event and its versions in this part, in the order they were stored.
    pub(crate) fn copies(&self, id: &EventId) -> Result<Vec<u32>> {
        match self {
            Source::Sealed(segment) => segment.copies(id),
            Source::Log(log) => {
                let index = log.index();
                let Some(head) = index.find(id).filter(|&row| log.sees(row)) else {
                    return Ok(Vec::new());
                };
                let later = index.versions(head).iter().copied().filter(|&row| log.sees(row));
                Ok(std::iter::once(head).chain(later).collect())
            }
        }
    }

    /// The id of a row's event.
    pub(crate) fn id(&self, row: u32) -> Result<EventId> {
        match self {
            Source::Sealed(segment) => segment.id(row),
            Source::Log(log) => Ok(log.index().id(row)),
        }
    }

    /// What is true of a row.
    pub(crate) fn flags(&self, row: u32) -> Result<Flags> {
        match self {
            Source::Sealed(segment) => Ok(segment.entry(row)?.flags),
            Source::Log(log) => Ok(log.index().row(row).flags),
        }
    }

    /// What the part knows of a row, its record aside.
    pub(crate) fn columns(&self, row: u32) -> Result<Columns> {
        match self {
            Source::Sealed(segment) => segment.columns(row),
            Source::Log(log) => Ok(log_columns(log, &log.index(), row)),
        }
    }

    /// The texts of a row.
    pub(crate) fn names(&self, row: u32) -> Result<Names> {
        match self {
            Source::Sealed(segment) => segment.names(row),
            Source::Log(log) => Ok(log_names(&log.index(), row)),
        }
    }

    /// What the record of a row says, which is at the place that
    /// [`columns`](Self::columns) gave.
    pub(crate) fn content(
        &self,
        row: u32,
        place: u64,
        detail: Detail,
        last: &mut LastRead,
    ) -> Result<Content> {
        let payload = detail == Detail::Payload;
        match self {
            Source::Sealed(segment) => segment.content(row, payload, &mut last.chunk),
            Source::Log(log) => {
                let (reader, end) = (&log.log.reader, log.visible.log_end);
                let via = Via::Maps(&mut last.window);
                reader.event(place, end, payload, via).map(Content::Record)
            }
        }
    }

    /// Has the processor fetch the record of a row that is read next.
    pub(crate) fn prefetch(&self, seq: u64, last: &LastRead) {
        let Source::Log(log) = self else { return };
        let row = seq.checked_sub(log.first_seq()).and_then(|row| u32::try_from(row).ok());
        if let Some(row) = row.filter(|&row| log.sees(row)) {
            last.window.prefetch(log.index().row(row).offset);
        }
    }

    /// What a row's event says of its parent, and how it follows from it. O(1).
    pub(crate) fn stored_parent(&self, row: u32) -> Result<(StoredParent, LinkKind)> {
        match self {
            Source::Sealed(segment) => segment.stored_parent(row),
            Source::Log(log) => Ok(log_parent(log, &log.index(), row)),
        }
    }

    /// Where a row lies in its piece. O(1) in a sealed segment, else O(log n).
    pub(crate) fn below(&self, row: u32) -> Result<Below> {
        match self {
            Source::Sealed(segment) => segment.below(row),
            Source::Log(log) => {
                let position = log.index().firm_position(row, log.at());
                let anchor = match position.anchor {
                    Anchor::Row(row) => log.first_seq() + u64::from(row),
                    Anchor::Outside(seq, _) => seq,
                };
                Ok(Below { anchor, depth: position.depth })
            }
        }
    }

    /// The id of the anchor that a row of this part lies below, wherever the anchor
    /// is. O(log n).
    pub(crate) fn anchor_id(&self, row: u32) -> Result<EventId> {
        match self {
            Source::Sealed(segment) => segment.anchor_id(row),
            Source::Log(log) => {
                let index = log.index();
                match index.firm_position(row, log.at()).anchor {
                    Anchor::Row(row) => Ok(index.id(row)),
                    Anchor::Outside(_, id) => Ok(id),
                }
            }
        }
    }

    /// The id of the parent that a row's event names, which is no row of this part.
    /// O(log n).
    pub(crate) fn outside_parent_id(&self, row: u32) -> Result<EventId> {
        let id = match self {
            Source::Sealed(segment) => return segment.outside_parent_id(row),
            Source::Log(log) => match log.index().stored_link(row, log.at()) {
                StoredLink::Outside(_, id) | StoredLink::Awaited(id) => Some(id),
                _ => None,
            },
        };
        let seq = self.first_seq() + u64::from(row);
        id.ok_or_else(|| Error::damaged(format!("expected event {seq} to name a parent elsewhere")))
    }

    /// An ancestor further up along stored links, and the row's own depth below its
    /// anchor; none in logs and for anchors.
    pub(crate) fn jump(&self, row: u32) -> Result<Option<(u64, u32)>> {
        match self {
            Source::Sealed(segment) => segment.jump(row),
            Source::Log(_) => Ok(None),
        }
    }

    /// The claim that stands in this part for a child, wherever that is stored.
    pub(crate) fn standing(&self, child: &EventId) -> Result<Option<Claim>> {
        match self {
            Source::Sealed(segment) => segment.standing(child),
            Source::Log(log) => Ok(log_standing(log, &log.index(), child)),
        }
    }

    /// The claims that stand in this part and name this parent.
    pub(crate) fn claims_under(&self, parent: &EventId) -> Result<Vec<Claim>> {
        match self {
            Source::Sealed(segment) => segment.claims_under(parent),
            Source::Log(log) => {
                let index = log.index();
                let standing = |child: &EventId| log_standing(log, &index, child);
                let children = index.claimed_under(parent).iter().filter_map(standing);
                Ok(children.filter(|claim| claim.link.parent == *parent).collect())
            }
        }
    }

    /// The rows of this part whose events name the event as their parent, in order
    /// of rows; some of them may have another by now. `seq` is where the event is
    /// stored, 0 where it is not.
    pub(crate) fn named_children(&self, parent: &EventId, seq: u64) -> Result<Vec<u32>> {
        let row = seq.checked_sub(self.first_seq()).and_then(|row| u32::try_from(row).ok());
        let row = row.filter(|&row| row < self.rows());
        match self {
            Source::Sealed(segment) => segment.named_children(parent, row),
            Source::Log(log) => Ok(log_children(log, &log.index(), parent, seq, row)),
        }
    }

    /// Whether the link from `child` to `parent` closes a cycle through several
    /// parts, as this one knows.
    pub(crate) fn is_marked(&self, child: &EventId, parent: &EventId) -> Result<bool> {
        match self {
            Source::Sealed(segment) => segment.is_marked(child, parent),
            Source::Log(log) => {
                let index = log.index();
                Ok(index.is_closing(child, parent, log.at()))
            }
        }
    }

    /// The copy of an event that has just this content: the same payload, or where
    /// there is none the same fields.
    pub(crate) fn equal_copy(
        &self,
        id: &EventId,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<Option<u32>> {
        match self {
            Source::Sealed(segment) => segment.equal_copy(id, fields, payload),
            Source::Log(log) => {
                let index = log.index();
                let Some(head) = index.find(id) else { return Ok(None) };
                let rows = index.candidates(head, index.fingerprint(fields, payload));
                let places: Vec<_> =
                    rows.into_iter().map(|row| (row, index.row(row).offset)).collect();
                drop(index);
                for (row, place) in places {
                    let end = log.visible.log_end;
                    match log.log.reader.event(place, end, true, Via::Reads) {
                        Ok(record) if same_content(&record, fields, payload) => {
                            return Ok(Some(row));
                        }
                        Ok(_) => {}
                        // What can't be compared is kept beside it: nothing is lost.
                        Err(error) if error.is_damaged() => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(None)
            }
        }
    }

    /// Whether this very claim was refused here.
    pub(crate) fn was_refused(&self, claim: &Link) -> Result<bool> {
        match self {
            Source::Sealed(segment) => segment.was_refused(claim),
            Source::Log(log) => Ok(log.index().was_refused(claim)),
        }
    }

    /// Whether this input was quarantined here.
    pub(crate) fn knows_quarantined(&self, key: &[u8; 16]) -> Result<bool> {
        match self {
            Source::Sealed(segment) => segment.knows_quarantined(key),
            Source::Log(log) => Ok(log.index().knows_quarantined(key)),
        }
    }
}

pub(crate) fn log_columns(log: &LogView, index: &Index, row: u32) -> Columns {
    let entry = index.row(row);
    Columns {
        seq: log.first_seq() + u64::from(row),
        version: entry.flags.has(Flags::VERSION),
        derived_id: entry.flags.has(Flags::DERIVED),
        id: index.id(row),
        time_ns: entry.time_ns,
        place: entry.offset,
    }
}

pub(crate) fn log_names(index: &Index, row: u32) -> Names {
    let entry = index.row(row);
    let text = |number| Arc::clone(index.text(number));
    Names::Log {
        kind: text(entry.kind),
        instance: text(entry.instance),
        session: (entry.session != NONE).then(|| text(entry.session)),
    }
}

/// What a row of a log says of its parent.
pub(crate) fn log_parent(log: &LogView, index: &Index, row: u32) -> (StoredParent, LinkKind) {
    let kind = index.row(index.row(row).first).flags.link();
    let seq = |row: u32| log.first_seq() + u64::from(row);
    let parent = match index.stored_link(row, log.at()) {
        StoredLink::None => StoredParent::None,
        StoredLink::Row(parent) => StoredParent::Row(seq(parent)),
        StoredLink::Outside(parent, _) => StoredParent::Row(parent),
        StoredLink::Awaited(_) => StoredParent::Awaited,
        StoredLink::Closing(parent) => StoredParent::Closing(seq(parent)),
    };
    (parent, kind)
}

fn log_standing(log: &LogView, index: &Index, child: &EventId) -> Option<Claim> {
    let (link, made) = index.standing(child, log.at())?;
    Some(log_claim(log, link, made))
}

pub(crate) fn log_claim(log: &LogView, link: &Link, made: Made) -> Claim {
    let before_seq = log.first_seq() + u64::from(made.rows);
    Claim { link: link.clone(), before_seq, number: made.claims }
}

fn log_children(
    log: &LogView,
    index: &Index,
    parent: &EventId,
    seq: u64,
    row: Option<u32>,
) -> Vec<u32> {
    let mut rows: Vec<u32> = match row {
        Some(row) => index.named_children(row, log.at()).collect(),
        None => index.outside_children(seq).to_vec(),
    };
    // Those that named it where it was not stored, not yet or no more.
    if row.is_none_or(|row| index.row(row).flags.has(Flags::VERSION)) {
        rows.extend(index.awaiting(parent));
    }
    rows.retain(|&row| log.sees(row));
    rows.sort_unstable();
    rows.dedup();
    rows
}
