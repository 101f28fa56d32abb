//! What could not be read for damage and was passed over.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::base::error::{Error, Result};

/// Collects why parts of an answer could not be read, so that the rest of it is given.
/// The same damage, met for many rows, is kept once.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    errors: Vec<Error>,
    texts: HashSet<String, RandomState>,
}

impl Unread {
    /// The outcome, none where damage kept it from being read, which is noted. Other
    /// errors are no damage and end the answer.
    pub(crate) fn pass<T>(&mut self, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_damaged() => {
                self.note(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes damage that was passed over.
    pub(crate) fn note(&mut self, error: Error) {
        if self.errors.len() < NOTED_MAX && self.texts.insert(format!("{error:#}")) {
            self.errors.push(error);
        }
    }

    /// Notes what kept links from being known.
    pub(crate) fn note_opt(&mut self, damage: Option<&Error>) {
        if let Some(damage) = damage {
            self.note(damage.clone());
        }
    }

    /// What was noted, in the order it was met.
    pub(crate) fn into_errors(self) -> Vec<Error> {
        self.errors
    }
}

/// Most errors that one answer tells: those that a person reads.
const NOTED_MAX: usize = 100;
