//! Writes what was read to the store: in batches, with the position that they reach and
//! the links that follow.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use forebear_core::{
    AppendStatus, Batch, Durability, EventId, Link, Linked, Quarantined, Result, Snapshot,
    WhenFull, Written,
};

use crate::adapter::{Adapter, Linker, Parser};
use crate::choice::Choice;
use crate::formats::common::labels::PROMPT_DIGEST;
use crate::formats::common::twins;
use crate::parsed::Parsed;
use crate::read::position::ReadPosition;
use crate::report::{HandedIn, ImportReport};
use crate::target::{BatchOutcome, Sent, Target};

/// Fills batches, submits them, counts what became of them, and adds links.
///
/// A position goes into the batch that holds the last events before it. It says up
/// to where links have been made as well, which are known only once the events are
/// stored: a reader that finds the two apart reads what is between them again.
#[derive(Debug)]
pub(crate) struct Importer {
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
    unlinked: BTreeMap<String, ReadPosition>,
    hooks: HookWatch,
}

/// What is known of hooks that may tell what transcripts do.
#[derive(Debug, Default)]
struct HookWatch {
    /// Whether any is stored, or on its way.
    any: bool,
    /// When the store was asked for one last.
    asked: Option<Instant>,
    /// Whether events that were added since all was settled tell steps of a transcript, and
    /// prompts.
    has_steps: bool,
    has_prompts: bool,
}

/// A batch that is being filled.
#[derive(Debug, Default)]
struct Filling {
    batch: Batch,
    bytes: usize,
    /// For each of its events, whether its object has an id of its own.
    has_own_id: Vec<bool>,
    links: u64,
    quarantined: u64,
    linkers: Linkers,
}

/// What links the events of a batch to others, for each format that has such.
#[derive(Debug, Default)]
struct Linkers(Vec<FormatLinker>);

#[derive(Debug)]
struct FormatLinker {
    name: String,
    linker: Box<dyn Linker>,
    /// Whether links may follow from what it observed.
    observed: bool,
}

/// An event that tells what another one does.
#[derive(Debug)]
enum Twin {
    /// The event, and the one that it stands for.
    Of(EventId, EventId),
    /// One that another, which is stored, stands for.
    Told(EventId),
}

/// A batch that was submitted.
#[derive(Debug)]
struct InFlight {
    /// None if there was nothing to store, only links that may follow from known events.
    sent: Option<Sent>,
    /// For each of its events, whether its object has an id of its own.
    has_own_id: Vec<bool>,
    linkers: Linkers,
}

impl Importer {
    pub(crate) fn new(target: Target, durability: Durability, choice: Choice) -> Self {
        Self {
            target,
            // Linkers look for what they link in snapshots.
            durability: durability.max(Durability::Flush),
            choice,
            report: ImportReport::default(),
            stored: 0,
            filling: Filling::default(),
            in_flight: VecDeque::new(),
            unlinked: BTreeMap::new(),
            hooks: HookWatch::default(),
        }
    }

    /// Longest payload that is taken, in bytes.
    pub(crate) fn max_payload_bytes(&self) -> usize {
        self.target.max_payload_bytes()
    }

    /// Answers a question by a snapshot, which shows what was settled.
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

    /// Adds what a record stands for; returns whether links may follow from it.
    pub(crate) fn add(&mut self, parsed: Parsed, adapter: &dyn Adapter) -> Result<bool> {
        let parsed = parsed.payloads_in(adapter.name());
        self.report.times_made_up += parsed.times_made_up();
        let mut may_link = false;
        for piece in parsed.into_pieces(MAX_BATCH_RECORDS, MAX_BATCH_BYTES) {
            may_link |= self.add_piece(piece, adapter)?;
        }
        Ok(may_link)
    }

    /// Adds what fits a batch.
    fn add_piece(&mut self, parsed: Parsed, adapter: &dyn Adapter) -> Result<bool> {
        let (bytes, records) = parsed.size();
        if records == 0 {
            return Ok(false);
        }
        let twins = self.twins(&parsed, adapter)?;
        self.make_room(bytes + (records + twins.len() - 1) * RECORD_BYTES)?;
        let filling = &mut self.filling;
        let may_link = filling.linkers.observe(&parsed, adapter);
        filling.links += parsed.links();
        filling.has_own_id.extend(parsed.events().iter().map(|event| !event.has_derived_id()));
        let batch = parsed.add_to(std::mem::take(&mut filling.batch));
        filling.batch = twins.into_iter().fold(batch, |batch, twin| match twin {
            Twin::Of(event, other) => batch.stands_for(event, other),
            Twin::Told(event) => batch.told_elsewhere(event),
        });
        Ok(may_link)
    }

