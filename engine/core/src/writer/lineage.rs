//! Carries lineage over: writes what is above events that are about to be dropped.
//!
//! Stored links are in the spines of the events below, but late ones are not: where such a
//! link leads is written when its child's segment is dropped, if later segments have
//! fragments with that child as their anchor. It is written as leading to an event that
//! stays; when that one is dropped in its turn, what is above it is written as well.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::base::error::Result;
use crate::base::expired::{ExpiredLineage, key, key_seq, led_to, led_to_seq};
use crate::base::id::EventId;
use crate::base::row::Flags;
use crate::base::state::KindId;
use crate::log::encoded::Encoded;
use crate::view::View;
use crate::writer::Writer;
use crate::writer::carry::unless_damaged;

/// The lineage of segments that are about to be dropped.
struct Going<'p> {
    view: &'p View,
    /// Their count, and the sequence number behind their last row.
    count: usize,
    end: u64,
    /// The anchors before `end` that sources which stay know, and of which none that stays
    /// has the late parent. Ascending.
    asked_for: Vec<u64>,
    /// Ways up that were resolved, by their events.
    known: HashMap<u64, WayUp, RandomState>,
    /// Links followed so far.
    hops: usize,
}

/// Where the way up from a dropped event leads, and over how many links.
#[derive(Clone, Debug)]
struct WayUp {
    to: u64,
    /// The id of an event that has expired before.
    to_id: Option<EventId>,
    edges: u64,
}

impl Writer {
    /// Adds to the block what is above events of the `count` oldest segments, as far as later
    /// segments need it.
    ///
    /// Where the late parent of a dropped event is in a sealed segment, that segment has the
    /// link in its table of late parents, and nothing is written.
    pub(super) fn carry_lineage(&mut self, view: &View, count: usize) -> Result<()> {
        let mut going = Going::new(view, count)?;
        let mut wanted = going.written_before()?;
        wanted.extend(going.led_to()?);
        wanted.extend(going.anchors()?);
        wanted.sort_unstable();
        wanted.dedup();
        for seq in wanted {
            // A way up that leads to damage is left out, not written as ending there.
            let lineage = unless_damaged(view, going.lineage(seq))?.flatten();
            let Some(lineage) = lineage else { continue };
            if lineage.to >= going.end {
                let record = Encoded::state(KindId::LINEAGE, led_to(lineage.to), &[]);
                self.push_state(&record)?;
            }
            let record = Encoded::state(KindId::LINEAGE, key(seq), &lineage.to_bytes());
            self.push_carried(&record)?;
        }
        Ok(())
    }
}

impl<'p> Going<'p> {
    /// O(anchors among them that later segments know).
    fn new(view: &'p View, count: usize) -> Result<Self> {
        let end = view.source(count)?.first_seq();
        let mut asked_for = Vec::new();
        for sealed in view.sealed[count..].iter().filter(|sealed| sealed.reach < end) {
            let opened = view.segments.open(sealed);
            let anchors = match opened.and_then(|segment| segment.anchors_before(end)) {
                Ok(anchors) => anchors,
                // A damaged segment that stays must not keep the others from being dropped.
                Err(error) if error.is_damaged() => continue,
                Err(error) => return Err(error),
            };
            for anchor in anchors {
                if view.late_join_from(count, anchor)?.is_none() {
                    asked_for.push(anchor);
                }
            }
        }
        for log in view.logs() {
            let anchors = log.index().cross_refs().map(|(_, cross_ref)| cross_ref.anchor).collect();
            for anchor in Vec::into_iter(anchors).filter(|&anchor| 0 < anchor && anchor < end) {
                if view.late_join_from(count, anchor)?.is_none() {
                    asked_for.push(anchor);
                }
            }
        }
        asked_for.sort_unstable();
        asked_for.dedup();
        Ok(Self { view, count, end, asked_for, known: HashMap::default(), hops: 0 })
    }

