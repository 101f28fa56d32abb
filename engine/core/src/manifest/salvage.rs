//! What a manifest that can't be used still says: evidence for making it again, to be held
//! against the files.

use crate::base::kinds::NamedKind;
use crate::manifest::lines::{ARCHIVE_LINE, FOREIGN_PREFIX, from_hex, parse_retention};
use crate::manifest::names::NAME;
use crate::manifest::{LogStart, Retention, Sealed};
use crate::storage::Storage;

/// The lines of a damaged manifest that can be read.
#[derive(Debug, Default)]
pub(crate) struct Salvaged {
    pub(crate) store: Option<[u8; 16]>,
    pub(crate) kinds: Vec<NamedKind>,
    pub(crate) sealed: Vec<Sealed>,
    /// The first segment or log that it named, where no line before it is unreadable:
    /// what is older was dropped.
    pub(crate) first: Option<u64>,
    pub(crate) active: Option<LogStart>,
    pub(crate) retention: Option<Retention>,
    pub(crate) archive: bool,
    /// Whether there was a manifest of which every line can be read.
    pub(crate) is_whole: bool,
}

impl Salvaged {
    /// Reads what can be read of the manifest's file; nothing where there is none.
    pub(crate) fn read(storage: &dyn Storage) -> Self {
        let read = || {
            let file = storage.open(NAME).ok()?;
            let mut bytes = vec![0; usize::try_from(file.len().ok()?.min(MAX_BYTES)).ok()?];
            let length = file.read_at(&mut bytes, 0).ok()?;
            bytes.truncate(length);
            Some(bytes)
        };
        Self::parse(&String::from_utf8_lossy(&read().unwrap_or_default()))
    }

    fn parse(text: &str) -> Self {
        let (mut found, mut unreadable) = (Self::default(), false);
        for line in text.lines().skip(1) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let known = match word {
                "store" => from_hex(rest).map(|store| found.store = Some(store)),
                "kind" => NamedKind::parse(rest).map(|kind| found.kinds.push(kind)),
                "segment" => Sealed::parse(rest).map(|sealed| {
                    if found.first.is_none() && !unreadable {
                        found.first = Some(sealed.segment);
                    }
                    found.sealed.push(sealed);
                }),
                "active" => LogStart::parse(rest, &["first", "previous"]).map(|active| {
                    if found.first.is_none() && !unreadable {
                        found.first = Some(active.segment);
                    }
                    found.active = Some(active);
                }),
                "full" => Some(()),
                "retention" => parse_retention(rest).map(|policy| found.retention = Some(policy)),
                ARCHIVE_LINE if rest.is_empty() => {
                    found.archive = true;
                    Some(())
                }
                "digest" => Some(()),
                _ if word.starts_with(FOREIGN_PREFIX) => Some(()),
                _ => None,
            };
            unreadable |= known.is_none();
        }
        found.is_whole = !unreadable && !text.is_empty();
        found
    }
}

/// More than any manifest of a store with a hundred thousand segments has.
const MAX_BYTES: u64 = 64 << 20;
