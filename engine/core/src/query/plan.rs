//! The plan for searching one source: the rarest value's list is read in order of time,
//! and the other conditions are checked row by row.

use crate::base::error::Result;
use crate::base::row::{Facts, Flags, ListOf, Place};
use crate::query::filter::Filter;
use crate::view::RowSource;

/// How a filter is evaluated in one source.
#[derive(Clone, Debug)]
pub(crate) struct FilterPlan {
    /// The lists that are read, as one; the other conditions are checked.
    driver: Vec<ListOf>,
    checks: Vec<RowCheck>,
    /// Any of these kinds, where there are several.
    kinds: Vec<u32>,
    /// None of these kinds, nor of these lists.
    other_kinds: Vec<u32>,
    other_lists: Vec<ListOf>,
}

#[derive(Clone, Debug)]
enum RowCheck {
    Errors,
    Kind(u32),
    Instance(u32),
    Session(u32),
    /// Any of these lists.
    Lists(Vec<ListOf>),
}

impl FilterPlan {
    /// None where no row of the source can match.
    pub(crate) fn new<S: RowSource + ?Sized>(source: &S, filter: &Filter) -> Result<Option<Self>> {
        let mut wanted = Vec::new();
        let mut kinds = Vec::new();
        if let Some(instance) = &filter.instance {
            let list = ListOf::Instance(instance.clone());
            let Some(number) = source.number_of(&list)? else { return Ok(None) };
            wanted.push((vec![list], RowCheck::Instance(number)));
        }
        if let Some(session) = &filter.session {
            let list = ListOf::Session(session.clone());
            let Some(number) = source.number_of(&list)? else { return Ok(None) };
            wanted.push((vec![list], RowCheck::Session(number)));
        }
        for labels in &filter.labels {
            let lists = labels.iter().map(|(key, value)| ListOf::Label(key.clone(), value.clone()));
            let lists: Vec<_> = lists.collect();
            wanted.push((lists.clone(), RowCheck::Lists(lists)));
        }
        if filter.errors {
            wanted.push((vec![ListOf::Errors], RowCheck::Errors));
        }
        for kind in &filter.kinds {
            if let Some(number) = source.number_of(&ListOf::Kind(kind.clone()))? {
                kinds.push((kind, number));
            }
        }
        if kinds.is_empty() && !filter.kinds.is_empty() {
            return Ok(None);
        }
        if let [(kind, number)] = kinds[..] {
            wanted.push((vec![ListOf::Kind(kind.clone())], RowCheck::Kind(number)));
            kinds.clear();
        }
        let mut driver = (vec![ListOf::All], source.list_len(&ListOf::All)?, None);
        for (at, (lists, _)) in wanted.iter().enumerate() {
            let mut length = 0;
            for list in lists {
                length += source.list_len(list)?;
            }
            if length < driver.1 || driver.2.is_none() {
                driver = (lists.clone(), length, Some(at));
            }
        }
        let (driver, length, at) = driver;
        if length == 0 {
            return Ok(None);
        }
        let others = wanted.into_iter().enumerate().filter(|&(other, _)| Some(other) != at);
        let checks = others.map(|(_, (_, check))| check).collect();
        let kinds = kinds.into_iter().map(|(_, number)| number).collect();
        let mut other_kinds = Vec::new();
        for kind in &filter.other_kinds {
            other_kinds.extend(source.number_of(&ListOf::Kind(kind.clone()))?);
        }
        let others = filter.other_labels.iter().cloned();
        let other_lists = others.map(|(key, value)| ListOf::Label(key, value)).collect();
        Ok(Some(Self { driver, checks, kinds, other_kinds, other_lists }))
    }

    /// The rows of the driver's list from a place on, in order, at most so many.
    pub(crate) fn read<S: RowSource + ?Sized>(
        &self,
        source: &S,
        from: Place,
        backwards: bool,
        at_most: usize,
    ) -> Result<Vec<Place>> {
        if let [list] = &self.driver[..] {
            return source.list(list, from, backwards, at_most);
        }
        let mut places = Vec::new();
        for list in &self.driver {
            places.extend(source.list(list, from, backwards, at_most)?);
        }
        places.sort_unstable();
        if backwards {
            places.reverse();
        }
        // A row may be in several of them.
        places.dedup();
        places.truncate(at_most);
        Ok(places)
    }

    /// Whether a row of the driver's list meets the other conditions, its root
    /// aside.
    pub(crate) fn takes<S: RowSource + ?Sized>(
        &self,
        source: &S,
        filter: &Filter,
        row: u32,
    ) -> Result<bool> {
        let facts = source.facts(row)?;
        let plain = row < source.rows()
            && facts.time_ns >= filter.since_ns
            && filter.until_ns.is_none_or(|until| facts.time_ns < until)
            && (filter.versions || !facts.flags.is_later_version())
            && (filter.derived_ids || !facts.flags.has(Flags::DERIVED))
            && (self.kinds.is_empty() || self.kinds.contains(&facts.kind))
            && !self.other_kinds.contains(&facts.kind);
        if !plain || in_any(source, row, &self.other_lists)? {
            return Ok(false);
        }
        for check in &self.checks {
            if !has(source, row, &facts, check)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a row of any list meets all conditions, its root aside.
    pub(crate) fn takes_any<S: RowSource + ?Sized>(
        &self,
        source: &S,
        filter: &Filter,
        row: u32,
    ) -> Result<bool> {
        let driven = match &self.driver[..] {
            [ListOf::All] => true,
            lists => in_any(source, row, lists)?,
        };
        Ok(driven && self.takes(source, filter, row)?)
    }
}

fn has<S: RowSource + ?Sized>(
    source: &S,
    row: u32,
    facts: &Facts,
    check: &RowCheck,
) -> Result<bool> {
    Ok(match check {
        RowCheck::Errors => facts.flags.has(Flags::ERROR),
        RowCheck::Kind(kind) => facts.kind == *kind,
        RowCheck::Instance(instance) => facts.instance == *instance,
        RowCheck::Session(session) => facts.session == *session,
        RowCheck::Lists(lists) => in_any(source, row, lists)?,
    })
}

fn in_any<S: RowSource + ?Sized>(source: &S, row: u32, lists: &[ListOf]) -> Result<bool> {
    for list in lists {
        if source.lists(list, row)? {
            return Ok(true);
        }
    }
    Ok(false)
}