    /// The expired events whose lineage is written in these segments alone, and that later
    /// sources need.
    fn written_before(&self) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let names =
                self.view.state_names(KindId::LINEAGE, after.as_deref(), NAMES, 0..self.count)?;
            for name in &names {
                let Some(seq) = key_seq(name) else { return Ok(found) };
                if self.asked_for.binary_search(&seq).is_ok()
                    && !self.view.says_from(KindId::LINEAGE, name, self.count)?
                {
                    found.push(seq);
                }
            }
            match names.last().cloned() {
                Some(last) => after = Some(last),
                None => return Ok(found),
            }
        }
    }

    /// The events of these segments to which ways up from expired ones lead.
    fn led_to(&self) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        let mut after = led_to(self.view.first_seq().saturating_sub(1));
        loop {
            let every = 0..self.view.len();
            let names = self.view.state_names(KindId::LINEAGE, Some(&after), NAMES, every)?;
            for name in &names {
                match led_to_seq(name).filter(|&seq| seq < self.end) {
                    Some(seq) => found.push(seq),
                    None => return Ok(found),
                }
            }
            match names.last().cloned() {
                Some(last) => after = last,
                None => return Ok(found),
            }
        }
    }

    /// The anchors in these segments that later sources need, and those before whose late
    /// parent is in these segments. Those that name a parent come first: what is beyond the
    /// bound is not written.
    fn anchors(&self) -> Result<Vec<u64>> {
        let (mut named, mut unnamed) = (Vec::new(), Vec::new());
        let asserted = self.view.has_asserted_from(0);
        for &anchor in &self.asked_for {
            let is_named = match self.view.locate(anchor)? {
                Some((source, row)) => source.flags(row)?.has(Flags::NAMED),
                None if self.view.late_join(anchor)?.is_some() => true,
                None => continue,
            };
            let anchors = if is_named { &mut named } else { &mut unnamed };
            if (is_named || asserted) && anchors.len() < ANCHORS_MAX {
                anchors.push(anchor);
            }
        }
        named.append(&mut unnamed);
        Ok(named)
    }

    /// Where the way up from a dropped event leads: to one that stays, or to the topmost.
    /// None where nothing is known to be above it.
    fn lineage(&mut self, seq: u64) -> Result<Option<ExpiredLineage>> {
        // The events on the way, and how many links above the first each is.
        let mut way: Vec<(u64, u64)> = Vec::new();
        let mut passed: HashSet<u64, RandomState> = HashSet::default();
        let mut top = WayUp { to: seq, to_id: None, edges: 0 };
        while top.to < self.end && self.hops < HOPS_MAX {
            if let Some(ahead) = self.known.get(&top.to) {
                top = WayUp { edges: top.edges + ahead.edges, ..ahead.clone() };
                break;
            }
            if !passed.insert(top.to) {
                // A circle of late links: the way ends before the link that closes it.
                break;
            }
            way.push((top.to, top.edges));
            self.hops += 1;
            let Some(next) = self.next(top.to)? else { break };
            top = WayUp { edges: top.edges + next.edges, ..next };
        }
        for (at, edges) in way {
            let ahead = WayUp { edges: top.edges - edges, ..top.clone() };
            self.known.insert(at, ahead);
        }
        if top.edges == 0 || top.to == seq {
            return Ok(None);
        }
        let to_id = match top.to_id {
            Some(id) => id,
            None => match self.view.id(top.to)? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        Ok(Some(ExpiredLineage { to: top.to, to_id, edges: top.edges }))
    }

    /// The next event on the way up: the fragment's anchor, and from an anchor its parent.
    fn next(&self, seq: u64) -> Result<Option<WayUp>> {
        let Some((source, row)) = self.view.locate(seq)? else {
            let expired = self.view.expired(seq)?;
            return Ok(expired.map(|lineage| WayUp {
                to: lineage.to,
                to_id: (!self.view.holds(lineage.to)).then(|| lineage.to_id.clone()),
                edges: lineage.edges,
            }));
        };
        let below = source.below(row)?;
        if below.depth > 0 {
            let to_id = Some(source.anchor_id(row)?);
            return Ok(Some(WayUp { to: below.anchor, to_id, edges: u64::from(below.depth) }));
        }
        let up = self.view.parent_link_of(&*source, row)?.known()?;
        Ok(up.map(|(to, _)| WayUp { to, to_id: None, edges: 1 }))
    }
}

/// Most anchors that are resolved of those that name a parent, and of the others. Beyond
/// that, roots and depths of what is below count from the anchor on.
const ANCHORS_MAX: usize = 4096;
/// Most links that are followed in all when segments are dropped.
const HOPS_MAX: usize = 65_536;
/// Keys that are looked at together.
const NAMES: usize = 1000;
