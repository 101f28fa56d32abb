//! Lists of rows by what they have in common, and the texts that name them.

use std::sync::Arc;

use crate::log::index::{Dictionary, Dimension, Index, Postings};

impl Index {
    pub(crate) fn postings(&self, dimension: Dimension) -> Option<&Postings> {
        let postings = match dimension {
            Dimension::All => &self.all,
            Dimension::Errors => &self.errors,
            _ => self.lists.get(self.dictionary.find(dimension)? as usize)?,
        };
        Some(postings).filter(|postings| postings.len() > 0)
    }

    /// All dimensions that have rows, in no order.
    pub(crate) fn dimensions(&self) -> impl Iterator<Item = Dimension> {
        let all = (self.all.len() > 0).then_some(Dimension::All);
        let errors = (self.errors.len() > 0).then_some(Dimension::Errors);
        all.into_iter().chain(errors).chain(self.dictionary.dimensions())
    }

    /// The values that the label with this key has.
    pub(crate) fn label_values(&self, key: u32) -> &[u32] {
        self.dictionary.label_values(key)
    }

    pub(crate) fn text(&self, number: u32) -> &Arc<str> {
        self.dictionary.text(number)
    }

    /// The number of a text; none where no row has it.
    pub(crate) fn find_text(&self, text: &str) -> Option<u32> {
        self.dictionary.find_text(text)
    }

    /// The dictionary, which a thread that reads ahead takes to intern texts. While it is
    /// taken, no query about texts may be made.
    pub(crate) fn dictionary_mut(&mut self) -> &mut Dictionary {
        &mut self.dictionary
    }

    /// Adds the last row to its lists.
    pub(super) fn post(&mut self, row: u32, lists: &[u32], error: bool) {
        self.all.insert(&self.rows, row);
        if error {
            self.errors.insert(&self.rows, row);
        }
        for &list in lists {
            let list = list as usize;
            if self.lists.len() <= list {
                self.lists.resize_with(list + 1, Postings::default);
            }
            self.lists[list].insert(&self.rows, row);
        }
    }
}
