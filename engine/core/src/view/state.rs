//! State over all parts: folded from what was carried, the segments and the logs.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow, Range};

use crate::base::error::{Error, Result};
use crate::base::page::Cursor;
use crate::base::state::{Family, Kept};
use crate::log::index::{Head, Tallies};
use crate::log::view::LogView;
use crate::state::{self, fold, session};
use crate::view::{Source, View};

/// What some parts say of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded {
    /// Everything folded.
    pub(crate) value: Option<Vec<u8>>,
    /// Whether any of it was read from those parts.
    pub(crate) from_them: bool,
}

impl View {
    /// What is known of a key. O(parts that say something of it); where newer values
    /// replace older ones, only the newest is read.
    pub(crate) fn state(&self, family: Family, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.folded(family, key, 0..self.len())?.value)
    }

    /// What the parts of a range say of a key, folded on what was carried for parts
    /// that are gone, wherever that is kept.
    ///
    /// Carried state that speaks for a segment which is still there does not count:
    /// that segment says it itself.
    pub(crate) fn folded(&self, family: Family, key: &str, range: Range<usize>) -> Result<Folded> {
        let first = self.first_segment();
        let mut own = Vec::new();
        // The segment, the part that it was found in, and the value.
        let mut carried: Option<(u64, usize, Vec<u8>)> = None;
        for number in self.that_fold(family, key, &range) {
            let source = self.source(number)?;
            let kept = match &source {
                Source::Log(log) if !range.contains(&number) => log_carried(log, family, key)?,
                _ => source.state(family, key)?,
            };
            let Some(kept) = kept else { continue };
            own.extend(kept.own.filter(|_| range.contains(&number)));
            if family.replaces() && !own.is_empty() {
                break;
            }
            // The last that speaks for a segment which is gone speaks for all before it.
            let gone = kept.carried.into_iter().rfind(|&(segment, _)| segment < first);
            if let Some((segment, value)) = gone
                && carried.as_ref().is_none_or(|&(known, ..)| segment > known)
            {
                carried = Some((segment, number, value));
            }
        }
        let from_carried = carried.as_ref().is_some_and(|(_, number, _)| range.contains(number));
        let from_them = !own.is_empty() || from_carried;
        let mut value = carried.map(|(.., value)| value);
        for newer in own.into_iter().rev() {
            value = Some(fold(family, value.as_deref(), &newer)?);
        }
        Ok(Folded { value, from_them })
    }

    /// The numbers of the parts, newest first, that may say something of a key and are in
    /// a range, or may have what was carried of it.
    fn that_fold(&self, family: Family, key: &str, range: &Range<usize>) -> Vec<usize> {
        let id = state::filter_id(state::digest(family, key));
        let sealed = range.end.max(self.sealed.carried_end()).min(self.sealed.len());
        let carries = |number: usize| range.contains(&number) || self.sealed[number].carried > 0;
        let sealed = self.segments.candidates(&self.sealed[..sealed], &id);
        let logs = self.sealed.len()..self.len();
        sealed.filter(|&number| carries(number)).chain(logs).rev().collect()
    }

    /// Whether any part from this one on says something of a key itself.
    pub(crate) fn says_from(&self, family: Family, key: &str, number: usize) -> Result<bool> {
        let id = state::filter_id(state::digest(family, key));
        for source in self.candidates(&id).filter(|&source| source >= number) {
            let kept = self.source(source)?.state(family, key)?;
            if kept.is_some_and(|kept| kept.own.is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The keys of a family behind one, in order, and what is known of them; at most so
    /// many, and fewer only where there are no more. One part is looked at after the
    /// other, and no more than that many keys are kept.
    pub(crate) fn state_keys(
        &self,
        family: Family,
        after: Option<&str>,
        at_most: usize,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut after = after.map(str::to_owned);
        while found.len() < at_most {
            let wanted = at_most - found.len();
            let names = self.state_names(family, after.as_deref(), wanted, 0..self.len())?;
            let done = names.len() < wanted;
            for name in names {
                if let Some(value) = self.state(family, &name)? {
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

    /// The least keys of a family behind one that parts of a range have, in order, at
    /// most so many.
    pub(crate) fn state_names(
        &self,
        family: Family,
        after: Option<&str>,
        at_most: usize,
        range: Range<usize>,
    ) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        let any = state::filter_id(state::family_digest(family));
        for number in self.candidates(&any).filter(|number| range.contains(number)) {
            self.source(number)?.state_names(family, after, at_most, |name| {
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

    /// The keys of a family that begin with `prefix`, in order. Only parts are looked at
    /// that have to do with `known`, a text of the family that filters know.
    pub(crate) fn state_names_below(
        &self,
        family: Family,
        known: &str,
        prefix: &str,
    ) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for number in self.candidates(&state::filter_id(state::digest(family, known))) {
            self.source(number)?.state_names(family, Some(prefix), LOG_KEYS, |name| {
                if !name.starts_with(prefix) {
                    return Ok(ControlFlow::Break(()));
                }
                names.insert(name.to_owned());
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(names)
    }

    /// The key that a cursor leads behind. O(keys of the parts that may have it).
    pub(crate) fn state_key_at(&self, family: Family, cursor: Cursor) -> Result<String> {
        let digest = cursor.key();
        let mut found = None;
        for number in self.candidates(&state::filter_id(digest)) {
            let source = self.source(number)?;
            source.state_names(family, None, usize::MAX, |name| {
                if state::digest(family, name) != digest {
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

    /// The number of the oldest segment that is there.
    fn first_segment(&self) -> u64 {
        if self.len() == 0 { 0 } else { self.segment(0) }
    }
}

impl Source<'_> {
    /// What the part has of a key.
    pub(crate) fn state(&self, family: Family, key: &str) -> Result<Option<Kept>> {
        match self {
            Source::Sealed(segment) => segment.state(family, key),
            Source::Log(log) => log_state(log, family, key),
        }
    }

    /// Shows the sessions that this part has events of, each with what those come to,
    /// until `show` breaks off.
    pub(crate) fn session_heads(
        &self,
        mut show: impl FnMut(&str, Head) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        match self {
            Source::Sealed(segment) => segment.state_values(Family::Session, |name, value| {
                match value.map(session::read_head).transpose()?.flatten() {
                    Some(head) => show(name, head),
                    None => Ok(ControlFlow::Continue(())),
                }
            }),
            Source::Log(log) => {
                for (name, tally) in &*log.sessions() {
                    if show(name, tally.head.clone())?.is_break() {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Shows the keys of a family behind one, in order, until `show` breaks off. At a
    /// time it looks at `at_once`.
    fn state_names(
        &self,
        family: Family,
        after: Option<&str>,
        at_once: usize,
        mut show: impl FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let log = match self {
            Source::Sealed(segment) => return segment.state_names(family, after, show),
            Source::Log(log) => log,
        };
        let mut after = after.map(str::to_owned);
        loop {
            let at_once = at_once.clamp(1, LOG_KEYS);
            let mut found = log.index().states().after(family, after.as_deref(), log.at(), at_once);
            if family == Family::Session {
                found = with_sessions(found, &log.sessions(), after.as_deref(), at_once);
            }
            let done = found.len() < at_once;
            for name in found {
                if show(&name)?.is_break() {
                    return Ok(());
                }
                after = Some(name);
            }
            if done {
                return Ok(());
            }
        }
    }
}

/// The least of names and of those of sessions behind one, at most so many.
fn with_sessions(
    names: Vec<String>,
    sessions: &Tallies,
    after: Option<&str>,
    at_most: usize,
) -> Vec<String> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let sessions = sessions.range::<str, _>((from, Bound::Unbounded)).take(at_most);
    let mut all: BTreeSet<String> = sessions.map(|(name, _)| name.clone()).collect();
    all.extend(names);
    all.into_iter().take(at_most).collect()
}

/// What was carried into a log of a key.
fn log_carried(log: &LogView, family: Family, key: &str) -> Result<Option<Kept>> {
    let places = log.index().states().places(family, key, log.at());
    let mut kept = Kept::default();
    for (segment, place) in places.unwrap_or_default().carried {
        kept.carried.push((segment, log.log.reader.state_value(place, log.visible.log_end)?));
    }
    Ok((!kept.carried.is_empty()).then_some(kept))
}

fn log_state(log: &LogView, family: Family, key: &str) -> Result<Option<Kept>> {
    // The values are read without holding the index.
    let places = log.index().states().places(family, key, log.at());
    let events = match family {
        Family::Session => log.sessions().get(key).map(session::of_tally),
        Family::Relationship | Family::Checkpoint | Family::Lineage => None,
    };
    if places.is_none() && events.is_none() {
        return Ok(None);
    }
    let places = places.unwrap_or_default();
    let value = |place| log.log.reader.state_value(place, log.visible.log_end);
    let mut kept = Kept::default();
    for place in places.own {
        kept.own = Some(fold(family, kept.own.as_deref(), &value(place)?)?);
    }
    for (segment, place) in places.carried {
        kept.carried.push((segment, value(place)?));
    }
    if let Some(tally) = &events {
        kept.own = Some(fold(family, kept.own.as_deref(), tally)?);
    }
    Ok(Some(kept))
}

/// Keys of a log that are looked at under one lock.
const LOG_KEYS: usize = 1024;
