//! The questions, asked of forebear.

use std::path::Path;

use forebear::{
    Batch, CommonCause, Detail, Event, EventId, Filter, LinkKind, Snapshot, StoredEvent,
};

use crate::data::byte_sum;
use crate::ours::{event_id, sum_payloads, walk};
use crate::scale::Result;
use crate::scale::engine::OtherReader;
use crate::scale::history::History;
use crate::scale::side::{CHAIN_EVENTS, Id, NEWEST, Side, SideColumns};
use crate::scale::text::TextSource;

/// A store that is read.
#[derive(Debug)]
pub(crate) struct OurSide {
    snapshot: Snapshot,
    _reading: OtherReader,
}

impl OurSide {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let reading = OtherReader::open(folder)?;
        Ok(Self { snapshot: reading.snapshot()?, _reading: reading })
    }
}

impl Side for OurSide {
    fn contains(&self, id: Id) -> Result<bool> {
        Ok(self.snapshot.contains(event_id(id))?)
    }

    fn columns(&self, id: Id) -> Result<Option<SideColumns>> {
        let Some(chain) = self.snapshot.chain(event_id(id))? else {
            return Ok(None);
        };
        let event = chain.max_depth(0).detail(Detail::Columns).next().transpose()?;
        Ok(event.map(|event| SideColumns {
            time_ns: event.time_ns(),
            depth: event.depth(),
            parent: event.parent().map(bytes),
            kind: event.kind().to_owned(),
        }))
    }

    fn chain(&self, id: Id) -> Result<Vec<Id>> {
        let mut ids = Vec::with_capacity(CHAIN_EVENTS as usize);
        for event in walk(&self.snapshot, id, DEPTH, Detail::Columns)? {
            ids.push(bytes(event?.id()));
        }
        Ok(ids)
    }

    fn chain_payloads(&self, id: Id) -> Result<u64> {
        Ok(sum_payloads(walk(&self.snapshot, id, DEPTH, Detail::Payload)?)?)
    }

    fn root(&self, id: Id) -> Result<Option<Id>> {
        Ok(self.snapshot.root(event_id(id))?.as_ref().map(bytes))
    }

    fn depth(&self, id: Id) -> Result<Option<u64>> {
        Ok(self.snapshot.depth(event_id(id))?)
    }

    fn common_cause(&self, a: Id, b: Id) -> Result<Option<Id>> {
        match self.snapshot.common_cause(event_id(a), event_id(b))? {
            Some(CommonCause::Found(event)) => Ok(Some(bytes(event.id()))),
            other => Err(format!("expected a common cause, found {other:?}").into()),
        }
    }

    fn newest(&self, instance: &str) -> Result<(Vec<i64>, u64)> {
        let newest = self.snapshot.events(Filter::new().instance(instance));
        let events = newest.limit(NEWEST as usize).page()?.items;
        let sum = events.iter().map(|event| event.payload().map_or(0, byte_sum)).sum();
        Ok((events.iter().map(StoredEvent::time_ns).collect(), sum))
    }
}

/// The events of these numbers, as forebear takes them.
pub(crate) fn batch(numbers: &[u64], texts: &TextSource) -> Batch {
    numbers.iter().map(|&number| event(number, texts)).collect()
}

/// An event that has nothing to do with any other, of an instance of its own.
pub(crate) fn filler(number: u64, texts: &TextSource) -> Event {
    Event::new("filler")
        .id(event_id(History::id(number | FILLERS)))
        .instance("filler")
        .time_ns(History::time_ns(number))
        .payload(texts.payload(number | FILLERS))
}

fn event(number: u64, texts: &TextSource) -> Event {
    let fields = texts.fields(number);
    let event = Event::new(fields.kind)
        .id(event_id(History::id(number)))
        .instance(fields.instance)
        .session(fields.session)
        .time_ns(History::time_ns(number))
        .label("project", fields.project)
        .label("tool", fields.tool)
        .payload(texts.payload(number));
    let Some(parent) = History::parent(number) else {
        return event;
    };
    let event = event.parent(event_id(History::id(parent)));
    if History::is_spawned(number) { event.link(LinkKind::Spawned) } else { event }
}

fn bytes(id: &EventId) -> Id {
    // All events of the history have UUIDs; another id equals none of theirs.
    id.as_uuid().map_or([0; 16], uuid::Uuid::into_bytes)
}

/// Links of a chain that is walked.
const DEPTH: u64 = CHAIN_EVENTS as u64 - 1;
/// Marks the numbers of fillers.
const FILLERS: u64 = 1 << 62;
