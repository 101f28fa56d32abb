//! State of keys, folded over what was carried over, the segments and the logs.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::kinds::Kinds;
use crate::base::page::Position;
use crate::base::state::{self, KindId};
use crate::view::{Source, View};

/// The state of a key, folded over a range of sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded {
    pub(crate) value: Option<Vec<u8>>,
    /// Whether any of it came from that range.
    pub(crate) from_them: bool,
}

impl View {
    /// The state of a key. O(sources that have some); where newer values replace older
    /// ones, only the newest is read.
    pub(crate) fn state(&self, kind: KindId, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.folded(kind, key, 0..self.len())?.value)
    }

    /// The state of a key in a range of sources, folded onto what was carried over for
    /// dropped segments, whichever source keeps that.
    ///
    /// What was carried over for a segment that is still listed does not count: the
    /// segment itself has it, and a crash between carrying over and dropping must not
    /// count it twice.
    pub(crate) fn folded(&self, kind: KindId, key: &str, range: Range<usize>) -> Result<Folded> {
        let (first, kinds) = (self.first_segment(), self.kinds());
        let (mut own, mut damage) = (Vec::new(), None);
        // The segment, the source that it was found in, and the value.
        let mut carried: Option<(u64, usize, Vec<u8>)> = None;
        for number in self.that_fold(kind, key, &range) {
            let kept = self.source(number).and_then(|source| {
                if range.contains(&number) {
                    source.state(&kinds, kind, key)
                } else {
                    source.state_carried(kind, key)
                }
            });
            let kept = match kept {
                // Where newer values replace older ones an older one stands in.
                Err(error) if kind.replaces() && error.is_damaged() => {
                    damage = damage.or(Some(error));
                    continue;
                }
                kept => kept?,
            };
            let Some(kept) = kept else { continue };
            own.extend(kept.own.filter(|_| range.contains(&number)));
            if kind.replaces() && !own.is_empty() {
                break;
            }
            // Carrying over folds in what was carried over before: the last is enough.
            let gone = kept.carried.into_iter().rfind(|&(segment, _)| segment < first);
            if let Some((segment, value)) = gone
                && carried.as_ref().is_none_or(|&(known, ..)| segment > known)
            {
                carried = Some((segment, number, value));
            }
        }
        // Nothing stands in: what there was can't be told from nothing at all.
        if let Some(damage) = damage.filter(|_| own.is_empty() && carried.is_none()) {
            return Err(damage);
        }
        let from_carried = carried.as_ref().is_some_and(|(_, number, _)| range.contains(number));
        let from_them = !own.is_empty() || from_carried;
        let mut value = carried.map(|(.., value)| value);
        for newer in own.into_iter().rev() {
            value = Some(kinds.fold(kind, value.as_deref(), &newer)?);
        }
        Ok(Folded { value, from_them })
    }

    /// The numbers of the sources, newest first, that may have state of a key in a range, or
    /// what was carried over of it.
    fn that_fold(&self, kind: KindId, key: &str, range: &Range<usize>) -> Vec<usize> {
        let id = state::filter_id(state::digest(kind, key));
        let sealed = range.end.max(self.sealed.carried_end()).min(self.sealed.len());
        let carries = |number: usize| range.contains(&number) || self.sealed[number].carried > 0;
        let sealed = self.segments.candidates(&self.sealed[..sealed], &id);
        let logs = self.sealed.len()..self.len();
        sealed.filter(|&number| carries(number)).chain(logs).rev().collect()
    }

    /// Whether any source from this one on has state of a key of its own.
    pub(crate) fn says_from(&self, kind: KindId, key: &str, number: usize) -> Result<bool> {
        let kinds = self.kinds();
        let id = state::filter_id(state::digest(kind, key));
        for source in self.candidates(&id).filter(|&source| source >= number) {
            let kept = self.source(source)?.state(&kinds, kind, key)?;
            if kept.is_some_and(|kept| kept.own.is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The keys of a kind behind one, in order, with their state; at most so many, and
    /// fewer only where there are no more. Keeps no more than that many keys in memory.
    pub(crate) fn state_keys(
        &self,
        kind: KindId,
        after: Option<&str>,
        at_most: usize,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut after = after.map(str::to_owned);
        while found.len() < at_most {
            let wanted = at_most - found.len();
            let names = self.state_names(kind, after.as_deref(), wanted, 0..self.len())?;
            let done = names.len() < wanted;
            for name in names {
                if let Some(value) = self.state(kind, &name)? {
                    found.push((name.clone(), value));
                }
                after = Some(name);
            }
            if done {
                break;
            }
        }
        Ok(found)
    }

    /// The first keys of a kind behind one that a range of sources has, in order, at most
    /// so many.
    pub(crate) fn state_names(
        &self,
        kind: KindId,
        after: Option<&str>,
        at_most: usize,
        range: Range<usize>,
    ) -> Result<BTreeSet<String>> {
        let (kinds, mut names) = (self.kinds(), BTreeSet::new());
        let any = state::filter_id(state::kind_digest(kind));
        for number in self.candidates(&any).filter(|number| range.contains(number)) {
            self.source(number)?.state_names(&kinds, kind, after, at_most, &mut |name| {
                if names.len() >= at_most {
                    if names.last().is_none_or(|last: &String| name >= last.as_str()) {
                        return Ok(ControlFlow::Break(()));
                    }
                    if names.insert(name.to_owned()) {
                        names.pop_last();
                    }
                } else {
                    names.insert(name.to_owned());
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(names)
    }

    /// The keys of a kind that begin with `prefix`, in order. Searches only the sources
    /// whose filters know `known`, a key of the kind or the front of one.
    pub(crate) fn state_names_below(
        &self,
        kind: KindId,
        known: &str,
        prefix: &str,
    ) -> Result<BTreeSet<String>> {
        let (kinds, mut names) = (self.kinds(), BTreeSet::new());
        for number in self.candidates(&state::filter_id(state::digest(kind, known))) {
            self.source(number)?.state_names(
                &kinds,
                kind,
                Some(prefix),
                usize::MAX,
                &mut |name| {
                    if !name.starts_with(prefix) {
                        return Ok(ControlFlow::Break(()));
                    }
                    names.insert(name.to_owned());
                    Ok(ControlFlow::Continue(()))
                },
            )?;
        }
        Ok(names)
    }

    /// The key that a position is behind. O(keys of the sources that may have it).
    pub(crate) fn state_key_at(&self, kind: KindId, last: Position) -> Result<String> {
        let (kinds, digest) = (self.kinds(), last.key());
        let mut found = None;
        for number in self.candidates(&state::filter_id(digest)) {
            let source = self.source(number)?;
            source.state_names(&kinds, kind, None, usize::MAX, &mut |name| {
                if state::digest(kind, name) != digest {
                    return Ok(ControlFlow::Continue(()));
                }
                found = Some(name.to_owned());
                Ok(ControlFlow::Break(()))
            })?;
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Err(Error::invalid(
            "expected the cursor of an earlier page of this listing, found another; start over \
             without one",
        ))
    }

    /// The kinds of state of the store.
    pub(crate) fn kinds(&self) -> Arc<Kinds> {
        self.segments.kinds()
    }

    /// The number of the oldest segment that is there.
    fn first_segment(&self) -> u64 {
        if self.len() == 0 { 0 } else { self.segment(0) }
    }
}

impl Source {
    /// Shows the keys of a kind that the source's own events come to something of, each
    /// with that, in order, until `show` breaks off. A segment shows what its records say
    /// too.
    pub(crate) fn reduced(
        &self,
        kinds: &Kinds,
        kind: KindId,
        mut show: impl FnMut(&str, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        match self {
            Source::Sealed(segment) => segment.state_values(kind, |key, value| match value {
                Some(value) => show(key, value),
                None => Ok(ControlFlow::Continue(())),
            }),
            Source::Log(log) => {
                for (key, value) in &*log.reduced(kinds, kind)? {
                    if show(key, value)?.is_break() {
                        break;
                    }
                }
                Ok(())
            }
        }
    }
}
