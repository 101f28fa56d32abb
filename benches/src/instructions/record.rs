//! The counts as they are kept in a file: a section's name and its count on each line.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// A count for each section.
#[derive(Default)]
pub(super) struct CountRecord(BTreeMap<String, u64>);

impl CountRecord {
    pub(super) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("reading the counts of {}: {error}", path.display()))?;
        let mut counts = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, count) = line.split_once(' ').ok_or_else(|| {
                format!("expected `SECTION COUNT` in {}, found {line:?}", path.display())
            })?;
            counts.insert(name.to_owned(), count.trim().parse()?);
        }
        Ok(Self(counts))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut text = HEAD.to_owned();
        for (name, count) in &self.0 {
            writeln!(text, "{name} {count}")?;
        }
        Ok(fs::write(path, text)?)
    }

    pub(super) fn count(&self, section: &str) -> Option<u64> {
        self.0.get(section).copied()
    }

    pub(super) fn set(&mut self, section: &str, count: u64) {
        self.0.insert(section.to_owned(), count);
    }
}

const HEAD: &str = "\
# Instructions of each section, counted by `just instructions`; written anew by
# `just instructions --write benches/instructions.txt`, with the reason in the commit.
";