    /// Which events tell steps that events of hooks do, or are such.
    fn twins(&mut self, parsed: &Parsed, adapter: &dyn Adapter) -> Result<Vec<Twin>> {
        let mut found = Vec::new();
        if adapter.source_app() != Some(twins::SOURCE_APP) {
            return Ok(found);
        }
        let is_hook = adapter.name() == twins::FORMAT;
        self.hooks.any |= is_hook || self.finds_hooks()?;
        for event in parsed.events() {
            let is_prompt = event.as_label(PROMPT_DIGEST).is_some();
            let waits = is_hook && self.hooks.has_steps || is_prompt && self.hooks.has_prompts;
            if self.hooks.any && waits {
                // The snapshot is to show what was added before.
                self.settle_all()?;
                (self.hooks.has_steps, self.hooks.has_prompts) = (false, false);
            }
            if is_hook {
                if self.ask(|snapshot| twins::is_told(snapshot, event))? {
                    found.push(Twin::Told(event.as_id().clone()));
                }
            } else if self.hooks.any {
                // Asking takes a snapshot, which lines that are no prompts do without.
                let prompt = if is_prompt {
                    self.ask(|snapshot| twins::of_prompt(snapshot, event))?
                } else {
                    None
                };
                let others = twins::of_calls(event).into_iter().chain(prompt);
                found.extend(others.map(|other| Twin::Of(event.as_id().clone(), other)));
            }
            self.hooks.has_steps |= !is_hook;
            self.hooks.has_prompts |= is_prompt;
        }
        Ok(found)
    }

    /// Whether a hook of the store told anything, as far as it was asked just now.
    fn finds_hooks(&mut self) -> Result<bool> {
        let is_due = self.hooks.asked.is_none_or(|asked| asked.elapsed() > HOOKS_ASKED_AGAIN);
        if self.hooks.any || !is_due {
            return Ok(self.hooks.any);
        }
        self.hooks.asked = Some(Instant::now());
        self.ask(twins::has_hooks)
    }

    /// Notes events that are stored already and whose links may be missing.
    pub(crate) fn note_again(&mut self, parsed: &Parsed, adapter: &dyn Adapter) -> bool {
        self.filling.bytes += RECORD_BYTES;
        self.filling.linkers.observe(parsed, adapter)
    }

    pub(crate) fn quarantine(&mut self, input: Quarantined) -> Result<()> {
        self.make_room(input.bytes.len())?;
        self.filling.quarantined += 1;
        let batch = std::mem::take(&mut self.filling.batch);
        self.filling.batch = batch.quarantine(input);
        Ok(())
    }

    /// Adds the position reached by what was added so far.
    pub(crate) fn position(&mut self, source: &str, position: ReadPosition) -> Result<()> {
        self.checkpoint(source, position.encode())?;
        if position.linked == position.taken {
            self.unlinked.remove(source);
        } else {
            self.unlinked.insert(source.to_owned(), position);
        }
        Ok(())
    }

    /// Adds a checkpoint of this source.
    pub(crate) fn checkpoint(&mut self, source: &str, bytes: Vec<u8>) -> Result<()> {
        self.make_room(bytes.len())?;
        let batch = std::mem::take(&mut self.filling.batch);
        self.filling.batch = batch.checkpoint(source, bytes);
        Ok(())
    }

    /// Whether to submit the batch once the position is in it.
    pub(crate) fn is_full(&self) -> bool {
        let times = self.times_larger();
        let Filling { batch, bytes, .. } = &self.filling;
        *bytes > BATCH_BYTES * times || batch.len() >= BATCH_RECORDS * times
    }

    /// How many times larger batches are: more for the spool, where each waits for a poll.
    fn times_larger(&self) -> usize {
        if self.target.is_held() { TIMES_LARGER_HELD } else { 1 }
    }

