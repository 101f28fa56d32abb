//! Kinds of state, and what one source has of a key.

use crate::base::error::{Error, Result};

/// What kind of state a record is about. The numbers are those on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// What is said of a session.
    Session = 4,
    /// How one session came out of another.
    Relationship = 5,
    /// How far a source of events has been read.
    Checkpoint = 6,
    /// What was above an event that has expired.
    Lineage = 12,
}

/// What one part has of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What the part itself says, folded.
    pub(crate) own: Option<Vec<u8>>,
    /// What was carried into it: the number of the last segment that the value speaks
    /// for, and the value. Ascending, each number once.
    pub(crate) carried: Vec<(u64, Vec<u8>)>,
}

impl Family {
    pub(crate) const ALL: [Self; 4] =
        [Self::Session, Self::Relationship, Self::Checkpoint, Self::Lineage];

    /// The family with this number on disk.
    pub(crate) fn from_number(number: u8) -> Result<Self> {
        Self::ALL.into_iter().find(|&family| family as u8 == number).ok_or_else(|| {
            Error::damaged(format!("expected a family of state of 4 to 6 or 12, found {number}"))
        })
    }

    /// Its place in lists that have one entry a family.
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Session => 0,
            Self::Relationship => 1,
            Self::Checkpoint => 2,
            Self::Lineage => 3,
        }
    }

    /// Whether a newer value says all, so that older ones need not be read.
    pub(crate) fn replaces(self) -> bool {
        match self {
            Self::Checkpoint | Self::Lineage => true,
            Self::Session | Self::Relationship => false,
        }
    }
}
