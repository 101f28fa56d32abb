//! What all files of a store have in common.

/// The version of the format that this code writes, and the only one it reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// A BLAKE3 digest.
pub(crate) type Digest = [u8; 32];
/// Random bytes that tell a store's blocks from any other's, and from bytes in
/// a payload that merely look like a block.
pub(crate) type StoreId = [u8; 16];
