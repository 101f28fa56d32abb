//! A digest of a file's prefix, by which it is known to be the same file later.

use std::fmt;

/// The digest of a file up to where it was read, and the last bytes themselves.
#[derive(Clone, Default)]
pub(crate) struct PrefixDigest {
    hasher: blake3::Hasher,
    window: Vec<u8>,
}

impl PrefixDigest {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        let kept = &bytes[bytes.len().saturating_sub(WINDOW_BYTES)..];
        let stale = (self.window.len() + kept.len()).saturating_sub(WINDOW_BYTES);
        self.window.drain(..stale.min(self.window.len()));
        self.window.extend_from_slice(kept);
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }

    /// The last bytes, up to 4 KiB.
    pub(crate) fn window(&self) -> &[u8] {
        &self.window
    }
}

impl fmt::Debug for PrefixDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrefixDigest").field("bytes", &self.hasher.count()).finish_non_exhaustive()
    }
}

const WINDOW_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_the_end_however_the_bytes_come() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        for step in [1, 100, 4095, 4096, 4097, 20_000] {
            let mut digest = PrefixDigest::default();
            bytes.chunks(step).for_each(|part| digest.add(part));
            assert_eq!(digest.window(), &bytes[bytes.len() - WINDOW_BYTES..], "steps of {step}");
            assert_eq!(digest.digest(), *blake3::hash(&bytes).as_bytes());
        }
    }
}
