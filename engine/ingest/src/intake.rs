//! From what was read to the store: in batches, with the position they reach, and
//! with the links that follow.

use forebear_core::{
    AppendStatus, Batch, Durability, Link, Linked, Quarantined, Result, Snapshot, WhenFull, Written,
};
use std::collections::{BTreeMap, VecDeque};

use crate::follow::position::Position;
use crate::formats::claude::spawn::Clues;
use crate::formats::{Adapter, Choice, ReadEvent};
use crate::target::{Outcome, Sent, Target};
use crate::{HandedIn, ImportReport};

/// Fills batches, submits them, counts what became of them, and links agents.
///
/// A position goes into the batch that holds the last events before it. It says up
/// to where links have been made as well, which are known only once the events are
/// stored: whoever finds the two apart reads what is between them again.
#[derive(Debug)]
pub(crate) struct Intake {
    target: Target,
    durability: Durability,
    choice: Choice,
    /// What was found and done so far.
    pub(crate) report: ImportReport,
    /// Events and versions stored so far, those without an id among them.
    pub(crate) stored: u64,
    filling: Filling,
    /// Batches that were submitted, the oldest first.
    in_flight: VecDeque<InFlight>,
    /// The newest positions of sources whose links are not all stored.
    unlinked: BTreeMap<String, Position>,
}

/// A batch that is being filled.
#[derive(Debug, Default)]
struct Filling {
    batch: Batch,
    bytes: usize,
    /// For each of its events, whether its object has an id of its own.
    has_own_id: Vec<bool>,
    quarantined: u64,
    clues: Clues,
}

/// A batch that was submitted.
#[derive(Debug)]
struct InFlight {
    /// None if there was nothing to store, only clues.
    sent: Option<Sent>,
    /// For each of its events, whether its object has an id of its own.
    has_own_id: Vec<bool>,
    clues: Clues,
}

impl Intake {
    pub(crate) fn new(target: Target, durability: Durability, choice: Choice) -> Self {
        Self {
            target,
            // Agents are linked to their calls as snapshots show them.
            durability: durability.max(Durability::Flush),
            choice,
            report: ImportReport::default(),
            stored: 0,
            filling: Filling::default(),
            in_flight: VecDeque::new(),
            unlinked: BTreeMap::new(),
        }
    }

    /// Longest payload that is taken, in bytes.
    pub(crate) fn max_payload_bytes(&self) -> usize {
        self.target.max_payload_bytes()
    }

    /// Asks the store, which shows what was settled.
    pub(crate) fn ask<T>(&self, question: impl FnMut(&Snapshot) -> Result<T>) -> Result<T> {
        self.target.ask(question)
    }

    /// Syncs what was settled.
    pub(crate) fn flush(&self) -> Result<()> {
        self.target.flush()
    }

    pub(crate) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Takes an event, whose labels may say something about agents; returns whether
    /// links may follow from it.
    pub(crate) fn event(&mut self, read: ReadEvent, has_clues: bool) -> Result<bool> {
        self.report.times_made_up += u64::from(read.time_made_up);
        let (bytes, records) = read.size();
        self.make_room(bytes + (records - 1) * RECORD_BYTES)?;
        let says_something = has_clues && self.filling.clues.note(&read.event);
        self.filling.has_own_id.push(!read.event.has_derived_id());
        let batch = std::mem::take(&mut self.filling.batch);
        self.filling.batch = read.add_to(batch);
        Ok(says_something)
    }

    /// Notes what an event says that is stored already.
    pub(crate) fn note_again(&mut self, read: &ReadEvent) -> bool {
        self.filling.bytes += RECORD_BYTES;
        self.filling.clues.note(&read.event)
    }

    pub(crate) fn quarantine(&mut self, input: Quarantined) -> Result<()> {
        self.make_room(input.bytes.len())?;
        self.filling.quarantined += 1;
        let batch = std::mem::take(&mut self.filling.batch);
        self.filling.batch = batch.quarantine(input);
        Ok(())
    }

    /// Takes the position that was reached by what was taken so far.
    pub(crate) fn position(&mut self, source: &str, position: Position) -> Result<()> {
        self.note(source, position.encode())?;
        if position.linked == position.taken {
            self.unlinked.remove(source);
        } else {
            self.unlinked.insert(source.to_owned(), position);
        }
        Ok(())
    }

    /// Takes what is to be kept under this name.
    pub(crate) fn note(&mut self, source: &str, bytes: Vec<u8>) -> Result<()> {
        self.make_room(bytes.len())?;
        let batch = std::mem::take(&mut self.filling.batch);
        self.filling.batch = batch.checkpoint(source, bytes);
        Ok(())
    }

    /// Whether the batch should go once the position is in it.
    pub(crate) fn is_full(&self) -> bool {
        let times = self.times_larger();
        let Filling { batch, bytes, .. } = &self.filling;
        *bytes > BATCH_BYTES * times || batch.len() >= BATCH_RECORDS * times
    }

    /// How many times larger batches are: more for the spool, each of which waits until
    /// somebody looks.
    fn times_larger(&self) -> usize {
        if self.target.is_held() { TIMES_LARGER_HELD } else { 1 }
    }

    /// Whether so many sources wait for their links that it is time for them.
    pub(crate) fn links_are_due(&self) -> bool {
        self.unlinked.len() > MAX_UNLINKED
    }

