//! What a store has to hold, as a list of rows and a map of parents.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use forebear::{
    Batch, ChainEnd, Durability, Event, Filter, Link, LinkKind, Result, Snapshot, StoredEvent,
};

/// One thing that a batch says.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Event {
        id: String,
        parent: Option<String>,
        payload: Option<Vec<u8>>,
    },
    /// Of an event that names no parent.
    Link {
        child: String,
        parent: String,
    },
    Checkpoint {
        source: String,
        position: String,
    },
}

/// A batch, and how durable it is when it is acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) changes: Vec<Change>,
    pub(crate) level: Durability,
}

impl Planned {
    pub(crate) fn batch(&self) -> Batch {
        self.changes.iter().fold(
            Batch::new().durability(self.level),
            |batch, change| match change {
                Change::Event { id, parent, payload } => {
                    let mut event = Event::new("step").id(id.as_str()).time_ns(1).instance("one");
                    if let Some(parent) = parent {
                        event = event.parent(parent.as_str());
                    }
                    if let Some(payload) = payload {
                        event = event.payload(payload.clone());
                    }
                    batch.event(event)
                }
                Change::Link { child, parent } => {
                    batch.link(Link::new(child.as_str(), parent.as_str(), LinkKind::Caused))
                }
                Change::Checkpoint { source, position } => {
                    batch.checkpoint(source.as_str(), position.as_str())
                }
            },
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    id: String,
    parent: Option<String>,
    payload: Option<Vec<u8>>,
    is_version: bool,
}

impl Row {
    fn of(event: &StoredEvent) -> Self {
        Self {
            id: event.id().to_string(),
            parent: event.parent().map(ToString::to_string),
            payload: event.payload().map(<[u8]>::to_vec),
            is_version: event.is_version(),
        }
    }
}

/// Everything that was ever written, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    rows: Vec<Row>,
    /// Parents that were learnt later, by child.
    links: BTreeMap<String, String>,
    checkpoints: BTreeMap<String, String>,
}

impl Model {
    pub(crate) fn apply(&mut self, planned: &Planned) {
        for change in &planned.changes {
            match change.clone() {
                Change::Event { id, parent, payload } => {
                    let mut same = self.rows.iter().filter(|row| row.id == id).peekable();
                    let is_version = same.peek().is_some();
                    if same.any(|row| row.payload == payload) {
                        continue;
                    }
                    self.rows.push(Row { id, parent, payload, is_version });
                }
                Change::Link { child, parent } => {
                    self.links.entry(child).or_insert(parent);
                }
                Change::Checkpoint { source, position } => {
                    self.checkpoints.insert(source, position);
                }
            }
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The parent that an event has, named or learnt.
    fn parent(&self, row: &Row) -> Option<String> {
        row.parent.clone().or_else(|| self.links.get(&row.id).cloned())
    }

    /// Where the first copy of an id is.
    fn place(&self, id: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.id == id)
    }

    /// Whether this is what was found: rows from `first` on and no other, and the checkpoints
    /// that belong to them.
    fn fits(&self, found: &Found) -> bool {
        found.end == self.rows.len()
            && found.checkpoints == self.checkpoints
            && self.rows.get(found.first..).is_some_and(|rows| same_rows(rows, &found.rows, self))
    }

    /// Every parent resolves, or the walk says why not; and depths count what has expired.
    fn check_lineage(&self, snapshot: &Snapshot, first: usize, context: &str) -> Result<()> {
        for (at, row) in self.rows.iter().enumerate().skip(first) {
            if self.place(&row.id) != Some(at) {
                continue;
            }
            let mut expected = vec![row.id.clone()];
            let mut end = ChainEnd::Root;
            let mut above = row;
            while let Some(parent) = self.parent(above) {
                match self.place(&parent) {
                    None => end = ChainEnd::Missing(parent.as_str().into()),
                    Some(place) if place < first => {
                        end = ChainEnd::Expired(parent.as_str().into());
                    }
                    Some(place) => {
                        expected.push(parent);
                        above = &self.rows[place];
                        continue;
                    }
                }
                break;
            }
            let mut chain = snapshot.chain(row.id.as_str())?.expect(context);
            let found: Vec<String> = chain
                .by_ref()
                .map(|event| event.map(|event| event.id().to_string()))
                .collect::<Result<_>>()?;
            assert_eq!(found, expected, "{context}: the chain of {}", row.id);
            let ended = chain.end().expect("has ended");
            // An event that came, or a link that was learnt, after the parent had expired ends in
            // `missing`.
            let same = *ended == end
                || matches!((ended, &end), (ChainEnd::Missing(a), ChainEnd::Expired(b)) if a == b);
            assert!(same, "{context}: the chain of {} ended {ended:?}, not {end:?}", row.id);
            if end == ChainEnd::Root {
                let depth = snapshot.depth(row.id.as_str())?;
                assert_eq!(depth, Some(expected.len() as u64 - 1), "{context}: {}", row.id);
            }
        }
        Ok(())
    }
}

/// Whether rows are these, a parent that was learnt included.
fn same_rows(rows: &[Row], found: &[Row], model: &Model) -> bool {
    let same = |(row, found): (&Row, &Row)| {
        let learnt = || model.links.get(&row.id).map(String::as_str);
        row.id == found.id
            && row.payload == found.payload
            && (row.is_version == found.is_version)
            && (row.is_version
                || row.parent == found.parent
                || row.parent.is_none() && found.parent.as_deref() == learnt())
    };
    rows.len() == found.len() && rows.iter().zip(found).all(same)
}

/// What a store or an archive shows.
#[derive(Debug)]
pub(crate) struct Found {
    /// How many rows there were before the first that is still there.
    pub(crate) first: usize,
    /// How many there are with those.
    pub(crate) end: usize,
    rows: Vec<Row>,
    checkpoints: BTreeMap<String, String>,
}

impl Found {
    fn in_store(snapshot: &Snapshot, context: &str) -> Result<Self> {
        let events = snapshot.events(Filter::new()).oldest_first().limit(25);
        let events: Vec<StoredEvent> = events.iter().collect::<Result<_>>()?;
        let seqs: Vec<u64> = events.iter().map(StoredEvent::seq).collect();
        let first = snapshot.first_seq() as usize - 1;
        let dense: Vec<u64> = (first as u64 + 1..).take(seqs.len()).collect();
        assert_eq!(seqs, dense, "{context}: numbers are dense");
        let ids: BTreeSet<String> = events.iter().map(|event| event.id().to_string()).collect();
        for id in ids {
            assert!(snapshot.contains(id.as_str())?, "{context}: {id} by its id");
        }
        let mut checkpoints = BTreeMap::new();
        for found in &snapshot.checkpoints() {
            let found = found?;
            let position = String::from_utf8_lossy(&found.position).into_owned();
            checkpoints.insert(found.source, position);
        }
        // That of the spool names files, which have random names.
        checkpoints.remove("spool:");
        Ok(Self {
            first,
            end: first + events.len(),
            rows: events.iter().map(Row::of).collect(),
            checkpoints,
        })
    }
}

/// Which of the models is found, the last that fits of those that may be, and how many rows were
/// dropped. Fails where it can't be read.
pub(crate) fn which(
    models: &[Model],
    may_be: RangeInclusive<usize>,
    snapshot: &Snapshot,
    context: &str,
) -> Result<(usize, usize)> {
    let found = Found::in_store(snapshot, context)?;
    let Some(at) = may_be.clone().rev().find(|&at| models[at].fits(&found)) else {
        let other = models.iter().position(|model| model.fits(&found));
        panic!(
            "{context}: expected the state after {may_be:?} steps, which have {} to {} rows, found \
             that after {other:?} with rows {}..{}: {:?}",
            models[*may_be.start()].len(),
            models[*may_be.end()].len(),
            found.first,
            found.end,
            found.rows.iter().map(|row| &row.id).collect::<Vec<_>>(),
        );
    };
    models[at].check_lineage(snapshot, found.first, context)?;
    Ok((at, found.first))
}

/// An archive holds the oldest rows, each as it was written; returns how many.
pub(crate) fn archived(model: &Model, archive: &Snapshot, context: &str) -> Result<usize> {
    let found = Found::in_store(archive, context)?;
    let rows = model.rows.get(found.first..found.end);
    let fits = rows.is_some_and(|rows| same_rows(rows, &found.rows, model));
    assert!(found.first == 0 && fits, "{context}: the archive has {found:?}");
    Ok(found.end)
}
