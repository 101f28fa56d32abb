//! Which of several equal objects one is.

use std::collections::HashMap;

use forebear_core::Event;

/// Numbers equal contents in the order they come, from 0: what has no id of its
/// own is identified by its bytes and this number.
///
/// The digests seen take memory. Past [`MAX_DIGESTS`] of them contents share what
/// is counted: then two that differ may count as equal, which costs nothing but
/// that their numbers depend on each other.
#[derive(Debug, Default)]
pub(crate) struct EqualOnes {
    seen: HashMap<u64, u32>,
}

impl EqualOnes {
    /// Gives an event the id that follows from its session, its object and that
    /// one's number among the equal ones.
    pub(crate) fn identify(
        &mut self,
        event: Event,
        domain: &str,
        session: &str,
        object: &str,
    ) -> Event {
        let number = self.number(object.as_bytes());
        let parts = [session.as_bytes(), object.as_bytes(), &number.to_le_bytes()];
        event.derived_id(domain, &content(&parts))
    }

    /// How many equal to this one came before it.
    pub(crate) fn number(&mut self, content: &[u8]) -> u32 {
        let digest = blake3::hash(content);
        let mut key = 0;
        for byte in &digest.as_bytes()[..8] {
            key = key << 8 | u64::from(*byte);
        }
        let shared = self.seen.len() >= MAX_DIGESTS && !self.seen.contains_key(&key);
        let key = if shared { key % MAX_DIGESTS as u64 } else { key };
        let count = self.seen.entry(key).or_default();
        let number = *count;
        *count = number.saturating_add(1);
        if shared { number | SHARED } else { number }
    }
}

/// What derives an id: the parts, each with its length, so that no two lists of
/// parts give the same bytes.
pub(crate) fn content(parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len() + size_of::<u64>()).sum();
    let mut content = Vec::with_capacity(length);
    for part in parts {
        content.extend((part.len() as u64).to_le_bytes());
        content.extend_from_slice(part);
    }
    content
}

/// Digests kept in full: about 10 MB.
const MAX_DIGESTS: usize = 1 << 18;
/// Set in numbers of contents that share what is counted, so that they are not
/// those of contents kept in full.
const SHARED: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ones_are_numbered_and_others_are_not() {
        let mut equal = EqualOnes::default();
        let numbers = [b"a", b"b", b"a", b"a", b"b"].map(|content| equal.number(content));
        assert_eq!(numbers, [0, 0, 1, 2, 1]);
    }

    #[test]
    fn memory_ends_and_equal_ones_still_differ() {
        let mut equal = EqualOnes::default();
        for n in 0..MAX_DIGESTS * 2 {
            equal.number(&n.to_le_bytes());
        }
        assert!(equal.seen.len() <= 2 * MAX_DIGESTS);
        let (first, second) = (equal.number(b"late"), equal.number(b"late"));
        assert_ne!(first, second);
        assert_eq!(equal.number(&0_usize.to_le_bytes()), 1);
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(content(&[b"ab", b"c"]), content(&[b"a", b"bc"]));
    }
}
