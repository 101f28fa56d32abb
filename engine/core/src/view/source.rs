//! What can be asked of the rows of one segment, sealed or still a log.

use std::ops::{ControlFlow, Deref};
use std::sync::Arc;

use crate::base::count_by::CountBy;
use crate::base::detail::Detail;
use crate::base::error::Result;
use crate::base::event::Quarantined;
use crate::base::id::EventId;
use crate::base::kinds::Kinds;
use crate::base::link::{Link, LinkKind};
use crate::base::row::{
    AssertedLink, Below, Facts, Flags, ListOf, Place, RowRead, StoredParent, TextNumbers,
};
use crate::base::state::{Kept, KindId};
use crate::base::unread::Unread;
use crate::log::fields::ArchivedEventMeta;
use crate::log::view::LogView;
use crate::log::windows::LastWindow;
use crate::segment::heap::LastChunk;
use crate::segment::sealed::Segment;
use crate::view::stored::{ContentSource, Names};

/// The rows of one segment, numbered from 0; sequence numbers go over all segments.
///
/// A walk that may stay long within one segment is generic over its source, so that a
/// hop costs no virtual call; everything else asks a [`Source`] through `dyn`.
pub(crate) trait RowSource {
    /// The sequence number of row 0.
    fn first_seq(&self) -> u64;

    /// How many rows are seen.
    fn rows(&self) -> u32;

    /// The row that has a sequence number, where it is one of those seen.
    fn row_of(&self, seq: u64) -> Option<u32> {
        let row = seq.checked_sub(self.first_seq()).and_then(|row| u32::try_from(row).ok());
        row.filter(|&row| row < self.rows())
    }

    /// The row that a stored link leads to, where it is one of those seen.
    fn row_of_parent(&self, parent: StoredParent) -> Option<u32> {
        match parent {
            StoredParent::Row(seq) => self.row_of(seq),
            StoredParent::None | StoredParent::Awaited | StoredParent::Cycle(_) => None,
        }
    }

    /// What tells it from every other source of this process.
    fn identity(&self) -> SourceIdentity;

    /// The row that stands for an id: the event's, or where that is in another source
    /// its first version here, and then `true`. Expected O(1).
    fn head(&self, id: &EventId) -> Result<Option<(u32, bool)>>;

    /// The event and its versions, in the order they were stored.
    fn copies(&self, id: &EventId) -> Result<Vec<u32>>;

    /// The row that replaces the one with this sequence number, which is in this source or
    /// an earlier one.
    fn superseded_by(&self, seq: u64) -> Result<Option<u32>>;

    /// The id of a row's event.
    fn id(&self, row: u32) -> Result<EventId>;

    fn flags(&self, row: u32) -> Result<Flags>;

    /// All that is known of a row without its texts and its record.
    fn read(&self, row: u32) -> Result<RowRead>;

    /// Reads on from the last of these rows, which is of this source, as far as stored links
    /// lead to rows of this source: at most so many of them, and none behind one that can't be
    /// read. Whoever goes there meets the error.
    fn read_on(&self, rows: &mut Vec<RowRead>, at_most: usize) {
        for _ in 0..at_most {
            let Some(row) = rows.last().and_then(|row| self.row_of_parent(row.parent)) else {
                return;
            };
            let Ok(read) = self.read(row) else { return };
            rows.push(read);
        }
    }

    /// The texts of a row that has these.
    fn names(&self, texts: TextNumbers) -> Result<Names>;

    /// What the record of a row says that has these texts and lies at this place, as
    /// [`read`](Self::read) gave them.
    fn content(
        &self,
        place: u64,
        texts: TextNumbers,
        detail: Detail,
        last: &mut LastRead,
    ) -> Result<ContentSource>;

    /// Has the processor fetch the record at this place, which is read next.
    fn prefetch(&self, place: u64, last: &LastRead);

    /// What a row's event says of its parent, and how it follows from it. O(1).
    fn stored_parent(&self, row: u32) -> Result<(StoredParent, LinkKind)>;

    /// Where a row lies below its anchor. O(1) in a sealed segment, else O(log n).
    fn below(&self, row: u32) -> Result<Below>;

    /// The id of the anchor that a row lies below, wherever that is. O(log n).
    fn anchor_id(&self, row: u32) -> Result<EventId>;

    /// The id of the parent that a row's event names, which is no row of this source.
    /// O(log n).
    fn absent_parent_id(&self, row: u32) -> Result<EventId>;

    /// An ancestor further up along stored links, and the row's own depth below its
    /// anchor; none in logs and for anchors.
    fn skip_pointer(&self, row: u32) -> Result<Option<(u64, u32)>>;

    /// The asserted link that stands here for a child, wherever that is stored.
    fn standing(&self, child: &EventId) -> Result<Option<AssertedLink>>;

    /// The asserted links that stand here, wherever their children are stored.
    fn asserted_links(&self) -> Result<Vec<AssertedLink>>;

    /// Those of them that name this parent.
    fn asserted_under(&self, parent: &EventId) -> Result<Vec<AssertedLink>>;

    /// The rows whose events name the event as their parent, in order; some of them
    /// may have another by now. `seq` is where the event is stored, 0 where it is not.
    fn named_children(&self, parent: &EventId, seq: u64) -> Result<Vec<u32>>;

    /// Whether the link from `child` to `parent` closes a cycle through several
    /// sources, as this one knows.
    fn is_marked(&self, child: &EventId, parent: &EventId) -> Result<bool>;

    /// The copy of an event that has just this content: the same payload, or where
    /// there is none the same fields.
    fn equal_copy(
        &self,
        id: &EventId,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
    ) -> Result<Option<u32>>;

