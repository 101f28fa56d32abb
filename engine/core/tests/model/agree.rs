//! What every comparison of an engine's answer with the model's is made of.

use std::collections::HashMap;
use std::fmt;

use forebear::{Cursor, Detail, EventId, LinkKind, Page, Snapshot, StoredEvent};

use crate::history::{INSTANCES, KINDS, LABEL_KEYS, LABEL_VALUES, SESSIONS, event_id};
use crate::oracle::{Model, Row};
use crate::random::Random;

/// Where the engine's answer was not the model's.
#[derive(Debug)]
pub(crate) struct Mismatch(pub(crate) String);

impl From<forebear::Error> for Mismatch {
    fn from(error: forebear::Error) -> Self {
        Self(format!("the engine failed: {error}"))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) type Agreed = Result<(), Mismatch>;

/// Returns a [`Mismatch`] unless both are equal.
macro_rules! same {
    ($engine:expr, $model:expr, $($question:tt)+) => {
        match (&$engine, &$model) {
            (engine, model) => {
                if engine != model {
                    return Err($crate::agree::Mismatch(format!(
                        "{}:\n  engine {engine:?}\n  model  {model:?}",
                        format_args!($($question)+),
                    )));
                }
            }
        }
    };
}
pub(crate) use same;

/// Numbers for ids and the other way round.
#[derive(Debug)]
pub(crate) struct Names {
    ids: Vec<EventId>,
    numbers: HashMap<EventId, u32>,
}

impl Names {
    /// Of the numbers below `end`.
    pub(crate) fn new(end: u32) -> Self {
        let ids: Vec<EventId> = (0..end).map(event_id).collect();
        let numbers = ids.iter().cloned().zip(0..).collect();
        Self { ids, numbers }
    }

    pub(crate) fn id(&self, number: u32) -> &EventId {
        &self.ids[number as usize]
    }

    pub(crate) fn number(&self, id: &EventId) -> Result<u32, Mismatch> {
        self.numbers
            .get(id)
            .copied()
            .ok_or_else(|| Mismatch(format!("the engine made up the id {id}")))
    }

    pub(crate) fn numbers(&self) -> std::ops::Range<u32> {
        0..self.ids.len() as u32
    }
}

/// A snapshot of the engine, and the model at that moment.
pub(crate) struct Both<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) model: &'a Model,
    pub(crate) names: &'a Names,
    /// The model's children, collected once.
    pub(crate) children: HashMap<u32, Vec<u32>>,
}

impl<'a> Both<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, model: &'a Model, names: &'a Names) -> Self {
        Self { snapshot, model, names, children: model.children() }
    }

    /// So many ids, stored or not; all of them where there are fewer.
    pub(crate) fn sample(&self, at_most: usize, random: &mut Random) -> Vec<u32> {
        let all = self.names.numbers();
        if all.len() <= at_most {
            return all.collect();
        }
        (0..at_most).map(|_| random.index(all.len()) as u32).collect()
    }

    pub(crate) fn children_of(&self, id: u32) -> &[u32] {
        self.children.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn numbers<'e>(
        &self,
        events: impl IntoIterator<Item = &'e StoredEvent>,
    ) -> Result<Vec<u32>, Mismatch> {
        events.into_iter().map(|event| self.names.number(event.id())).collect()
    }

    /// What the model says that the engine gives back for the row with this
    /// sequence number.
    pub(crate) fn expected(&self, seq: u64, detail: Detail) -> Seen {
        let Row { draft, version } = &self.model.rows()[seq as usize - 1];
        let tie = self.model.tie(draft.id);
        let labels = draft.labels.iter().map(|&(key, value)| {
            (LABEL_KEYS[usize::from(key)].to_owned(), LABEL_VALUES[usize::from(value)].to_owned())
        });
        let mut labels: Vec<_> = labels.filter(|_| detail >= Detail::Labels).collect();
        labels.sort();
        let named = detail > Detail::Ids;
        let text = |text: &str| if named { text.to_owned() } else { String::new() };
        Seen {
            seq,
            id: draft.id,
            parent: tie.map(|tie| tie.parent),
            link: tie.map(|tie| tie.kind),
            root: self.model.root(draft.id),
            depth: self.model.depth(draft.id),
            time_ns: draft.time_ns,
            kind: text(KINDS[usize::from(draft.kind)]),
            instance: text(INSTANCES[usize::from(draft.instance)]),
            session: draft.session.filter(|_| named).map(|at| SESSIONS[usize::from(at)].to_owned()),
            version: *version,
            derived_id: draft.is_derived(),
            labels,
            payload: draft.payload.clone().filter(|_| detail >= Detail::Payload),
        }
    }

    /// What the engine gave back.
    pub(crate) fn seen(&self, event: &StoredEvent) -> Result<Seen, Mismatch> {
        Ok(Seen {
            seq: event.seq(),
            id: self.names.number(event.id())?,
            parent: event.parent().map(|id| self.names.number(id)).transpose()?,
            link: event.link(),
            root: self.names.number(event.root())?,
            depth: event.depth(),
            time_ns: event.time_ns(),
            kind: event.kind().to_owned(),
            instance: event.instance().to_owned(),
            session: event.session().map(str::to_owned),
            version: event.is_version(),
            derived_id: event.has_derived_id(),
            labels: event.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            payload: event.payload().map(<[u8]>::to_vec),
        })
    }
}

/// Everything that can be seen of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) seq: u64,
    pub(crate) id: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) link: Option<LinkKind>,
    pub(crate) root: u32,
    pub(crate) depth: u64,
    pub(crate) time_ns: i64,
    pub(crate) kind: String,
    pub(crate) instance: String,
    pub(crate) session: Option<String>,
    pub(crate) version: bool,
    pub(crate) derived_id: bool,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) payload: Option<Vec<u8>>,
}

/// The items of all pages, each of which must hold at most `limit`.
pub(crate) fn all_pages<T>(
    limit: usize,
    mut page: impl FnMut(Option<Cursor>) -> forebear::Result<Page<T>>,
) -> Result<Vec<T>, Mismatch> {
    let mut items = Vec::new();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let Page { items: more, next, .. } = page(after)?;
        if more.len() > limit {
            let found = more.len();
            return Err(Mismatch(format!("a page of {limit} has {found} items")));
        }
        items.extend(more);
        let Some(next) = next else {
            return Ok(items);
        };
        // As text and back, as a cursor travels between processes.
        after = Some(next.to_string().parse()?);
    }
    Err(Mismatch(format!("{PAGES_MAX} pages do not end")))
}

/// More pages than any listing of these histories has.
const PAGES_MAX: usize = 10_000;
