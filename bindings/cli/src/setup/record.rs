//! What was added to the tools' files, so that it and no more can be taken out again.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::CommandFailure;
use crate::setup::change::{self, SetupEntry};

/// What was added, kept in a file beside the usual store.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct SetupRecord {
    pub(crate) added: Vec<Added>,
}

/// An entry that was added.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Added {
    pub(crate) tool: String,
    pub(crate) file: PathBuf,
    pub(crate) entry: SetupEntry,
    /// How many levels of its path were made for it.
    pub(crate) made_levels: usize,
    /// Whether the file was made for it.
    pub(crate) made_file: bool,
}

impl SetupRecord {
    /// The record in this file; an empty one where there is none.
    pub(crate) fn read(file: &Path) -> Result<Self, CommandFailure> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(failed("reading", file, &error)),
        };
        serde_json::from_str(&text).map_err(|error| failed("reading", file, &error))
    }

    /// Writes it, or removes its file where it is empty.
    pub(crate) fn write(&self, file: &Path) -> Result<(), CommandFailure> {
        if self.added.is_empty() {
            return match fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(failed("removing", file, &error))
                }
                _ => Ok(()),
            };
        }
        let text =
            serde_json::to_string_pretty(self).map_err(|error| failed("writing", file, &error))?;
        change::write_whole(file, &text).map_err(|error| failed("writing", file, &error))
    }
}

fn failed(doing: &str, file: &Path, error: &dyn std::fmt::Display) -> CommandFailure {
    CommandFailure::Failed(format!("{doing} {}: {error}", file.display()))
}
