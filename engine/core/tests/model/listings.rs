//! Compares the engine's listings with the model's: events by filter, counts,
//! timelines, and what stands out.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use forebear::{Count, CountBy, Detail, Filter, LinkKind, Stats};

use crate::agree::{Agreed, Both, Mismatch, all_pages, same};
use crate::history::{INSTANCES, KINDS, LABEL_KEYS, LABEL_VALUES, SESSIONS, is_derived, time_ns};
use crate::oracle::{Missing, Row, TieState};
use crate::random::Random;

/// Asks for `filters` random filters, and everything that takes none.
pub(crate) fn agree(both: &Both, filters: usize, random: &mut Random) -> Agreed {
    for at in 0..filters {
        let wanted = if at == 0 { Wanted::everything() } else { Wanted::draw(both, random) };
        events(both, &wanted, random)?;
        counts(both, &wanted)?;
        timeline(both, &wanted, random)?;
    }
    standing_out(both)?;
    stats(both)
}

/// A filter as the model understands it.
#[derive(Clone, Debug)]
struct Wanted {
    instance: Option<u8>,
    session: Option<u8>,
    kinds: Vec<u8>,
    labels: Vec<(u8, u8)>,
    root: Option<u32>,
    errors: bool,
    since_ns: i64,
    until_ns: Option<i64>,
    versions: bool,
    derived_ids: bool,
}

impl Wanted {
    fn everything() -> Self {
        Self {
            instance: None,
            session: None,
            kinds: Vec::new(),
            labels: Vec::new(),
            root: None,
            errors: false,
            since_ns: i64::MIN,
            until_ns: None,
            versions: true,
            derived_ids: true,
        }
    }

    fn draw(both: &Both, random: &mut Random) -> Self {
        let mut wanted = Self::everything();
        // One to three conditions: more would hardly ever find anything.
        for _ in 0..random.between(1, 3) {
            match random.index(9) {
                0 => wanted.instance = Some(random.index(INSTANCES.len()) as u8),
                1 => wanted.session = Some(random.index(SESSIONS.len()) as u8),
                2 => {
                    let kinds = random.between(1, 2);
                    wanted.kinds = (0..kinds).map(|_| random.index(KINDS.len()) as u8).collect();
                }
                3 => {
                    let key = random.index(LABEL_KEYS.len()) as u8;
                    let value = random.index(LABEL_VALUES.len()) as u8;
                    wanted.labels.push((key, value));
                }
                4 => {
                    let id = random.index(both.names.numbers().len()) as u32;
                    wanted.root = Some(both.model.root(id));
                }
                5 => wanted.errors = true,
                6 => wanted.since_ns = time_ns(random),
                7 => wanted.until_ns = Some(time_ns(random)),
                _ if random.percent(50) => wanted.versions = false,
                _ => wanted.derived_ids = false,
            }
        }
        wanted
    }

    fn filter(&self, both: &Both) -> Filter {
        let mut filter = Filter::new().since_ns(self.since_ns);
        if let Some(at) = self.instance {
            filter = filter.instance(INSTANCES[usize::from(at)]);
        }
        if let Some(at) = self.session {
            filter = filter.session(SESSIONS[usize::from(at)]);
        }
        for &at in &self.kinds {
            filter = filter.kind(KINDS[usize::from(at)]);
        }
        for &(key, value) in &self.labels {
            filter = filter.label(LABEL_KEYS[usize::from(key)], LABEL_VALUES[usize::from(value)]);
        }
        if let Some(root) = self.root {
            filter = filter.root(both.names.id(root));
        }
        if self.errors {
            filter = filter.errors();
        }
        if let Some(until_ns) = self.until_ns {
            filter = filter.until_ns(until_ns);
        }
        if !self.versions {
            filter = filter.without_versions();
        }
        if !self.derived_ids {
            filter = filter.without_derived_ids();
        }
        filter
    }

    fn takes(&self, both: &Both, row: &Row) -> bool {
        let draft = &row.draft;
        let is_error = || {
            KINDS[usize::from(draft.kind)] == "error"
                || draft.labels.iter().any(|&(key, value)| {
                    LABEL_KEYS[usize::from(key)] == "is_error"
                        && LABEL_VALUES[usize::from(value)] == "true"
                })
        };
        self.instance.is_none_or(|at| draft.instance == at)
            && self.session.is_none_or(|at| draft.session == Some(at))
            && (self.kinds.is_empty() || self.kinds.contains(&draft.kind))
            && self.labels.iter().all(|label| draft.labels.contains(label))
            && self.root.is_none_or(|root| both.model.root(draft.id) == root)
            && (!self.errors || is_error())
            && draft.time_ns >= self.since_ns
            && self.until_ns.is_none_or(|until| draft.time_ns < until)
            && (self.versions || !row.version)
            && (self.derived_ids || !draft.is_derived())
    }

