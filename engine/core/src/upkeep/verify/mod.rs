//! Checking everything that a store holds against everything else that it holds.
//!
//! Segments are checked one at a time: the log is rebuilt from its records, block by
//! block, and indexed; the spine, the tables, the filter and the index file are then
//! compared with that. Takes the memory of one segment's index.

mod logs;
mod segment;
mod spine;

use std::collections::HashSet;
use std::fmt;

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, StoreId};
use crate::manifest::{self, Manifest, Read};
use crate::view::View;

/// Something that is not as it was written.
///
/// ```
/// use forebear::{Event, Finding, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("started"))?;
/// store.snapshot().verify(&mut |finding: Finding| eprintln!("{finding}"))?;
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// The file, within the store's folder.
    pub file: String,
    /// What was expected, what was found, and where.
    pub reason: String,
}

/// What was checked.
///
/// ```
/// use forebear::{Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("started"))?;
/// store.seal()?;
/// let verified = store.snapshot().verify(&mut |_| {})?;
/// assert!(verified.is_sound());
/// assert_eq!((verified.segments, verified.events), (1, 1));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Verified {
    /// Sealed segments.
    pub segments: u64,
    /// Segments that expired before they were checked.
    pub expired: u64,
    /// Blocks, those of logs included.
    pub blocks: u64,
    /// Events and versions.
    pub events: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// Findings reported.
    pub findings: u64,
}

impl Verified {
    /// Whether everything is as it was written.
    pub fn is_sound(&self) -> bool {
        self.findings == 0
    }
}

impl Finding {
    /// Errors of the files themselves begin with their names.
    pub(crate) fn of(file: &str, reason: String) -> Self {
        let prefix = format!("{file}: ");
        let reason = reason.strip_prefix(&prefix).map(str::to_owned).unwrap_or(reason);
        Self { file: file.to_owned(), reason }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.reason)
    }
}

/// Checks all of a view.
pub(crate) fn verify(view: &View, report: &mut dyn FnMut(Finding)) -> Result<Verified> {
    let mut check = Verifier {
        view,
        report,
        done: Verified::default(),
        chain: None,
        store: None,
        found: Vec::new(),
        known: HashSet::new(),
    };
    match Manifest::read(view.segments.storage())? {
        Read::Sound(manifest) => check.store = Some(manifest.store),
        Read::Absent => check.found(manifest::NAME, "expected a manifest, found none"),
        Read::Damaged(reason) => check.found(manifest::NAME, reason),
    }
    for number in 0..view.sealed.len() {
        let before = check.done.clone();
        check.segment(number)?;
        if !check.found.is_empty() && check.has_expired(view.sealed[number].segment)? {
            // Its files went while they were read.
            check.found.clear();
            check.done = Verified { expired: before.expired + 1, ..before };
        }
        check.report_found();
    }
    for log in view.logs() {
        check.log(log)?;
    }
    check.report_found();
    Ok(check.done)
}

/// A check under way.
struct Verifier<'c> {
    view: &'c View,
    report: &'c mut dyn FnMut(Finding),
    done: Verified,
    /// The digest of the block before the next one, where it is known.
    chain: Option<Digest>,
    store: Option<StoreId>,
    /// What was found of the segment that is being checked, each thing once: it is
    /// reported once the segment is known not to have expired meanwhile.
    found: Vec<Finding>,
    known: HashSet<Finding>,
}

impl Verifier<'_> {
    fn found(&mut self, file: &str, reason: impl Into<String>) {
        let finding = Finding::of(file, reason.into());
        if self.known.insert(finding.clone()) {
            self.found.push(finding);
        }
    }

    fn report_found(&mut self) {
        for finding in self.found.drain(..) {
            self.done.findings += 1;
            (self.report)(finding);
        }
        self.known.clear();
    }

    /// The outcome of a call, unless that is damage, which is reported.
    fn ask<T>(&mut self, file: &str, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_finding(&error) => {
                self.found(file, format!("{error:#}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an error is about a file that is damaged, missing or unreadable.
fn is_finding(error: &Error) -> bool {
    error.is_damaged() || error.io_kind().is_some()
}
