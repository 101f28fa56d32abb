//! The sealed segments that a snapshot sees, and up to where in the list a lookup can find
//! anything.

use std::ops::Deref;
use std::sync::Arc;

use crate::manifest::Sealed;

/// Sealed segments, oldest first. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct SealedList {
    list: Arc<[Sealed]>,
    asserted_end: usize,
    marks_end: usize,
    carried_end: usize,
    superseding_end: usize,
}

impl SealedList {
    /// The end of the segments that have an asserted link: lookups of one stop there.
    pub(crate) fn asserted_end(&self) -> usize {
        self.asserted_end
    }

    /// The end of the segments that mark a cycle edge.
    pub(crate) fn marks_end(&self) -> usize {
        self.marks_end
    }

    /// The end of the segments that have rows which replace others.
    pub(crate) fn superseding_end(&self) -> usize {
        self.superseding_end
    }

    /// The end of the segments that have state carried over into them.
    pub(crate) fn carried_end(&self) -> usize {
        self.carried_end
    }
}

impl From<Arc<[Sealed]>> for SealedList {
    fn from(list: Arc<[Sealed]>) -> Self {
        let end = |has: fn(&Sealed) -> bool| list.iter().rposition(has).map_or(0, |last| last + 1);
        let (asserted_end, marks_end) = (end(|of| of.asserted_links > 0), end(|of| of.marks > 0));
        let carried_end = end(|of| of.carried > 0);
        let superseding_end = end(|of| of.superseding > 0);
        Self { list, asserted_end, marks_end, carried_end, superseding_end }
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
