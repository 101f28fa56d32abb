//! Decoded chunks: a cache that all segments of a store share, and the chunk that a walk
//! read last.

use std::ops::Range;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rkyv::util::AlignedVec;

use crate::log::record::ALIGN;

/// Decoded chunks of all segments of a store, bounded in bytes.
#[derive(Debug)]
pub(crate) struct ChunkCache(Cache<ChunkKey, DecodedChunk, ChunkWeight>);

/// A segment's number and that of one of its chunks.
pub(super) type ChunkKey = (u64, u32);

/// The bytes of a decoded chunk, shared by all records in it.
pub(super) type DecodedChunk = Arc<AlignedVec<ALIGN>>;

/// The chunk that a walk read last. It is checked before the cache, since the next record
/// of a chain is mostly in the same chunk.
#[derive(Debug, Default)]
pub(crate) struct LastChunk(pub(super) Option<Decoded>);

/// A decoded chunk and its place.
#[derive(Clone, Debug)]
pub(super) struct Decoded {
    pub(super) segment: u64,
    /// The bytes of the heap, before compression, that it holds.
    pub(super) raw: Range<u64>,
    pub(super) bytes: DecodedChunk,
}

impl ChunkCache {
    /// A cache of at most so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Cache::with_weighter(bytes / CHUNK_ESTIMATE_BYTES + 1, bytes as u64, ChunkWeight))
    }

    pub(super) fn get(&self, key: &ChunkKey) -> Option<DecodedChunk> {
        self.0.get(key)
    }

    pub(super) fn insert(&self, key: ChunkKey, chunk: DecodedChunk) {
        self.0.insert(key, chunk);
    }
}

#[derive(Clone, Debug)]
struct ChunkWeight;

impl Weighter<ChunkKey, DecodedChunk> for ChunkWeight {
    fn weight(&self, _: &ChunkKey, chunk: &DecodedChunk) -> u64 {
        chunk.capacity() as u64 + CHUNK_OVERHEAD_BYTES
    }
}

/// What most chunks take in memory.
const CHUNK_ESTIMATE_BYTES: usize = 16 << 10;
/// What the cache itself takes for a chunk, about.
const CHUNK_OVERHEAD_BYTES: u64 = 96;
