//! Decoding chunks with their segment's dictionary.
//!
//! zstd copies from a dictionary that lies apart by calls, and from one that lies
//! right before what it decodes as it copies from what it has decoded, in two thirds
//! of the time. So each thread keeps copies of the dictionaries used last, with room
//! for a chunk behind them.

use std::cell::RefCell;

use zstd::zstd_safe::{DCtx, SafeResult};

use crate::log::block::Digest;
use crate::segment::chunks::PIECE_BYTES;

/// Decodes `stored` to the buffer; returns how many bytes it came to. `of` is a digest
/// that no other dictionary's segment has.
pub(super) fn decode(stored: &[u8], to: &mut [u8], dictionary: &[u8], of: &Digest) -> SafeResult {
    DECODER.with_borrow_mut(|decoder| decoder.decode(stored, to, dictionary, of))
}

struct Decoder {
    context: DCtx<'static>,
    /// The one used last comes first.
    copies: [Copied; COPIES],
}

/// A copy of a dictionary, and room behind it.
#[derive(Default)]
struct Copied {
    of: Digest,
    bytes: Vec<u8>,
}

impl Decoder {
    fn decode(
        &mut self,
        stored: &[u8],
        to: &mut [u8],
        dictionary: &[u8],
        of: &Digest,
    ) -> SafeResult {
        if dictionary.is_empty() || to.len() > PIECE_BYTES {
            return self.context.decompress_using_dict(to, stored, dictionary);
        }
        let known =
            self.copies.iter().position(|copied| copied.of == *of && !copied.bytes.is_empty());
        self.copies[..=known.unwrap_or(COPIES - 1)].rotate_right(1);
        let copied = &mut self.copies[0];
        if known.is_none() {
            copied.bytes.clear();
            copied.bytes.extend_from_slice(dictionary);
            copied.of = *of;
        }
        let end = dictionary.len() + to.len();
        if copied.bytes.len() < end {
            copied.bytes.resize(end, 0);
        }
        let (dictionary, room) = copied.bytes[..end].split_at_mut(dictionary.len());
        let length = self.context.decompress_using_dict(room, stored, dictionary)?;
        to.copy_from_slice(room);
        Ok(length)
    }
}

thread_local! {
    /// Making one takes longer than decoding a chunk.
    static DECODER: RefCell<Decoder> =
        RefCell::new(Decoder { context: DCtx::create(), copies: Default::default() });
}

/// Copies that a thread keeps, of half a MiB at most: a chain is mostly in one
/// segment, and what came late in the next.
const COPIES: usize = 2;

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
                ([number; 32], dictionary, raw, stored)
            })
            .collect();
        for at in [0, 1, 2, 1, 3, 3, 2, 0, 1, 2, 3, 1] {
            let (of, dictionary, raw, stored) = &chunks[at];
            let mut decoded = vec![0; raw.len()];
            assert_eq!(decode(stored, &mut decoded, dictionary, of), Ok(raw.len()));
            assert_eq!(decoded, *raw);
            // With less room than it takes, it fails and harms nothing.
            assert!(decode(stored, &mut decoded[..40], dictionary, of).is_err());
        }
    }
}
