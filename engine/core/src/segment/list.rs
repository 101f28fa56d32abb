//! The sealed segments that a snapshot sees, and what is known of all of them.

use std::ops::Deref;
use std::sync::Arc;

use crate::manifest::Sealed;

/// Sealed segments, oldest first. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct SealedList {
    list: Arc<[Sealed]>,
    claims_end: usize,
    marks_end: usize,
    carried_end: usize,
}

impl SealedList {
    /// How many segments there are up to the last in which a claim stands: behind it
    /// nobody need be asked for one.
    pub(crate) fn claims_end(&self) -> usize {
        self.claims_end
    }

    /// The same of those that mark a link as closing a cycle.
    pub(crate) fn marks_end(&self) -> usize {
        self.marks_end
    }

    /// The same of those that state was carried into.
    pub(crate) fn carried_end(&self) -> usize {
        self.carried_end
    }
}

impl From<Arc<[Sealed]>> for SealedList {
    fn from(list: Arc<[Sealed]>) -> Self {
        let end = |has: fn(&Sealed) -> bool| list.iter().rposition(has).map_or(0, |last| last + 1);
        let (claims_end, marks_end) = (end(|of| of.claims > 0), end(|of| of.marks > 0));
        let carried_end = end(|of| of.carried > 0);
        Self { list, claims_end, marks_end, carried_end }
    }
}

impl From<Vec<Sealed>> for SealedList {
    fn from(list: Vec<Sealed>) -> Self {
        Arc::<[Sealed]>::from(list).into()
    }
}

impl From<&[Sealed]> for SealedList {
    fn from(list: &[Sealed]) -> Self {
        Arc::<[Sealed]>::from(list).into()
    }
}

impl FromIterator<Sealed> for SealedList {
    fn from_iter<I: IntoIterator<Item = Sealed>>(segments: I) -> Self {
        segments.into_iter().collect::<Arc<[Sealed]>>().into()
    }
}

impl Deref for SealedList {
    type Target = [Sealed];

    fn deref(&self) -> &[Sealed] {
        &self.list
    }
}
