//! The posting lists of an index, by dimension and value.

use std::ops::ControlFlow;

use crate::base::codec::Input;
use crate::base::error::{Error, Result};
use crate::base::row::{Flags, Place};
use crate::log::index::{Dimension, Index, NOW, Parent};
use crate::segment::index::SegmentIndex;
use crate::segment::index::lists::{List, ListWriter};
use crate::segment::index::store::Appender;
use crate::segment::index::tables::Table;
use crate::segment::spine::Entry;

/// A dimension and its value. Values are texts, since numbers of texts differ by segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dim<'a> {
    All,
    Errors,
    /// Events without a parent.
    Roots,
    Kind(&'a str),
    Instance(&'a str),
    Session(&'a str),
    Label(&'a str, &'a str),
    /// Events and versions of the fragment with this anchor, which may be in an earlier
    /// segment.
    Root(u64),
}

/// Dimensions that have values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values<'a> {
    Kinds,
    Instances,
    Sessions,
    /// Of the label with this key.
    Labels(&'a str),
}

impl Dim<'_> {
    fn key(self) -> Vec<u8> {
        match self {
            Self::All => Table::Dimensions.key(&[&[ALL]]),
            Self::Errors => Table::Dimensions.key(&[&[ERRORS]]),
            Self::Roots => Table::Dimensions.key(&[&[ROOTS]]),
            Self::Kind(text) => Values::Kinds.key(text),
            Self::Instance(text) => Values::Instances.key(text),
            Self::Session(text) => Values::Sessions.key(text),
            Self::Label(key, value) => Values::Labels(key).key(value),
            Self::Root(anchor) => Table::Dimensions.key(&[&[ROOT], &anchor.to_be_bytes()]),
        }
    }
}

impl Values<'_> {
    /// The key of the list of a value. Values of a dimension are neighbours, in order of
    /// their bytes.
    fn key(self, value: &str) -> Vec<u8> {
        let (tag, label) = match self {
            Self::Kinds => (KIND, None),
            Self::Instances => (INSTANCE, None),
            Self::Sessions => (SESSION, None),
            Self::Labels(key) => (LABEL, Some(key)),
        };
        let mut bytes = vec![Table::Dimensions as u8, tag];
        if let Some(label) = label {
            bytes.extend_from_slice(&(label.len() as u16).to_be_bytes());
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.extend_from_slice(value.as_bytes());
        bytes
    }
}

/// Writes the groups of all lists. Returns the entries that refer to them, sorted.
pub(super) fn write(
    index: &Index,
    entries: &[Entry],
    lists: &mut ListWriter,
    table: &mut Appender<'_>,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let place = |row: u32| Place { time_ns: entries[row as usize].time_ns, row };
    let mut dims: Vec<(Vec<u8>, Dimension)> =
        index.dimensions().map(|dimension| (key_of(index, dimension), dimension)).collect();
    dims.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut written = Vec::with_capacity(dims.len() + 1);
    let begin = Place { time_ns: i64::MIN, row: 0 };
    let rows_of = |dimension| -> Vec<u32> {
        let postings = index.postings(dimension);
        postings.map_or(Vec::new(), |postings| postings.forwards(index.rows(), begin).collect())
    };
    let all = rows_of(Dimension::All);
    let mut all_reference = Vec::new();
    lists.write(table, &mut all_reference, 0, &all, place)?;
    for (key, dimension) in dims {
        let rows = rows_of(dimension);
        if rows.len() == all.len() {
            written.push((key, all_reference.clone()));
            continue;
        }
        let mut reference = Vec::new();
        lists.write(table, &mut reference, 0, &rows, place)?;
        written.push((key, reference));
    }
    let roots: Vec<u32> = all.iter().copied().filter(|&row| is_root(index, row)).collect();
    let mut by_anchor = all;
    // A stable sort keeps the rows of an anchor in order.
    by_anchor.sort_by_key(|&row| entries[row as usize].anchor);
    let fragments =
        by_anchor.chunk_by(|&a, &b| entries[a as usize].anchor == entries[b as usize].anchor);
    let fragments = fragments.map(|rows| (Dim::Root(entries[rows[0] as usize].anchor).key(), rows));
    for (key, rows) in std::iter::once((Dim::Roots.key(), roots.as_slice())).chain(fragments) {
        if rows.is_empty() {
            continue;
        }
        let mut reference = Vec::new();
        lists.write(table, &mut reference, 0, rows, place)?;
        written.push((key, reference));
    }
    written.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(written)
}

impl SegmentIndex {
    /// The list of a dimension's value; none where no row has it.
    pub(crate) fn list(&self, dim: Dim<'_>) -> Result<Option<List>> {
        self.tree.get(&dim.key(), |value| {
            let list = List::read(&mut Input(value), 0, self.rows);
            list.map_err(|error| self.damaged("a list", &error))
        })
    }

    /// The values of a dimension after one, in order of their bytes, each with the number of
    /// its rows.
    pub(crate) fn values(
        &self,
        values: Values<'_>,
        after: Option<&str>,
        at_most: usize,
    ) -> Result<Vec<(String, u32)>> {
        let mut found = Vec::new();
        let prefix = values.key("");
        let from = after.map_or_else(|| prefix.clone(), |after| values.key(after));
        self.tree.walk(&from, |key, value| {
            let Some(text) = key.strip_prefix(prefix.as_slice()) else {
                return Ok(ControlFlow::Break(()));
            };
            if found.len() >= at_most {
                return Ok(ControlFlow::Break(()));
            }
            if after.is_some_and(|after| text == after.as_bytes()) {
                return Ok(ControlFlow::Continue(()));
            }
            let text = std::str::from_utf8(text)
                .map_err(|_| Error::damaged("expected a text, found other bytes"));
            let read = text.and_then(|text| {
                Ok((text.to_owned(), Input(value).number_up_to(u64::from(self.rows))?))
            });
            found.push(read.map_err(|error| self.damaged("the value of a dimension", &error))?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }
}

fn key_of(index: &Index, dimension: Dimension) -> Vec<u8> {
    match dimension {
        Dimension::All => Dim::All.key(),
        Dimension::Errors => Dim::Errors.key(),
        Dimension::Kind(number) => Dim::Kind(index.text(number)).key(),
        Dimension::Instance(number) => Dim::Instance(index.text(number)).key(),
        Dimension::Session(number) => Dim::Session(index.text(number)).key(),
        Dimension::Label(key, value) => Dim::Label(index.text(key), index.text(value)).key(),
    }
}

fn is_root(index: &Index, row: u32) -> bool {
    !index.row(row).flags.has(Flags::VERSION | Flags::LOST | Flags::NAMED)
        && index.parent(row, NOW) == Parent::None
}

const ALL: u8 = 1;
const ERRORS: u8 = 2;
const ROOTS: u8 = 3;
const KIND: u8 = 4;
const INSTANCE: u8 = 5;
const SESSION: u8 = 6;
const LABEL: u8 = 7;
const ROOT: u8 = 8;
