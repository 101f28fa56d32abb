//! The lists of rows that every part keeps, asked the same way.

use crate::base::error::Result;
use crate::base::row::{Facts, ListOf, Place};
use crate::log::index::{Dimension, Index, Postings};
use crate::query::counts::CountBy;
use crate::view::Source;

impl Source<'_> {
    /// The number of the text that all rows of a list have; none where the part does
    /// not know it.
    pub(crate) fn number_of_list(&self, list: &ListOf) -> Result<Option<u32>> {
        match self {
            Source::Sealed(segment) => segment.number_of(list),
            Source::Log(log) => {
                let index = log.index();
                Ok(match list {
                    ListOf::Kind(text) | ListOf::Instance(text) | ListOf::Session(text) => {
                        index.find_text(text)
                    }
                    ListOf::All | ListOf::Errors | ListOf::Label(..) => None,
                })
            }
        }
    }

    /// The text with this number.
    pub(crate) fn text(&self, number: u32) -> String {
        match self {
            Source::Sealed(segment) => segment.text(number).to_owned(),
            Source::Log(log) => log.index().text(number).to_string(),
        }
    }

    /// How many rows a list has, rows not seen yet among them.
    pub(crate) fn list_len(&self, list: &ListOf) -> Result<usize> {
        match self {
            Source::Sealed(segment) => segment.list_len(list),
            Source::Log(log) => {
                let index = log.index();
                let postings = dimension(&index, list).and_then(|list| index.postings(list));
                Ok(postings.map_or(0, Postings::len))
            }
        }
    }

    /// The rows of a list in order of time: from a place on, itself included, or
    /// backwards from a place, itself left out; at most so many.
    pub(crate) fn list(
        &self,
        list: &ListOf,
        from: Place,
        backwards: bool,
        at_most: usize,
    ) -> Result<Vec<Place>> {
        match self {
            Source::Sealed(segment) => segment.list(list, from, backwards, at_most),
            Source::Log(log) => {
                let index = log.index();
                let Some(postings) = dimension(&index, list).and_then(|list| index.postings(list))
                else {
                    return Ok(Vec::new());
                };
                let rows = index.rows();
                let place = |row: u32| Place::of(rows, row);
                Ok(if backwards {
                    postings.backwards(rows, from).take(at_most).map(place).collect()
                } else {
                    postings.forwards(rows, from).take(at_most).map(place).collect()
                })
            }
        }
    }

    /// Whether a list has a row.
    pub(crate) fn lists(&self, list: &ListOf, row: u32) -> Result<bool> {
        match self {
            Source::Sealed(segment) => segment.lists(list, row),
            Source::Log(log) => {
                let index = log.index();
                let postings = dimension(&index, list).and_then(|list| index.postings(list));
                Ok(postings.is_some_and(|list| list.contains(index.rows(), row)))
            }
        }
    }

    /// What a row is checked for.
    pub(crate) fn facts(&self, row: u32) -> Result<Facts> {
        match self {
            Source::Sealed(segment) => segment.facts(row),
            Source::Log(log) => {
                let index = log.index();
                let row = index.row(row);
                Ok(Facts {
                    time_ns: row.time_ns,
                    flags: row.flags,
                    kind: row.kind,
                    instance: row.instance,
                    session: row.session,
                })
            }
        }
    }

    /// How many rows have each value, where the part has counted them.
    pub(crate) fn values(&self, by: &CountBy) -> Result<Option<Vec<(String, u64)>>> {
        match self {
            Source::Sealed(segment) => segment.values(by).map(Some),
            Source::Log(_) => Ok(None),
        }
    }

    /// The values that a label has.
    pub(crate) fn label_values(&self, key: &str) -> Result<Vec<String>> {
        match self {
            Source::Sealed(segment) => {
                let values = segment.values(&CountBy::Label(key.to_owned()))?;
                Ok(values.into_iter().map(|(value, _)| value).collect())
            }
            Source::Log(log) => {
                let index = log.index();
                let Some(key) = index.find_text(key) else { return Ok(Vec::new()) };
                let values = index.label_values(key);
                Ok(values.iter().map(|&value| index.text(value).to_string()).collect())
            }
        }
    }
}

fn dimension(index: &Index, list: &ListOf) -> Option<Dimension> {
    Some(match list {
        ListOf::All => Dimension::All,
        ListOf::Errors => Dimension::Errors,
        ListOf::Kind(kind) => Dimension::Kind(index.find_text(kind)?),
        ListOf::Instance(instance) => Dimension::Instance(index.find_text(instance)?),
        ListOf::Session(session) => Dimension::Session(index.find_text(session)?),
        ListOf::Label(key, value) => {
            Dimension::Label(index.find_text(key)?, index.find_text(value)?)
        }
    })
}
