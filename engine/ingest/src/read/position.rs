//! How far a file was read, as the store keeps it.

use std::path::Path;

use forebear_core::{Result, Snapshot};

use crate::read::lines::LineStart;
use crate::read::seen::{FileId, FileStamp};

/// How far a file was read, and what identifies it. Kept in
/// the store as a checkpoint whose source is the file's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadPosition {
    /// The file as it was when it was opened.
    pub(crate) seen: FileStamp,
    /// Whether a change since then would show in what the system says of the file.
    pub(crate) settled: bool,
    /// The line that is read next, or was taken in part.
    pub(crate) line: LineStart,
    /// What lies before is in the store.
    pub(crate) taken: u64,
    /// What lies before was asked for links, and those are in the store too.
    pub(crate) linked: u64,
    /// Of all bytes before `taken`.
    pub(crate) digest: [u8; 32],
    /// What the lines were read as.
    pub(crate) format: String,
}

impl ReadPosition {
    /// Little-endian, in the order of the fields, after a version.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + self.format.len());
        bytes.extend([VERSION, u8::from(self.settled)]);
        for number in [
            self.seen.file.device,
            self.seen.file.inode,
            self.seen.size,
            self.seen.modified_ns.cast_unsigned(),
            self.seen.changed_ns.cast_unsigned(),
            self.line.offset,
            self.line.lines,
            self.taken,
            self.linked,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.digest);
        bytes.extend(self.format.as_bytes());
        bytes
    }

    /// None where it is of another version or none of ours: then the file is read
    /// from its start, and what is known are repeats.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[version, settled], rest) = bytes.split_first_chunk()?;
        let (numbers, rest) = rest.split_first_chunk::<NUMBERS_BYTES>()?;
        let (digest, format) = rest.split_first_chunk()?;
        if version != VERSION || settled > 1 {
            return None;
        }
        let mut numbers = numbers.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number));
        let mut number = || numbers.next();
        let position = Self {
            seen: FileStamp {
                file: FileId { device: number()?, inode: number()? },
                size: number()?,
                modified_ns: number()?.cast_signed(),
                changed_ns: number()?.cast_signed(),
            },
            settled: settled == 1,
            line: LineStart { offset: number()?, lines: number()? },
            taken: number()?,
            linked: number()?,
            digest: *digest,
            format: std::str::from_utf8(format).ok()?.to_owned(),
        };
        let in_order = position.line.offset <= position.taken && position.linked <= position.taken;
        in_order.then_some(position)
    }

    /// The position in the store under this name.
    pub(crate) fn of(snapshot: &Snapshot, source: &str) -> Result<Option<Self>> {
        let kept = match snapshot.checkpoint(source) {
            // Read from its beginning, it gives repeats of what is there.
            Err(error) if error.is_damaged() => None,
            kept => kept?,
        };
        Ok(kept.and_then(|bytes| Self::decode(&bytes)))
    }

    /// Whether a file that looks like this is surely unchanged, and nothing is left
    /// to be done for it.
    pub(crate) fn is_current(&self, seen: &FileStamp) -> bool {
        self.settled && self.seen == *seen && self.linked == self.taken
    }
}

/// The name under which a file's position is kept: its path.
pub(crate) fn source_name(path: &Path) -> String {
    let mut name = path.to_string_lossy().into_owned();
    name.truncate(name.floor_char_boundary(SOURCE_BYTES));
    name
}

const VERSION: u8 = 1;
const NUMBERS_BYTES: usize = 9 * 8;
const FIXED_BYTES: usize = 2 + NUMBERS_BYTES + 32;
/// Most bytes that the source of a checkpoint may have.
const SOURCE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> ReadPosition {
        ReadPosition {
            seen: FileStamp {
                file: FileId { device: 1, inode: 2 },
                size: 300,
                modified_ns: -4,
                changed_ns: 5,
            },
            settled: true,
            line: LineStart { offset: 200, lines: 7 },
            taken: 250,
            linked: 240,
            digest: [9; 32],
            format: "claude-code".to_owned(),
        }
    }

    #[test]
    fn what_is_kept_is_what_is_found() {
        let position = position();
        assert_eq!(ReadPosition::decode(&position.encode()), Some(position));
    }

    #[test]
    fn anything_else_is_no_position() {
        let bytes = position().encode();
        for length in 0..FIXED_BYTES {
            assert_eq!(ReadPosition::decode(&bytes[..length]), None, "{length} bytes");
        }
        for (at, byte) in [(0, 2), (1, 2), (FIXED_BYTES, 0xff), (42 + 16, 0xff)] {
            let mut other = bytes.clone();
            other[at] = byte;
            if at != 42 + 16 {
                assert_eq!(ReadPosition::decode(&other), None, "byte {at}");
            }
        }
        let behind = ReadPosition { taken: 100, ..position() };
        assert_eq!(ReadPosition::decode(&behind.encode()), None);
    }
}
