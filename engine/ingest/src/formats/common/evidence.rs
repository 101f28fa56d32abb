//! What says that a call started an agent, of which the strongest becomes a link.

use std::cmp::Reverse;

use forebear_core::{EventId, Link, LinkKind, Result, Snapshot};

/// That a call started an agent.
#[derive(Clone, Debug)]
pub(crate) struct LinkEvidence {
    pub(crate) call: EventId,
    pub(crate) strength: u8,
    /// Among links of one strength the smallest wins.
    pub(crate) order: i64,
}

impl LinkEvidence {
    /// The link from an agent's first event, unless the event has a parent
    /// already which this one would not replace.
    pub(crate) fn link(&self, snapshot: &Snapshot, root: &EventId) -> Result<Option<Link>> {
        if *root == self.call {
            return Ok(None);
        }
        let link = Link::new(root, &self.call, LinkKind::Spawned);
        let link = link.strength(self.strength).order(self.order);
        let wins = match snapshot.asserted_link(root)? {
            Some(asserted) => link.outranks(&asserted),
            None => snapshot.get(root)?.is_none_or(|event| event.parent().is_none()),
        };
        Ok(wins.then_some(link))
    }

    pub(crate) fn beats(&self, other: &Self) -> bool {
        let rank = |asserted: &Self| (Reverse(asserted.strength), asserted.order);
        (rank(self), &self.call) < (rank(other), &other.call)
    }
}

/// The order of a link by its time, which decides, and its call. Links of the
/// same microsecond (transcripts have milliseconds) are ordered by ten bits
/// of a digest, so that it doesn't matter which comes first.
pub(crate) fn asserted_order(time_us: i64, call: &EventId) -> i64 {
    let digest = blake3::hash(call.to_string().as_bytes());
    let [low, high, ..] = *digest.as_bytes();
    let bits = i64::from(u16::from_le_bytes([low, high]) & 1023);
    time_us.saturating_mul(1024).saturating_add(bits)
}
