//! Writing down what is above events that are about to be dropped.
//!
//! What leads up from an event over stored links stands in the spine of the events below
//! it. A link that was learnt later does not: where it leads is written down when the
//! segment of its child is dropped, if later segments know the child as the anchor of
//! pieces. It is written down as leading to an event that stays; when that one goes in
//! its turn, what is above it is written down as well.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::error::Result;
use crate::id::EventId;
use crate::lineage::up::Up;
use crate::log::encoded::Encoded;
use crate::log::index::Flags;
use crate::parts::Parts;
use crate::state::Family;
use crate::state::lineage::{Lineage, key, key_seq, led_to, led_to_seq};
use crate::writer::Writer;

/// Segments that are about to be dropped.
struct Going<'p> {
    parts: &'p Parts,
    /// How many there are, and the sequence number behind their last row.
    count: usize,
    end: u64,
    /// Anchors elsewhere that logs know.
    in_logs: HashSet<u64, RandomState>,
    /// What was found out.
    known: HashMap<u64, Ahead, RandomState>,
    /// Links that were gone up.
    hops: usize,
}

/// Where the way up from an event that goes leads, and how many links that is.
#[derive(Clone, Debug)]
struct Ahead {
    to: u64,
    /// The id of an event that has expired before.
    to_id: Option<EventId>,
    edges: u64,
}

impl Writer {
    /// Writes down what is above events of the oldest segments, so many, as far as it is
    /// going to be asked for. The block is left to be written.
    pub(super) fn carry_lineage(&mut self, parts: &Parts, count: usize) -> Result<()> {
        let mut going = Going::new(parts, count)?;
        let mut wanted = going.written_before()?;
        wanted.extend(going.led_to()?);
        wanted.extend(going.anchors()?);
        wanted.sort_unstable_by_key(|&(seq, _)| seq);
        wanted.dedup_by_key(|&mut (seq, _)| seq);
        for (seq, own_id) in wanted {
            let Some(lineage) = going.lineage(seq, own_id)? else { continue };
            if lineage.to >= going.end {
                let record = Encoded::state(Family::Lineage, led_to(lineage.to), &[]);
                self.push_state(&record)?;
            }
            let record = Encoded::state(Family::Lineage, key(seq), &lineage.to_bytes());
            self.push_carried(&record)?;
        }
        Ok(())
    }
}

impl<'p> Going<'p> {
    fn new(parts: &'p Parts, count: usize) -> Result<Self> {
        let mut in_logs = HashSet::default();
        for view in parts.logs() {
            in_logs.extend(view.index().outsides().map(|(_, outside)| outside.anchor));
        }
        let end = parts.part(count)?.first_seq();
        Ok(Self { parts, count, end, in_logs, known: HashMap::default(), hops: 0 })
    }

