//! Finding an id in whichever part has it.

use crate::error::Result;
use crate::id::EventId;
use crate::parts::Parts;

impl Parts {
    /// The numbers of the parts that may hold the id or something that names it,
    /// newest first: every log, and the sealed segments whose filters say maybe.
    pub(crate) fn candidates<'p>(
        &'p self,
        id: &EventId,
    ) -> impl DoubleEndedIterator<Item = usize> + use<'p> {
        self.candidates_from(0, id)
    }

    /// The same of the parts from this number on.
    pub(crate) fn candidates_from<'p>(
        &'p self,
        first: usize,
        id: &EventId,
    ) -> impl DoubleEndedIterator<Item = usize> + use<'p> {
        let sealed = self.segments.candidates(&self.sealed[first..], id);
        let logs = self.sealed.len()..self.len();
        sealed.map(move |number| first + number).chain(logs).rev()
    }

    /// The sequence number of the event with this id, or where that has expired of
    /// its oldest version.
    pub(crate) fn find(&self, id: &EventId) -> Result<Option<u64>> {
        self.find_from(0, id)
    }

    /// The same in the parts from this number on.
    pub(crate) fn find_from(&self, first: usize, id: &EventId) -> Result<Option<u64>> {
        let mut version = None;
        for number in self.candidates_from(first, id) {
            let part = self.part(number)?;
            if let Some((row, is_version)) = part.head(id)? {
                let seq = part.first_seq() + u64::from(row);
                if !is_version {
                    return Ok(Some(seq));
                }
                version = Some(seq);
            }
        }
        Ok(version)
    }

    /// The event with this id and its versions, in the order they were stored,
    /// from this sequence number on, at most so many.
    pub(crate) fn copies(&self, id: &EventId, from: u64, at_most: usize) -> Result<Vec<u64>> {
        let mut copies = Vec::new();
        for number in self.candidates(id).rev() {
            let part = self.part(number)?;
            let seqs = part.copies(id)?.into_iter().map(|row| part.first_seq() + u64::from(row));
            copies.extend(seqs.filter(|&seq| seq >= from));
            if copies.len() >= at_most {
                copies.truncate(at_most);
                break;
            }
        }
        Ok(copies)
    }

    /// The id of the event that a row holds.
    pub(crate) fn id(&self, seq: u64) -> Result<Option<EventId>> {
        self.locate(seq)?.map(|(part, row)| part.id(row)).transpose()
    }
}
