//! Where the path up from an expired event leads.
//!
//! A link that was learnt after its child's segment was full is in no spine. When retention drops
//! the child's segment while later ones have events below it, the writer keeps where the link led
//! as state, so that roots and depths still count what has expired.

use crate::base::error::{Error, Result};
use crate::base::id::EventId;

/// The path up from an expired event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpiredLineage {
    /// An ancestor: one that was live when this was written, or else the topmost known.
    pub(crate) to: u64,
    pub(crate) to_id: EventId,
    /// Links between the two, at least one.
    pub(crate) edges: u64,
}

impl ExpiredLineage {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.to.to_le_bytes());
        bytes.extend_from_slice(&self.edges.to_le_bytes());
        let text = self.to_id.to_string();
        // An id has at most 255 bytes.
        bytes.push(text.len() as u8);
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes).ok_or_else(|| {
            Error::damaged(format!(
                "expected where the way up from an expired event leads, found {} other bytes",
                bytes.len()
            ))
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (to, rest) = bytes.split_first_chunk()?;
        let (edges, rest) = rest.split_first_chunk()?;
        let (to_id, rest) = id(rest)?;
        let (to, edges) = (u64::from_le_bytes(*to), u64::from_le_bytes(*edges));
        let fits = rest.is_empty() && to < SEQ_END && (1..SEQ_END).contains(&edges);
        fits.then_some(Self { to, to_id, edges })
    }
}

/// The key of the path up from an event.
pub(crate) fn key(seq: u64) -> String {
    format!("{seq:016x}")
}

/// The key that says that the path up from an expired event leads to this one. Such keys are in
/// order of sequence numbers, after all keys of the first kind.
pub(crate) fn led_to(seq: u64) -> String {
    format!("{LED_TO}{seq:016x}")
}

/// The event of such a key; none for a key of the first kind.
pub(crate) fn led_to_seq(key: &str) -> Option<u64> {
    u64::from_str_radix(key.strip_prefix(LED_TO)?, 16).ok()
}

/// The event of a key of the first kind.
pub(crate) fn key_seq(key: &str) -> Option<u64> {
    u64::from_str_radix(key, 16).ok()
}

fn id(bytes: &[u8]) -> Option<(EventId, &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(length))?;
    let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty())?;
    Some((EventId::from(text), rest))
}

/// The first letter of keys of the second kind: no digit of the first.
const LED_TO: char = 't';
/// Sequence numbers have 48 bits on disk.
const SEQ_END: u64 = 1 << 48;
