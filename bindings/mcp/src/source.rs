//! The store that answers come from, opened once it is there.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use forebear::{Reader, Snapshot};
use forebear_wire::folder;

use crate::failure::{Answered, ToolFailure, refused};

/// A store that need not be there yet.
#[derive(Debug)]
pub(crate) struct StoreSource {
    path: PathBuf,
    follows: bool,
    reader: Mutex<Option<Reader>>,
}

impl StoreSource {
    /// The store in this folder; `follows` where this process makes and fills it.
    pub(crate) fn new(path: PathBuf, follows: bool) -> Self {
        Self { path, follows, reader: Mutex::new(None) }
    }

    /// Asks the store as it is now. A question that needs what expires meanwhile is asked
    /// again.
    pub(crate) fn ask<T>(&self, question: impl Fn(&Snapshot) -> Answered<T>) -> Answered<T> {
        self.take_in_what_waits();
        let answer = self.reader()?.ask(|snapshot| match question(snapshot) {
            Err(ToolFailure::Store(error)) => Err(error),
            answer => Ok(answer),
        });
        answer.unwrap_or_else(|error| Err(error.into()))
    }

    fn reader(&self) -> Answered<Reader> {
        let mut open = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = &*open {
            return Ok(reader.clone());
        }
        if !folder::holds_store(&self.path) {
            return self.missing();
        }
        let reader = forebear::read(&self.path)?;
        Ok(open.insert(reader).clone())
    }

    fn missing<T>(&self) -> Answered<T> {
        let path = self.path.display();
        if self.follows {
            return refused(format!(
                "the store at {path} is being made; ask again in a few seconds"
            ));
        }
        refused(format!(
            "there is no store at {path} yet: run `forebear import` in a terminal, or add \
             --follow to the arguments of this server; for another store give it --store PATH"
        ))
    }

    /// Hooks hand their events in through the spool: where no process writes to the store
    /// they are taken in now, so that answers have them.
    fn take_in_what_waits(&self) {
        let waits = |mut entries: fs::ReadDir| entries.any(|entry| entry.is_ok());
        if self.path.join("spool").read_dir().is_ok_and(waits)
            && let Err(error) = forebear::spool(&self.path).and_then(|spool| spool.drain_if_free())
        {
            eprintln!("forebear: what waits in the spool can't be taken in: {error:#}");
        }
    }
}