    /// The rows it takes, with their sequence numbers, by time and then in the
    /// order they were stored.
    fn rows<'m>(&self, both: &Both<'m>) -> Vec<(u64, &'m Row)> {
        let mut rows: Vec<(u64, &Row)> =
            (1..).zip(both.model.rows()).filter(|(_, row)| self.takes(both, row)).collect();
        rows.sort_by_key(|(seq, row)| (row.draft.time_ns, *seq));
        rows
    }
}

fn events(both: &Both, wanted: &Wanted, random: &mut Random) -> Agreed {
    let mut expected: Vec<u64> = wanted.rows(both).into_iter().map(|(seq, _)| seq).collect();
    let filter = wanted.filter(both);
    let mut listed = both.snapshot.events(&filter);
    if random.percent(50) {
        listed = listed.oldest_first();
    } else {
        expected.reverse();
    }
    let details = [Detail::Ids, Detail::Columns, Detail::Labels, Detail::Payload];
    let detail = *random.pick(&details);
    let limit = *random.pick(&[1, 3, 50, 1000]);
    let limit = limit.max(expected.len() / 20);
    let listed = listed.detail(detail).limit(limit);
    let found = all_pages(limit, |after| listed.clone().after(after).page())?;
    let seqs: Vec<u64> = found.iter().map(forebear::StoredEvent::seq).collect();
    same!(seqs, expected, "events({filter:?})");
    for event in found.iter().take(EVENTS_COMPARED) {
        same!(both.seen(event)?, both.expected(event.seq(), detail), "events({filter:?}), event");
    }
    if let Some(at) = wanted.instance {
        let instance = INSTANCES[usize::from(at)];
        let newest = both.snapshot.events(Filter::new().instance(instance));
        let recent = newest.limit(limit).page()?.items;
        let mut expected = Wanted { instance: Some(at), ..Wanted::everything() }.rows(both);
        expected.reverse();
        expected.truncate(limit);
        let seqs: Vec<u64> = recent.iter().map(forebear::StoredEvent::seq).collect();
        let expected: Vec<u64> = expected.into_iter().map(|(seq, _)| seq).collect();
        same!(seqs, expected, "newest of {instance:?}, {limit}");
    }
    Ok(())
}

fn counts(both: &Both, wanted: &Wanted) -> Agreed {
    let filter = wanted.filter(both);
    let rows = wanted.rows(both);
    let mut by: Vec<CountBy> = vec![CountBy::Kind, CountBy::Instance, CountBy::Session];
    by.extend(LABEL_KEYS.map(|key| CountBy::Label(key.to_owned())));
    for by in by {
        let found = both.snapshot.counts(by.clone(), &filter).page()?.items;
        if !found.is_sorted_by(|a, b| a.count >= b.count) {
            return Err(Mismatch(format!("count_by({by:?}) not sorted: {found:?}")));
        }
        let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, Row { draft, .. }) in &rows {
            let value = match &by {
                CountBy::Kind => Some(KINDS[usize::from(draft.kind)]),
                CountBy::Instance => Some(INSTANCES[usize::from(draft.instance)]),
                CountBy::Session => draft.session.map(|at| SESSIONS[usize::from(at)]),
                CountBy::Label(key) => draft
                    .labels
                    .iter()
                    .find(|&&(at, _)| LABEL_KEYS[usize::from(at)] == key)
                    .map(|&(_, at)| LABEL_VALUES[usize::from(at)]),
                by => panic!("the model counts by no {by:?}"),
            };
            if let Some(value) = value {
                *expected.entry(value).or_default() += 1;
            }
        }
        let found_len = found.len();
        let found: BTreeMap<&str, u64> =
            found.iter().map(|Count { value, count, .. }| (value.as_str(), *count)).collect();
        same!(found.len(), found_len, "count_by({by:?}): values twice");
        same!(found, expected, "count_by({by:?}, {filter:?})");
    }
    Ok(())
}

fn timeline(both: &Both, wanted: &Wanted, random: &mut Random) -> Agreed {
    let filter = wanted.filter(both);
    let bucket = *random.pick(&[
        Duration::from_nanos(1),
        Duration::from_secs(1),
        Duration::from_secs(7),
        Duration::from_hours(1),
    ]);
    let found =
        all_pages(1000, |after| both.snapshot.timeline(bucket, &filter).after(after).page())?;
    let found: Vec<(i64, u64)> = found.iter().map(|b| (b.start_ns, b.count)).collect();
    let bucket_ns = bucket.as_nanos() as i64;
    let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
    for (_, row) in wanted.rows(both) {
        let start_ns = row.draft.time_ns.div_euclid(bucket_ns) * bucket_ns;
        *expected.entry(start_ns).or_default() += 1;
    }
    let expected: Vec<(i64, u64)> = expected.into_iter().collect();
    same!(found, expected, "timeline({bucket:?}, {filter:?})");
    Ok(())
}

