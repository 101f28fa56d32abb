//! What stands out in a part: events that name no parent, refused and closing
//! links, quarantined input.

use crate::base::error::Result;
use crate::base::event::Quarantined;
use crate::base::id::EventId;
use crate::base::link::Link;
use crate::base::row::{Claim, Flags};
use crate::view::Source;
use crate::view::source::log_claim;

impl Source<'_> {
    /// The rows of events that name no parent, from a row on, in order.
    pub(crate) fn unnamed_rows(&self, from: u64) -> Result<Vec<u32>> {
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        match self {
            Source::Sealed(segment) => segment.unnamed_rows(from),
            Source::Log(log) => {
                let index = log.index();
                let named = Flags::VERSION | Flags::LOST | Flags::NAMED;
                let unnamed = |&row: &u32| !index.row(row).flags.has(named);
                Ok((from..self.rows()).filter(unnamed).collect())
            }
        }
    }

    /// The least UUIDs of a range that events here have, at most so many.
    pub(crate) fn uuids(
        &self,
        low: [u8; 16],
        high: [u8; 16],
        at_most: usize,
    ) -> Result<Vec<[u8; 16]>> {
        match self {
            Source::Sealed(segment) => segment.uuids(low, high, at_most),
            Source::Log(log) => {
                let index = log.index();
                let rows = &index.rows()[..self.rows() as usize];
                let other = Flags::TEXT | Flags::LOST;
                let wanted = rows.iter().filter(|row| !row.flags.has(other)).map(|row| row.id);
                let mut ids: Vec<_> = wanted.filter(|id| (low..=high).contains(id)).collect();
                ids.sort_unstable();
                ids.dedup();
                ids.truncate(at_most);
                Ok(ids)
            }
        }
    }

    /// The parents that were named here and not stored here nor before, in the
    /// order they were first named.
    pub(crate) fn awaited(&self) -> Result<Vec<EventId>> {
        match self {
            Source::Sealed(segment) => segment.awaited(),
            Source::Log(log) => {
                let index = log.index();
                let at = log.at();
                let missing = index.missing().iter();
                let missing = missing.filter(|entry| entry.since <= at && at < entry.until);
                Ok(missing.map(|entry| entry.id.clone()).collect())
            }
        }
    }

    /// The claims that stand here, wherever their children are stored.
    pub(crate) fn claims(&self) -> Result<Vec<Claim>> {
        match self {
            Source::Sealed(segment) => segment.claims(),
            Source::Log(log) => {
                let index = log.index();
                let standing = |child: EventId| index.standing(&child, log.at());
                let claims = index.claimed_children().filter_map(standing);
                Ok(claims.map(|(link, made)| log_claim(log, link, made)).collect())
            }
        }
    }

    /// How many links were refused here.
    pub(crate) fn refused_len(&self) -> usize {
        match self {
            Source::Sealed(segment) => segment.refused_len(),
            Source::Log(log) => log.index().refused(log.at()).len(),
        }
    }

    /// Refused links in the order they were refused, from one on, at most so many.
    pub(crate) fn refused(&self, from: usize, at_most: usize) -> Result<Vec<Link>> {
        match self {
            Source::Sealed(segment) => segment.refused(from, at_most),
            Source::Log(log) => {
                let index = log.index();
                let refused = index.refused(log.at()).iter().skip(from).take(at_most);
                Ok(refused.map(|refused| refused.link.clone()).collect())
            }
        }
    }

    /// How many links were found here to close a cycle.
    pub(crate) fn closing_len(&self) -> usize {
        match self {
            Source::Sealed(segment) => segment.closing_len(),
            Source::Log(log) => log.index().closing(log.at()).len(),
        }
    }

    /// Links that close a cycle, child and parent, in the order they were found.
    /// Those that were replaced since are listed with what replaced them.
    pub(crate) fn closing(
        &self,
        from: usize,
        at_most: usize,
    ) -> Result<Vec<Option<(EventId, EventId)>>> {
        match self {
            Source::Sealed(segment) => segment.closing(from, at_most),
            Source::Log(log) => {
                let index = log.index();
                let closing = index.closing(log.at()).iter().skip(from).take(at_most);
                Ok(closing.map(|closing| index.closing_ends(closing, log.at())).collect())
            }
        }
    }

    /// How much input is quarantined here.
    pub(crate) fn quarantined_len(&self) -> Result<usize> {
        match self {
            Source::Sealed(segment) => segment.quarantined_len(),
            Source::Log(log) => Ok(log.index().quarantined(log.at()).len()),
        }
    }

    /// One piece of quarantined input, in the order it came.
    pub(crate) fn quarantined(&self, number: usize) -> Result<Option<Quarantined>> {
        match self {
            Source::Sealed(segment) => segment.quarantined(number),
            Source::Log(log) => {
                let place = log.index().quarantined(log.at()).get(number).copied();
                let reader = &log.log.reader;
                let read = |(offset, _)| reader.quarantined(offset, log.visible.log_end);
                place.map(read).transpose()
            }
        }
    }
}
