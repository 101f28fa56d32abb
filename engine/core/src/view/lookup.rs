//! Looking up ids across sources.

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::unread::Unread;
use crate::segment::filter::filter_key;
use crate::view::View;

/// For each id of a batch the numbers of the sources that may hold it or something that
/// names it, newest first.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    numbers: Vec<usize>,
    /// Where the numbers of each id end.
    ends: Vec<usize>,
}

impl Candidates {
    /// Those of the id at this position in the batch.
    pub(crate) fn of(&self, which: usize) -> &[usize] {
        let begin = which.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.numbers[begin..self.ends[which]]
    }
}

impl View {
    /// The numbers of the sources that may hold the id or something that names it,
    /// newest first: every log, and the sealed segments whose filters say maybe.
    pub(crate) fn candidates<'p>(
        &'p self,
        id: &EventId,
    ) -> impl DoubleEndedIterator<Item = usize> + use<'p> {
        self.candidates_from(0, id)
    }

    /// The same for a batch of ids: the filters are read once for all of them.
    pub(crate) fn candidates_of<'i>(&self, ids: impl Iterator<Item = &'i EventId>) -> Candidates {
        let keys: Vec<u64> = ids.map(|id| filter_key(&id.key())).collect();
        let mut found = Vec::new();
        self.segments.candidates_of(&self.sealed, &keys, |which, number| {
            found.push((which, number));
        });
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut found = found.into_iter().peekable();
        let logs = (self.sealed.len()..self.len()).rev();
        let mut candidates = Candidates::default();
        for which in 0..keys.len() {
            candidates.numbers.extend(logs.clone());
            while let Some((_, number)) = found.next_if(|&(of, _)| of == which) {
                candidates.numbers.push(number);
            }
            candidates.ends.push(candidates.numbers.len());
        }
        candidates
    }

    /// The same among the sources from this number on.
    pub(crate) fn candidates_from<'p>(
        &'p self,
        first: usize,
        id: &EventId,
    ) -> impl DoubleEndedIterator<Item = usize> + use<'p> {
        let sealed = self.segments.candidates(&self.sealed[first..], id);
        let logs = self.sealed.len()..self.len();
        sealed.map(move |number| first + number).chain(logs).rev()
    }

    /// The sequence number of the event with this id, or where that has expired or can't
    /// be read of its oldest version. Fails where none is found and a source that may have it
    /// can't be read.
    pub(crate) fn find(&self, id: &EventId) -> Result<Option<u64>> {
        self.find_from(0, id)
    }

    /// The same in the sources from this number on.
    pub(crate) fn find_from(&self, first: usize, id: &EventId) -> Result<Option<u64>> {
        let (mut version, mut damage) = (None, None);
        for number in self.candidates_from(first, id) {
            match self.head_in(number, id) {
                Ok(Some((seq, false))) => return Ok(Some(seq)),
                Ok(Some((seq, true))) => version = Some(seq),
                Ok(None) => {}
                // The others may have it.
                Err(error) if error.is_damaged() => damage = damage.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        match (version, damage) {
            (None, Some(damage)) => Err(damage),
            (version, _) => Ok(version),
        }
    }

    /// The row of a source that stands for an id, and whether it is a version's.
    fn head_in(&self, number: usize, id: &EventId) -> Result<Option<(u64, bool)>> {
        let source = self.source(number)?;
        let head = source.head(id)?;
        Ok(head.map(|(row, is_version)| (source.first_seq() + u64::from(row), is_version)))
    }

    /// The event with this id and its versions, in the order they were stored,
    /// from this sequence number on, at most so many. Sources that can't be read are noted.
    pub(crate) fn copies(
        &self,
        id: &EventId,
        from: u64,
        at_most: usize,
        unread: &mut Unread,
    ) -> Result<Vec<u64>> {
        let mut copies = Vec::new();
        for number in self.candidates(id).rev() {
            let Some(source) = unread.pass(self.source(number))? else { continue };
            let rows = unread.pass(source.copies(id))?.unwrap_or_default();
            let seqs = rows.into_iter().map(|row| source.first_seq() + u64::from(row));
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
        self.locate(seq)?.map(|(source, row)| source.id(row)).transpose()
    }
}