    /// Whether this very link was refused here.
    fn was_refused(&self, asserted: &Link) -> Result<bool>;

    /// Whether this input was quarantined here.
    fn knows_quarantined(&self, key: &[u8; 16]) -> Result<bool>;

    /// The number of the text that all rows of a list have; none where the source does
    /// not know it.
    fn number_of(&self, list: &ListOf) -> Result<Option<u32>>;

    /// The text with this number.
    fn text(&self, number: u32) -> Result<String>;

    /// How many rows a list has, rows not seen yet among them.
    fn list_len(&self, list: &ListOf) -> Result<usize>;

    /// The rows of a list in order of time: from a place on, itself included, or
    /// backwards from a place, itself left out; at most so many.
    fn list(
        &self,
        list: &ListOf,
        from: Place,
        backwards: bool,
        at_most: usize,
    ) -> Result<Vec<Place>>;

    /// Whether a list has a row.
    fn lists(&self, list: &ListOf, row: u32) -> Result<bool>;

    /// What a row is checked for.
    fn facts(&self, row: u32) -> Result<Facts>;

    /// How many rows have each value, where the source has counted them.
    fn values(&self, by: &CountBy) -> Result<Option<Vec<(String, u64)>>>;

    /// The values that a label has.
    fn label_values(&self, key: &str) -> Result<Vec<String>>;

    /// The rows of events that name no parent, from this sequence number on, in order.
    /// Those that can't be read are noted.
    fn unnamed_rows(&self, from: u64, unread: &mut Unread) -> Result<Vec<u32>>;

    /// The least UUIDs of a range that events here have, at most so many.
    fn uuids(&self, low: [u8; 16], high: [u8; 16], at_most: usize) -> Result<Vec<[u8; 16]>>;

    /// The parents that were named here and not stored here nor before, in the order
    /// they were first named.
    fn awaited(&self) -> Result<Vec<EventId>>;

    /// How many links were refused here.
    fn refused_len(&self) -> usize;

    /// Refused links in the order they were refused, from one on, at most so many.
    fn refused(&self, from: usize, at_most: usize) -> Result<Vec<Link>>;

    /// How many links were found here to close a cycle.
    fn cycle_edges_len(&self) -> usize;

    /// Links that close a cycle, child and parent, in the order they were found. Those
    /// that were replaced since are listed with what replaced them.
    fn cycle_edges(&self, from: usize, at_most: usize) -> Result<Vec<Option<(EventId, EventId)>>>;

    /// How much input is quarantined here.
    fn quarantined_len(&self) -> Result<usize>;

    /// One quarantined input, in the order they came.
    fn quarantined(&self, number: usize) -> Result<Option<Quarantined>>;

    /// What the source has of a key.
    fn state(&self, kinds: &Kinds, kind: KindId, key: &str) -> Result<Option<Kept>>;

    /// What was carried over into the source of a key, alone.
    fn state_carried(&self, kind: KindId, key: &str) -> Result<Option<Kept>>;

    /// Shows the keys of a kind behind one, in order, until `show` breaks off. A log
    /// looks at `at_once` of them under one lock.
    fn state_names(
        &self,
        kinds: &Kinds,
        kind: KindId,
        after: Option<&str>,
        at_once: usize,
        show: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()>;
}

/// What of logs and of heaps was read last, which most reads of a walk go on in.
#[derive(Debug, Default)]
pub(crate) struct LastRead {
    pub(super) window: LastWindow,
    pub(super) chunk: LastChunk,
    pub(crate) names: LastNames,
}

/// The texts of the last few rows that had others than those before: the events of a chain mostly
/// have those of one instance, and a few kinds.
#[derive(Debug, Default)]
pub(crate) struct LastNames {
    /// Each source numbers texts by itself, and a segment otherwise than the log that it was.
    seen: [Option<(SourceIdentity, TextNumbers, Names)>; LAST_NAMES],
    /// Which of them gives way next.
    oldest: usize,
}

impl LastNames {
    /// The texts of a row of this source that has these.
    #[inline]
    pub(crate) fn of<S: RowSource + ?Sized>(
        &mut self,
        source: &S,
        texts: TextNumbers,
    ) -> Result<Names> {
        match self.seen(source.identity(), texts) {
            Some(names) => Ok(names),
            None => self.read(source, texts),
        }
    }

    /// The same, where they were read before.
    #[inline]
    pub(crate) fn seen(&self, source: SourceIdentity, texts: TextNumbers) -> Option<Names> {
        let mut seen = self.seen.iter().flatten();
        let (.., names) = seen.find(|(of, numbers, _)| *numbers == texts && *of == source)?;
        Some(names.clone())
    }

    fn read<S: RowSource + ?Sized>(&mut self, source: &S, texts: TextNumbers) -> Result<Names> {
        let names = source.names(texts)?;
        self.seen[self.oldest] = Some((source.identity(), texts, names.clone()));
        self.oldest = (self.oldest + 1) % LAST_NAMES;
        Ok(names)
    }
}

/// Tells a source from every other of this process: the number of its log's reader, or of its
/// segment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceIdentity {
    Sealed(u64),
    Log(u64),
}

/// A source, whichever of the two it is. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Sealed(Arc<Segment>),
    Log(LogView),
}

impl Deref for Source {
    type Target = dyn RowSource;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Sealed(segment) => segment,
            Self::Log(log) => log,
        }
    }
}

/// So many different texts of rows are kept while a chain or a listing is read.
const LAST_NAMES: usize = 4;
