//! Texts that repeat, each kept once.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// A set of texts, each with a number.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    texts: Vec<Arc<str>>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl Strings {
    /// The number of a text, which is added if it is new.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        if let Some(number) = self.find(text) {
            return number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.into());
        let (texts, hasher) = (&self.texts, &self.hasher);
        self.numbers.insert_unique(hasher.hash_one(text), number, |&other| {
            hasher.hash_one(&*texts[other as usize])
        });
        number
    }

    /// The number of a text, if it is known.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        self.numbers
            .find(self.hasher.hash_one(text), |&number| &*self.texts[number as usize] == text)
            .copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The text with this number.
    pub(crate) fn text(&self, number: u32) -> &Arc<str> {
        &self.texts[number as usize]
    }
}