    /// Whether too many sources wait for their links.
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
        let mut filling = std::mem::take(&mut self.filling);
        filling.linkers = filling.linkers.into_observers();
        if !filling.batch.is_empty() || !filling.linkers.0.is_empty() {
            self.send(filling)?;
        }
        while self.in_flight.len() > MAX_IN_FLIGHT {
            self.settle_oldest()?;
        }
        Ok(())
    }

    fn send(&mut self, filling: Filling) -> Result<()> {
        // Each calls the next one no more than twice: no links follow from links.
        while self.target.is_held() && !self.in_flight.is_empty() {
            self.settle_oldest()?;
        }
        let Filling { batch, has_own_id, links, quarantined, linkers, .. } = filling;
        let events = has_own_id.iter().filter(|has_own_id| **has_own_id).count() as u64;
        let without_id = has_own_id.len() as u64 - events;
        let contents = HandedIn { events, without_id, links, quarantined };
        let batch = batch.durability(self.durability).when_full(WhenFull::Block);
        let sent = if batch.is_empty() { None } else { Some(self.target.send(batch, contents)?) };
        self.in_flight.push_back(InFlight { sent, has_own_id, linkers });
        Ok(())
    }

    fn send_links(&mut self, links: &[Link]) -> Result<()> {
        for links in links.chunks(BATCH_RECORDS) {
            let batch = links.iter().cloned().fold(Batch::new(), Batch::link);
            self.send(Filling { batch, links: links.len() as u64, ..Filling::default() })?;
        }
        Ok(())
    }

    /// Waits for the oldest batch in flight, counts what became of it and adds the links
    /// that follow.
    fn settle_oldest(&mut self) -> Result<()> {
        let Some(oldest) = self.in_flight.pop_front() else {
            return Ok(());
        };
        if let Some(sent) = oldest.sent {
            match self.target.wait(sent)? {
                BatchOutcome::Written(written) => self.count(&written, &oldest.has_own_id),
                BatchOutcome::TakenIn(handed_in) => self.count_handed_in(&handed_in),
            }
        }
        for format in &oldest.linkers.0 {
            let links = self.ask(|snapshot| format.linker.links(snapshot))?;
            self.send_links(&links)?;
        }
        Ok(())
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
            self.position(&source, ReadPosition { linked, ..position })?;
        }
        self.settle_all()
    }

    /// Adds the links that a file's parser found.
    pub(crate) fn link(&mut self, parser: &mut dyn Parser) -> Result<()> {
        if parser.has_links() {
            self.settle_all()?;
            let links = self.ask(|snapshot| parser.links(snapshot))?;
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
            report.stored += u64::from(event.status == AppendStatus::New);
            report.known += u64::from(event.status == AppendStatus::Repeat);
            match event.status {
                _ if !has_own_id => report.without_id += 1,
                AppendStatus::New => report.events += 1,
                AppendStatus::Repeat => report.repeats += 1,
                AppendStatus::Version => report.versions += 1,
            }
        }
        let stored = written.events.iter().filter(|event| event.status != AppendStatus::Repeat);
        self.stored += stored.count() as u64;
        let new = |link: &&Linked| matches!(link, Linked::Accepted | Linked::CycleEdge);
        report.links += written.links.iter().filter(new).count() as u64;
        report.quarantined += written.quarantined.iter().filter(|new| **new).count() as u64;
    }
}

impl Linkers {
    /// Notes events of a format; returns whether links may follow.
    fn observe(&mut self, parsed: &Parsed, adapter: &dyn Adapter) -> bool {
        let known = self.0.iter().position(|format| format.name == adapter.name());
        let at = if let Some(at) = known {
            at
        } else {
            let Some(linker) = adapter.linker() else { return false };
            self.0.push(FormatLinker { name: adapter.name().to_owned(), linker, observed: false });
            self.0.len() - 1
        };
        let format = &mut self.0[at];
        let mut observed = false;
        for event in parsed.events() {
            observed |= format.linker.observe(event);
        }
        format.observed |= observed;
        observed
    }

    /// Lets go of those from which no link may follow.
    fn into_observers(mut self) -> Self {
        self.0.retain(|format| format.observed);
        self
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
/// How long a store that had no hooks is taken to have none.
const HOOKS_ASKED_AGAIN: Duration = Duration::from_millis(200);
/// Sources whose links may be outstanding.
const MAX_UNLINKED: usize = 256;
