//! Decompresses chunks with their segment's dictionary.
//!
//! zstd takes two thirds of the time where the dictionary lies right before the output
//! buffer: it then copies from it as from its own output. So each thread keeps copies of the
//! dictionaries that it used last, each with room for a chunk behind it.

use std::cell::RefCell;

use zstd::zstd_safe::{DCtx, SafeResult};

use crate::base::error::Result;
use crate::base::format::Digest;
use crate::segment::chunks::LARGE_CHUNK_BYTES;

/// Decompresses `stored` into `to` and returns the length. `digest` is the dictionary's;
/// `dictionary` is called where the thread has no copy with this digest.
pub(super) fn decode<'d>(
    stored: &[u8],
    to: &mut [u8],
    digest: &Digest,
    dictionary: impl FnOnce() -> Result<&'d [u8]>,
) -> Result<SafeResult> {
    DECODER.with_borrow_mut(|decoder| decoder.decode(stored, to, digest, dictionary))
}

struct ZstdDecoder {
    context: DCtx<'static>,
    /// Most recently used first.
    copies: [Copied; COPIES],
}

/// A copy of a dictionary with room for a chunk behind it.
#[derive(Default)]
struct Copied {
    /// The dictionary's digest; zeros, which no digest is, where there is no copy.
    of: Digest,
    length: usize,
    bytes: Vec<u8>,
}

impl ZstdDecoder {
    fn decode<'d>(
        &mut self,
        stored: &[u8],
        to: &mut [u8],
        digest: &Digest,
        dictionary: impl FnOnce() -> Result<&'d [u8]>,
    ) -> Result<SafeResult> {
        if to.len() > LARGE_CHUNK_BYTES {
            return Ok(self.context.decompress_using_dict(to, stored, dictionary()?));
        }
        let known = self.copies.iter().position(|copied| copied.of == *digest);
        let at = known.unwrap_or(COPIES - 1);
        if known.is_none() {
            let dictionary = dictionary()?;
            let copied = &mut self.copies[at];
            copied.bytes.clear();
            copied.bytes.extend_from_slice(dictionary);
            (copied.of, copied.length) = (*digest, dictionary.len());
        }
        self.copies[..=at].rotate_right(1);
        let copied = &mut self.copies[0];
        let end = copied.length + to.len();
        if copied.bytes.len() < end {
            copied.bytes.resize(end, 0);
        }
        let (dictionary, room) = copied.bytes[..end].split_at_mut(copied.length);
        let decoded = self.context.decompress_using_dict(room, stored, dictionary);
        if decoded.is_ok() {
            to.copy_from_slice(room);
        }
        Ok(decoded)
    }
}

thread_local! {
    /// One a thread: making a context takes longer than decompressing a chunk.
    static DECODER: RefCell<ZstdDecoder> =
        RefCell::new(ZstdDecoder { context: DCtx::create(), copies: Default::default() });
}

/// Dictionaries that a thread keeps, with their room at most half a MiB each.
const COPIES: usize = 4;

#[cfg(test)]
mod tests {
    use zstd::bulk::Compressor;

    use super::*;

    #[test]
    fn each_chunk_is_decoded_with_its_own_dictionary_whatever_was_decoded_before() {
        let chunks: Vec<_> = (0..COPIES as u8 + 2)
            .map(|number| {
                let word = [b'a' + number; 7];
                // One has no dictionary, and they differ in length.
                let dictionary = word.repeat(100 * usize::from(number));
                let raw = [word.as_slice(), b", and on"].concat().repeat(50);
                let mut compressor = Compressor::with_dictionary(3, &dictionary).expect("makes");
                let stored = compressor.compress(&raw).expect("compresses");
                ([number + 1; 32], dictionary, raw, stored)
            })
            .collect();
        for at in [0, 1, 2, 1, 3, 3, 2, 4, 5, 0, 1, 5, 2, 3, 1] {
            let (of, dictionary, raw, stored) = &chunks[at];
            let mut decoded = vec![0; raw.len()];
            let read = || Ok(dictionary.as_slice());
            assert_eq!(decode(stored, &mut decoded, of, read).expect("reads"), Ok(raw.len()));
            assert_eq!(decoded, *raw);
            // With less room than it takes, it fails and harms nothing.
            assert!(decode(stored, &mut decoded[..40], of, read).expect("reads").is_err());
        }
    }
}
