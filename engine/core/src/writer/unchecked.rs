//! What events could not be checked against, since it is damaged.

use std::collections::HashSet;

use crate::base::error::Error;
use crate::base::warnings::{WarningKind, Warnings};

/// Damage that kept events from being checked. Each is reported once.
#[derive(Debug, Default)]
pub(super) struct Unchecked {
    /// Whether the record that is being resolved could not be checked.
    pub(super) record: bool,
    /// The texts of what was reported.
    reported: HashSet<String>,
}

impl Unchecked {
    /// Notes damage that kept the record from being checked.
    pub(super) fn note(&mut self, error: Error, warnings: &Warnings) {
        self.record = true;
        if self.reported.len() < REPORTED_MAX && self.reported.insert(format!("{error:#}")) {
            let message = "events are stored unchecked: an earlier segment may know them";
            warnings.report_error(WarningKind::Unchecked, message, error);
        }
    }
}

/// Most damages that are reported.
const REPORTED_MAX: usize = 64;