    /// The events of which it was written down in these segments, and nowhere later, what
    /// was above them, as far as segments that stay know them.
    fn written_before(&self) -> Result<Vec<(u64, EventId)>> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let names =
                self.parts.state_names(Family::Lineage, after.as_deref(), NAMES, 0..self.count)?;
            for name in &names {
                let Some(seq) = key_seq(name) else { return Ok(found) };
                if self.parts.says_from(Family::Lineage, name, self.count)? {
                    continue;
                }
                let Some(value) = self.parts.state(Family::Lineage, name)? else { continue };
                let own_id = Lineage::from_bytes(&value)?.own_id;
                if self.is_known(seq, &own_id) {
                    found.push((seq, own_id));
                }
            }
            match names.last().cloned() {
                Some(last) => after = Some(last),
                None => return Ok(found),
            }
        }
    }

    /// The events of these segments that ways up from expired ones lead to.
    fn led_to(&self) -> Result<Vec<(u64, EventId)>> {
        let mut found = Vec::new();
        let mut after = led_to(self.parts.first_seq().saturating_sub(1));
        loop {
            let every = 0..self.parts.len();
            let names = self.parts.state_names(Family::Lineage, Some(&after), NAMES, every)?;
            for name in &names {
                match led_to_seq(name).filter(|&seq| seq < self.end) {
                    Some(seq) => {
                        if let Some(id) = self.parts.id(seq)? {
                            found.push((seq, id));
                        }
                    }
                    None => return Ok(found),
                }
            }
            match names.last().cloned() {
                Some(last) => after = last,
                None => return Ok(found),
            }
        }
    }

    /// The anchors in these segments that segments which stay know. Those that name a
    /// parent come first: what is beyond the bound is not written down.
    fn anchors(&self) -> Result<Vec<(u64, EventId)>> {
        let mut found = Vec::new();
        for number in 0..self.count {
            let part = self.parts.part(number)?;
            let (mut named, mut unnamed) = (Vec::new(), Vec::new());
            for row in 0..part.rows() {
                let flags = part.flags(row)?;
                let seq = part.first_seq() + u64::from(row);
                if flags.has(Flags::LOST)
                    || flags.has(Flags::VERSION)
                    || part.below(row)?.anchor != seq
                {
                    continue;
                }
                let anchors = if flags.has(Flags::NAMED) { &mut named } else { &mut unnamed };
                if anchors.len() < ANCHORS_MAX {
                    anchors.push(row);
                }
            }
            for row in named.into_iter().chain(unnamed) {
                let (seq, id) = (part.first_seq() + u64::from(row), part.id(row)?);
                if self.is_known(seq, &id) {
                    found.push((seq, id));
                }
            }
        }
        Ok(found)
    }

    /// Whether parts that stay know an event, which is none of theirs.
    fn is_known(&self, seq: u64, id: &EventId) -> bool {
        let staying = &self.parts.sealed[self.count..];
        self.in_logs.contains(&seq) || self.parts.segments.candidates(staying, id).next().is_some()
    }

    /// Where the way up from an event that goes leads: to one that stays, or to the
    /// topmost. None where nothing is known to be above it.
    fn lineage(&mut self, seq: u64, own_id: EventId) -> Result<Option<Lineage>> {
        // The events on the way, and how many links above the first each is.
        let mut way: Vec<(u64, u64)> = Vec::new();
        let mut passed: HashSet<u64, RandomState> = HashSet::default();
        let mut top = Ahead { to: seq, to_id: None, edges: 0 };
        while top.to < self.end && self.hops < HOPS_MAX {
            if let Some(ahead) = self.known.get(&top.to) {
                top = Ahead { edges: top.edges + ahead.edges, ..ahead.clone() };
                break;
            }
            if !passed.insert(top.to) {
                // Round in a circle: as far as was known without the last link.
                break;
            }
            way.push((top.to, top.edges));
            self.hops += 1;
            let Some(next) = self.next(top.to)? else { break };
            top = Ahead { edges: top.edges + next.edges, ..next };
        }
        for (at, edges) in way {
            let ahead = Ahead { edges: top.edges - edges, ..top.clone() };
            self.known.insert(at, ahead);
        }
        if top.edges == 0 || top.to == seq {
            return Ok(None);
        }
        let to_id = match top.to_id {
            Some(id) => id,
            None => match self.parts.id(top.to)? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        Ok(Some(Lineage { own_id, to: top.to, to_id, edges: top.edges }))
    }

    /// The next event on the way up: the anchor of the piece, and from there the parent.
    fn next(&self, seq: u64) -> Result<Option<Ahead>> {
        let Some((part, row)) = self.parts.locate(seq)? else {
            let expired = self.parts.expired(seq)?;
            return Ok(expired.map(|lineage| Ahead {
                to: lineage.to,
                to_id: (!self.parts.holds(lineage.to)).then(|| lineage.to_id.clone()),
                edges: lineage.edges,
            }));
        };
        let below = part.below(row)?;
        if below.depth > 0 {
            let to_id = Some(part.anchor_id(row)?);
            return Ok(Some(Ahead { to: below.anchor, to_id, edges: u64::from(below.depth) }));
        }
        match self.parts.up_from(&part, row)? {
            Up::Known(to, _) => Ok(Some(Ahead { to, to_id: None, edges: 1 })),
            _ => Ok(None),
        }
    }
}

/// Most anchors of a segment that are looked at of those that name a parent, and of the
/// others. Beyond, roots and depths of what is below count from the anchor on.
const ANCHORS_MAX: usize = 4096;
/// Most links that are gone up in all when segments are dropped.
const HOPS_MAX: usize = 65_536;
/// Keys that are looked at together.
const NAMES: usize = 1000;
