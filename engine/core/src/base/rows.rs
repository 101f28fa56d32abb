//! The rows of one log, in columns: what kinds of state are made from.

use std::fmt;

use crate::base::link::LinkKind;
use crate::base::tokens::Tokens;

/// The rows of one log: its events and versions in the order in which they were
/// stored. A row's sequence number is its place behind [`first_seq`](Self::first_seq).
///
/// Each call goes over all rows, and shows them some thousand at a time: the log is
/// locked against appends for that long. What is shown doesn't outlive the call that
/// shows it.
///
/// An example is at [`StateKind`](crate::state::StateKind).
pub trait EventRows {
    /// The sequence number of the first row.
    fn first_seq(&self) -> u64;

    /// How many rows there are.
    fn len(&self) -> u32;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows all rows in order. O(rows).
    fn batches(&self, show: &mut dyn FnMut(&RowBatch<'_>));

    /// Shows the rows that report tokens, in order. O(those).
    fn usages(&self, show: &mut dyn FnMut(&[RowUsage]));

    /// Shows each value of the label with this key, with some of its rows in order of
    /// time; a value with many rows comes several times. O(rows that have the label).
    fn labelled(&self, key: &str, show: &mut dyn FnMut(&str, &[u32]));
}

/// Some rows that follow each other.
pub struct RowBatch<'a> {
    /// The number of the first of them among those of the log.
    pub first: u32,
    /// The rows.
    pub rows: &'a [EventRow<'a>],
    pub(crate) texts: &'a dyn TextLookup,
}

/// One row: an event or a version of one.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing of the row, independent of the others"
)]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EventRow<'a> {
    /// The event's time, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// The event's kind; none where the row was lost to damage.
    pub kind: TextId,
    /// The event's instance; the number of the empty text where it has none.
    pub instance: TextId,
    /// The event's session.
    pub session: TextId,
    /// Whether the event is an error.
    pub is_error: bool,
    /// Whether it is a version of an event that was there before.
    pub is_version: bool,
    /// Whether the instance has a scope of its own within the session; by the rule of
    /// format 1 every other instance has.
    pub own_scope: bool,
    /// Whether another row stands in place of it, which is a later one of this log unless what it
    /// tells was told before.
    pub is_superseded: bool,
    /// How many rows of earlier logs it replaces: they were counted there.
    pub replaces: u32,
    /// How many of those are errors.
    pub replaces_errors: u32,
    /// The other session that the row comes from, if it does.
    pub origin: Option<RowOrigin<'a>>,
}

/// Another session than a row's own that the row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowOrigin<'a> {
    /// How: by the link to its parent, or as a version of an event of that session.
    pub via: RowOriginKind,
    /// The other session.
    pub session: &'a str,
}

/// How a row comes from another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowOriginKind {
    /// Its parent is of the other session.
    Link(LinkKind),
    /// It is a version of an event of the other session.
    Version,
}

/// The tokens that a row reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowUsage {
    /// The row.
    pub row: u32,
    /// What identifies the message: rows of one message report the same.
    pub message: u64,
    /// What it took, as of this row.
    pub tokens: Tokens,
}

/// The number of a text within a log: equal texts have equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextId(pub(crate) u32);

/// Where texts are looked up.
pub(crate) trait TextLookup {
    /// The text with this number, which is some row's.
    fn text(&self, number: u32) -> &str;
}

impl TextId {
    /// No text.
    pub const NONE: Self = Self(crate::base::row::NONE);
}

impl EventRow<'_> {
    /// Whether the row was lost to damage: nothing is known of it.
    pub fn is_lost(&self) -> bool {
        self.kind == TextId::NONE
    }
}

impl RowBatch<'_> {
    /// The text with this number, empty for none.
    pub fn text(&self, id: TextId) -> &str {
        if id == TextId::NONE { "" } else { self.texts.text(id.0) }
    }
}

impl fmt::Debug for RowBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, rows, .. } = self;
        f.debug_struct("RowBatch").field("first", first).field("rows", &rows.len()).finish()
    }
}