fn standing_out(both: &Both) -> Agreed {
    let (snapshot, model) = (both.snapshot, both.model);
    let number = |id| both.names.number(id);

    let roots = all_pages(1000, |after| snapshot.roots().after(after).page())?;
    same!(both.numbers(&roots)?, model.roots(), "roots");

    let missing = all_pages(1000, |after| snapshot.missing_parents().after(after).page())?;
    let mut missing = missing
        .iter()
        .map(|missing| {
            Ok::<_, Mismatch>(Missing {
                id: number(&missing.id)?,
                children: missing.children,
                first_child: number(&missing.first_child)?,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    missing.sort_by_key(|missing| missing.id);
    same!(missing, model.missing(), "missing parents");

    let refused = all_pages(1000, |after| snapshot.refused_links().after(after).page())?;
    let refused: Vec<_> = refused
        .iter()
        .map(|refused| {
            let parent = refused.parent.as_ref().map(number).transpose()?;
            Ok::<_, Mismatch>((refused.link.clone(), parent))
        })
        .collect::<Result<_, _>>()?;
    let expected: Vec<_> =
        model.refused().into_iter().map(|(asserted, parent)| (asserted.link(), parent)).collect();
    same!(refused, expected, "refused links");

    let edges = all_pages(1000, |after| snapshot.cycle_edges().after(after).page())?;
    let edges: Vec<_> = edges
        .iter()
        .map(|edge| Ok::<_, Mismatch>((number(&edge.child)?, number(&edge.parent)?, edge.kind)))
        .collect::<Result<_, _>>()?;
    same!(edges, model.cycle_edges(), "cycle edges");
    same!(snapshot.quarantined().page()?.items, Vec::new(), "quarantined");
    Ok(())
}

fn stats(both: &Both) -> Agreed {
    let model = both.model;
    let stats = both.snapshot.stats()?;
    let own: Vec<&Row> = model.rows().iter().filter(|row| !row.draft.is_derived()).collect();
    let events: Vec<u32> = own.iter().filter(|row| !row.version).map(|row| row.draft.id).collect();
    let mut links = [0; 3];
    for &id in &events {
        if let Some(tie) = model.tie(id) {
            let at = LinkKind::ALL.iter().position(|kind| *kind == tie.kind);
            links[at.unwrap_or_default()] += 1;
        }
    }
    let sessions: HashSet<u8> = own.iter().filter_map(|row| row.draft.session).collect();
    let max_children = both
        .children
        .iter()
        .filter(|&(&id, _)| !is_derived(id))
        .map(|(_, children)| children.iter().filter(|&&id| !is_derived(id)).count() as u64)
        .max();
    let named_by_own = |id: u32| {
        model.tie(id).is_some_and(|tie| tie.state == TieState::Waiting) && !is_derived(id)
    };
    let missing: HashSet<u32> = events
        .iter()
        .filter(|&&id| named_by_own(id))
        .filter_map(|&id| model.tie(id).map(|tie| tie.parent))
        .collect();
    let cycles = model.cycle_edges().into_iter().filter(|&(child, ..)| !is_derived(child));
    let max_depth = events.iter().map(|&id| model.depth(id)).max().unwrap_or(0);
    // The model knows nothing of `segments` and `bytes`, and any of the deepest will do.
    let mut expected: Stats = stats.clone();
    expected.events = events.len() as u64;
    expected.versions = (own.len() - events.len()) as u64;
    expected.derived_ids = (model.rows().len() - own.len()) as u64;
    expected.roots = events.iter().filter(|&&id| model.tie(id).is_none()).count() as u64;
    expected.max_depth = max_depth;
    expected.max_children = max_children.unwrap_or(0);
    expected.missing_parents = missing.len() as u64;
    expected.cycles = cycles.count() as u64;
    expected.refused_links = model.refused().len() as u64;
    expected.sessions = sessions.len() as u64;
    expected.links = links;
    expected.quarantined = 0;
    same!(stats, expected, "stats");
    let deepest = stats.deepest.map(|id| both.names.number(&id)).transpose()?;
    same!(
        deepest.map(|id| model.depth(id)),
        (!events.is_empty()).then_some(max_depth),
        "depth of the deepest"
    );
    Ok(())
}

/// Events of a listing that are compared in full; of the rest the place.
const EVENTS_COMPARED: usize = 8;
