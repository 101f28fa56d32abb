//! What all files of a store have in common.

/// The version of the format that this code writes.
pub(crate) const FORMAT_VERSION: u32 = 2;
/// The versions that it reads. A store becomes one of the newest with the first write.
pub(crate) const READ_VERSIONS: std::ops::RangeInclusive<u32> = 1..=FORMAT_VERSION;

/// A BLAKE3 digest.
pub(crate) type Digest = [u8; 32];
/// Random bytes that tell a store's blocks from any other's, and from bytes in
/// a payload that merely look like a block.
pub(crate) type StoreId = [u8; 16];