    /// Submits the batch if a record with so many bytes would make it far too large.
    fn make_room(&mut self, bytes: usize) -> Result<()> {
        let bytes = bytes + RECORD_BYTES;
        let (filling, times) = (&self.filling, self.times_larger());
        let full = filling.batch.len() >= MAX_BATCH_RECORDS * times
            || filling.bytes + bytes > MAX_BATCH_BYTES * times && !filling.batch.is_empty();
        if full {
            self.submit()?;
        }
        self.filling.bytes += bytes;
        Ok(())
    }

    /// Submits the batch that is being filled, and settles the oldest ones until
    /// few are left in flight.
    pub(crate) fn submit(&mut self) -> Result<()> {
        let filling = std::mem::take(&mut self.filling);
        if !filling.batch.is_empty() || !filling.clues.is_empty() {
            self.send(filling, 0)?;
        }
        while self.in_flight.len() > MAX_IN_FLIGHT {
            self.settle_oldest()?;
        }
        Ok(())
    }

    fn send(&mut self, filling: Filling, links: u64) -> Result<()> {
        // Each calls the next one no more than twice: links have no clues.
        while self.target.is_held() && !self.in_flight.is_empty() {
            self.settle_oldest()?;
        }
        let Filling { batch, has_own_id, quarantined, clues, .. } = filling;
        let events = has_own_id.iter().filter(|has_own_id| **has_own_id).count() as u64;
        let without_id = has_own_id.len() as u64 - events;
        let contents = HandedIn { events, without_id, links, quarantined };
        let batch = batch.durability(self.durability).when_full(WhenFull::Block);
        let sent = if batch.is_empty() { None } else { Some(self.target.send(batch, contents)?) };
        self.in_flight.push_back(InFlight { sent, has_own_id, clues });
        Ok(())
    }

    fn send_links(&mut self, links: &[Link]) -> Result<()> {
        for links in links.chunks(BATCH_RECORDS) {
            let batch = links.iter().cloned().fold(Batch::new(), Batch::link);
            self.send(Filling { batch, ..Filling::default() }, links.len() as u64)?;
        }
        Ok(())
    }

    /// Waits for the oldest batch in flight, counts what became of it and links
    /// the agents that it says something about.
    fn settle_oldest(&mut self) -> Result<()> {
        let Some(oldest) = self.in_flight.pop_front() else {
            return Ok(());
        };
        if let Some(sent) = oldest.sent {
            match self.target.wait(sent)? {
                Outcome::Written(written) => self.count(&written, &oldest.has_own_id),
                Outcome::TakenIn(handed_in) => self.count_handed_in(&handed_in),
            }
        }
        if oldest.clues.is_empty() {
            return Ok(());
        }
        let links = self.ask(|snapshot| oldest.clues.clone().resolve(snapshot))?;
        self.send_links(&links)
    }

    /// Submits what there is and waits for all of it, the links that follow included.
    pub(crate) fn settle_all(&mut self) -> Result<()> {
        self.submit()?;
        while !self.in_flight.is_empty() {
            self.settle_oldest()?;
        }
        Ok(())
    }

    /// Settles all and stores, of each source whose links are there now, that they are.
    pub(crate) fn settle_links(&mut self) -> Result<()> {
        self.settle_all()?;
        for (source, position) in std::mem::take(&mut self.unlinked) {
            let linked = position.taken;
            self.position(&source, Position { linked, ..position })?;
        }
        self.settle_all()
    }

    /// Adds the links that follow from a file that was read.
    pub(crate) fn link(&mut self, adapter: &mut dyn Adapter) -> Result<()> {
        if adapter.has_links() {
            self.settle_all()?;
            let links = self.ask(|snapshot| adapter.links(snapshot))?;
            self.send_links(&links)?;
        }
        Ok(())
    }

    fn count_handed_in(&mut self, new: &HandedIn) {
        self.report.without_id += new.without_id;
        let all = self.report.handed_in.get_or_insert_default();
        all.events += new.events;
        all.without_id += new.without_id;
        all.links += new.links;
        all.quarantined += new.quarantined;
        self.stored += new.events + new.without_id;
    }

    fn count(&mut self, written: &Written, has_own_id: &[bool]) {
        let report = &mut self.report;
        for (event, has_own_id) in written.events.iter().zip(has_own_id) {
            match event.status {
                _ if !has_own_id => report.without_id += 1,
                AppendStatus::New => report.events += 1,
                AppendStatus::Repeat => report.repeats += 1,
                AppendStatus::Version => report.versions += 1,
            }
        }
        let stored = written.events.iter().filter(|event| event.status != AppendStatus::Repeat);
        self.stored += stored.count() as u64;
        let new = |link: &&Linked| matches!(link, Linked::Accepted | Linked::Closing);
        report.links += written.links.iter().filter(new).count() as u64;
        report.quarantined += written.quarantined.iter().filter(|new| **new).count() as u64;
    }
}

/// A batch is one block of the log: large enough that its header and the answer
/// cost little, small enough that few bytes wait in memory.
const BATCH_BYTES: usize = 512 << 10;
const BATCH_RECORDS: usize = 1000;
/// A batch ends after a line, so that the position in it is that of its events; a
/// line that would make it larger than this goes in batches of its own.
const MAX_BATCH_BYTES: usize = 1 << 20;
const MAX_BATCH_RECORDS: usize = 2000;
/// Roughly what a record takes beside its payload.
const RECORD_BYTES: usize = 400;
/// How many times larger a batch is for the spool: 4 MiB in what takes 50 ms or so.
const TIMES_LARGER_HELD: usize = 8;
/// Batches that are written while the next one is read.
const MAX_IN_FLIGHT: usize = 2;
/// Sources whose links may be outstanding.
const MAX_UNLINKED: usize = 256;
