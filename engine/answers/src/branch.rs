//! The branch of a session that is active: from its newest words up.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use forebear_core::{ChainEnd, Detail, EventId, LinkKind, Result, Snapshot};
use forebear_readings::Readings;

use crate::cause;
use crate::story::{Step, Story, who};

/// Edges that the walk follows at most.
const EDGES_MAX: u64 = 1 << 20;

/// How often the branch is taken anew because a newer request stands beside one of it.
const TURNS_MAX: usize = 32;

/// How often a walk goes on by time.
const GAPS_MAX: usize = 64;

/// The active branch of a session.
#[derive(Debug, Default)]
pub(crate) struct Branch {
    /// The events of it.
    events: HashSet<EventId, RandomState>,
    /// Parents that are not there, where the walk went on by time.
    pub(crate) gaps: Vec<EventId>,
}

impl Branch {
    /// The branch up from the newest request or answer of the session itself. Where two
    /// requests have one parent, the newer stands.
    pub(crate) fn find(snapshot: &Snapshot, readings: &Readings, story: &Story) -> Result<Self> {
        let mut branch = Self::find_chained(snapshot, readings, story)?;
        // What waits to be handed over is of no chain.
        let queued = story.events.iter().filter(|event| event.queued);
        branch.events.extend(queued.map(|event| event.id.clone()));
        Ok(branch)
    }

    fn find_chained(snapshot: &Snapshot, readings: &Readings, story: &Story) -> Result<Self> {
        // Words of the session itself, oldest first.
        let words: Vec<u32> = story.agents[0]
            .parts
            .iter()
            .copied()
            .filter(|part| {
                let part = &story.parts[*part as usize];
                !story.events[part.event as usize].queued
                    && matches!(
                        part.step,
                        Step::Request | Step::Text | Step::Call(_) | Step::Thinking
                    )
            })
            .collect();
        let Some(mut leaf) = words.last().copied() else { return Ok(Self::default()) };
        for _ in 0..TURNS_MAX {
            let branch = Self::up_from(snapshot, story, &words, leaf)?;
            let Some(newer) = branch.newer_request(snapshot, readings, story)? else {
                return Ok(branch);
            };
            let mut below = None;
            for &part in words.iter().rev() {
                let id = story.id_of(part);
                if *id == newer || snapshot.is_ancestor(&newer, id)? {
                    below = Some(part);
                    break;
                }
            }
            match below.filter(|below| *below != leaf) {
                Some(below) => leaf = below,
                None => return Ok(branch),
            }
        }
        Self::up_from(snapshot, story, &words, leaf)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether a part is of it, or is the result of a call that is.
    pub(crate) fn has_or_answers(&self, story: &Story, part: u32) -> bool {
        let call = match story.parts[part as usize].step {
            Step::Result(result) => story.results[result as usize].call,
            _ => None,
        };
        self.has(story.id_of(part))
            || call.is_some_and(|call| self.has(story.id_of(story.calls[call as usize].part)))
    }

    pub(crate) fn has(&self, id: &EventId) -> bool {
        self.events.contains(id)
    }

    fn up_from(snapshot: &Snapshot, story: &Story, words: &[u32], leaf: u32) -> Result<Self> {
        let mut branch = Self::default();
        let mut from = Some(leaf);
        while let Some(part) = from.take() {
            let Some(chain) = snapshot.chain(story.id_of(part))? else { break };
            let mut chain =
                chain.max_depth(EDGES_MAX).detail(Detail::Ids).stop_at(LinkKind::Spawned);
            let mut top_ns = i64::MAX;
            for event in chain.by_ref() {
                let event = match event {
                    Ok(event) => event,
                    // The walk ends there, and goes on by time.
                    Err(error) if error.is_damaged() => break,
                    Err(error) => return Err(error),
                };
                top_ns = event.time_ns();
                if !branch.events.insert(event.id().clone()) {
                    return Ok(branch);
                }
            }
            let Some(
                ChainEnd::Missing(gone) | ChainEnd::Expired(gone) | ChainEnd::Damaged(Some(gone)),
            ) = chain.end()
            else {
                break;
            };
            if branch.gaps.len() >= GAPS_MAX {
                break;
            }
            // The newest words before the topmost event that was reached.
            let before = words
                .iter()
                .rev()
                .copied()
                .find(|part| story.time_of(*part) < top_ns && !branch.has(story.id_of(*part)));
            if before.is_some() {
                branch.gaps.push(gone.clone());
            }
            from = before;
        }
        Ok(branch)
    }

    /// A request that stands beside one of the branch, and is newer.
    fn newer_request(
        &self,
        snapshot: &Snapshot,
        readings: &Readings,
        story: &Story,
    ) -> Result<Option<EventId>> {
        for &part in &story.agents[0].parts {
            let part = &story.parts[part as usize];
            let event = &story.events[part.event as usize];
            if part.step != Step::Request || !self.has(&event.id) {
                continue;
            }
            let mut newest = None;
            for other in &snapshot.siblings(&event.id) {
                let other = match other {
                    Ok(other) => other,
                    // Of one that can't be read nothing says that it stands.
                    Err(error) if error.is_damaged() => continue,
                    Err(error) => return Err(error),
                };
                let beside = other.time_ns() > newest.as_ref().map_or(event.time_ns, |(ns, _)| *ns)
                    && who(&other) == story.agents[0].instance
                    && readings.of(&other).results.is_empty()
                    && cause::request(&readings.of(&other)).is_some();
                if beside && !self.has(other.id()) {
                    newest = Some((other.time_ns(), other.id().clone()));
                }
            }
            if let Some((_, id)) = newest {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}
